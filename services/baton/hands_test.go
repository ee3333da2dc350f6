package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// sellers are three people of inside sales with room for many leads, and max who
// manages them.
func (h *house) sellers() {
	h.t.Helper()
	h.team("ana", "ben", "chloe", "dan")
	max := must[*routingv1.AddMemberResponse](h.t)(h.routing().AddMember(h.as(""), &routingv1.AddMemberRequest{Member: "max", Roles: []string{access.Manager}}))
	h.tokens["max"] = max.GetToken()
	h.agree([]byte(strings.Replace(string(h.document()), "capacity: 50", "capacity: 5000", 1)))
}

// flood brings so many leads, which are all given out.
func (h *house) flood(n int) (ids []string) {
	h.t.Helper()
	var items []*intakev1.SubmitBatchRequest
	for i := range n {
		items = append(items, &intakev1.SubmitBatchRequest{Index: int64(i), Item: numbered(i)})
	}
	answers := batch(h.t, intakev1.NewIntakeServiceClient(h.dial()), items...)
	for i := range n {
		if answers[int64(i)].GetAccepted().GetLeadId() == "" {
			h.t.Fatalf("submission %d was answered with %v", i, answers[int64(i)])
		}
		ids = append(ids, answers[int64(i)].GetAccepted().GetLeadId())
	}
	h.settle()
	return ids
}

// reassigned are the moves in the log, by lead.
func (h *house) reassigned() (moves map[string][]*leadv1.LeadReassigned, batches map[string]int) {
	h.t.Helper()
	moves, batches = map[string][]*leadv1.LeadReassigned{}, map[string]int{}
	for _, e := range h.events() {
		if body, ok := e.Body.(*leadv1.LeadReassigned); ok {
			id, _ := lead.FromSubject(e.Subject)
			moves[id] = append(moves[id], body)
			batches[body.GetBatchId()]++
		}
	}
	return moves, batches
}

// A thousand leads are moved by one call that is cut off in the middle and repeated, and
// given back by another: a thousand events each, one batch each, nobody twice.
func TestAThousandLeadsAreMovedAndGivenBack(t *testing.T) {
	h := start(t, Config{})
	h.sellers()
	many := 1000
	if testing.Short() {
		many = 150
	}
	ids := h.flood(many)
	had := map[string]string{}
	for _, id := range ids {
		had[id] = h.lead(id).GetOfferedTo()
		if had[id] == "" {
			t.Fatalf("%s was not given out", id)
		}
	}
	loads := h.loads()

	bulk := &routingv1.BulkReassignRequest{LeadIds: ids, Reason: "overload", IdempotencyKey: "monday", DryRun: true}
	last := must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamLedger))
	dry := must[*routingv1.BulkReassignResponse](t)(h.routing().BulkReassign(h.as("max"), bulk))
	same(t, "a dry run", []int64{dry.GetMoved(), dry.GetRefused()}, []int64{int64(many), 0})
	for _, m := range dry.GetLeads() {
		if m.GetTo() == "" || m.GetTo() == m.GetFrom() || m.GetFrom() != had[m.GetLeadId()] {
			t.Fatalf("a dry run says %v", m)
		}
	}
	if now := must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamLedger)); now != last {
		t.Fatalf("a dry run wrote %d events", now-last)
	}

	// Cut off after the first lead that was seen to be moved.
	bulk.DryRun = false
	ctx, cut := context.WithCancel(h.as("max"))
	watching, err := h.routing().WatchAssignments(ctx, &routingv1.WatchAssignmentsRequest{FromSequence: last + 1})
	if err != nil {
		t.Fatal(err)
	}
	broken := make(chan error, 1)
	go func() {
		_, err := h.routing().BulkReassign(ctx, bulk)
		broken <- err
	}()
	seen := must[*routingv1.Assignment](t)(watching.Recv())
	cut()
	if err := <-broken; err == nil {
		t.Log("the call was done before it could be cut off")
	}
	same(t, "the first assignment after the call", []string{seen.GetChange(), seen.GetMember(), seen.GetPool()}, []string{"reassigned", had[seen.GetLeadId()], "inside-sales"})
	h.settle()
	_, before := h.reassigned()
	h.stop()
	h2 := start(t, Config{Data: h.cfg.Data, clock: h.time})
	h2.tokens, h2.signs = h.tokens, h.signs
	h = h2

	began := time.Now()
	got := must[*routingv1.BulkReassignResponse](t)(h.routing().BulkReassign(h.as("max"), bulk))
	t.Logf("%v were moved before the call was cut off; the repeat moved the rest in %v", before, time.Since(began))
	same(t, "the repeat", []int64{got.GetMoved(), got.GetRefused()}, []int64{int64(many), 0})
	for i, m := range got.GetLeads() {
		if m.GetLeadId() != ids[i] || m.GetFrom() != had[ids[i]] || m.GetTo() == "" || m.GetTo() == m.GetFrom() {
			t.Fatalf("lead %d: %v, was with %s", i, m, had[ids[i]])
		}
	}
	h.settle()
	moves, batches := h.reassigned()
	same(t, "moves by batch", batches, map[string]int{got.GetBatchId(): many})
	same(t, "leads that were moved", len(moves), many)
	again := must[*routingv1.BulkReassignResponse](t)(h.routing().BulkReassign(h.as("max"), bulk))
	same(t, "a third call", []any{again.GetBatchId(), again.GetMoved(), again.GetLeads()[0].GetTo()}, []any{got.GetBatchId(), int64(many), got.GetLeads()[0].GetTo()})
	bulk.Reason = "other"
	if _, err := h.routing().BulkReassign(h.as("max"), bulk); !fault.Is(access.FaultOf(err), fault.Conflict) {
		t.Errorf("another move under the same key: %v", err)
	}

	// Ten are taken by whoever has them now; the others go back.
	for _, m := range got.GetLeads()[:10] {
		must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as(m.GetTo()), &routingv1.AcceptRequest{LeadId: m.GetLeadId()}))
	}
	undo := &routingv1.UndoReassignRequest{BatchId: got.GetBatchId(), IdempotencyKey: "oops"}
	back := must[*routingv1.BulkReassignResponse](t)(h.routing().UndoReassign(h.as("max"), undo))
	same(t, "given back", []int64{back.GetMoved(), back.GetRefused()}, []int64{int64(many - 10), 10})
	refused := map[string]string{}
	for _, m := range back.GetLeads() {
		if m.GetRefused() != "" {
			refused[m.GetLeadId()] = m.GetRefused()
		} else if m.GetTo() != had[m.GetLeadId()] {
			t.Fatalf("given back to %v, was with %s", m, had[m.GetLeadId()])
		}
	}
	for _, m := range got.GetLeads()[:10] {
		same(t, "what was accepted", refused[m.GetLeadId()], m.GetTo()+" has accepted it since")
	}
	h.settle()
	_, batches = h.reassigned()
	same(t, "moves by batch", batches, map[string]int{got.GetBatchId(): many, back.GetBatchId(): many - 10})
	twice := must[*routingv1.BulkReassignResponse](t)(h.routing().UndoReassign(h.as("max"), undo))
	same(t, "the repeat of giving back", []any{twice.GetBatchId(), twice.GetMoved()}, []any{back.GetBatchId(), int64(many - 10)})
	for _, m := range got.GetLeads()[:10] {
		loads[m.GetTo()]++
		loads[had[m.GetLeadId()]]--
	}
	same(t, "loads", h.loads(), loads)
	if _, err := h.routing().UndoReassign(h.as("max"), &routingv1.UndoReassignRequest{BatchId: "b0"}); !fault.Is(access.FaultOf(err), fault.NotFound) {
		t.Errorf("a move that never was: %v", err)
	}
	whole(t, h)
}

func TestAManagerMovesALead(t *testing.T) {
	h := start(t, Config{})
	h.sellers()
	id := h.submit("one", filled(1))
	h.settle()
	first := h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as(first), &routingv1.AcceptRequest{LeadId: id}))

	_, err := h.routing().Reassign(h.as(first), &routingv1.ReassignRequest{LeadId: id, Reason: "other"})
	if kind, _ := told(err); kind != fault.Denied {
		t.Errorf("somebody of sales moves a lead: %v", err)
	}
	_, err = h.routing().Reassign(h.as("max"), &routingv1.ReassignRequest{LeadId: id, Reason: "mood"})
	if kind, text := told(err); kind != fault.Invalid || !strings.Contains(text, "left, overload, wrong-person, customer-wish, other") {
		t.Errorf("another reason: %v", err)
	}
	req := &routingv1.ReassignRequest{LeadId: id, Reason: "wrong-person", Note: "Ada asked for somebody who knows mills.", IdempotencyKey: "k"}
	got := must[*routingv1.ReassignResponse](t)(h.routing().Reassign(h.as("max"), req))
	second := got.GetOfferedTo()
	if second == "" || second == first {
		t.Fatalf("moved to %q, was with %q", second, first)
	}
	same(t, "the repeat", must[*routingv1.ReassignResponse](t)(h.routing().Reassign(h.as("max"), req)).GetSequence(), got.GetSequence())
	h.settle()
	same(t, "the loads", h.loads(), map[string]int64{second: 1})
	if sentences := h.sentences(id); !strings.Contains(sentences, "Moved by hand: taken from "+first+", to whom the rules choose next (wrong-person), move "+got.GetBatchId()+"; with a sealed note.") {
		t.Errorf("the history:\n%s", sentences)
	}
	e := must[*ledger.Event](t)(h.App.log.EventAt(t.Context(), got.GetSequence()))
	same(t, "who moved it", []string{e.Actor, e.Body.(*leadv1.LeadReassigned).GetBatchId()}, []string{"max", got.GetBatchId()})
	if strings.Contains(fmt.Sprint(e.Body), "mills") {
		t.Error("the note stands in the log in the clear")
	}
	list := must[*leadv1.ListLeadsResponse](t)(leadv1.NewLeadServiceClient(h.conn).ListLeads(h.as(""), &leadv1.ListLeadsRequest{Member: second}))
	same(t, "leads in the list of who has it now", len(list.GetLeads()), 1)
	// What the person is told about themselves follows.
	same(t, "whose the person is", h.types("person."+h.lead(id).GetPersonId()), []string{"LeadAttached", "OwnerChanged", "OwnerChanged"})
	back := must[*routingv1.BulkReassignResponse](t)(h.routing().UndoReassign(h.as("max"), &routingv1.UndoReassignRequest{BatchId: got.GetBatchId(), Reason: "customer-wish"}))
	same(t, "given back", back.GetMoved(), int64(1))
	h.settle()
	same(t, "who has it", h.owner(id), "With "+first+"; the lead is accepted.")
	same(t, "the list", must[*leadv1.ListLeadsResponse](t)(leadv1.NewLeadServiceClient(h.conn).ListLeads(h.as(""), &leadv1.ListLeadsRequest{Member: first})).GetLeads()[0].GetOwner(), first)

	// Everything that a person holds goes; nobody is forgotten.
	h.submit("two", filled(2))
	h.settle()
	_, err = h.routing().BulkReassign(h.as("max"), &routingv1.BulkReassignRequest{Reason: "left"})
	if kind, _ := told(err); kind != fault.Invalid {
		t.Errorf("leads of nobody: %v", err)
	}
	n := h.loads()[first]
	all := must[*routingv1.BulkReassignResponse](t)(h.routing().BulkReassign(h.as("max"), &routingv1.BulkReassignRequest{From: first, Reason: "left", To: "dan", IdempotencyKey: "all"}))
	same(t, "moved", all.GetMoved(), n)
	same(t, "what is left", h.loads()[first], int64(0))
	repeat := must[*routingv1.BulkReassignResponse](t)(h.routing().BulkReassign(h.as("max"), &routingv1.BulkReassignRequest{From: first, Reason: "left", To: "dan", IdempotencyKey: "all"}))
	same(t, "the repeat", []any{repeat.GetMoved(), repeat.GetLeads()[0].GetTo()}, []any{n, "dan"})
	whole(t, h)
}

func TestWhyNotIsWhatTheDecisionsRecorded(t *testing.T) {
	h := start(t, Config{})
	h.sellers()
	h.flood(30)
	must[*routingv1.Member](t)(h.routing().SetAvailability(h.as("ana"), &routingv1.SetAvailabilityRequest{Away: true, IdempotencyKey: "away"}))
	h.time.Set(monday.Add(time.Hour))
	away := h.submit("away", filled(900))
	h.settle()
	by := h.lead(away).GetOfferedTo()

	// Counted by hand over the whole log.
	want := &routingv1.WhyNotResponse{Member: "ana"}
	reasons := map[string]int64{}
	var latest []uint64
	for _, e := range h.events() {
		body, ok := e.Body.(*leadv1.LeadOffered)
		if !ok {
			continue
		}
		for _, c := range body.GetConsidered() {
			switch {
			case c.GetMember() != "ana":
				continue
			case body.GetMember() == "ana":
				want.Offered++
			case c.GetEligible():
				reasons["not-in-turn"]++
			default:
				reasons[c.GetReason()]++
			}
			want.Considered++
			if c.GetEligible() {
				want.Eligible++
			}
			if body.GetMember() != "ana" {
				latest = append(latest, e.Seq)
			}
		}
	}
	got := must[*routingv1.WhyNotResponse](t)(h.routing().WhyNot(h.as("ana"), &routingv1.WhyNotRequest{}))
	same(t, "considered, eligible, offered", []int64{got.GetConsidered(), got.GetEligible(), got.GetOffered()}, []int64{want.GetConsidered(), want.GetEligible(), want.GetOffered()})
	counted := map[string]int64{}
	for _, r := range got.GetReasons() {
		counted[r.GetReason()] = r.GetDecisions()
	}
	same(t, "reasons", counted, reasons)
	if reasons["not-in-turn"] != 20 || reasons["away"] != 1 || got.GetReasons()[0].GetReason() != "not-in-turn" {
		t.Errorf("the reasons are %v", got.GetReasons())
	}
	var told []uint64
	for _, d := range got.GetDecisions() {
		told = append(told, d.GetSequence())
	}
	slices.Reverse(latest)
	same(t, "the latest decisions", told, latest[:20])
	same(t, "the latest", got.GetDecisions()[0].GetText(), "ana is away; it was offered to "+by+".")
	if text := got.GetDecisions()[1].GetText(); !strings.HasPrefix(text, "ana could have taken it, but it was ") {
		t.Errorf("a decision by turn: %s", text)
	}

	one := must[*routingv1.WhyNotResponse](t)(h.routing().WhyNot(h.as("max"), &routingv1.WhyNotRequest{Member: "ana", LeadId: away}))
	same(t, "of one lead", []any{one.GetConsidered(), one.GetDecisions()[0].GetReason()}, []any{int64(1), "away"})
	span := must[*routingv1.WhyNotResponse](t)(h.routing().WhyNot(h.as("max"), &routingv1.WhyNotRequest{Member: "ana", From: timestamppb.New(monday.Add(30 * time.Minute)), PageSize: 5}))
	same(t, "of the last half hour", []any{span.GetConsidered(), len(span.GetDecisions())}, []any{int64(1), 1})
	if _, err := h.routing().WhyNot(h.as("max"), &routingv1.WhyNotRequest{Member: "bob"}); !fault.Is(access.FaultOf(err), fault.NotFound) {
		t.Errorf("of nobody: %v", err)
	}
	// A move by hand is told as one.
	to := "ben"
	if by == to {
		to = "chloe"
	}
	must[*routingv1.ReassignResponse](t)(h.routing().Reassign(h.as("max"), &routingv1.ReassignRequest{LeadId: away, To: to, Reason: "other"}))
	moved := must[*routingv1.WhyNotResponse](t)(h.routing().WhyNot(h.as("max"), &routingv1.WhyNotRequest{Member: by, LeadId: away}))
	same(t, "after a move by hand", moved.GetDecisions()[0].GetReason(), "by-hand")
}

// Of a large pool not each is named by a decision. Whoever is not is told so, with the
// counts that the decision recorded, and is not told that they could, or could not, have
// taken the lead; a decision of a pool of which they are not is none of theirs.
func TestWhyNotOfALargePool(t *testing.T) {
	h := start(t, Config{})
	var everybody []string
	for i := range 14 {
		everybody = append(everybody, fmt.Sprintf("s%02d", i))
	}
	h.team(append(everybody, "ana", "dan")...)
	var pool strings.Builder
	for i := range 60 {
		fmt.Fprintf(&pool, "      - member: s%02d\n", i)
	}
	small := "      - member: ana\n      - member: ben\n      - member: chloe\n  - id: large-companies"
	doc := string(h.document())
	if strings.Count(doc, small) != 1 {
		t.Fatal("the starter agreement has other pools now")
	}
	h.agree([]byte(strings.Replace(doc, small, pool.String()+"  - id: large-companies", 1)))
	id := h.submit("one", filled(1))
	h.settle()
	l := h.lead(id)
	same(t, "how many were looked at", []int64{l.GetCounts().GetPeople(), l.GetCounts().GetEligible()}, []int64{60, 14})
	var unnamed []string
	for _, m := range everybody {
		if !slices.ContainsFunc(l.GetConsidered(), func(c *leadv1.Candidate) bool { return c.GetMember() == m }) {
			unnamed = append(unnamed, m)
		}
	}
	if len(unnamed) == 0 || slices.Contains(unnamed, l.GetOfferedTo()) {
		t.Fatalf("not named are %v, it was offered to %s", unnamed, l.GetOfferedTo())
	}
	other := unnamed[0]
	ask := func(member string) *routingv1.WhyNotResponse {
		return must[*routingv1.WhyNotResponse](t)(h.routing().WhyNot(h.as(member), &routingv1.WhyNotRequest{}))
	}
	got := ask(other)
	same(t, "considered, eligible, offered", []int64{got.GetConsidered(), got.GetEligible(), got.GetOffered()}, []int64{1, 0, 0})
	same(t, "why", []any{got.GetReasons()[0].GetReason(), got.GetReasons()[0].GetDecisions()}, []any{"not-named", int64(1)})
	same(t, "in words", got.GetDecisions()[0].GetText(), other+" is one of 60 who were looked at and is not recorded by name in a pool of this size: 14 could have taken it, 46 not (not-known); it was offered to "+l.GetOfferedTo()+".")
	same(t, "of one lead", must[*routingv1.WhyNotResponse](t)(h.routing().WhyNot(h.as("dan"), &routingv1.WhyNotRequest{Member: other, LeadId: id})).GetDecisions()[0].GetReason(), "not-named")
	same(t, "of somebody of no pool", ask("ana").GetConsidered(), int64(0))
	same(t, "of somebody of another pool", ask("dan").GetConsidered(), int64(0))
	same(t, "of whoever was offered it", ask(l.GetOfferedTo()).GetOffered(), int64(1))

	// Nobody can take the next: then it is with nobody.
	for _, m := range everybody {
		must[*routingv1.Member](t)(h.routing().SetAvailability(h.as(m), &routingv1.SetAvailabilityRequest{Away: true}))
	}
	h.time.Set(monday.Add(time.Minute))
	waits := h.submit("two", filled(2))
	h.settle()
	for _, m := range everybody {
		if !slices.ContainsFunc(h.lead(waits).GetConsidered(), func(c *leadv1.Candidate) bool { return c.GetMember() == m }) {
			other = m
		}
	}
	got = must[*routingv1.WhyNotResponse](t)(h.routing().WhyNot(h.as(other), &routingv1.WhyNotRequest{LeadId: waits}))
	same(t, "of a lead that waits", got.GetDecisions()[0].GetText(), other+" is one of 60 who were looked at and is not recorded by name in a pool of this size: 0 could have taken it, 14 not (away), 46 not (not-known); it went to nobody.")
}

// A watch that goes on after the last sequence that it saw misses nothing and repeats
// nothing.
func TestAWatchOfAssignmentsGoesOn(t *testing.T) {
	h := start(t, Config{})
	h.sellers()
	h.submit("one", filled(1))
	h.settle()
	id := h.ids["one"]
	first := h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as(first), &routingv1.AcceptRequest{LeadId: id}))
	move := must[*routingv1.ReassignResponse](t)(h.routing().Reassign(h.as("max"), &routingv1.ReassignRequest{LeadId: id, Reason: "other"}))
	second := move.GetOfferedTo()
	must[*routingv1.RejectResponse](t)(h.routing().Reject(h.as(second), &routingv1.RejectRequest{LeadId: id, Reason: "no-fit"}))
	h.settle()
	watch := func(req *routingv1.WatchAssignmentsRequest, n int) (out []string, last uint64) {
		ctx, cancel := context.WithCancel(h.as("max"))
		defer cancel()
		stream, err := h.routing().WatchAssignments(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			a := must[*routingv1.Assignment](t)(stream.Recv())
			if a.GetLeadId() != id || a.GetPool() != "inside-sales" || a.GetText() == "" || a.GetAt() == nil {
				t.Errorf("told %v", a)
			}
			out, last = append(out, a.GetChange()+" "+a.GetMember()), a.GetSequence()
		}
		return out, last
	}
	want := []string{"offered " + first, "accepted " + first, "reassigned " + first, "offered " + second, "returned " + second}
	all, _ := watch(&routingv1.WatchAssignmentsRequest{FromSequence: 1}, len(want))
	same(t, "assignments", all, want)
	half, last := watch(&routingv1.WatchAssignmentsRequest{FromSequence: 1}, 2)
	rest, _ := watch(&routingv1.WatchAssignmentsRequest{FromSequence: last + 1}, len(want)-2)
	same(t, "assignments in two parts", append(half, rest...), want)
	mine, _ := watch(&routingv1.WatchAssignmentsRequest{FromSequence: 1, Member: second, Pool: "inside-sales"}, 2)
	same(t, "assignments of one person", mine, want[3:])
}
