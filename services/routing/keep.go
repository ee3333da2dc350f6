package routing

import (
	"context"
	"encoding/json"
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
	// Roster of the members, whose presence is told to others as well; nil = nobody
	// is told.
	Roster *Roster

	store Store
	// kept is the position that the store was last known to hold, pending the
	// rows that have moved since, whole that all of them are to be saved.
	kept    uint64
	pending map[rowKey]bool
	whole   bool
	// told is what was last kept of each member.
	told map[string]memberRow
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
	if err != nil {
		k.logger.WarnContext(ctx, "the kept routing state cannot be read; it is made again from the log", "error", err.Error())
		return 0, nil
	}
	if state.Position > 0 {
		err = k.same(ctx, l, state.Past)
		if err == nil {
			err = k.groups.restore(state.Rows)
		}
	}
	if err != nil {
		k.logger.WarnContext(ctx, "the kept routing state is of no use and is made again from the log", "error", err.Error())
		*k.groups = *NewGroups()
		k.groups.changed = map[rowKey]bool{}
		if err := k.store.Clear(ctx); err != nil {
			k.logger.WarnContext(ctx, "the kept routing state could not be cleared away; the next whole replaces it", "error", err.Error())
		}
		return 0, nil
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

// Keep saves what moves until the context ends, and once more then: for as long
// as it is this process that routes. One that stands by keeps nothing, so that
// what it has folded and not kept does not grow; when it takes over it saves the
// whole.
func (k *Keeper) Keep(ctx context.Context, l *ledger.Ledger, routes func() bool) {
	for {
		stopping := clock.Sleep(ctx, clock.Real{}, time.Now().Add(keepEvery)) != nil
		if !routes() {
			k.standBy(l)
		} else if err := k.save(context.WithoutCancel(ctx), l); err != nil {
			k.logger.WarnContext(ctx, "the routing state could not be kept; routing goes on, and it is tried again", "error", err.Error())
		}
		if stopping {
			return
		}
	}
}

// keepWithin bounds one save, so that a store that hangs holds up no stop.
const keepWithin = 10 * time.Second

func (k *Keeper) save(ctx context.Context, l *ledger.Ledger) error {
	ctx, cancel := context.WithTimeout(ctx, keepWithin)
	defer cancel()
	return k.Save(ctx, l)
}

func (k *Keeper) standBy(l *ledger.Ledger) {
	k.whole = true
	clear(k.pending)
	l.Follower().View(func(*ledger.View) { clear(k.groups.changed) })
}

// Save keeps what has moved since it was last kept. What the store has lost is
// made again at once, of the fold: nobody waits for that.
func (k *Keeper) Save(ctx context.Context, l *ledger.Ledger) error {
	if l.ReadOnly() != "" {
		return nil
	}
	began, lost := time.Now(), false
	for range 3 {
		c, told, err := k.change(l)
		if err != nil {
			return err
		}
		kept, err := k.store.Save(ctx, c)
		switch {
		case err != nil:
			return err
		case kept == c.Position:
			if lost {
				k.logger.InfoContext(ctx, "the kept routing state was lost and is made again", "rows", len(c.Rows), "elapsed", time.Since(began).String())
			}
			k.kept, k.whole, k.told = kept, false, told
			clear(k.pending)
			return nil
		case kept < c.Position:
			// It has lost what the change builds on.
			lost, k.whole = true, true
		default:
			return k.ahead(ctx, l, kept)
		}
	}
	return nil
}

// ahead looks at a store that holds more than was folded here: another router's,
// or what the log itself has lost.
func (k *Keeper) ahead(ctx context.Context, l *ledger.Ledger, kept uint64) error {
	last, err := l.Last(ctx, ledger.StreamLedger)
	if err != nil || kept <= last {
		return err
	}
	k.whole = true
	return k.store.Clear(ctx)
}

// change takes what has moved. Rows that were taken before and never kept are
// taken again, as they stand now.
func (k *Keeper) change(l *ledger.Ledger) (c Change, told map[string]memberRow, err error) {
	l.Follower().View(func(v *ledger.View) {
		c = Change{Past: Past{Log: l.ID(), Position: v.Basis, Hash: v.Hash}, From: k.kept, Whole: k.whole}
		maps.Copy(k.pending, k.groups.changed)
		clear(k.groups.changed)
		keys := slices.Collect(maps.Keys(k.pending))
		if k.whole {
			keys = k.groups.all()
		}
		if c.Rows, err = k.groups.rows(keys); err != nil || k.Roster == nil {
			return
		}
		if told = k.told; k.whole || v.Basis != k.kept {
			told = k.Roster.rows(v.Now)
		}
	})
	for _, member := range slices.Sorted(maps.Keys(told)) {
		if before, known := k.told[member]; known && before == told[member] && !k.whole {
			continue
		}
		value, err := json.Marshal(told[member])
		if err != nil {
			return c, told, err
		}
		c.Rows = append(c.Rows, Row{Group: rosterGroup, Kind: kindMember, Key: member, Value: value})
	}
	return c, told, err
}

// Close closes the store.
func (k *Keeper) Close() error {
	if k.store == nil {
		return nil
	}
	return k.store.Close()
}
