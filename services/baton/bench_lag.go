package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// lag compares, event by event, when the log took it with when somebody who reads the
// tables sees it, and with when a follower of the log hears of it.
type lag struct {
	world *world
	from  uint64

	mu     sync.Mutex
	stored []time.Time // by the sequence after from
	heard  []time.Duration
	seen   []time.Duration
	stop   context.CancelFunc
	ended  chan error
}

// lag begins to compare. The read model must have come up with the log before.
func (w *world) lag(ctx context.Context) (*lag, error) {
	last, err := w.log.Last(ctx, ledger.StreamLedger)
	if err != nil {
		return nil, err
	}
	l := &lag{world: w, from: last, ended: make(chan error, 2)}
	ctx, l.stop = context.WithCancel(ctx)
	go func() {
		l.ended <- w.log.Read(ctx, ledger.StreamLedger, last+1, 0, func(r *ledger.Record) error {
			now := time.Now()
			l.mu.Lock()
			defer l.mu.Unlock()
			l.stored = append(l.stored, r.Stored)
			l.heard = append(l.heard, now.Sub(r.Stored))
			return nil
		}, func(seq uint64, why string) error { return fmt.Errorf("record %d cannot be read: %s", seq, why) })
	}()
	go func() { l.ended <- l.look(ctx) }()
	return l, nil
}

// look reads the tables again and again, as their readers do, and notes up to where they
// are folded.
func (l *lag) look(ctx context.Context) error {
	for ctx.Err() == nil {
		at, err := l.world.store.Position(ctx)
		if err != nil {
			return err
		}
		now := time.Now()
		l.mu.Lock()
		for n := len(l.seen); n < len(l.stored) && l.from+uint64(n) < at; n++ { // #nosec G115 -- a count
			l.seen = append(l.seen, now.Sub(l.stored[n]))
		}
		l.mu.Unlock()
		pauseUntil(ctx, now.Add(lookEvery))
	}
	return ctx.Err()
}

// end answers how long events waited, once all up to the end of the log were seen.
func (l *lag) end(ctx context.Context) (heard, seen load, err error) {
	defer l.stop()
	last, err := l.world.log.Last(ctx, ledger.StreamLedger)
	if err != nil {
		return heard, seen, err
	}
	for until := time.Now().Add(assignPatience); ; {
		l.mu.Lock()
		n := l.from + uint64(len(l.seen)) // #nosec G115 -- a count
		l.mu.Unlock()
		if n >= last {
			break
		}
		if time.Now().After(until) || ctx.Err() != nil {
			return heard, seen, fault.New(fault.Unavailable, "%d of %d events were folded into the read model", n, last)
		}
		pauseUntil(ctx, time.Now().Add(lookEvery))
		select {
		case err := <-l.ended:
			return heard, seen, err
		default:
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// The first tenth warms up.
	heard.waits, seen.waits = slices.Clone(l.heard[len(l.seen)/11:len(l.seen)]), slices.Clone(l.seen[len(l.seen)/11:])
	slices.Sort(heard.waits)
	slices.Sort(seen.waits)
	heard.done, seen.done = len(heard.waits), len(seen.waits)
	return heard, seen, nil
}
