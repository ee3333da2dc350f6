package routing

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Keeper carries the fold of the pools over from one run to the next: it is
// that fold to the log, goes on from what its store holds of this log's past,
// and keeps there what moves.
//
// A store that fails stops nobody: it is logged, and the fold goes on without.
type Keeper struct {
	groups *Groups
	open   func(ctx context.Context) (Store, error)
	logger *slog.Logger

	store Store
	// kept is the position that the store was last known to hold, pending the
	// rows that have moved since, whole that all of them are to be saved.
	kept    uint64
	pending map[rowKey]bool
	whole   bool
}

// NewKeeper makes a keeper; open opens its store once the log is held.
func NewKeeper(groups *Groups, open func(ctx context.Context) (Store, error), logger *slog.Logger) *Keeper {
	groups.changed = map[rowKey]bool{}
	return &Keeper{groups: groups, open: open, logger: logger, pending: map[rowKey]bool{}, whole: true}
}

// Apply implements ledger.Fold.
func (k *Keeper) Apply(e *ledger.Event) { k.groups.Apply(e) }

// Resume implements ledger.Resumer: what is kept counts only if the log has the
// very event up to which it reaches.
func (k *Keeper) Resume(ctx context.Context, l *ledger.Ledger) (uint64, error) {
	var err error
	if k.store, err = k.open(ctx); err != nil {
		return 0, err
	}
	state, err := k.store.Load(ctx)
	if err == nil && state.Position > 0 {
		err = k.same(ctx, l, state.Past)
		if err == nil {
			err = k.groups.restore(state.Rows)
		}
	}
	if err != nil {
		k.logger.WarnContext(ctx, "the kept routing state is of no use and is made again from the log", "error", err.Error())
		*k.groups = *NewGroups()
		k.groups.changed = map[rowKey]bool{}
		return 0, k.store.Clear(ctx)
	}
	if k.kept = state.Position; k.kept > 0 {
		k.whole = false
	}
	return k.kept, nil
}

// same says whether a past is this log's.
func (k *Keeper) same(ctx context.Context, l *ledger.Ledger, past Past) error {
	if past.Log != l.ID() {
		return fault.New(fault.Conflict, "it is of the log %s, and this is %s", past.Log, l.ID())
	}
	last, err := l.Last(ctx, ledger.StreamLedger)
	if err != nil {
		return err
	}
	if past.Position > last {
		return fault.New(fault.Conflict, "it reaches up to event %d, and the log ends at %d", past.Position, last)
	}
	unreadable := func(seq uint64, why string) error {
		return fault.New(fault.Conflict, "event %d, up to which it reaches, cannot be read: %s", seq, why)
	}
	return l.Read(ctx, ledger.StreamLedger, past.Position, past.Position, func(r *ledger.Record) error {
		if r.Hash() != past.Hash {
			return fault.New(fault.Conflict, "event %d, up to which it reaches, is another one in this log", r.Seq)
		}
		return nil
	}, unreadable)
}

// keepEvery is how far the store may lag behind: what a router that takes over
// folds again at the most, as time.
const keepEvery = 2 * time.Second

// Keep saves what moves until the context ends, and once more then.
func (k *Keeper) Keep(ctx context.Context, l *ledger.Ledger) {
	for {
		stopping := clock.Sleep(ctx, clock.Real{}, time.Now().Add(keepEvery)) != nil
		if err := k.Save(context.WithoutCancel(ctx), l); err != nil {
			k.logger.WarnContext(ctx, "the routing state could not be kept; routing goes on, and it is tried again", "error", err.Error())
		}
		if stopping {
			return
		}
	}
}

// Save keeps what has moved since it was last kept.
func (k *Keeper) Save(ctx context.Context, l *ledger.Ledger) error {
	if l.ReadOnly() != "" {
		return nil
	}
	c, err := k.change(l)
	if err != nil || c.Position == k.kept {
		return err
	}
	kept, err := k.store.Save(ctx, c)
	if err != nil {
		return err
	}
	switch {
	case kept == c.Position:
		k.kept, k.whole = kept, false
		clear(k.pending)
	case kept < c.Position:
		// It has lost what the change builds on.
		k.whole = true
	}
	return nil
}

// change takes what has moved. Rows that were taken before and never kept are
// taken again, as they stand now.
func (k *Keeper) change(l *ledger.Ledger) (c Change, err error) {
	l.Follower().View(func(v *ledger.View) {
		c = Change{Past: Past{Log: l.ID(), Position: v.Basis, Hash: v.Hash}, From: k.kept, Whole: k.whole}
		maps.Copy(k.pending, k.groups.changed)
		clear(k.groups.changed)
		keys := slices.Collect(maps.Keys(k.pending))
		if k.whole {
			keys = k.groups.all()
		}
		c.Rows, err = k.groups.rows(keys)
	})
	return c, err
}

// Close closes the store.
func (k *Keeper) Close() error {
	if k.store == nil {
		return nil
	}
	return k.store.Close()
}
