package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// moving carries a move out as a manager and answers what became of each lead. The
// world derives every batch again, so a move that cannot be derived fails its test.
func (w *world) moving(a ask, ids ...string) []movedLead {
	w.t.Helper()
	w.commands++
	return w.movingAs(fmt.Sprintf("cmd:move:%d", w.commands), a, ids...)
}

func (w *world) movingAs(cause string, a ask, ids ...string) []movedLead {
	w.t.Helper()
	cmd := &move{ask: a}
	for _, id := range ids {
		cmd.leads = append(cmd.leads, moving{id, cause + ":" + id})
	}
	item := &ledger.Item{Actor: "max", Command: cmd, Cause: cause}
	w.handle(item)
	if item.Err != nil {
		w.t.Fatalf("the move was refused: %v", item.Err)
	}
	return item.Reply.([]movedLead)
}

// one moves one lead, and fails where it is refused.
func (w *world) one(a ask, id string) *routingv1.Moved {
	w.t.Helper()
	m := w.moving(a, id)[0]
	if m.GetRefused() != "" {
		w.t.Fatalf("%s was not moved: %s", id, m.GetRefused())
	}
	return m.Moved
}

// owners are whose the persons of leads are, by what was said of them.
func (w *world) owners() map[string]string {
	out := map[string]string{}
	for _, e := range w.events {
		if body, ok := e.Body.(*personv1.OwnerChanged); ok {
			out[strings.TrimPrefix(e.Subject, lead.SubjectPerson)] = body.GetMember()
		}
	}
	return out
}

// loads are how many leads each person holds by the leads' own events, and fail where
// the pools count otherwise.
func (w *world) loads() map[string]int64 {
	w.t.Helper()
	byLead := map[string]int64{}
	for _, id := range w.folds.order {
		if member := w.holderOf(id); member != "" {
			byLead[member]++
		}
	}
	byPool := map[string]int64{}
	for _, name := range w.folds.groups.Names() {
		group := w.folds.groups.Group(name)
		for member, n := range group.Load {
			byPool[member] += n
		}
		for id, hold := range group.Held {
			if w.holderOf(id) != hold.Member {
				w.t.Errorf("group %s holds %s with %s, the lead says %q", name, id, hold.Member, w.holderOf(id))
			}
		}
		for id := range group.Line {
			if s := w.folds.state(id); s.State != leadv1.State_STATE_WAITING || s.Group != name {
				w.t.Errorf("%s stands in line of %s and is %v of %s", id, name, s.State, s.Group)
			}
		}
	}
	if diff := cmp.Diff(byLead, byPool); diff != "" {
		w.t.Errorf("loads by leads and by pools (-leads +pools)\n%s", diff)
	}
	return byLead
}

func staff(members ...string) []string { return append(slices.Clone(everybody), members...) }

func TestAMovedLeadFollowsTheRulesWithoutWhoHadIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.qualify("a", 50)
	w.settle()
	first := w.holderOf("a")
	left := "chloe"
	if first == left {
		left = "ben"
	}
	before := len(w.events)
	m := w.one(ask{reason: "overload", batch: "b1", excluded: []string{left}}, "a")
	second := w.holderOf("a")
	if m.GetFrom() != first || m.GetTo() != second || second == "" || second == first || second == left {
		t.Fatalf("moved from %q to %q, held by %q before and %q now; %s was left out", m.GetFrom(), m.GetTo(), first, second, left)
	}
	said := w.said("a", before)
	if len(said) != 2 {
		t.Fatalf("said %v, want the move and the offer", said)
	}
	body := said[0].(*leadv1.LeadReassigned)
	if !slices.Equal(body.GetExcluded(), []string{left, first}) || body.GetReason() != "overload" || body.GetBatchId() != "b1" || body.GetAgreementVersion() != 0 {
		t.Errorf("said %v", body)
	}
	offer := said[1].(*leadv1.LeadOffered)
	if offer.GetTurn() != leadv1.TurnKind_TURN_KIND_ROTATION || offer.GetBatchId() != "b1" || offer.GetOffer() != 2 {
		t.Errorf("offered as %v", offer)
	}
	for _, c := range offer.GetConsidered() {
		if out := c.GetMember() == left || c.GetMember() == first; out != (c.GetReason() == "excluded") {
			t.Errorf("considered %v", c)
		}
	}
	if actor := w.events[before].Actor; actor != "max" {
		t.Errorf("the move names %q", actor)
	}
	// Its time runs out: it does not fall back to whoever was left out.
	w.until(monday.AddDate(0, 0, 4))
	if got := w.holderOf("a"); got != second {
		t.Errorf("after its time ran out it is with %q; only %s was left", got, second)
	}
	w.loads()
}

func TestAMoveLeavesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.qualify("a", 50)
	w.settle()
	m := w.one(ask{reason: "other", batch: "b1", excluded: []string{"ana", "ben", "chloe"}}, "a")
	if m.GetTo() != "" || m.GetBlockedBy() != "declined" {
		t.Fatalf("with everybody left out: %v", m)
	}
	queued := w.last("a").(*leadv1.LeadQueued)
	if !strings.Contains(queued.GetText(), "3 left out by whoever moved it") {
		t.Errorf("it waits: %s", queued.GetText())
	}
	if got, want := w.steps("sales", "a"), []string{"offered", "released", "queued"}; !slices.Equal(got, want) {
		t.Errorf("the pool saw %v, want %v", got, want)
	}
	w.loads()
}

func TestAMoveToAPersonIsAnOverride(t *testing.T) {
	t.Parallel()
	// Ben is full with one lead.
	w := newWorld(t, document(t, capacities(1, 25)...), everybody...)
	w.qualify("a", 50)
	w.settle()
	holder := w.holderOf("a")
	other := "ana"
	if holder == "ana" {
		other = "ben"
	}
	w.qualify("b", 50)
	w.qualify("c", 50)
	w.settle()
	turns := w.folds.groups.Group("sales").Rotations["inside-sales"].Turns()
	if n := w.loads()[other]; n != 1 {
		t.Fatalf("%s holds %d leads, want 1 of 1", other, n)
	}
	w.one(ask{to: other, reason: "customer-wish", batch: "b1"}, "a")
	offer := w.last("a").(*leadv1.LeadOffered)
	if offer.GetMember() != other || offer.GetTurn() != leadv1.TurnKind_TURN_KIND_OVERRIDE || offer.GetChosenBy() != "override" || offer.GetTurnNumber() != 0 {
		t.Fatalf("offered as %v", offer)
	}
	c := candidate(offer.GetConsidered(), other)
	if c.GetEligible() || c.GetReason() != "full" || c.GetLoad() != 1 || c.GetCapacity() != 1 || !strings.Contains(c.GetText(), "given by hand all the same") {
		t.Errorf("above capacity, and the record says %v", c)
	}
	if !strings.Contains(offer.GetSummary(), "holds 1 of at most 1") {
		t.Errorf("summary: %s", offer.GetSummary())
	}
	if n := w.loads()[other]; n != 2 {
		t.Errorf("%s holds %d leads, want 2", other, n)
	}
	if now := w.folds.groups.Group("sales").Rotations["inside-sales"].Turns(); now != turns {
		t.Errorf("a move by hand took %d turns of the rotation", now-turns)
	}
	// Somebody of another pool is given it out of their own; a clock runs.
	w.one(ask{to: "dan", reason: "wrong-person", batch: "b2"}, "a")
	if offer := w.last("a").(*leadv1.LeadOffered); offer.GetMember() != "dan" || offer.GetPool() != "large-companies" || !offer.GetTakeBy().AsTime().After(w.now) {
		t.Errorf("offered as %v", offer)
	}
	w.loads()
}

func TestSomebodyOfNoPoolIsGivenALeadByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), staff("eve")...)
	w.qualify("a", 50)
	w.settle()
	w.one(ask{to: "eve", reason: "customer-wish", batch: "b1"}, "a")
	offer := w.last("a").(*leadv1.LeadOffered)
	if c := candidate(offer.GetConsidered(), "eve"); offer.GetMember() != "eve" || c.GetEligible() || !strings.Contains(c.GetText(), "not in pool") {
		t.Errorf("offered as %v", offer)
	}
	if err := w.accept("a", "eve"); err != nil {
		t.Errorf("eve cannot take it: %v", err)
	}
	w.loads()
}

func TestWhatNoLeadCanBeAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.roster(&routingv1.MemberAdded{Member: "mia", Roles: []string{"marketing"}})
	w.roster(&routingv1.MemberDeactivated{Member: "dan", Reason: "left"})
	w.away("ben", monday.AddDate(0, 0, 1))
	w.qualify("a", 50)
	w.settle()
	for name, test := range map[string]struct {
		ask  ask
		kind fault.Kind
		says string
	}{
		"another reason":     {ask{reason: "because"}, fault.Invalid, "use one of left, overload, wrong-person, customer-wish, other"},
		"the word of undo":   {ask{reason: undone}, fault.Invalid, "use one of"},
		"nobody":             {ask{reason: "other", to: "bob"}, fault.State, "there is no member bob"},
		"away":               {ask{reason: "other", to: "ben"}, fault.State, "ben is away until 2026-03-03 12:00 UTC"},
		"deactivated":        {ask{reason: "other", to: "dan"}, fault.State, "taken out of every pool"},
		"not of sales":       {ask{reason: "other", to: "mia"}, fault.State, "neither the role sales nor qualifier"},
		"named twice":        {ask{reason: "other", to: "ana", excluded: []string{"ana"}}, fault.Invalid, "both"},
		"nobody is left out": {ask{reason: "other", excluded: []string{"chloee"}}, fault.Invalid, "chloee is to be left out, and is not known"},
	} {
		item := &ledger.Item{Command: &move{ask: test.ask, leads: []moving{{"a", "cmd:" + name}}}, Cause: "cmd:" + name}
		if w.handle(item) {
			t.Errorf("%s: it was moved", name)
		}
		if !fault.Is(item.Err, test.kind) || !strings.Contains(fmt.Sprint(item.Err), test.says) {
			t.Errorf("%s: %v, want %v with %q", name, item.Err, test.kind, test.says)
		}
	}
}

func TestWhichLeadsAreMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	for _, id := range []string{"offered", "accepted", "working", "won", "back"} {
		w.qualify(id, 50)
	}
	w.say("intake", "new", &leadv1.LeadReceived{SourceId: "s1", Source: "web", ReceivedAt: nil, Features: &leadv1.Features{}})
	w.say("intake", "past", &leadv1.LeadReceived{SourceId: "s1", Source: "web", Historical: true, Features: &leadv1.Features{}})
	w.settle()
	for _, id := range []string{"accepted", "working", "won"} {
		if err := w.accept(id, w.holderOf(id)); err != nil {
			t.Fatal(err)
		}
	}
	w.say("feedback", "working", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WORKING, "ana"))
	w.say("feedback", "won", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "ana"))
	w.say("qualification", "back", nurtured(lead.ReasonRejected))
	w.settle()
	w.away("ana", time.Time{})
	w.away("ben", time.Time{})
	w.away("chloe", time.Time{})
	w.qualify("waiting", 50)
	w.settle()
	w.back("ben")
	// Not settled: the waiting lead is moved before it is given out.
	want := map[string]string{
		"offered": "", "accepted": "", "working": "", "waiting": "",
		"won": "won, not with sales", "back": "nurturing, not with sales", "new": "received, not with sales", "past": "imported history", "none": "there is no such lead",
	}
	ids := []string{"offered", "none", "accepted", "past", "working", "won", "back", "new", "waiting"}
	before := len(w.events)
	for i, m := range w.moving(ask{reason: "other", batch: "b1"}, ids...) {
		if m.GetLeadId() != ids[i] || (want[ids[i]] == "") != (m.GetRefused() == "") || !strings.Contains(m.GetRefused(), want[ids[i]]) {
			t.Errorf("%s: %v, want a refusal with %q", ids[i], m, want[ids[i]])
		}
	}
	moves := 0
	for _, e := range w.events[before:] {
		if body, ok := e.Body.(*leadv1.LeadReassigned); ok {
			moves++
			if body.GetBatchId() != "b1" {
				t.Errorf("said %v", body)
			}
		}
	}
	if moves != 4 {
		t.Errorf("%d leads were moved, want 4", moves)
	}
	w.settle()
	w.loads()
}

func TestAMoveTakesThePersonFromTheirOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.qualify("a", 50)
	w.settle()
	holder := w.holderOf("a")
	if err := w.accept("a", holder); err != nil {
		t.Fatal(err)
	}
	w.one(ask{reason: "left", batch: "b1"}, "a")
	if got := w.owners()["p-a"]; got != "" {
		t.Errorf("the person is %s's after the lead was moved", got)
	}
	w.one(ask{reason: undone, batch: "b2", undoes: "b1"}, "a")
	if got := w.owners()["p-a"]; got != holder {
		t.Errorf("the person is %q's after the lead was given back to %s", got, holder)
	}
}

func TestAMoveIsGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	w.qualify("offered", 50)
	w.qualify("accepted", 50)
	w.qualify("working", 500)
	w.settle()
	had := map[string]string{}
	for _, id := range []string{"offered", "accepted", "working"} {
		had[id] = w.holderOf(id)
		if id != "offered" {
			if err := w.accept(id, had[id]); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.say("feedback", "working", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WORKING, had["working"]))
	was := map[string]*lead.State{}
	for id := range had {
		was[id] = w.folds.state(id).Clone()
	}
	loads := w.loads()
	w.now = w.now.Add(time.Minute)
	w.moving(ask{reason: "other", batch: "b1"}, "offered", "accepted")
	w.moving(ask{reason: "other", batch: "b1", to: "ben"}, "working")
	w.loads()
	w.now = w.now.Add(time.Minute)
	for _, m := range w.moving(ask{reason: undone, batch: "b2", undoes: "b1"}, "offered", "accepted", "working") {
		if m.GetRefused() != "" || m.GetTo() != had[m.GetLeadId()] {
			t.Errorf("given back: %v, want to %s", m, had[m.GetLeadId()])
		}
	}
	if diff := cmp.Diff(loads, w.loads()); diff != "" {
		t.Errorf("loads before and after (-before +after)\n%s", diff)
	}
	for _, id := range []string{"accepted", "working"} {
		s := w.folds.state(id)
		if s.State != was[id].State || s.Owner != had[id] || s.Pool != was[id].Pool || !s.AcceptedAt.Equal(was[id].AcceptedAt) || !s.TakeBy.IsZero() {
			t.Errorf("%s is %v of %s in %s (accepted %v, take by %v), was %v in %s", id, s.State, s.Owner, s.Pool, s.AcceptedAt, s.TakeBy, was[id].State, was[id].Pool)
		}
	}
	if s := w.folds.state("offered"); s.State != leadv1.State_STATE_OFFERED || s.OfferedTo != had["offered"] || !s.TakeBy.After(was["offered"].TakeBy) {
		t.Errorf("offered to %q until %v", s.OfferedTo, s.TakeBy)
	}
	if next := w.folds.groups.NextOffer(); !next.Equal(w.folds.state("offered").TakeBy) {
		t.Errorf("the next offer runs out at %v: one that was accepted runs again", next)
	}
	// Whoever has it back can do with it what they could.
	if err := w.reject("accepted", had["accepted"], "no-fit"); err != nil {
		t.Error(err)
	}
	// And the giving back can be taken back as well, for what nobody has answered.
	for i, m := range w.moving(ask{reason: undone, batch: "b3", undoes: "b2"}, "offered", "accepted", "working") {
		if (m.GetRefused() != "") != (i == 1) {
			t.Errorf("undone again: %v", m)
		}
	}
	w.settle()
	w.loads()
}

func TestWhatHasMovedOnIsNotGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	ids := []string{"accepted", "declined", "returned", "again", "ran-out", "gone"}
	for _, id := range ids {
		w.qualify(id, 50)
	}
	w.settle()
	had := map[string]string{}
	for _, id := range ids {
		had[id] = w.holderOf(id)
	}
	w.moving(ask{reason: "other", batch: "b1"}, ids...)
	for id, do := range map[string]func(id string) error{
		"accepted": func(id string) error { return w.accept(id, w.holderOf(id)) },
		"declined": func(id string) error { return w.reject(id, w.holderOf(id), "no-time") },
		"returned": func(id string) error { return w.reject(id, w.holderOf(id), "not-ready") },
	} {
		if err := do(id); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	w.one(ask{reason: "other", batch: "b2"}, "again")
	w.say("qualification", "returned", nurtured(lead.ReasonRejected))
	w.settle()
	// Running out is nobody's answer.
	w.until(monday.Add(5 * time.Hour))
	w.roster(&routingv1.MemberDeactivated{Member: had["gone"], Reason: "left"})
	want := map[string]string{
		"accepted": "has accepted it since", "declined": "answered it since", "returned": "nurturing", "again": "moved again since, by b2",
	}
	for id, by := range had {
		if _, known := want[id]; !known && by == had["gone"] {
			want[id] = "taken out of every pool"
		}
	}
	for _, m := range w.moving(ask{reason: undone, batch: "b3", undoes: "b1"}, ids...) {
		if why := want[m.GetLeadId()]; (why == "") != (m.GetRefused() == "") || !strings.Contains(m.GetRefused(), why) {
			t.Errorf("%v, want a refusal with %q", m, why)
		}
	}
	w.settle()
	w.loads()
}

func TestALeadGoesBackToItsPlaceInTheLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, capacities(1, 25)...), everybody...)
	for i := range 3 {
		w.qualify(fmt.Sprintf("held%d", i), 50)
		w.settle()
	}
	for i := range 4 {
		w.now = w.now.Add(time.Minute)
		w.qualify(fmt.Sprintf("line%d", i), 50)
		w.settle()
	}
	since := w.folds.state("line1").WaitingSince
	w.now = w.now.Add(time.Minute)
	w.one(ask{reason: "customer-wish", to: "ben", batch: "b1"}, "line1")
	if got, want := w.folds.groups.Group("sales").Ordered(), []string{"line0", "line2", "line3"}; !slices.Equal(got, want) {
		t.Fatalf("the line is %v, want %v", got, want)
	}
	m := w.one(ask{reason: undone, batch: "b2", undoes: "b1"}, "line1")
	if m.GetTo() != "" || m.GetBlockedBy() != "full" {
		t.Fatalf("given back: %v", m)
	}
	if got, want := w.folds.groups.Group("sales").Ordered(), []string{"line0", "line1", "line2", "line3"}; !slices.Equal(got, want) {
		t.Errorf("the line is %v, want %v", got, want)
	}
	if got := w.folds.state("line1").WaitingSince; !got.Equal(since) {
		t.Errorf("it waits since %v, want %v", got, since)
	}
	// A kept fold has the same line.
	again := NewGroups()
	rows, err := w.folds.groups.rows(w.folds.groups.all())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.restore(rows); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.folds.groups.Group("sales").Ordered(), again.Group("sales").Ordered()); diff != "" {
		t.Errorf("the line read back (-was +is)\n%s", diff)
	}
	// Who waits longest gets the first place that is free.
	if err := w.accept("held0", w.holderOf("held0")); err != nil {
		t.Fatal(err)
	}
	w.say("feedback", "held0", outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, "ana"))
	w.settle()
	if w.holderOf("line0") == "" {
		t.Errorf("the oldest waits on; the line is %v", w.folds.groups.Group("sales").Ordered())
	}
	w.loads()
}

func TestARepeatedMoveGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t), everybody...)
	var ids []string
	for i := range 10 {
		ids = append(ids, fmt.Sprintf("l%d", i))
		w.qualify(ids[i], 50)
	}
	w.settle()
	a := ask{reason: "overload", batch: "b1"}
	first := w.movingAs("cmd:move:x", a, ids[:4]...)
	held := map[string]string{}
	for _, id := range ids[:4] {
		held[id] = w.holderOf(id)
	}
	second := w.movingAs("cmd:move:x", a, ids...)
	moves := map[string]int{}
	for _, e := range w.events {
		if _, ok := e.Body.(*leadv1.LeadReassigned); ok {
			moves[strings.TrimPrefix(e.Subject, lead.SubjectLead)]++
		}
	}
	for i, id := range ids {
		if moves[id] != 1 {
			t.Errorf("%s was moved %d times", id, moves[id])
		}
		if i < 4 && (second[i].seq == 0 || w.holderOf(id) != held[id] || first[i].seq != 0) {
			t.Errorf("%s was moved again: %v, first %v", id, second[i], first[i])
		}
	}
	// The same lead twice in one batch of the desk is moved once.
	w.commands++
	cmd := func() *ledger.Item {
		return &ledger.Item{Actor: "max", Command: &move{ask: ask{reason: "other", batch: "b2"}, leads: []moving{{"l9", "cmd:move:y:l9"}}}, Cause: "cmd:move:y:l9"}
	}
	one, two := cmd(), cmd()
	before := len(w.said("l9", 0))
	w.handle(one, two)
	if got := len(w.said("l9", 0)) - before; got != 2 {
		t.Errorf("two equal calls said %d events, want a move and an offer", got)
	}
	if diff := cmp.Diff(one.Reply.([]movedLead)[0].Moved, two.Reply.([]movedLead)[0].Moved, protocmp.Transform()); diff != "" {
		t.Errorf("they were answered differently\n%s", diff)
	}
	w.loads()
}

func TestAForgedMoveIsFound(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(*leadv1.LeadReassigned){
		"from somebody else":   func(b *leadv1.LeadReassigned) { b.From = "dan" },
		"by another reason":    func(b *leadv1.LeadReassigned) { b.Reason = "mood" },
		"as accepted":          func(b *leadv1.LeadReassigned) { b.Accepted = true },
		"without exclusion":    func(b *leadv1.LeadReassigned) { b.Excluded = nil },
		"by another version":   func(b *leadv1.LeadReassigned) { b.AgreementVersion = 1 },
		"to somebody away":     func(b *leadv1.LeadReassigned) { b.To, b.Excluded = "dan", nil },
		"as another's undoing": func(b *leadv1.LeadReassigned) { b.Undoes, b.Reason = "b0", undone },
	} {
		w := newWorld(t, document(t), everybody...)
		w.qualify("a", 50)
		w.settle()
		w.away("dan", time.Time{})
		item := &ledger.Item{Actor: "max", Command: &move{ask: ask{reason: "other", batch: "b1"}, leads: []moving{{"a", "cmd:1"}}}, Cause: "cmd:1"}
		drafts, err := w.service.decide(w.now, w.folds.lead, []*ledger.Item{item})
		if err != nil || item.Err != nil {
			t.Fatal(err, item.Err)
		}
		var events []*ledger.Event
		for i, d := range drafts {
			if body, ok := d.Body.(*leadv1.LeadReassigned); ok {
				forge(body)
			}
			events = append(events, &ledger.Event{Seq: uint64(len(w.events) + i + 1), Subject: d.Subject, Body: d.Body, Recorded: w.now, Logic: d.Logic, Cause: d.Cause})
		}
		differ := Rederive(w.folds.groups, w.folds.roster, w.folds.register, w.folds.people, w.folds.state, events)
		if differ[events[0].Seq] == "" {
			t.Errorf("a move %s passes: %v", name, differ)
		}
	}
}

// TestMovesKeepTheBooks moves leads at random, forth and back, between everything else
// that happens: the pools count what the leads say, nothing is offered twice, and
// everything can be derived again.
func TestMovesKeepTheBooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, document(t, capacities(3, 2)...), everybody...)
		var ids, batches []string
		for step := range rapid.IntRange(5, 40).Draw(t, "steps") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
			pick := func() string { return rapid.SampledFrom(ids).Draw(t, "lead") }
			kind := rapid.IntRange(0, 7).Draw(t, "what")
			switch {
			case len(ids) == 0 || kind == 0:
				ids = append(ids, fmt.Sprintf("l%d", step))
				w.qualify(ids[len(ids)-1], int64(rapid.SampledFrom([]int{50, 500}).Draw(t, "employees")))
			case kind == 1:
				id := pick()
				_ = w.accept(id, w.holderOf(id))
			case kind == 2:
				id := pick()
				_ = w.reject(id, w.holderOf(id), rapid.SampledFrom([]string{"no-time", "no-fit"}).Draw(t, "reason"))
			case kind == 3:
				id := pick()
				if w.holderOf(id) != "" {
					w.say("feedback", id, outcome(leadv1.OutcomeKind_OUTCOME_KIND_WON, w.holderOf(id)))
				}
			case kind == 4 && len(batches) > 0:
				batch := fmt.Sprintf("b%d", step)
				w.moving(ask{reason: undone, batch: batch, undoes: rapid.SampledFrom(batches).Draw(t, "batch")}, ids...)
				batches = append(batches, batch)
			default:
				a := ask{reason: "other", batch: fmt.Sprintf("b%d", step), to: rapid.SampledFrom([]string{"", "", "ana", "dan"}).Draw(t, "to")}
				w.moving(a, rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, len(ids), rapid.ID[string]).Draw(t, "leads")...)
				batches = append(batches, a.batch)
			}
			if rapid.Bool().Draw(t, "settled") {
				w.settle()
			}
		}
		w.settle()
		w.loads()
	})
}

func TestMovesRememberWhereTheyStand(t *testing.T) {
	t.Parallel()
	m := NewMoves()
	m.most = 2
	say := func(seq uint64, batch string) {
		m.Apply(&ledger.Event{Seq: seq, Body: &leadv1.LeadReassigned{BatchId: batch}})
	}
	say(3, "b1")
	m.Apply(&ledger.Event{Seq: 4, Body: &leadv1.OfferAccepted{}})
	if _, known := m.where("b9"); known {
		t.Error("a move that never was is known")
	}
	say(7, "b1")
	say(9, "b2")
	if got, _ := m.where("b1"); got != (span{3, 7}) {
		t.Errorf("b1 stands at %v", got)
	}
	say(12, "b3")
	if got, known := m.where("b1"); !known || got.first != 1 || got.last < 7 {
		t.Errorf("a forgotten move is looked for in %v (%t)", got, known)
	}
	if got, _ := m.where("b3"); got != (span{12, 12}) {
		t.Errorf("b3 stands at %v", got)
	}
}
