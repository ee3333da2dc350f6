package routing

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// inside edits what the agreement says of pool inside-sales.
func inside(lines ...string) []string {
	return []string{"    take_within: 2h\n", "    take_within: 2h\n    " + strings.Join(lines, "\n    ") + "\n"}
}

// of brings a new MQL of a person, and of a company by its domain; nobody has looked.
func (w *world) of(id, person, domain string, employees int64) {
	w.t.Helper()
	w.record("intake", ledger.Draft{Subject: lead.SubjectPerson + person, Body: &personv1.LeadAttached{LeadId: id}})
	bodies := []proto.Message{
		&leadv1.LeadReceived{SourceId: "s1", Source: "web", SubmissionId: "u-" + id, ReceivedAt: timestamppb.New(w.now), Features: &leadv1.Features{HasEmail: true, Country: "DE", Employees: employees}},
		&leadv1.PersonAttached{PersonId: person, MatchedBy: "new"},
	}
	if domain != "" {
		bodies = append(bodies, &leadv1.AccountMatched{AccountDomain: domain, Confidence: 100, By: "domain", Candidates: []*leadv1.AccountCandidate{{Domain: domain, Confidence: 100, By: "domain"}}})
	}
	w.say("intake", id, bodies...)
	w.say("qualification", id, mql())
}

func (w *world) account(domain, owner string) {
	w.t.Helper()
	w.record("intake", ledger.Draft{Subject: "org.account.x", Body: &personv1.AccountDeclared{AccountId: "a", Domain: domain, Owner: owner}})
}

// offerOf is the latest offer of a lead, which must be the last word on it.
func (w *world) offerOf(id string) *leadv1.LeadOffered {
	w.t.Helper()
	body, ok := w.last(id).(*leadv1.LeadOffered)
	if !ok {
		w.t.Fatalf("the last word on %s is %v", id, w.last(id))
	}
	return body
}

// queueOf is what a lead waits for, which must be the last word on it.
func (w *world) queueOf(id string) *leadv1.LeadQueued {
	w.t.Helper()
	body, ok := w.last(id).(*leadv1.LeadQueued)
	if !ok {
		w.t.Fatalf("the last word on %s is %v", id, w.last(id))
	}
	return body
}

func reasonsOf(considered []*leadv1.Candidate) (out []string) {
	for _, c := range considered {
		out = append(out, c.GetMember()+":"+c.GetReason())
	}
	return out
}

// A lead goes to somebody who knows what its rule asks for, and waits if nobody does;
// who does not know it hides nobody behind it in the line.
//
// Goes red if: needs are not compared with what a member knows (lacks), or leads with
// other needs are taken for the same in line (class).
func TestNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, []string{
		"    text: All other qualified leads go to inside sales.\n", "    text: All other qualified leads go to inside sales.\n    needs: [lead.country]\n    skills: [hospitals]\n",
		"      - member: ben\n", "      - member: ben\n        knows: [DE, hospitals]\n",
	}...), everybody...)
	w.away("ben", monday.Add(time.Hour))
	w.qualify("german", 80)
	w.say("intake", "french", &leadv1.LeadReceived{SourceId: "s1", Source: "web", SubmissionId: "u", ReceivedAt: timestamppb.New(w.now), Features: &leadv1.Features{HasEmail: true, Country: "FR", Employees: 80}})
	w.say("qualification", "french", mql())
	w.qualify("german2", 80)
	w.settle()
	q := w.queueOf("german")
	if got := reasonsOf(q.GetConsidered()); q.GetBlockedBy() != "away" || !slices.Equal(got, []string{"ana:lacks", "ben:away", "chloe:lacks"}) || q.GetConsidered()[0].GetText() != "does not know hospitals, DE" {
		t.Errorf("waits for %s: %v %q", q.GetBlockedBy(), got, q.GetConsidered()[0].GetText())
	}
	if q := w.queueOf("french"); q.GetBlockedBy() != "lacks" || q.GetConsidered()[1].GetText() != "does not know FR" {
		t.Errorf("the french lead waits for %v", q)
	}
	w.until(monday.Add(time.Hour))
	if w.holderOf("german") != "ben" || w.holderOf("german2") != "ben" || w.holderOf("french") != "" {
		t.Errorf("with %q, %q and %q", w.holderOf("german"), w.holderOf("german2"), w.holderOf("french"))
	}
	w.wellKept()
}

// The fewest open leads for their weight: with weights 1, 2 and 3, loads grow as 1 : 2
// : 3, whatever the group's other pool gives, and whoever gives one back is next.
//
// Goes red if: weights play no part, or the load of one pool only counts.
func TestLeastLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, append(inside("gives_by: least-loaded"), "- member: ben", "- member: ben\n        weight: 2", "      - member: chloe\n  - id: large", "      - member: chloe\n        weight: 3\n  - id: large")...), everybody...)
	w.away("dan", time.Time{})
	// Chloe holds three of large companies already.
	for i := range 3 {
		w.qualify(fmt.Sprintf("x%d", i), 800)
	}
	w.settle()
	for i := range 9 {
		w.qualify(fmt.Sprintf("l%d", i), 80)
		w.settle()
	}
	load := w.folds.groups.Group("sales").Load
	if load["ana"] != 2 || load["ben"] != 4 || load["chloe"] != 6 {
		t.Errorf("loads %v, want 2, 4 and 6", load)
	}
	id := ""
	for i := range 9 {
		if l := fmt.Sprintf("l%d", i); w.holderOf(l) == "ben" {
			id = l
		}
	}
	if err := w.accept(id, "ben"); err != nil {
		t.Fatal(err)
	}
	w.say("feedback", id, outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "ben"))
	w.qualify("next", 80)
	w.settle()
	o := w.offerOf("next")
	if o.GetMember() != "ben" || o.GetChosenBy() != "least-loaded" {
		t.Errorf("the next went to %s by %s", o.GetMember(), o.GetChosenBy())
	}
	if want := `Offered to ben by rule "everything-else" of the agreement (version 1): of 3 who can take it in pool Inside sales, ben holds the fewest open leads for their share (3, weight 2).`; o.GetSummary() != want {
		t.Errorf("the sentence is\n%s\nwant\n%s", o.GetSummary(), want)
	}
	w.wellKept()
}

// Equals with equal loads: over many single leads nobody is ahead by their place in
// the list or their name, in either way of choosing.
//
// Goes red if: ties fall to the first seat (drop the draw in leastLoaded).
func TestTiesOfSmallBatchesHaveNoStandingBias(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"least-loaded", "rotation"} {
		w := newWorld(t, document(t, inside("gives_by: "+way)...), everybody...)
		got := map[string]int{}
		const leads = 600
		for i := range leads {
			id := fmt.Sprintf("l%03d", i)
			w.qualify(id, 80)
			w.settle()
			got[w.holderOf(id)]++
			// Gone before the next comes: all are equal again.
			w.say("feedback", id, outcome(leadv1.OutcomeKind_OUTCOME_KIND_LOST, ""))
			w.settle()
		}
		for _, member := range []string{"ana", "ben", "chloe"} {
			// A third each; 600 draws stay within four standard deviations (46).
			if off := got[member] - leads/3; off > 46 || off < -46 || way == "rotation" && (off > 1 || off < -1) {
				t.Errorf("by %s %s got %d of %d: %v", way, member, got[member], leads, got)
			}
		}
	}
}

// Goes red if: a later one of the list is taken while an earlier one can.
func TestStrictOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, append(append(inside("gives_by: strict-order"), capacities(2, 25)...), "- member: ben", "- member: ben\n        weight: 9")...), everybody...)
	var got []string
	for i := range 7 {
		w.qualify(fmt.Sprintf("l%d", i), 80)
		w.settle()
		got = append(got, w.holderOf(fmt.Sprintf("l%d", i)))
	}
	if want := []string{"ana", "ana", "ben", "ben", "chloe", "chloe", ""}; !slices.Equal(got, want) {
		t.Errorf("went to %v, want %v", got, want)
	}
	o := w.offerOf("l0")
	if reasons := reasonsOf(o.GetConsidered()); o.GetChosenBy() != "strict-order" || !slices.Equal(reasons, []string{"ana:", "ben:later", "chloe:later"}) || o.GetConsidered()[1].GetText() != "could take it, but ana comes first" {
		t.Errorf("%s: %v", o.GetChosenBy(), o.GetConsidered())
	}
	// Whoever comes later has no share of the turn, and is owed nothing by it.
	r := w.folds.groups.Group("sales").Rotations["inside-sales"]
	for _, member := range everybody {
		if d := r.Deviation(member); d.Sign() != 0 {
			t.Errorf("%s is %v off", member, d)
		}
	}
	w.wellKept()
}

// Goes red if: a claim passes by capacity, a limit or a need; a lead that waits to be
// claimed is given out; or a repeat takes another lead.
func TestClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, append(inside("gives_by: claim", "at_most:\n      day: 2"), capacities(2, 25)...)...), everybody...)
	w.away("chloe", time.Time{})
	for i, id := range []string{"b", "a", "c", "d"} {
		w.now = monday.Add(time.Duration(i) * time.Minute)
		w.qualify(id, 80)
		w.settle()
	}
	if q := w.queueOf("b"); q.GetBlockedBy() != "claim" || q.GetText() != "It waits in pool Inside sales for somebody to claim it; 2 of 3 can now." {
		t.Errorf("waits for %s: %s", q.GetBlockedBy(), q.GetText())
	}
	do := func(id, member, key string) (*ledger.Item, string) {
		item := &ledger.Item{Lead: id, Actor: member, Command: &claim{member}, Cause: claimPrefix + key}
		w.handle(item)
		w.settle()
		got, _ := item.Reply.(string)
		return item, got
	}
	// The oldest first; the same key again is the same lead.
	for range 2 {
		if item, got := do("", "ana", "k1"); item.Err != nil || got != "b" {
			t.Fatalf("claimed %q, %v", got, item.Err)
		}
	}
	o := w.said("b", 0)
	if offered, ok := o[len(o)-2].(*leadv1.LeadOffered); !ok || offered.GetChosenBy() != "claim" || offered.GetMember() != "ana" {
		t.Errorf("said %v", o)
	}
	if w.folds.state("b").State != leadv1.State_STATE_ACCEPTED || w.folds.state("b").Owner != "ana" {
		t.Errorf("the claimed lead is %v with %s", w.folds.state("b").State, w.folds.state("b").Owner)
	}
	for _, test := range []struct{ id, member, want string }{
		{"b", "ben", "the lead is accepted and waits for nobody"},
		{"a", "chloe", "chloe is away"},
		{"", "chloe", "chloe is away"},
		{"a", "dan", "dan is not of pool Inside sales"},
		{"zz", "ana", "there is no lead zz"},
	} {
		if item, _ := do(test.id, test.member, "no:"+test.id+test.member); item.Err == nil || item.Err.Error() != test.want {
			t.Errorf("%s claims %q: %v", test.member, test.id, item.Err)
		}
	}
	if item, got := do("c", "ana", "k2"); item.Err != nil || got != "c" {
		t.Errorf("claimed %q, %v", got, item.Err)
	}
	if item, _ := do("a", "ana", "k3"); !fault.Is(item.Err, fault.State) || item.Err.Error() != "ana holds 2 of at most 2 leads" {
		t.Errorf("a third one was answered with %v", item.Err)
	}
	w.say("feedback", "b", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "ana"))
	w.settle()
	if item, _ := do("", "ana", "k4"); item.Err == nil || item.Err.Error() != "ana was given 2 of at most 2 leads of the day" {
		t.Errorf("a third one of the day was answered with %v", item.Err)
	}
	// Two at once: each gets another lead.
	items := []*ledger.Item{
		{Actor: "ben", Command: &claim{"ben"}, Cause: claimPrefix + "k5"},
		{Actor: "ben", Command: &claim{"ben"}, Cause: claimPrefix + "k6"},
	}
	w.handle(items...)
	if items[0].Err != nil || items[1].Err != nil || items[0].Reply != "a" || items[1].Reply != "d" {
		t.Errorf("got %v, %v and %v, %v", items[0].Reply, items[0].Err, items[1].Reply, items[1].Err)
	}
	w.wellKept()
}

// At most so many in a day, a week and a month, also from two pools; the line moves at
// the start of the next period by itself.
//
// Goes red if: what another pool of the group gave does not count, a week begins on
// Sunday, or nobody looks again when a period begins.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, append(inside("at_most:\n      day: 2\n      week: 4"), "    zone: UTC", "    zone: Asia/Kathmandu", `mon: ["09:00-17:00"]`, `mon: ["00:00-24:00"]`, `tue: ["09:00-17:00"]`, `tue: ["00:00-24:00"]`)...), "chloe")
	// One of large companies, one of inside sales: that is chloe's day.
	w.qualify("large", 800)
	w.qualify("a", 80)
	w.qualify("b", 80)
	w.settle()
	q := w.queueOf("b")
	midnight := time.Date(2026, 3, 2, 18, 15, 0, 0, time.UTC)
	c := q.GetConsidered()[2]
	if q.GetBlockedBy() != "capped" || !q.GetLookAgainAt().AsTime().Equal(midnight) || c.GetText() != "was given 2 of at most 2 leads of the day" || c.GetGiven() != 2 || c.GetAtMost() != 2 {
		t.Errorf("waits for %v", q)
	}
	// The other pool has no limit of its own.
	w.qualify("large2", 800)
	w.settle()
	if w.holderOf("large2") != "chloe" {
		t.Errorf("large companies waits: %v", w.last("large2"))
	}
	accept := func(ids ...string) {
		for _, id := range ids {
			if err := w.accept(id, "chloe"); err != nil {
				t.Fatal(err)
			}
		}
	}
	accept("large", "a", "large2")
	w.until(midnight.Add(-time.Second))
	if w.holderOf("b") != "" {
		t.Errorf("the third of the day went to %s", w.holderOf("b"))
	}
	w.until(midnight)
	if w.holderOf("b") != "chloe" {
		t.Errorf("the new day has begun, and %v", w.last("b"))
	}
	if o := w.offerOf("b"); o.GetConsidered()[2].GetGiven() != 3 || o.GetConsidered()[2].GetAtMost() != 4 {
		t.Errorf("the tightest limit is %v", o.GetConsidered()[2])
	}
	w.qualify("c", 80)
	w.settle()
	accept("b")
	if q := w.queueOf("c"); q.GetBlockedBy() != "capped" || !q.GetLookAgainAt().AsTime().Equal(time.Date(2026, 3, 8, 18, 15, 0, 0, time.UTC)) {
		t.Errorf("after four of the week it waits for %v", q)
	}
	w.until(time.Date(2026, 3, 8, 18, 15, 0, 0, time.UTC))
	if w.holderOf("c") != "chloe" {
		t.Errorf("the new week has begun, and %v", w.last("c"))
	}
	w.wellKept()
}

const oneOwner = "nurture:\n  recheck_after"

// Whose the lead is comes before the pool's own way: who has another open lead of the
// person, who owns the company, who had the person before; never somebody away.
//
// Goes red if: one of them is left out or their order changes, somebody who is away
// gets it, or the turn counts where the pool does not count ownership.
func TestOwners(t *testing.T) {
	t.Parallel()
	edits := append(inside("account_owner: true", "previous_owner:\n      for: 30d\n      wait: 2h"), oneOwner, "one_owner:\n  window: 14d\n"+oneOwner)
	start := func(t *testing.T) *world {
		w := newWorld(t, document(t, edits...), everybody...)
		w.account("acme.example", "ben")
		return w
	}
	t.Run("the owner of the company", func(t *testing.T) {
		w := start(t)
		for i := range 4 {
			id := fmt.Sprintf("l%d", i)
			w.of(id, "p"+id, "acme.example", 80)
			w.settle()
			o := w.offerOf(id)
			if o.GetMember() != "ben" || o.GetChosenBy() != "account-owner" || o.GetTurn() != leadv1.TurnKind_TURN_KIND_OWNERSHIP || o.GetTurnNumber() != 0 {
				t.Errorf("%v", o)
			}
			if want := `Offered to ben by rule "everything-else" of the agreement (version 1): the company is theirs.`; o.GetSummary() != want {
				t.Errorf("the sentence is %s", o.GetSummary())
			}
		}
		// No turn of the rotation: nobody earned, nobody got.
		if r := w.folds.groups.Group("sales").Rotations["inside-sales"]; r != nil {
			t.Errorf("the rotation moved: %v", r)
		}
		w.away("ben", time.Time{})
		w.of("away", "paway", "acme.example", 80)
		w.settle()
		if o := w.offerOf("away"); o.GetMember() == "ben" || o.GetChosenBy() != "rotation" || o.GetConsidered()[1].GetReason() != "away" {
			t.Errorf("%v", o)
		}
		w.account("acme.example", "")
		w.back("ben")
		w.of("nobody", "pn", "acme.example", 80)
		w.settle()
		if o := w.offerOf("nobody"); o.GetChosenBy() != "rotation" {
			t.Errorf("the company is nobody's, and %v", o)
		}
		w.wellKept()
	})
	t.Run("who is of the group's other pool", func(t *testing.T) {
		w := start(t)
		w.account("acme.example", "dan")
		w.of("a", "p", "acme.example", 80)
		w.settle()
		if o := w.offerOf("a"); o.GetMember() != "dan" || len(o.GetConsidered()) != 4 || o.GetConsidered()[3].GetCapacity() != 25 {
			t.Errorf("%v", o)
		}
		w.wellKept()
	})
	t.Run("who has another open lead of the person", func(t *testing.T) {
		w := start(t)
		w.of("a", "p", "", 80)
		w.of("b", "p", "acme.example", 80)
		w.notices = nil
		// Both in one batch: the second sees the first.
		w.handle(&ledger.Item{Lead: "a", Cause: "test:a"}, &ledger.Item{Lead: "b", Cause: "test:b"})
		holder := w.holderOf("a")
		if o := w.offerOf("b"); o.GetMember() != holder || o.GetChosenBy() != "active-owner" {
			t.Errorf("%s has the first, and %v", holder, o)
		}
		w.settle()
		w.wellKept()
	})
	t.Run("who had the person before", func(t *testing.T) {
		w := start(t)
		w.of("a", "p", "", 80)
		w.settle()
		owner := w.holderOf("a")
		if err := w.accept("a", owner); err != nil {
			t.Fatal(err)
		}
		w.say("feedback", "a", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, owner))
		w.settle()
		w.of("b", "p", "", 80)
		w.settle()
		if o := w.offerOf("b"); o.GetMember() != owner || o.GetChosenBy() != "previous-owner" {
			t.Fatalf("%s had the person, and %v", owner, o)
		}
		if err := w.accept("b", owner); err != nil {
			t.Fatal(err)
		}
		w.say("feedback", "b", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, owner))
		// Away: the lead waits for them for two hours, then somebody covers.
		w.away(owner, time.Time{})
		w.of("c", "p", "", 80)
		w.settle()
		q := w.queueOf("c")
		want := fmt.Sprintf("It waits for %s, who had this person before and is away, until 2026-03-02 14:00 UTC; then somebody else in pool Inside sales covers.", owner)
		if q.GetBlockedBy() != "owner" || q.GetText() != want || !q.GetLookAgainAt().AsTime().Equal(monday.Add(2*time.Hour)) {
			t.Errorf("waits for %v", q)
		}
		w.until(monday.Add(2 * time.Hour))
		o := w.offerOf("c")
		cover := o.GetMember()
		if cover == owner || o.GetChosenBy() != "cover" || !strings.Contains(o.GetSummary(), "In place of "+owner) {
			t.Fatalf("%v", o)
		}
		if err := w.accept("c", cover); err != nil {
			t.Fatal(err)
		}
		if found, _ := w.folds.people.Person("p"); found.Owner != owner {
			t.Errorf("%s covered, and the person is %s's", cover, found.Owner)
		}
		w.say("feedback", "c", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, cover))
		w.back(owner)
		w.of("d", "p", "", 80)
		w.settle()
		if o := w.offerOf("d"); o.GetMember() != owner || o.GetChosenBy() != "previous-owner" {
			t.Errorf("%s is back, and %v", owner, o)
		}
		w.wellKept()
	})
	t.Run("they are back while it waits", func(t *testing.T) {
		w := start(t)
		w.of("a", "p", "", 80)
		w.settle()
		owner := w.holderOf("a")
		if err := w.accept("a", owner); err != nil {
			t.Fatal(err)
		}
		w.say("feedback", "a", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, owner))
		w.away(owner, monday.Add(time.Hour))
		w.of("b", "p", "", 80)
		w.settle()
		w.until(monday.Add(time.Hour))
		if o := w.offerOf("b"); o.GetMember() != owner || o.GetChosenBy() != "previous-owner" {
			t.Errorf("%v", o)
		}
		w.wellKept()
	})
	t.Run("longer ago than agreed", func(t *testing.T) {
		w := start(t)
		w.of("a", "p", "", 80)
		w.settle()
		if err := w.accept("a", w.holderOf("a")); err != nil {
			t.Fatal(err)
		}
		w.say("feedback", "a", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "x"))
		w.until(monday.AddDate(0, 0, 31))
		w.of("b", "p", "", 80)
		w.settle()
		if o := w.offerOf("b"); o.GetChosenBy() != "rotation" {
			t.Errorf("%v", o)
		}
	})
}

// Where ownership counts, the owner's turn is one of the rotation: they got a lead,
// and all who could have taken it earned their share.
//
// Goes red if: step.counted is not said, or not folded.
func TestOwnershipThatCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, inside("account_owner: true", "counts: [rotation, ownership]")...), everybody...)
	w.account("acme.example", "ben")
	for i := range 3 {
		w.of(fmt.Sprintf("o%d", i), fmt.Sprintf("p%d", i), "acme.example", 80)
		w.settle()
	}
	r := func() *Rotation { return w.folds.groups.Group("sales").Rotations["inside-sales"] }
	if d := r().Deviation("ben"); d.Cmp(big.NewRat(2, 1)) != 0 || r().Turns() != 3 {
		t.Errorf("after three of the company's ben is %v ahead in %d turns", d, r().Turns())
	}
	var got []string
	for i := range 7 {
		w.qualify(fmt.Sprintf("l%d", i), 80)
		w.settle()
		got = append(got, w.holderOf(fmt.Sprintf("l%d", i)))
	}
	slices.Sort(got)
	if want := []string{"ana", "ana", "ana", "ben", "chloe", "chloe", "chloe"}; !slices.Equal(got, want) {
		// With ten turns everybody has had three, and one somebody the tenth.
		for _, m := range []string{"ana", "ben", "chloe"} {
			if n := r().Count(m); n < 3 || n > 4 {
				t.Errorf("after ten turns %s has %d: %v", m, n, got)
			}
		}
	}
}

// Whoever rejects a lead for a reason that is agreed to be no fault of theirs has the
// turn back: one more lead later, at the cost of the others; once for each lead.
//
// Goes red if: no credit is given, it is given twice, where the pool does not count
// credits, or for another reason.
func TestCredits(t *testing.T) {
	t.Parallel()
	reason := []string{"    leads_to: disqualify\n", "    leads_to: disqualify\n    credit: true\n"}
	deviation := func(w *world, member string) string {
		return w.folds.groups.Group("sales").Rotations["inside-sales"].Deviation(member).RatString()
	}
	w := newWorld(t, document(t, reason...), "ana", "ben")
	w.qualify("a", 80)
	w.settle()
	who := w.holderOf("a")
	other := map[string]string{"ana": "ben", "ben": "ana"}[who]
	if err := w.reject("a", who, "not-genuine"); err != nil {
		t.Fatal(err)
	}
	if got := w.steps("sales", "a"); !slices.Equal(got, []string{"offered", "released", "adjusted"}) || deviation(w, who) != "-1/2" || deviation(w, other) != "1/2" {
		t.Errorf("%v; %s is %s ahead, %s %s", got, who, deviation(w, who), other, deviation(w, other))
	}
	for i := range 2 {
		w.qualify(fmt.Sprintf("b%d", i), 80)
		w.settle()
	}
	if w.holderOf("b0") != who || w.holderOf("b1") != who && deviation(w, who) != "-1/2" {
		t.Errorf("the next went to %s and %s", w.holderOf("b0"), w.holderOf("b1"))
	}
	w.wellKept()

	for name, edits := range map[string][]string{
		"not where it does not count": append(inside("counts: [rotation]"), reason...),
		"not for another reason":      nil,
	} {
		w := newWorld(t, document(t, edits...), "ana", "ben")
		w.qualify("a", 80)
		w.settle()
		if err := w.reject("a", w.holderOf("a"), "not-genuine"); err != nil {
			t.Fatal(err)
		}
		if got := w.steps("sales", "a"); !slices.Equal(got, []string{"offered", "released"}) {
			t.Errorf("%s: %v", name, got)
		}
	}

	// The same lead comes back and is rejected by the same person.
	w = newWorld(t, document(t, "    title: No time to call within the agreed time\n", "    title: No time to call within the agreed time\n    credit: true\n"), "ana", "ben")
	w.away("ben", time.Time{})
	w.qualify("a", 80)
	w.settle()
	w.back("ben")
	w.settle()
	adjusted := 0
	for range 2 {
		if err := w.reject("a", "ana", "no-time"); err != nil {
			t.Fatal(err)
		}
		w.settle()
		// Whoever has it sends it back, it qualifies anew, and ana has it again.
		if err := w.reject("a", w.holderOf("a"), "not-ready"); err != nil {
			t.Fatal(err)
		}
		w.away("ben", time.Time{})
		w.say("qualification", "a", nurtured(lead.ReasonRejected), mql())
		w.settle()
		w.back("ben")
		w.settle()
	}
	for _, step := range w.steps("sales", "a") {
		if step == "adjusted" {
			adjusted++
		}
	}
	if adjusted != 1 {
		t.Errorf("%d credits for one lead: %v", adjusted, w.steps("sales", "a"))
	}
}

// A calibration by hand: an event with author and reason, and the books of both
// sides, in one batch.
//
// Goes red if: the others do not pay, or somebody who is not of the pool is taken.
func TestCalibration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, "- member: ben", "- member: ben\n        weight: 3"), everybody...)
	adjust := func(who, pool string, leads int64) error {
		return w.command("", "boss", &member{subject: "org.member.m", handle: who, body: &routingv1.TurnsAdjusted{Member: who, Pool: pool, Leads: leads, Reason: "new here"}})
	}
	if err := adjust("ana", "inside-sales", 4); err != nil {
		t.Fatal(err)
	}
	r := w.folds.groups.Group("sales").Rotations["inside-sales"]
	for member, want := range map[string]string{"ana": "-4", "ben": "3", "chloe": "1"} {
		if got := r.Deviation(member).RatString(); got != want {
			t.Errorf("%s is %s ahead, want %s", member, got, want)
		}
	}
	last := w.events[len(w.events)-2]
	if body, ok := last.Body.(*routingv1.TurnsAdjusted); !ok || last.Actor != "boss" || body.GetReason() != "new here" {
		t.Errorf("said %v by %s", last.Body, last.Actor)
	}
	for i := range 5 {
		w.qualify(fmt.Sprintf("l%d", i), 80)
		w.settle()
		if got := w.holderOf(fmt.Sprintf("l%d", i)); i < 4 && got != "ana" {
			t.Errorf("lead %d went to %s", i, got)
		}
	}
	for _, test := range []struct {
		member, pool string
		leads        int64
	}{{"dan", "inside-sales", 1}, {"ana", "nowhere", 1}, {"ana", "inside-sales", 0}, {"zoe", "inside-sales", 1}} {
		if err := adjust(test.member, test.pool, test.leads); err == nil {
			t.Errorf("%+v was taken", test)
		}
	}
	w.away("chloe", time.Time{})
	w.away("dan", time.Time{})
	if err := adjust("chloe", "large-companies", 1); err == nil {
		t.Error("nobody is there to pay, and it was taken")
	}
	w.wellKept()
}

// Back from leave: by the agreed policy they get nothing, everything, or so much of
// what they would have got; meanwhile they get none, and the others keep their shares.
//
// Goes red if: the policy is not asked (owed), a share is kept for somebody who is
// merely off duty, or the cap is not held.
func TestReturnFromLeave(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		policy []string
		// back is how many of the first 12 leads after the leave are chloe's.
		back int
	}{
		"no catch-up": {nil, 3},
		"full":        {inside("after_leave: full"), 12},
		"capped":      {inside("after_leave: capped", "catch_up_at_most: 5"), 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, document(t, append(test.policy, "- member: ben", "- member: ben\n        weight: 2")...), "ana", "ben", "chloe")
			lot := func(prefix string, n int) map[string]int {
				got := map[string]int{}
				for i := range n {
					id := fmt.Sprintf("%s%02d", prefix, i)
					w.qualify(id, 80)
					w.settle()
					got[w.holderOf(id)]++
					w.say("feedback", id, outcome(leadv1.OutcomeKind_OUTCOME_KIND_LOST, ""))
				}
				w.settle()
				return got
			}
			if got := lot("a", 12); got["ana"] != 3 || got["ben"] != 6 || got["chloe"] != 3 {
				t.Fatalf("all there: %v", got)
			}
			w.away("chloe", time.Time{})
			if got := lot("b", 60); got["ana"] != 20 || got["ben"] != 40 || got["chloe"] != 0 {
				t.Errorf("chloe on leave: %v", got)
			}
			w.back("chloe")
			got := lot("c", 12)
			if got["chloe"] != test.back {
				t.Errorf("back: %v", got)
			}
			if name != "full" {
				return
			}
			// In the end as if nobody had been away: 120 leads as 30, 60 and 30.
			lot("d", 36)
			r := w.folds.groups.Group("sales").Rotations["inside-sales"]
			if r.Count("ana") != 30 || r.Count("ben") != 60 || r.Count("chloe") != 30 {
				t.Errorf("in the end %d, %d and %d", r.Count("ana"), r.Count("ben"), r.Count("chloe"))
			}
		})
	}
}

// One in line that the only one who is there has sent back stays, and the one behind
// it goes.
//
// Goes red if: such a lead is taken for the same as those behind it (able).
func TestWhoSentALeadBackHidesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, capacities(1, 25)...), "ana", "ben")
	w.away("ben", time.Time{})
	w.qualify("back", 80)
	w.settle()
	if err := w.reject("back", "ana", "not-ready"); err != nil {
		t.Fatal(err)
	}
	w.say("qualification", "back", nurtured(lead.ReasonRejected))
	for _, hold := range []struct{ id, member string }{{"held", "ana"}, {"other", "ben"}} {
		w.back(hold.member)
		w.qualify(hold.id, 80)
		w.settle()
		if err := w.accept(hold.id, hold.member); err != nil {
			t.Fatal(err)
		}
	}
	// Both wait for the same: nobody has room.
	w.say("qualification", "back", mql())
	w.qualify("new", 80)
	w.settle()
	if w.queueOf("back").GetBlockedBy() != w.queueOf("new").GetBlockedBy() {
		t.Fatalf("they wait for %v and %v", w.last("back"), w.last("new"))
	}
	w.say("feedback", "held", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "ana"))
	w.settle()
	if w.holderOf("new") != "ana" || w.holderOf("back") != "" {
		t.Errorf("the new one is with %q, the other with %q", w.holderOf("new"), w.holderOf("back"))
	}
	w.wellKept()
}

// Two leads wait for the same reason with other needs: the second can go where the
// first cannot.
//
// Goes red if: the needs are left out of what makes leads in line the same (class).
func TestLeadsWithOtherNeedsAreNotTheSameInLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t,
		"    text: All other qualified leads go to inside sales.\n", "    text: All other qualified leads go to inside sales.\n    needs: [lead.country]\n",
		"      - member: ben\n", "      - member: ben\n        knows: [DE]\n",
		"      - member: ana\n", "      - member: ana\n        knows: [FR]\n"), "ana", "ben")
	w.away("ana", time.Time{})
	w.away("ben", time.Time{})
	for _, country := range []string{"FR", "DE"} {
		w.say("intake", country, &leadv1.LeadReceived{SourceId: "s1", Source: "web", SubmissionId: country, ReceivedAt: timestamppb.New(w.now), Features: &leadv1.Features{HasEmail: true, Country: country, Employees: 80}})
		w.say("qualification", country, mql())
	}
	w.settle()
	if w.queueOf("FR").GetBlockedBy() != w.queueOf("DE").GetBlockedBy() {
		t.Fatalf("they wait for %v and %v", w.last("FR"), w.last("DE"))
	}
	w.back("ben")
	w.settle()
	if w.holderOf("DE") != "ben" || w.holderOf("FR") != "" {
		t.Errorf("the german one is with %q, the french with %q", w.holderOf("DE"), w.holderOf("FR"))
	}
	w.wellKept()
}
