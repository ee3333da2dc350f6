package qualification

import (
	"container/heap"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// SubjectLine holds which leads wait for an agreement.
const SubjectLine = "org.line.qualification"

// Line is the fold of the waiting line, oldest first.
type Line struct {
	order []string
	in    map[string]bool
}

// NewLine is an empty line.
func NewLine() *Line { return &Line{in: map[string]bool{}} }

// Apply folds one event.
func (l *Line) Apply(e *ledger.Event) {
	body, ok := e.Body.(*qualificationv1.LineAdvanced)
	if !ok {
		return
	}
	for _, id := range body.GetHeld() {
		if !l.in[id] {
			l.in[id] = true
			l.order = append(l.order, id)
		}
	}
	for _, id := range body.GetFreed() {
		delete(l.in, id)
		switch i := slices.Index(l.order, id); {
		case i == 0:
			// The common way: the oldest go first, and the rest need not move.
			l.order = l.order[1:]
		case i > 0:
			l.order = slices.Delete(l.order, i, i+1)
		}
	}
}

// Has says whether a lead waits.
func (l *Line) Has(id string) bool { return l.in[id] }

// Len counts who waits.
func (l *Line) Len() int { return len(l.in) }

// First answers the n oldest.
func (l *Line) First(n int) []string {
	return slices.Clone(l.order[:min(n, len(l.order))])
}

// Later is the fold of the leads that are looked at again by themselves: those
// with marketing on their date, and those that lack facts once another agreement
// is in force.
type Later struct {
	at    map[string]time.Time
	dates dates
	// lacking are the leads without a fact that must be known, with the agreement
	// that wants it.
	lacking map[string]int64
	// under counts them by that agreement.
	under map[int64]int
}

// NewLater is a fold of nothing.
func NewLater() *Later {
	return &Later{at: map[string]time.Time{}, lacking: map[string]int64{}, under: map[int64]int{}}
}

// Apply folds one event.
func (l *Later) Apply(e *ledger.Event) {
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	switch body := e.Body.(type) {
	case *leadv1.LeadNurtured:
		l.enough(id)
		delete(l.at, id)
		if body.GetRecheckAt() != nil && Rechecked(body.GetReason()) {
			l.at[id] = body.GetRecheckAt().AsTime()
			heap.Push(&l.dates, date{l.at[id], id})
		}
	case *leadv1.QualificationHeld:
		if body.GetRule() == RuleRequired {
			l.enough(id)
			l.lacking[id] = e.Agreement
			l.under[e.Agreement]++
		}
	case *leadv1.LeadQualified, *leadv1.LeadRefused, *leadv1.OutcomeRecorded:
		// An outcome may close the lead; a date that is left without need costs one
		// look.
		if o, ok := body.(*leadv1.OutcomeRecorded); ok && o.GetKind() != leadv1.OutcomeKind_OUTCOME_KIND_WON && o.GetKind() != leadv1.OutcomeKind_OUTCOME_KIND_LOST {
			return
		}
		delete(l.at, id)
		l.enough(id)
	}
}

// enough notes that a lead lacks nothing any more.
func (l *Later) enough(id string) {
	if version, ok := l.lacking[id]; ok {
		l.under[version]--
		delete(l.lacking, id)
	}
}

// Next is the first date on which a lead is looked at again; zero = there is none.
func (l *Later) Next() time.Time {
	for len(l.dates) > 0 {
		first := l.dates[0]
		if l.at[first.lead].Equal(first.at) {
			return first.at
		}
		heap.Pop(&l.dates)
	}
	return time.Time{}
}

// Due answers at most n leads whose date has come, the oldest first.
func (l *Later) Due(now time.Time, n int) (ids []string) {
	var kept []date
	for len(ids) < n && !l.Next().IsZero() && !l.Next().After(now) {
		d := heap.Pop(&l.dates).(date)
		kept = append(kept, d)
		ids = append(ids, d.lead)
	}
	for _, d := range kept {
		heap.Push(&l.dates, d)
	}
	return ids
}

// Lacking answers at most n leads that lack a fact which another agreement than
// this one wants, in the order of their ids.
func (l *Later) Lacking(version int64, n int) (ids []string) {
	if l.under[version] == len(l.lacking) {
		return nil
	}
	// any order: sorted below
	for id, wanted := range l.lacking {
		if wanted != version {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(n, len(ids))]
}

type date struct {
	at   time.Time
	lead string
}

type dates []date

func (d dates) Len() int { return len(d) }
func (d dates) Less(i, j int) bool {
	return d[i].at.Before(d[j].at) || d[i].at.Equal(d[j].at) && d[i].lead < d[j].lead
}
func (d dates) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *dates) Push(x any)   { *d = append(*d, x.(date)) }

func (d *dates) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
