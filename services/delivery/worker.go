package delivery

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Metrics hears how attempts ended; kind and result are words from short lists.
type Metrics interface {
	Notice(kind, result string)
}

// Worker sends what is due and says what came of it.
//
// Sending is an effect, so it stands outside of decisions: an attempt is made, then
// said. Who is killed in between makes it again, under the same id.
type Worker struct {
	Log  *ledger.Ledger
	Book *Book
	// Make makes the message of a notice, Senders send it, by the kind of channel.
	Make    *Maker
	Senders map[deliveryv1.ChannelKind]Sender
	// Metrics hears of each attempt; nil = nobody does.
	Metrics Metrics
	// Logger takes what an operator should know; nil = nothing is logged.
	Logger *slog.Logger

	mu     sync.Mutex
	flying map[string]bool
	lanes  map[string]int
	nudge  chan struct{}
	// waits is the instant for which the worker waits.
	waits atomic.Int64
}

// Sender speaks to one kind of channel.
type Sender interface {
	// Send makes one attempt. What stands against it is in the outcome; an error is
	// trouble of our own, after which it is tried again at once.
	Send(ctx context.Context, c *deliveryv1.ChannelSet, s *deliveryv1.ChannelSecrets, m *Message) (outcome, error)
}

// atOnceOf is how many attempts a channel makes at the same time. A room of people reads
// one message after the other.
func atOnceOf(kind deliveryv1.ChannelKind) int {
	if chat(kind) {
		return 1
	}
	return 4
}

// atWork stands for no instant: a worker that works waits for none.
const atWork = math.MaxInt64

// nanos is an instant as one number; none lies after all others.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return atWork - 1
	}
	return t.UnixNano()
}

// Keep sends until the context ends. What it was about then is sent again by whoever
// comes next.
func (w *Worker) Keep(ctx context.Context) {
	w.mu.Lock()
	w.flying, w.lanes, w.nudge = map[string]bool{}, map[string]int{}, make(chan struct{}, 1)
	w.mu.Unlock()
	w.Book.onWaiting(w.Log.Follower(), w.look)
	defer w.Book.onWaiting(w.Log.Follower(), func() {})
	var attempts sync.WaitGroup
	defer attempts.Wait()
	for ctx.Err() == nil {
		w.waits.Store(atWork)
		due, next := w.take()
		for _, n := range due {
			attempts.Go(func() { w.attempt(ctx, n) })
		}
		reached, stop := (<-chan struct{})(nil), func() {}
		if !next.IsZero() {
			reached, stop = w.Log.Clock().Until(next)
		}
		w.waits.Store(nanos(next))
		select {
		case <-w.nudge:
		case <-reached:
		case <-ctx.Done():
		}
		stop()
	}
}

func (w *Worker) look() {
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// take takes what is due and finds a free place on its channel, and answers when more
// will be due. A channel whose places are all taken holds up none of the others.
func (w *Worker) take() (due []Notice, next time.Time) {
	w.Log.Follower().View(func(v *ledger.View) {
		w.mu.Lock()
		defer w.mu.Unlock()
		due, next = w.ready(v.Now)
		for _, n := range due {
			w.flying[n.ID] = true
			w.lanes[n.Channel]++
		}
	})
	return due, next
}

// ready answers what can be sent now; mu is held.
func (w *Worker) ready(now time.Time) (due []Notice, next time.Time) {
	for _, c := range w.Book.order {
		if c.Set.GetPaused() && !c.Set.GetRemoved() {
			continue
		}
		free := atOnceOf(c.Set.GetKind()) - w.lanes[c.Set.GetChannel()]
		c.line.first(func(n *Notice) bool {
			if n.Due.After(now) {
				if next.IsZero() || n.Due.Before(next) {
					next = n.Due
				}
				return false
			}
			if w.flying[n.ID] {
				return true
			}
			if free == 0 {
				return false // the next one that lands makes room
			}
			free--
			due = append(due, *n)
			return true
		})
	}
	return due, next
}

// Idle says whether nothing is on its way or due, and the worker waits until something
// will be, or wakes before: who moves a virtual clock finds that instant there.
func (w *Worker) Idle(context.Context) (idle bool) {
	w.Log.Follower().View(func(v *ledger.View) {
		w.mu.Lock()
		defer w.mu.Unlock()
		due, next := w.ready(v.Now)
		idle = len(due) == 0 && len(w.flying) == 0 && w.waits.Load() <= nanos(next)
	})
	return idle
}

// landed makes room for the next one.
func (w *Worker) landed(n *Notice) {
	w.mu.Lock()
	delete(w.flying, n.ID)
	w.lanes[n.Channel]--
	w.mu.Unlock()
	w.look()
}

// attempt sends one notice and says what came of it. Trouble of our own is no outcome:
// it is tried again until the context ends.
func (w *Worker) attempt(ctx context.Context, n Notice) {
	defer w.landed(&n)
	for rest := 200 * time.Millisecond; ctx.Err() == nil; rest = min(2*rest, 30*time.Second) {
		o, err := w.send(ctx, &n)
		if err == nil {
			err = w.record(ctx, &n, o)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if w.Logger != nil {
			w.Logger.WarnContext(ctx, "a notice could not be worked and is tried again", "error", err.Error())
		}
		_ = clock.Sleep(ctx, clock.Real{}, clock.Real{}.Now().Add(rest))
	}
}

// send makes one attempt at a notice that still has something to tell.
func (w *Worker) send(ctx context.Context, n *Notice) (outcome, error) {
	c, secrets, err := w.Make.channel(ctx, n.Channel)
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Corrupt):
		return outcome{fault: faultUnreadable, final: true}, nil
	case err != nil:
		return outcome{}, err
	case c.GetRemoved():
		return outcome{fault: faultGone, final: true}, nil
	}
	m, o, err := w.Make.message(ctx, n)
	if err != nil || o.fault != "" {
		return o, err
	}
	sender := w.Senders[c.GetKind()]
	if sender == nil {
		return outcome{fault: faultNoServer}, nil
	}
	began := time.Now()
	if o, err = sender.Send(ctx, c, secrets, m); err != nil {
		return o, err
	}
	if ctx.Err() != nil {
		return o, ctx.Err() // the process ends: what came of it is not known
	}
	o.took = time.Since(began)
	return o, nil
}

// record says what came of an attempt; somebody else may have said it already.
func (w *Worker) record(ctx context.Context, n *Notice, o outcome) error {
	_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		stands := w.Book.waiting[n.ID]
		if stands == nil || stands.Attempts != n.Attempts {
			return nil, nil
		}
		return []ledger.Draft{n.draft(n.ID, int(n.Attempts+1), say(n, o, v.Now))}, nil
	})
	if err == nil && w.Metrics != nil {
		result := o.fault
		if result == "" {
			result = stateSent
		}
		w.Metrics.Notice(kindWord(n.Channelled), result)
	}
	return err
}
