package routing

import (
	"slices"
	"time"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Absences is the fold of when people were and will be away. Clocks that stand
// still meanwhile are measured by it, so that it forgets nothing.
type Absences struct{ members map[string][]leave }

// leave is one absence. A zero to is an end that is not known.
type leave struct {
	id, cause string
	from, to  time.Time
}

// NewAbsences is the fold of nothing.
func NewAbsences() *Absences { return &Absences{members: map[string][]leave{}} }

// Apply folds one event. It says whose absences are others afterwards; empty =
// nobody's.
func (a *Absences) Apply(e *ledger.Event) (member string) {
	body, ok := e.Body.(*routingv1.AvailabilityChanged)
	if !ok {
		return ""
	}
	member = body.GetMember()
	at := e.Occurred
	list := a.members[member]
	switch {
	case body.GetAway() && body.GetFrom() != nil && body.GetFrom().AsTime().After(at):
		list = append(list, leave{id: e.ID, cause: e.Cause, from: body.GetFrom().AsTime(), to: until(body)})
	case body.GetAway():
		list = append(ended(list, at, func(l leave) bool { return !l.from.After(at) }), leave{id: e.ID, cause: e.Cause, from: at, to: until(body)})
	default:
		list = ended(list, at, func(l leave) bool {
			id := body.GetLeaveId()
			return id == "" && !l.from.After(at) || id != "" && (l.id == id || l.cause == id)
		})
	}
	slices.SortStableFunc(list, func(x, y leave) int { return x.from.Compare(y.from) })
	a.members[member] = list
	return member
}

func until(body *routingv1.AvailabilityChanged) time.Time {
	if body.GetUntil() == nil {
		return time.Time{}
	}
	return body.GetUntil().AsTime()
}

// ended ends some absences at an instant: what would begin later does not come. What
// holds from now on takes the place of what holds now, and leaves alone what lies
// ahead.
func ended(list []leave, at time.Time, some func(leave) bool) []leave {
	out := make([]leave, 0, len(list)+1)
	for _, l := range list {
		if some(l) && (l.to.IsZero() || l.to.After(at)) {
			if !l.from.Before(at) {
				continue
			}
			l.to = at
		}
		out = append(out, l)
	}
	return out
}

// Of answers when somebody is away, in order and apart: an agreement.Away.
func (a *Absences) Of(member string) []agreement.Span {
	var out []agreement.Span
	for _, l := range a.members[member] {
		if !l.to.IsZero() && !l.to.After(l.from) {
			continue
		}
		if n := len(out); n > 0 && (out[n-1].To.IsZero() || !out[n-1].To.Before(l.from)) {
			if last := &out[n-1]; !last.To.IsZero() && (l.to.IsZero() || l.to.After(last.To)) {
				last.To = l.to
			}
			continue
		}
		out = append(out, agreement.Span{From: l.from, To: l.to})
	}
	return out
}

// here answers the first instant from at on at which somebody is not away and on
// duty; nil = no calendar is known of them, and they always are. false where nobody
// knows.
func (a *Absences) here(member string, calendar *agreement.Calendar, at time.Time) (time.Time, bool) {
	spans := a.Of(member)
	for {
		if calendar != nil {
			next, ok := calendar.NextOnDuty(at)
			if !ok {
				return time.Time{}, false
			}
			at = next
		}
		i := slices.IndexFunc(spans, func(s agreement.Span) bool { return s.Covers(at) })
		if i < 0 {
			return at, true
		}
		if spans[i].To.IsZero() {
			return time.Time{}, false
		}
		at = spans[i].To
	}
}
