package intake

import (
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// What becomes of a submission, in the words of the ledger of intake.
const (
	OutcomeLead         = "lead"
	OutcomeRepeat       = "repeat"
	OutcomeRevision     = "revision"
	OutcomeTouch        = "touch"
	OutcomeTest         = "test"
	OutcomeSpam         = "spam"
	OutcomeRefused      = "refused"
	OutcomeIgnored      = "ignored"
	OutcomeHeld         = "held"
	OutcomeDetails      = "waiting-for-details"
	OutcomeNeedsMapping = "needs-mapping"
)

// Outcomes are all of them, in the order in which they are shown.
var Outcomes = []string{
	OutcomeLead, OutcomeNeedsMapping, OutcomeRepeat, OutcomeRevision, OutcomeTouch, OutcomeTest, OutcomeSpam, OutcomeRefused, OutcomeIgnored, OutcomeHeld, OutcomeDetails,
}

// keptAt is where a delivery stands: its record in INTAKE, and its place in it.
type keptAt struct {
	seq   uint64
	index uint32
}

func keptAtOf(ref *leadv1.DeliveryRef) keptAt { return keptAt{ref.GetSequence(), ref.GetIndex()} }

// voice is what an event says about a submission.
type voice uint8

const (
	kindOutcome  voice = iota // it has this outcome
	kindChanged               // its outcome is this one from now on
	kindHeld                  // it waits, and that is its outcome until then
	kindReleased              // it waits no more
	kindMoved                 // it waits no more, and goes on in the delivery of its details
)

// mention is what one event of LEDGER says about one submission of a delivery.
type mention struct {
	item    uint32
	before  int32 // place of what was said before about the same delivery, from 1; 0 = nothing
	as      voice
	outcome uint8 // place in Outcomes
	event   uint64
	// received is when the door took the request, in nanoseconds; 0 = the event
	// does not say.
	received int64
}

// Tally is the fold of what became of each delivery: some forty bytes for each,
// so that any span can be counted without reading the log again.
type Tally struct {
	last map[keptAt]int32
	said []mention
	// recent are the leads that were received, or read again, lately: a refusal
	// stands in the batch of its lead, and a batch is short.
	recent, older map[string]received
}

type received struct {
	at   keptAt
	item uint32
}

// NewTally is the fold of nothing.
func NewTally() *Tally { return &Tally{last: map[keptAt]int32{}, recent: map[string]received{}} }

// Apply folds one event.
func (t *Tally) Apply(e *ledger.Event) {
	switch b := e.Body.(type) {
	case *leadv1.LeadReceived:
		if b.GetDelivery().GetSequence() == 0 {
			return // history is a fact from a file, not a delivery
		}
		t.add(e, b.GetDelivery(), kindOutcome, readAs(b.GetNeedsMapping()))
		t.read(e.Subject, b.GetDelivery())
	case *leadv1.LeadRefused:
		r, ok := t.recent[e.Subject]
		if !ok {
			if r, ok = t.older[e.Subject]; !ok {
				return
			}
		}
		as := OutcomeSpam
		if b.GetReason() == leadv1.RefusalReason_REFUSAL_REASON_TEST {
			as = OutcomeTest
		}
		t.add(e, &leadv1.DeliveryRef{Sequence: r.at.seq, Index: r.at.index, Item: r.item}, kindChanged, as)
	case *leadv1.LeadRemapped:
		t.add(e, b.GetDelivery(), kindChanged, readAs(b.GetNeedsMapping()))
		t.read(e.Subject, b.GetDelivery())
	case *leadv1.SubmissionRepeated:
		t.add(e, b.GetDelivery(), kindOutcome, OutcomeRepeat)
	case *leadv1.SubmissionRevised:
		t.add(e, b.GetDelivery(), kindOutcome, OutcomeRevision)
	case *leadv1.TouchAdded:
		t.add(e, b.GetDelivery(), kindOutcome, OutcomeTouch)
	case *intakev1.TouchWaiting:
		t.add(e, b.GetDelivery(), kindHeld, OutcomeTouch)
	case *intakev1.TouchJoined:
		t.add(e, b.GetDelivery(), kindReleased, OutcomeTouch)
	case *intakev1.DeliveryRefused:
		t.add(e, b.GetDelivery(), kindOutcome, OutcomeRefused)
	case *intakev1.DeliveryIgnored:
		t.add(e, b.GetDelivery(), kindOutcome, OutcomeIgnored)
	case *intakev1.DeliveryHeld:
		as := OutcomeHeld
		if b.GetWhy() == whyDetails {
			as = OutcomeDetails
		}
		t.add(e, b.GetDelivery(), kindHeld, as)
	case *intakev1.DeliveryReleased:
		kind := kindReleased
		if b.GetHow() == howDetails {
			kind = kindMoved
		}
		t.add(e, b.GetDelivery(), kind, OutcomeHeld)
	}
}

// read remembers which submission a lead's words are of.
func (t *Tally) read(subject string, ref *leadv1.DeliveryRef) {
	if len(t.recent) > ledger.MaxBatch {
		t.recent, t.older = map[string]received{}, t.recent
	}
	t.recent[subject] = received{keptAtOf(ref), ref.GetItem()}
}

func readAs(needsMapping bool) string {
	if needsMapping {
		return OutcomeNeedsMapping
	}
	return OutcomeLead
}

func (t *Tally) add(e *ledger.Event, ref *leadv1.DeliveryRef, k voice, outcome string) {
	if ref.GetSequence() == 0 {
		return
	}
	at := keptAtOf(ref)
	s := mention{item: ref.GetItem(), before: t.last[at], as: k, event: e.Seq}
	for i, word := range Outcomes {
		if word == outcome {
			s.outcome = uint8(i) // #nosec G115 -- there are a dozen
		}
	}
	if r := ref.GetReceivedAt(); r != nil {
		s.received = r.AsTime().UnixNano()
	}
	t.said = append(t.said, s)
	t.last[at] = int32(len(t.said)) // #nosec G115 -- two thousand million outcomes are more than one stream holds
}

// of is what was said about a delivery, first to last, within a view of the log.
func (t *Tally) of(at keptAt) (out []mention) {
	for i := t.last[at]; i != 0; i = t.said[i-1].before {
		out = append(out, t.said[i-1])
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// worked says whether something was said about a delivery.
func (t *Tally) worked(at keptAt) bool { return t.last[at] != 0 }

// became is what a delivery's submissions became.
type became struct {
	// outcomes are what was said, by item; each ought to have one.
	outcomes []itemOutcome
	// submissions is how many there must be: as many as the last item's place says,
	// less those that went on in the delivery of their details.
	submissions int
	// received is when the door took the request; zero = not said.
	received time.Time
}

type itemOutcome struct {
	item    uint32
	outcome string
	event   uint64
}

// resolve follows what was said about one delivery to what it became.
func resolve(all []mention) (b became) {
	type slot struct {
		outcomes []itemOutcome
		held     *itemOutcome
		moved    bool
	}
	var slots []slot
	for _, s := range all {
		for int(s.item) >= len(slots) {
			slots = append(slots, slot{})
		}
		at := &slots[s.item]
		one := itemOutcome{s.item, Outcomes[s.outcome], s.event}
		switch s.as {
		case kindOutcome:
			at.outcomes = append(at.outcomes, one)
		case kindChanged:
			for i := range at.outcomes {
				if o := at.outcomes[i].outcome; o == OutcomeLead || o == OutcomeNeedsMapping {
					at.outcomes[i] = one
				}
			}
		case kindHeld:
			at.held = &one
		case kindReleased:
			at.held = nil
		case kindMoved:
			at.held, at.moved = nil, true
		}
		if b.received.IsZero() && s.received != 0 {
			b.received = time.Unix(0, s.received).UTC()
		}
	}
	for i := range slots {
		b.submissions++
		if slots[i].moved && len(slots[i].outcomes) == 0 {
			b.submissions--
		}
		b.outcomes = append(b.outcomes, slots[i].outcomes...)
		if slots[i].held != nil {
			b.outcomes = append(b.outcomes, *slots[i].held)
		}
	}
	return b
}
