package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

func advanced(group string, steps ...*routingv1.PoolStep) *ledger.Event {
	return &ledger.Event{Subject: "pool." + group, Agreement: 1, Body: &routingv1.PoolAdvanced{Steps: steps}}
}

func offeredStep(id, pool, member string, n int32, takeBy time.Time) *routingv1.PoolStep {
	return &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: id, Pool: pool, Member: member, Offer: n, Turn: leadv1.TurnKind_TURN_KIND_ROTATION,
		Eligible: []string{"ana", "ben"}, Weights: []int64{1, 1}, TakeBy: timestamppb.New(takeBy),
	}
}

func stepOf(kind routingv1.StepKind, id, member string, n int32) *routingv1.PoolStep {
	return &routingv1.PoolStep{Kind: kind, LeadId: id, Pool: "inside", Member: member, Offer: n}
}

func queuedStep(id, rule string, since, look time.Time) *routingv1.PoolStep {
	step := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_QUEUED, LeadId: id, Pool: "inside", BlockedBy: rule, WaitingSince: timestamppb.New(since)}
	if !look.IsZero() {
		step.LookAgainAt = timestamppb.New(look)
	}
	return step
}

const (
	acceptedStep = routingv1.StepKind_STEP_KIND_ACCEPTED
	releasedStep = routingv1.StepKind_STEP_KIND_RELEASED
	leftStep     = routingv1.StepKind_STEP_KIND_LEFT
)

// Each row: what happened to a group, and what its books say then.
func TestGroups(t *testing.T) {
	t.Parallel()
	two, four := monday.Add(2*time.Hour), monday.Add(4*time.Hour)
	type then struct {
		held      map[string]Hold
		line      map[string]Waiting
		order     []string
		load      map[string]int64
		turns     int64
		nextOffer time.Time
		nextLook  time.Time
		overdue   []string
	}
	tests := map[string]struct {
		given []*routingv1.PoolStep
		then  then
	}{
		"offered": {
			[]*routingv1.PoolStep{offeredStep("a", "inside", "ana", 1, two)},
			then{held: map[string]Hold{"a": {"ana", "inside", 1, two, time.Time{}}}, load: map[string]int64{"ana": 1}, turns: 1, nextOffer: two, overdue: []string{"a"}},
		},
		"a turn of another kind is not of the rotation": {
			[]*routingv1.PoolStep{func() *routingv1.PoolStep {
				step := offeredStep("a", "inside", "ana", 1, two)
				step.Turn = leadv1.TurnKind_TURN_KIND_OVERRIDE
				return step
			}()},
			then{held: map[string]Hold{"a": {"ana", "inside", 1, two, time.Time{}}}, load: map[string]int64{"ana": 1}, nextOffer: two, overdue: []string{"a"}},
		},
		"the earlier offer runs out first": {
			[]*routingv1.PoolStep{offeredStep("a", "inside", "ana", 1, four), offeredStep("b", "inside", "ben", 1, two), offeredStep("c", "inside", "ana", 1, monday.Add(6*time.Hour))},
			then{
				held: map[string]Hold{"a": {"ana", "inside", 1, four, time.Time{}}, "b": {"ben", "inside", 1, two, time.Time{}}, "c": {"ana", "inside", 1, monday.Add(6 * time.Hour), time.Time{}}},
				load: map[string]int64{"ana": 2, "ben": 1}, turns: 3, nextOffer: two, overdue: []string{"b", "a"},
			},
		},
		"accepted: the clock stops, the load stays": {
			[]*routingv1.PoolStep{offeredStep("a", "inside", "ana", 1, two), stepOf(acceptedStep, "a", "ana", 1)},
			then{held: map[string]Hold{"a": {"ana", "inside", 1, time.Time{}, time.Time{}}}, load: map[string]int64{"ana": 1}, turns: 1},
		},
		"accepted beneath one that still runs": {
			[]*routingv1.PoolStep{offeredStep("a", "inside", "ana", 1, two), offeredStep("b", "inside", "ben", 1, four), stepOf(acceptedStep, "b", "ben", 1)},
			then{
				held: map[string]Hold{"a": {"ana", "inside", 1, two, time.Time{}}, "b": {"ben", "inside", 1, time.Time{}, time.Time{}}},
				load: map[string]int64{"ana": 1, "ben": 1}, turns: 2, nextOffer: two, overdue: []string{"a"},
			},
		},
		"released": {
			[]*routingv1.PoolStep{offeredStep("a", "inside", "ana", 1, two), stepOf(releasedStep, "a", "ana", 1)},
			then{turns: 1},
		},
		"released and offered to the next": {
			[]*routingv1.PoolStep{offeredStep("a", "inside", "ana", 1, two), stepOf(releasedStep, "a", "ana", 1), offeredStep("a", "inside", "ben", 2, four)},
			then{held: map[string]Hold{"a": {"ben", "inside", 2, four, time.Time{}}}, load: map[string]int64{"ben": 1}, turns: 2, nextOffer: four, overdue: []string{"a"}},
		},
		"queued": {
			[]*routingv1.PoolStep{queuedStep("a", "off-duty", monday, two), queuedStep("b", "full", monday, time.Time{})},
			then{
				line:  map[string]Waiting{"a": {"inside", "off-duty", monday, two, 1, time.Time{}, 0}, "b": {"inside", "full", monday, time.Time{}, 1, time.Time{}, 0}},
				order: []string{"a", "b"}, nextLook: two,
			},
		},
		"queued for another rule keeps its place": {
			[]*routingv1.PoolStep{queuedStep("a", "off-duty", monday, two), queuedStep("b", "full", monday, time.Time{}), queuedStep("a", "full", monday, four)},
			then{
				line:  map[string]Waiting{"a": {"inside", "full", monday, four, 1, time.Time{}, 0}, "b": {"inside", "full", monday, time.Time{}, 1, time.Time{}, 0}},
				order: []string{"a", "b"}, nextLook: four,
			},
		},
		"offered out of the line": {
			[]*routingv1.PoolStep{queuedStep("a", "off-duty", monday, two), queuedStep("b", "off-duty", monday, two), offeredStep("a", "inside", "ana", 1, four)},
			then{
				held: map[string]Hold{"a": {"ana", "inside", 1, four, time.Time{}}}, load: map[string]int64{"ana": 1}, turns: 1, nextOffer: four, overdue: []string{"a"},
				line: map[string]Waiting{"b": {"inside", "off-duty", monday, two, 1, time.Time{}, 0}}, order: []string{"b"}, nextLook: two,
			},
		},
		"left": {
			[]*routingv1.PoolStep{queuedStep("a", "off-duty", monday, two), stepOf(leftStep, "a", "", 0), stepOf(leftStep, "z", "", 0)},
			then{},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			together, apart := NewGroups(), NewGroups()
			together.Apply(advanced("sales", test.given...))
			for _, step := range test.given {
				apart.Apply(advanced("sales", step))
			}
			for how, g := range map[string]*Groups{"in one event": together, "each its own event": apart} {
				group := g.Group("sales")
				got := then{
					held: group.Held, line: group.Line, order: group.Ordered(), load: group.Load, nextOffer: g.NextOffer(), nextLook: g.NextLook(monday),
					overdue: g.Overdue(four, 10),
				}
				if r := group.Rotations["inside"]; r != nil {
					got.turns = r.Turns()
				}
				empty := cmp.Transformer("nothing", func(in then) then {
					if len(in.held) == 0 {
						in.held = nil
					}
					if len(in.line) == 0 {
						in.line = nil
					}
					if len(in.load) == 0 {
						in.load = nil
					}
					if len(in.order) == 0 {
						in.order = nil
					}
					return in
				})
				if diff := cmp.Diff(test.then, got, cmp.FilterPath(func(p cmp.Path) bool { return len(p) == 1 }, empty), cmp.AllowUnexported(then{}), cmpopts.IgnoreUnexported(Waiting{})); diff != "" {
					t.Errorf("%s (-want +got)\n%s", how, diff)
				}
				if g.Waiting() != (len(test.then.line) > 0) {
					t.Errorf("%s: somebody waits: %v", how, g.Waiting())
				}
			}
		})
	}
}

func TestGroupsAreApart(t *testing.T) {
	t.Parallel()
	g := NewGroups()
	for _, body := range []proto.Message{&leadv1.LeadOffered{Pool: "inside", Group: "sales", Member: "ana"}, &routingv1.MemberAdded{Member: "ana"}} {
		g.Apply(&ledger.Event{Subject: "pool.sales", Body: body})
	}
	if len(g.Names()) != 0 || g.Waiting() || !g.NextOffer().IsZero() || !g.NextLook(time.Time{}).IsZero() || g.Overdue(monday, 10) != nil {
		t.Error("what is not a pool's has moved a pool")
	}
	// Asking for a group does not make it.
	g.Group("other").Load["eve"] = 9
	if len(g.Names()) != 0 || len(g.Group("other").Load) != 0 {
		t.Error("a group that nothing happened to is kept")
	}
	g.Apply(advanced("b", offeredStep("a", "inside", "ana", 1, monday)))
	g.Apply(advanced("a", queuedStep("c", "full", monday, monday.Add(time.Hour))))
	if !slices.Equal(g.Names(), []string{"b", "a"}) || g.Group("a").Load["ana"] != 0 || len(g.Group("b").Line) != 0 {
		t.Errorf("groups %v are not apart", g.Names())
	}
	if got := g.Overdue(monday.Add(-time.Nanosecond), 10); got != nil {
		t.Errorf("%v ran out before their time", got)
	}
	if got := g.NextLook(monday.Add(time.Hour)); !got.IsZero() {
		t.Errorf("a look that was taken comes again at %s", got)
	}
}

// The heap of offers answers what a list would: those that stand and have run
// out, and the first that will.
//
// Goes red if: push or pop orders by something else than the time, or clean
// leaves an answered offer on top.
func TestOffersRunOutInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := NewGroups()
		running := map[string]time.Time{}
		var next int
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			id := fmt.Sprintf("l%d", next)
			if len(running) > 0 && rapid.Bool().Draw(t, "answer") {
				ids := make([]string, 0, len(running))
				for running := range running {
					ids = append(ids, running)
				}
				slices.Sort(ids)
				id = rapid.SampledFrom(ids).Draw(t, "lead")
				delete(running, id)
				kind := rapid.SampledFrom([]routingv1.StepKind{acceptedStep, releasedStep}).Draw(t, "kind")
				g.Apply(advanced("sales", stepOf(kind, id, "ana", 1)))
			} else {
				next++
				running[id] = monday.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
				g.Apply(advanced("sales", offeredStep(id, "inside", "ana", 1, running[id])))
			}
			at := monday.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "at")) * time.Minute)
			var first time.Time
			want := []string{}
			for id, by := range running {
				if first.IsZero() || by.Before(first) {
					first = by
				}
				if !by.After(at) {
					want = append(want, id)
				}
			}
			if got := g.NextOffer(); !got.Equal(first) {
				t.Fatalf("the next runs out at %s, want %s", got, first)
			}
			got := append([]string{}, g.Overdue(at, 1000)...)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("run out by %s (-want +got)\n%s", at, diff)
			}
			if some := g.Overdue(at, 3); len(some) != min(3, len(want)) {
				t.Fatalf("asked for 3 of %d, got %d", len(want), len(some))
			}
		}
	})
}

func TestRoster(t *testing.T) {
	t.Parallel()
	token := func(b byte) []byte { return append(make([]byte, 31), b) }
	hash := func(b byte) [32]byte { return [32]byte(token(b)) }
	r := NewRoster()
	apply := func(bodies ...proto.Message) {
		for _, body := range bodies {
			r.Apply(&ledger.Event{Subject: "org.member.m", Body: body})
		}
	}
	apply(&routingv1.AvailabilityChanged{Member: "eve", Away: true}, &routingv1.MemberDeactivated{Member: "eve"}, &leadv1.OfferAccepted{Member: "eve"})
	if len(r.Names()) != 0 || r.Member("eve") != nil {
		t.Fatal("somebody who was never added is known")
	}
	apply(&routingv1.MemberAdded{Member: "zoe", Roles: []string{"sales"}, TokenHash: token(1)}, &routingv1.MemberAdded{Member: "ana", Roles: []string{"manager"}, TokenHash: token(2)})
	if !slices.Equal(r.Names(), []string{"ana", "zoe"}) || r.ByToken(hash(1)).Handle != "zoe" || r.ByToken(hash(3)) != nil {
		t.Errorf("known are %v; the first token is of %v", r.Names(), r.ByToken(hash(1)))
	}
	apply(&routingv1.AvailabilityChanged{Member: "ana", Away: true, Until: timestamppb.New(monday)})
	if m := r.Member("ana"); !m.AwayAt(monday.Add(-time.Nanosecond)) || m.AwayAt(monday) {
		t.Error("away until an instant is not away up to it")
	}
	apply(&routingv1.AvailabilityChanged{Member: "ana", Away: true})
	if m := r.Member("ana"); !m.AwayAt(monday.AddDate(10, 0, 0)) {
		t.Error("away without an end has ended")
	}
	apply(&routingv1.AvailabilityChanged{Member: "ana"})
	if r.Member("ana").AwayAt(monday) {
		t.Error("who is back is away")
	}
	// Another token takes the place of the one before.
	apply(&routingv1.MemberTokenRenewed{Member: "ana", TokenHash: token(5)})
	if m := r.ByToken(hash(5)); m == nil || m.Handle != "ana" || r.ByToken(hash(2)) != nil {
		t.Errorf("the new token is of %v, and the old one of %v", m, r.ByToken(hash(2)))
	}
	// Whoever leaves loses the token, and gets another on coming back.
	apply(&routingv1.MemberDeactivated{Member: "zoe"})
	if r.ByToken(hash(1)) != nil || !r.Member("zoe").Deactivated {
		t.Error("the token of somebody who left still opens")
	}
	apply(&routingv1.MemberTokenRenewed{Member: "zoe", TokenHash: token(6)}, &routingv1.MemberTokenRenewed{Member: "eve", TokenHash: token(7)})
	if r.ByToken(hash(6)) != nil || r.ByToken(hash(7)) != nil {
		t.Error("somebody who left, or never was here, has a token")
	}
	apply(&routingv1.MemberAdded{Member: "zoe", Roles: []string{"auditor"}, TokenHash: token(4)})
	if m := r.ByToken(hash(4)); m == nil || m.Deactivated || !slices.Equal(m.Roles, []string{"auditor"}) || len(r.Names()) != 2 {
		t.Errorf("who came back is %+v among %v", m, r.Names())
	}
	if r.ByToken(hash(1)) != nil {
		t.Error("the old token opens again")
	}
}
