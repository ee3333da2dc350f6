package report

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/lead"
)

// byEmployees judges by the size of the company, and by whether anybody called. Version 1
// is the only one.
func byEmployees(version int64) Judge {
	if version != 1 {
		return nil
	}
	return func(f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage {
		n := f.Features.GetEmployees()
		switch {
		case n >= 1 && len(calls) > 0:
			return leadv1.Stage_STAGE_SQL
		case n >= 7:
			return leadv1.Stage_STAGE_SAL
		case n >= 1:
			return leadv1.Stage_STAGE_MQL
		}
		return leadv1.Stage_STAGE_LEAD
	}
}

// restates holds what a version would have made of the leads against judging each lead
// after each of its events, figure by figure and lead by lead.
func restates(t *testing.T, s *Store) {
	kinds := map[string]int{}
	draws := 0
	rapid.Check(t, func(rt *rapid.T) {
		draws++
		st := drawStory(rt)
		refill(rt, s, st.events, 9)
		r := NewReports(s, st, fixedStatus{}, clock.NewVirtual(far))
		r.Under = byEmployees
		until := far
		req := &feedbackv1.GetReportRequest{Report: reportFunnel, Definition: 1, Historical: true}
		if rapid.Bool().Draw(rt, "past") {
			until = rapid.SampledFrom(st.events).Draw(rt, "as of").Occurred
			req.AsOf = timestamppb.New(until)
		}
		got, err := r.GetReport(context.Background(), req)
		if err != nil {
			rt.Fatal(err)
		}
		want := map[string][]string{}
		for _, id := range st.leads() {
			state := &lead.State{ID: id}
			var calls []*leadv1.CallRecorded
			stated, would := leadv1.Stage_STAGE_LEAD, leadv1.Stage_STAGE_LEAD
			for _, e := range st.events {
				if e.Subject != lead.SubjectOf(id) {
					continue
				}
				state.Evolve(e.Body, e.Occurred, e.Recorded)
				if call, ok := e.Body.(*leadv1.CallRecorded); ok {
					calls = append(calls, call)
				}
				stage := leadv1.Stage_STAGE_LEAD
				switch e.Body.(type) {
				case *leadv1.LeadReceived, *leadv1.SubmissionRevised, *leadv1.LeadRemapped, *leadv1.TouchAdded, *leadv1.CallRecorded:
					// Only then something became known of the lead.
					stage = byEmployees(1)(agreement.FactsOf(state, e.Recorded), calls)
				}
				if q, ok := e.Body.(*leadv1.LeadQualified); ok && !e.Occurred.After(until) {
					stated = max(stated, q.GetStage())
				}
				if !e.Occurred.After(until) {
					would = max(would, stage)
				}
			}
			then := st.lead(id, until)
			if then.ReceivedAt.IsZero() || then.State == leadv1.State_STATE_REFUSED {
				continue
			}
			for _, stage := range restatedStages {
				name := map[leadv1.Stage]string{leadv1.Stage_STAGE_MQL: "mql", leadv1.Stage_STAGE_SAL: "sal", leadv1.Stage_STAGE_SQL: "sql"}[stage]
				was, is := stated >= stage, would >= stage
				for figure, holds := range map[string]bool{
					name + "_restated": is, name + "_both": was && is, name + "_only_stated": was && !is, name + "_only_restated": is && !was,
				} {
					if holds {
						want[figure] = append(want[figure], id)
						kinds[figure]++
					}
				}
			}
		}
		for _, m := range restatedMetrics() {
			if f := figure(got.GetTotal(), m.Name); f.GetUnknown() || f.GetValue() != float64(len(want[m.Name])) {
				rt.Fatalf("%s is %v; lead by lead it is %q", m.Name, f, want[m.Name])
			}
			list, err := r.ListReportLeads(context.Background(), &feedbackv1.ListReportLeadsRequest{Report: reportFunnel, Question: req, Name: m.Name})
			if err != nil {
				rt.Fatal(err)
			}
			var ids []string
			for _, l := range list.GetLeads() {
				ids = append(ids, l.GetLeadId())
			}
			slices.Sort(want[m.Name])
			if !slices.Equal(ids, want[m.Name]) {
				rt.Fatalf("%s lists %q; lead by lead it is %q", m.Name, ids, want[m.Name])
			}
		}
		req.Definition = 0
		plain, err := r.GetReport(context.Background(), req)
		if err != nil {
			rt.Fatal(err)
		}
		if len(plain.GetColumns()) != len(got.GetColumns())-len(restatedMetrics()) {
			rt.Fatal("what was not asked for is re-stated")
		}
		for _, f := range plain.GetTotal().GetFigures() {
			if as := figure(got.GetTotal(), f.GetName()); as.GetValue() != f.GetValue() {
				rt.Fatalf("as stated %s is %v, beside a re-statement %v", f.GetName(), f, as)
			}
		}
	})
	if len(kinds) < 3 && draws >= 100 {
		t.Errorf("only these were not nought in any story: %q", slices.Sorted(maps.Keys(kinds)))
	}
}

// What was known later has no say in what is re-stated as known at an instant.
func TestRestatedAsKnownAt(t *testing.T) {
	s, st := openStore(t), &story{}
	st.received("l1", start, nil)
	st.say("l1", start.Add(time.Hour), &leadv1.SubmissionRevised{Delivery: &leadv1.DeliveryRef{DeliveryId: "d"}, Features: &leadv1.Features{Employees: 50}}).Recorded = start.Add(5 * time.Hour)
	refill(t, s, st.events, 5)
	r := NewReports(s, st, fixedStatus{}, clock.NewVirtual(far))
	r.Under = byEmployees
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	for hours, want := range map[int]float64{2: 0, 6: 1} {
		got, err := r.GetReport(context.Background(), &feedbackv1.GetReportRequest{Report: reportFunnel, Definition: 1, KnownAt: timestamppb.New(start.Add(time.Duration(hours) * time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		if f := figure(got.GetTotal(), "mql_restated"); f.GetValue() != want {
			t.Errorf("known after %d hours: %v; want %v", hours, f, want)
		}
	}
	if _, err := r.ListReportLeads(context.Background(), &feedbackv1.ListReportLeadsRequest{Report: reportFunnel, Name: "mql_both"}); err == nil {
		t.Error("leads of a re-statement are listed though nobody said of which version")
	}
}
