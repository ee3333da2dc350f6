package main

import (
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/qualification"
)

// targets keeps the quarters. Whether a lead meets a definition says qualification, by
// the very decisions that it makes.
func (a *App) targets() *feedback.Targets {
	return &feedback.Targets{
		Log: a.log, Quarters: a.quarters, Agreements: a.register, Seal: a.keys.Seal, Open: a.keys.Open,
		Judge: qualification.StageBy,
		Known: func(handle string) bool {
			m := a.roster.Member(handle)
			return m != nil && !m.Deactivated
		},
	}
}
