package feedback

import (
	"cmp"
	"maps"
	"slices"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Quarters is the fold of what both departments want of each quarter, and what was
// stated of it. It is asked within a view of the log.
type Quarters struct{ byName map[string]*Quarter }

// NewQuarters is the fold of nothing.
func NewQuarters() *Quarters { return &Quarters{byName: map[string]*Quarter{}} }

// Quarter is one quarter.
type Quarter struct {
	Name string
	// Revisions of its targets, in order.
	Revisions []*Revision
	// Closed is what was stated; nil = it is open.
	Closed   *feedbackv1.QuarterClosed
	ClosedAt time.Time
	// Restated is what was counted anew since, Recoveries the plans for what was missed.
	Restated   []*feedbackv1.QuarterRestated
	Recoveries []*feedbackv1.RecoveryPlanned

	causes map[string]bool
}

// Revision is one proposal and its signatures.
type Revision struct {
	*feedbackv1.TargetsProposed
	// Agreement is the version that was in force when it was proposed: its year has
	// the quarter.
	Agreement  int64
	Signatures []*feedbackv1.TargetsSigned

	cause string
}

// SignedBy says whether a party has signed.
func (r *Revision) SignedBy(party string) bool {
	return slices.ContainsFunc(r.Signatures, func(s *feedbackv1.TargetsSigned) bool { return s.GetParty() == party })
}

// Agreed says whether both parties have signed.
func (r *Revision) Agreed() bool {
	return r.SignedBy(agreement.Marketing) && r.SignedBy(agreement.Sales)
}

// Unsigned are the parties that have not signed.
func (r *Revision) Unsigned() (parties []string) {
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		if !r.SignedBy(party) {
			parties = append(parties, party)
		}
	}
	return parties
}

// Apply implements ledger.Fold.
func (q *Quarters) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *feedbackv1.TargetsProposed:
		one := q.byName[body.GetQuarter()]
		if one == nil {
			one = &Quarter{Name: body.GetQuarter(), causes: map[string]bool{}}
			q.byName[one.Name] = one
		}
		if one.Closed == nil {
			one.Revisions = append(one.Revisions, &Revision{TargetsProposed: body, Agreement: e.Agreement, cause: e.Cause})
		}
	case *feedbackv1.TargetsSigned:
		one := q.byName[body.GetQuarter()]
		if one == nil || one.Closed != nil {
			return
		}
		if r := one.Revision(body.GetRevision()); r != nil && !r.SignedBy(body.GetParty()) {
			r.Signatures = append(r.Signatures, body)
		}
	case *feedbackv1.QuarterClosed:
		if one := q.byName[body.GetQuarter()]; one != nil && one.Closed == nil {
			one.Closed, one.ClosedAt = body, e.Recorded
			one.causes[e.Cause] = true
		}
	case *feedbackv1.QuarterRestated:
		if one := q.byName[body.GetQuarter()]; one != nil {
			one.Restated = append(one.Restated, body)
			one.causes[e.Cause] = true
		}
	case *feedbackv1.RecoveryPlanned:
		if one := q.byName[body.GetQuarter()]; one != nil {
			one.Recoveries = append(one.Recoveries, body)
			one.causes[e.Cause] = true
		}
	}
}

// Quarter is one by its name; nil = nobody has proposed targets for it.
func (q *Quarters) Quarter(name string) *Quarter { return q.byName[name] }

// All are the quarters, the latest first.
func (q *Quarters) All() []*Quarter {
	return slices.SortedFunc(maps.Values(q.byName), func(a, b *Quarter) int { return cmp.Compare(b.Name, a.Name) })
}

// Revision is one by its number; nil = there is none.
func (q *Quarter) Revision(number int32) *Revision {
	if number < 1 || int(number) > len(q.Revisions) {
		return nil
	}
	return q.Revisions[number-1]
}

// Holds is the revision that both parties have signed, the latest if there are several:
// the targets of the quarter. nil = it has none yet.
func (q *Quarter) Holds() *Revision {
	for _, r := range slices.Backward(q.Revisions) {
		if r.Agreed() {
			return r
		}
	}
	return nil
}

// Missed are the targets of which less was stated than was agreed.
func (q *Quarter) Missed() (ids []string) {
	for _, r := range q.Closed.GetResults() {
		if r.GetMissed() {
			ids = append(ids, r.GetTargetId())
		}
	}
	return ids
}

// Unplanned are the missed targets that nobody has a plan for.
func (q *Quarter) Unplanned() (ids []string) {
	for _, id := range q.Missed() {
		if !slices.ContainsFunc(q.Recoveries, func(r *feedbackv1.RecoveryPlanned) bool { return r.GetTargetId() == id }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// UnplannedBefore are the quarters before one, the earliest first, in which a target was
// missed that nobody has a plan for.
func (q *Quarters) UnplannedBefore(name string) (out []*Quarter) {
	for _, one := range slices.Backward(q.All()) {
		if one.Name < name && len(one.Unplanned()) > 0 {
			out = append(out, one)
		}
	}
	return out
}

// UnclosedBefore are the quarters before one, the earliest first, that have targets and
// are over, and of which nobody has stated what came: what was missed is not known yet.
func (q *Quarters) UnclosedBefore(name string, now time.Time) (out []*Quarter) {
	for _, one := range slices.Backward(q.All()) {
		if r := one.Holds(); one.Name < name && r != nil && one.Closed == nil && !now.Before(r.GetTo().AsTime()) {
			out = append(out, one)
		}
	}
	return out
}

// did says whether a command was carried out on the quarter.
func (q *Quarter) did(cause string) bool { return q.causes[cause] }

// by is the revision that a command brought about; nil = it has not.
func (q *Quarter) by(cause string) *Revision {
	if q == nil {
		return nil
	}
	for _, r := range q.Revisions {
		if r.cause == cause {
			return r
		}
	}
	return nil
}
