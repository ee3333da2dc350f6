package main

import (
	"context"
	"sort"
	"time"

	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// settleDisputes lets the service take disputes, and puts those that lie before those who
// are agreed. The fold nudges the desk, so that it need not hear every event.
func (a *App) settleDisputes(outcomes *feedback.Outcomes, writable bool) error {
	outcomes.Settles(&feedback.Settling{Docket: a.docket, Version: a.agreed, Open: a.keys.Open, Each: a.recorded, Sample: a.sample})
	if !writable {
		return nil
	}
	ctx, cancel := context.WithCancel(a.run)
	desk, err := a.log.Desk(ctx, &feedback.Clerk{Docket: a.docket}, ledger.DeskConfig{})
	if err != nil {
		cancel()
		return err
	}
	a.disputeDesk = desk
	a.docket.Nudge(desk.Nudge)
	desk.Nudge() // for what came while nobody was nudged
	a.undo("disputes", func(ctx context.Context) error {
		a.docket.Nudge(func() {})
		cancel()
		return wait(ctx, "disputes", desk.Stopped())
	})
	return nil
}

// agreed is an agreement by its number; nil = it is not known here.
func (a *App) agreed(number int64) (rules *agreement.Agreement) {
	a.log.Follower().View(func(*ledger.View) {
		if version := a.register.Version(number); version != nil {
			rules = version.Agreement
		}
	})
	return rules
}

// sample is how many handoffs a review looks at by the agreement in force; 0 = it says
// nothing.
func (a *App) sample() (n int) {
	a.log.Follower().View(func(v *ledger.View) {
		if version := a.register.InForce(v.Now); version != nil {
			terms, _ := version.Agreement.Disputes()
			n = terms.Sample
		}
	})
	return n
}

// recordedSlack is how far the times of neighbours in the log may lie against their order:
// each subject's own never go back, and several processes write.
const recordedSlack = 10 * time.Minute

// recorded goes through what was recorded from one instant up to another, and some around
// it: it costs what the period holds, not what the log does.
func (a *App) recorded(ctx context.Context, from, to time.Time, fn func(*ledger.Event) error) error {
	last := a.log.Follower().Pos()
	var failed error
	at := func(t time.Time) uint64 {
		return uint64(sort.Search(int(last), func(i int) bool {
			e, err := a.log.EventAt(ctx, uint64(i)+1)
			if err != nil {
				failed = err
				return true
			}
			return !e.Recorded.Before(t)
		})) + 1
	}
	first, end := at(from.Add(-recordedSlack)), at(to.Add(recordedSlack))
	if failed != nil || end <= first {
		return failed
	}
	return a.log.Read(ctx, ledger.StreamLedger, first, min(end-1, last), func(r *ledger.Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		return fn(e)
	}, func(seq uint64, why string) error {
		return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
	})
}
