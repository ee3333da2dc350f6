package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// Fold hears every event of LEDGER in order. Apply is never called twice at
// once, and never while somebody reads.
type Fold interface {
	Apply(e *Event)
}

// Resumer is a fold that may go on from what it has kept of an earlier run. It
// is asked once, before the folding begins, and hears only what comes after the
// sequence that it answers; 0 = everything. Whether what it has kept is of this
// log is its own to find out.
type Resumer interface {
	Fold
	Resume(ctx context.Context, l *Ledger) (uint64, error)
}

// resumed is a fold with the sequence that it has folded before.
type resumed struct {
	Fold
	from uint64
}

// Follower folds LEDGER as it grows: one consistent prefix for everybody in
// the process who decides.
type Follower struct {
	l     *Ledger
	folds []resumed

	mu       sync.RWMutex
	pos      uint64
	hash     [32]byte
	recorded time.Time
	places   map[string]Place
	leads    leadCache
	hearings []*hearing
	// failed are leads that a service set aside and nothing has moved since.
	failed map[string]string

	waitMu  sync.Mutex
	reached uint64
	waiters []waiter
	ended   error
}

type waiter struct {
	seq uint64
	ch  chan struct{}
}

// View is the log up to Basis, as deciders see it. It is valid only inside the
// Read that gave it.
type View struct {
	f *Follower
	// Basis is the sequence up to which everything is folded, Hash the hash of
	// the event there.
	Basis uint64
	Hash  [32]byte
	// Now is the deciding instant: never below any recorded time of the prefix.
	Now time.Time
	// Woken is when the decider was last asked and had nothing to do.
	Woken time.Time
}

// View calls fn with a consistent prefix of the log.
func (f *Follower) View(fn func(v *View)) {
	now := f.l.clock.Now()
	f.mu.RLock()
	defer f.mu.RUnlock()
	if now.Before(f.recorded) {
		now = f.recorded
	}
	fn(&View{f: f, Basis: f.pos, Hash: f.hash, Now: now})
}

// Place is the last event of a subject within the prefix.
func (v *View) Place(subject string) Place { return v.f.places[subject] }

// Lead is a lead's state within the prefix. It is shared: clone it before
// changing it. A lead that does not exist has no ID.
func (v *View) Lead(id string) (*lead.State, error) {
	if s := v.f.leads.get(id); s != nil {
		return s, nil
	}
	place := v.f.places[lead.SubjectOf(id)]
	if place.Seq == 0 {
		return &lead.State{}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), v.f.l.timeout)
	defer cancel()
	events, err := v.f.l.History(ctx, lead.SubjectOf(id))
	if err != nil {
		return nil, err
	}
	s := &lead.State{ID: id}
	var last uint64
	for _, e := range events {
		if e.Seq > place.Seq {
			break
		}
		fold(s, e)
		last = e.Seq
	}
	if last != place.Seq {
		return nil, fault.New(fault.Unavailable, "ledger: the history served of a lead ends at %d, the log at %d; another copy may hold it", last, place.Seq)
	}
	v.f.leads.put(id, s)
	return s, nil
}

// Pos is the sequence up to which everything is folded.
func (f *Follower) Pos() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pos
}

// Wait returns once everything up to seq is folded.
func (f *Follower) Wait(ctx context.Context, seq uint64) error {
	f.waitMu.Lock()
	if f.reached >= seq {
		f.waitMu.Unlock()
		return nil
	}
	if f.ended != nil {
		f.waitMu.Unlock()
		return f.ended
	}
	w := waiter{seq, make(chan struct{})}
	f.waiters = append(f.waiters, w)
	f.waitMu.Unlock()
	select {
	case <-w.ch:
		f.waitMu.Lock()
		defer f.waitMu.Unlock()
		if f.reached < seq {
			return f.ended
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Follower) advance(seq uint64) {
	f.waitMu.Lock()
	defer f.waitMu.Unlock()
	f.reached = seq
	keep := f.waiters[:0]
	for _, w := range f.waiters {
		if w.seq <= seq {
			close(w.ch)
		} else {
			keep = append(keep, w)
		}
	}
	f.waiters = keep
}

func (f *Follower) end(err error) {
	f.waitMu.Lock()
	defer f.waitMu.Unlock()
	f.ended = err
	for _, w := range f.waiters {
		close(w.ch)
	}
	f.waiters = nil
}

// apply folds one record. A record that does not follow its subject's last one
// ends the folding: nothing may be decided on top of it.
func (f *Follower) apply(r *Record) error {
	e, err := r.Decode()
	if err != nil {
		return err
	}
	if err := f.l.trees[StreamLedger].add(r.Seq, e.Hash); err != nil {
		return err
	}
	if prev := f.places[e.Subject]; prev.Hash != e.Prev {
		return fault.New(fault.Corrupt, "record %d of LEDGER (%s) does not follow record %d of its subject: one of the two was changed after it was written", e.Seq, e.Type, prev.Seq)
	}
	f.mu.Lock()
	f.pos, f.hash = e.Seq, e.Hash
	if e.Recorded.After(f.recorded) {
		f.recorded = e.Recorded
	}
	f.places[e.Subject] = Place{Seq: e.Seq, Hash: e.Hash, Recorded: e.Recorded}
	if id, ok := lead.FromSubject(e.Subject); ok {
		f.leads.apply(id, e)
		f.aside(id, e)
	}
	for _, fold := range f.folds {
		if e.Seq > fold.from {
			fold.Apply(e)
		}
	}
	for _, h := range f.hearings {
		h.note(e.Subject, e.Seq)
	}
	f.mu.Unlock()
	f.advance(e.Seq)
	return nil
}

// aside keeps which leads were set aside, by which service.
func (f *Follower) aside(id string, e *Event) {
	if lead.Telling(e.Type) {
		return
	}
	if body, ok := e.Body.(*leadv1.HandlingFailed); ok {
		if f.failed == nil {
			f.failed = map[string]string{}
		}
		f.failed[id] = body.GetService()
		return
	}
	switch e.Body.(type) {
	case *leadv1.ClockReminded, *leadv1.ClockBreached, *leadv1.ClockEscalated, *leadv1.ClockRestated:
		// The lead has not moved.
		return
	}
	delete(f.failed, id)
}

// setAside answers the leads that a service could not handle, in order.
func (v *View) setAside(service string) []string {
	var out []string
	for id, by := range v.f.failed {
		if by == service {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// run folds for ever. A log that cannot be reached is asked again; a record
// that cannot be right ends the folding.
func (f *Follower) run(ctx context.Context) {
	var err error
	for ctx.Err() == nil {
		err = f.l.Read(ctx, StreamLedger, f.Pos()+1, 0, f.apply, func(seq uint64, why string) error {
			return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
		})
		if fault.Is(err, fault.Corrupt) {
			f.l.damage("%v", err)
			break
		}
		f.l.again(ctx, "LEDGER", err)
	}
	f.end(errors.Join(errClosed, err))
}

// again waits a moment before a stream that could not be read is read again.
func (l *Ledger) again(ctx context.Context, stream string, err error) {
	if ctx.Err() != nil {
		return
	}
	l.logger.WarnContext(ctx, "the log cannot be reached for now and is asked again", "stream", stream, "error", fmt.Sprint(err))
	_ = clock.Sleep(ctx, clock.Real{}, time.Now().Add(200*time.Millisecond))
}

// leadCache keeps the leads that were in use lately, in two generations: what
// is not asked for while the younger one fills is let go and read again when
// needed.
type leadCache struct {
	mu       sync.Mutex
	cur, old map[string]*lead.State
}

const generation = 30_000

func (c *leadCache) get(id string) *lead.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.cur[id]; s != nil {
		return s
	}
	s := c.old[id]
	if s != nil {
		c.keep(id, s)
	}
	return s
}

func (c *leadCache) put(id string, s *lead.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(id, s)
}

func (c *leadCache) keep(id string, s *lead.State) {
	if c.cur == nil {
		c.cur = map[string]*lead.State{}
	}
	if len(c.cur) >= generation {
		c.old, c.cur = c.cur, map[string]*lead.State{}
	}
	c.cur[id] = s
}

// apply folds an event into a lead that is kept, or starts to keep a new one.
func (c *leadCache) apply(id string, e *Event) {
	s := c.get(id)
	if s == nil {
		if e.Prev != ([32]byte{}) {
			return
		}
		s = &lead.State{ID: id}
		c.put(id, s)
	}
	fold(s, e)
	// What only pages show is not kept in memory.
	s.Explanation, s.Considered, s.Counts, s.RoutingSummary, s.Personal = nil, nil, nil, "", nil
}

func fold(s *lead.State, e *Event) {
	s.Evolve(e.Body, e.Occurred, e.Recorded)
	s.Remember(e.Cause, e.Seq)
	s.Course.Named(e.ID)
	if !lead.Telling(e.Type) {
		s.LastID, s.LastTrace = e.ID, e.TraceParent
	}
}
