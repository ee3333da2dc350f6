package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func (s *system) Reassign(_ context.Context, req *routingv1.ReassignRequest) (*routingv1.ReassignResponse, error) {
	s.ask(req)
	if req.GetTo() == "" {
		return &routingv1.ReassignResponse{Sequence: 12, BatchId: "bone", BlockedBy: "full"}, nil
	}
	return &routingv1.ReassignResponse{Sequence: 12, BatchId: "bone", OfferedTo: req.GetTo()}, nil
}

func (s *system) BulkReassign(_ context.Context, req *routingv1.BulkReassignRequest) (*routingv1.BulkReassignResponse, error) {
	s.ask(req)
	ids := req.GetLeadIds()
	if len(ids) == 0 {
		ids = []string{"lone", "ltwo", "lwon"}
	}
	out := &routingv1.BulkReassignResponse{BatchId: "bmany"}
	for _, id := range ids {
		switch id {
		case "lwon":
			out.Leads = append(out.Leads, &routingv1.Moved{LeadId: id, Refused: "it is won, not with sales"})
			out.Refused++
		case "ltwo":
			out.Leads = append(out.Leads, &routingv1.Moved{LeadId: id, BlockedBy: "away"})
			out.Moved++
		case "lbroken":
			return nil, fault.New(fault.Unavailable, "the log does not answer")
		default:
			out.Leads = append(out.Leads, &routingv1.Moved{LeadId: id, From: "ana", To: "ben"})
			out.Moved++
		}
	}
	return out, nil
}

func (s *system) UndoReassign(_ context.Context, req *routingv1.UndoReassignRequest) (*routingv1.BulkReassignResponse, error) {
	s.ask(req)
	return &routingv1.BulkReassignResponse{BatchId: "bback", Moved: 1, Refused: 1, Leads: []*routingv1.Moved{
		{LeadId: "lone", From: "ben", To: "ana"}, {LeadId: "lthree", Refused: "ben has accepted it since"},
	}}, nil
}

func (s *system) Claim(_ context.Context, req *routingv1.ClaimRequest) (*routingv1.ClaimResponse, error) {
	s.ask(req)
	return &routingv1.ClaimResponse{LeadId: "ltwo", Sequence: 13}, nil
}

func (s *system) AdjustTurns(_ context.Context, req *routingv1.AdjustTurnsRequest) (*routingv1.Member, error) {
	s.ask(req)
	return &routingv1.Member{Member: req.GetMember(), OnDuty: true, Load: 2, Ahead: map[string]int64{"inside": 1460}}, nil
}

func (s *system) WhyNot(_ context.Context, req *routingv1.WhyNotRequest) (*routingv1.WhyNotResponse, error) {
	s.ask(req)
	return &routingv1.WhyNotResponse{
		Member: "ana", Considered: 42, Eligible: 31, Offered: 10,
		Reasons:   []*routingv1.WhyNotCount{{Reason: "not-in-turn", Decisions: 21}, {Reason: "full", Decisions: 9}, {Reason: "not-named", Decisions: 2}},
		Decisions: []*routingv1.WhyNotDecision{{LeadId: "lone", Sequence: 7, At: at(0), OfferedTo: "ben", Reason: "full", Text: "ana holds 20 of at most 20 leads; it was offered to ben."}},
	}, nil
}

func TestMoveCommands(t *testing.T) {
	s := &system{leads: someLeads()}
	serve(t, s)

	has(t, ok(t, "lead", "reassign", "lone", "--reason", "overload", "--to", "ben", "--exclude", "dan,cy", "--note", "until May", "--idempotency-key", "k"),
		"lone is offered to ben now (event 12). baton lead undo-move bone takes it back.")
	if diff := cmp.Diff(&routingv1.ReassignRequest{LeadId: "lone", Reason: "overload", To: "ben", Excluded: []string{"dan", "cy"}, Note: "until May", IdempotencyKey: "k"}, last[*routingv1.ReassignRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	has(t, ok(t, "lead", "reassign", "lone", "--reason", "overload"), "lone waits for free capacity now")
	if req := last[*routingv1.ReassignRequest](t, s); req.GetIdempotencyKey() == "" {
		t.Errorf("asked %v", req)
	}

	has(t, ok(t, "lead", "reassign", "--from", "ana", "--reason", "left", "--dry-run"), "LEAD", "lone", "ana", "ben", "in line, for somebody to come back", "it is won, not with sales", "2 leads would be moved, 1 not.\n")
	if req := last[*routingv1.BulkReassignRequest](t, s); !req.GetDryRun() || req.GetFrom() != "ana" || len(req.GetLeadIds()) != 0 {
		t.Errorf("asked %v", req)
	}
	has(t, ok(t, "lead", "reassign", "lone", "--reason", "left", "--dry-run"), "1 lead would be moved, 0 not.")

	// A long file is one move in several calls.
	file := filepath.Join(t.TempDir(), "ids")
	var b strings.Builder
	b.WriteString("# of the fair\n\n")
	for i := range 700 {
		fmt.Fprintf(&b, "l%d\n", i)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.asked = nil
	has(t, ok(t, "lead", "reassign", "--file", file, "--reason", "other"), "and 650 more; --format json shows all.", "700 leads moved, 0 not. baton lead undo-move bmany takes it back.")
	keys, leads := map[string]bool{}, 0
	for _, m := range s.asked {
		req := m.(*routingv1.BulkReassignRequest)
		keys[req.GetIdempotencyKey()] = true
		leads += len(req.GetLeadIds())
	}
	if len(s.asked) != 2 || len(keys) != 1 || leads != 700 {
		t.Errorf("%d calls with %d keys for %d leads", len(s.asked), len(keys), leads)
	}
	if err := os.WriteFile(file, []byte("lone\nlbroken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, "lead", "reassign", "--file", file, "--reason", "other", "--idempotency-key", "again"); r.status != statusRefused || !strings.Contains(r.err, "--idempotency-key again goes on where this one stopped") {
		t.Errorf("cut off: %+v", r)
	}

	has(t, ok(t, "lead", "undo-move", "bmany"), "lone", "ben", "ana", "ben has accepted it since", "1 lead moved, 1 not.")
	if req := last[*routingv1.UndoReassignRequest](t, s); req.GetBatchId() != "bmany" || req.GetIdempotencyKey() == "" {
		t.Errorf("asked %v", req)
	}
	has(t, ok(t, "lead", "claim"), "ltwo is yours (event 13).")
	has(t, ok(t, "lead", "claim", "ltwo", "--format", "json"), `"lead_id": "ltwo"`)

	for _, wrong := range [][]string{
		{"lead", "reassign", "--reason", "left"},
		{"lead", "reassign", "lone"},
		{"lead", "reassign", "lone", "--from", "ana", "--reason", "left"},
		{"lead", "reassign", "--from", "ana", "--reason", "left", "--note", "x"},
		{"lead", "reassign", "--file", "/nowhere", "--reason", "left"},
		{"people", "adjust", "ana", "--pool", "inside", "--reason", "x"},
		{"people", "why-not", "ana", "--limit", "0"},
		{"queue", "lst"},
	} {
		if r := run(t, wrong...); r.status != statusUsage {
			t.Errorf("baton %s: status %d, %s", strings.Join(wrong, " "), r.status, r.err)
		}
	}
}

func TestWhyCommands(t *testing.T) {
	s := &system{leads: someLeads()}
	serve(t, s)
	why := ok(t, "lead", "why", "lone")
	has(t, why, "ana is next.", "ben is away")
	if strings.Contains(why, "\nana ") {
		t.Errorf("whoever got it stands among those who did not:\n%s", why)
	}
	has(t, ok(t, "lead", "why", "lone", "--format", "json"), `"summary": "ana is next."`)
	has(t, ok(t, "lead", "why", "lone", "--member", "ana"), "ana was considered at 42 decisions, could have taken at least 31 leads and was offered 10.", "21         it was somebody else's turn", "9          they held as many leads as agreed", "2          the pool is too large to record why for each", "ana holds 20 of at most 20 leads; it was offered to ben.")
	if req := last[*routingv1.WhyNotRequest](t, s); req.GetMember() != "ana" || req.GetLeadId() != "lone" {
		t.Errorf("asked %v", req)
	}
	s.leads[0].Counts = &leadv1.CandidateCounts{People: 60, Eligible: 50, Reasons: []*leadv1.ReasonCount{{Reason: "away", People: 10}}}
	for _, command := range []string{"why", "explain"} {
		has(t, ok(t, "lead", command, "lone"), "Of 60 people not each is named: 49 more could have taken it; 9 more could not: they were away.")
	}
	ok(t, "people", "why-not", "ana", "--from", "2026-04-03T12:00:00Z", "--limit", "3")
	if diff := cmp.Diff(&routingv1.WhyNotRequest{Member: "ana", From: at(0), PageSize: 3}, last[*routingv1.WhyNotRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	ok(t, "people", "why-not")
	if req := last[*routingv1.WhyNotRequest](t, s); req.GetMember() != "" || req.GetFrom() != nil {
		t.Errorf("asked %v", req)
	}
	has(t, ok(t, "people", "adjust", "ana", "--pool", "inside", "--leads=-2", "--reason", "began late"), "ana is owed 2 leads fewer in pool inside from now on, and is 1.5 leads ahead of their share now.")
	if req := last[*routingv1.AdjustTurnsRequest](t, s); req.GetLeads() != -2 || req.GetPool() != "inside" || req.GetReason() != "began late" {
		t.Errorf("asked %v", req)
	}
	has(t, ok(t, "queue", "list", "--pool", "inside", "--long"), "lone", "working hours", "STAND-IN FROM", "WHY")
	if req := last[*routingv1.ListQueueRequest](t, s); req.GetPool() != "inside" {
		t.Errorf("asked %v", req)
	}
	for want, c := range map[string]*leadv1.Candidate{
		"they had as many as agreed for the period": {Reason: "capped"},
		"is away":                            {Reason: "away", Text: "is away"},
		"could have taken it; due by turn 7": {Eligible: true, WindowTo: 7},
		"could have taken it; due by turn 7, owed exactly as much, with a later lot": {Eligible: true, WindowTo: 7, Level: true},
		"could have taken it": {Eligible: true},
	} {
		if got := whyElse(c); got != want {
			t.Errorf("%v is said as %q, want %q", c, got, want)
		}
	}
}
