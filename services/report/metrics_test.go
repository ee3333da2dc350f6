package report

import (
	"context"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

func TestEveryColumnIsInTheCatalogue(t *testing.T) {
	byID := map[string]Metric{}
	for _, m := range Catalogue() {
		if _, twice := byID[m.ID]; twice {
			t.Errorf("%s is in the catalogue twice", m.ID)
		}
		byID[m.ID] = m
		if !slices.Contains(ReportNames(), m.Report) || m.ID != m.Report+"."+m.Name {
			t.Errorf("%s belongs to no report", m.ID)
		}
		if m.Formula == "" || m.Population == "" || (m.value == nil) == (m.measure.by == 0) {
			t.Errorf("%s has no formula or no population", m.ID)
		}
		if !slices.Contains([]string{ownerMarketing, ownerSales, ownerBoth}, m.Owner) {
			t.Errorf("%s has no owner: %q", m.ID, m.Owner)
		}
		if !slices.Contains([]string{unitLeads, unitDeliveries, unitSeconds, unitRatio, unitNumber, unitPeople, unitTurns, unitMoney, unitDays, unitRejections, unitDisputes, unitPhrases, unitVerticals, unitAnswers, unitRuns, unitSteps, unitAlarms, unitRides}, m.Unit) {
			t.Errorf("%s has no unit: %q", m.ID, m.Unit)
		}
	}
	s := openStore(t)
	st := &story{}
	st.received("l1", start, nil)
	st.received("l2", start, nil)
	st.say("l1", start, &leadv1.LeadNurtured{AgreementVersion: 1, Reason: "profile", Explanation: explained("too small")})
	st.say("l2", start, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Explanation: explained("fits")})
	st.offer("l2", start, "inside", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1")
	st.say("l2", start, &leadv1.OfferRejected{Member: "ana", Offer: 1, Reason: "no-budget", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, AgreementVersion: 1})
	st.say("l2", start, &leadv1.OfferAccepted{Member: "ana", Offer: 2})
	st.say("l2", start, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: 100, Currency: "EUR"})
	st.say("l2", start, &leadv1.DisputeOpened{DisputeId: "d1", Party: "sales", Claim: 1, Offer: 1, AgreementVersion: 1})
	st.say("l2", start, &leadv1.FeedbackGiven{Member: "ana", Phrases: []string{"too much paper"}})
	refill(t, s, st.events, 1)
	r := NewReports(s, st, fixedStatus{}, clock.NewVirtual(start))
	r.Under = byEmployees
	r.InForce = agreedRules(t)
	shown := 0
	for _, name := range ReportNames() {
		by := "source"
		if byPerson(name) {
			by = ""
		}
		version := int64(0)
		if name == reportFunnel {
			version = 1
		}
		ask, rows := &feedbackv1.GetReportRequest{Report: name, By: by, Definition: version}, 1
		switch name {
		case reportEffect: // of a launch that is to come: the weeks before it
			ask.By, ask.Campaign, ask.Launched, rows = "", "spring", timestamppb.New(start.AddDate(0, 0, 56)), effectWeeks
		case reportTraining: // nobody listened
			rows = 0
		case reportGrowth: // the quarter is not over
			ask.By, rows = "", 0
		}
		got, err := r.GetReport(context.Background(), ask)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.GetRows()) != rows {
			t.Fatalf("%s: %d rows; want %d", name, len(got.GetRows()), rows)
		}
		for _, row := range append(got.GetRows(), got.GetTotal()) {
			if len(row.GetFigures()) != len(got.GetColumns()) {
				t.Fatalf("%s: row %s has %d figures for %d columns", name, row.GetKey(), len(row.GetFigures()), len(got.GetColumns()))
			}
			for i, f := range row.GetFigures() {
				column := got.GetColumns()[i]
				m, ok := byID[name+"."+f.GetName()]
				if !ok || column.GetName() != f.GetName() || column.GetFormula() != m.Formula || column.GetUnit() != m.Unit {
					t.Errorf("%s: column %s is not in the catalogue as it is shown: %v", name, f.GetName(), column)
				}
			}
		}
		shown += len(got.GetColumns())
	}
	if shown != len(byID) {
		t.Errorf("the catalogue has %d figures, the reports show %d", len(byID), shown)
	}
}

// A lead that is offered twice to one person is two turns: what counts turns says so,
// and only what somebody is owed is in leads.
func TestFairnessCountsTurns(t *testing.T) {
	inLeads := []string{}
	turns := 0
	for _, m := range metricsOf(reportFairness) {
		switch m.Unit {
		case unitLeads:
			inLeads = append(inLeads, m.Name)
		case unitTurns:
			turns++
		}
	}
	if !slices.Equal(inLeads, []string{"credits", "adjustments"}) || turns != 9 {
		t.Errorf("in leads are %q, and %d figures are in turns", inLeads, turns)
	}
}

// TestFunnelKeys holds the names that scripts rely on.
func TestFunnelKeys(t *testing.T) {
	var got []string
	for _, m := range metricsOf(reportFunnel) {
		got = append(got, m.Name)
	}
	for _, want := range []string{
		"received", "refused", "duplicates", "mql", "sal", "sql", "offered", "accepted", "rejected", "won", "lost", "open",
		"mql_rate", "mql_rate_low", "mql_rate_high", "accept_rate", "accept_rate_low", "accept_rate_high", "sql_rate", "sql_rate_low", "sql_rate_high",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("the funnel has no %s; it has %q", want, got)
		}
	}
}

func TestWilson(t *testing.T) {
	for _, test := range []struct {
		k, n      int64
		low, high float64
	}{
		// Reference values of the score interval without continuity correction.
		{10, 100, 0.0552291, 0.1743657},
		{0, 10, 0, 0.2775328},
		{10, 10, 0.7224672, 1},
		{1, 2, 0.0945312, 0.9054688},
	} {
		low, high := wilson(test.k, test.n)
		if math.Abs(low-test.low) > 1e-6 || math.Abs(high-test.high) > 1e-6 {
			t.Errorf("%d of %d: %.7f to %.7f; want %.7f to %.7f", test.k, test.n, low, high, test.low, test.high)
		}
	}
}
