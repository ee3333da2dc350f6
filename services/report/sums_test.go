package report

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// apart are leads to which one thing happens a day, rejected under two reasons, and
// answered at times that are in no order of their sources.
func apart() *story {
	st := &story{}
	for i, answered := range []int{1, 5, 10, 6} {
		id, day := fmt.Sprintf("l%d", i), 0
		next := func() time.Time { day++; return start.AddDate(0, 0, 10*i+day) }
		st.received(id, start.AddDate(0, 0, 10*i), func(b *leadv1.LeadReceived) { b.Source = []string{"web", "fair"}[i%2] })
		st.say(id, start.AddDate(0, 0, 10*i).Add(time.Duration(answered)*time.Hour), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana", Channel: "call"})
		st.say(id, next(), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, Explanation: explained("fits")})
		for n, member := range []string{"ana", "ben"} {
			st.offer(id, next(), "inside", member, leadv1.TurnKind_TURN_KIND_ROTATION, int32(n+1), "ana=1 ben=1")
			st.say(id, next(), &leadv1.OfferRejected{Member: member, Offer: int32(n + 1), Reason: []string{"budget", "field"}[n], AgreementVersion: 1, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON})
		}
		st.offer(id, next(), "inside", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 3, "ana=1")
		st.say(id, next(), &leadv1.OfferAccepted{Member: "ana", Offer: 3})
		if i == 0 {
			st.say(id, next(), &leadv1.SubmissionRepeated{Delivery: &leadv1.DeliveryRef{DeliveryId: id + "-2"}})
		}
		st.say(id, next(), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: 100, Currency: "EUR"})
	}
	return st
}

// aYearLater is the report that a request asks for, a year later.
func aYearLater(t *testing.T, s *Store, req *feedbackv1.GetReportRequest) *feedbackv1.Report {
	t.Helper()
	q, err := question(req, start.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	q.InForce = agreedRules(t)
	out, err := s.Report(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSplitHasTheSameTotal: however a report is split, its total is that of all cases.
func TestSplitHasTheSameTotal(t *testing.T) {
	s := openStore(t)
	refill(t, s, apart().events, 50)
	for _, r := range reports {
		if r.cases == "" {
			continue
		}
		whole := aYearLater(t, s, &feedbackv1.GetReportRequest{Report: r.name}).GetTotal()
		for _, by := range append([]string{"source", "person", "definition", "week"}, r.own...) {
			split := aYearLater(t, s, &feedbackv1.GetReportRequest{Report: r.name, By: by})
			if diff := cmp.Diff(whole, split.GetTotal(), protocmp.Transform()); diff != "" {
				t.Errorf("%s: the total (-) and that of it by %s (+):\n%s", r.name, by, diff)
			}
		}
	}
}

// TestActivityOfDaysAddsUp: what happened is of the day on which it did, and is passed
// over on no day.
func TestActivityOfDaysAddsUp(t *testing.T) {
	s := openStore(t)
	refill(t, s, apart().events, 50)
	for _, name := range []string{reportFunnel, reportResponse} {
		sum := map[string]float64{}
		for day := range 100 {
			from := start.AddDate(0, 0, day).Add(-time.Minute)
			row := aYearLater(t, s, &feedbackv1.GetReportRequest{Report: name, Frame: frameActivity, From: timestamppb.New(from), To: timestamppb.New(from.AddDate(0, 0, 1))}).GetTotal()
			for _, f := range row.GetFigures() {
				sum[f.GetName()] += f.GetValue()
			}
		}
		for _, f := range aYearLater(t, s, &feedbackv1.GetReportRequest{Report: name, Frame: frameActivity}).GetTotal().GetFigures() {
			m, _ := find(infoOf(name).metrics, f.GetName())
			if (m.measure.by == byCount || m.measure.by == bySum) && f.GetValue() != sum[f.GetName()] {
				t.Errorf("%s: %v %s, and %v added up over days", name, f.GetValue(), f.GetName(), sum[f.GetName()])
			}
		}
	}
}

// TestActivityAlone: of a lead only one thing happens in the period, and long after all
// else.
func TestActivityAlone(t *testing.T) {
	day := start.AddDate(0, 0, 40)
	for name, one := range map[string]struct {
		req    *feedbackv1.GetReportRequest
		figure string
		tell   func(*story)
	}{
		"it leaks": {&feedbackv1.GetReportRequest{Report: reportLeak}, "leaked", func(st *story) { st.offered("l", day.AddDate(0, 0, -30)) }},
		"somebody says how easy it was": {&feedbackv1.GetReportRequest{Report: reportSegments}, "rated", func(st *story) {
			st.say("l", day, &leadv1.FeedbackGiven{Member: "ana", Ease: 3})
		}},
		"another version would have made it an MQL": {&feedbackv1.GetReportRequest{Report: reportFunnel, Definition: 1}, "mql_restated", func(st *story) {
			st.say("l", day, &leadv1.LeadRemapped{Features: &leadv1.Features{Employees: 9}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			st := &story{}
			st.received("l", start, nil)
			st.qualified("l", start, leadv1.Stage_STAGE_MQL, 1)
			one.tell(st)
			r := paddingOf(t, openStore(t), st)
			one.req.Frame, one.req.From, one.req.To = frameActivity, timestamppb.New(day), timestamppb.New(day.Add(time.Hour))
			got, err := r.GetReport(context.Background(), one.req)
			if err != nil {
				t.Fatal(err)
			}
			if n := figure(got.GetTotal(), one.figure).GetValue(); n != 1 {
				t.Errorf("%v %s; want 1: %v", n, one.figure, got.GetTotal())
			}
		})
	}
}
