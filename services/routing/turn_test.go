package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// holderOf is who holds a lead by its own events.
func (w *world) holderOf(id string) string {
	member, _ := w.folds.state(id).Held()
	return member
}

// steps are what happened to a group, as words, for a lead; "" = all leads.
func (w *world) steps(group, id string) (out []string) {
	for _, e := range w.events {
		body, ok := e.Body.(*routingv1.PoolAdvanced)
		if !ok || e.Subject != lead.SubjectPool+group {
			continue
		}
		for _, step := range body.GetSteps() {
			if id == "" || step.GetLeadId() == id {
				out = append(out, strings.ToLower(strings.TrimPrefix(step.GetKind().String(), "STEP_KIND_")))
			}
		}
	}
	return out
}

func outcome(kind leadv1.OutcomeKind, member string) *leadv1.OutcomeRecorded {
	return &leadv1.OutcomeRecorded{Kind: kind, Member: member}
}

func TestOfferRunsOutAndGoesToTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.qualify("a", 500)
	w.settle()
	first := w.holderOf("a")
	w.until(monday.Add(4*time.Hour - time.Nanosecond))
	if w.holderOf("a") != first || first == "" {
		t.Fatalf("before its time the lead is with %q, was with %q", w.holderOf("a"), first)
	}
	before := len(w.events)
	w.until(monday.Add(4 * time.Hour))
	second := w.holderOf("a")
	if second == "" || second == first {
		t.Fatalf("the lead is with %q after %q let it run out", second, first)
	}
	said := w.said("a", before)
	if len(said) != 2 {
		t.Fatalf("said %v, want the time-out and the next offer", said)
	}
	if out := said[0].(*leadv1.OfferTimedOut); out.GetMember() != first || !out.GetDueAt().AsTime().Equal(monday.Add(4*time.Hour)) {
		t.Errorf("said %v", out)
	}
	if next := said[1].(*leadv1.LeadOffered); next.GetOffer() != 2 || next.GetMember() != second {
		t.Errorf("said %v", next)
	}
	// The second sleeps as well: then it is open to both again.
	w.until(monday.AddDate(0, 0, 1).Add(time.Hour))
	if member := w.holderOf("a"); member == "" {
		t.Fatalf("after both let it run out the lead is with nobody: %v", w.last("a"))
	}
	if got, want := w.steps("sales", "a"), []string{"offered", "released", "offered", "released", "offered"}; !slices.Equal(got, want) {
		t.Errorf("the pool saw %v, want %v", got, want)
	}
	if load := w.folds.groups.Group("sales").Load; len(load) != 1 || load[w.holderOf("a")] != 1 {
		t.Errorf("loads %v for one lead with %s", load, w.holderOf("a"))
	}
}

func TestOfferThatRanOutIsDatedAtItsInstant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.qualify("a", 80)
	w.settle()
	// The process slept: it looks an hour late.
	w.now = monday.Add(3 * time.Hour)
	w.settle()
	i := slices.IndexFunc(w.events, func(e *ledger.Event) bool { _, ok := e.Body.(*leadv1.OfferTimedOut); return ok })
	if i < 0 {
		t.Fatal("the offer has not run out")
	}
	if e := w.events[i]; !e.Occurred.Equal(monday.Add(2*time.Hour)) || !e.Recorded.Equal(w.now) {
		t.Errorf("it occurred at %s and was recorded at %s", e.Occurred, e.Recorded)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	// By the starter: a large company, chloe first away, so dan has it.
	start := func(t *testing.T) *world {
		w := newWorld(t, document(t), everybody...)
		w.away("chloe", time.Time{})
		w.qualify("a", 500)
		w.settle()
		w.back("chloe")
		w.settle()
		return w
	}
	type then struct {
		state  leadv1.State
		holder string
		load   map[string]int64
		// owners are what the person's timeline was told.
		owners []string
		fault  string
	}
	none := map[string]int64{}
	tests := map[string]struct {
		do   func(w *world) error
		then then
	}{
		"offered": {
			func(*world) error { return nil },
			then{state: leadv1.State_STATE_OFFERED, holder: "dan", load: map[string]int64{"dan": 1}},
		},
		"accepted": {
			func(w *world) error { return w.accept("a", "dan") },
			then{state: leadv1.State_STATE_ACCEPTED, holder: "dan", load: map[string]int64{"dan": 1}, owners: []string{"dan"}},
		},
		"accepted by another": {
			func(w *world) error { return w.accept("a", "chloe") },
			then{state: leadv1.State_STATE_OFFERED, holder: "dan", load: map[string]int64{"dan": 1}, fault: "the lead is offered to dan; only they can accept it"},
		},
		"accepted twice": {
			func(w *world) error { _ = w.accept("a", "dan"); return w.accept("a", "dan") },
			then{state: leadv1.State_STATE_ACCEPTED, holder: "dan", load: map[string]int64{"dan": 1}, owners: []string{"dan"}, fault: "the lead is accepted, not offered to anybody"},
		},
		"accepted at the very end": {
			func(w *world) error {
				// The clock has moved and nobody has looked yet.
				w.now = monday.Add(4 * time.Hour)
				return w.accept("a", "dan")
			},
			then{state: leadv1.State_STATE_OFFERED, holder: "chloe", load: map[string]int64{"chloe": 1}, fault: "the offer ran out at 2026-03-02 16:00 UTC"},
		},
		"rejected to the next": {
			func(w *world) error { return w.reject("a", "dan", "no-time") },
			then{state: leadv1.State_STATE_OFFERED, holder: "chloe", load: map[string]int64{"chloe": 1}},
		},
		"rejected by both: open to both again": {
			func(w *world) error {
				_ = w.reject("a", "dan", "no-time")
				err := w.reject("a", "chloe", "not-my-field")
				if holder := w.holderOf("a"); holder == "chloe" {
					// In the second round it is dan's turn once she has declined twice.
					return w.reject("a", "chloe", "not-my-field")
				}
				return err
			},
			then{state: leadv1.State_STATE_OFFERED, holder: "dan", load: map[string]int64{"dan": 1}},
		},
		"rejected into nurture waits for qualification to say so": {
			func(w *world) error { return w.reject("a", "dan", "not-ready") },
			then{state: leadv1.State_STATE_QUALIFIED, load: none},
		},
		"rejected for good": {
			func(w *world) error { return w.reject("a", "dan", "not-genuine") },
			then{state: leadv1.State_STATE_LOST, load: none},
		},
		"rejected by its owner": {
			func(w *world) error { _ = w.accept("a", "dan"); return w.reject("a", "dan", "no-time") },
			then{state: leadv1.State_STATE_OFFERED, holder: "chloe", load: map[string]int64{"chloe": 1}, owners: []string{"dan", ""}},
		},
		"rejected by another": {
			func(w *world) error { return w.reject("a", "chloe", "no-time") },
			then{state: leadv1.State_STATE_OFFERED, holder: "dan", load: map[string]int64{"dan": 1}, fault: "the lead is with dan; only they can reject it"},
		},
		"rejected for a reason that is not agreed": {
			func(w *world) error { return w.reject("a", "dan", "bored") },
			then{state: leadv1.State_STATE_OFFERED, holder: "dan", load: map[string]int64{"dan": 1}, fault: `"bored" is not an agreed reason; use one of not-my-field, no-time, not-ready, no-fit, unreachable, not-genuine`},
		},
		"a lead that there is not": {
			func(w *world) error { return w.accept("z", "dan") },
			then{state: leadv1.State_STATE_OFFERED, holder: "dan", load: map[string]int64{"dan": 1}, fault: "there is no lead z"},
		},
		"won": {
			func(w *world) error {
				_ = w.accept("a", "dan")
				w.say("feedback", "a", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "dan"))
				return nil
			},
			then{state: leadv1.State_STATE_WON, load: none, owners: []string{"dan"}},
		},
		"lost": {
			func(w *world) error {
				_ = w.accept("a", "dan")
				w.say("feedback", "a", outcome(leadv1.OutcomeKind_OUTCOME_KIND_LOST, "dan"))
				return nil
			},
			then{state: leadv1.State_STATE_LOST, load: none, owners: []string{"dan"}},
		},
		"being worked": {
			func(w *world) error {
				_ = w.accept("a", "dan")
				w.say("feedback", "a", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WORKING, "dan"))
				return nil
			},
			then{state: leadv1.State_STATE_WORKING, holder: "dan", load: map[string]int64{"dan": 1}, owners: []string{"dan"}},
		},
		"back to marketing after a call": {
			func(w *world) error {
				_ = w.accept("a", "dan")
				w.say("qualification", "a", nurtured(lead.ReasonCall))
				return nil
			},
			then{state: leadv1.State_STATE_NURTURING, load: none, owners: []string{"dan", ""}},
		},
		"confirmed by a call": {
			func(w *world) error {
				_ = w.accept("a", "dan")
				w.say("qualification", "a", &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, CallId: "c1", Explanation: &leadv1.Explanation{Summary: "soon"}})
				return nil
			},
			then{state: leadv1.State_STATE_ACCEPTED, holder: "dan", load: map[string]int64{"dan": 1}, owners: []string{"dan"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			err := test.do(w)
			w.settle()
			got := then{state: w.folds.state("a").State, holder: w.holderOf("a"), load: maps.Clone(w.folds.groups.Group("sales").Load)}
			if err != nil {
				got.fault = err.Error()
			}
			for _, e := range w.events {
				if body, ok := e.Body.(*personv1.OwnerChanged); ok {
					got.owners = append(got.owners, body.GetMember())
				}
			}
			if diff := cmp.Diff(test.then, got, cmp.AllowUnexported(then{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			w.wellKept()
		})
	}
}

// A lead that needs no seller any more leaves the line without an offer.
func TestLeavesTheLine(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]proto.Message{
		"lost":           outcome(leadv1.OutcomeKind_OUTCOME_KIND_LOST, ""),
		"with marketing": nurtured(lead.ReasonCall),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, document(t))
			w.qualify("a", 80)
			w.settle()
			if got := w.folds.groups.Group("sales").Ordered(); !slices.Equal(got, []string{"a"}) {
				t.Fatalf("in line are %v", got)
			}
			w.say("feedback", "a", body)
			w.settle()
			if got := w.steps("sales", "a"); !slices.Equal(got, []string{"queued", "left"}) {
				t.Errorf("the pool saw %v", got)
			}
			w.wellKept()
		})
	}
}

func TestOldestInLineGoesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, capacities(1, 1)...), "dan")
	for i, id := range []string{"c", "a", "b"} {
		w.now = monday.Add(time.Duration(i) * time.Minute)
		w.qualify(id, 500)
		w.settle()
	}
	if w.holderOf("c") != "dan" {
		t.Fatalf("the first lead is with %q", w.holderOf("c"))
	}
	for _, id := range []string{"a", "b"} {
		if err := w.accept(map[string]string{"a": "c", "b": "a"}[id], "dan"); err != nil {
			t.Fatal(err)
		}
		w.say("feedback", map[string]string{"a": "c", "b": "a"}[id], outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "dan"))
		w.settle()
		if w.holderOf(id) != "dan" {
			t.Errorf("dan has a place again, and the oldest lead %s is with %q", id, w.holderOf(id))
		}
		w.wellKept()
	}
}

// Whoever is looked at again at a moment, and cannot go out then, gets the next
// moment: two people are away, the first of them back has declined.
func TestLooksAgainAtTheNextMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), "chloe", "dan")
	w.qualify("a", 500)
	w.settle()
	first := w.holderOf("a")
	second := map[string]string{"chloe": "dan", "dan": "chloe"}[first]
	w.away(second, monday.Add(3*time.Hour))
	w.away(first, monday.Add(time.Hour))
	w.settle()
	if err := w.reject("a", first, "no-time"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.until(monday.Add(2 * time.Hour))
	if body, ok := w.last("a").(*leadv1.LeadQueued); !ok || !body.GetLookAgainAt().AsTime().Equal(monday.Add(3*time.Hour)) {
		t.Errorf("while %s is away it says %v", second, w.last("a"))
	}
	w.until(monday.Add(3 * time.Hour))
	if w.holderOf("a") != second {
		t.Errorf("%s is back, and the lead is with %q: %v", second, w.holderOf("a"), w.last("a"))
	}
}

// Another agreement comes into force while leads wait, without anything else
// happening.
func TestAnotherAgreementFreesTheLine(t *testing.T) {
	t.Parallel()
	later := monday.Add(time.Hour)
	for name, test := range map[string]struct {
		before, after []string
		employees     int64
		from          time.Time
	}{
		"capacity grows at once":       {capacities(50, 1), nil, 500, monday},
		"capacity grows later":         {capacities(50, 1), nil, 500, later},
		"a rule fits at once":          {narrow, nil, 9, monday},
		"a rule fits later":            {narrow, nil, 9, later},
		"another group gets it":        {narrow, []string{"title: Inside sales\n    group: sales", "title: Inside sales\n    group: inside", "title: Large companies\n    group: sales", "title: Large companies\n    group: inside"}, 9, monday},
		"the pool moves to its people": {capacities(50, 1), []string{"title: Inside sales\n    group: sales", "title: Inside sales\n    group: all", "title: Large companies\n    group: sales", "title: Large companies\n    group: all"}, 500, monday},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, document(t, test.before...), everybody...)
			for _, id := range []string{"a", "b", "c"} {
				w.qualify(id, test.employees)
			}
			w.settle()
			if w.folds.state("c").State != leadv1.State_STATE_WAITING {
				t.Fatalf("the last lead is %s", lead.StateWord(w.folds.state("c").State))
			}
			w.agree(document(t, test.after...), test.from)
			w.settle()
			w.until(test.from)
			for _, id := range []string{"a", "b", "c"} {
				if w.holderOf(id) == "" {
					t.Errorf("%s still waits: %v", id, w.last(id))
				}
			}
			w.wellKept()
		})
	}
}

// A lead in line that fits nobody does not hide the one behind it, which the
// new agreement sends elsewhere.
func TestOneInLineDoesNotHideTheNext(t *testing.T) {
	t.Parallel()
	// All go to inside sales, where nobody is.
	w := newWorld(t, document(t, "when: lead.employees >= 500\n    pool: large-companies", "when: lead.employees >= 5000\n    pool: large-companies"), "dan")
	w.qualify("small", 80)
	w.qualify("large", 800)
	w.settle()
	if got := w.folds.groups.Group("sales").Ordered(); !slices.Equal(got, []string{"small", "large"}) {
		t.Fatalf("in line are %v", got)
	}
	w.agree(document(t), w.now)
	w.settle()
	if w.holderOf("large") != "dan" || w.holderOf("small") != "" {
		t.Errorf("the large one is with %q, the small one with %q", w.holderOf("large"), w.holderOf("small"))
	}
	w.wellKept()
}

// One batch takes leads out of a line for different reasons: in whatever order,
// an auditor finds the same steps.
func TestOneBatchLeavesALineInSeveralWays(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"nurtured", "moved"}, {"moved", "nurtured"}} {
		t.Run(strings.Join(order, " first, then "), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, document(t, narrow...), everybody...)
			for _, id := range []string{"nurtured", "moved"} {
				w.qualify(id, 9)
			}
			w.settle()
			w.agree(document(t), w.now)
			w.say("qualification", "nurtured", nurtured(lead.ReasonCall))
			w.notices = nil
			w.handle(&ledger.Item{Lead: order[0], Cause: "test:1"}, &ledger.Item{Lead: order[1], Cause: "test:2"})
			if got := w.steps(Unrouted, ""); !slices.Equal(got, []string{"queued", "queued", "left", "left"}) || w.holderOf("moved") == "" {
				t.Errorf("the line saw %v, and the moved one is with %q", got, w.holderOf("moved"))
			}
			w.wellKept()
		})
	}
}

// A repeat of a command that stands in the same batch is done once and answered
// alike.
func TestRepeatWithinABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.qualify("a", 500)
	w.settle()
	member := w.holderOf("a")
	items := []*ledger.Item{
		{Lead: "a", Actor: member, Command: &reject{member: member, reason: "no-time"}, Cause: "cmd:x"},
		{Lead: "a", Actor: member, Command: &reject{member: member, reason: "no-time"}, Cause: "cmd:x"},
	}
	w.handle(items...)
	if items[0].Err != nil || items[1].Err != nil || items[1].Reply != leadv1.Consequence_CONSEQUENCE_NEXT_PERSON {
		t.Errorf("answered %v and %v with %v", items[0].Err, items[1].Err, items[1].Reply)
	}
	if got := w.folds.state("a").Rejections; got != 1 {
		t.Errorf("rejected %d times", got)
	}
	// A refusal is not an answer for the next one.
	wrong := []*ledger.Item{
		{Lead: "a", Actor: "eve", Command: &accept{"eve"}, Cause: "cmd:y"},
		{Lead: "a", Actor: w.holderOf("a"), Command: &accept{w.holderOf("a")}, Cause: "cmd:y"},
	}
	w.handle(wrong...)
	if !fault.Is(wrong[0].Err, fault.State) || wrong[1].Err != nil || w.folds.state("a").State != leadv1.State_STATE_ACCEPTED {
		t.Errorf("answered %v and %v; the lead is %s", wrong[0].Err, wrong[1].Err, lead.StateWord(w.folds.state("a").State))
	}
}

// Two who add the same person at once: one of them is told so.
func TestAMemberIsAddedOnceWithinABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t))
	add := func(cause string) *ledger.Item {
		return &ledger.Item{Cause: cause, Command: &member{subject: "org.member.m", handle: "ana", body: &routingv1.MemberAdded{Member: "ana", Roles: []string{"sales"}, TokenHash: []byte(strings.Repeat(cause[4:], 32))}}}
	}
	items := []*ledger.Item{add("cmd:1"), add("cmd:2")}
	w.handle(items...)
	if items[0].Err != nil || !fault.Is(items[1].Err, fault.State) {
		t.Errorf("answered %v and %v", items[0].Err, items[1].Err)
	}
	if w.folds.roster.ByToken([32]byte([]byte(strings.Repeat("1", 32)))) == nil {
		t.Error("the token that was handed out first is not hers")
	}
}

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), "ana")
	do := func(body proto.Message, handle string) error {
		w.t.Helper()
		return w.command("", "op", &member{subject: "org.member." + handle, handle: handle, body: body})
	}
	for _, test := range []struct {
		handle string
		body   proto.Message
		want   fault.Kind
		fine   bool
	}{
		{"ana", &routingv1.MemberAdded{Member: "ana", Roles: []string{"sales"}}, fault.State, false},
		{"zoe", &routingv1.AvailabilityChanged{Member: "zoe", Away: true}, fault.NotFound, false},
		{"zoe", &routingv1.MemberDeactivated{Member: "zoe"}, fault.NotFound, false},
		{"zoe", &routingv1.MemberTokenRenewed{Member: "zoe"}, fault.NotFound, false},
		{"zoe", &routingv1.MemberAdded{Member: "zoe", Roles: []string{"sales"}}, 0, true},
		{"zoe", &routingv1.MemberTokenRenewed{Member: "zoe"}, 0, true},
		{"zoe", &routingv1.MemberDeactivated{Member: "zoe"}, 0, true},
		{"zoe", &routingv1.MemberTokenRenewed{Member: "zoe"}, fault.NotFound, false},
		{"zoe", &routingv1.AvailabilityChanged{Member: "zoe", Away: true}, fault.NotFound, false},
		{"zoe", &routingv1.MemberAdded{Member: "zoe", Roles: []string{"sales"}}, 0, true},
	} {
		err := do(test.body, test.handle)
		if test.fine != (err == nil) || (!test.fine && !fault.Is(err, test.want)) {
			t.Errorf("%T of %s was answered with %v", test.body, test.handle, err)
		}
	}
}

// n leads decided as one batch go to the same people as n leads one by one.
//
// Goes red if: a batch counts loads and turns only once it is folded (a step
// without Counts.apply).
func TestBulkEqualsOneByOneAcrossPools(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		edits := capacities(rapid.IntRange(0, 4).Draw(t, "capacity inside"), rapid.IntRange(0, 4).Draw(t, "capacity large"))
		edits = append(edits, "- member: ben", fmt.Sprintf("- member: ben\n        weight: %d", rapid.IntRange(1, 4).Draw(t, "weight of ben")))
		doc := document(t, edits...)
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int64{80, 800}), 1, 12).Draw(t, "sizes")
		people := func(at int) map[string]string {
			w := newWorld(t, doc, everybody...)
			var ids []string
			for i, size := range sizes {
				ids = append(ids, fmt.Sprintf("l%02d", i))
				w.qualify(ids[i], size)
			}
			w.notices = nil
			for chunk := range slices.Chunk(ids, at) {
				var items []*ledger.Item
				for _, id := range chunk {
					items = append(items, &ledger.Item{Lead: id, Cause: "test:" + id})
				}
				w.handle(items...)
			}
			out := map[string]string{}
			for _, id := range ids {
				out[id] = w.holderOf(id)
			}
			return out
		}
		if diff := cmp.Diff(people(1), people(len(sizes))); diff != "" {
			t.Errorf("(-one by one +in bulk)\n%s", diff)
		}
	})
}

// wellKept holds the books against what the leads themselves say. It is called
// where the desk has come to rest.
func (w *world) wellKept() {
	w.t.Helper()
	groups := w.folds.groups
	loads := map[string]map[string]int64{}
	for _, id := range w.folds.order {
		s := w.folds.leads[id]
		holder, held := s.Held()
		places := 0
		for _, name := range groups.Names() {
			group := groups.Group(name)
			if hold, ok := group.Held[id]; ok {
				places++
				if hold.Member != holder || name != s.Group {
					w.t.Errorf("%s is with %q by its own events, and with %q in group %s", id, holder, hold.Member, name)
				}
				if s.State == leadv1.State_STATE_OFFERED != !hold.TakeBy.IsZero() {
					w.t.Errorf("%s is %s, and its clock in group %s ends at %s", id, lead.StateWord(s.State), name, hold.TakeBy)
				}
			}
			if waiting, ok := group.Line[id]; ok {
				places++
				if s.State != leadv1.State_STATE_WAITING || waiting.BlockedBy != s.BlockedBy || waiting.Pool != s.Pool || name != s.Group {
					w.t.Errorf("%s is %s for %s %q, and in the line of %s for %s %q", id, lead.StateWord(s.State), s.Pool, s.BlockedBy, name, waiting.Pool, waiting.BlockedBy)
				}
			}
		}
		want := 0
		if held || s.State == leadv1.State_STATE_WAITING {
			want = 1
		}
		if places != want {
			w.t.Errorf("%s is %s and stands in %d places", id, lead.StateWord(s.State), places)
		}
		if held {
			if loads[s.Group] == nil {
				loads[s.Group] = map[string]int64{}
			}
			loads[s.Group][holder]++
		}
		// What is due is said: nothing is left that somebody could take now.
		said := w.next(s)
		if said == nil {
			continue
		}
		// In line, only the name of the rule may have changed with the hour.
		if _, queued := said.Body.(*leadv1.LeadQueued); !queued || s.State != leadv1.State_STATE_WAITING {
			w.t.Errorf("%s is %s, and still due is %v", id, lead.StateWord(s.State), said.Body)
		}
	}
	for _, name := range groups.Names() {
		group := groups.Group(name)
		want := loads[name]
		if want == nil {
			want = map[string]int64{}
		}
		if diff := cmp.Diff(want, group.Load); diff != "" {
			w.t.Errorf("loads of %s (-by the leads +in the books)\n%s", name, diff)
		}
		if len(group.Line) != len(group.Ordered()) {
			w.t.Errorf("%d wait in %s, and %d are in order", len(group.Line), name, len(group.Ordered()))
		}
	}
}

// everyPrefix holds what must be true of every prefix of the log.
func (w *world) everyPrefix(batch []*ledger.Event) {
	groups := w.folds.groups
	for _, e := range batch {
		if err := protovalidate.Validate(e.Body); err != nil && e.Service == Name {
			w.t.Errorf("record %d (%s) breaks its contract: %v", e.Seq, e.Type, err)
		}
		body, ok := e.Body.(*routingv1.PoolAdvanced)
		if !ok {
			continue
		}
		a := w.folds.register.InForce(w.now).Agreement
		name := strings.TrimPrefix(e.Subject, lead.SubjectPool)
		for i, step := range body.GetSteps() {
			if step.GetKind() != routingv1.StepKind_STEP_KIND_OFFERED {
				continue
			}
			if len(step.GetPeriods()) > 0 {
				w.today[name+"/"+step.GetMember()+"/"+step.GetPeriods()[0]]++
			}
			if step.GetCounted() {
				w.given[name+"/"+step.GetPool()]++
			}
			// Whoever stands in, or is named by hand, is given leads whatever they hold.
			if step.GetTurn() == leadv1.TurnKind_TURN_KIND_OVERRIDE {
				continue
			}
			pool, _ := a.Pool(step.GetPool())
			at := slices.IndexFunc(pool.Members, func(m agreement.PoolMember) bool { return m.Member == step.GetMember() })
			if at < 0 {
				// Whose the lead is may be of the group's other pool.
				if step.GetTurn() != leadv1.TurnKind_TURN_KIND_OWNERSHIP {
					w.t.Errorf("record %d: %s is not of pool %s", e.Seq, step.GetMember(), pool.ID)
				}
				continue
			}
			seat := pool.Members[at]
			// Whichever pool of the group gave them: those of before this step.
			if most := seat.AtMost.Day; most > 0 && w.today[name+"/"+step.GetMember()+"/"+step.GetPeriods()[0]] > most {
				w.t.Errorf("record %d: %s was given more than %d leads of %s", e.Seq, step.GetMember(), most, step.GetPeriods()[0])
			}
			// The load right after this step, which no later step of the batch hides.
			load := groups.Group(name).Load[step.GetMember()]
			for _, after := range body.GetSteps()[i+1:] {
				switch {
				case after.GetMember() != step.GetMember():
				case after.GetKind() == routingv1.StepKind_STEP_KIND_OFFERED:
					load--
				case after.GetKind() == routingv1.StepKind_STEP_KIND_RELEASED:
					load++
				}
			}
			if seat.Capacity > 0 && load > seat.Capacity {
				w.t.Errorf("record %d: %s holds %d of at most %d leads of %s", e.Seq, step.GetMember(), load, seat.Capacity, pool.ID)
			}
		}
	}
	holders := map[string]string{}
	for _, name := range groups.Names() {
		group := groups.Group(name)
		for id, hold := range group.Held {
			if other, twice := holders[id]; twice {
				w.t.Errorf("after record %d the lead %s is held in %s and in %s", len(w.events), id, other, name)
			}
			holders[id] = name + "/" + hold.Member
		}
		for pool, rotation := range group.Rotations {
			var counted int64
			for _, a := range rotation.present() {
				counted += a.Count
			}
			given := w.given[name+"/"+pool]
			if rotation.Turns() != given || counted != given {
				w.t.Errorf("after record %d the rotation of %s counts %d turns and %d for its people; %d leads were offered by it", len(w.events), pool, rotation.Turns(), counted, given)
			}
		}
	}
	for _, name := range groups.Names() {
		for id := range groups.Group(name).Line {
			if where, held := holders[id]; held {
				w.t.Errorf("after record %d the lead %s waits in %s and is held in %s", len(w.events), id, name, where)
			}
		}
	}
}

// Random histories: leads qualify, people accept, reject, sleep, go away, come
// back, are added and taken out, deals end, calls decide, the clock moves and
// the agreement changes. At every prefix the books are right; at rest nothing
// is left that could be done; and every batch can be derived again.
//
// Goes red if: RELEASED does not lower the load, Tidy does not free the place of
// a lead that ended, Take leaves a lead in the line of the group that it came
// from, Due does not know of the next agreement, or a decision does not see the
// counts as the batch has moved them.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	plain := document(t)
	documents := [][]byte{
		plain,
		document(t, append(capacities(2, 1), narrow...)...),
		document(t, append(capacities(1, 2), "- member: ben", "- member: ben\n        weight: 3")...),
		document(t, append(capacities(1, 0), "when: lead.employees >= 500\n    pool: large-companies", "when: lead.employees >= 100\n    pool: large-companies")...),
		document(t, append(capacities(2, 2), "take_within: 2h", "take_within: 30m")...),
		document(t, append(append(capacities(3, 2), late...), "take_within: 2h", "take_within: 2h\n    remind_before: 30m\n    quiet_before_end: 20m\n    fallback: {after: 3h, pool: large-companies}", "take_within: 4h", "take_within: 4h\n    declined_for: 20h\n    fallback: {after: 2h, member: ben}")...),
		document(t, append(append(capacities(2, 2), inside("signed_in: true\n    declined_for: 3h")...), large("remind_before: 3h\n    fallback: {after: 30m, pool: inside-sales}")...)...),
		document(t, append(inside("gives_by: least-loaded", "at_most:\n      day: 3"), "      - member: ben\n", "      - member: ben\n        weight: 2\n")...),
		document(t, append(inside("gives_by: claim", "at_most:\n      day: 2"), capacities(2, 2)...)...),
		document(t, append(inside("account_owner: true", "previous_owner:\n      for: 5d\n      wait: 3h", "counts: [rotation, ownership, credit]", "after_leave: capped", "catch_up_at_most: 2"),
			oneOwner, "one_owner:\n  window: 14d\n"+oneOwner, "    leads_to: disqualify\n", "    leads_to: disqualify\n    credit: true\n",
			"    title: No time to call within the agreed time\n", "    title: No time to call within the agreed time\n    credit: true\n")...),
		document(t, append(inside("gives_by: strict-order", "previous_owner:\n      for: 5d"),
			"    text: All other qualified leads go to inside sales.\n", "    text: All other qualified leads go to inside sales.\n    skills: [de]\n",
			"      - member: ben\n", "      - member: ben\n        knows: [de]\n")...),
		document(t, append(inside("after_leave: full"), "      - member: ben\n", "      - member: ben\n        weight: 4\n")...),
	}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, documents[rapid.IntRange(0, len(documents)-1).Draw(t, "first agreement")], "ana", "chloe", "dan")
		w.check = w.everyPrefix
		pick := func(draw *rapid.T, states ...leadv1.State) string {
			var ids []string
			for _, id := range w.folds.order {
				if slices.Contains(states, w.folds.leads[id].State) {
					ids = append(ids, id)
				}
			}
			if len(ids) == 0 {
				draw.Skip("no such lead") // the step cannot be taken; another is drawn
			}
			return rapid.SampledFrom(ids).Draw(draw, "lead")
		}
		anybody := rapid.SampledFrom(everybody)
		maybe := func(err error, kinds ...fault.Kind) {
			if err != nil && !slices.ContainsFunc(kinds, func(k fault.Kind) bool { return fault.Is(err, k) }) {
				t.Errorf("refused with %v", err)
			}
		}
		person := func(t *rapid.T, body func(handle string) proto.Message) {
			handle := anybody.Draw(t, "member")
			maybe(w.command("", "op", &member{subject: "org.member." + handle, handle: handle, body: body(handle)}), fault.State, fault.NotFound)
		}
		calls := 0
		const (
			offered, accepted, working = leadv1.State_STATE_OFFERED, leadv1.State_STATE_ACCEPTED, leadv1.State_STATE_WORKING
			waiting, nurturing         = leadv1.State_STATE_WAITING, leadv1.State_STATE_NURTURING
		)
		t.Repeat(map[string]func(*rapid.T){
			"qualify": func(t *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(t, "leads") {
					w.of(fmt.Sprintf("l%03d", len(w.folds.order)), rapid.SampledFrom([]string{"p1", "p2", "p3", fmt.Sprintf("q%d", len(w.folds.order))}).Draw(t, "person"),
						rapid.SampledFrom([]string{"", "acme.example", "tate.example"}).Draw(t, "company"), rapid.SampledFrom([]int64{5, 80, 200, 800}).Draw(t, "employees"))
				}
			},
			"accept": func(t *rapid.T) {
				id := pick(t, offered)
				if err := w.accept(id, w.holderOf(id)); err != nil {
					t.Errorf("%s may not accept: %v", w.holderOf(id), err)
				}
			},
			"somebody accepts": func(t *rapid.T) {
				id := pick(t, offered, accepted, waiting)
				maybe(w.accept(id, anybody.Draw(t, "member")), fault.State)
			},
			"reject": func(t *rapid.T) {
				id := pick(t, offered, accepted, working)
				held := w.folds.leads[id].Owner != ""
				if err := w.reject(id, w.holderOf(id), rapid.SampledFrom([]string{"no-time", "not-my-field", "not-ready", "not-genuine"}).Draw(t, "reason")); err != nil {
					// What somebody has had for long is theirs for good; its own test says when.
					if !held || !fault.Is(err, fault.State) {
						t.Errorf("%s may not reject: %v", w.holderOf(id), err)
					}
					return
				}
				if s := w.folds.leads[id]; s.Consequence == leadv1.Consequence_CONSEQUENCE_NURTURE && s.State == leadv1.State_STATE_QUALIFIED {
					w.say("qualification", id, nurtured(lead.ReasonRejected))
				}
			},
			"end": func(t *rapid.T) {
				id := pick(t, accepted, working)
				kind := rapid.SampledFrom([]leadv1.OutcomeKind{leadv1.OutcomeKind_OUTCOME_KIND_WORKING, leadv1.OutcomeKind_OUTCOME_KIND_WON, leadv1.OutcomeKind_OUTCOME_KIND_LOST}).Draw(t, "outcome")
				w.say("feedback", id, outcome(kind, w.holderOf(id)))
			},
			"call": func(t *rapid.T) {
				id := pick(t, offered, accepted, working, waiting, nurturing)
				calls++
				call := &leadv1.CallRecorded{CallId: fmt.Sprintf("c%d", calls), Member: "ana", Qualifier: true, Reached: true}
				decision := proto.Message(nurtured(lead.ReasonCall))
				if rapid.Bool().Draw(t, "fits") {
					decision = &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, CallId: call.CallId, Explanation: &leadv1.Explanation{Summary: "soon"}}
				}
				w.say("qualification", id, call, decision)
			},
			"revise": func(t *rapid.T) {
				id := pick(t, nurturing)
				w.say("qualification", id, mql())
			},
			"go away": func(t *rapid.T) {
				until := time.Time{}
				if rapid.Bool().Draw(t, "until") {
					until = w.now.Add(time.Duration(rapid.Int64Range(1, 60).Draw(t, "hours")) * time.Hour)
				}
				person(t, func(handle string) proto.Message {
					body := &routingv1.AvailabilityChanged{Member: handle, Away: true}
					if !until.IsZero() {
						body.Until = timestamppb.New(until)
					}
					return body
				})
			},
			"take leave": func(t *rapid.T) {
				from := w.now.Add(time.Duration(rapid.Int64Range(-5, 40).Draw(t, "from")) * time.Hour)
				until := from.Add(time.Duration(rapid.Int64Range(1, 40).Draw(t, "hours")) * time.Hour)
				handle := anybody.Draw(t, "member")
				maybe(w.command("", "op", &member{subject: "org.member." + handle, handle: handle, body: &routingv1.AvailabilityChanged{Member: handle, Away: true, LeaveId: fmt.Sprintf("v%d", w.commands), From: timestamppb.New(from), Until: timestamppb.New(until)}}), fault.NotFound, fault.Invalid)
			},
			"take leave back": func(t *rapid.T) {
				id := fmt.Sprintf("v%d", rapid.IntRange(0, w.commands).Draw(t, "leave"))
				handle := anybody.Draw(t, "member")
				maybe(w.command("", "op", &member{subject: "org.member." + handle, handle: handle, body: &routingv1.AvailabilityChanged{Member: handle, LeaveId: id}}), fault.NotFound)
			},
			"sign in or out": func(t *rapid.T) {
				is := rapid.Bool().Draw(t, "in")
				person(t, func(handle string) proto.Message { return &routingv1.PresenceChanged{Member: handle, Present: is} })
			},
			"come back": func(t *rapid.T) {
				person(t, func(handle string) proto.Message { return &routingv1.AvailabilityChanged{Member: handle} })
			},
			"leave": func(t *rapid.T) {
				person(t, func(handle string) proto.Message { return &routingv1.MemberDeactivated{Member: handle, Reason: "left"} })
			},
			"join": func(t *rapid.T) {
				person(t, func(handle string) proto.Message {
					return &routingv1.MemberAdded{Member: handle, Roles: []string{"sales"}, TokenHash: make([]byte, 32)}
				})
			},
			"agree": func(t *rapid.T) {
				w.agree(documents[rapid.IntRange(0, len(documents)-1).Draw(t, "agreement")], w.now.Add(time.Duration(rapid.Int64Range(0, 30).Draw(t, "hours"))*time.Hour))
			},
			"claim": func(t *rapid.T) {
				id := pick(t, waiting)
				if rapid.Bool().Draw(t, "the oldest") {
					id = ""
				}
				member := anybody.Draw(t, "member")
				w.commands++
				item := &ledger.Item{Lead: id, Actor: member, Command: &claim{member}, Cause: fmt.Sprintf("%s%d", claimPrefix, w.commands)}
				w.handle(item)
				maybe(item.Err, fault.State)
			},
			"adjust": func(t *rapid.T) {
				leads := rapid.Int64Range(-3, 3).Draw(t, "leads")
				person(t, func(handle string) proto.Message {
					return &routingv1.TurnsAdjusted{Member: handle, Pool: "inside-sales", Leads: leads, Reason: "calibrated"}
				})
			},
			"account": func(t *rapid.T) {
				w.account(rapid.SampledFrom([]string{"acme.example", "tate.example"}).Draw(t, "company"), rapid.SampledFrom([]string{"", "ana", "ben", "dan"}).Draw(t, "owner"))
			},
			// Another process goes on from what this one kept.
			"restart": func(t *rapid.T) { *w.folds.groups = *carriedOver(w.t, w.folds.groups) },
			"sleep": func(t *rapid.T) {
				w.until(w.now.Add(time.Duration(rapid.Int64Range(1, 40*60).Draw(t, "minutes")) * time.Minute))
			},
			"": func(*rapid.T) {
				w.settle()
				w.wellKept()
			},
		})
		again := newFolding()
		// The agreements are compiled; they are compared by what follows from them.
		again.register, w.folds.register = nil, nil
		for _, e := range w.events {
			again.apply(e)
		}
		again.groups.offers, w.folds.groups.offers = running(again.groups), running(w.folds.groups)
		again.people, w.folds.people = nil, nil
		unexported := cmp.AllowUnexported(folding{}, Roster{}, Member{})
		if diff := cmp.Diff(again, w.folds, unexported, sameGroups(), protocmp.Transform()); diff != "" {
			t.Errorf("the same events folded again give another state (-again +first)\n%s", diff)
		}
	})
}

// Goes red if: a command on a member is not looked up by its key, within the
// batch or in the fold (memberCommand), or its content is not compared (repeat).
func TestARepeatedCommandOnAMemberIsAnsweredAsTheFirst(t *testing.T) {
	t.Parallel()
	hash := func(b string) []byte { return []byte(strings.Repeat(b, 32)) }
	added := &routingv1.MemberAdded{Member: "zoe", Roles: []string{"sales"}, TokenHash: hash("1"), Personal: &leadv1.Sealed{KeyId: "k", Nonce: []byte("one")}}
	resealed := proto.CloneOf(added)
	resealed.Personal.Nonce = []byte("two")
	for _, test := range []struct {
		name           string
		given          []proto.Message
		body, repeated proto.Message
		other          proto.Message
	}{
		{
			name: "added", body: added, repeated: resealed,
			other: &routingv1.MemberAdded{Member: "zoe", Roles: []string{"manager"}, TokenHash: hash("1")},
		},
		{
			name: "away", given: []proto.Message{added}, body: &routingv1.AvailabilityChanged{Member: "zoe", Away: true, Until: timestamppb.New(monday.Add(time.Hour))},
			other: &routingv1.AvailabilityChanged{Member: "zoe", Away: true},
		},
		{
			name: "another token", given: []proto.Message{added}, body: &routingv1.MemberTokenRenewed{Member: "zoe", TokenHash: hash("2")},
			other: &routingv1.AvailabilityChanged{Member: "zoe", Away: true},
		},
		{
			name: "deactivated", given: []proto.Message{added}, body: &routingv1.MemberDeactivated{Member: "zoe", Reason: "left"},
			other: &routingv1.MemberDeactivated{Member: "zoe", Reason: "other"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, document(t))
			for _, body := range test.given {
				w.roster(body)
			}
			ask := func(body proto.Message) *ledger.Item {
				return &ledger.Item{Actor: "op", Cause: "cmd:one", Command: &member{subject: "org.member.zoe", handle: "zoe", body: body}}
			}
			if test.repeated == nil {
				test.repeated = test.body
			}
			before := len(w.events)
			check := func(when string, items ...*ledger.Item) {
				t.Helper()
				w.handle(items...)
				again, other := items[len(items)-2], items[len(items)-1]
				if said, ok := again.Reply.(proto.Message); again.Err != nil || !ok || !proto.Equal(said, test.body) {
					t.Errorf("%s the repeat was answered with %v, %v", when, again.Reply, again.Err)
				}
				if !fault.Is(other.Err, fault.Conflict) {
					t.Errorf("%s other content under the same key was answered with %v", when, other.Err)
				}
				if len(w.events) != before+1 {
					t.Errorf("%s %d events stand, not 1", when, len(w.events)-before)
				}
			}
			first := ask(test.body)
			check("within the batch", first, ask(test.repeated), ask(test.other))
			if first.Err != nil || first.Reply != nil {
				t.Errorf("the first was answered with %v, %v", first.Reply, first.Err)
			}
			// Time has passed: what was asked would be refused today.
			w.now = w.now.Add(2 * time.Hour)
			check("afterwards", ask(test.repeated), ask(test.other))
			if done, ok := w.folds.roster.Member("zoe").Done("cmd:one"); !ok || done.Seq != w.events[before].Seq {
				t.Errorf("the roster remembers %+v, %v", done, ok)
			}
		})
	}
}
