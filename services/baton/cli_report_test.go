package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func someReport() *feedbackv1.Report {
	row := func(key string, leads, rate float64, seconds ...float64) *feedbackv1.ReportRow {
		r := &feedbackv1.ReportRow{Key: key, Figures: []*feedbackv1.Figure{
			{Name: "leads", Value: leads}, {Name: "win_rate", Value: rate}, {Name: "win_rate_low", Value: rate / 2}, {Name: "win_rate_high", Value: 1.0 / 3},
		}}
		f := &feedbackv1.Figure{Name: "mean_seconds", Unknown: true, Value: 99}
		if len(seconds) > 0 {
			f = &feedbackv1.Figure{Name: "mean_seconds", Value: seconds[0]}
		}
		r.Figures = append(r.Figures, f)
		return r
	}
	return &feedbackv1.Report{
		Report: "funnel", AsOf: at(0), From: at(-60), Definition: 2, Population: "Leads received, imported history left out.",
		Columns: []*feedbackv1.Column{
			{Name: "leads", Unit: "leads"}, {Name: "win_rate", Unit: "ratio"}, {Name: "win_rate_low", Unit: "ratio"}, {Name: "win_rate_high", Unit: "ratio"}, {Name: "mean_seconds", Unit: "seconds"},
		},
		Rows:  []*feedbackv1.ReportRow{row("web", 8800, 0.1+0.2, 3725.2504), row("=cmd|'x'\x1b[31m", 3, 0)},
		Total: row("total", 8803, 0.29996, 3725.2504),
	}
}

func TestReportAsJSON(t *testing.T) {
	s := &system{report: someReport()}
	serve(t, s)
	got := ok(t, "report", "funnel", "--by", "source", "--from", "2026-04-03T11:00:00Z", "--to", "2026-05-01", "--as-of", "2026-04-03T12:00:00Z",
		"--definition", "2", "--horizon-days", "14", "--historical", "--format", "json")
	const want = `{
  "report": "funnel",
  "as_of": "2026-04-03T12:00:00Z",
  "from": "2026-04-03T11:00:00Z",
  "to": null,
  "definition": 2,
  "rows": [
    {
      "key": "web",
      "leads": 8800,
      "win_rate": 0.3,
      "win_rate_low": 0.15,
      "win_rate_high": 0.333333,
      "mean_seconds": 3725.25
    },
    {
      "key": "=cmd|'x'\u001b[31m",
      "leads": 3,
      "win_rate": 0,
      "win_rate_low": 0,
      "win_rate_high": 0.333333,
      "mean_seconds": null
    }
  ],
  "total": {
    "leads": 8803,
    "win_rate": 0.29996,
    "win_rate_low": 0.14998,
    "win_rate_high": 0.333333,
    "mean_seconds": 3725.25
  }
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	asked := &feedbackv1.GetReportRequest{Report: "funnel", By: "source", From: at(-60), Definition: 2, HorizonDays: 14, Historical: true, AsOf: at(0)}
	asked.To = at(0)
	asked.To.Seconds = 1777593600 // 2026-05-01
	if diff := cmp.Diff(asked, last[*feedbackv1.GetReportRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestReportWithoutRowsIsJSON(t *testing.T) {
	s := &system{report: &feedbackv1.Report{Report: "funnel"}}
	serve(t, s)
	var got map[string]any
	if err := json.Unmarshal([]byte(ok(t, "report", "funnel", "--format", "json")), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"report": "funnel", "as_of": nil, "from": nil, "to": nil, "definition": nil, "rows": []any{}, "total": map[string]any{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReportAsCSV(t *testing.T) {
	serve(t, &system{report: someReport()})
	const want = "key,leads,win_rate,win_rate_low,win_rate_high,mean_seconds\n" +
		"web,8800,0.3,0.15,0.333333,3725.25\n" +
		"'=cmd|'x'\x1b[31m,3,0,0,0.333333,\n" +
		"total,8803,0.29996,0.14998,0.333333,3725.25\n"
	if diff := cmp.Diff(want, ok(t, "report", "funnel", "--format", "csv")); diff != "" {
		t.Error(diff)
	}
}

func TestReportAsTable(t *testing.T) {
	s := &system{report: someReport()}
	serve(t, s)
	const want = `funnel as of 2026-04-03T12:00:00Z, received from 2026-04-03T11:00:00Z, agreement version 2

FIGURE        web                  =cmd|'x'�[31m      TOTAL                UNIT
leads         8,800                3                  8,803                leads
win_rate      30.0 (15.0 to 33.3)  0.0 (0.0 to 33.3)  30.0 (15.0 to 33.3)  %
mean_seconds  1h2m5s               unknown            1h2m5s               time

Leads received, imported history left out.
`
	if diff := cmp.Diff(want, ok(t, "report", "funnel")); diff != "" {
		t.Error(diff)
	}
	// More rows than fit beside each other stand below each other.
	for range sideBySide {
		s.report.Rows = append(s.report.Rows, &feedbackv1.ReportRow{Key: ""})
	}
	tall := ok(t, "report", "funnel")
	has(t, tall, "KEY            leads (leads)  win_rate (%)         mean_seconds (time)", "(none)", "TOTAL")
	if lines := strings.Count(tall, "\n"); lines != 2+1+8+2 {
		t.Errorf("%d lines:\n%s", lines, tall)
	}
}

func TestReportThatThereIsNot(t *testing.T) {
	serve(t, &system{})
	if r := run(t, "report", "weather"); r.status != statusRefused || r.err != "baton: there is no report \"weather\"\n" {
		t.Errorf("got %+v", r)
	}
}
