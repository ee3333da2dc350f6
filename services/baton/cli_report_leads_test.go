package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func TestReportMetrics(t *testing.T) {
	serve(t, &system{})
	got := strings.Join(strings.Fields(ok(t, "report", "metrics", "funnel")), " ")
	for _, want := range []string{"funnel: What came.", "One case is one lead.", "split by source, week", "funnel.won leads sales leads that are won leads received COUNT(*) FILTER (WHERE won_at IS NOT"} {
		if !strings.Contains(got, want) {
			t.Errorf("the catalogue has no %q:\n%s", want, got)
		}
	}
	has(t, ok(t, "report", "metrics", "funnel.won"), "funnel.won")
	if r := run(t, "report", "metrics", "funnel.wno"); r.status != statusRefused || !strings.Contains(r.err, "baton report metrics funnel lists") {
		t.Errorf("a figure that is not there: %+v", r)
	}
	if got := ok(t, "report", "metrics", "--format", "json"); !strings.Contains(got, `"funnel.won"`) {
		t.Errorf("as JSON: %s", got)
	}
}

func TestReportLeads(t *testing.T) {
	s := &system{}
	serve(t, s)
	got := ok(t, "report", "leads", "funnel", "--name", "funnel.won", "--by", "source", "--key", "web", "--where", "country=DE", "--frame", "activity", "--known-at", "2026-04-03T12:00:00Z")
	const want = `LEAD  STATE  RECEIVED              WITH  VALUE (leads)
l1    won    2026-04-03T12:00:00Z  ana   1
l2    won    2026-04-03T13:00:00Z  -     2.5
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	question := &feedbackv1.GetReportRequest{Report: "funnel", By: "source", Where: []string{"country=DE"}, Frame: "activity", KnownAt: at(0)}
	first := &feedbackv1.ListReportLeadsRequest{Report: "funnel", Name: "won", Key: "web", Question: question, PageSize: 50}
	then := proto.CloneOf(first)
	then.PageToken, then.PageSize = "l1", 49
	if diff := cmp.Diff([]proto.Message{first, then}, s.asked, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	// People read units; programs find them in the head.
	for name, want := range map[string][2]string{
		"mean_seconds": {"REJECTED BY  VALUE\nl1    won    2026-04-03T12:00:00Z  ana, dan     3 h 20 min\n", "lead,state,received_at,rejected_by,value_seconds\nl1,won,2026-04-03T12:00:00Z,\"ana, dan\",12000\n"},
		"value":        {"WITH  VALUE (EUR)\nl1    won    2026-04-03T12:00:00Z  ana   1,200.50\n", "lead,state,received_at,with,value_EUR\nl1,won,2026-04-03T12:00:00Z,ana,1200.5\n"},
	} {
		has(t, ok(t, "report", "leads", "funnel", "--name", name), want[0])
		if diff := cmp.Diff(want[1], ok(t, "report", "leads", "funnel", "--name", name, "--format", "csv")); diff != "" {
			t.Error(diff)
		}
	}
	// A list of nothing says whether a word was misspelt, and so does a file of figures.
	s.report = &feedbackv1.Report{Report: "funnel", AsOf: at(0), Total: &feedbackv1.ReportRow{Key: "total"}, Remarks: []string{`No lead is of source "wbe"; there are web.`}}
	has(t, ok(t, "report", "leads", "funnel", "--name", "nothing", "--where", "source=wbe"), "No lead counts for this figure", `No lead is of source "wbe"; there are web.`)
	if r := run(t, "report", "funnel", "--format", "csv", "--where", "source=wbe"); r.status != 0 || !strings.Contains(r.err, "there are web") || strings.Contains(r.out, "there are web") {
		t.Errorf("as CSV: %+v", r)
	}
	for says, args := range map[string][]string{
		"--name says which figure": {"report", "leads", "funnel"},
		"with --by":                {"report", "leads", "funnel", "--name", "won", "--key", "web"},
		"--by splits by one thing": {"report", "funnel", "--by", "campaign", "--by", "quarter"},
	} {
		if r := run(t, args...); r.status != statusUsage || !strings.Contains(r.err, says) {
			t.Errorf("%q: status %d, %s", args, r.status, r.err)
		}
	}
}
