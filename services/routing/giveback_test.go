package routing

import (
	"strings"
	"testing"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// forGood is what the starter says of when a lead is somebody's for good.
const forGood = "accepted_by_default:\n  within: 24h\n"

func touchedOut(member, direction string) *leadv1.OutcomeRecorded {
	return &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: member, Direction: direction}
}

func TestReasonWaitsForItsAttempts(t *testing.T) {
	// By the starter a person who was not reached was tried three times.
	w := newWorld(t, document(t), "ana")
	w.qualify("l1", 20)
	w.settle()
	if err := w.accept("l1", "ana"); err != nil {
		t.Fatal(err)
	}
	refused := func(done, left string) {
		t.Helper()
		err := w.reject("l1", "ana", "unreachable")
		if !fault.Is(err, fault.State) || !strings.Contains(err.Error(), done+" are recorded, so "+left+" more") {
			t.Fatalf("rejected after %s: %v; want to hear that %s are missing", done, err, left)
		}
	}
	refused("0", "3")
	w.say("feedback", "l1", touchedOut("ana", "out"), touchedOut("ana", ""))
	refused("2", "1")
	// That they called is no attempt at them.
	w.say("feedback", "l1", touchedOut("ana", "in"))
	refused("2", "1")
	w.say("feedback", "l1", touchedOut("ana", "out"))
	if err := w.reject("l1", "ana", "unreachable"); err != nil {
		t.Fatalf("after three: %v", err)
	}
	if s := w.folds.state("l1"); s.Reason != "unreachable" || s.Owner != "" {
		t.Errorf("the lead is with %q, for %q", s.Owner, s.Reason)
	}
}

func TestAcceptedForGood(t *testing.T) {
	w := newWorld(t, document(t, forGood, "accepted_by_default:\n  within: 8h\n"), "ana")
	for _, id := range []string{"l1", "l2"} {
		w.qualify(id, 20)
		w.settle()
		if err := w.accept(id, "ana"); err != nil {
			t.Fatal(err)
		}
	}
	// Monday noon and eight working hours: Tuesday noon, by the calendar of its pool.
	w.until(monday.Add(24*time.Hour - time.Minute))
	if err := w.reject("l1", "ana", "no-fit"); err != nil {
		t.Fatalf("a minute before it is for good: %v", err)
	}
	w.until(monday.Add(24 * time.Hour))
	err := w.reject("l2", "ana", "no-fit")
	if !fault.Is(err, fault.State) || !strings.Contains(err.Error(), "accepted for good since 2026-03-03 12:00") || !strings.Contains(err.Error(), "lost") || !strings.Contains(err.Error(), "dispute") {
		t.Fatalf("when it is for good: %v", err)
	}
	// What nobody has accepted yet can still be declined.
	w.qualify("l3", 20)
	w.settle()
	w.until(monday.Add(24*time.Hour + 10*time.Minute))
	if err := w.reject("l3", "ana", "no-fit"); err != nil {
		t.Errorf("an offer: %v", err)
	}
}

func TestWhatIsNotAgreedHoldsNothingBack(t *testing.T) {
	w := newWorld(t, document(t, forGood, ""), "ana")
	w.qualify("l1", 20)
	w.settle()
	if err := w.accept("l1", "ana"); err != nil {
		t.Fatal(err)
	}
	w.until(monday.Add(90 * 24 * time.Hour))
	if err := w.reject("l1", "ana", "no-fit"); err != nil {
		t.Errorf("without an end to it: %v", err)
	}
}

func TestPlaceMember(t *testing.T) {
	w := newWorld(t, document(t), "ana")
	place := func(from time.Time, body *routingv1.MemberPlaced) error {
		body.Member = "ana"
		return w.command("", "op", &member{subject: "org.member.ana", handle: "ana", body: body, from: from})
	}
	if err := place(time.Time{}, &routingv1.MemberPlaced{Team: "north", Manager: "mia", Office: "berlin"}); err != nil {
		t.Fatal(err)
	}
	// It becomes known later where she was before.
	if err := place(monday.Add(-48*time.Hour), &routingv1.MemberPlaced{Team: "south"}); err != nil {
		t.Fatal(err)
	}
	ana := w.folds.roster.Member("ana")
	for _, one := range []struct {
		at   time.Time
		want Placement
	}{
		{monday.Add(-72 * time.Hour), Placement{}},
		{monday.Add(-time.Hour), Placement{From: monday.Add(-48 * time.Hour), Team: "south"}},
		{monday, Placement{From: monday, Team: "north", Manager: "mia", Office: "berlin"}},
	} {
		if got := ana.PlaceAt(one.at); got != one.want {
			t.Errorf("at %s: %+v; want %+v", one.at, got, one.want)
		}
	}
	for name, test := range map[string]struct {
		from time.Time
		body *routingv1.MemberPlaced
		want fault.Kind
	}{
		"to come":         {monday.Add(time.Hour), &routingv1.MemberPlaced{Team: "west"}, fault.Invalid},
		"her own manager": {time.Time{}, &routingv1.MemberPlaced{Manager: "ana"}, fault.Invalid},
	} {
		if err := place(test.from, test.body); !fault.Is(err, test.want) {
			t.Errorf("%s: %v; want %s", name, err, test.want)
		}
	}
	if err := w.command("", "op", &member{subject: "org.member.zoe", handle: "zoe", body: &routingv1.MemberPlaced{Member: "zoe"}}); !fault.Is(err, fault.NotFound) {
		t.Errorf("somebody unknown: %v", err)
	}
}
