package main

import (
	"context"
	"fmt"
	"time"

	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// replayVersions is how many versions of the agreement decide the leads of a log
// that is made to be read, a part of them each.
const replayVersions = 3

// benchReplay measures reading the log with all its proofs and decisions
// against only reading it.
func benchReplay(ctx context.Context, b *bench) (*measured, error) {
	m := &measured{Title: "the log again, from its first event on"}
	w, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	last, err := w.log.Last(ctx, ledger.StreamLedger)
	if err != nil {
		return nil, err
	}
	leads := min(b.replay, b.leads)
	if last < uint64(leads) { // #nosec G115 -- a count
		follow, stop := context.WithCancel(ctx)
		defer stop()
		given := w.follow(follow)
		for part := range replayVersions {
			b.say("replay", part, "a log to read")
			if part > 0 {
				if err := w.revise(access.WithToken(ctx, w.admin), part); err != nil {
					return nil, access.FaultOf(err)
				}
			}
			if _, err := b.rush(ctx, m, w, given, leads*(part+1)/replayVersions-leads*part/replayVersions); err != nil {
				return nil, err
			}
		}
	}
	if err := w.Settle(ctx); err != nil {
		return nil, err
	}
	for round := range b.rounds {
		b.say("replay", round, "read")
		events, took, err := readBare(ctx, w)
		if err != nil {
			return nil, err
		}
		b.say("replay", round, "read, checked and decided again")
		stop := b.profile(round)
		began := time.Now()
		result, err := audit.Verify(ctx, audit.Direct{Log: w.log}, audit.Options{})
		stop()
		if err != nil {
			return nil, err
		}
		verified := time.Since(began)
		if !result.Whole() {
			for _, f := range result.Findings {
				m.note("%s %d: %s", f.Stream, f.Seq, f.What)
			}
		}
		read := float64(events) / took.Seconds()
		checked := float64(result.Events) / verified.Seconds()
		m.add("read", "an ordered consumer that does nothing", "events/s", "read", read)
		m.add("verified", "replay with verification: chain, signature, tree, decision", "events/s", "read", checked)
		m.add("decisions", "decisions made again", "/s", "", float64(result.Decisions)/verified.Seconds())
		m.add("length", "length of the log", "events", "", float64(result.Events))
		m.add("versions", "versions of the agreement in it", "", "", float64(result.Agreements))
	}
	return m, nil
}

func readBare(ctx context.Context, w *world) (events int64, took time.Duration, err error) {
	last, err := w.log.Last(ctx, ledger.StreamLedger)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	err = w.log.Read(ctx, ledger.StreamLedger, 1, last, func(*ledger.Record) error {
		events++
		return nil
	}, func(seq uint64, why string) error { return fmt.Errorf("record %d cannot be read: %s", seq, why) })
	return events, time.Since(began), err
}
