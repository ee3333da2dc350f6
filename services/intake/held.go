package intake

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// For what a delivery waits, and what ends it.
const (
	whyPaused  = "paused"
	whyDetails = "waiting-for-details"

	howResumed = "resumed"
	howDetails = "details"
	howGivenUp = "given-up"
	// howKnown is said of an answer with details that had been read before: the
	// process that asked was killed before it could know.
	howKnown = "details-were-read"
)

// wait is a delivery that waits.
type wait struct {
	ref      *leadv1.DeliveryRef
	sourceID string
	why      string
	attempts int64
	fault    string
	// next is when its details are asked for again, since when they are.
	next, since time.Time
	// ignored says that it was found to be no lead, while the rest of its delivery
	// is still being worked.
	ignored bool
}

// Held is the fold of deliveries that wait. It nudges when one of them may wait
// no more.
type Held struct {
	sources *Sources
	waits   map[string]*wait
	nudge   chan struct{}
}

// NewHeld is the fold of nothing. Sources are folded before it.
func NewHeld(sources *Sources) *Held {
	return &Held{sources: sources, waits: map[string]*wait{}, nudge: make(chan struct{}, 1)}
}

// Apply folds one event.
func (h *Held) Apply(e *ledger.Event) {
	switch b := e.Body.(type) {
	case *intakev1.SourceDeclared:
		h.look()
	case *intakev1.DeliveryHeld:
		w := &wait{ref: b.GetDelivery(), sourceID: b.GetSourceId(), why: b.GetWhy(), attempts: b.GetAttempts(), fault: b.GetFault(), since: e.Recorded}
		if b.GetNextAt() != nil {
			w.next = b.GetNextAt().AsTime()
		}
		if before := h.waits[w.ref.GetDeliveryId()]; before != nil && before.why == w.why {
			w.since = before.since
		}
		h.waits[w.ref.GetDeliveryId()] = w
		if w.why == whyDetails || Working(h.sources.byID[w.sourceID]) {
			h.look()
		}
	case *intakev1.DeliveryReleased:
		delete(h.waits, b.GetDelivery().GetDeliveryId())
	case *intakev1.DeliveryIgnored:
		if w := h.waits[b.GetDelivery().GetDeliveryId()]; w != nil {
			w.ignored = true
		}
	}
}

func (h *Held) look() {
	select {
	case h.nudge <- struct{}{}:
	default:
	}
}

// ready answers at most so many deliveries that wait for something that is there
// now, and when the next one is due; zero = none is.
func (h *Held) ready(why string, now time.Time, most int) (out []*wait, next time.Time) {
	for _, w := range h.waits {
		if w.why != why || !Working(h.sources.byID[w.sourceID]) {
			continue
		}
		if w.next.After(now) {
			if next.IsZero() || w.next.Before(next) {
				next = w.next
			}
			continue
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b *wait) int {
		return cmp.Or(cmp.Compare(a.ref.GetSequence(), b.ref.GetSequence()), cmp.Compare(a.ref.GetIndex(), b.ref.GetIndex()), cmp.Compare(a.ref.GetItem(), b.ref.GetItem()))
	})
	return out[:min(most, len(out))], next
}

func deliverySubject(ref *leadv1.DeliveryRef) string {
	return "org.delivery." + ref.GetDeliveryId()
}

// hold is a delivery, or one submission of a thin one, that is to wait.
type hold struct {
	ref      *leadv1.DeliveryRef
	sourceID string
	why      string
	trace    string
	out      release
}

// release is the wait that an outcome ends; the zero value ends none.
type release struct {
	ref *leadv1.DeliveryRef
	how string
}

// ends says whether the wait stands within the view.
func (r release) ends(h *Held) bool {
	return r.ref != nil && h.waits[r.ref.GetDeliveryId()] != nil
}

// draft says that the wait is over.
func (r release) draft(trace string) ledger.Draft {
	return ledger.Draft{
		Subject: deliverySubject(r.ref), Body: &intakev1.DeliveryReleased{Delivery: r.ref, How: r.how},
		Cause: r.how + ":" + r.ref.GetDeliveryId(), TraceParent: trace,
	}
}

// heldAtOnce is how many deliveries are held, or released, as one.
const heldAtOnce = 100

// hold records deliveries that wait. What stands already is not said again.
func (w *Worker) hold(ctx context.Context, holds []hold) error {
	for some := range slices.Chunk(holds, heldAtOnce) {
		_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
			var drafts []ledger.Draft
			for _, h := range some {
				fresh := v.Place(deliverySubject(h.ref)).Seq == 0
				if h.out.ref.GetDeliveryId() == h.ref.GetDeliveryId() {
					// It waits for something else from now on.
					fresh = h.out.ends(w.Held)
				}
				if h.out.ends(w.Held) {
					drafts = append(drafts, h.out.draft(h.trace))
				}
				if !fresh {
					continue
				}
				drafts = append(drafts, ledger.Draft{
					Subject: deliverySubject(h.ref), Cause: h.ref.GetDeliveryId(), Position: 1, TraceParent: h.trace,
					Body: &intakev1.DeliveryHeld{Delivery: h.ref, SourceId: h.sourceID, Why: h.why},
				})
			}
			return drafts, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// KeepReleasing works what was held for a source that is not paused any more,
// and asks for the details of what lacks them, until the context ends. What it
// was about when it was killed is done again, once.
func (w *Worker) KeepReleasing(ctx context.Context) {
	for ctx.Err() == nil {
		w.waits.Store(atWork)
		next, err := w.releaseReady(ctx)
		if err != nil {
			if w.Logger != nil && ctx.Err() == nil {
				w.Logger.WarnContext(ctx, "deliveries that were held could not be worked and are tried again", "error", err.Error())
			}
			_ = clock.Sleep(ctx, clock.Real{}, clock.Real{}.Now().Add(500*time.Millisecond))
			continue
		}
		reached, stop := (<-chan struct{})(nil), func() {}
		if !next.IsZero() {
			reached, stop = w.Log.Clock().Until(next)
		}
		w.waits.Store(nanos(next))
		select {
		case <-w.Held.nudge:
		case <-reached:
		case <-ctx.Done():
		}
		stop()
	}
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

// releaseReady works everything that is ready, and answers when more will be.
func (w *Worker) releaseReady(ctx context.Context) (next time.Time, err error) {
	for ctx.Err() == nil {
		var paused, thin []*wait
		w.Log.Follower().View(func(v *ledger.View) {
			paused, _ = w.Held.ready(whyPaused, v.Now, heldAtOnce)
			if w.Details != nil {
				thin, next = w.Held.ready(whyDetails, v.Now, 1)
			}
		})
		switch {
		case len(paused) > 0:
			err = w.resume(ctx, paused)
		case len(thin) > 0:
			err = w.ask(ctx, thin[0])
		default:
			return next, nil
		}
		if err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, nil
}

// Idle says whether nothing that is held is ready to be worked, and the worker
// waits until something will be, or wakes before: who moves a virtual clock
// finds that instant there.
func (w *Worker) Idle(context.Context) (idle bool) {
	w.Log.Follower().View(func(v *ledger.View) {
		paused, _ := w.Held.ready(whyPaused, v.Now, 1)
		var thin []*wait
		var next time.Time
		if w.Details != nil {
			thin, next = w.Held.ready(whyDetails, v.Now, 1)
		}
		idle = len(paused)+len(thin) == 0 && w.waits.Load() <= nanos(next)
	})
	return idle
}

// resume gives deliveries that were held the outcomes that they would have had.
func (w *Worker) resume(ctx context.Context, waits []*wait) error {
	var all worked
	for _, wait := range waits {
		d, err := w.kept(ctx, wait.ref)
		if err != nil {
			return err
		}
		one, err := w.open(ctx, d, proto.Clone(wait.ref).(*leadv1.DeliveryRef), release{wait.ref, howResumed})
		if err != nil {
			return err
		}
		all.add(one)
	}
	return w.say(ctx, all)
}

// kept reads a delivery from INTAKE again.
func (w *Worker) kept(ctx context.Context, ref *leadv1.DeliveryRef) (*intakev1.Delivery, error) {
	record, err := w.Log.KeptAt(ctx, ref.GetSequence())
	if err != nil {
		return nil, err
	}
	if at := int(ref.GetIndex()); at < len(record.GetDeliveries()) {
		return record.GetDeliveries()[at], nil
	}
	return nil, fault.New(fault.Corrupt, "record %d of INTAKE holds no delivery at place %d, though LEDGER says so", ref.GetSequence(), ref.GetIndex())
}

// refusalSubject is where a delivery that yields no lead says so.
func (w *Worker) refusalSubject(ref *leadv1.DeliveryRef) string {
	token := ref.GetDeliveryId()
	if !lead.Safe(token) {
		token = lead.ID("x", w.Keys.MAC("refusal", []byte(token)))
	}
	return "org.refusal." + token
}
