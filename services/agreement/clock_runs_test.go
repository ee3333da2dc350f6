package agreement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// inForce is the good document with clocks, in force for ever.
func inForce(t testing.TB, clocks string) Standing {
	t.Helper()
	a, err := Compile(append(goodSource(t), clocks...))
	if err != nil {
		t.Fatal(err)
	}
	v := &Version{Number: 1, Agreement: a}
	return func(time.Time) *Version { return v }
}

func nobodyAway(string) []Span { return nil }

var thursday = time.Date(2026, 3, 26, 9, 0, 0, 0, time.UTC) // 10:00 in Berlin.

// courseOf makes a course of moments, each so many minutes after Thursday morning.
func courseOf(list ...lead.Moment) *lead.Course {
	return &lead.Course{Moments: list}
}

func after(minutes int, kind lead.MomentKind, more ...string) lead.Moment {
	at := thursday.Add(time.Duration(minutes) * time.Minute)
	m := lead.Moment{Kind: kind, At: at, Known: at, Picture: &lead.Picture{Features: &leadv1.Features{Employees: 100}}}
	if len(more) > 0 {
		m.Member = more[0]
	}
	if len(more) > 1 {
		m.Pool = more[1]
	}
	return m
}

// told is a run in words, by its hours and minutes after Thursday morning.
func toldRun(r *Run, now time.Time) string {
	clockTime := func(t time.Time) string { return t.In(r.zone()).Format("Mon 15:04") }
	out := fmt.Sprintf("%s %d from %s", r.Clock.ID, r.Number, clockTime(r.Started))
	if !r.Stopped.IsZero() {
		out += " to " + clockTime(r.Stopped)
	}
	out += fmt.Sprintf(", %v", r.Spent(now))
	if due, ok := r.Due(); ok {
		out += ", due " + clockTime(due)
	}
	if r.Breached(now) {
		out += ", breached"
	}
	if r.Paused(now) {
		out += ", paused"
	}
	return out
}

func (r *Run) zone() *time.Location { return berlin }

var berlin, _ = zone("Europe/Berlin")

func TestRuns(t *testing.T) {
	in := inForce(t, goodClocks)
	now := thursday.Add(6 * 24 * time.Hour) // Wednesday 11:00 in Berlin: the clocks were put forward.
	small := after(0, lead.MomentQualified)
	small.Picture = &lead.Picture{Features: &leadv1.Features{Employees: 5}}
	for name, test := range map[string]struct {
		moments []lead.Moment
		want    []string
	}{
		"taken in time": {
			[]lead.Moment{after(0, lead.MomentQualified), after(0, lead.MomentOffered, "ana", "inside"), after(60, lead.MomentAccepted, "ana")},
			[]string{"take 1 from Thu 10:00 to Thu 11:00, 1h0m0s, due Thu 14:00"},
		},
		"not for a small company": {[]lead.Moment{small, after(0, lead.MomentQueued, "", "inside")}, nil},
		"taken too late, and measured on": {
			[]lead.Moment{after(300, lead.MomentQualified), after(300, lead.MomentOffered, "ana", "inside"), after(24*60+480, lead.MomentAccepted, "ana")},
			// Two hours on Thursday; on Friday six of them until 15:00.
			[]string{"take 1 from Thu 15:00 to Fri 18:00, 8h0m0s, due Fri 11:00, breached"},
		},
		"at the very instant is too late": {
			[]lead.Moment{after(0, lead.MomentQualified), after(0, lead.MomentOffered, "ana", "inside"), after(240, lead.MomentAccepted, "ana")},
			[]string{"take 1 from Thu 10:00 to Thu 14:00, 4h0m0s, due Thu 14:00, breached"},
		},
		"stands still in the line": {
			[]lead.Moment{after(0, lead.MomentQualified), after(60, lead.MomentQueued, "", "inside"), after(180, lead.MomentOffered, "ana", "inside")},
			[]string{"take 1 from Thu 10:00, 28h0m0s, due Thu 16:00, breached"},
		},
		"in the line until nobody knows": {
			[]lead.Moment{after(0, lead.MomentQualified), after(60, lead.MomentQueued, "", "inside")},
			[]string{"take 1 from Thu 10:00, 1h0m0s, paused"},
		},
		"nobody's time is known before a pool has it": {[]lead.Moment{after(0, lead.MomentQualified)}, []string{"take 1 from Thu 10:00, 0s"}},
		"out, with whoever decided so": {
			[]lead.Moment{after(0, lead.MomentReceived), after(30, lead.MomentClosed), after(60, lead.MomentQualified)},
			[]string{"follow 1 from Thu 10:00 to Thu 10:30, 30m0s, due Fri 13:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := courseOf(test.moments...)
			var got []string
			for _, r := range Runs(c, in, nobodyAway) {
				got = append(got, toldRun(&r, now))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Acts of whoever has the lead start the clock anew, those of others do not; and
// while its owner is away it stands still.
func TestRunsRestart(t *testing.T) {
	in := inForce(t, edits(goodClocks, "limit: 2d", "limit: 8h"))
	leave := func(member string) []Span {
		if member != "ana" {
			return nil
		}
		return []Span{{From: thursday.Add(3 * time.Hour), To: thursday.Add(5 * time.Hour)}}
	}
	c := courseOf(after(0, lead.MomentReceived), after(10, lead.MomentOffered, "ana", "inside"), after(20, lead.MomentAccepted, "ana"), after(90, lead.MomentTouched, "ben"), after(120, lead.MomentTouched, "ana"))
	var got []string
	for _, r := range Runs(c, in, leave) {
		got = append(got, toldRun(&r, thursday.Add(6*time.Hour)))
	}
	// From noon an hour until leave begins at 13:00, two after it ends at 15:00; five on
	// Friday.
	want := []string{"take 1 from Thu 10:10 to Thu 10:20, 10m0s, due Thu 14:10", "follow 1 from Thu 10:00 to Thu 12:00, 2h0m0s, due Fri 12:00", "follow 2 from Thu 12:00, 2h0m0s, due Fri 14:00"}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func edits(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

// anyClocks are clocks of all kinds for the properties.
const anyClocks = `clocks:
  - {id: a, title: A, text: A., department: sales, starts: [qualified, offered], stops: [accepted], pauses: [waiting], limit: 3h}
  - {id: b, title: B, text: B., department: sales, starts: [accepted], stops: [touched, rejected], pauses: [away], limit: 5h}
  - {id: c, title: C, text: C., department: marketing, starts: [received, rejected], stops: [nurtured], limit: 20h, time: clock}
  - {id: d, title: D, text: D., department: sales, starts: [accepted, worked], stops: [rejected], restarts_on_touch: true, pauses: [nurtured, away, waiting], limit: 9h, calendar: office}
`

func propertyClocks(t testing.TB) Standing {
	return inForce(t, anyClocks)
}

var kinds = []lead.MomentKind{
	lead.MomentQualified, lead.MomentOffered, lead.MomentQueued, lead.MomentAccepted, lead.MomentRejected, lead.MomentTimedOut, lead.MomentMoved, lead.MomentGivenBack,
	lead.MomentNurtured, lead.MomentTouched, lead.MomentCall, lead.MomentWorked, lead.MomentClosed,
}

// drawMoments draws a course of one week, no two moments at one time.
func drawMoments(t *rapid.T) []lead.Moment {
	at := 0
	out := []lead.Moment{after(0, lead.MomentReceived)}
	for range rapid.IntRange(0, 12).Draw(t, "moments") {
		at += rapid.IntRange(1, 900).Draw(t, "minutes")
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		m := after(at, kind, rapid.SampledFrom([]string{"ana", "ben"}).Draw(t, "member"))
		if kind == lead.MomentOffered || kind == lead.MomentQueued {
			m.Pool = "inside"
		}
		out = append(out, m)
	}
	return out
}

func drawAway(t *rapid.T) Away {
	var spans []Span
	at := 0
	for range rapid.IntRange(0, 3).Draw(t, "leaves") {
		from := at + rapid.IntRange(1, 2000).Draw(t, "from")
		at = from + rapid.IntRange(1, 3000).Draw(t, "to")
		spans = append(spans, Span{thursday.Add(time.Duration(from) * time.Minute), thursday.Add(time.Duration(at) * time.Minute)})
	}
	return func(member string) []Span {
		if member == "ana" {
			return spans
		}
		return nil
	}
}

// In whatever order the moments become known, the runs are the same.
func TestRunsAreTheSameInAnyOrder(t *testing.T) {
	in := propertyClocks(t)
	rapid.Check(t, func(t *rapid.T) {
		moments, away := drawMoments(t), drawAway(t)
		shuffled := slices.Clone(moments)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		now := thursday.Add(9 * 24 * time.Hour)
		words := func(list []lead.Moment) (out []string) {
			for _, r := range Runs(courseOf(list...), in, away) {
				out = append(out, toldRun(&r, now))
			}
			return out
		}
		if diff := cmp.Diff(words(moments), words(shuffled)); diff != "" {
			t.Fatalf("(-in order +shuffled)\n%s", diff)
		}
	})
}

// Minute by minute, with nothing but the good document's hours on paper: so much
// time is on each clock, and it runs out when its limit is reached.
func TestRunsAgainstCountingMinutes(t *testing.T) {
	in := propertyClocks(t)
	hours := map[time.Weekday][][2]int{
		time.Monday: {{9 * 60, 12 * 60}, {13 * 60, 17 * 60}}, time.Tuesday: {{9 * 60, 17 * 60}}, time.Wednesday: {{9 * 60, 17 * 60}}, time.Thursday: {{9 * 60, 17 * 60}}, time.Friday: {{9 * 60, 15 * 60}},
	}
	works := func(at time.Time) bool {
		local := at.In(berlin)
		if local.Format(time.DateOnly) == "2026-04-06" {
			return false
		}
		for _, h := range hours[local.Weekday()] {
			if m := local.Hour()*60 + local.Minute(); m >= h[0] && m < h[1] {
				return true
			}
		}
		return false
	}
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		moments, away := drawMoments(t), drawAway(t)
		for _, r := range Runs(courseOf(moments...), in, away) {
			if r.Clock.Working && r.calendar == nil {
				continue
			}
			end := thursday.Add(20 * 24 * time.Hour)
			if !r.Stopped.IsZero() {
				end = r.Stopped
			}
			var spent time.Duration
			var due time.Time
			state, owner := "", ""
			next := 0
			for at := thursday; at.Before(end); at = at.Add(time.Minute) {
				for ; next < len(moments) && !moments[next].At.After(at); next++ {
					m := moments[next]
					switch m.Kind {
					case lead.MomentQualified:
						if state != "offered" && state != "owned" {
							state = "free"
						}
					case lead.MomentOffered:
						state = "offered"
					case lead.MomentQueued:
						state = "waiting"
					case lead.MomentAccepted, lead.MomentGivenBack:
						state, owner = "owned", m.Member
					case lead.MomentNurtured:
						state = "nurtured"
					case lead.MomentRejected, lead.MomentTimedOut, lead.MomentMoved:
						state = "free"
					}
				}
				still := state == "waiting" && slices.Contains(r.Clock.Pauses, PauseWaiting) || state == "nurtured" && slices.Contains(r.Clock.Pauses, PauseNurtured)
				if state == "owned" && slices.Contains(r.Clock.Pauses, PauseAway) {
					still = still || slices.ContainsFunc(away(owner), func(s Span) bool { return s.Covers(at) })
				}
				if at.Before(r.Started) || still || r.Clock.Working && !works(at) {
					continue
				}
				if spent += time.Minute; spent == r.Clock.Limit {
					due = at.Add(time.Minute)
				}
			}
			compared++
			if got := r.Spent(end); got != spent {
				t.Fatalf("%s: %v on it, counted %v", toldRun(&r, end), got, spent)
			}
			got, ok := r.Due()
			if breached := r.Breached(end); breached != !due.IsZero() || breached && (!ok || !got.Equal(due)) {
				t.Fatalf("%s: counted to run out at %v", toldRun(&r, end), due.In(berlin))
			}
		}
	})
	if compared < 50 {
		t.Errorf("only %d runs were counted", compared)
	}
}

// What is stopped late in the log: restated where it had been said otherwise, because
// of what became known, and the first reading beside the new one.
func TestRestatements(t *testing.T) {
	in := propertyClocks(t)
	late := func(m lead.Moment, known int, event string) lead.Moment {
		m.Known, m.Event = thursday.Add(time.Duration(known)*time.Minute), event
		return m
	}
	base := []lead.Moment{after(0, lead.MomentQualified), after(1, lead.MomentOffered, "ana", "inside"), after(2, lead.MomentAccepted, "ana")}
	breached := lead.ClockSaid{Kind: lead.ClockBreached, Clock: "b", Started: thursday.Add(2 * time.Minute)}
	for name, test := range map[string]struct {
		moments []lead.Moment
		said    []lead.ClockSaid
		want    []string
	}{
		"in time, and known after it ran out":      {[]lead.Moment{late(after(60, lead.MomentTouched, "ana"), 400, "e1")}, []lead.ClockSaid{breached}, []string{"e1 b 6h38m0s to 58m0s"}},
		"known late, and nobody had said anything": {[]lead.Moment{late(after(60, lead.MomentTouched, "ana"), 200, "e1")}, nil, nil},
		"too late all the same":                    {[]lead.Moment{late(after(350, lead.MomentTouched, "ana"), 400, "e1")}, []lead.ClockSaid{breached}, nil},
		"earlier than was known":                   {[]lead.Moment{after(120, lead.MomentTouched, "ana"), late(after(60, lead.MomentTouched, "ana"), 400, "e2")}, nil, []string{"e2 b 1h58m0s to 58m0s"}},
		"later than was known":                     {[]lead.Moment{after(120, lead.MomentTouched, "ana"), late(after(130, lead.MomentTouched, "ana"), 400, "e2")}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := courseOf(append(slices.Clone(base), test.moments...)...)
			c.Said = test.said
			var got []string
			for _, r := range Restatements(c, in, nobodyAway) {
				if r.Was.Clock.ID == "b" {
					got = append(got, fmt.Sprintf("%s %s %v to %v", r.Because, r.Was.Clock.ID, r.Was.Spent(r.At), r.Now.Spent(r.At)))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
