package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/routing"
)

// clocked is the starter agreement with clocks: a lead is taken within 4 hours of
// work, touched within 8, and followed up every two days.
const clocked = `
clocks:
  - id: take
    title: Taken
    text: A qualified lead is taken.
    department: sales
    starts: qualified
    stops: [accepted, nurtured]
    limit: 4h
    remind_before: 1h
    steps:
      - {after: 1h, tell: [manager], text: Nobody has taken this lead.}
      - {after: 20m, tell: [nobody-here], text: Nobody is left to hear this.}
      - {after: 2h, tell: [dan], text: Still nobody has.}
  - id: touch
    title: First touch
    text: Whoever took a lead speaks with the person.
    department: sales
    starts: accepted
    stops: [touched, rejected]
    limit: 8h
    steps:
      - {after: 1h, tell: [owner, manager], text: The person waits.}
  - id: follow
    title: Follow-up
    text: Whoever has a lead goes on with it.
    department: sales
    starts: accepted
    stops: [rejected]
    restarts_on_touch: true
    time: clock
    limit: 48h
    steps:
      - {after: 24h, tell: [manager], text: This lead lies still., at_once: true}
`

// startClocked starts a house whose agreement has clocks, and time enough to take a
// lead, so that whoever was offered one has it for as long as the tests look.
func startClocked(t *testing.T, cfg Config, edits ...string) *house {
	t.Helper()
	h := start(t, cfg)
	h.team("ana", "ben", "chloe", "dan")
	edits = append(edits, "take_within: 2h\n", "take_within: 60h\n", "take_within: 4h\n", "take_within: 60h\n")
	h.agree([]byte(strings.NewReplacer(edits...).Replace(string(h.document()) + clocked)))
	return h
}

// said are what clocks said of a lead, as type, clock, due and whom.
func (h *house) saidByClocks(id string) (out []string) {
	h.t.Helper()
	for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), lead.SubjectOf(id))) {
		at := e.Occurred.Format("Mon 15:04")
		switch b := e.Body.(type) {
		case *leadv1.ClockReminded:
			out = append(out, fmt.Sprintf("%s reminded %s %v", b.GetClock().GetClock(), at, b.GetTell()))
		case *leadv1.ClockBreached:
			out = append(out, fmt.Sprintf("%s breached %s %s", b.GetClock().GetClock(), at, b.GetMember()))
		case *leadv1.ClockEscalated:
			out = append(out, fmt.Sprintf("%s step %d %s %v", b.GetClock().GetClock(), b.GetStep(), at, b.GetTell()))
		case *leadv1.ClockRestated:
			out = append(out, fmt.Sprintf("%s restated %v to %v, %v to %v", b.GetClock().GetClock(), b.GetWasBreached(), b.GetBreached(), b.GetWasSpent().AsDuration(), b.GetSpent().AsDuration()))
		}
	}
	return out
}

// fired holds every firing of a log against its due instant: no earlier, no later
// than a second, and each once. It answers how many there are.
func fired(t *testing.T, events []*ledger.Event) (n int) {
	t.Helper()
	once := map[string]bool{}
	for _, e := range events {
		var due, at *timestamppb.Timestamp
		var what string
		switch b := e.Body.(type) {
		case *leadv1.ClockReminded:
			due, at, what = b.GetDueAt(), b.GetFiredAt(), "reminded "+ref(b.GetClock())
		case *leadv1.ClockBreached:
			due, at, what = b.GetDueAt(), b.GetFiredAt(), "breached "+ref(b.GetClock())
		case *leadv1.ClockEscalated:
			due, at, what = b.GetDueAt(), b.GetFiredAt(), fmt.Sprintf("step %d %s", b.GetStep(), ref(b.GetClock()))
			if b.GetHeldUntil() != nil {
				due = b.GetHeldUntil()
			}
		default:
			continue
		}
		n++
		if late := at.AsTime().Sub(due.AsTime()); late < 0 || late > time.Second {
			t.Errorf("%s of %s fired %v after it was due", what, e.Subject, late)
		}
		if !e.Occurred.Equal(due.AsTime()) {
			t.Errorf("%s is dated %v, not %v", what, e.Occurred, due.AsTime())
		}
		if once[e.Subject+what] {
			t.Errorf("%s of %s fired twice", what, e.Subject)
		}
		once[e.Subject+what] = true
	}
	return n
}

func ref(r *leadv1.ClockRef) string {
	return r.GetClock() + r.GetStartedAt().AsTime().Format(time.RFC3339Nano)
}

// heard says that no lead is past a limit of which nobody has heard.
func (h *house) heard() {
	h.t.Helper()
	register, roster, people := h.register, routing.NewRoster(), lead.NewPeople()
	times := routing.NewTimes(register, roster, people)
	courses := map[string]*lead.Course{}
	for _, e := range h.events() {
		roster.Apply(e)
		people.Evolve(e.Subject, e.Seq, e.Occurred, e.Recorded, e.Body)
		times.Apply(e, func(string) string { return "" })
		if id, ok := lead.FromSubject(e.Subject); ok {
			if courses[id] == nil {
				courses[id] = &lead.Course{}
			}
			courses[id].Evolve(e.Body, e.Occurred, e.Recorded)
		}
	}
	for id, c := range courses {
		if late := times.Overruns(id, c, h.time.Now()); len(late) > 0 {
			h.t.Errorf("past a limit without a word: %+v", late)
		}
	}
}

// A lead that nobody takes: reminded, run out, the manager hears, the step of
// somebody who is not here is passed over with its time, and the next follows.
func TestClocksEscalate(t *testing.T) {
	h := startClocked(t, Config{})
	id := h.submit("a", filled(1))
	h.settle()
	who := h.lead(id).GetOfferedTo()
	h.forward(30 * time.Hour)
	same(t, "what the clock said", h.saidByClocks(id), []string{
		"take reminded Mon 12:00 [" + who + "]", "take breached Mon 13:00 " + who, "take step 1 Mon 14:00 [ana]",
		// Due as the day ends, held until dan is back on duty.
		"take step 3 Tue 08:00 [dan]",
	})
	same(t, "how often it fired", fired(t, h.events()), 4)
	h.heard()
	if said := h.sentences(id); !strings.Contains(said, "Clock take ran out on 2026-03-02 13:00 UTC, after 4:00 h; "+who+" had the lead.") {
		t.Errorf("the history does not say that the clock ran out:\n%s", said)
	}
	whole(t, h)
}

// The summer-time weekend of 2026: 72 hours with leads that are taken, touched and
// left lying, on the real server. Breach instants are worked out by hand.
func TestClocksOverASummerTimeWeekend(t *testing.T) {
	friday := time.Date(2026, 3, 27, 14, 0, 0, 0, time.UTC) // 15:00 in Berlin, two hours before the end of the week.
	h := startClocked(t, Config{clock: clock.NewVirtual(friday)})
	began := time.Now()
	service := routingv1.NewRoutingServiceClient(h.conn)
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = h.submit(fmt.Sprint("lead ", i), filled(i))
	}
	h.settle()
	for _, id := range ids[:6] {
		must[*routingv1.AcceptResponse](t)(service.Accept(h.as(h.lead(id).GetOfferedTo()), &routingv1.AcceptRequest{LeadId: id}))
	}
	h.settle()
	h.forward(time.Hour)
	for _, id := range ids[:3] {
		must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(h.lead(id).GetOwner()), &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: "k", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call"}))
	}
	h.settle()
	h.forward(71 * time.Hour)
	took := time.Since(began)
	// Two hours of work on Friday, two on Monday from 09:00, which is 07:00 in UTC by
	// now: the limit of four hours, the reminder an hour before it. From 14:00 on
	// Friday to 14:00 on Monday there are 72 hours, whatever the clocks on the walls
	// show: 48 hours after 14:00 is 14:00 on Sunday, after the touch at 15:00 it is
	// 15:00.
	for i, id := range ids {
		var want []string
		switch {
		case i < 3:
			want = []string{"follow breached Sun 15:00 " + h.lead(id).GetOwner()}
		case i < 6:
			want = []string{"follow breached Sun 14:00 " + h.lead(id).GetOwner(), "touch breached Mon 13:00 " + h.lead(id).GetOwner(), "touch step 1 Mon 14:00 [" + strings.Join(both(h.lead(id).GetOwner(), "ana"), " ") + "]"}
		default:
			want = []string{"take reminded Mon 08:00", "take breached Mon 09:00", "take step 1 Mon 10:00 [ana]", "take step 3 Mon 12:00 [dan]"}
		}
		var got []string
		for _, line := range h.saidByClocks(id) {
			if i < 6 && strings.HasPrefix(line, "follow step") || i >= 6 && strings.HasPrefix(line, "follow") {
				continue
			}
			if i >= 6 && (strings.HasPrefix(line, "take reminded") || strings.HasPrefix(line, "take breached")) {
				line = line[:len("take reminded Mon 08:00")]
			}
			got = append(got, line)
		}
		same(t, fmt.Sprintf("what the clocks said of lead %d", i), got, want)
	}
	n := fired(t, h.events())
	h.heard()
	result := whole(t, h)
	t.Logf("72 virtual hours, %d leads, %d firings in %v; %d decisions derived again", len(ids), n, took.Round(time.Millisecond), result.Decisions)
}

// It stops in the middle of what is due, again and again, and goes on with a clock
// that is an hour off: whatever was said is said once, and nothing before its time.
func TestClocksSurviveRestarts(t *testing.T) {
	cfg := Config{Data: filepath.Join(t.TempDir(), "data")}
	h := startClocked(t, cfg)
	for i := range 30 {
		h.submit(fmt.Sprint("lead ", i), filled(i))
	}
	h.settle()
	tokens, signs := h.tokens, h.signs
	now := h.time.Now()
	for round := range 12 {
		// To the next instant at which something falls due, and away before it is done.
		next, ok := h.time.Next()
		for ok && next.Sub(now) < 10*time.Minute {
			h.time.Set(next)
			h.settle()
			next, ok = h.time.Next()
		}
		if ok {
			h.time.Set(next)
		}
		now = h.time.Now()
		h.stop()
		off := []time.Duration{0, -time.Hour, time.Hour}[round%3]
		cfg.clock = clock.NewVirtual(now.Add(off))
		h = start(t, cfg)
		h.tokens, h.signs = tokens, signs
		h.settle()
		now = h.time.Now()
	}
	h.forward(48 * time.Hour)
	var late int
	seen := map[string]bool{}
	for _, e := range h.events() {
		var r *leadv1.ClockRef
		var due, at time.Time
		what := e.Type
		switch b := e.Body.(type) {
		case *leadv1.ClockReminded:
			r, due, at = b.GetClock(), b.GetDueAt().AsTime(), b.GetFiredAt().AsTime()
		case *leadv1.ClockBreached:
			r, due, at = b.GetClock(), b.GetDueAt().AsTime(), b.GetFiredAt().AsTime()
		case *leadv1.ClockEscalated:
			r, due, at, what = b.GetClock(), b.GetDueAt().AsTime(), b.GetFiredAt().AsTime(), fmt.Sprint("step", b.GetStep())
		default:
			continue
		}
		if at.Before(due) {
			t.Errorf("%s fired %v before it was due", what, due.Sub(at))
		}
		if at.After(due) {
			late++
		}
		key := e.Subject + what + ref(r)
		if seen[key] {
			t.Errorf("%s of %s was said twice", what, e.Subject)
		}
		seen[key] = true
	}
	if len(seen) < 100 {
		t.Errorf("only %d firings; the test shows little", len(seen))
	}
	h.heard()
	whole(t, h)
	t.Logf("%d firings over 12 stops, %d of them late because the clock had jumped", len(seen), late)
}

// A lead is taken, the program starts again with its clock an hour behind, and the
// person is touched: that comes after the lead was taken, whatever the clock shows, and
// stops the clock of the first touch. Nothing is restated.
func TestATouchIsDatedByTheLog(t *testing.T) {
	cfg := Config{Data: filepath.Join(t.TempDir(), "data")}
	h := startClocked(t, cfg)
	id := h.submit("a", filled(1))
	h.settle()
	owner := h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(owner), &routingv1.AcceptRequest{LeadId: id}))
	h.settle()
	tokens, signs, now := h.tokens, h.signs, h.time.Now()
	h.stop()
	cfg.clock = clock.NewVirtual(now.Add(-time.Hour))
	h = start(t, cfg)
	h.tokens, h.signs = tokens, signs
	h.settle()
	must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(owner), &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: "k", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call"}))
	h.settle()
	for _, e := range must[[]*ledger.Event](t)(h.App.log.History(t.Context(), lead.SubjectOf(id))) {
		if e.Type == "baton.lead.v1.OutcomeRecorded" && e.Occurred.Before(now) {
			t.Errorf("the touch is dated %v; the lead was taken at %v", e.Occurred, now)
		}
	}
	h.forward(12 * time.Hour)
	same(t, "what the clocks said", h.saidByClocks(id), []string(nil))
	whole(t, h)
}

// A touch that becomes known after the clock ran out, and happened before: the
// breach stays, the clock is restated, and both readings are shown.
func TestLateTouchRestatesAClock(t *testing.T) {
	h := startClocked(t, Config{})
	id := h.submit("a", filled(1))
	h.settle()
	service := routingv1.NewRoutingServiceClient(h.conn)
	owner := h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(service.Accept(h.as(owner), &routingv1.AcceptRequest{LeadId: id}))
	h.forward(25 * time.Hour)
	touched := monday.Add(3 * time.Hour)
	must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(owner), &feedbackv1.RecordOutcomeRequest{
		LeadId: id, IdempotencyKey: "k", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call", OccurredAt: timestamppb.New(touched),
	}))
	h.settle()
	h.forward(time.Hour)
	same(t, "what the clocks said", h.saidByClocks(id), []string{
		"touch breached Tue 09:00 " + owner,
		"touch step 1 Tue 10:00 [" + strings.Join(both(owner, "ana"), " ") + "]",
		"touch restated true to false, 9h0m0s to 3h0m0s",
	})
	said := bodies[*leadv1.ClockRestated](h, id)
	if len(said) == 1 {
		outcome := must[[]*ledger.Event](t)(h.App.log.History(t.Context(), lead.SubjectOf(id)))
		i := slices.IndexFunc(outcome, func(e *ledger.Event) bool { return e.ID == said[0].GetBecause() })
		if i < 0 || outcome[i].Type != "baton.lead.v1.OutcomeRecorded" {
			t.Errorf("it is not said because of what it was restated: %v", said[0])
		}
	}
	list := must[*routingv1.ListClocksResponse](t)(service.ListClocks(h.as(""), &routingv1.ListClocksRequest{LeadId: id}))
	for _, c := range list.GetClocks() {
		if c.GetRef().GetClock() == "touch" {
			same(t, "the two readings", []any{c.GetBreached(), c.GetSpent().AsDuration(), c.GetFirstSpent().AsDuration(), c.GetStoppedAt().AsTime()}, []any{false, 3 * time.Hour, 9 * time.Hour, touched})
		}
	}
	h.heard()
	whole(t, h)
}

func both(a, b string) []string {
	if a == b {
		return []string{a}
	}
	return []string{a, b}
}

// Ten days without a look by the manager, and one breach: one escalation, until they
// look. With looks: none.
func TestOversight(t *testing.T) {
	for _, looks := range []bool{false, true} {
		t.Run(fmt.Sprint("looks ", looks), func(t *testing.T) {
			h := startClocked(t, Config{}, "    manager: ana\n", "    manager: ana\n    oversight: {look_every: 10d, next: dan}\n")
			h.submit("a", filled(1))
			h.settle()
			service := routingv1.NewRoutingServiceClient(h.conn)
			for range 25 {
				h.forward(24 * time.Hour)
				if looks {
					must[*routingv1.ListQueueResponse](t)(service.ListQueue(h.as("ana"), &routingv1.ListQueueRequest{}))
					must[*routingv1.ListQueueResponse](t)(service.ListQueue(h.as("ana"), &routingv1.ListQueueRequest{}))
				}
				// Whoever is not the manager does not look for them.
				must[*routingv1.ListQueueResponse](t)(service.ListQueue(h.as("ben"), &routingv1.ListQueueRequest{}))
				h.settle()
			}
			var heard []*routingv1.OversightEscalated
			noted := 0
			for _, e := range h.events() {
				switch b := e.Body.(type) {
				case *routingv1.OversightEscalated:
					heard = append(heard, b)
					if !e.Occurred.Equal(b.GetDueAt().AsTime()) {
						t.Errorf("it is dated %v", e.Occurred)
					}
				case *routingv1.PoolLooked:
					noted++
				}
			}
			if looks {
				same(t, "escalations and looks", []int{len(heard), noted}, []int{0, 25})
				whole(t, h)
				return
			}
			if len(heard) != 1 {
				t.Fatalf("%d escalations, not one", len(heard))
			}
			got := heard[0]
			same(t, "the escalation", []any{got.GetPool(), got.GetManager(), got.GetTell(), got.GetBreaches(), got.GetDueAt().AsTime(), got.GetFiredAt().AsTime(), got.GetLookedAt() == nil},
				[]any{"inside-sales", "ana", "dan", int64(1), monday.Add(240 * time.Hour), monday.Add(240 * time.Hour), true})
			// Once they look it begins anew.
			must[*routingv1.ListQueueResponse](t)(service.ListQueue(h.as("ana"), &routingv1.ListQueueRequest{Pool: "inside-sales"}))
			h.submit("b", filled(2))
			h.forward(20 * 24 * time.Hour)
			again := 0
			for _, e := range h.events() {
				if _, ok := e.Body.(*routingv1.OversightEscalated); ok {
					again++
				}
			}
			same(t, "escalations after they looked once", again, 2)
			whole(t, h)
		})
	}
}

// Two people act on one person: once for each pair and time, however often they do;
// whoever gave a lead back acts on it no more.
func TestCollision(t *testing.T) {
	h := startClocked(t, Config{}, "\nclocks:", "\none_owner: {window: 14d}\nclocks:")
	service := routingv1.NewRoutingServiceClient(h.conn)
	form := filled(1)
	collisions := func() (out []*routingv1.CollisionRaised) {
		t.Helper()
		h.settle()
		for _, e := range h.events() {
			if b, ok := e.Body.(*routingv1.CollisionRaised); ok {
				out = append(out, b)
			}
		}
		return out
	}
	// Two leads of one person: one is accepted by one, on the other somebody else calls.
	first := h.submit("a", form)
	h.settle()
	one, other := h.lead(first).GetOfferedTo(), "dan"
	must[*routingv1.AcceptResponse](t)(service.Accept(h.as(one), &routingv1.AcceptRequest{LeadId: first}))
	form["message"] = []string{"again"}
	second := h.submit("b", form)
	same(t, "before the other acts", len(collisions()), 0)
	call := func(key string) {
		t.Helper()
		must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as(other), &qualificationv1.RecordCallRequest{LeadId: second, IdempotencyKey: key}))
	}
	h.time.Set(h.time.Now().Add(time.Minute))
	call("first")
	got := collisions()
	if len(got) != 1 {
		t.Fatalf("%d collisions, not one", len(got))
	}
	same(t, "the collision", []any{got[0].GetLeadId(), got[0].GetMember(), got[0].GetOtherLeadId(), got[0].GetOtherMember(), got[0].GetOtherAt().AsTime()}, []any{second, other, first, one, monday})
	outcome := func(who, id, key string) {
		t.Helper()
		must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(who), &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: key, Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call"}))
	}
	for i := range 4 {
		h.forward(time.Hour)
		outcome(one, first, fmt.Sprint("k", i))
		call(fmt.Sprint("k", i))
	}
	same(t, "within the time", len(collisions()), 1)
	h.forward(15 * 24 * time.Hour)
	outcome(one, first, "later")
	same(t, "one alone after the time", len(collisions()), 1)
	h.forward(time.Hour)
	call("later")
	same(t, "both after the time", len(collisions()), 2)
	whole(t, h)
}

// Whoever gave a lead back, and a qualifier who called before anybody had it, hand
// it over: no collision. Whoever acts on somebody else's lead does collide.
func TestHandoverIsNoCollision(t *testing.T) {
	h := startClocked(t, Config{}, "\nclocks:", "\none_owner: {window: 14d}\nclocks:")
	service := routingv1.NewRoutingServiceClient(h.conn)
	id := h.submit("a", filled(1))
	h.settle()
	one := h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(service.Accept(h.as(one), &routingv1.AcceptRequest{LeadId: id}))
	h.settle()
	must[*routingv1.RejectResponse](t)(service.Reject(h.as(one), &routingv1.RejectRequest{LeadId: id, Reason: "no-time"}))
	h.settle()
	two := h.lead(id).GetOfferedTo()
	h.time.Set(h.time.Now().Add(time.Minute))
	must[*routingv1.AcceptResponse](t)(service.Accept(h.as(two), &routingv1.AcceptRequest{LeadId: id}))
	h.settle()
	count := func() (n int) {
		for _, e := range h.events() {
			if _, ok := e.Body.(*routingv1.CollisionRaised); ok {
				n++
			}
		}
		return n
	}
	if one == two || two == "" {
		t.Fatalf("the lead is with %q after %q", two, one)
	}
	same(t, "after a handover", count(), 0)
	h.time.Set(h.time.Now().Add(time.Minute))
	must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as("dan"), &qualificationv1.RecordCallRequest{LeadId: id, IdempotencyKey: "c", Reached: true, FitConfirmed: true}))
	h.settle()
	same(t, "after somebody else called", count(), 1)
	whole(t, h)
}

// What the commands show: the clocks of one lead, and those that have run out.
func TestClockCommands(t *testing.T) {
	h := startClocked(t, Config{})
	id, other := h.submit("a", filled(1)), h.submit("b", filled(2))
	h.settle()
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(h.lead(other).GetOfferedTo()), &routingv1.AcceptRequest{LeadId: other}))
	h.settle()
	at := []string{"--server", h.GRPCAddr, "--token", h.admin}
	show := func(args ...string) string { return ok(t, append(args, at...)...) }
	holds := func(what, text string, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not show %q:\n%s", what, w, text)
			}
		}
	}
	holds("lead clocks", show("lead", "clocks", id), "Taken", "sales", "4:00 h of work", "2026-03-02T13:00:00Z", "runs", "Waited with marketing 0:00 h, with sales 0:00 h.")
	holds("clock list --breached", show("clock", "list", "--breached"), "No clock has run out and still runs.")
	h.forward(5 * time.Hour)
	list := show("clock", "list", "--breached")
	holds("clock list --breached", list, id, "5:00", "ran out, step 1 taken")
	if strings.Contains(list, other) {
		t.Errorf("clock list --breached shows a lead on which nothing has run out:\n%s", list)
	}
	holds("clock list", show("clock", "list"), id, other, "First touch", "Follow-up")
	holds("lead clocks of the taken one", show("lead", "clocks", other), "Taken", "stopped 2026-03-02T09:00:00Z", "First touch")
	holds("as JSON", show("lead", "clocks", other, "--format", "json"), `"limit":`, `"department":`)
}

// Two who say what clocks come to, such as a router and the one that takes over from
// it, wake at the same instant: the log takes it once.
func TestTwoRoutersSayAClockOnce(t *testing.T) {
	h := startClocked(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	second := must[*ledger.Desk](t)(h.App.log.Desk(ctx, h.clocks, ledger.DeskConfig{}))
	t.Cleanup(func() { cancel(); <-second.Stopped() })
	for i := range 20 {
		h.submit(fmt.Sprint(i), filled(i))
	}
	h.settle()
	for range 30 {
		h.forward(time.Hour)
		if err := h.App.log.Settle(t.Context(), second.Idle, h.clockDesk.Idle); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "firings", fired(t, h.events()), 80)
	whole(t, h)
}
