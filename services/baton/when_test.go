package main

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// edited is the starter agreement with edits: pairs of what stands in it once, and
// what stands there instead.
func (h *house) edited(edits ...string) []byte {
	h.t.Helper()
	doc := h.document()
	for i := 0; i < len(edits); i += 2 {
		if n := bytes.Count(doc, []byte(edits[i])); n != 1 {
			h.t.Fatalf("the starter agreement holds %q %d times, want once", edits[i], n)
		}
		doc = bytes.Replace(doc, []byte(edits[i]), []byte(edits[i+1]), 1)
	}
	return doc
}

// routed are what routing said of leads since a sequence, in order: what, of which lead,
// to whom, and when it was recorded.
func (h *house) routed(since uint64) (said []string) {
	h.t.Helper()
	names := map[string]string{}
	for key, id := range h.ids {
		names[id] = key
	}
	for _, e := range h.events() {
		id, ok := lead.FromSubject(e.Subject)
		if !ok || e.Seq <= since || e.Service != "routing" {
			continue
		}
		line := strings.TrimPrefix(e.Type, "baton.lead.v1.") + " " + names[id]
		switch body := e.Body.(type) {
		case *leadv1.LeadOffered:
			line += " to " + body.GetMember()
		case *leadv1.LeadQueued:
			line += " for " + body.GetBlockedBy()
		}
		said = append(said, line+" "+e.Recorded.Format("02 15:04:05.999999999")+" "+e.Occurred.Format("15:04:05"))
	}
	return said
}

func (h *house) last() uint64 {
	h.t.Helper()
	return must[uint64](h.t)(h.App.log.Last(h.t.Context(), ledger.StreamLedger))
}

// at moves the clock and waits until nothing is left to do then.
func (h *house) at(t time.Time) {
	h.t.Helper()
	h.time.Set(t)
	h.settle()
}

func (h *house) routing() routingv1.RoutingServiceClient {
	return routingv1.NewRoutingServiceClient(h.conn)
}

// A day of one salesperson, with everything that says when they are there. Berlin is
// an hour ahead of the times here: nine o'clock is 08:00.
//
// Goes red if: any of the instants is not looked at by itself (Due), the line is not
// given out in its order, or what was decided cannot be derived again.
func TestADayOfComingsAndGoings(t *testing.T) {
	h := start(t, Config{clock: clock.NewVirtual(monday.Add(10 * time.Hour))})
	h.team("ana", "boss", "dan")
	h.agree(h.edited("take_within: 2h\n    remind_before: 15m", "take_within: 2h\n    signed_in: true\n    quiet_before_end: 30m\n    remind_before: 30m\n    fallback: {after: 1h, member: dan}"))
	h.settle()
	tuesday := func(hour, minute int) time.Time { return time.Date(2026, 3, 3, hour, minute, 0, 0, time.UTC) }

	// The night: what comes waits, each with its reason.
	night := []string{"c", "a", "d", "b"}
	for i, key := range night {
		h.at(monday.Add(10*time.Hour + time.Duration(i)*90*time.Minute))
		h.submit(key, filled(i))
		h.settle()
	}
	same(t, "who has it", h.owner(h.ids["c"]), "With nobody: it waits for working hours. Nobody in pool Inside sales can take it now: 1 off duty, 2 not known. It is looked at again at 2026-03-03 08:00 UTC, or as soon as somebody can. If nobody can by 2026-03-03 09:00 UTC, it goes to dan, who stands in.")
	queue := must[*routingv1.ListQueueResponse](t)(h.routing().ListQueue(h.as("ana"), &routingv1.ListQueueRequest{}))
	var line []string
	for _, q := range queue.GetLeads() {
		line = append(line, fmt.Sprintf("%s %s %s", q.GetBlockedBy(), q.GetLookAgainAt().AsTime().Format("15:04"), q.GetFallbackAt().AsTime().Format("15:04")))
		if !strings.HasPrefix(q.GetText(), "Nobody in pool Inside sales can take it now: ") {
			t.Errorf("in line it says %q", q.GetText())
		}
	}
	same(t, "the line", line, slices.Repeat([]string{"off-duty 08:00 09:00"}, 4))

	// Nine o'clock: on duty, and not signed in yet.
	since := h.last()
	h.at(tuesday(8, 0).Add(-time.Nanosecond))
	same(t, "before nine", h.routed(since), []string(nil))
	h.at(tuesday(8, 0))
	same(t, "at nine nobody has signed in", h.routed(since), []string{"LeadQueued c for absent 03 08:00:00 08:00:00", "LeadQueued a for absent 03 08:00:00 08:00:00", "LeadQueued d for absent 03 08:00:00 08:00:00", "LeadQueued b for absent 03 08:00:00 08:00:00"})

	// Signed in at ten past: all of the night at once, the oldest first.
	since = h.last()
	h.at(tuesday(8, 10))
	m := must[*routingv1.Member](t)(h.routing().SetPresence(h.as("ana"), &routingv1.SetPresenceRequest{Present: true}))
	if !m.GetPresent() || !m.GetOnDuty() {
		t.Errorf("signed in, she is shown as %v", m)
	}
	h.settle()
	same(t, "signed in at ten past nine", h.routed(since), []string{"LeadOffered c to ana 03 08:10:00 08:10:00", "LeadOffered a to ana 03 08:10:00 08:10:00", "LeadOffered d to ana 03 08:10:00 08:10:00", "LeadOffered b to ana 03 08:10:00 08:10:00"})
	for _, key := range []string{"a", "d", "b"} {
		must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as("ana"), &routingv1.AcceptRequest{LeadId: h.ids[key]}))
	}
	h.settle()

	// One is left: reminded once, then it runs out, and is hers again.
	since = h.last()
	h.at(tuesday(9, 40))
	h.at(tuesday(10, 10).Add(-time.Nanosecond))
	same(t, "half an hour before", h.routed(since), []string{"OfferReminded c 03 09:40:00 09:40:00"})
	h.at(tuesday(10, 10))
	same(t, "after two hours", h.routed(since)[1:], []string{"OfferTimedOut c 03 10:10:00 10:10:00", "LeadOffered c to ana 03 10:10:00 10:10:00"})
	must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as("ana"), &routingv1.AcceptRequest{LeadId: h.ids["c"]}))

	// A dentist from eleven to twelve, said before; a lead comes meanwhile.
	must[*routingv1.Member](t)(h.routing().SetAvailability(h.as("ana"), &routingv1.SetAvailabilityRequest{Away: true, From: timestamppb.New(tuesday(11, 0)), Until: timestamppb.New(tuesday(12, 0)), Reason: "dentist"}))
	ahead := must[*routingv1.Member](t)(h.routing().SetAvailability(h.as("ana"), &routingv1.SetAvailabilityRequest{Away: true, From: timestamppb.New(tuesday(13, 0)), Until: timestamppb.New(tuesday(15, 0))})).GetLeaves()
	if len(ahead) != 2 || ahead[0].GetReason() != "dentist" || ahead[1].GetLeaveId() == "" {
		t.Fatalf("leave that lies ahead is %v", ahead)
	}
	h.at(tuesday(11, 30))
	h.submit("e", filled(5))
	h.settle()
	same(t, "at the dentist's", h.lead(h.ids["e"]).GetBlockedBy(), "away")
	since = h.last()
	h.at(tuesday(12, 0))
	same(t, "back", h.routed(since), []string{"LeadOffered e to ana 03 12:00:00 12:00:00"})
	must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as("ana"), &routingv1.AcceptRequest{LeadId: h.ids["e"]}))
	// The afternoon off is taken back; somebody else may not say so.
	if _, err := h.routing().SetAvailability(h.as("dan"), &routingv1.SetAvailabilityRequest{Member: "ana", LeaveId: ahead[1].GetLeaveId()}); !fault.Is(access.FaultOf(err), fault.Denied) {
		t.Errorf("dan takes her leave back: %v", err)
	}
	must[*routingv1.Member](t)(h.routing().SetAvailability(h.as("ana"), &routingv1.SetAvailabilityRequest{LeaveId: ahead[1].GetLeaveId()}))
	h.at(tuesday(13, 30))
	since = h.last()
	h.submit("f", filled(6))
	h.settle()
	same(t, "in the afternoon", h.routed(since), []string{"LeadOffered f to ana 03 13:30:00 13:30:00"})
	must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as("ana"), &routingv1.AcceptRequest{LeadId: h.ids["f"]}))

	// The last half hour is quiet. The hour that is agreed runs on the next morning,
	// when she has not signed in: dan stands in.
	h.at(tuesday(15, 40))
	h.submit("g", filled(7))
	h.settle()
	same(t, "in the last minutes", h.lead(h.ids["g"]).GetBlockedBy(), "ending")
	since = h.last()
	h.at(tuesday(16, 0))
	h.at(tuesday(32, 0))
	h.at(tuesday(32, 40).Add(-time.Nanosecond))
	same(t, "the next morning", h.routed(since), []string{"LeadQueued g for absent 04 08:00:00 08:00:00"})
	h.at(tuesday(32, 40))
	same(t, "an hour of work after it came", h.routed(since)[1:], []string{"LeadOffered g to dan 04 08:40:00 08:40:00"})
	whole(t, h)
}

// Somebody leaves with 250 open leads, and the process ends as soon as it has answered:
// all of them go to the others, each once, under one move.
//
// Goes red if: who left keeps one, one is moved twice, or the rest waits for somebody to
// ask (abandoned).
func TestWhoeverLeavesIsFollowedByOthers(t *testing.T) {
	h := start(t, Config{})
	h.team("dan")
	h.agree(h.edited("capacity: 25", "capacity: 0"))
	h.settle()
	const leads = 250
	large := func(n int) url.Values {
		form := filled(n)
		form.Set("employees", "800")
		return form
	}
	for i := range leads {
		h.submit(fmt.Sprint(i), large(i))
	}
	h.settle()
	for i := range 50 {
		must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as("dan"), &routingv1.AcceptRequest{LeadId: h.ids[fmt.Sprint(i)]}))
	}
	same(t, "loads", h.loads(), map[string]int64{"dan": leads})
	h.team("chloe")
	since := h.last()
	m := must[*routingv1.Member](t)(h.routing().DeactivateMember(h.as(""), &routingv1.DeactivateMemberRequest{Member: "dan", Reason: "left the company", IdempotencyKey: "bye"}))
	if !m.GetDeactivated() || m.GetLoad() > leads-100 {
		t.Errorf("answered while he holds %d leads, want at most %d", m.GetLoad(), leads-100)
	}
	ids, tokens := h.ids, h.tokens
	h.stop()
	h = start(t, Config{Data: h.cfg.Data, clock: h.time})
	h.ids, h.tokens = ids, tokens
	h.settle()
	same(t, "loads", h.loads(), map[string]int64{"chloe": leads})
	moves, moved, accepted := map[string]int{}, map[string]int{}, 0
	for _, e := range h.events() {
		if body, ok := e.Body.(*leadv1.LeadReassigned); ok && e.Seq > since {
			moves[body.GetBatchId()]++
			moved[e.Subject]++
			if body.GetAccepted() {
				accepted++
			}
			if body.GetFrom() != "dan" || body.GetReason() != "left" || body.GetTo() != "" {
				t.Errorf("record %d says %v", e.Seq, body)
			}
		}
	}
	if len(moves) != 1 || len(moved) != leads || accepted != 50 {
		t.Errorf("%d moves of %d leads, %d of them accepted: %v", len(moves), len(moved), accepted, moves)
	}
	for subject, n := range moved {
		if n != 1 {
			t.Errorf("%s was moved %d times", subject, n)
		}
	}
	whole(t, h)
}
