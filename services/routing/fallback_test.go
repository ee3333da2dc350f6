package routing

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// The stand-in pool has a group and people of its own.
var otherGroup = []string{"title: Inside sales\n    group: sales", "title: Inside sales\n    group: inside", "- member: chloe\n  - id: large-companies", "- member: eve\n  - id: large-companies"}

// Goes red if: the stand-in is asked too soon or never, the lead stays in the line that
// it came from, or the stand-in pool's turn is counted elsewhere.
func TestTheStandInPoolGetsWhatNobodyTook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, slices.Concat(large("fallback: {after: 3h, pool: inside-sales}"), otherGroup)...), "ana", "ben", "chloe", "dan", "eve")
	w.check = w.everyPrefix
	w.away("chloe", time.Time{})
	w.away("dan", hour(3, 12, 0))
	w.until(hour(1, 15, 0))
	w.qualify("a", 500)
	w.settle()
	// Three hours of work from 15:00 end at 10:00 of the next day.
	queued := w.last("a").(*leadv1.LeadQueued)
	if !queued.GetFallbackAt().AsTime().Equal(hour(2, 10, 0)) || !queued.GetLookAgainAt().AsTime().Equal(hour(2, 10, 0)) || queued.GetBlockedBy() != "away" {
		t.Fatalf("it waits with %v", queued)
	}
	if want := "Nobody in pool Large companies can take it now: 2 away. It is looked at again at 2026-03-04 12:00 UTC, or as soon as somebody can. If nobody can by 2026-03-03 10:00 UTC, it goes to pool Inside sales, which stands in."; queued.GetText() != want {
		t.Errorf("it says\n%s\nwant\n%s", queued.GetText(), want)
	}
	if line := w.folds.groups.Group("sales").Line["a"]; !line.FallbackAt.Equal(hour(2, 10, 0)) {
		t.Errorf("in line it has %+v", line)
	}
	w.until(hour(2, 10, 0).Add(-time.Nanosecond))
	if w.folds.state("a").State != leadv1.State_STATE_WAITING {
		t.Fatalf("too soon: %v", w.last("a"))
	}
	*w.folds.groups = *carriedOver(t, w.folds.groups)
	w.until(hour(2, 10, 0))
	body, ok := w.last("a").(*leadv1.LeadOffered)
	if !ok || body.GetPool() != "inside-sales" || body.GetGroup() != "inside" || body.GetFallbackFrom() != "large-companies" || body.GetTurn() != leadv1.TurnKind_TURN_KIND_ROTATION || body.GetTurnNumber() != 1 {
		t.Fatalf("at its time it says %v", w.last("a"))
	}
	// It stays with the stand-in: whoever declines it there is followed by the next.
	first := body.GetMember()
	w.back("chloe")
	if err := w.reject("a", first, "no-time"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if body := w.last("a").(*leadv1.LeadOffered); body.GetPool() != "inside-sales" || body.GetMember() == first || body.GetFallbackFrom() != "large-companies" {
		t.Errorf("after %s declined it says %v", first, body)
	}
	if got, want := w.steps("sales", "a"), []string{"queued", "left"}; !slices.Equal(got, want) {
		t.Errorf("the group that it left saw %v, want %v", got, want)
	}
	// Qualified again, it begins where its rule says.
	if err := w.reject("a", w.holderOf("a"), "not-ready"); err != nil {
		t.Fatal(err)
	}
	w.say("qualification", "a", nurtured("rejected"), mql())
	w.settle()
	if body := w.last("a").(*leadv1.LeadOffered); body.GetPool() != "large-companies" || body.GetFallbackFrom() != "" {
		t.Errorf("qualified again it says %v", body)
	}
	w.wellKept()
}

// Nobody of the stand-in pool can either: it waits in that line, and somebody of it who
// comes gets it.
func TestItWaitsInTheLineOfTheStandIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, slices.Concat(large("fallback: {after: 1h, pool: inside-sales}"), otherGroup)...), "ana", "dan")
	w.away("dan", time.Time{})
	w.away("ana", time.Time{})
	w.qualify("a", 500)
	w.settle()
	w.until(hour(1, 13, 0))
	body, ok := w.last("a").(*leadv1.LeadQueued)
	if !ok || body.GetPool() != "inside-sales" || body.GetFallbackFrom() != "large-companies" || body.GetFallbackAt() != nil || !strings.HasPrefix(body.GetText(), "Nobody in pool Inside sales, which stands in for Large companies, can take it now: 1 away, 2 not known.") {
		t.Fatalf("it says %v", w.last("a"))
	}
	if place := w.folds.groups.Group("inside").Line["a"]; !place.Since.Equal(monday) {
		t.Errorf("its place in line is %+v", place)
	}
	w.back("ana")
	w.settle()
	if w.holderOf("a") != "ana" {
		t.Errorf("ana is back, and it says %v", w.last("a"))
	}
	w.wellKept()
}

// Each row: how the person who stands in stands, and what becomes of the lead after
// the agreed time.
func TestThePersonWhoStandsIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// given is done before the lead comes; at is when it goes, zero = it waits.
		given func(w *world)
		at    time.Time
		says  string
	}{
		"is there":                         {nil, hour(1, 14, 0), ""},
		"is off duty":                      {func(w *world) { w.agree(document(w.t, standsInAna(true)...), w.now) }, hour(1, 14, 0), ""},
		"holds as many as they may":        {func(w *world) { w.qualify("x", 80); w.settle(); _ = w.accept("x", "ana") }, hour(1, 14, 0), ""},
		"is away until a time":             {func(w *world) { w.away("ana", hour(1, 15, 30)) }, hour(1, 15, 30), "It would go to ana, who stands in, but ana is away until 2026-03-02 15:30 UTC."},
		"is away":                          {func(w *world) { w.away("ana", time.Time{}) }, time.Time{}, "It would go to ana, who stands in, but ana is away."},
		"has left":                         {func(w *world) { w.roster(&routingv1.MemberDeactivated{Member: "ana", Reason: "left"}) }, time.Time{}, "It would go to ana, who stands in, but ana was taken out of every pool."},
		"somebody of the pool is sooner":   {func(w *world) { w.away("dan", hour(1, 13, 0)) }, hour(1, 13, 0), ""},
		"somebody of the pool can as well": {func(w *world) { w.away("dan", hour(1, 14, 0)) }, hour(1, 14, 0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, document(t, standsInAna(false)...), everybody...)
			for _, m := range []string{"ben", "chloe", "dan"} {
				w.away(m, time.Time{})
			}
			if test.given != nil {
				test.given(w)
			}
			w.settle()
			w.qualify("a", 500)
			w.settle()
			if test.at.IsZero() {
				w.until(hour(3, 12, 0))
			} else {
				w.until(test.at.Add(-time.Nanosecond))
			}
			queued, ok := w.last("a").(*leadv1.LeadQueued)
			if !ok || w.folds.state("a").State != leadv1.State_STATE_WAITING {
				t.Fatalf("it does not wait: %v", w.last("a"))
			}
			if test.says != "" && !strings.HasSuffix(queued.GetText(), test.says) {
				t.Errorf("it says\n%s\nwant at its end\n%s", queued.GetText(), test.says)
			}
			if test.at.IsZero() {
				return
			}
			w.until(test.at)
			body, ok := w.last("a").(*leadv1.LeadOffered)
			if !ok {
				t.Fatalf("at its time it says %v", w.last("a"))
			}
			if strings.HasPrefix(name, "somebody") {
				if body.GetMember() != "dan" || body.GetFallbackFrom() != "" || body.GetChosenBy() == "fallback" {
					t.Errorf("at its time it says %v", body)
				}
				return
			}
			if body.GetMember() != "ana" || body.GetChosenBy() != "fallback" || body.GetTurn() != leadv1.TurnKind_TURN_KIND_OVERRIDE || body.GetFallbackFrom() != "large-companies" || body.GetPool() != "large-companies" {
				t.Errorf("at its time it says %v", body)
			}
			if want := `Offered to ana by rule "large-companies" of the agreement (version ` + string(rune('0'+w.versions)) + `): nobody in pool Large companies could take it for the agreed time, and ana stands in.`; body.GetSummary() != want {
				t.Errorf("it says\n%s\nwant\n%s", body.GetSummary(), want)
			}
			if turns := w.folds.groups.Group("sales").Rotations["large-companies"]; turns != nil {
				t.Errorf("the rotation of the pool counts %d turns", turns.Turns())
			}
			w.wellKept()
		})
	}
}

// standsInAna edits: ana stands in for the large companies after two hours, and keeps
// the hours of nobody where that is asked.
func standsInAna(atNight bool) []string {
	edits := append(large("fallback: {after: 2h, member: ana}"), "capacity: 50", "capacity: 1")
	if atNight {
		edits = append(edits, "\ncalendars:\n", "\ncalendars:\n  night:\n    zone: UTC\n    hours: {sat: [\"01:00-02:00\"]}\n", "- member: ana", "- member: ana\n        calendar: night")
	}
	return edits
}

// Whoever stands in and lets it run out is not asked again before the others were.
func TestTheStandInLetsItRunOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, standsInAna(false)...), everybody...)
	w.away("chloe", time.Time{})
	w.away("dan", time.Time{})
	w.qualify("a", 500)
	w.settle()
	w.until(hour(1, 14, 0))
	if w.holderOf("a") != "ana" {
		t.Fatalf("at its time it says %v", w.last("a"))
	}
	w.until(hour(3, 12, 0))
	if body, ok := w.last("a").(*leadv1.LeadQueued); !ok || !strings.HasSuffix(body.GetText(), "It would go to ana, who stands in, but ana let this lead run out.") {
		t.Fatalf("after her time it says %v", w.last("a"))
	}
	w.roster(&routingv1.AvailabilityChanged{Member: "dan", Until: timestamppb.New(w.now)})
	w.settle()
	if w.holderOf("a") != "dan" {
		t.Errorf("dan is back, and it says %v", w.last("a"))
	}
	w.wellKept()
}
