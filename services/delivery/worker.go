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
// said. Who is killed in between makes it again, under the same id. Of several processes
// one sends, and the others stand by.
type Worker struct {
	Log  *ledger.Ledger
	Book *Book
	// Make makes the message of a notice, Senders send it, by the kind of channel.
	Make    *Maker
	Senders map[deliveryv1.ChannelKind]Sender
	// Customers are written to.
	Customers *Customers
	// Active says whether it is this process's turn to send; nil = always. When it becomes
	// so, Delivery.Wake is asked, and wakes the worker.
	Active func() bool
	// Metrics hears of each attempt; nil = nobody does.
	Metrics Metrics
	// Logger takes what an operator should know; nil = nothing is logged.
	Logger *slog.Logger

	mu     sync.Mutex
	flying map[string]bool
	lanes  map[string]int
	// rests are until when channels are left alone that asked for it.
	rests map[string]time.Time
	nudge chan struct{}
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
// one message after the other, and a customer system takes many records in one.
func atOnceOf(kind deliveryv1.ChannelKind) int {
	if chat(kind) || customer(kind) {
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
	w.flying, w.lanes, w.rests, w.nudge = map[string]bool{}, map[string]int{}, map[string]time.Time{}, make(chan struct{}, 1)
	w.mu.Unlock()
	w.Book.onWaiting(w.Log.Follower(), w.look)
	defer w.Book.onWaiting(w.Log.Follower(), func() {})
	var attempts sync.WaitGroup
	defer attempts.Wait()
	for ctx.Err() == nil {
		w.waits.Store(atWork)
		due, next := w.take()
		for _, batch := range due {
			attempts.Go(func() { w.attempt(ctx, batch) })
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

// take takes what is due and finds a free place on its channel, in batches of what is
// worked together, and answers when more will be due. A channel whose places are all
// taken holds up none of the others.
func (w *Worker) take() (due [][]Notice, next time.Time) {
	w.Log.Follower().View(func(v *ledger.View) {
		w.mu.Lock()
		defer w.mu.Unlock()
		due, next = w.ready(v.Now)
		for _, batch := range due {
			w.lanes[batch[0].Channel]++
			for _, n := range batch {
				w.flying[n.ID] = true
			}
		}
	})
	return due, next
}

// ready answers what can be sent now; mu is held.
func (w *Worker) ready(now time.Time) (due [][]Notice, next time.Time) {
	if w.Active != nil && !w.Active() {
		return nil, time.Time{}
	}
	for _, c := range w.Book.order {
		if c.Set.GetPaused() && !c.Set.GetRemoved() {
			continue
		}
		free, most := atOnceOf(c.Set.GetKind())-w.lanes[c.Set.GetChannel()], batchOf(c.Set.GetKind())
		rests := w.rests[c.Set.GetChannel()]
		var batch []Notice
		c.line.first(func(n *Notice) bool {
			if at := later(n.Due, rests); at.After(now) {
				if next.IsZero() || at.Before(next) {
					next = at
				}
				return false
			}
			if w.flying[n.ID] {
				return true
			}
			if free == 0 {
				return false // the next one that lands makes room
			}
			if batch = append(batch, *n); len(batch) == most {
				due, batch, free = append(due, batch), nil, free-1
			}
			return true
		})
		if len(batch) > 0 {
			due = append(due, batch)
		}
	}
	return due, next
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
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
func (w *Worker) landed(batch []Notice) {
	w.mu.Lock()
	for _, n := range batch {
		delete(w.flying, n.ID)
	}
	w.lanes[batch[0].Channel]--
	w.mu.Unlock()
	w.look()
}

// attempt works a batch and says what came of it. Trouble of our own is no outcome: it
// is tried again until the context ends.
func (w *Worker) attempt(ctx context.Context, batch []Notice) {
	defer w.landed(batch)
	work := func() error { return w.tell(ctx, &batch[0]) }
	if customer(batch[0].Channelled) {
		work = func() error { return w.write(ctx, batch) }
	}
	for rest := 200 * time.Millisecond; ctx.Err() == nil; rest = min(2*rest, 30*time.Second) {
		err := work()
		if err == nil || ctx.Err() != nil {
			return
		}
		if w.Logger != nil {
			w.Logger.WarnContext(ctx, "a notice could not be worked and is tried again", "error", err.Error())
		}
		_ = clock.Sleep(ctx, clock.Real{}, clock.Real{}.Now().Add(rest))
	}
}

// tell sends one notice and says what came of it.
func (w *Worker) tell(ctx context.Context, n *Notice) error {
	o, err := w.send(ctx, n)
	if err != nil {
		return err
	}
	return w.record(ctx, n, o)
}

// channel answers a channel and its secrets; the outcome says why nothing can go there.
func (w *Worker) channel(ctx context.Context, id string) (*deliveryv1.ChannelSet, *deliveryv1.ChannelSecrets, outcome, error) {
	c, secrets, err := w.Make.channel(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Corrupt):
		return nil, nil, outcome{fault: faultUnreadable, final: true}, nil
	case err != nil:
		return nil, nil, outcome{}, err
	case c.GetRemoved():
		return nil, nil, outcome{fault: faultGone, final: true}, nil
	}
	return c, secrets, outcome{}, nil
}

// send makes one attempt at a notice that still has something to tell.
func (w *Worker) send(ctx context.Context, n *Notice) (outcome, error) {
	c, secrets, o, err := w.channel(ctx, n.Channel)
	if err != nil || o.fault != "" {
		return o, err
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
	if err == nil {
		w.count(n, o)
	}
	return err
}

// count counts an attempt. A code of somebody else's counts as a refusal: their list of
// codes has no end.
func (w *Worker) count(n *Notice, o outcome) {
	if w.Metrics == nil {
		return
	}
	result := o.fault
	switch _, ours := faultTexts[result]; {
	case result == "":
		result = stateSent
	case !ours:
		result = faultRefused
	}
	w.Metrics.Notice(kindWord(n.Channelled), result)
}
