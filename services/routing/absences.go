package routing

import (
	"slices"
	"time"

	"github.com/leadbaton/baton/services/agreement"
)

// When people are away, as clocks that stand still meanwhile are measured by it: the
// roster forgets no leave that was taken.

// Away answers when somebody was, is and will be away, in order and apart: an
// agreement.Away.
func (r *Roster) Away(member string) []agreement.Span {
	m := r.members[member]
	if m == nil {
		return nil
	}
	var out []agreement.Span
	for _, l := range m.Leaves {
		if !l.Until.IsZero() && !l.Until.After(l.From) {
			continue
		}
		if n := len(out); n > 0 && (out[n-1].To.IsZero() || !out[n-1].To.Before(l.From)) {
			if last := &out[n-1]; !last.To.IsZero() && (l.Until.IsZero() || l.Until.After(last.To)) {
				last.To = l.Until
			}
			continue
		}
		out = append(out, agreement.Span{From: l.From, To: l.Until})
	}
	return out
}

// here answers the first instant from at on at which somebody is not away and on
// duty; nil = no calendar is known of them, and they always are. false where nobody
// knows.
func (r *Roster) here(member string, calendar *agreement.Calendar, at time.Time) (time.Time, bool) {
	spans := r.Away(member)
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
