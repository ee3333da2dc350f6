package console

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func (f *fixed) ListQuarters(context.Context, *feedbackv1.ListQuartersRequest) (*feedbackv1.ListQuartersResponse, error) {
	if f.empty {
		return &feedbackv1.ListQuartersResponse{}, nil
	}
	out := &feedbackv1.ListQuartersResponse{}
	for _, name := range []string{"2026-q2", "2026-q1", "2025-q4"} {
		out.Quarters = append(out.Quarters, quarterOf(name))
	}
	return out, nil
}

func (f *fixed) GetQuarter(_ context.Context, req *feedbackv1.GetQuarterRequest) (*feedbackv1.Quarter, error) {
	out := quarterOf(req.GetQuarter())
	if out.GetAgreed() {
		out.Now = []*feedbackv1.TargetResult{
			{TargetId: "mql", Agreed: 120, Delivered: 90, MetDefinition: 81, Reached: 77, AcceptedInTime: 64, Result: 83, Missed: true},
			{TargetId: "revenue", Agreed: 200_000, Delivered: 90, Result: 250_050},
		}
	}
	return out, nil
}

func quarterOf(name string) *feedbackv1.Quarter {
	begins := map[string]time.Time{"2025-q3": time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC), "2025-q4": time.Date(2025, 10, 1, 0, 0, 0, 0, time.UTC), "2026-q1": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "2026-q2": time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}[name]
	out := &feedbackv1.Quarter{
		Quarter: name, From: timestamppb.New(begins), To: timestamppb.New(begins.AddDate(0, 3, 0)), Text: "Targets of " + name + " <as signed>", Sequence: 1234, Agreed: true,
		Proposed: &feedbackv1.TargetsProposed{Quarter: name, Revision: 1, Targets: []*feedbackv1.Target{
			{TargetId: "mql", Outcome: feedbackv1.TargetOutcome_TARGET_OUTCOME_MQL, Count: 120, Definition: 2, Segment: `lead.country == "DE"`, Marketing: "clo", Sales: "ana"},
			{TargetId: "revenue", Outcome: feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE, Count: 200_000, Currency: "EUR", Definition: 2, Marketing: "clo", Sales: "ana"},
		}},
		Signatures: []*feedbackv1.TargetsSigned{{Party: "marketing"}, {Party: "sales"}},
	}
	switch name {
	case "2026-q2":
		out.Agreed, out.Signatures = false, out.Signatures[:1]
	case "2025-q4":
		out.Closed = &feedbackv1.QuarterClosed{Results: []*feedbackv1.TargetResult{{TargetId: "mql", Agreed: 120, Result: 70, Missed: true}, {TargetId: "revenue", Agreed: 200_000, Result: 130_000, Missed: true}}}
		out.ClosedAt = timestamppb.New(time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC))
		out.Restated = []*feedbackv1.QuarterRestated{{Number: 1, Results: []*feedbackv1.TargetResult{{TargetId: "mql", Agreed: 120, Result: 75, Missed: true}, {TargetId: "revenue", Agreed: 200_000, Result: 201_000}}}}
		out.Recoveries = []*feedbackv1.Recovery{{TargetId: "mql", Member: "clo", DueAt: timestamppb.New(begins.AddDate(0, 5, 0)), Plan: "two webinars <more>"}}
		out.Unplanned = []string{"revenue"}
	}
	return out
}

// The page begins with the quarter that runs, shows both names, and says what is missing.
func TestTargetsPage(t *testing.T) {
	s := newStand(t)
	s.signIn(cloToken)
	s.get("/targets").has(t, 200, "2026-q1: from", "Both departments have signed these targets.", "Targets of 2026-q1, counted up to event 1234 of the log", "clo ana 120 83 37",
		"value of deals won by version 2 clo ana 2,000.00 EUR 2,500.50 EUR –", "mql 90 81 77 64")
	s.get("/targets?quarter=2026-q2").has(t, 200, "what only one side has signed is no target", "The signature of sales is missing. baton target sign 2026-q2 --as sales --key sales.key", "Waits for signatures Targets of 2026-q2 <as signed>")
	s.get("/targets?quarter=2025-q4").has(t, 200, "It was closed on 2026-01-03 09:00:00 UTC", "clo ana 120 83 70 50 75", "2,000.00 EUR 2,500.50 EUR 1,300.00 EUR 700.00 EUR 2,010.00 EUR",
		"Target revenue was missed and has no owner and no plan", "mql: clo, until 2026-03-01 00:00:00 UTC two webinars <more>")
	s.fixed.empty = true
	s.get("/targets").has(t, 200, "No quarter has targets yet.", "baton target propose 2026-q1 --file targets.yaml")
}

func (f *fixed) CloseQuarter(_ context.Context, ask *feedbackv1.CloseQuarterRequest) (*feedbackv1.Quarter, error) {
	f.hand(ask)
	return &feedbackv1.Quarter{}, nil
}

func (f *fixed) RestateQuarter(_ context.Context, ask *feedbackv1.RestateQuarterRequest) (*feedbackv1.Quarter, error) {
	f.hand(ask)
	return &feedbackv1.Quarter{}, nil
}

func (f *fixed) PlanRecovery(_ context.Context, ask *feedbackv1.PlanRecoveryRequest) (*feedbackv1.Quarter, error) {
	f.hand(ask)
	return &feedbackv1.Quarter{}, nil
}

// Who may is offered to close, to count anew and to plan; others read the command.
func TestTargetsAreActedOn(t *testing.T) {
	s := newStand(t)
	s.signIn(maxToken)
	s.get("/targets?quarter=2025-q4").has(t, 200, "Count anew", "Record the plan", "baton target propose 2026-q3 --file targets.yaml")
	s.get("/targets?quarter=2025-q3").has(t, 200, "The quarter is over and not closed.", "Close 2025-q3 and state its results")
	if page := s.get("/targets"); strings.Contains(page.text, "/close") {
		t.Error("a quarter that runs can be closed")
	}
	s.post("/targets/2025-q4/restate", url.Values{"why": {" entered late "}, "key": {"k1"}})
	s.post("/targets/2025-q4/recovery", url.Values{"target": {"revenue"}, "owner": {"clo"}, "by": {"2026-05-01"}, "plan": {"two fairs"}, "key": {"k2"}})
	s.post("/targets/2026-q1/close", url.Values{"key": {"k3"}})
	want := []proto.Message{
		&feedbackv1.RestateQuarterRequest{Quarter: "2025-q4", Why: "entered late", IdempotencyKey: "k1"},
		&feedbackv1.PlanRecoveryRequest{Quarter: "2025-q4", TargetId: "revenue", Member: "clo", DueAt: timestamppb.New(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)), Plan: "two fairs", IdempotencyKey: "k2"},
		&feedbackv1.CloseQuarterRequest{Quarter: "2026-q1", IdempotencyKey: "k3"},
	}
	if diff := cmp.Diff(want, s.fixed.hands, protocmp.Transform()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	s.fixed.refuse = map[string]error{"CloseQuarter": status.Error(codes.FailedPrecondition, "2026-q1 is not over.")}
	s.post("/targets/2026-q1/close", url.Values{"key": {"k4"}}).has(t, 409, "2026-q1 is not over.", "Targets of 2026-q1")
	s.post("/targets/2025-q4/recovery", url.Values{"target": {"revenue"}, "by": {"soon"}}).has(t, 400, "A day is written like 2026-03-31.")
	s.signIn(cloToken)
	page := s.get("/targets?quarter=2025-q4")
	page.has(t, 200, "Record the plan")
	if strings.Contains(page.text, "/restate") {
		t.Error("marketing is offered to count anew")
	}
}
