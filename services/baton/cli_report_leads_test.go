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
	const want = `LEAD  STATE  RECEIVED              OWNER  VALUE (leads)
l1    won    2026-04-03T12:00:00Z  ana    1
l2    won    2026-04-03T13:00:00Z  -      2.5
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	question := &feedbackv1.GetReportRequest{Report: "funnel", By: "source", Where: []string{"country=DE"}, Frame: "activity", KnownAt: at(0)}
	first := &feedbackv1.ListReportLeadsRequest{Report: "funnel", Name: "won", Key: "web", Question: question, PageSize: 50}
	then := proto.CloneOf(first)
	then.PageToken, then.PageSize = "l1", 49
	if diff := cmp.Diff([]proto.Message{first, then, &feedbackv1.ListMetricsRequest{Report: "funnel"}}, s.asked, protocmp.Transform()); diff != "" {
		t.Error(diff)
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
