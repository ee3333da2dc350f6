package feedback

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Name is the service's one word.
const Name = "feedback"

// subjectWaiting is where the outcomes of a lead that is not here yet wait.
func subjectWaiting(leadID string) string { return "org.outcome." + leadID }

// waitingOutcome is one outcome that came before its lead.
type waitingOutcome struct {
	body  *feedbackv1.OutcomeWaiting
	actor string
	since time.Time
	seq   uint64
}

// Waiting is the fold of the outcomes that came before their leads. It holds
// those that still wait, and is safe to be asked from anywhere.
type Waiting struct {
	mu    sync.Mutex
	leads map[string][]*waitingOutcome
	// due are leads that may be here by now, with how often they were looked at.
	due   map[string]int
	nudge func()
}

// NewWaiting is the fold of nothing.
func NewWaiting() *Waiting {
	return &Waiting{leads: map[string][]*waitingOutcome{}, due: map[string]int{}, nudge: func() {}}
}

// Nudge sets what is called when a lead may have come that outcomes wait for.
func (w *Waiting) Nudge(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudge = f
}

// Apply implements ledger.Fold.
func (w *Waiting) Apply(e *ledger.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch b := e.Body.(type) {
	case *feedbackv1.OutcomeWaiting:
		w.leads[b.GetLeadId()] = append(w.leads[b.GetLeadId()], &waitingOutcome{body: b, actor: e.Actor, since: e.Recorded, seq: e.Seq})
		// The lead may have come between the look and the word.
		w.look(b.GetLeadId())
	case *feedbackv1.OutcomeReleased:
		left := slices.DeleteFunc(w.leads[b.GetLeadId()], func(o *waitingOutcome) bool { return o.body.GetKey() == b.GetKey() })
		w.leads[b.GetLeadId()] = left
		if len(left) == 0 {
			delete(w.leads, b.GetLeadId())
			delete(w.due, b.GetLeadId())
		}
	case *leadv1.LeadReceived:
		if id, ok := lead.FromSubject(e.Subject); ok && len(w.leads[id]) > 0 {
			w.look(id)
		}
	}
}

func (w *Waiting) look(id string) {
	w.due[id] = 0
	w.nudge()
}

// of answers what waits for a lead, in the order in which it happened.
func (w *Waiting) of(leadID string) []*waitingOutcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.leads[leadID])
	slices.SortStableFunc(out, func(a, b *waitingOutcome) int {
		return a.body.GetOccurredAt().AsTime().Compare(b.body.GetOccurredAt().AsTime())
	})
	return out
}

func (w *Waiting) has(leadID, key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.leads[leadID], func(o *waitingOutcome) bool { return o.body.GetKey() == key })
}

// List answers at most n outcomes that wait and came behind a sequence, in the
// order in which they came, and the sequence behind which there are more; 0 =
// that is all.
func (w *Waiting) List(after uint64, n int) (out []*feedbackv1.WaitingOutcome, next uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*waitingOutcome
	for _, some := range w.leads {
		for _, o := range some {
			if o.seq > after {
				all = append(all, o)
			}
		}
	}
	slices.SortFunc(all, func(a, b *waitingOutcome) int { return cmp.Compare(a.seq, b.seq) })
	if len(all) > n {
		all, next = all[:n], all[n-1].seq
	}
	for _, o := range all {
		out = append(out, &feedbackv1.WaitingOutcome{
			LeadId: o.body.GetLeadId(), Source: o.body.GetSource(), Key: o.body.GetKey(), Kind: o.body.GetOutcome().GetKind(),
			Member: o.body.GetOutcome().GetMember(), OccurredAt: o.body.GetOccurredAt(), Since: timestamppb.New(o.since),
		})
	}
	return out, next
}
