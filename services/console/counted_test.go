package console

import (
	"strings"
	"testing"
)

// A figure of a report leads to the leads that it counted, of its row, with the report's
// own question.
func TestFigureLeadsToItsLeads(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	page := s.get("/reports/funnel?by=source&from=2026-03-02")
	const link = `/reports/funnel/leads?by=source&amp;figure=received&amp;from=2026-03-02`
	if !strings.Contains(page.text, `<a href="`+link+`">`) {
		t.Errorf("the total leads nowhere:\n%s", page.text)
	}
	page = s.get("/reports/funnel?by=source")
	if !strings.Contains(page.text, `<a href="/reports/funnel/leads?by=source&amp;figure=received&amp;key=web">`) {
		t.Errorf("a row leads nowhere:\n%s", page.text)
	}
	if strings.Contains(page.text, "figure=mql_rate") {
		t.Error("what is not made of single leads leads somewhere")
	}
	list := s.get("/reports/funnel/leads?by=source&figure=received&key=web&from=2026-03-02&horizon=14")
	list.has(t, 200, "Funnel: Received", "of source web", "accepted", "ana", "nobody", "More")
	for _, want := range []string{
		`href="/leads/` + acceptedLead + `"`, `href="/reports/funnel?by=source&amp;from=2026-03-02&amp;horizon=14"`,
		`href="/reports/funnel/leads?by=source&amp;figure=received&amp;from=2026-03-02&amp;horizon=14&amp;key=web&amp;page=` + waitingLead + `"`,
	} {
		if !strings.Contains(list.text, want) {
			t.Errorf("the list has no %s:\n%s", want, list.text)
		}
	}
	asked := s.fixed.counted[0]
	if asked.GetReport() != "funnel" || asked.GetName() != "received" || asked.GetKey() != "web" || asked.GetQuestion().GetBy() != "source" || asked.GetQuestion().GetHorizonDays() != 14 {
		t.Errorf("asked %v", asked)
	}
	s.get("/reports/other/leads?figure=won").has(t, 404)
}

// A report is split by what it says that it can be split by.
func TestReportsOfferTheirOwnSplits(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	if page := s.get("/reports/scoreboard"); !strings.Contains(page.text, `<option value="own-of-scoreboard"`) {
		t.Errorf("the page does not offer the report's own split:\n%s", page.text)
	}
}
