package main

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/report"
)

// Whatever part of a made-up log is read is the same part of the same log.
func TestPastYearIsOneLog(t *testing.T) {
	log := must[*pastYear](t)(newPastYear(1200))
	read := func(from, to uint64) (out []*ledger.Event) {
		t.Helper()
		if err := log.Read(t.Context(), from, to, func(e *ledger.Event) error { out = append(out, e); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := read(1, 0)
	if uint64(len(all)) != log.length || all[len(all)-1].Seq != log.length {
		t.Fatalf("%d events were read of %d, the last has the number %d", len(all), log.length, all[len(all)-1].Seq)
	}
	name := func(events []*ledger.Event) (out [][3]any) {
		for _, e := range events {
			out = append(out, [3]any{e.Seq, e.Subject, e.Type})
		}
		return out
	}
	for _, part := range [][2]uint64{{1, 1}, {40, 60}, {5000, 9000}, {log.length, log.length}, {log.length - 10, 0}, {7, 6}} {
		to := part[1]
		if to == 0 {
			to = log.length
		}
		want := all[min(part[0]-1, to):to]
		if diff := cmp.Diff(name(want), name(read(part[0], part[1]))); diff != "" {
			t.Errorf("from %d to %d (-whole +part):\n%s", part[0], part[1], diff)
		}
	}
}

// Each report has something to count there: one that has not would be measured for
// nothing.
func TestPastYearHasEverything(t *testing.T) {
	log := must[*pastYear](t)(newPastYear(600))
	store := must[*report.Store](t)(report.Open(t.Context(), filepath.Join(t.TempDir(), "read.db")))
	defer store.Close()
	if _, err := store.Attach(t.Context(), pastID); err != nil {
		t.Fatal(err)
	}
	if _, err := batches(t.Context(), log, 0, func(events []*ledger.Event) error { return store.Apply(t.Context(), events) }); err != nil {
		t.Fatal(err)
	}
	reports := report.NewReports(store, log, nil, clock.NewVirtual(log.ends()))
	defer reports.Close()
	store.Working, reports.InForce, reports.Under = log.working, log.inForce, log.under
	for _, name := range report.ReportNames() {
		out := must[*feedbackv1.Report](t)(reports.GetReport(t.Context(), plainly(name)))
		figures := 0
		for _, f := range out.GetTotal().GetFigures() {
			if f.GetValue() > 0 {
				figures++
			}
		}
		if figures < 2 {
			t.Errorf("%s has %d figures that are not nought", name, figures)
		}
	}
	again := must[*feedbackv1.Report](t)(reports.GetReport(t.Context(), &feedbackv1.GetReportRequest{Report: "funnel", Definition: 2}))
	restated := 0
	for _, f := range again.GetTotal().GetFigures() {
		if strings.HasSuffix(f.GetName(), "_restated") && f.GetValue() > 0 {
			restated++
		}
	}
	if restated == 0 {
		t.Errorf("under another version nothing is re-stated: %v", again.GetTotal())
	}
}

// As small as it can be: whatever the figures, every question is asked and answered.
func TestReportsAreMeasured(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b := &bench{rounds: 1, length: 200 * time.Millisecond, leads: 100, progress: io.Discard}
	var out bytes.Buffer
	if err := b.run(t.Context(), &out, formatJSON, []string{"reports"}); err != nil {
		t.Fatal(err)
	}
	var found benchReport
	if err := json.Unmarshal(out.Bytes(), &found); err != nil || len(found.Measurements) != 1 {
		t.Fatal(err, out.String())
	}
	m := found.Measurements[0]
	want := []string{"plain", "folded", "size", "count", "week", "activity-week", "definition", "definition-again", "known", "known-again", "drill", "drill-worked", "export", "rebuild", "rebuild-looked", "rebuild-came"}
	for _, name := range report.ReportNames() {
		want = append(want, name, name+"-as-of")
	}
	for _, key := range want {
		if f := m.figure("SQLite-" + key); f == nil || f.Median <= 0 {
			t.Errorf("%s was not measured: %v", key, f)
		}
	}
	for _, pair := range [][2]string{{"folded", "plain"}, {"funnel", "count"}, {"rebuild", "count"}} {
		if f := m.figure("SQLite-" + pair[0]); f != nil && (f.Base != "SQLite-"+pair[1] || f.Ratio <= 0) {
			t.Errorf("%s has the ratio %v to %s", pair[0], f.Ratio, f.Base)
		}
	}
}
