package console

import (
	"strings"
	"testing"
	"time"
)

// Where a baseline is agreed, a report starts there, says so, and one click shows
// what came before.
func TestReportStartsAtTheBaseline(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	if page := s.get("/reports/funnel?by=source"); strings.Contains(page.words(t), "baseline") {
		t.Error("a page speaks of a baseline that nobody agreed on")
	}
	s.fixed.baseline = ago(60 * 24 * time.Hour)
	page := s.get("/reports/funnel?by=source")
	page.has(t, 200, "It starts on 2026-01-03 10:15:30 UTC , the baseline that both departments agreed on. Show earlier data as well", "since the baseline", "all time", "with data from before the baseline")
	if !strings.Contains(page.text, `<a href="/reports/funnel?by=source&amp;earlier=yes">Show earlier data as well</a>`) {
		t.Errorf("no click leads to earlier data:\n%s", page.text)
	}
	earlier := s.get("/reports/funnel?by=source&earlier=yes")
	if strings.Contains(earlier.words(t), "It starts on") || !strings.Contains(earlier.text, `earlier=yes" aria-current="true">all time`) {
		t.Errorf("earlier data:\n%s", earlier.text)
	}
	if asked := s.fixed.reports[len(s.fixed.reports)-1]; !asked.GetEarlier() {
		t.Errorf("the page asked %v", asked)
	}
	s.get("/").has(t, 200, "Since 2026-01-03", "since the agreed baseline")
}
