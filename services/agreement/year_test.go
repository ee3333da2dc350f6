package agreement

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Quarters by a year that starts in April, in a zone of its own.
func TestQuarter(t *testing.T) {
	t.Parallel()
	berlin, ok := zone("Europe/Berlin")
	if !ok {
		t.Fatal("no zone")
	}
	y := Year{Starts: time.April, Zone: berlin}
	for at, want := range map[string]string{
		"2026-03-31T21:59:59Z": "2025-q4",
		"2026-03-31T22:00:00Z": "2026-q1",
		"2026-12-31T22:59:59Z": "2026-q3",
		"2026-12-31T23:00:00Z": "2026-q4",
		"2027-01-15T00:00:00Z": "2026-q4",
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := y.Quarter(instant); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
	for _, wrong := range []string{"", "2026", "2026-q0", "2026-q5", "2026-Q1", "26-q1", "2026-q1x"} {
		if _, _, err := y.Bounds(wrong); err == nil {
			t.Errorf("%q is taken for a quarter", wrong)
		}
	}
}

// Periods are without gaps and without overlaps, and each begins with a local date,
// in any zone and year: what lies in one has the same bounds and the same name.
func TestPeriodsTileTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia", "America/Havana", "Asia/Beirut"}).Draw(t, "zone")
		in, ok := zone(name)
		if !ok {
			t.Fatal(name)
		}
		y := Year{Starts: time.Month(rapid.IntRange(1, 12).Draw(t, "starts")), Zone: in}
		at := time.Unix(rapid.Int64Range(1e9, 2e9).Draw(t, "at"), 0)
		for _, unit := range []string{"week", "month", "quarter"} {
			from, to := y.Begin(at, unit)
			if at.Before(from) || !at.Before(to) {
				t.Fatalf("%s is not in its %s, %s to %s", at, unit, from, to)
			}
			if f, e := y.Begin(to.Add(-time.Second), unit); !f.Equal(from) || !e.Equal(to) {
				t.Fatalf("the last second of %s to %s is of %s to %s", from, to, f, e)
			}
			if next, _ := y.Begin(to, unit); !next.Equal(to) {
				t.Fatalf("after %s comes %s, want %s", unit, next, to)
			}
			a, b := from.Add(-time.Second).In(in), from.In(in)
			if a.Day() == b.Day() && a.Month() == b.Month() {
				t.Fatalf("%s begins within the day, %s", unit, b)
			}
		}
		from, to := y.Begin(at, "quarter")
		if f, e, err := y.Bounds(y.Quarter(at)); err != nil || !f.Equal(from) || !e.Equal(to) {
			t.Fatalf("%s is %s: %s to %s, want %s to %s (%v)", at, y.Quarter(at), f, e, from, to, err)
		}
	})
}
