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

// The report on a campaign asks whose it is, and says which there are.
func TestEffectAsksForItsCampaign(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	page := s.get("/reports/effect")
	page.has(t, 200, "Choose a campaign", "autumn&fair")
	if strings.Contains(page.text, "none") {
		t.Errorf("no campaign is offered as one:\n%s", page.text)
	}
	for _, want := range []string{`href="/reports/effect?campaign=autumn%26fair"`, `<input name="campaign" value=""`, `<input name="launched" value=""`} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page has no %s:\n%s", want, page.text)
		}
	}
	if strings.Contains(page.text, `name="from"`) || strings.Contains(page.text, "<table") {
		t.Errorf("it asks for more than it can answer, or shows figures of no campaign:\n%s", page.text)
	}
	page = s.get("/reports/effect?campaign=autumn%26fair&launched=2026-03-02")
	if asked := s.fixed.reports[len(s.fixed.reports)-1]; asked.GetCampaign() != "autumn&fair" || asked.GetLaunched().AsTime().Format("2006-01-02T15:04:05") != "2026-03-02T00:00:00" {
		t.Errorf("asked %v", asked)
	}
	if !strings.Contains(page.text, `value="autumn&amp;fair"`) || !strings.Contains(page.text, `name="launched" value="2026-03-02"`) {
		t.Errorf("the question is not kept:\n%s", page.text)
	}
	s.get("/reports/effect?campaign=x&launched=soon").has(t, 400, "A time is written like")
}

// A formula names figures as the page does; an interval is said once.
func TestFormulasAreInThePagesWords(t *testing.T) {
	formulas := map[string]string{"followed_up": "", "never_touched": "", "mql_rate": ""}
	if got := inLabels("offered = followed_up + never_touched; mql_rate of not_a_figure", formulas); got != "offered = followed up + never touched; MQL rate of not_a_figure" {
		t.Errorf("got %q", got)
	}
	if got := interval("lower 95 % bound of a", "upper 95 % bound of a"); got != "lower and upper 95 % bound of a" {
		t.Errorf("got %q", got)
	}
	if got := interval("lower bound", "something else"); got != "lower bound; something else" {
		t.Errorf("got %q", got)
	}
}
