package agreement

import (
	"slices"
	"time"
)

// Waited is how long a lead has waited with a department by an instant: the time in
// which at least one of its clocks counted. Where several counted at once it is counted
// once. Of one run it is what is spent.
func Waited(runs []Run, department string, at time.Time) (waited time.Duration) {
	var spans []Span
	for i := range runs {
		if r := &runs[i]; r.Clock.Department == department {
			spans = append(spans, r.counted(at)...)
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return a.From.Compare(b.From) })
	var until time.Time
	for _, s := range spans {
		if s.From.Before(until) {
			s.From = until
		}
		if s.To.After(s.From) {
			waited += s.To.Sub(s.From)
			until = s.To
		}
	}
	return waited
}

// counted are the stretches in which the clock counted by an instant, in order.
func (r *Run) counted(at time.Time) (out []Span) {
	if !r.Stopped.IsZero() && r.Stopped.Before(at) {
		at = r.Stopped
	}
	from := r.Started
	for _, s := range r.still {
		if !s.From.Before(at) {
			break
		}
		out = append(out, r.working(from, s.From)...)
		if s.To.IsZero() {
			return out
		}
		from = s.To
	}
	return append(out, r.working(from, at)...)
}

// working are the stretches from a to b that count.
func (r *Run) working(a, b time.Time) (out []Span) {
	switch {
	case !b.After(a) || r.Clock.Working && r.calendar == nil:
		return nil
	case !r.Clock.Working:
		return []Span{{a, b}}
	}
	r.calendar.stretches(a.Unix(), b.Unix()+1, func(from, to int64) bool {
		s := Span{later(a, from), time.Unix(to, 0).UTC()}
		if s.To.After(b) {
			s.To = b
		}
		if s.To.After(s.From) {
			out = append(out, s)
		}
		return true
	})
	return out
}
