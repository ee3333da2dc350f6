package main

import (
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/qualification"
)

// targets keeps the quarters. Whether a lead meets a definition says qualification, by
// the very decisions that it makes.
func (a *App) targets() *feedback.Targets {
	return &feedback.Targets{
		Log: a.log, Quarters: a.quarters, Agreements: a.register, Seal: a.keys.Seal, Open: a.keys.Open,
		Judge: func(rules *agreement.Agreement, version int64, f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage {
			return qualification.StageBy(rules, version, qualification.Known{Features: f.Features, Touches: f.Touches, At: f.Now}, calls)
		},
		Known: func(handle string) bool {
			m := a.roster.Member(handle)
			return m != nil && !m.Deactivated
		},
	}
}
