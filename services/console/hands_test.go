package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

func (f *fixed) hand(m proto.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hands = append(f.hands, m)
}

// handed are the requests of a type, without the keys of forms.
func handed[M proto.Message](f *fixed) (out []M) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.hands {
		if m, ok := m.(M); ok {
			out = append(out, m)
		}
	}
	return out
}

func (f *fixed) Reassign(_ context.Context, ask *routingv1.ReassignRequest) (*routingv1.ReassignResponse, error) {
	f.hand(ask)
	switch {
	case ask.GetReason() != "overload":
		return nil, status.Error(codes.InvalidArgument, `"mood" is not a reason for moving a lead; use one of overload, left`)
	case ask.GetTo() == "":
		return &routingv1.ReassignResponse{Sequence: 10, BatchId: "bone", BlockedBy: "full"}, nil
	}
	return &routingv1.ReassignResponse{Sequence: 10, BatchId: "bone", OfferedTo: ask.GetTo()}, nil
}

func (f *fixed) BulkReassign(_ context.Context, ask *routingv1.BulkReassignRequest) (*routingv1.BulkReassignResponse, error) {
	f.hand(proto.CloneOf(ask))
	ids := ask.GetLeadIds()
	if len(ids) == 0 {
		ids = []string{offeredLead, acceptedLead}
	}
	out := &routingv1.BulkReassignResponse{BatchId: "bmany"}
	for _, id := range ids {
		if id == acceptedLead {
			out.Leads = append(out.Leads, &routingv1.Moved{LeadId: id, Refused: "it is won, not with sales"})
			out.Refused++
			continue
		}
		m := &routingv1.Moved{LeadId: id, To: "ben", From: "ana"}
		if id == waitingLead {
			m = &routingv1.Moved{LeadId: id, BlockedBy: "away"}
		}
		out.Leads = append(out.Leads, m)
		out.Moved++
	}
	return out, nil
}

func (f *fixed) UndoReassign(_ context.Context, ask *routingv1.UndoReassignRequest) (*routingv1.BulkReassignResponse, error) {
	f.hand(ask)
	return &routingv1.BulkReassignResponse{BatchId: "bback", Moved: 1, Leads: []*routingv1.Moved{{LeadId: offeredLead, From: "ben", To: "ana"}}}, nil
}

func (f *fixed) Claim(_ context.Context, ask *routingv1.ClaimRequest) (*routingv1.ClaimResponse, error) {
	f.hand(ask)
	return &routingv1.ClaimResponse{LeadId: ask.GetLeadId(), Sequence: 10}, nil
}

func (f *fixed) SetAvailability(_ context.Context, ask *routingv1.SetAvailabilityRequest) (*routingv1.Member, error) {
	f.hand(ask)
	return &routingv1.Member{}, nil
}

func (f *fixed) SetPresence(_ context.Context, ask *routingv1.SetPresenceRequest) (*routingv1.Member, error) {
	f.hand(ask)
	return &routingv1.Member{}, nil
}

func (f *fixed) WhyNot(ctx context.Context, ask *routingv1.WhyNotRequest) (*routingv1.WhyNotResponse, error) {
	f.hand(ask)
	member := ask.GetMember()
	if member == "" {
		member = reader(ctx).Handle
	}
	if f.empty {
		return &routingv1.WhyNotResponse{Member: member}, nil
	}
	return &routingv1.WhyNotResponse{
		Member: member, Considered: 1242, Eligible: 1031, Offered: 412,
		Reasons: []*routingv1.WhyNotCount{{Reason: "not-in-turn", Decisions: 619}, {Reason: "full", Decisions: 120}, {Reason: "away", Decisions: 89}, {Reason: "not-named", Decisions: 2}},
		Decisions: []*routingv1.WhyNotDecision{
			{LeadId: offeredLead, Sequence: 1184, At: ago(4 * time.Minute), Pool: "north", OfferedTo: "ben", Reason: "not-in-turn", Text: "ana could have taken it, but it was ben's turn: ben was due by turn 820, ana by turn 824."},
			{LeadId: waitingLead, Sequence: 1170, At: ago(90 * time.Minute), Pool: "south", Reason: "away", Text: "ana is away until 2026-03-04 09:00 UTC; nobody else could take it either."},
		},
	}, nil
}

func TestAManagerMovesLeadsByThePages(t *testing.T) {
	s := newStand(t)
	s.signIn(maxToken)
	page := "/leads/" + offeredLead
	// Whoever has it, and who is away, is not offered; the reasons are the agreed ones.
	s.get(page).has(t, 200, "Move this lead", "choose one Has too much <to> do Has left", "whom the rules choose ben, by hand", "Pool North & East")
	s.post(page+"/move", url.Values{"reason": {" "}}).has(t, 400, "A move needs a reason")
	wrong := s.post(page+"/move", url.Values{"reason": {"mood"}, "to": {"ben"}, "note": {"typed <note>"}, "key": {"k1"}})
	wrong.has(t, 400, "is not a reason for moving a lead", "typed <note>")
	if !strings.Contains(wrong.text, `<option value="ben" selected>`) {
		t.Error("what was chosen is gone after a move failed")
	}
	a := s.post(page+"/move", url.Values{"reason": {"overload"}, "to": {"ben"}, "note": {"n"}, "key": {"k2"}})
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != page {
		t.Fatalf("a move answered %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	s.get(page).has(t, 200, "Moved: it is offered to ben. This is move bone")
	got := handed[*routingv1.ReassignRequest](s.fixed)
	if diff := cmp.Diff(&routingv1.ReassignRequest{LeadId: offeredLead, To: "ben", Reason: "overload", Note: "n", IdempotencyKey: "k2"}, got[len(got)-1], protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	s.post(page+"/move", url.Values{"reason": {"overload"}})
	s.get(page).has(t, 200, "Moved: it waits for free capacity.")

	s.get("/line").has(t, 200, "any pool North & East South", "South somebody to come back Nobody in pool South can take it now: 2 away. 2026-03-04 08:40:30 UTC 1 h 35 min ago 2026-03-05 08:15:30 UTC in 22 h 2026-03-04 13:15:30 UTC in 3 h", "somebody to claim it", "a handoff rule that takes it", "Move the chosen leads", "Shorter wait")
	if strings.Contains(s.get("/line").text, "Claim it") {
		t.Error("a lead is to be claimed by somebody who may not")
	}
	s.post("/line/move", url.Values{"reason": {"left"}}).has(t, 400, "No lead was chosen")
	s.post("/line/move", url.Values{"lead": {waitingLead}}).has(t, 400, "A move needs a reason")
	s.post("/line/move", url.Values{"reason": {"left"}, "lead": {waitingLead, acceptedLead, claimLead}, "to": {"ben"}, "key": {"k3"}}).has(t, 200,
		"Moved 2 Left as they were 1 Move bmany", "the line the line, for somebody to come back", "not moved: it is won, not with sales", "ana ben", "Take it all back")
	bulk := handed[*routingv1.BulkReassignRequest](s.fixed)
	if diff := cmp.Diff([]*routingv1.BulkReassignRequest{{LeadIds: []string{waitingLead, acceptedLead, claimLead}, To: "ben", Reason: "left", IdempotencyKey: "k3"}}, bulk, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	s.post("/moves/undo", url.Values{"batch": {"bmany"}, "key": {"k4"}}).has(t, 200, "Given back 1 Left as they were 0 Move bback", "ben ana")
	if got := handed[*routingv1.UndoReassignRequest](s.fixed); len(got) != 1 || got[0].GetBatchId() != "bmany" || got[0].GetIdempotencyKey() != "k4" {
		t.Errorf("asked %v", got)
	}
	s.post("/moves/undo", nil).has(t, 400, "Say which move")

	s.post("/line/move", url.Values{"reason": {"left"}, "all": {"yes"}, "lead": {claimLead}, "shown": {claimLead, waitingLead}, "key": {"k6"}}).has(t, 200, "Moved 2")
	if got := handed[*routingv1.BulkReassignRequest](s.fixed); !slices.Equal(got[1].GetLeadIds(), []string{claimLead, waitingLead}) {
		t.Errorf("asked %v", got[1])
	}

	// All leads of somebody: the same move in as many calls as it takes.
	s.get("/people").has(t, 200, "Move all open leads of somebody", "ben – 12 open")
	s.post("/line/move", url.Values{"reason": {"left"}, "from": {"ana"}, "key": {"k5"}}).has(t, 200, "Moved 1 Left as they were 1")
	bulk = handed[*routingv1.BulkReassignRequest](s.fixed)[2:]
	if len(bulk) != 2 || !bulk[0].GetDryRun() || bulk[1].GetDryRun() || !slices.Equal(bulk[1].GetLeadIds(), []string{offeredLead, acceptedLead}) || bulk[1].GetIdempotencyKey() != "k5" {
		t.Errorf("asked %v", bulk)
	}

	// Somebody of sales sees the same line, and no form that is not theirs.
	s.signIn(anaToken)
	for _, path := range []string{"/line", "/people", page} {
		if text := s.get(path).words(t); strings.Contains(text, "Move this lead") || strings.Contains(text, "Move the chosen") || strings.Contains(text, "Move all open") || strings.Contains(text, "Take a move back") {
			t.Errorf("%s offers ana to move leads:\n%s", path, text)
		}
	}
}

func TestPeopleSayWhereTheyAre(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	s.get("/people").has(t, 200, "from 2026-03-06 10:15:30 UTC to 2026-03-08 10:15:30 UTC holiday", "from 2026-03-03 10:15:30 UTC until they are back", "dora manager in no pool –")
	s.get("/people").has(t, 200, "You, ana", "You are on duty. You hold 7 of at most 20 open leads.", "Why did leads not come to me?", "Sign in for the day", "I am away",
		"North & East 412 0.6 ahead South 33 1.5 behind", "2026-03-06 10:15:30 UTC to 2026-03-08 10:15:30 UTC holiday", "12 of 12, full", "eli deactivated")
	for _, form := range []struct {
		path string
		form url.Values
		want proto.Message
		says string
	}{
		{"/people/away", url.Values{"until": {"2026-03-09"}, "reason": {"holiday"}, "key": {"k"}}, &routingv1.SetAvailabilityRequest{Away: true, Until: timestamppb.New(time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)), Reason: "holiday", IdempotencyKey: "k"}, "You are away: leads go to the others."},
		{"/people/away", url.Values{"from": {"2026-03-07"}, "until": {"2026-03-09"}, "key": {"k"}}, &routingv1.SetAvailabilityRequest{
			Away: true, From: timestamppb.New(time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC)), Until: timestamppb.New(time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)), IdempotencyKey: "k",
		}, "Your leave from 2026-03-07 is noted: leads go to the others then."},
		{"/people/back", url.Values{"leave": {"a7"}, "key": {"k"}}, &routingv1.SetAvailabilityRequest{LeaveId: "a7", IdempotencyKey: "k"}, "The leave is taken back."},
		{"/people/away", url.Values{"key": {"k"}}, &routingv1.SetAvailabilityRequest{Away: true, IdempotencyKey: "k"}, "You are away"},
		{"/people/back", url.Values{"key": {"k"}}, &routingv1.SetAvailabilityRequest{IdempotencyKey: "k"}, "You are back: leads can go to you."},
		{"/people/presence", url.Values{"present": {"yes"}, "key": {"k"}}, &routingv1.SetPresenceRequest{Present: true, IdempotencyKey: "k"}, "You are signed in for the day."},
		{"/people/presence", url.Values{"present": {"no"}, "key": {"k"}}, &routingv1.SetPresenceRequest{IdempotencyKey: "k"}, "You are signed out for the day."},
	} {
		if a := s.post(form.path, form.form); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/people" {
			t.Errorf("%s answered %d to %q", form.path, a.StatusCode, a.Header.Get("Location"))
		}
		if diff := cmp.Diff(form.want, s.fixed.hands[len(s.fixed.hands)-1], protocmp.Transform()); diff != "" {
			t.Errorf("%s %v\n%s", form.path, form.form, diff)
		}
		s.get("/people").has(t, 200, form.says)
	}
	s.post("/people/away", url.Values{"until": {"soon"}}).has(t, 400, "The day of coming back is \"soon\"; a date such as 2026-08-31 is expected")
	s.post("/people/away", url.Values{"from": {"later"}}).has(t, 400, "The first day away is \"later\"; a date")
	s.post("/people/away", url.Values{"from": {"2026-03-09"}, "until": {"2026-03-09"}}).has(t, 400, "The day of coming back must lie after the first day away.")
	// Leave that lies ahead can be taken back by whoever it is, and by nobody else.
	if text := s.get("/people").text; !strings.Contains(text, `name="leave" value="a7"`) || strings.Count(text, `name="leave"`) != 1 || !strings.Contains(text, "Take back the leave from") {
		t.Errorf("the page does not offer to take leave back, or not this alone:\n%s", text)
	}
	s.get("/line").has(t, 200, "Claim it")
	if a := s.post("/leads/"+claimLead+"/claim", url.Values{"key": {"k"}}); a.Header.Get("Location") != "/leads/"+claimLead {
		t.Errorf("a claim answered %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if got := handed[*routingv1.ClaimRequest](s.fixed); len(got) != 1 || got[0].GetLeadId() != claimLead {
		t.Errorf("asked %v", got)
	}
	// The manager is in no pool, and is asked nothing about the day; but may be on leave,
	// so that clocks pass them over.
	s.signIn(maxToken)
	page := s.get("/people")
	page.has(t, 200, "You, max You are in no pool. I am away")
	if strings.Contains(page.text, "Sign in for the day") {
		t.Error("somebody who is in no pool signs in for the day")
	}
}

func TestWhyNotMe(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	s.get("/why-not").has(t, 200, "Why not me?", "Decisions with ana in the pool 1,242", "Could have taken the lead at least 1,031", "Were offered it 412",
		"it was somebody else's turn 619", "they held as many leads as agreed 120", "the pool is too large to record why for each 2",
		"North & East ben ana could have taken it, but it was ben's turn: ben was due by turn 820, ana by turn 824.", "South the line ana is away")
	asked := handed[*routingv1.WhyNotRequest](s.fixed)[0]
	if asked.GetMember() != "" || !asked.GetFrom().AsTime().Equal(at.Add(-7*24*time.Hour)) {
		t.Errorf("asked %v", asked)
	}
	s.get("/why-not?member=ben&days=30").has(t, 200, "Why not ben?")
	if asked := handed[*routingv1.WhyNotRequest](s.fixed)[1]; asked.GetMember() != "ben" || !asked.GetFrom().AsTime().Equal(at.Add(-30*24*time.Hour)) {
		t.Errorf("asked %v", asked)
	}
	s.fixed.empty = true
	s.get("/why-not").has(t, 200, "Nothing was decided in this time by a pool with ana in it.")
	s.get("/line").has(t, 200, "Nobody waits.")
	s.get("/people").has(t, 200, "Nobody is known yet.")
}
