package main

import (
	"context"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/qualification"
	"github.com/leadbaton/baton/services/report"
)

// under judges leads under a version of the agreement, by qualification's own decisions.
func (a *App) under(number int64) report.Judge {
	var version *agreement.Version
	a.log.Follower().View(func(*ledger.View) { version = a.register.Version(number) })
	if version == nil || version.Agreement == nil {
		return nil
	}
	return func(f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage {
		return qualification.StageBy(version.Agreement, number, f, calls)
	}
}

// events lets reports read the log as a whole.
type events struct{ log *ledger.Ledger }

// Last implements report.Records.
func (e events) Last(ctx context.Context) (uint64, error) {
	return e.log.Last(ctx, ledger.StreamLedger)
}

// Read implements report.Records.
func (e events) Read(ctx context.Context, from, to uint64, fn func(*ledger.Event) error) error {
	if to == 0 {
		return nil
	}
	return e.log.Read(ctx, ledger.StreamLedger, from, to, func(r *ledger.Record) error {
		event, err := r.Decode()
		if err != nil {
			return err
		}
		return fn(event)
	}, func(seq uint64, why string) error {
		return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
	})
}
