package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// hour is a time of the Monday of these tests, and of the days after.
func hour(day, hours, minutes int) time.Time {
	return time.Date(2026, 3, 1+day, hours, minutes, 0, 0, time.UTC)
}

// late are the hours of ben: noon to eight in the evening, every day.
var late = []string{
	"\ncalendars:\n", "\ncalendars:\n  late:\n    zone: UTC\n    hours: {mon: [\"12:00-20:00\"], tue: [\"12:00-20:00\"], wed: [\"12:00-20:00\"], thu: [\"12:00-20:00\"], fri: [\"12:00-20:00\"]}\n",
	"- member: ben", "- member: ben\n        calendar: late",
}

// inside adds a line to the pool inside sales, large to the other one.
func large(line string) []string {
	return []string{"take_within: 4h", "take_within: 4h\n    " + line}
}

func (w *world) leave(member, id string, from, until time.Time) {
	w.t.Helper()
	w.roster(&routingv1.AvailabilityChanged{Member: member, Away: true, LeaveId: id, From: timestamppb.New(from), Until: timestamppb.New(until)})
}

func (w *world) present(member string, is bool) {
	w.t.Helper()
	w.roster(&routingv1.PresenceChanged{Member: member, Present: is})
}

// Each row: who is there and when, and to whom a lead goes or what it waits for and
// until when.
func TestWhoIsThere(t *testing.T) {
	t.Parallel()
	type then struct {
		member       string
		takeBy       time.Time
		blocked      string
		look         time.Time
		reasons      []string
		text, reason string
	}
	tests := map[string]struct {
		edits     []string
		given     func(w *world)
		employees int64
		lead      func(*lead.State)
		then      then
	}{
		"each keeps their own hours, and the time to take counts by them": {
			edits: late, given: func(w *world) { w.until(hour(1, 18, 0)) },
			then: then{member: "ben", takeBy: hour(1, 20, 0), reasons: []string{"off-duty", "", "off-duty"}},
		},
		"the time to take goes on in their next shift": {
			edits: late, given: func(w *world) { w.until(hour(1, 19, 30)) },
			then: then{member: "ben", takeBy: hour(2, 13, 30), reasons: []string{"off-duty", "", "off-duty"}},
		},
		"the first shift to begin is waited for": {
			edits: late, given: func(w *world) { w.until(hour(1, 20, 0)); w.away("ana", time.Time{}); w.away("chloe", time.Time{}) },
			then: then{
				blocked: "off-duty", look: hour(2, 12, 0), reasons: []string{"away", "off-duty", "away"}, reason: "is off duty by the calendar late",
				text: "Nobody in pool Inside sales can take it now: 1 off duty, 2 away. It is looked at again at 2026-03-03 12:00 UTC, or as soon as somebody can.",
			},
		},
		"none in the last minutes of a shift": {
			edits: inside("quiet_before_end: 30m"), given: func(w *world) { w.until(hour(1, 16, 30)) },
			then: then{
				blocked: "ending", look: hour(2, 9, 0), reasons: []string{"ending", "ending", "ending"}, reason: "ends the shift at 2026-03-02 17:00 UTC",
				text: "Nobody in pool Inside sales can take it now: 3 at the end of their shift. It is looked at again at 2026-03-03 09:00 UTC, or as soon as somebody can.",
			},
		},
		"up to then, yes": {
			edits: slices.Concat(inside("quiet_before_end: 30m")), given: func(w *world) {
				w.away("ana", time.Time{})
				w.away("ben", time.Time{})
				w.until(hour(1, 16, 30).Add(-time.Nanosecond))
			},
			then: then{member: "chloe", takeBy: hour(2, 10, 30).Add(-time.Nanosecond), reasons: []string{"away", "away", ""}},
		},
		"nobody has signed in": {
			edits: inside("signed_in: true"),
			then: then{
				blocked: "absent", reasons: []string{"absent", "absent", "absent"}, reason: "has not signed in today",
				text: "Nobody in pool Inside sales can take it now: 3 not signed in. It goes out as soon as somebody can.",
			},
		},
		"signed in": {
			edits: inside("signed_in: true"), given: func(w *world) { w.present("ben", true); w.present("ana", true); w.present("ana", false) },
			then: then{member: "ben", takeBy: hour(1, 14, 0), reasons: []string{"absent", "", "absent"}},
		},
		"signed in the day before": {
			edits: inside("signed_in: true"), given: func(w *world) { w.present("ben", true); w.until(hour(2, 10, 0)) },
			then: then{
				blocked: "absent", reasons: []string{"absent", "absent", "absent"}, reason: "has not signed in today",
				text: "Nobody in pool Inside sales can take it now: 3 not signed in. It goes out as soon as somebody can.",
			},
		},
		"leave that lies ahead": {
			given: func(w *world) {
				w.leave("chloe", "a", hour(1, 13, 0), hour(1, 15, 0))
				w.leave("dan", "b", hour(1, 12, 0), hour(1, 13, 0))
			},
			employees: 500,
			then:      then{member: "chloe", takeBy: hour(1, 16, 0), reasons: []string{"", "away"}},
		},
		"leave that follows on leave is one": {
			given: func(w *world) {
				w.leave("chloe", "a", hour(1, 12, 0), hour(1, 14, 0))
				w.leave("chloe", "b", hour(1, 14, 0), hour(1, 18, 0))
				w.away("dan", hour(4, 18, 0))
			},
			employees: 500,
			then: then{
				blocked: "away", look: hour(2, 9, 0), reasons: []string{"away", "away"}, reason: "is away until 2026-03-02 18:00 UTC",
				text: "Nobody in pool Large companies can take it now: 2 away. It is looked at again at 2026-03-03 09:00 UTC, or as soon as somebody can.",
			},
		},
		"declined a while ago": {
			edits: large("declined_for: 24h"), employees: 500, given: func(w *world) { w.away("dan", time.Time{}) },
			lead: func(s *lead.State) {
				s.Declined, s.DeclinedAt = []string{"chloe"}, []time.Time{monday.Add(-24 * time.Hour)}
			},
			then: then{member: "chloe", takeBy: hour(1, 16, 0), reasons: []string{"", "away"}},
		},
		"declined not long ago": {
			edits: large("declined_for: 24h"), employees: 500, given: func(w *world) { w.away("dan", time.Time{}) },
			lead: func(s *lead.State) {
				s.Declined, s.DeclinedAt = []string{"chloe"}, []time.Time{monday.Add(-20 * time.Hour)}
			},
			then: then{
				blocked: "away", look: hour(1, 16, 0), reasons: []string{"declined", "away"}, reason: "has declined this lead, and is not asked again before 2026-03-02 16:00 UTC",
				text: "Nobody in pool Large companies can take it now: 1 away, 1 declined. It is looked at again at 2026-03-02 16:00 UTC, or as soon as somebody can.",
			},
		},
		"left out by whoever moved it": {
			employees: 500, given: func(w *world) { w.away("dan", time.Time{}) },
			lead: func(s *lead.State) { s.Excluded = []string{"chloe"} },
			then: then{
				blocked: "away", reasons: []string{"excluded", "away"}, reason: "was left out by whoever moved this lead",
				text: "Nobody in pool Large companies can take it now: 1 away, 1 left out by whoever moved it. It goes out as soon as somebody can.",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, document(t, test.edits...), everybody...)
			if test.given != nil {
				test.given(w)
			}
			s := qualified(max(test.employees, 80))
			if test.lead != nil {
				test.lead(s)
			}
			var got then
			var considered []*leadv1.Candidate
			switch body := w.next(s).Body.(type) {
			case *leadv1.LeadOffered:
				got, considered = then{member: body.GetMember(), takeBy: body.GetTakeBy().AsTime()}, body.GetConsidered()
			case *leadv1.LeadQueued:
				got, considered = then{blocked: body.GetBlockedBy(), text: body.GetText()}, body.GetConsidered()
				if body.GetLookAgainAt() != nil {
					got.look = body.GetLookAgainAt().AsTime()
				}
			}
			for _, c := range considered {
				got.reasons = append(got.reasons, c.GetReason())
				if got.blocked != "" && got.reason == "" && (c.GetReason() == got.blocked || c.GetReason() == test.then.reasons[0]) && c.GetText() == test.then.reason {
					got.reason = c.GetText()
				}
			}
			if diff := cmp.Diff(test.then, got, cmp.AllowUnexported(then{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestLeave holds what taking leave and taking it back does, at every instant.
//
// Goes red if: a leave from now on does not take the place of what holds, a leave that
// is taken back goes on, or one that has begun is forgotten.
func TestLeave(t *testing.T) {
	t.Parallel()
	r := NewRoster()
	say := func(at time.Time, body *routingv1.AvailabilityChanged) {
		body.Member = "ana"
		r.Apply(&ledger.Event{Subject: "org.member.m", Occurred: at, Body: body})
	}
	stamped := func(at time.Time) *timestamppb.Timestamp { return timestamppb.New(at) }
	r.Apply(&ledger.Event{Subject: "org.member.m", Body: &routingv1.MemberAdded{Member: "ana", Roles: []string{"sales"}}})
	m := r.Member("ana")
	away := func(want ...time.Time) {
		t.Helper()
		// want are pairs: away from the first up to the second.
		for i := 0; i < len(want); i += 2 {
			for at, is := range map[time.Time]bool{want[i].Add(-time.Nanosecond): false, want[i]: true, want[i+1].Add(-time.Nanosecond): true, want[i+1]: false} {
				if m.AwayAt(at) != is {
					t.Errorf("at %s away is %v", at, !is)
				}
			}
		}
	}
	say(hour(1, 9, 0), &routingv1.AvailabilityChanged{Away: true, LeaveId: "summer", From: stamped(hour(20, 0, 0)), Until: stamped(hour(25, 0, 0))})
	say(hour(1, 9, 0), &routingv1.AvailabilityChanged{Away: true, LeaveId: "dentist", From: stamped(hour(5, 10, 0)), Until: stamped(hour(5, 12, 0))})
	say(hour(1, 9, 0), &routingv1.AvailabilityChanged{Away: true, LeaveId: "ill", Until: stamped(hour(3, 0, 0))})
	away(hour(1, 9, 0), hour(3, 0, 0), hour(5, 10, 0), hour(5, 12, 0), hour(20, 0, 0), hour(25, 0, 0))
	if next := r.NextTurn(hour(3, 0, 0)); !next.Equal(hour(5, 10, 0)) {
		t.Errorf("after the third day it turns at %s", next)
	}
	// Longer ill than thought: it takes the place of what holds, not of what is ahead.
	say(hour(2, 9, 0), &routingv1.AvailabilityChanged{Away: true, LeaveId: "still ill", Until: stamped(hour(4, 0, 0))})
	if m.AwayAt(hour(4, 0, 0)) || !m.AwayAt(hour(1, 10, 0)) || !m.AwayAt(hour(3, 10, 0)) || len(m.Ahead(hour(2, 9, 0))) != 3 {
		t.Errorf("leaves are %+v", m.Leaves)
	}
	// Back sooner, then one ahead is taken back, and one that has begun.
	say(hour(3, 9, 0), &routingv1.AvailabilityChanged{})
	away(hour(1, 9, 0), hour(3, 9, 0), hour(5, 10, 0), hour(5, 12, 0), hour(20, 0, 0), hour(25, 0, 0))
	say(hour(3, 9, 0), &routingv1.AvailabilityChanged{LeaveId: "dentist"})
	say(hour(21, 9, 0), &routingv1.AvailabilityChanged{LeaveId: "summer"})
	away(hour(1, 9, 0), hour(3, 9, 0), hour(20, 0, 0), hour(21, 9, 0))
	if m.AwayAt(hour(5, 11, 0)) || len(m.Ahead(hour(21, 9, 0))) != 0 || !r.NextTurn(hour(21, 9, 0)).IsZero() {
		t.Errorf("leaves are %+v", m.Leaves)
	}
	// Without an end nobody knows when they are back.
	say(hour(22, 9, 0), &routingv1.AvailabilityChanged{Away: true})
	if back, is := m.BackAt(hour(90, 0, 0)); !is || !back.IsZero() {
		t.Errorf("back at %s (%v)", back, is)
	}
}

func TestLeaveIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.leave("ana", "a1", monday.Add(time.Hour), monday.Add(2*time.Hour))
	w.leave("ana", "a2", monday.Add(3*time.Hour), monday.Add(4*time.Hour))
	w.until(monday.Add(150 * time.Minute))
	at := func(hours int) *timestamppb.Timestamp {
		return timestamppb.New(monday.Add(time.Duration(hours) * time.Hour))
	}
	for name, test := range map[string]struct {
		body *routingv1.AvailabilityChanged
		kind fault.Kind
		fine bool
	}{
		"ended":            {&routingv1.AvailabilityChanged{Away: true, From: at(1), Until: at(2)}, fault.Invalid, false},
		"backwards":        {&routingv1.AvailabilityChanged{Away: true, From: at(6), Until: at(5)}, fault.Invalid, false},
		"none such":        {&routingv1.AvailabilityChanged{LeaveId: "a9"}, fault.NotFound, false},
		"over already":     {&routingv1.AvailabilityChanged{LeaveId: "a1"}, fault.NotFound, false},
		"begun before now": {&routingv1.AvailabilityChanged{Away: true, From: at(1), Until: at(5)}, 0, true},
		"taken back":       {&routingv1.AvailabilityChanged{LeaveId: "a2"}, 0, true},
	} {
		test.body.Member = "ana"
		err := available(w.folds.roster.Member("ana"), test.body, w.now)
		if test.fine != (err == nil) || (err != nil && !fault.Is(err, test.kind)) {
			t.Errorf("%s: answered %v", name, err)
		}
	}
}

// Whatever makes somebody able gives them the waiting leads at that instant, the
// oldest first.
//
// Goes red if: the instant is not among those of Due (nextShift, NextTurn, NextLook), a
// line's footing does not change by it, or a line is not asked in the order of its
// places.
func TestComingOnDutyIsGivenTheLineAtOnce(t *testing.T) {
	t.Parallel()
	only := func(w *world) {
		for _, m := range []string{"ana", "chloe", "dan"} {
			w.away(m, time.Time{})
		}
	}
	for name, test := range map[string]struct {
		edits []string
		// before is done before the leads come, and after once they wait.
		before, after func(w *world)
		come, go_     time.Time
	}{
		"a shift begins":         {nil, only, nil, hour(1, 18, 0), hour(2, 9, 0)},
		"their own shift begins": {late, only, nil, hour(1, 21, 0), hour(2, 12, 0)},
		"the quiet end is over":  {inside("quiet_before_end: 1h"), only, nil, hour(1, 16, 30), hour(2, 9, 0)},
		"leave ends":             {nil, func(w *world) { only(w); w.leave("ben", "x", monday, hour(1, 15, 30)) }, nil, hour(1, 13, 0), hour(1, 15, 30)},
		"leave without an end":   {nil, func(w *world) { only(w); w.away("ben", time.Time{}) }, func(w *world) { w.until(hour(1, 14, 0)); w.back("ben") }, hour(1, 13, 0), hour(1, 14, 0)},
		"leave is taken back": {nil, func(w *world) { only(w); w.leave("ben", "x", monday, hour(9, 0, 0)) }, func(w *world) {
			w.until(hour(1, 14, 0))
			w.roster(&routingv1.AvailabilityChanged{Member: "ben", LeaveId: "x"})
		}, hour(1, 13, 0), hour(1, 14, 0)},
		"signed in":             {inside("signed_in: true"), only, func(w *world) { w.until(hour(1, 14, 0)); w.present("ben", true) }, hour(1, 13, 0), hour(1, 14, 0)},
		"an agreement in force": {narrow, only, func(w *world) { w.agree(document(w.t), hour(1, 14, 0)) }, hour(1, 13, 0), hour(1, 14, 0)},
		"a place freed at night": {capacities(1, 1), func(w *world) { only(w); w.qualify("first", 5); w.settle(); _ = w.accept("first", "ben") }, func(w *world) {
			w.until(hour(1, 20, 0))
			w.say("feedback", "first", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "ben"))
		}, hour(1, 13, 0), hour(2, 9, 0)},
		"leave taken back before": {nil, func(w *world) { only(w); w.leave("ben", "x", monday, hour(9, 0, 0)) }, func(w *world) { w.until(hour(1, 20, 0)); w.back("ben") }, hour(1, 13, 0), hour(2, 9, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, document(t, test.edits...), everybody...)
			test.before(w)
			w.settle()
			w.until(test.come)
			ids := []string{"c", "a", "b"}
			for i, id := range ids {
				w.until(test.come.Add(time.Duration(i) * time.Minute))
				w.qualify(id, 5)
				w.settle()
				if w.folds.state(id).State != leadv1.State_STATE_WAITING {
					t.Fatalf("%s does not wait: %v", id, w.last(id))
				}
			}
			before := len(w.events)
			if test.after != nil {
				test.after(w)
				w.settle()
			}
			w.until(test.go_.Add(-time.Nanosecond))
			w.until(test.go_)
			var order []string
			for _, e := range w.events[before:] {
				if body, ok := e.Body.(*leadv1.LeadOffered); ok {
					id, _ := lead.FromSubject(e.Subject)
					order = append(order, id)
					if body.GetMember() != "ben" || !e.Recorded.Equal(test.go_) {
						t.Errorf("%s went to %s at %s, want ben at %s", id, body.GetMember(), e.Recorded, test.go_)
					}
				}
			}
			want := ids
			if test.edits != nil && test.edits[0] == "capacity: 50" {
				want = ids[:1]
			}
			if !slices.Equal(order, want) {
				t.Errorf("given out were %v, want %v", order, want)
			}
			w.wellKept()
		})
	}
}

// Lines of pools that share people are one: the lead goes first that has waited
// longest, whichever pool it waits for.
func TestOldestOfTwoLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), "chloe")
	w.away("chloe", monday.Add(time.Hour))
	for i, employees := range []int64{80, 500, 80, 500} {
		w.until(monday.Add(time.Duration(i) * time.Minute))
		w.qualify(fmt.Sprint(i), employees)
		w.settle()
	}
	before := len(w.events)
	w.until(monday.Add(time.Hour))
	var order []string
	for _, e := range w.events[before:] {
		if _, ok := e.Body.(*leadv1.LeadOffered); ok {
			order = append(order, e.Subject)
		}
	}
	if want := []string{"lead.0", "lead.1", "lead.2", "lead.3"}; !slices.Equal(order, want) {
		t.Errorf("given out were %v", order)
	}
}

// Leave whose end nobody knew when the lead began to wait is looked at all the same.
func TestALeaveThatEndsIsLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, capacities(1, 1)...), "dan", "chloe")
	w.qualify("x", 500)
	w.qualify("y", 500)
	w.settle()
	w.qualify("a", 500)
	w.settle()
	// All are full. Then one goes away for an hour, and what she had is lost meanwhile.
	holder := w.holderOf("x")
	if err := w.accept("x", holder); err != nil {
		t.Fatal(err)
	}
	w.leave(holder, "v", monday.Add(time.Minute), monday.Add(time.Hour))
	w.settle()
	w.until(monday.Add(10 * time.Minute))
	w.say("feedback", "x", outcome(leadv1.OutcomeKind_OUTCOME_KIND_LOST, holder))
	w.settle()
	if w.folds.state("a").State != leadv1.State_STATE_WAITING {
		t.Fatalf("it does not wait: %v", w.last("a"))
	}
	w.until(monday.Add(time.Hour))
	if w.holderOf("a") != holder {
		t.Errorf("%s is back, and it says %v", holder, w.last("a"))
	}
	w.wellKept()
}

// A line that was asked and had nothing to give costs the same however long it is.
//
// Goes red if: a line on the same footing is gone through again (Routing.dry).
func TestALineThatCannotGoIsNotGoneThrough(t *testing.T) {
	t.Parallel()
	looked := func(n int) (leads int) {
		w := newWorld(t, document(t, capacities(1, 1)...), "chloe", "dan")
		for i := range n {
			w.qualify(fmt.Sprintf("l%04d", i), 500)
		}
		w.settle()
		w.service.wake(w.now, uint64(len(w.events)), func(id string) (*lead.State, error) { leads++; return w.folds.lead(id) })
		return leads
	}
	if few, many := looked(10), looked(400); few != 0 || many != 0 {
		t.Errorf("with 10 in line %d leads were looked at, with 400 %d", few, many)
	}
}

func TestReminder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, large("remind_before: 90m")...), everybody...)
	w.check = w.everyPrefix
	w.until(hour(1, 15, 0))
	w.qualify("a", 500)
	w.qualify("b", 500)
	w.settle()
	// Four hours of work from 15:00 end at 11:00; 90 minutes before is 09:30.
	body := w.last("a").(*leadv1.LeadOffered)
	if !body.GetTakeBy().AsTime().Equal(hour(2, 11, 0)) || !body.GetRemindAt().AsTime().Equal(hour(2, 9, 30)) {
		t.Fatalf("offered with %v", body)
	}
	if err := w.accept("b", w.holderOf("b")); err != nil {
		t.Fatal(err)
	}
	before := len(w.events)
	w.until(hour(2, 9, 30).Add(-time.Nanosecond))
	if said := w.said("a", before); len(said) != 0 {
		t.Fatalf("before its time it said %v", said)
	}
	w.until(hour(2, 10, 0))
	*w.folds.groups = *carriedOver(t, w.folds.groups)
	w.until(hour(2, 10, 59))
	said := w.said("a", before)
	if len(said) != 1 {
		t.Fatalf("said %v, want one reminder", said)
	}
	reminded := said[0].(*leadv1.OfferReminded)
	if reminded.GetMember() != body.GetMember() || reminded.GetOffer() != 1 || !reminded.GetDueAt().AsTime().Equal(hour(2, 9, 30)) || !reminded.GetTakeBy().AsTime().Equal(hour(2, 11, 0)) {
		t.Errorf("said %v", reminded)
	}
	if said := w.said("b", before); len(said) != 0 {
		t.Errorf("of what was accepted it said %v", said)
	}
	if got, want := w.steps("sales", "a"), []string{"offered", "reminded"}; !slices.Equal(got, want) {
		t.Errorf("the pool saw %v, want %v", got, want)
	}
	w.until(hour(2, 11, 0))
	if s := w.folds.state("a"); s.Offers != 2 || len(s.TimedOut) != 1 {
		t.Errorf("after its time the lead is %+v", s)
	}
	w.wellKept()
}

// The process slept over both: it says that the offer ran out, and reminds nobody of
// what is over.
func TestNoReminderOfWhatIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, large("remind_before: 90m")...), everybody...)
	w.qualify("a", 500)
	w.settle()
	before := len(w.events)
	w.now = hour(1, 16, 30)
	w.settle()
	if said := w.said("a", before); len(said) != 2 {
		t.Errorf("said %v, want the time-out and the next offer", said)
	}
	// A reminder that would be due before the offer is none.
	short := newWorld(t, document(t, append(large("remind_before: 3h"), "# overlays:\n", "overlays:\n  - id: rush\n    text: These are wanted at once.\n    until: 2099-01-01T00:00:00Z\n    take_within: 2h\n# overlays:\n")...), everybody...)
	short.qualify("a", 500)
	short.settle()
	if body := short.last("a").(*leadv1.LeadOffered); body.GetRemindAt() != nil {
		t.Errorf("reminded at %v", body.GetRemindAt())
	}
}

// Rounds: whoever let a lead go waits until all have, and then it is everybody's again.
func TestOpenToAllAgainOnceAllHaveLetItGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, narrow...), everybody...)
	w.check = w.everyPrefix
	w.qualify("a", 80)
	w.settle()
	var rounds [][]string
	for range 3 {
		var round []string
		for i := range 3 {
			member := w.holderOf("a")
			round = append(round, member)
			if i == 1 {
				w.until(w.folds.state("a").TakeBy)
			} else if err := w.reject("a", member, "no-time"); err != nil {
				t.Fatal(err)
			}
			w.settle()
		}
		slices.Sort(round)
		rounds = append(rounds, round)
	}
	all := []string{"ana", "ben", "chloe"}
	if diff := cmp.Diff([][]string{all, all, all}, rounds); diff != "" {
		t.Errorf("each round (-want +got)\n%s", diff)
	}
	w.wellKept()
}

// BenchmarkWake is what it costs to look at a line of which nothing can go.
func BenchmarkWake(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, document(b, capacities(1, 1)...), "chloe", "dan")
			for i := range n {
				w.now = monday.Add(time.Duration(i) * time.Microsecond)
				w.qualify(fmt.Sprintf("l%05d", i), 500)
			}
			w.settle()
			for b.Loop() {
				w.service.due(w.woken)
				w.service.wake(w.now, uint64(len(w.events)), w.folds.lead)
			}
		})
	}
}
