package intake

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// Subjects of what no lead holds.
const (
	subjectTouch    = "org.touch."
	subjectDelivery = "org.delivery."
)

// touching is a touch on its way to the lead that it belongs to.
type touching struct {
	id       string
	touch    *intakev1.Touch
	sourceID string
	ref      *leadv1.DeliveryRef
	body     *leadv1.Sealed
	received time.Time
	trace    string

	// leads that it may belong to, oldest first.
	leads []string
	// known are the deliveries that it came in before, where it stands already.
	known []string
}

// occurred is when it happened.
func (t *touching) occurred() time.Time {
	if at := t.touch.GetOccurredAt(); at != nil {
		return at.AsTime()
	}
	return t.received
}

// reach is what a touch knows its person by, in the spelling that persons are
// kept under.
func reach(t *intakev1.Touch, src *intakev1.SourceDeclared) (email, phone string) {
	m := worded(&intakev1.Submission{Personal: &leadv1.PersonalData{Email: t.GetEmail(), Phone: t.GetPhone()}}, nil, src, nil, time.Time{})
	return m.Email, m.Phone
}

// touched makes a touch's task.
func (w *Worker) touched(ctx context.Context, d *intakev1.Delivery, ref *leadv1.DeliveryRef, src *intakev1.SourceDeclared, touch *intakev1.Touch) *task {
	ref.ReceivedAt = d.GetReceivedAt()
	id := Ids{w.Keys}.Touch(src.GetSourceId(), touch.GetExternalId())
	spanned, span := telemetry.StartProcess(ctx, d.GetTraceparent(), ledger.StreamIntake, Name)
	trace := telemetry.Inject(spanned)
	if trace == "" {
		trace = d.GetTraceparent()
	}
	return &task{
		ref: ref, delivery: d, source: src, trace: trace, end: func(err error) { telemetry.End(span, err) },
		touch: &touching{id: id, touch: touch, sourceID: d.GetSourceId(), ref: ref, body: d.GetBody(), received: d.GetReceivedAt().AsTime(), trace: trace},
	}
}

// look finds out, for the touches among the tasks, whose they may be and
// whether they stand already.
func (w *Worker) look(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		if t.touch == nil {
			continue
		}
		if err := w.standing(ctx, t.touch); err != nil {
			return err
		}
		if err := w.whose(ctx, t.touch); err != nil {
			return err
		}
	}
	return nil
}

// standing finds the deliveries that a touch came in before.
func (w *Worker) standing(ctx context.Context, t *touching) error {
	var place ledger.Place
	w.Log.Follower().View(func(v *ledger.View) { place = v.Place(subjectTouch + t.id) })
	t.known = nil
	if place.Seq == 0 {
		return nil
	}
	events, err := w.Log.History(ctx, subjectTouch+t.id)
	if err != nil {
		return err
	}
	for _, e := range events {
		switch body := e.Body.(type) {
		case *intakev1.TouchWaiting:
			t.known = append(t.known, body.GetDelivery().GetDeliveryId())
		case *intakev1.TouchJoined:
			t.known = append(t.known, body.GetDelivery().GetDeliveryId())
		}
	}
	return nil
}

// whose finds the leads that a touch may belong to: the one that it names, else
// those of its person. It makes nobody known.
func (w *Worker) whose(ctx context.Context, t *touching) (err error) {
	t.leads = nil
	if id := t.touch.GetLeadId(); id != "" {
		t.leads = []string{id}
		return nil
	}
	email, phone := reach(t.touch, w.Sources.ByID(t.sourceID))
	persons, err := w.Keys.Find(ctx, []keys.Contact{{Email: EmailKey(email), Phone: phone}})
	if err != nil || persons[0] == "" {
		return err
	}
	t.leads, err = leadsOf(ctx, w.Log, persons[0])
	return err
}

// leadsOf answers a person's leads, oldest first, and with them those of all
// who are one with the person.
func leadsOf(ctx context.Context, log *ledger.Ledger, person string) ([]string, error) {
	attached := map[string]uint64{}
	seen := map[string]bool{}
	for ask := []string{person}; len(ask) > 0; ask = ask[1:] {
		if seen[ask[0]] {
			continue
		}
		seen[ask[0]] = true
		events, err := log.History(ctx, lead.SubjectPerson+ask[0])
		if err != nil {
			return nil, err
		}
		joined := map[string]bool{}
		for _, e := range events {
			switch body := e.Body.(type) {
			case *personv1.LeadAttached:
				attached[body.GetLeadId()] = e.Seq
			case *personv1.LeadDetached:
				delete(attached, body.GetLeadId())
			case *personv1.PersonMerged:
				joined[body.GetIntoId()], joined[body.GetFromId()] = true, true
			case *personv1.PersonUnmerged:
				delete(joined, body.GetIntoId())
				delete(joined, body.GetFromId())
			}
		}
		for other := range joined {
			ask = append(ask, other)
		}
	}
	leads := make([]string, 0, len(attached))
	for id := range attached {
		leads = append(leads, id)
	}
	slices.SortFunc(leads, func(a, b string) int { return cmp.Compare(attached[a], attached[b]) })
	return leads, nil
}

// touch says what becomes of a touch: it joins a lead, it waits, or it stands
// already.
func (b *outcomes) touch(t *task) error {
	id, delivery := t.touch.id, t.ref.GetDeliveryId()
	known := append(slices.Clip(t.touch.known), b.touches[id]...)
	switch {
	case slices.Contains(known, delivery):
		return nil
	case len(known) > 0:
		if subject := subjectDelivery + delivery; b.view.Place(subject).Seq == 0 {
			b.drafts = append(b.drafts, ledger.Draft{
				Subject: subject, Cause: delivery, TraceParent: t.trace,
				Body: &intakev1.DeliveryIgnored{Delivery: t.ref, SourceId: t.touch.sourceID, Why: "this touch is recorded already"},
			})
		}
		return nil
	case b.view.Place(subjectTouch+id).Seq != 0:
		// Somebody was faster between the two looks; the record comes again.
		return fault.New(fault.Unavailable, "the touch moved while it was prepared")
	}
	if b.touches == nil {
		b.touches = map[string][]string{}
	}
	b.touches[id] = append(b.touches[id], delivery)
	s, err := b.belongs(t.touch)
	if err != nil {
		return err
	}
	if s == nil {
		b.drafts = append(b.drafts, ledger.Draft{
			Subject: subjectTouch + id, Cause: delivery, Occurred: t.touch.occurred(), TraceParent: t.trace,
			Body: &intakev1.TouchWaiting{Delivery: t.ref, SourceId: t.touch.sourceID, Body: t.touch.body},
		})
		return nil
	}
	b.join(t.touch, s)
	return nil
}

// belongs picks the lead of a touch: the one that it names, else the latest of
// its person that is open; nil = none.
func (b *outcomes) belongs(t *touching) (*lead.State, error) {
	for i := len(t.leads) - 1; i >= 0; i-- {
		s, err := b.lead(t.leads[i])
		if err != nil {
			return nil, err
		}
		if s.ID != "" && (s.Open() || t.touch.GetLeadId() != "") {
			return s, nil
		}
	}
	return nil, nil
}

// join says on both subjects that a touch belongs to a lead.
func (b *outcomes) join(t *touching, s *lead.State) {
	added := &leadv1.TouchAdded{Delivery: t.ref, Kind: t.touch.GetKind(), SubmissionId: t.id, Attribution: inTheClear(t.touch.GetAttribution())}
	draft := ledger.Draft{Cause: t.ref.GetDeliveryId(), Correlation: s.ID, Position: int(s.Events), Occurred: t.occurred(), TraceParent: t.trace}
	onLead, onTouch := draft, draft
	onLead.Subject, onLead.Body = lead.SubjectOf(s.ID), added
	onTouch.Subject, onTouch.Body = subjectTouch+t.id, &intakev1.TouchJoined{Delivery: t.ref, LeadId: s.ID}
	b.drafts = append(b.drafts, onLead, onTouch)
	s.Evolve(added, draft.Occurred, b.view.Now)
}

// Touches is the fold of the touches that wait, and knows for whom.
type Touches struct {
	// looking is held by who looks for touches, so that none that another is
	// just reading is overlooked.
	looking sync.Mutex

	mu      sync.Mutex
	waiting map[string]*waits // by touch id
	unread  []string
	// whom is who is waited for, as keyed digests, and the touches that wait.
	whom map[string][]string
}

// waits is a touch that waits, and the keyed digests of the lead's id, e-mail
// address and telephone number that it waits for.
type waits struct {
	event *intakev1.TouchWaiting
	marks []string
}

// NewTouches is the fold of nothing.
func NewTouches() *Touches {
	return &Touches{waiting: map[string]*waits{}, whom: map[string][]string{}}
}

// Apply folds one event.
func (t *Touches) Apply(e *ledger.Event) {
	id, ok := strings.CutPrefix(e.Subject, subjectTouch)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch body := e.Body.(type) {
	case *intakev1.TouchWaiting:
		t.waiting[id], t.unread = &waits{event: body}, append(t.unread, id)
	case *intakev1.TouchJoined:
		t.forget(id)
	}
}

// forget lets a touch wait no longer.
func (t *Touches) forget(id string) {
	if gone := t.waiting[id]; gone != nil {
		delete(t.waiting, id)
		for _, mark := range gone.marks {
			t.whom[mark] = slices.DeleteFunc(t.whom[mark], func(other string) bool { return other == id })
			if len(t.whom[mark]) == 0 {
				delete(t.whom, mark)
			}
		}
	}
}

// find answers the event of a touch that waits; nil = it does not.
func (t *Touches) find(id string) *intakev1.TouchWaiting {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.waiting[id]; w != nil {
		return w.event
	}
	return nil
}

// arrived lets touches join that waited for whom these tasks made known. A
// touch that only now began to wait is looked at once more: whom it waits for
// may have come between the look and the wait.
func (w *Worker) arrived(ctx context.Context, tasks []*task) error {
	w.Touches.looking.Lock()
	defer w.Touches.looking.Unlock()
	if err := w.readWaiting(ctx); err != nil {
		return err
	}
	var due []string
	w.Touches.mu.Lock()
	if len(w.Touches.waiting) > 0 {
		for _, t := range tasks {
			if t.touch != nil {
				due = append(due, t.touch.id)
				continue
			}
			for _, mark := range w.marks(t.leadID, t.mapped.Email, t.mapped.Phone) {
				due = append(due, w.Touches.whom[mark]...)
			}
		}
	}
	w.Touches.mu.Unlock()
	slices.Sort(due)
	for _, id := range slices.Compact(due) {
		if err := w.joinWaiting(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// readWaiting reads for whom the touches wait that were not read before. One
// whose day's key is gone waits for nobody any more.
func (w *Worker) readWaiting(ctx context.Context) error {
	t := w.Touches
	t.mu.Lock()
	unread := t.unread
	t.unread = nil
	t.mu.Unlock()
	for i, id := range unread {
		event := t.find(id)
		if event == nil {
			continue
		}
		touch, err := w.openTouch(ctx, event)
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.mu.Lock()
			t.unread = append(t.unread, unread[i:]...)
			t.mu.Unlock()
			return err
		}
		var marks []string
		if id := touch.GetLeadId(); id != "" {
			marks = w.marks(id, "", "")
		} else if touch != nil {
			email, phone := reach(touch, w.Sources.ByID(event.GetSourceId()))
			marks = w.marks("", email, phone)
		}
		t.mu.Lock()
		if t.waiting[id] != nil {
			if t.waiting[id].marks = marks; len(marks) == 0 {
				t.forget(id)
			}
			for _, mark := range marks {
				t.whom[mark] = append(t.whom[mark], id)
			}
		}
		t.mu.Unlock()
	}
	return nil
}

// marks are the keyed digests of whom a touch may wait for; empty = not given.
func (w *Worker) marks(leadID, email, phone string) (marks []string) {
	for _, m := range [...][2]string{{"lead", leadID}, {"email", EmailKey(email)}, {"phone", phone}} {
		if m[1] != "" {
			marks = append(marks, string(w.Keys.MAC("touch-for", []byte(m[0]), []byte(m[1]))))
		}
	}
	return marks
}

// openTouch opens the body of a touch that waits.
func (w *Worker) openTouch(ctx context.Context, event *intakev1.TouchWaiting) (*intakev1.Touch, error) {
	plain, err := w.Keys.Open(ctx, event.GetBody(), aad(&intakev1.Delivery{DeliveryId: event.GetDelivery().GetDeliveryId(), SourceId: event.GetSourceId()}))
	if err != nil {
		return nil, err
	}
	var body intakev1.DeliveryBody
	if err := proto.Unmarshal(plain, &body); err != nil {
		return nil, fault.New(fault.Corrupt, "the body of a touch that waits cannot be decoded")
	}
	return body.GetTouch(), nil
}

// joinWaiting lets a touch join if there is a lead for it by now.
func (w *Worker) joinWaiting(ctx context.Context, id string) error {
	event := w.Touches.find(id)
	if event == nil {
		return nil
	}
	touch, err := w.openTouch(ctx, event)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	t := &touching{id: id, touch: touch, sourceID: event.GetSourceId(), ref: event.GetDelivery(), received: event.GetDelivery().GetReceivedAt().AsTime()}
	if err := w.whose(ctx, t); err != nil {
		return err
	}
	_, err = w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		if w.Touches.find(id) == nil {
			return nil, nil
		}
		b := &outcomes{view: v, leads: map[string]*lead.State{}}
		s, err := b.belongs(t)
		if err != nil || s == nil {
			return nil, err
		}
		t.trace = s.LastTrace
		b.join(t, s)
		return b.drafts, nil
	})
	return err
}
