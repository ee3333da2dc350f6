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
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/report/recount"
)

// Goes red if: a report of a running system says anything but what a second count makes of
// the lines that `baton replay --format json` prints of it.
func TestReportsEqualARecountOfTheReplay(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.team("ana", "ben", "cara")
	h.roles(map[string][]string{"mark": {access.Marketing}})
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
		form.Set("utm_campaign", "spring")
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
		case who == "" || n == 7:
			continue
		case n%6 == 2 || n == 1:
			must[*routingv1.RejectResponse](t)(desk.Reject(h.as(who), &routingv1.RejectRequest{LeadId: id, Reason: "no-time", IdempotencyKey: id}))
			h.settle()
			continue
		}
		must[*routingv1.AcceptResponse](t)(desk.Accept(h.as(who), &routingv1.AcceptRequest{LeadId: id, IdempotencyKey: id}))
		h.settle()
		h.time.Set(h.time.Now().Add(30 * time.Hour))
		h.settle()
		outcome(id, who, leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, time.Duration(n)*3*time.Hour)
		if n%3 != 1 {
			months := int64(2)
			must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as(who), &qualificationv1.RecordCallRequest{
				LeadId: id, IdempotencyKey: "call", Reached: true, FitConfirmed: true, HorizonMonths: &months,
			}))
			h.says("mark", "lead", "ride", "ask", id)
		}
		if n%3 == 0 {
			outcome(id, who, leadv1.OutcomeKind_OUTCOME_KIND_WON+leadv1.OutcomeKind(n/3%2), time.Hour)
		}
		must[*feedbackv1.GiveFeedbackResponse](t)(h.feedback().GiveFeedback(h.as(who), &feedbackv1.GiveFeedbackRequest{
			LeadId: id, IdempotencyKey: id, Feedback: &leadv1.FeedbackGiven{Interest: 4, Ease: 2, Talk: "well", Phrases: []string{"too much paper"}},
		}))
		h.settle()
		if n == 3 {
			h.wrongData(id)
			h.settle()
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
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	agreed := starterInWords(berlin)
	moved := map[string]int{}
	ask := func(req *feedbackv1.GetReportRequest) {
		t.Helper()
		req.Earlier, req.From = true, timestamppb.New(monday.Add(60*time.Hour))
		launched := monday.Add(10 * 24 * time.Hour)
		if req.GetReport() == "effect" {
			req.Campaign, req.Launched, req.Earlier, req.From = "spring", timestamppb.New(launched), false, nil
		}
		got := must[*feedbackv1.Report](t)(reports.GetReport(h.as(""), req))
		zone, err := time.LoadLocation(got.GetZone())
		if err != nil {
			t.Fatal(err)
		}
		q := recount.Question{
			Report: req.GetReport(), By: req.GetBy(), Now: got.GetAsOf().AsTime(), Horizon: 30 * 24 * time.Hour,
			Activity: req.GetFrame() == "activity", Zone: zone, YearStarts: time.January, Agreed: agreed,
		}
		if req.GetFrom() != nil {
			q.From = req.GetFrom().AsTime()
		}
		if req.GetCampaign() != "" {
			q.Campaign, q.Launched = req.GetCampaign(), launched
		}
		if req.GetAsOf() != nil {
			q.AsOf = req.GetAsOf().AsTime()
		}
		known := log
		if req.GetKnownAt() != nil {
			known = log.Known(req.GetKnownAt().AsTime())
		}
		want := known.Count(q)
		nothing := want[recount.Nothing]
		delete(want, recount.Nothing)
		asked := fmt.Sprintf("%s by %q, %s, as of %v, known at %v", req.GetReport(), req.GetBy(), req.GetFrame(), req.GetAsOf().AsTime(), req.GetKnownAt().AsTime())
		for _, row := range append(got.GetRows(), got.GetTotal()) {
			counted := want[row.GetKey()]
			if counted == nil {
				counted = nothing
			}
			delete(want, row.GetKey())
			for _, f := range row.GetFigures() {
				v, there := math.NaN(), false
				if counted != nil {
					v, there = counted.Figures[f.GetName()]
				}
				if !there || math.IsNaN(v) != f.GetUnknown() || !f.GetUnknown() && math.Abs(v-f.GetValue()) > 1e-9*max(1, math.Abs(v)) {
					t.Errorf("%s: %s of %q is %v; a recount says %v", asked, f.GetName(), row.GetKey(), f, v)
				}
				if f.GetValue() != 0 {
					moved[req.GetReport()]++
				}
			}
		}
		for key := range want {
			t.Errorf("%s: no row %q", asked, key)
		}
	}
	listed := must[*feedbackv1.ListMetricsResponse](t)(reports.ListMetrics(h.as(""), &feedbackv1.ListMetricsRequest{}))
	past := timestamppb.New(monday.Add(20 * 24 * time.Hour))
	for _, r := range listed.GetReports() {
		name := r.GetReport()
		first := ""
		if len(r.GetDimensions()) > 0 {
			first = r.GetDimensions()[0]
		}
		ask(&feedbackv1.GetReportRequest{Report: name, By: first, KnownAt: past})
		if first == "" {
			ask(&feedbackv1.GetReportRequest{Report: name})
			ask(&feedbackv1.GetReportRequest{Report: name, AsOf: past})
			continue
		}
		for _, by := range r.GetDimensions() {
			frames := []string{"cohort", "activity"}
			if r.GetCases() == "" {
				frames = frames[:1]
			}
			for _, frame := range frames {
				ask(&feedbackv1.GetReportRequest{Report: name, By: by, Frame: frame})
				ask(&feedbackv1.GetReportRequest{Report: name, By: by, Frame: frame, AsOf: past})
			}
		}
		// The starter agreement has no clocks, and growth wants a quarter before.
		if moved[name] == 0 && name != "sla" && name != "growth" {
			t.Errorf("all figures of %s were nought; this test wants more to happen", name)
		}
	}
	whole(t, h)
}

// starterInWords is what the starter agreement says, as far as reports ask.
func starterInWords(zone *time.Location) []recount.Agreed {
	day := [2]int{9, 17}
	office := &recount.Hours{Zone: zone, Days: map[time.Weekday][2]int{time.Monday: day, time.Tuesday: day, time.Wednesday: day, time.Thursday: day, time.Friday: day}}
	return []recount.Agreed{{
		Pools: map[string]string{"inside-sales": "office", "large-companies": "office"}, Hours: map[string]*recount.Hours{"office": office},
		Required: []string{"interest", "why", "talk"}, Within: 24 * time.Hour,
	}}
}
