package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/report/recount"
)

// Goes red if: a report of a running system says anything but what a second count makes of
// the lines that `baton replay --format json` prints of it.
func TestReportsEqualARecountOfTheReplay(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.team("ana", "ben", "cara")
	desk := routingv1.NewRoutingServiceClient(h.conn)
	place := func(member, team string) {
		must[*routingv1.Member](t)(desk.PlaceMember(h.as(""), &routingv1.PlaceMemberRequest{Member: member, Team: team, Office: "berlin", IdempotencyKey: member + team}))
	}
	place("ana", "north")
	place("ben", "south")
	outcome := func(id, who string, kind leadv1.OutcomeKind, before time.Duration) {
		req := &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: fmt.Sprint(id, kind), Kind: kind, OccurredAt: timestamppb.New(h.time.Now().Add(-before))}
		switch kind {
		case leadv1.OutcomeKind_OUTCOME_KIND_WON:
			req.ValueMinor, req.Currency = 100, "EUR"
		case leadv1.OutcomeKind_OUTCOME_KIND_LOST:
			req.Reason = "price"
		}
		must[*feedbackv1.RecordOutcomeResponse](t)(h.feedback().RecordOutcome(h.as(who), req))
		h.settle()
	}
	for n := range 12 {
		h.time.Set(monday.Add(time.Duration(n) * 74 * time.Hour))
		form := filled(n)
		form.Set("employees", fmt.Sprint(30+40*n))
		if n%6 == 5 {
			form.Set("job_title", "Intern")
			form.Set("employees", "3")
		}
		id := h.submit(fmt.Sprintf("r-%d", n), form)
		h.settle()
		if n%4 == 0 {
			h.submit(fmt.Sprintf("r-%d", n), form)
			h.settle()
		}
		who := h.lead(id).GetOfferedTo()
		switch {
		case who == "" || n%6 == 1:
			continue
		case n%6 == 2:
			must[*routingv1.RejectResponse](t)(desk.Reject(h.as(who), &routingv1.RejectRequest{LeadId: id, Reason: "no-time", IdempotencyKey: id}))
			h.settle()
			continue
		}
		must[*routingv1.AcceptResponse](t)(desk.Accept(h.as(who), &routingv1.AcceptRequest{LeadId: id, IdempotencyKey: id}))
		h.settle()
		h.time.Set(h.time.Now().Add(30 * time.Hour))
		h.settle()
		outcome(id, who, leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, time.Duration(n)*3*time.Hour)
		if n%3 == 0 {
			outcome(id, who, leadv1.OutcomeKind_OUTCOME_KIND_WON+leadv1.OutcomeKind(n/3%2), time.Hour)
		}
		if n == 6 {
			place("ana", "south")
		}
	}
	h.settle()
	log, err := recount.Read(strings.NewReader(h.says("", "replay", "--format", "json")))
	if err != nil {
		t.Fatal(err)
	}
	reports := feedbackv1.NewReportServiceClient(h.conn)
	moved := 0
	for _, name := range []string{"funnel", "response"} {
		for _, by := range []string{"", "source", "size", "country", "person", "team", "office", "pool", "definition", "nurtured", "week", "month", "quarter"} {
			for _, frame := range []string{"cohort", "activity"} {
				for _, past := range []bool{false, true} {
					req := &feedbackv1.GetReportRequest{Report: name, By: by, Frame: frame, Earlier: true, From: timestamppb.New(monday.Add(60 * time.Hour))}
					if past {
						req.AsOf = timestamppb.New(monday.Add(20 * 24 * time.Hour))
					}
					got := must[*feedbackv1.Report](t)(reports.GetReport(h.as(""), req))
					zone, err := time.LoadLocation(got.GetZone())
					if err != nil {
						t.Fatal(err)
					}
					q := recount.Question{
						Report: name, By: by, From: req.GetFrom().AsTime(), Now: got.GetAsOf().AsTime(), Horizon: 30 * 24 * time.Hour,
						Activity: frame == "activity", Zone: zone, YearStarts: time.January,
					}
					if past {
						q.AsOf = req.GetAsOf().AsTime()
					}
					want := log.Count(q)
					for _, row := range append(got.GetRows(), got.GetTotal()) {
						counted := want[row.GetKey()]
						if counted == nil {
							counted = (&recount.Log{}).Count(q)[recount.Total]
						}
						delete(want, row.GetKey())
						for _, f := range row.GetFigures() {
							if strings.HasPrefix(f.GetName(), "work_") {
								continue // working time needs the agreement
							}
							v, there := counted.Figures[f.GetName()]
							if !there || math.IsNaN(v) != f.GetUnknown() || !f.GetUnknown() && math.Abs(v-f.GetValue()) > 1e-9*max(1, v) {
								t.Errorf("%s by %q, %s, past %v: %s of %q is %v; a recount says %v", name, by, frame, past, f.GetName(), row.GetKey(), f, v)
							}
							if f.GetValue() > 0 {
								moved++
							}
						}
					}
					for key := range want {
						t.Errorf("%s by %q, %s, past %v: no row %q", name, by, frame, past, key)
					}
				}
			}
		}
	}
	if moved < 1000 {
		t.Errorf("%d figures above nought were compared; this test wants more to happen", moved)
	}
	whole(t, h)
}
