package agreement

import (
	"fmt"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Year is how figures are divided by time: by local dates of one zone, in a year that
// starts with some month. A year is named by the calendar year in which it starts.
type Year struct {
	Starts time.Month
	Zone   *time.Location
}

// Quarter names the quarter that an instant lies in, such as 2026-q4.
func (y Year) Quarter(t time.Time) string {
	year, month, _ := t.In(y.Zone).Date()
	since := (int(month) - int(y.Starts) + 12) % 12
	if month < y.Starts {
		year--
	}
	return fmt.Sprintf("%04d-q%d", year, since/3+1)
}

// Bounds are the first instant of a quarter and the first one after it.
func (y Year) Bounds(quarter string) (from, to time.Time, err error) {
	var year, n int
	if got, err := fmt.Sscanf(quarter, "%04d-q%d", &year, &n); err != nil || got != 2 || n < 1 || n > 4 || fmt.Sprintf("%04d-q%d", year, n) != quarter {
		return from, to, fault.New(fault.Invalid, "quarter: %q is none; write a year and a quarter, such as 2026-q4", quarter)
	}
	begin := func(n int) time.Time { return firstOf(year, y.Starts+time.Month(3*n), 1, y.Zone) }
	return begin(n - 1), begin(n), nil
}

// Begin is the first instant of the "week", "month" or "quarter" that t lies in, and the
// first one after it. A week begins on Monday.
func (y Year) Begin(t time.Time, unit string) (from, to time.Time) {
	year, month, day := t.In(y.Zone).Date()
	switch unit {
	case "week":
		monday := day - (int(time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Weekday())+6)%7
		return firstOf(year, month, monday, y.Zone), firstOf(year, month, monday+7, y.Zone)
	case "month":
		return firstOf(year, month, 1, y.Zone), firstOf(year, month+1, 1, y.Zone)
	}
	since := (int(month) - int(y.Starts) + 12) % 12
	month -= time.Month(since % 3)
	return firstOf(year, month, 1, y.Zone), firstOf(year, month+3, 1, y.Zone)
}

// firstOf is the first instant of a local date, also where that day has no midnight.
func firstOf(year int, month time.Month, day int, zone *time.Location) time.Time {
	date := time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
	year, month, day = date.Date()
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	// Where midnight is skipped, Go answers an instant of the day before or after.
	for t.Day() != day {
		t = t.Add(15 * time.Minute)
	}
	for {
		before := t.Add(-15 * time.Minute)
		if before.Day() != day {
			return t
		}
		t = before
	}
}
