package feedback

import (
	"cmp"
	"slices"
	"sync"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Docket is the fold of all cases: whose each number is, which wait, and what falls due
// on them. It holds no more than that of each; the case itself is read from its lead's
// history. It is safe to be asked from anywhere.
type Docket struct {
	register *agreement.Register

	mu sync.Mutex
	// byID are all cases, listed in the order in which they were opened.
	byID   map[string]*docketed
	listed []*docketed
	// waiting are those on which somebody will have to be told, by number.
	waiting map[string]*docketed
	// links are verdicts that led to a proposal and do not say so yet.
	links []link
	nudge func()
}

// docketed is what the docket holds of a case.
type docketed struct {
	id, lead string
	seq      uint64
	review   bool
	decided  bool
	// version is the agreement's in force when it was opened: it names who is told.
	version int64
	// step was the last one said, the next is due then; zero = nobody is told any more.
	step int32
	due  time.Time
}

// link is a verdict with the proposal that it led to.
type link struct {
	id, lead string
	version  int64
	// event is the proposal's, place which of its cases this is.
	event string
	place int
}

// NewDocket is the fold of nothing, on top of the agreements, which are folded before it.
func NewDocket(register *agreement.Register) *Docket {
	return &Docket{register: register, byID: map[string]*docketed{}, waiting: map[string]*docketed{}, nudge: func() {}}
}

// Nudge sets what is called when something may have fallen due. It must not wait.
func (k *Docket) Nudge(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nudge = f
}

// Apply implements ledger.Fold.
func (k *Docket) Apply(e *ledger.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b, ok := e.Body.(*agreementv1.AgreementProposed); ok {
		for i, id := range b.GetDisputes() {
			if d := k.byID[id]; d != nil && !slices.Contains(b.GetDisputes()[:i], id) {
				k.links = append(k.links, link{id: id, lead: d.lead, version: b.GetVersion(), event: e.ID, place: i})
				k.nudge()
			}
		}
		return
	}
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	switch b := e.Body.(type) {
	case *leadv1.DisputeOpened:
		if k.byID[b.GetDisputeId()] != nil {
			return
		}
		d := &docketed{id: b.GetDisputeId(), lead: id, seq: e.Seq, review: b.GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW, version: e.Agreement}
		k.byID[d.id], k.listed = d, append(k.listed, d)
		if at := b.GetEscalateAt(); at != nil && len(tell(k.register.Version(d.version))) > 0 {
			d.due, k.waiting[d.id] = at.AsTime(), d
			k.nudge()
		}
	case *leadv1.DisputeEscalated:
		if d := k.byID[b.GetDisputeId()]; d != nil {
			d.step, d.due = b.GetStep(), time.Time{}
			if at := b.GetNextAt(); at != nil {
				d.due = at.AsTime()
			}
			if d.due.IsZero() {
				delete(k.waiting, d.id)
			}
			k.nudge()
		}
	case *leadv1.DisputeDecided:
		if d := k.byID[b.GetDisputeId()]; d != nil {
			d.decided, d.due = true, time.Time{}
			delete(k.waiting, d.id)
			k.nudge()
		}
	case *leadv1.DisputeLinked:
		k.links = slices.DeleteFunc(k.links, func(l link) bool { return l.id == b.GetDisputeId() && l.version == b.GetAgreementVersion() })
	}
}

// Lead answers whose case a number is; empty = there is no such case.
func (k *Docket) Lead(id string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.byID[id]; d != nil {
		return d.lead
	}
	return ""
}

// Decided says whether there is a case of that number, and whether it is decided.
func (k *Docket) Decided(id string) (decided, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.byID[id]
	return d != nil && d.decided, d != nil
}

// taken says whether a number is another lead's.
func (k *Docket) taken(leadID string) func(id string) bool {
	return func(id string) bool {
		of := k.Lead(id)
		return of != "" && of != leadID
	}
}

// list answers at most n cases that were opened behind a sequence, in order, and the
// sequence behind which there are more; 0 = that is all.
func (k *Docket) list(after uint64, n int, decided, review bool) (out []docketed, next uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	from, _ := slices.BinarySearchFunc(k.listed, after+1, func(d *docketed, seq uint64) int { return cmp.Compare(d.seq, seq) })
	for _, d := range k.listed[from:] {
		if d.decided && !decided || review && !d.review {
			continue
		}
		if len(out) == n {
			return out, out[n-1].seq
		}
		out = append(out, *d)
	}
	return out, 0
}

// next is when somebody has to be told first; zero = nobody has to be.
func (k *Docket) next() (at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// any order: the earliest is the earliest
	for _, d := range k.waiting {
		if at.IsZero() || d.due.Before(at) {
			at = d.due
		}
	}
	return at
}

// dueBy are cases on which somebody has to be told by an instant, the longest due first,
// at most so many.
func (k *Docket) dueBy(now time.Time, most int) (out []docketed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// any order: sorted below
	for _, d := range k.waiting {
		if !d.due.After(now) {
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, func(a, b docketed) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.id, b.id)) })
	return out[:min(most, len(out))]
}

// unlinked are verdicts that do not say yet to which proposal they led.
func (k *Docket) unlinked(most int) []link {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.links[:min(most, len(k.links))])
}

// of is what the docket holds of the cases of a lead, in order.
func (k *Docket) of(leadID string) (out []docketed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// any order: sorted below
	for _, d := range k.waiting {
		if d.lead == leadID {
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, func(a, b docketed) int { return cmp.Compare(a.seq, b.seq) })
	return out
}
