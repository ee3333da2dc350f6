package agreement

import "time"

// Period is a span of a calendar in which leads are counted.
type Period int

// The periods. A week begins on Monday.
const (
	Day Period = iota
	Week
	Month
)

// Periods are all periods, the shortest first.
var Periods = [...]Period{Day, Week, Month}

// String is the period's word.
func (p Period) String() string { return [...]string{"day", "week", "month"}[p] }

// Of answers the limit of a period; 0 = none.
func (l Limits) Of(p Period) int64 { return [...]int64{l.Day, l.Week, l.Month}[p] }

// Began is the local date on which the period began that t lies in, such as
// 2026-03-02.
func (c *Calendar) Began(t time.Time, p Period) string {
	return c.begin(t, p).Format(time.DateOnly)
}

// Ends is the first instant of the period after the one that t lies in.
func (c *Calendar) Ends(t time.Time, p Period) time.Time {
	date := c.begin(t, p)
	switch p {
	case Week:
		date = date.AddDate(0, 0, 7)
	case Month:
		date = date.AddDate(0, 1, 0)
	default:
		date = date.AddDate(0, 0, 1)
	}
	at := time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, c.zone)
	// Where the clock skips midnight, the day begins when it has skipped it.
	if at.Format(time.DateOnly) < date.Format(time.DateOnly) {
		if _, bound := at.ZoneBounds(); !bound.IsZero() {
			at = bound
		}
	}
	return at.UTC()
}

// begin is the date on which a period began, as midnight in UTC.
func (c *Calendar) begin(t time.Time, p Period) time.Time {
	year, month, day := t.In(c.zone).Date()
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	switch p {
	case Week:
		return date.AddDate(0, 0, -(int(date.Weekday())+6)%7)
	case Month:
		return date.AddDate(0, 0, 1-day)
	}
	return date
}
