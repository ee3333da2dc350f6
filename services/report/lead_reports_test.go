package report

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

const day = 24 * time.Hour

func (st *story) outcome(id string, at time.Time, kind leadv1.OutcomeKind, minor int64, currency string) {
	st.say(id, at, &leadv1.OutcomeRecorded{Kind: kind, Member: "ana", Reason: "price", ValueMinor: minor, Currency: currency})
}

func (st *story) touch(id string, at time.Time) {
	st.outcome(id, at, leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, 0, "")
}

func (st *story) won(id string, at time.Time, minor int64, currency string) {
	st.outcome(id, at, leadv1.OutcomeKind_OUTCOME_KIND_WON, minor, currency)
}

func (st *story) lost(id string, at time.Time) {
	st.outcome(id, at, leadv1.OutcomeKind_OUTCOME_KIND_LOST, 0, "")
}

func (st *story) qualified(id string, at time.Time, stage leadv1.Stage, version int64) {
	st.say(id, at, &leadv1.LeadQualified{Stage: stage, AgreementVersion: version, Purpose: "new-business", Explanation: explained("fits")})
}

func (st *story) offered(id string, at time.Time) {
	st.offer(id, at, "inside", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1")
}

func asked(t *testing.T, s *Store, req *feedbackv1.GetReportRequest, now time.Time) *feedbackv1.Report {
	t.Helper()
	q, err := question(req, now)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Report(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// holds compares the figures that are named with those of a row; NaN = unknown.
func holds(t *testing.T, where string, row *feedbackv1.ReportRow, want map[string]float64) {
	t.Helper()
	for name, v := range want { // any order: each by itself
		f := figure(row, name)
		switch {
		case f == nil:
			t.Errorf("%s: there is no figure %s", where, name)
		case math.IsNaN(v) != f.GetUnknown(), !f.GetUnknown() && math.Abs(f.GetValue()-v) > 1e-9*max(1, math.Abs(v)):
			t.Errorf("%s: %s is %v; want %v", where, name, f, v)
		}
	}
}

func rowNamed(t *testing.T, r *feedbackv1.Report, key string) *feedbackv1.ReportRow {
	t.Helper()
	for _, row := range r.GetRows() {
		if row.GetKey() == key {
			return row
		}
	}
	t.Fatalf("%s: there is no row %q", r.GetReport(), key)
	return nil
}

// publishedAnswers lays down a hundred leads that were answered as companies of the
// study were: 37 within an hour, 16 within a day, 24 later, 23 never, in 42 hours on
// average.
func publishedAnswers(t *testing.T, s *Store) {
	st := &story{}
	lay := func(many int, took time.Duration) {
		for range many {
			id := fmt.Sprintf("l%d", len(st.events))
			st.received(id, start, nil)
			st.offered(id, start)
			if took > 0 {
				st.touch(id, start.Add(took))
			}
		}
	}
	lay(37, 30*time.Minute)
	lay(16, 10*time.Hour)
	lay(24, 127*time.Hour+18*time.Minute+45*time.Second)
	lay(23, 0)
	st.received("elsewhere", start.Add(-40*day), nil)
	refill(t, s, st.events, 50)
	s.Working = func(pool string, from, to time.Time) (time.Duration, bool) {
		if pool != "inside" || !from.Equal(start) {
			t.Errorf("working time from %v in %q; the leads came at %v to inside", from, pool, start)
		}
		// Ten-hour answers are of those whose pool has no calendar.
		return to.Sub(from) / 4, to.Sub(from) != 10*time.Hour
	}
	defer func() { s.Working = nil }()
	req := &feedbackv1.GetReportRequest{Report: reportResponse, From: timestamppb.New(start)}
	r := asked(t, s, req, start.Add(30*day))
	holds(t, "response", r.GetTotal(), map[string]float64{
		"leads": 100, "up_to_1h_share": 0.37, "from_1h_to_24h_share": 0.16, "over_24h_share": 0.24, "never_share": 0.23, "open": 0,
		"mean_seconds": 42 * 3600, "work_median_seconds": 450, "work_p90_seconds": (127*3600 + 18*60 + 45) / 4.0,
		"work_mean_seconds": (37*1800 + 24*(127*3600+18*60+45)) / 61.0 / 4,
	})
	var lines []string
	for _, b := range r.GetBenchmarks() {
		lines = append(lines, b.GetName())
		if f := figure(r.GetTotal(), b.GetName()); f == nil || math.Abs(f.GetValue()-b.GetValue()) > 1e-9*f.GetValue() || b.GetSource() == "" {
			t.Errorf("published is %v; reported %v", b, f)
		}
	}
	if want := []string{"over_24h_share", "never_share", "mean_seconds"}; !slices.Equal(lines, want) {
		t.Errorf("published lines for %q; want %q", lines, want)
	}
	s.Working = nil
	holds(t, "without calendars", asked(t, s, req, start.Add(30*day)).GetTotal(), map[string]float64{"mean_seconds": 42 * 3600, "work_mean_seconds": math.NaN(), "work_p90_seconds": math.NaN()})
}

func qualityReports(t *testing.T, s *Store) {
	st := &story{}
	lay := func(id, source, industry string, at time.Time) {
		st.received(id, at, func(b *leadv1.LeadReceived) { b.Source, b.Features.Industry = source, industry })
	}
	lay("w1", "web", "retail", start)
	lay("w2", "web", "medical", start)
	lay("w3", "web", "medical", start.Add(100*day))
	lay("f1", "fair", "retail", start)
	for _, id := range []string{"w1", "w2", "w3"} {
		st.qualified(id, start.Add(100*day), leadv1.Stage_STAGE_MQL, 1)
		st.offered(id, start.Add(100*day))
	}
	st.say("w1", start.Add(101*day), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	st.qualified("w1", start.Add(102*day), leadv1.Stage_STAGE_SQL, 1)
	for i, ease := range []int32{1, 4, 0} {
		// What is said last counts; who says nothing of it changes nothing.
		st.say("w1", start.Add(time.Duration(103+i)*day), &leadv1.FeedbackGiven{Member: "ana", Ease: ease})
	}
	st.say("w2", start.Add(103*day), &leadv1.FeedbackGiven{Member: "ana", Ease: 2})
	st.say("w3", start.Add(103*day), &leadv1.FeedbackGiven{Member: "ana", Ease: 5})
	st.won("w2", start.Add(110*day), 100, "EUR")
	st.lost("w3", start.Add(110*day))
	refill(t, s, st.events, 5)
	now := start.Add(120 * day)
	r := asked(t, s, &feedbackv1.GetReportRequest{Report: reportQuality}, now)
	holds(t, "web", rowNamed(t, r, "web"), map[string]float64{"received": 3, "mql": 3, "offered": 3, "accepted": 1, "sql": 1, "accept_rate": 1.0 / 3, "sql_rate": 1.0 / 3})
	holds(t, "fair", rowNamed(t, r, "fair"), map[string]float64{"received": 1, "mql": 0, "accept_rate": math.NaN(), "sql_rate": math.NaN()})
	if got := rowNamed(t, r, "web").GetCases(); got != 3 {
		t.Errorf("the row web rests on %d cases; want 3", got)
	}
	r = asked(t, s, &feedbackv1.GetReportRequest{Report: reportQuality, By: "quarter", Where: []string{"source=web"}}, now)
	holds(t, "first quarter", r.GetRows()[0], map[string]float64{"received": 2, "accept_rate": 0.5, "sql_rate": 0.5})
	holds(t, "second quarter", r.GetRows()[1], map[string]float64{"received": 1, "accept_rate": 0, "sql_rate": 0})
	r = asked(t, s, &feedbackv1.GetReportRequest{Report: reportSegments}, now)
	holds(t, "medical", rowNamed(t, r, "medical"), map[string]float64{"received": 2, "won": 1, "lost": 1, "win_rate": 0.5, "rated": 2, "ease": 3.5})
	holds(t, "retail", rowNamed(t, r, "retail"), map[string]float64{"received": 2, "accept_rate": 1, "win_rate": math.NaN(), "rated": 1, "ease": 4})
	r = asked(t, s, &feedbackv1.GetReportRequest{Report: reportSegments, AsOf: timestamppb.New(start.Add(103 * day))}, now)
	holds(t, "retail, earlier", rowNamed(t, r, "retail"), map[string]float64{"ease": 1})
	r = asked(t, s, &feedbackv1.GetReportRequest{Report: reportPurpose}, now)
	holds(t, "new business", rowNamed(t, r, "new-business"), map[string]float64{"received": 3, "mql": 3, "sql": 1, "won": 1, "value": 1})
	holds(t, "no purpose", rowNamed(t, r, noneKey), map[string]float64{"received": 1, "mql": 0, "value": 0})
}

func scoreboardAddsUp(t *testing.T, s *Store) {
	st := &story{}
	for i, take := range []struct {
		touched  time.Duration
		rejected bool
	}{{time.Hour, false}, {time.Hour, true}, {0, true}, {0, false}, {31 * day, false}} {
		id := fmt.Sprintf("l%d", i)
		st.received(id, start, nil)
		st.offered(id, start)
		if take.rejected {
			st.say(id, start.Add(time.Hour), &leadv1.OfferRejected{Member: "ana", Offer: 1, Reason: "no-budget", AgreementVersion: 1, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON})
		}
		if take.touched > 0 {
			st.touch(id, start.Add(take.touched))
		}
	}
	for i, id := range []string{"l0", "l3"} { // touched, and not
		st.say(id, start.Add(time.Duration(2+i)*time.Hour), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	}
	st.received("late", start.Add(35*day), nil)
	st.offered("late", start.Add(35*day))
	st.received("alone", start, nil) // never offered: no part of it
	refill(t, s, st.events, 5)
	r := asked(t, s, &feedbackv1.GetReportRequest{Report: reportScoreboard}, start.Add(40*day))
	want := map[string]float64{
		"offered": 6, "followed_up": 2, "never_touched": 3, "open": 1, "accepted_untouched": 1, "rejected": 2, "rejected_untouched": 1, "follow_up_rate": 2.0 / 6, "reject_rate": 2.0 / 6,
	}
	holds(t, "total", r.GetTotal(), want)
	holds(t, "web", rowNamed(t, r, "web"), want)
	r2 := asked(t, s, &feedbackv1.GetReportRequest{Report: reportScoreboard, Where: []string{"source=wbe"}}, start.Add(40*day))
	if got := r2.GetRemarks(); len(got) == 0 || got[len(got)-1] != `No lead is of source "wbe"; there are web.` {
		t.Errorf("of a source that is misspelt it is remarked %q", got)
	}
	if r.GetRemarks() != nil {
		t.Errorf("of what is there it is remarked %q", r.GetRemarks())
	}
	if r.GetTotal().GetCases() != 6 || r.GetEventSet() == "" {
		t.Errorf("%d cases of the events %q; want 6 of those named", r.GetTotal().GetCases(), r.GetEventSet())
	}
}

func leaks(t *testing.T, s *Store) {
	st := &story{}
	lay := func(id string, told bool) {
		st.received(id, start, nil)
		st.qualified(id, start, leadv1.Stage_STAGE_MQL, 1)
		st.offered(id, start)
		if told {
			st.say(id, start, &leadv1.NoticeSent{Delivered: true})
		}
	}
	lay("taken", true)
	st.say("taken", start.Add(time.Hour), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	lay("declined", true)
	st.say("declined", start.Add(time.Hour), &leadv1.OfferRejected{Member: "ana", Offer: 1, Reason: "no-budget", AgreementVersion: 1, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON})
	lay("told", true)
	lay("untold", false)
	lay("late", true)
	st.say("late", start.Add(35*day), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	st.received("unqualified", start, nil)
	st.offered("unqualified", start)
	refill(t, s, st.events, 5)
	now := start.Add(40 * day)
	for _, test := range []struct {
		name string
		req  *feedbackv1.GetReportRequest
		want map[string]float64
	}{
		{"now", &feedbackv1.GetReportRequest{}, map[string]float64{"qualified": 5, "offered": 5, "told": 4, "accepted": 2, "leaked": 2, "leaked_told": 1, "leaked_untold": 1, "leak_rate": 0.4}},
		{"before the late one was taken", &feedbackv1.GetReportRequest{AsOf: timestamppb.New(start.Add(31 * day))}, map[string]float64{"accepted": 1, "leaked": 3, "leaked_told": 2, "leak_rate": 0.6}},
		{"before any horizon was over", &feedbackv1.GetReportRequest{AsOf: timestamppb.New(start.Add(29 * day))}, map[string]float64{"leaked": 0, "leak_rate": 0}},
		{"a longer horizon", &feedbackv1.GetReportRequest{HorizonDays: 60}, map[string]float64{"leaked": 0}},
		{"what leaked in a time", &feedbackv1.GetReportRequest{Frame: frameActivity, From: timestamppb.New(start.Add(29 * day)), To: timestamppb.New(start.Add(31 * day))}, map[string]float64{"qualified": 0, "leaked": 2}},
		{"what leaked later", &feedbackv1.GetReportRequest{Frame: frameActivity, From: timestamppb.New(start.Add(31 * day))}, map[string]float64{"leaked": 0}},
	} {
		test.req.Report = reportLeak
		holds(t, test.name, asked(t, s, test.req, now).GetTotal(), test.want)
	}
	q, err := question(&feedbackv1.GetReportRequest{Report: reportLeak}, now)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.counted(context.Background(), q, "leaked", "inside", 10, "")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, l := range list.GetLeads() {
		ids = append(ids, l.GetLeadId())
	}
	if diff := cmp.Diff([]string{"told", "untold"}, ids); diff != "" {
		t.Errorf("leaked leads:\n%s", diff)
	}
}

// conversionKeepsVersions holds that a lead counts for the version that qualified it
// first, and that leads of a later one change nothing about an earlier.
func conversionKeepsVersions(t *testing.T, s *Store) {
	st := &story{}
	lay := func(id string, at time.Time, version int64) {
		st.received(id, at, nil)
		st.qualified(id, at, leadv1.Stage_STAGE_MQL, version)
	}
	for _, id := range []string{"a1", "a2", "a3", "a4"} {
		lay(id, start, 1)
	}
	st.received("unqualified", start, nil)
	first := map[string]float64{"mql": 4, "sal": 3, "sql": 2, "won": 1, "mql_to_sal": 0.75, "sal_to_sql": 2.0 / 3, "sql_to_won": 0.5, "mql_to_sql": 0.5, "mql_to_won": 0.25}
	// The second version goes on with leads of the first.
	st.qualified("a1", start.Add(day), leadv1.Stage_STAGE_SQL, 2)
	st.qualified("a2", start.Add(day), leadv1.Stage_STAGE_SQL, 2)
	st.qualified("a3", start.Add(day), leadv1.Stage_STAGE_SAL, 2)
	st.won("a1", start.Add(2*day), 100, "EUR")
	now := start.Add(10 * day)
	for _, later := range []bool{false, true} {
		if later {
			for i := range 5 {
				id := fmt.Sprintf("b%d", i)
				lay(id, start.Add(3*day), 2)
				st.won(id, start.Add(4*day), 100, "EUR")
			}
		}
		refill(t, s, st.events, 5)
		r := asked(t, s, &feedbackv1.GetReportRequest{Report: reportConversion}, now)
		holds(t, "version 1", rowNamed(t, r, "1"), first)
		holds(t, "version 1 alone", asked(t, s, &feedbackv1.GetReportRequest{Report: reportConversion, Where: []string{"definition=1"}}, now).GetTotal(), first)
		rows := 1
		if later {
			rows = 2
			holds(t, "version 2", rowNamed(t, r, "2"), map[string]float64{"mql": 5, "sal": 0, "won": 5, "mql_to_won": 1, "sal_to_sql": math.NaN()})
			holds(t, "both", r.GetTotal(), map[string]float64{"mql": 9, "won": 6})
		}
		if len(r.GetRows()) != rows {
			t.Errorf("%d versions; want %d: %v", len(r.GetRows()), rows, r.GetRows())
		}
	}
}

func cyclesAndValues(t *testing.T, s *Store) {
	st := &story{}
	for i := range 11 {
		id := fmt.Sprintf("w%02d", i)
		st.received(id, start, func(b *leadv1.LeadReceived) { b.Source = []string{"web", "fair"}[i%2] })
		st.won(id, start.Add(time.Duration(i+1)*day), int64(i)*1001, "EUR")
	}
	for i := range 2 {
		id := fmt.Sprintf("l%d", i)
		st.received(id, start, nil)
		st.lost(id, start.Add(time.Duration(i+1)*12*time.Hour))
	}
	// Known before it was received, and still open.
	st.received("before", start.Add(day), nil)
	st.lost("before", start)
	st.received("open", start, nil)
	// Lost, and found to be spam later: by then it was lost.
	st.received("spam", start, nil)
	st.lost("spam", start.Add(2*day))
	st.say("spam", start.Add(20*day), &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: "honeypot"})
	refill(t, s, st.events, 5)
	now := start.Add(100 * day)
	r := asked(t, s, &feedbackv1.GetReportRequest{Report: reportCycle}, now)
	holds(t, "cycle", r.GetTotal(), map[string]float64{
		"won": 11, "won_mean_days": 6, "won_median_days": 6, "won_p90_days": 10, "lost": 3, "lost_mean_days": 0.5, "lost_median_days": 0.5, "lost_p90_days": 1,
	})
	r = asked(t, s, &feedbackv1.GetReportRequest{Report: reportCycle, AsOf: timestamppb.New(start.Add(3 * day))}, now)
	holds(t, "cycle after three days", r.GetTotal(), map[string]float64{"won": 3, "won_mean_days": 2, "lost": 4, "lost_p90_days": 2})
	value := func(currency string, req *feedbackv1.GetReportRequest, want map[string]float64) *feedbackv1.Report {
		t.Helper()
		req.Report = reportValue
		r := asked(t, s, req, now)
		holds(t, "value "+currency, r.GetTotal(), want)
		if r.GetCurrency() != currency {
			t.Errorf("the currency is %q; want %q", r.GetCurrency(), currency)
		}
		return r
	}
	r = value("EUR", &feedbackv1.GetReportRequest{By: "source"}, map[string]float64{"won": 11, "lost": 3, "win_rate": 11.0 / 14, "value": 550.55, "mean_value": 50.05})
	holds(t, "value of web", rowNamed(t, r, "web"), map[string]float64{"won": 6, "value": 300.3})
	holds(t, "value of fair", rowNamed(t, r, "fair"), map[string]float64{"won": 5, "value": 250.25})
	q, err := question(&feedbackv1.GetReportRequest{Report: reportValue, By: "source"}, now)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.counted(context.Background(), q, "value", "fair", 20, "")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, l := range list.GetLeads() {
		sum += l.GetValue()
	}
	if len(list.GetLeads()) != 5 || math.Abs(sum-250.25) > 1e-9 {
		t.Errorf("%d leads of %v in all; want 5 of 250.25", len(list.GetLeads()), sum)
	}
	// Yen have no minor unit; two currencies are not added up.
	st.received("yen", start.Add(50*day), nil)
	st.won("yen", start.Add(51*day), 700, "JPY")
	refill(t, s, st.events, 5)
	value("JPY", &feedbackv1.GetReportRequest{From: timestamppb.New(start.Add(49 * day))}, map[string]float64{"value": 700, "mean_value": 700})
	value("", &feedbackv1.GetReportRequest{}, map[string]float64{"won": 12, "value": math.NaN(), "mean_value": math.NaN()})
	if _, err := s.counted(context.Background(), Question{Report: reportValue, AsOf: now, Horizon: day, Frame: frameCohort}, "value", "", 20, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("a list of two currencies: %v; want that they are not added up", err)
	}
}
