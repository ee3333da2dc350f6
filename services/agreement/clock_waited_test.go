package agreement

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadbaton/baton/services/lead"
)

// Two clocks of one department that count at once are one wait; the other department's
// are another, and what stands still, or lies outside of working time, is none.
func TestWaited(t *testing.T) {
	in := inForce(t, anyClocks)
	// Received at 10:00 (c counts for marketing), qualified at 11:00 (a for sales), taken at
	// 12:00 (b, and d for sales), touched at 14:00 (b ends, and d begins anew).
	c := courseOf(after(0, lead.MomentReceived), after(60, lead.MomentQualified), after(60, lead.MomentOffered, "ana", "inside"), after(120, lead.MomentAccepted, "ana"), after(240, lead.MomentTouched, "ana"))
	away := func(member string) []Span {
		return []Span{{From: thursday.Add(3 * time.Hour), To: thursday.Add(3*time.Hour + 30*time.Minute)}}
	}
	runs := Runs(c, in, away)
	for _, test := range []struct {
		department string
		hours      float64
		want       time.Duration
	}{
		{Marketing, 0, 0},
		{Marketing, 30, 30 * time.Hour},
		{Sales, 1, 0},
		{Sales, 2, time.Hour},
		// Both stand still for half an hour of leave.
		{Sales, 5, 3*time.Hour + 30*time.Minute},
		// Work ends at 17:00, and begins again at 9:00.
		{Sales, 20, 5*time.Hour + 30*time.Minute},
		{Sales, 24, 6*time.Hour + 30*time.Minute},
	} {
		at := thursday.Add(time.Duration(test.hours * float64(time.Hour)))
		if got := Waited(runs, test.department, at); got != test.want {
			t.Errorf("with %s after %v hours: %v, not %v", test.department, test.hours, got, test.want)
		}
	}
}

// Minute by minute: one counts where the time on at least one clock grows.
func TestWaitedAgainstCountingMinutes(t *testing.T) {
	in := propertyClocks(t)
	rapid.Check(t, func(t *rapid.T) {
		runs := Runs(courseOf(drawMoments(t)...), in, drawAway(t))
		now := thursday.Add(time.Duration(rapid.IntRange(1, 1800).Draw(t, "now")) * time.Minute)
		for _, department := range []string{Marketing, Sales} {
			var want time.Duration
			for at := thursday; at.Before(now); at = at.Add(time.Minute) {
				for i := range runs {
					if runs[i].Clock.Department == department && runs[i].Spent(at.Add(time.Minute)) > runs[i].Spent(at) {
						want += time.Minute
						break
					}
				}
			}
			if got := Waited(runs, department, now); got != want {
				t.Fatalf("with %s: %v, and minute by minute %v", department, got, want)
			}
		}
	})
}
