package agreement

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	daySeconds = 24 * 60 * 60
	// dutyHorizon is how far NextOnDuty looks.
	dutyHorizon = 400 * daySeconds
	// addHorizon is how far Add looks. Every calendar has weekly hours, so only
	// an absurd amount of work ends there.
	addHorizon = 100 * 366 * daySeconds
)

// Calendar says when people work: the hours of each weekday in one time zone,
// but for dates that have others, or none because they are holidays. An instant is
// on duty when the wall clock of the zone shows working hours of its date; an hour
// that the clock repeats counts twice, one that it skips not at all. A Calendar
// never changes.
type Calendar struct {
	id   string
	zone *time.Location
	// week holds the hours by weekday, Sunday first, in order, apart.
	week [7][]span
	// exceptions are the dates on which other hours hold than in the week, sorted.
	exceptions []exception
	// sets, added and removed are the holidays as the document states them.
	sets           []string
	added, removed []int64
}

// exception is a date, in days since 1970-01-01, with its own hours; none on a holiday.
type exception struct {
	day   int64
	hours []span
}

// holidaySet are holidays that calendars share, in days since 1970-01-01, sorted.
type holidaySet struct {
	id   string
	days []int64
}

// span is a stretch of one day, in seconds of the wall clock since midnight: from
// is in it, to is not.
type span struct{ from, to int64 }

// ID is the calendar's id in the agreement.
func (c *Calendar) ID() string { return c.id }

// Zone is the name of the calendar's time zone.
func (c *Calendar) Zone() string { return c.zone.String() }

// OnDuty says whether t is working time.
func (c *Calendar) OnDuty(t time.Time) bool {
	on := false
	c.stretches(t.Unix(), t.Unix()+1, func(_, _ int64) bool {
		on = true
		return false
	})
	return on
}

// NextOnDuty answers the first instant of working time at t or later; false where
// there is none within 400 days.
func (c *Calendar) NextOnDuty(t time.Time) (time.Time, bool) {
	var next time.Time
	found := false
	c.stretches(t.Unix(), t.Unix()+dutyHorizon, func(from, _ int64) bool {
		next, found = later(t, from), true
		return false
	})
	return next, found
}

// DutyEnds answers when the working time around t ends, together with what follows
// it without a gap; false where t is no working time. Whoever works on for more
// than 400 days is answered with the end of those.
func (c *Calendar) DutyEnds(t time.Time) (time.Time, bool) {
	end, on := t.Unix(), false
	c.stretches(t.Unix(), t.Unix()+dutyHorizon, func(from, to int64) bool {
		if from != end {
			return false
		}
		end, on = to, true
		return true
	})
	return time.Unix(end, 0).UTC(), on
}

// NextStart answers the first instant after t at which working time begins; false
// where there is none within 400 days.
func (c *Calendar) NextStart(t time.Time) (time.Time, bool) {
	end, on := c.DutyEnds(t)
	if !on {
		return c.NextOnDuty(t)
	}
	return c.NextOnDuty(end)
}

// SameDate says whether two instants are of one date in the calendar's zone.
func (c *Calendar) SameDate(a, b time.Time) bool {
	aYear, aMonth, aDay := a.In(c.zone).Date()
	bYear, bMonth, bDay := b.In(c.zone).Date()
	return aDay == bDay && aMonth == bMonth && aYear == bYear
}

// Add answers the instant at which d of working time has passed since t; t
// itself where d is not above zero. It is false where so much working time never
// comes together.
func (c *Calendar) Add(t time.Time, d time.Duration) (time.Time, bool) {
	if d <= 0 {
		return plainTime(t), true
	}
	var due time.Time
	found := false
	c.stretches(t.Unix(), t.Unix()+addHorizon, func(from, to int64) bool {
		start := later(t, from)
		length := time.Unix(to, 0).Sub(start)
		if d <= length {
			due, found = start.Add(d), true
			return false
		}
		d -= length
		return true
	})
	return due, found
}

// Between is the working time from a to b; zero where b is not after a.
func (c *Calendar) Between(a, b time.Time) time.Duration {
	if !b.After(a) {
		return 0
	}
	var total time.Duration
	// The last second of b may be a part only.
	c.stretches(a.Unix(), b.Unix()+1, func(from, to int64) bool {
		start, end := later(a, from), time.Unix(to, 0).UTC()
		if end.After(b) {
			end = plainTime(b)
		}
		length := end.Sub(start)
		if length <= 0 {
			return true
		}
		if total > math.MaxInt64-length {
			total = math.MaxInt64
			return false
		}
		total += length
		return true
	})
	return total
}

// later is the later of t and the instant of a Unix second.
func later(t time.Time, second int64) time.Time {
	if at := time.Unix(second, 0); at.After(t) {
		return at.UTC()
	}
	return plainTime(t)
}

// plainTime drops a clock reading and a zone, which are no part of a recorded
// instant.
func plainTime(t time.Time) time.Time { return t.Round(0).UTC() }

// stretches calls yield with each stretch of working time from one Unix second
// up to another, in order, until yield answers false. Within a stretch of
// constant offset from UTC, wall clock and time run alike, so that each is cut
// into days and each day into its hours.
func (c *Calendar) stretches(from, until int64, yield func(from, to int64) bool) {
	for at := from; at < until; {
		local := time.Unix(at, 0).In(c.zone)
		_, seconds := local.Zone()
		offset := int64(seconds)
		end := until
		if _, change := local.ZoneBounds(); !change.IsZero() {
			// On the last day of a leap year Go answers a bound that has passed: look
			// again a day later.
			bound := change.Unix()
			if bound <= at {
				bound = at + daySeconds
			}
			end = min(end, bound)
		}
		for at < end {
			day := floorDiv(at+offset, daySeconds)
			midnight := day*daySeconds - offset
			stop := min(midnight+daySeconds, end)
			for _, s := range c.hours(day) {
				if a, b := max(midnight+s.from, at), min(midnight+s.to, stop); a < b && !yield(a, b) {
					return
				}
			}
			at = stop
		}
	}
}

// hours answers the working hours of a day since 1970-01-01.
func (c *Calendar) hours(day int64) []span {
	if i, other := slices.BinarySearchFunc(c.exceptions, day, func(e exception, day int64) int { return cmp.Compare(e.day, day) }); other {
		return c.exceptions[i].hours
	}
	// 1970-01-01 was a Thursday.
	weekday := (day + int64(time.Thursday)) % 7
	if weekday < 0 {
		weekday += 7
	}
	return c.week[weekday]
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
