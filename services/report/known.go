package report

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Records reads LEDGER as a whole.
type Records interface {
	// Last answers the sequence of the last event; 0 = there is none.
	Last(ctx context.Context) (uint64, error)
	// Read calls fn with the events from one sequence to another, in order.
	Read(ctx context.Context, from, to uint64, fn func(*ledger.Event) error) error
}

// batch is how many events are folded in one transaction into tables that nobody else
// reads yet: of a lead to which much happens among them, the row is written once.
const batch = 5000

// refold folds events of the log into a store: those that are to be kept (nil = all), in
// order. told hears of each that was read; nil = nobody does.
func refold(ctx context.Context, log Records, s *Store, from, to uint64, keep func(*ledger.Event) bool, told func(seq uint64) error) error {
	if to < from {
		return nil
	}
	var events []*ledger.Event
	flush := func() error {
		err := s.Apply(ctx, events)
		events = events[:0]
		return err
	}
	err := log.Read(ctx, from, to, func(e *ledger.Event) error {
		if keep == nil || keep(e) {
			events = append(events, e)
		}
		if len(events) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
		if told != nil {
			return told(e.Seq)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// keptFor is how long the tables of what was known at an instant are kept for the next
// question about it.
const keptFor = 5 * time.Minute

// known are the tables of what was known at an instant: the log, folded up to what had
// been recorded by then, in a file of their own that is gone when nobody asks any more.
// They are kept for one instant at a time, and for one question at a time.
type known struct {
	log Records
	// turn is held by who asks; ended closes when nobody may ask any more.
	turn, ended chan struct{}

	store *Store
	dir   string
	at    time.Time
	// folded says when they were; what is recorded at that very instant may be missing.
	folded time.Time
	drop   *time.Timer
}

func newKnown(log Records) *known {
	return &known{log: log, turn: make(chan struct{}, 1), ended: make(chan struct{})}
}

// ask calls f with the tables of what was known at an instant, which is not after now.
// ledgerID says whose log it is.
func (k *known) ask(ctx context.Context, ledgerID string, at, now time.Time, logger *slog.Logger, f func(*Store) error) error {
	select {
	case k.turn <- struct{}{}:
	case <-k.ended:
		return fault.New(fault.Unavailable, "this process is about to stop; ask again in a moment")
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-k.turn }()
	if k.store == nil || !k.at.Equal(at) || !k.at.Before(k.folded) {
		if err := k.fold(ctx, ledgerID, at, now, logger); err != nil {
			return err
		}
	}
	k.drop.Reset(keptFor)
	return f(k.store)
}

func (k *known) fold(ctx context.Context, ledgerID string, at, now time.Time, logger *slog.Logger) (err error) {
	began := clock.Real{}.Now()
	// Who asked may have gone meanwhile; whoever asks again finds it done.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		select {
		case <-k.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := k.forget(); err != nil {
		return err
	}
	last, err := k.log.Last(ctx)
	if err != nil {
		return err
	}
	s, dir, err := openAside(ctx, ledgerID)
	if err != nil {
		return err
	}
	err = refold(ctx, k.log, s, 1, last, func(e *ledger.Event) bool { return !e.Recorded.After(at) }, nil)
	if err != nil {
		return errors.Join(err, closeAside(s, dir))
	}
	k.store, k.dir, k.at, k.folded = s, dir, at, now
	k.drop = time.AfterFunc(keptFor, func() {
		select {
		case k.turn <- struct{}{}:
		case <-k.ended:
			return
		}
		defer func() { <-k.turn }()
		if k.store == s {
			_ = k.forget() // what is left is in the folder for what is temporary
		}
	})
	if logger != nil {
		logger.InfoContext(ctx, "the log was folded up to what was known", "known_at", at.UTC().Format(time.RFC3339Nano), "events", last,
			"took_ms", clock.Real{}.Now().Sub(began).Milliseconds())
	}
	return nil
}

// close lets go of all and answers nobody any more.
func (k *known) close() error {
	close(k.ended)
	k.turn <- struct{}{}
	return k.forget()
}

// forget lets go of the tables.
func (k *known) forget() error {
	if k.store == nil {
		return nil
	}
	k.drop.Stop()
	s := k.store
	k.store = nil
	return closeAside(s, k.dir)
}

// asideFile is the file of such tables in their folder.
const asideFile = "read.db"

// openAside makes tables of their own in a folder of their own, which follow a log.
func openAside(ctx context.Context, ledgerID string) (s *Store, dir string, err error) {
	if dir, err = os.MkdirTemp("", "baton-read-"); err != nil {
		return nil, "", fault.New(fault.Unavailable, "there is no room for tables beside the read model: %w", err)
	}
	if s, err = open(ctx, filepath.Join(dir, asideFile), passing); err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	if _, err = s.Attach(ctx, ledgerID); err != nil {
		return nil, "", errors.Join(err, closeAside(s, dir))
	}
	return s, dir, nil
}

func closeAside(s *Store, dir string) error { return errors.Join(s.Close(), os.RemoveAll(dir)) }
