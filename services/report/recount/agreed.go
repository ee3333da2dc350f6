package recount

import "time"

// Agreed is what one version of the agreement says, as far as reports ask. Whoever asks
// states it beside the document.
type Agreed struct {
	// From is when it came into force.
	From time.Time
	// Pools are the pools, each with its hours; Hours are those by their names.
	Pools map[string]string
	Hours map[string]*Hours
	// Required are the questions that have to be answered, Within which working time, by
	// Calendar or else that of the pool.
	Required []string
	Within   time.Duration
	Calendar string
	Clocks   []Clock
}

// Span is a stretch of time; its end is not in it.
type Span struct{ From, To time.Time }

// Hours are working hours.
type Hours struct {
	Zone *time.Location
	// Days are hours from and to on the days of the week, whole ones.
	Days map[time.Weekday][2]int
	// Off are days off, such as 2026-12-25.
	Off map[string]bool
}

// inForce is the version in force at an instant; nil = none was.
func (q Question) inForce(at time.Time) (in *Agreed) {
	for i := range q.Agreed {
		if !q.Agreed[i].From.After(at) {
			in = &q.Agreed[i]
		}
	}
	return in
}

// shifts calls each with the working hours of day after day, from the day of an instant
// on, until it has enough.
func (h *Hours) shifts(from time.Time, each func(Span) (more bool)) {
	local := from.In(h.Zone)
	for n := 0; ; n++ {
		day := time.Date(local.Year(), local.Month(), local.Day()+n, 12, 0, 0, 0, h.Zone)
		hours, works := h.Days[day.Weekday()]
		if !works || h.Off[day.Format("2006-01-02")] {
			continue
		}
		at := func(hour int) time.Time { return time.Date(day.Year(), day.Month(), day.Day(), hour, 0, 0, 0, h.Zone) }
		if !each(Span{at(hours[0]), at(hours[1])}) {
			return
		}
	}
}

// between is the working time from one instant to another.
func (h *Hours) between(from, to time.Time) (sum time.Duration) {
	h.shifts(from, func(s Span) bool {
		if both, ok := overlap(s, Span{from, to}); ok {
			sum += both.To.Sub(both.From)
		}
		return s.To.Before(to)
	})
	return sum
}

// after is when so much working time has passed.
func (h *Hours) after(from time.Time, d time.Duration) (at time.Time) {
	h.shifts(from, func(s Span) bool {
		both, ok := overlap(s, Span{from, forever})
		if !ok {
			return true
		}
		if part := both.To.Sub(both.From); d > part {
			d -= part
			return true
		}
		at = both.From.Add(d)
		return false
	})
	return at
}

func overlap(a, b Span) (both Span, ok bool) {
	both = a
	if b.From.After(both.From) {
		both.From = b.From
	}
	if b.To.Before(both.To) {
		both.To = b.To
	}
	return both, both.From.Before(both.To)
}

// answersDue is when what was asked of a lead had to be answered; false = no time is
// agreed, or nobody's working time is known.
func (a *Agreed) answersDue(of acceptance) (due time.Time, limited bool) {
	name := a.Calendar
	if name == "" {
		name = a.Pools[of.pool]
	}
	hours := a.Hours[name]
	if hours == nil || a.Within == 0 {
		return due, false
	}
	return hours.after(of.at, a.Within), true
}
