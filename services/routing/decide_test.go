package routing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/lead"
)

var everybody = []string{"ana", "ben", "chloe", "dan"}

// narrow is the edit after which small companies fit no handoff rule.
var narrow = []string{"text: All other qualified leads go to inside sales.", "text: All other qualified leads go to inside sales.\n    when: lead.employees >= 10"}

// qualified is an MQL of a company of that size.
func qualified(employees int64) *lead.State {
	return &lead.State{ID: "l1", State: leadv1.State_STATE_QUALIFIED, Stage: leadv1.Stage_STAGE_MQL, Features: &leadv1.Features{Employees: employees}, WaitingSince: monday.Add(-time.Hour)}
}

func changed(s *lead.State, by func(*lead.State)) *lead.State {
	by(s)
	return s
}

// next is what is due on a lead in a world as it stands.
func (w *world) next(s *lead.State) *Said {
	return NewTurn(w.folds.groups, w.folds.roster, w.folds.register, w.folds.people, w.now).Next(s)
}

// nextBy is the same by another logic.
func (w *world) nextBy(logic string, s *lead.State) *Said {
	turn := NewTurn(w.folds.groups, w.folds.roster, w.folds.register, w.folds.people, w.now)
	turn.logic = logic
	return turn.Next(s)
}

func TestOffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.roster(&routingv1.MemberDeactivated{Member: "ben"})
	w.away("chloe", monday.Add(24*time.Hour))
	want := &Said{
		Body: &leadv1.LeadOffered{
			AgreementVersion: 1, Pool: "inside-sales", Group: "sales", Member: "ana", Offer: 1, Rule: "everything-else",
			TakeBy: timestamppb.New(monday.Add(2 * time.Hour)), Turn: leadv1.TurnKind_TURN_KIND_ROTATION, TurnNumber: 1, ChosenBy: "rotation",
			Considered: []*leadv1.Candidate{
				{Member: "ana", Eligible: true, Capacity: 50, Weight: 1, WindowFrom: 1, WindowTo: 1},
				{Member: "ben", Reason: "deactivated", Text: "was taken out of every pool", Capacity: 50, Weight: 1},
				{Member: "chloe", Reason: "away", Text: "is away until 2026-03-03 12:00 UTC", Capacity: 50, Weight: 1},
			},
			Summary: `Offered to ana by rule "everything-else" of the agreement (version 1): the only one of 3 in pool Inside sales who can take it now.`,
		},
		Group: "sales",
		Step: &routingv1.PoolStep{
			Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: "l1", Pool: "inside-sales", Member: "ana", Offer: 1, Turn: leadv1.TurnKind_TURN_KIND_ROTATION,
			Eligible: []string{"ana"}, Weights: []int64{1}, Counted: true, TakeBy: timestamppb.New(monday.Add(2 * time.Hour)),
		},
	}
	if diff := cmp.Diff(want, w.next(qualified(80)), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOfferAmongSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, "- member: ben", "- member: ben\n        weight: 3"), everybody...)
	body, ok := w.next(qualified(80)).Body.(*leadv1.LeadOffered)
	if !ok || body.GetMember() != "ben" {
		t.Fatalf("got %v, want an offer to ben, who has three shares of five", body)
	}
	if want := `Offered to ben by rule "everything-else" of the agreement (version 1): of 3 who can take it in pool Inside sales, ben must be served soonest (turn 1; due by turn 2).`; body.GetSummary() != want {
		t.Errorf("the sentence is\n%s\nwant\n%s", body.GetSummary(), want)
	}
	want := []*leadv1.Candidate{
		{Member: "ana", Eligible: true, Capacity: 50, Weight: 1, WindowFrom: 1, WindowTo: 5},
		{Member: "ben", Eligible: true, Capacity: 50, Weight: 3, WindowFrom: 1, WindowTo: 2},
		{Member: "chloe", Eligible: true, Capacity: 50, Weight: 1, WindowFrom: 1, WindowTo: 5},
	}
	if diff := cmp.Diff(want, body.GetConsidered(), protocmp.Transform()); diff != "" {
		t.Errorf("considered (-want +got)\n%s", diff)
	}
}

// Each row: who is where, a lead, and to whom it goes or what blocks it.
func TestDecide(t *testing.T) {
	t.Parallel()
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC) }
	type then struct {
		// member is who gets it, from whose rule; by when it must be taken.
		member, rule string
		takeBy       time.Time
		// blocked and look are what it waits for and when it is looked at again.
		blocked string
		look    time.Time
		text    string
		// reasons are why each who was considered cannot, in the pool's order.
		reasons []string
	}
	tests := map[string]struct {
		edits   []string
		members []string
		given   func(w *world)
		when    *lead.State
		// logic that decides; empty = this one.
		logic string
		then  then
	}{
		"a large company goes to those who know large ones": {
			given: func(w *world) { w.away("chloe", time.Time{}) }, when: qualified(500),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"away", ""}},
		},
		"no clock runs outside the working hours": {
			given: func(w *world) { w.until(at(2, 16, 30)); w.away("ana", time.Time{}); w.away("ben", time.Time{}) }, when: qualified(80),
			then: then{member: "chloe", rule: "everything-else", takeBy: at(3, 10, 30), reasons: []string{"away", "away", ""}},
		},
		"a stage without a rule goes by the rule of the one below": {
			given: func(w *world) { w.away("chloe", time.Time{}) },
			when:  changed(qualified(500), func(s *lead.State) { s.Stage = leadv1.Stage_STAGE_SQL }),
			then:  then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"away", ""}},
		},
		"off duty": {
			given: func(w *world) { w.until(at(6, 17, 0)) }, when: qualified(80),
			then: then{
				blocked: "off-duty", look: at(9, 9, 0), reasons: []string{"off-duty", "off-duty", "off-duty"},
				text: "Nobody in pool Inside sales can take it now: 3 off duty. It is looked at again at 2026-03-09 09:00 UTC, or as soon as somebody can.",
			},
		},
		"off duty, and somebody is back before, but not at work": {
			given: func(w *world) { w.until(at(6, 17, 0)); w.away("ana", at(7, 12, 0)) }, when: qualified(80),
			then: then{
				blocked: "off-duty", look: at(9, 9, 0), reasons: []string{"away", "off-duty", "off-duty"},
				text: "Nobody in pool Inside sales can take it now: 2 off duty, 1 away. It is looked at again at 2026-03-09 09:00 UTC, or as soon as somebody can.",
			},
		},
		"off duty, and somebody is back before, as it was": {
			logic: second,
			given: func(w *world) { w.until(at(6, 17, 0)); w.away("ana", at(7, 12, 0)) }, when: qualified(80),
			then: then{
				blocked: "off-duty", look: at(7, 12, 0), reasons: []string{"away", "off-duty", "off-duty"},
				text: "Nobody in pool Inside sales can take it now: 2 off duty, 1 away. It is looked at again at 2026-03-07 12:00 UTC, or as soon as somebody can.",
			},
		},
		"full": {
			edits: capacities(1, 1), when: qualified(500),
			given: func(w *world) { w.qualify("a", 500); w.qualify("b", 500); w.settle() },
			then: then{
				blocked: "full", reasons: []string{"full", "full"},
				text: "Nobody in pool Large companies can take it now: 2 full. It goes out as soon as somebody can.",
			},
		},
		"full by what they hold in the group's other pool": {
			edits: capacities(1, 1), when: qualified(500),
			given: func(w *world) {
				w.away("ana", time.Time{})
				w.away("ben", time.Time{})
				w.away("dan", at(3, 8, 0))
				w.qualify("a", 80)
				w.settle()
			},
			then: then{
				blocked: "full", look: at(3, 9, 0), reasons: []string{"full", "away"},
				text: "Nobody in pool Large companies can take it now: 1 full, 1 away. It is looked at again at 2026-03-03 09:00 UTC, or as soon as somebody can.",
			},
		},
		"capacity is each pool's own": {
			edits: capacities(1, 2), when: qualified(500),
			given: func(w *world) {
				w.away("ana", time.Time{})
				w.away("ben", time.Time{})
				w.away("dan", time.Time{})
				w.qualify("a", 80)
				w.settle()
			},
			then: then{member: "chloe", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"", "away"}},
		},
		"all away": {
			given: func(w *world) { w.away("chloe", time.Time{}); w.away("dan", time.Time{}) }, when: qualified(500),
			then: then{
				blocked: "away", reasons: []string{"away", "away"},
				text: "Nobody in pool Large companies can take it now: 2 away. It goes out as soon as somebody can.",
			},
		},
		"away until the first is back": {
			given: func(w *world) { w.away("chloe", at(4, 9, 0)); w.away("dan", at(3, 9, 0)) }, when: qualified(500),
			then: then{
				blocked: "away", look: at(3, 9, 0), reasons: []string{"away", "away"},
				text: "Nobody in pool Large companies can take it now: 2 away. It is looked at again at 2026-03-03 09:00 UTC, or as soon as somebody can.",
			},
		},
		"back at the stated instant": {
			given: func(w *world) { w.away("chloe", time.Time{}); w.away("dan", at(2, 13, 0)); w.until(at(2, 13, 0)) }, when: qualified(500),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 17, 0), reasons: []string{"away", ""}},
		},
		"declined by one": {
			when: changed(qualified(500), func(s *lead.State) { s.Declined = []string{"chloe"} }),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"declined", ""}},
		},
		"declined by all is open to all again": {
			given: func(w *world) { w.away("chloe", time.Time{}) },
			when:  changed(qualified(500), func(s *lead.State) { s.Declined = []string{"dan", "chloe"} }),
			then:  then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"away", ""}},
		},
		"declined by all, as it was": {
			logic: second,
			when:  changed(qualified(500), func(s *lead.State) { s.Declined = []string{"dan", "chloe"} }),
			then: then{
				blocked: "declined", reasons: []string{"declined", "declined"},
				text: "Nobody in pool Large companies can take it now: 2 declined. It goes out as soon as somebody can.",
			},
		},
		"whoever let it run out is not asked again first": {
			when: changed(qualified(500), func(s *lead.State) { s.TimedOut = []string{"chloe"} }),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"timed-out", ""}},
		},
		"open again once everybody has let it run out": {
			given: func(w *world) { w.away("chloe", time.Time{}) },
			when:  changed(qualified(500), func(s *lead.State) { s.TimedOut = []string{"dan", "chloe"} }),
			then:  then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"away", ""}},
		},
		"one declined and one let it run out: open to both again": {
			given: func(w *world) { w.away("dan", time.Time{}) },
			when:  changed(qualified(500), func(s *lead.State) { s.TimedOut, s.Declined = []string{"dan"}, []string{"chloe"} }),
			then:  then{member: "chloe", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"", "away"}},
		},
		"in the next round whoever declined again waits for the others": {
			when: changed(qualified(500), func(s *lead.State) { s.Declined = []string{"dan", "chloe", "chloe"} }),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"declined", ""}},
		},
		"open again, but not to who declined, as it was": {
			logic: second,
			when:  changed(qualified(500), func(s *lead.State) { s.TimedOut, s.Declined = []string{"dan"}, []string{"chloe"} }),
			then:  then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"declined", ""}},
		},
		"not open again while somebody away has not had a chance": {
			given: func(w *world) { w.away("chloe", at(3, 9, 0)) },
			when:  changed(qualified(500), func(s *lead.State) { s.TimedOut = []string{"dan"} }),
			then: then{
				blocked: "declined", look: at(3, 9, 0), reasons: []string{"away", "timed-out"},
				text: "Nobody in pool Large companies can take it now: 1 timed out, 1 away. It is looked at again at 2026-03-03 09:00 UTC, or as soon as somebody can.",
			},
		},
		"open again when the rest were taken out": {
			given: func(w *world) { w.roster(&routingv1.MemberDeactivated{Member: "chloe"}) },
			when:  changed(qualified(500), func(s *lead.State) { s.TimedOut = []string{"dan"} }),
			then:  then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"deactivated", ""}},
		},
		"whoever sent it back does not get it again": {
			when: changed(qualified(500), func(s *lead.State) { s.Returned = []string{"chloe"} }),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"returned", ""}},
		},
		"unless the agreement lets them": {
			edits: []string{"  recheck_after: 30d\n", "  recheck_after: 30d\n  back_to_same_person: true\n"},
			when:  changed(qualified(500), func(s *lead.State) { s.Returned = []string{"chloe", "dan"} }),
			then:  then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"", ""}},
		},
		"or nobody else is left": {
			given: func(w *world) { w.roster(&routingv1.MemberDeactivated{Member: "chloe"}) },
			when:  changed(qualified(500), func(s *lead.State) { s.Returned = []string{"dan"} }),
			then:  then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"deactivated", ""}},
		},
		"not while somebody else is only away": {
			given: func(w *world) { w.away("chloe", at(3, 9, 0)) },
			when:  changed(qualified(500), func(s *lead.State) { s.Returned = []string{"dan"} }),
			then: then{
				blocked: "away", look: at(3, 9, 0), reasons: []string{"away", "returned"},
				text: "Nobody in pool Large companies can take it now: 1 away, 1 returned. It is looked at again at 2026-03-03 09:00 UTC, or as soon as somebody can.",
			},
		},
		"a signal shortens the clock": {
			when: changed(qualified(500), func(s *lead.State) { s.TakeWithin = 30 * time.Minute }),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 12, 30), reasons: []string{"", ""}},
		},
		"and never makes it longer": {
			when: changed(qualified(500), func(s *lead.State) { s.TakeWithin = 9 * time.Hour }),
			then: then{member: "dan", rule: "large-companies", takeBy: at(2, 16, 0), reasons: []string{"", ""}},
		},
		"an exception chooses pool and time": {
			edits: []string{"reasons:\n", "overlays:\n  - id: new\n    text: New.\n    until: 2026-03-02T12:00:01Z\n    pool: large-companies\n    take_within: 20m\nreasons:\n"},
			when:  qualified(80),
			then:  then{member: "dan", rule: "everything-else", takeBy: at(2, 12, 20), reasons: []string{"", ""}},
		},
		"until its end": {
			edits: []string{"reasons:\n", "overlays:\n  - id: new\n    text: New.\n    until: 2026-03-02T12:00:00Z\n    pool: large-companies\n    take_within: 20m\nreasons:\n"},
			given: func(w *world) { w.away("ana", time.Time{}); w.away("chloe", time.Time{}); w.away("dan", time.Time{}) },
			when:  qualified(80),
			then:  then{member: "ben", rule: "everything-else", takeBy: at(2, 14, 0), reasons: []string{"away", "", "away"}},
		},
		"nobody there": {
			members: []string{"ana", "dan"}, given: func(w *world) { w.roster(&routingv1.MemberDeactivated{Member: "dan"}) }, when: qualified(500),
			then: then{
				blocked: "empty-pool", reasons: []string{"not-known", "deactivated"},
				text: "Nobody in pool Large companies can take it now: 1 deactivated, 1 not known. It goes out as soon as somebody can.",
			},
		},
		"no rule fits": {
			edits: narrow, when: qualified(9),
			then: then{
				blocked: "no-handoff",
				text:    "No handoff rule of the agreement (version 1) fits a lead of stage Marketing qualified lead; add one, or widen a condition.",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := test.members
			if members == nil {
				members = everybody
			}
			w := newWorld(t, document(t, test.edits...), members...)
			if test.given != nil {
				test.given(w)
			}
			said := w.nextBy(test.logic, test.when)
			if said == nil {
				t.Fatal("nothing is due on the lead")
			}
			var got then
			var considered []*leadv1.Candidate
			switch body := said.Body.(type) {
			case *leadv1.LeadOffered:
				got = then{member: body.GetMember(), rule: body.GetRule(), takeBy: body.GetTakeBy().AsTime()}
				considered = body.GetConsidered()
				if said.Step.GetMember() != body.GetMember() || !said.Step.GetTakeBy().AsTime().Equal(got.takeBy) || said.Step.GetOffer() != body.GetOffer() {
					t.Errorf("the pool's step %v does not say what the lead's event says", said.Step)
				}
			case *leadv1.LeadQueued:
				got = then{blocked: body.GetBlockedBy(), text: body.GetText()}
				if body.GetLookAgainAt() != nil {
					got.look = body.GetLookAgainAt().AsTime()
				}
				considered = body.GetConsidered()
				if said.Step.GetBlockedBy() != got.blocked || !proto.Equal(said.Step.GetLookAgainAt(), body.GetLookAgainAt()) || !said.Step.GetWaitingSince().AsTime().Equal(test.when.WaitingSince) {
					t.Errorf("the pool's step %v does not say what the lead's event says", said.Step)
				}
			}
			for _, c := range considered {
				got.reasons = append(got.reasons, c.GetReason())
				if c.GetEligible() != (c.GetReason() == "") || (c.GetReason() == "") != (c.GetText() == "") {
					t.Errorf("%v is neither able nor kept by a reason in words", c)
				}
			}
			if diff := cmp.Diff(test.then, got, cmp.AllowUnexported(then{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNothingIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	unsigned := newWorld(t, nil, everybody...)
	in := func(state leadv1.State) *lead.State {
		return changed(qualified(80), func(s *lead.State) { s.State = state })
	}
	for name, test := range map[string]struct {
		w *world
		s *lead.State
	}{
		"nothing is agreed":       {unsigned, qualified(80)},
		"history":                 {w, changed(qualified(80), func(s *lead.State) { s.Historical = true })},
		"not qualified":           {w, changed(qualified(80), func(s *lead.State) { s.Stage = leadv1.Stage_STAGE_LEAD })},
		"rejected into nurture":   {w, changed(qualified(80), func(s *lead.State) { s.Consequence = leadv1.Consequence_CONSEQUENCE_NURTURE })},
		"the offer still stands":  {w, changed(in(leadv1.State_STATE_OFFERED), func(s *lead.State) { s.OfferedTo, s.TakeBy = "ana", monday.Add(time.Nanosecond) })},
		"not known":               {w, &lead.State{ID: "l1"}},
		"received":                {w, in(leadv1.State_STATE_RECEIVED)},
		"held":                    {w, in(leadv1.State_STATE_HELD)},
		"accepted":                {w, in(leadv1.State_STATE_ACCEPTED)},
		"working":                 {w, in(leadv1.State_STATE_WORKING)},
		"won":                     {w, in(leadv1.State_STATE_WON)},
		"lost":                    {w, in(leadv1.State_STATE_LOST)},
		"nurturing":               {w, in(leadv1.State_STATE_NURTURING)},
		"refused":                 {w, in(leadv1.State_STATE_REFUSED)},
		"waiting for the same":    {newWorld(t, document(t)), changed(in(leadv1.State_STATE_WAITING), func(s *lead.State) { s.BlockedBy, s.Pool = "empty-pool", "inside-sales" })},
		"waiting, no rule as yet": {newWorld(t, document(t, narrow...)), changed(qualified(9), func(s *lead.State) { s.State, s.BlockedBy = leadv1.State_STATE_WAITING, "no-handoff" })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if said := test.w.next(test.s); said != nil {
				t.Errorf("said %v", said.Body)
			}
		})
	}
}

func TestTimeOutAtTheDueInstant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	due := monday.Add(-time.Minute)
	s := changed(qualified(80), func(s *lead.State) {
		s.State, s.OfferedTo, s.Offers, s.TakeBy, s.Pool, s.Group = leadv1.State_STATE_OFFERED, "ben", 3, due, "inside-sales", "sales"
	})
	want := &Said{
		Body:  &leadv1.OfferTimedOut{Member: "ben", Offer: 3, DueAt: timestamppb.New(due), FiredAt: timestamppb.New(monday)},
		Group: "sales",
		Step:  &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_RELEASED, LeadId: "l1", Pool: "inside-sales", Member: "ben", Offer: 3},
	}
	if diff := cmp.Diff(want, w.next(s), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s.TakeBy = monday
	if said := w.next(s); said == nil {
		t.Error("at the due instant itself the offer still stands")
	}
}

// A waiting lead says again what it waits for when the rule changes, or when
// the moment at which it is looked at changes: else nobody would look then.
func TestWaitingSaysWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.away("chloe", monday.Add(time.Hour))
	w.away("dan", monday.Add(2*time.Hour))
	waiting := func(blocked, pool string, look time.Time) *lead.State {
		return changed(qualified(500), func(s *lead.State) {
			s.State, s.BlockedBy, s.Pool, s.LookAgainAt, s.Declined = leadv1.State_STATE_WAITING, blocked, pool, look, []string{"chloe"}
		})
	}
	for name, test := range map[string]struct {
		s     *lead.State
		quiet bool
	}{
		"the same":       {waiting("away", "large-companies", monday.Add(time.Hour)), true},
		"another rule":   {waiting("full", "large-companies", monday.Add(time.Hour)), false},
		"another pool":   {waiting("away", "inside-sales", monday.Add(time.Hour)), false},
		"another moment": {waiting("away", "large-companies", monday.Add(3*time.Hour)), false},
		"no moment":      {waiting("away", "large-companies", time.Time{}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := w.next(test.s)
			if (said == nil) != test.quiet {
				t.Fatalf("said %v", said)
			}
			if said == nil {
				return
			}
			if body, ok := said.Body.(*leadv1.LeadQueued); !ok || body.GetBlockedBy() != "away" || !body.GetLookAgainAt().AsTime().Equal(monday.Add(time.Hour)) {
				t.Errorf("said %v", said.Body)
			}
		})
	}
}
