package agreement

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestShiftsByPaper holds examples that people can check with a paper calendar: the
// office has a break on Monday from 12 to 13, and ends at 15:00 on Friday.
func TestShiftsByPaper(t *testing.T) {
	t.Parallel()
	c := office(t)
	for _, x := range []struct {
		at, ends, next string
		on             bool
	}{
		{"2026-03-02T08:59:59+01:00", "", "2026-03-02T09:00:00+01:00", false},
		{"2026-03-02T09:00:00+01:00", "2026-03-02T12:00:00+01:00", "2026-03-02T13:00:00+01:00", true},
		{"2026-03-02T11:59:59.9+01:00", "2026-03-02T12:00:00+01:00", "2026-03-02T13:00:00+01:00", true},
		{"2026-03-02T12:00:00+01:00", "", "2026-03-02T13:00:00+01:00", false},
		{"2026-03-06T14:59:00+01:00", "2026-03-06T15:00:00+01:00", "2026-03-09T09:00:00+01:00", true},
	} {
		ends, on := c.DutyEnds(at(t, x.at))
		next, ok := c.NextStart(at(t, x.at))
		if on != x.on || (on && !ends.Equal(at(t, x.ends))) || !ok || !next.Equal(at(t, x.next)) {
			t.Errorf("%s: on %v until %s, next from %s, want %v, %s, %s", x.at, on, ends, next, x.on, x.ends, x.next)
		}
	}
	// A night shift is one: it goes on over midnight.
	night := &Calendar{zone: time.UTC}
	for day := range 7 {
		night.week[day] = []span{{0, 6 * 3600}, {22 * 3600, daySeconds}}
	}
	if ends, on := night.DutyEnds(at(t, "2026-03-02T23:00:00Z")); !on || !ends.Equal(at(t, "2026-03-03T06:00:00Z")) {
		t.Errorf("a night ends at %s (%v)", ends, on)
	}
	// Whoever is always there has no end within sight.
	always := &Calendar{zone: time.UTC}
	for day := range 7 {
		always.week[day] = []span{{0, daySeconds}}
	}
	now := at(t, "2026-03-02T23:00:00Z")
	if ends, on := always.DutyEnds(now); !on || !ends.Equal(now.AddDate(0, 0, 400)) {
		t.Errorf("all time ends at %s (%v)", ends, on)
	}
	if next, ok := always.NextStart(now); !ok || !next.Equal(now.AddDate(0, 0, 400)) {
		t.Errorf("all time begins again at %s (%v)", next, ok)
	}
	if _, ok := (&Calendar{zone: time.UTC}).NextStart(now); ok {
		t.Error("a calendar without hours begins")
	}
}

// Goes red if: an end is not the last second of duty, or a start is not the first.
func TestShiftsMatchTheWallClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, model, start := drawCalendar(t)
		ends, on := c.DutyEnds(start)
		if on != model.onDuty(start) {
			t.Fatalf("at %s on duty is %v, by the wall clock %v", start, on, !on)
		}
		limit := start.Add(10 * 24 * time.Hour)
		if on {
			at := start
			for ; at.Before(limit) && model.onDuty(at); at = at.Add(time.Minute) {
			}
			if at.Before(limit) && !ends.Equal(at) {
				t.Fatalf("duty around %s ends at %s, by the wall clock at %s", start, ends, at)
			}
		}
		next, ok := c.NextStart(start)
		at := start
		for at = at.Add(time.Minute); at.Before(limit) && !(model.onDuty(at) && !model.onDuty(at.Add(-time.Minute))); at = at.Add(time.Minute) {
		}
		if !on && model.onDuty(start) {
			at = start
		}
		if at.Before(limit) && (!ok || !next.Equal(at)) {
			t.Fatalf("after %s duty begins at %s (%v), by the wall clock at %s", start, next, ok, at)
		}
	})
}

func TestSameDate(t *testing.T) {
	t.Parallel()
	berlin, _ := zone("Europe/Berlin")
	c := &Calendar{zone: berlin}
	// Berlin's Saturday ends at 23:00 UTC.
	if !c.SameDate(at(t, "2026-03-28T22:59:00Z"), at(t, "2026-03-28T00:00:00Z")) || c.SameDate(at(t, "2026-03-28T23:30:00Z"), at(t, "2026-03-28T22:59:00Z")) {
		t.Error("dates are not those of the calendar's zone")
	}
}
