package main

import (
	"context"

	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

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
