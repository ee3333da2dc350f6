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
  "known_at": null,
  "from": "2026-04-03T11:00:00Z",
  "to": null,
  "definition": 2,
  "baseline": null,
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
	want := map[string]any{"report": "funnel", "baseline": nil, "as_of": nil, "known_at": nil, "from": nil, "to": nil, "definition": nil, "rows": []any{}, "total": map[string]any{}}
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
	const want = `funnel as of 2026-04-03T12:00:00Z, received from 2026-04-03T11:00:00Z, re-stated under agreement version 2

FIGURE    web                  =cmd|'x'�[31m      TOTAL                UNIT
leads     8,800                3                  8,803                leads
win rate  30.0 (15.0 to 33.3)  0.0 (0.0 to 33.3)  30.0 (15.0 to 33.3)  %
mean      1 h 2 min            unknown            1 h 2 min            time

Leads received, imported history left out. In brackets stands where a rate lies with 95 % confidence: the fewer leads, the wider.
`
	if diff := cmp.Diff(want, ok(t, "report", "funnel")); diff != "" {
		t.Error(diff)
	}
	// More rows than fit beside each other stand below each other.
	for range sideBySide {
		s.report.Rows = append(s.report.Rows, &feedbackv1.ReportRow{Key: ""})
	}
	tall := ok(t, "report", "funnel")
	has(t, tall, "KEY            leads (leads)  win rate (%)         mean (time)", "(none)", "TOTAL")
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

// The report on definitions says when each version was in force and what stood
// before and after each change, in every format.
func TestReportOfDefinitions(t *testing.T) {
	r := someReport()
	r.Report, r.Rows = "definitions", r.GetRows()[:1]
	r.Rows[0].Key, r.Rows[0].From, r.Rows[0].To = "1", at(-60), at(-30)
	r.Columns = append(r.Columns, &feedbackv1.Column{Name: "handoffs_per_sql", Unit: "number"})
	r.Rows[0].Figures = append(r.Rows[0].Figures, &feedbackv1.Figure{Name: "handoffs_per_sql", Value: 6.25})
	r.Comparisons = []*feedbackv1.Comparison{{BeforeVersion: 1, AfterVersion: 2, At: at(-30), WindowSeconds: 864000, Before: r.GetRows()[0], After: r.GetTotal()}}
	serve(t, &system{report: r})
	has(t, ok(t, "report", "definitions"),
		"Version 1 was in force from 2026-04-03T11:00:00Z until 2026-04-03T11:30:00Z.",
		"Version 2 came into force on 2026-04-03T11:30:00Z. Before and after, over 10 days each:",
		"FIGURE            BEFORE (1)", "AFTER (2)", "6.25")
	has(t, ok(t, "report", "definitions", "--format", "csv"), "1,8800,0.3,", "total,8803,", `"1 to 2, before",8800,`, `"1 to 2, after",8803,`)
	var said struct {
		Rows []struct {
			Key, From, To  string
			HandoffsPerSQL float64 `json:"handoffs_per_sql"`
		}
		Comparisons []struct {
			Before int                     `json:"before_version"`
			After  int                     `json:"after_version"`
			Window float64                 `json:"window_seconds"`
			Then   struct{ Leads float64 } `json:"after"`
		}
	}
	text := ok(t, "report", "definitions", "--format", "json")
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(said.Rows) != 1 || said.Rows[0].Key != "1" || said.Rows[0].To != "2026-04-03T11:30:00Z" || said.Rows[0].HandoffsPerSQL != 6.25 {
		t.Errorf("rows %v", said.Rows)
	}
	if len(said.Comparisons) != 1 || said.Comparisons[0].After != 2 || said.Comparisons[0].Window != 864000 || said.Comparisons[0].Then.Leads != 8803 {
		t.Errorf("comparisons %v", said.Comparisons)
	}
}

// What stands below the figures: marks for rows of few cases, what others have
// published, what stands out, and which events all of it is made of.
func TestReportNotes(t *testing.T) {
	r := someReport()
	r.Rows[0].Cases, r.Rows[1].Cases, r.Total.Cases = 30, 29, 59
	r.Benchmarks = []*feedbackv1.Benchmark{{Name: "mean_seconds", Value: 151200, Source: "A study"}, {Name: "win_rate", Value: 0.24, Source: "Another"}}
	r.Remarks, r.EventSet = []string{"The web wins."}, "log@7"
	serve(t, &system{report: r})
	table := ok(t, "report", "funnel")
	for _, want := range []string{
		"30.0 (15.0 to 33.3)", "0.0* (0.0 to 33.3)", "\n* fewer than 30 cases: ", "\nThe web wins.\n", "Made of log log up to event 7.",
		"FIGURE    HERE       PUBLISHED  UNIT  BY\n", "mean      1 h 2 min  42 h       time  A study\n", "win rate  30.0       24.0       %     Another\n",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not say %q:\n%s", want, table)
		}
	}
	if strings.Count(table, "*") != 2 {
		t.Errorf("marked are rates of 29 cases only, and what the mark means:\n%s", table)
	}
	var got struct {
		Rows       []struct{ Cases int64 }
		Benchmarks []struct {
			Name, Source string
			Value        float64
		}
		Remarks  []string
		EventSet string `json:"event_set"`
	}
	if err := json.Unmarshal([]byte(ok(t, "report", "funnel", "--format", "json")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2 || got.Rows[1].Cases != 29 || len(got.Benchmarks) != 2 || got.Benchmarks[0].Value != 151200 || got.Benchmarks[0].Source != "A study" ||
		len(got.Remarks) != 1 || got.EventSet != "log@7" {
		t.Errorf("as JSON: %+v", got)
	}
}
