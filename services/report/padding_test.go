package report

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// History implements what evidence is read from.
func (st *story) History(_ context.Context, subject string) (out []*ledger.Event, err error) {
	for _, e := range st.events {
		if e.Subject == subject {
			out = append(out, e)
		}
	}
	return out, nil
}

// spring is the quarter in which the leads of these tests become MQL.
var spring = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

// made is a lead that becomes an MQL.
type made struct {
	id, source, person string
	at, recorded       time.Time
	employees          int64
	points, needed     int64
}

func (st *story) made(m made) {
	if m.recorded.IsZero() {
		m.recorded = m.at
	}
	st.received(m.id, m.at.Add(-time.Hour), func(b *leadv1.LeadReceived) {
		b.Source, b.Features.Employees = m.source, m.employees
	})
	if m.person != "" {
		st.say(m.id, m.at.Add(-time.Hour), &leadv1.PersonAttached{PersonId: m.person, MatchedBy: "new"})
	}
	st.say(m.id, m.at, &leadv1.LeadQualified{
		Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Explanation: &leadv1.Explanation{Summary: "fits", Points: m.points, PointsNeeded: m.needed},
	}).Recorded = m.recorded
}

// evenly makes n honest MQL of a source over a quarter, with points of all kinds.
func (st *story) evenly(source string, from time.Time, n int) {
	for i := range n {
		st.made(made{
			id: fmt.Sprintf("%s-%s-%d", source, from.Format("0601"), i), source: source, person: fmt.Sprintf("p-%s-%s-%d", source, from.Format("0601"), i), employees: 50,
			at: from.Add(time.Duration(i)*90*24*time.Hour/time.Duration(n) + 2*time.Hour), points: 100 + int64(i%10)*7, needed: 100,
		})
	}
}

func paddingOf(t fataler, s *Store, st *story) *Reports {
	refill(t, s, st.events, 200)
	r := NewReports(s, st, fixedStatus{}, clock.NewVirtual(spring.AddDate(1, 0, 0)))
	r.Under, r.History = byEmployees, st.History
	return r
}

// marked are the leads that each check marks.
func marked(t fataler, r *Reports) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, name := range []string{"repeated", "failing", "late", "other_quarter", "redated", "burst", "hugging", "flagged"} {
		got, err := r.Evidence(context.Background(), &feedbackv1.OpenEvidenceRequest{Question: &feedbackv1.GetReportRequest{Report: reportPadding}, Name: name, PageSize: 200})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range got.GetLeads() {
			out[name] = append(out[name], l.GetLeadId())
		}
	}
	return out
}

// TestPaddingIsMarked plays each trick in a log that is honest otherwise: each is marked,
// by its own check.
func TestPaddingIsMarked(t *testing.T) {
	s := openStore(t)
	honest := func() *story {
		st := &story{}
		st.evenly("web", spring, 40)
		st.evenly("fair", spring, 40)
		return st
	}
	day := 24 * time.Hour
	for name, trick := range map[string]struct {
		play func(*story)
		want map[string]int
	}{
		"nothing": {func(*story) {}, nil},
		"one person twice": {func(st *story) {
			st.made(made{id: "a", source: "web", person: "p1", at: spring.Add(20 * day), employees: 9})
			st.made(made{id: "b", source: "fair", person: "p1", at: spring.Add(30 * day), employees: 9})
			st.made(made{id: "c", source: "fair", person: "p1", at: spring.Add(120 * day), employees: 9}) // of the next quarter
		}, map[string]int{"repeated": 1}},
		"no MQL by the definition": {func(st *story) {
			st.made(made{id: "a", source: "web", at: spring.Add(20 * day)})
		}, map[string]int{"failing": 1}},
		"long before": {func(st *story) {
			st.made(made{id: "a", source: "web", at: spring.Add(20 * day), recorded: spring.Add(21*day + time.Second), employees: 9})
			st.made(made{id: "b", source: "web", at: spring.Add(22 * day), recorded: spring.Add(23 * day), employees: 9}) // just in time
		}, map[string]int{"late": 1, "redated": 1}},
		"into the quarter before": {func(st *story) {
			st.made(made{id: "a", source: "web", at: spring.Add(91*day - 2*time.Hour), recorded: spring.Add(91*day + 2*time.Hour), employees: 9})
		}, map[string]int{"other_quarter": 1, "redated": 1}},
		"all at the end": {func(st *story) {
			for i := range 40 {
				st.made(made{id: fmt.Sprintf("end-%d", i), source: "web", at: spring.Add(88*day + time.Duration(i)*time.Hour), employees: 9})
			}
		}, map[string]int{"burst": 50}}, // with the 10 honest ones of these days
		"by a hair": {func(st *story) {
			for i := range 20 {
				st.made(made{id: fmt.Sprintf("hair-%d", i), source: "bought", at: spring.Add(time.Duration(1+4*i) * day), employees: 9, points: 100 + int64(i%6), needed: 100})
			}
		}, map[string]int{"hugging": 20}},
	} {
		t.Run(name, func(t *testing.T) {
			st := honest()
			trick.play(st)
			r := paddingOf(t, s, st)
			got := marked(t, r)
			all := got["flagged"]
			delete(got, "flagged")
			most := 0
			for check, leads := range got {
				if len(leads) != trick.want[check] {
					t.Errorf("%s marks %d: %q; want %d", check, len(leads), leads, trick.want[check])
				}
			}
			for check, n := range trick.want {
				if most = max(most, n); len(got[check]) == 0 {
					t.Errorf("%s marks nothing", check)
				}
			}
			if len(all) != most {
				t.Errorf("%d are marked in all; want %d", len(all), most)
			}
		})
	}
}

// TestHonestLogsHaveNoMarks draws honest logs: different people, decided at once and by
// the definition, over whole quarters, of sources that are alike.
func TestHonestLogsHaveNoMarks(t *testing.T) {
	s := openStore(t)
	rapid.Check(t, func(rt *rapid.T) {
		st := &story{}
		for i := range rapid.IntRange(1, 3).Draw(rt, "quarters") {
			for _, source := range rapid.SampledFrom([][]string{{"web"}, {"web", "fair"}, {"web", "fair", "mail"}}).Draw(rt, "sources") {
				from := spring.AddDate(0, 3*i, 0)
				st.evenly(source, from, rapid.IntRange(0, 60).Draw(rt, "leads"))
			}
		}
		slices.SortStableFunc(st.events, func(a, b *ledger.Event) int { return a.Recorded.Compare(b.Recorded) })
		for i, e := range st.events {
			e.Seq = uint64(i + 1)
		}
		for check, leads := range marked(rt, paddingOf(rt, s, st)) {
			rt.Fatalf("%s marks %q of an honest log", check, leads)
		}
	})
}

// TestPaddingFalseAlarms holds the level that the report states: MQL whose times and
// points are chance are marked in at most so many logs.
func TestPaddingFalseAlarms(t *testing.T) {
	const logs = 3000
	random := rand.New(rand.NewPCG(7, 49))
	year := agreement.Year{Starts: time.January, Zone: time.UTC}
	found := 0
	for range logs {
		all := map[string]*mql{}
		for i := range 20 + random.IntN(200) {
			m := &mql{lead: fmt.Sprint(i), occurred: spring.Add(time.Duration(random.Int64N(int64(182 * 24 * time.Hour)))), source: []string{"a", "b", "c"}[random.IntN(3)], version: 1, needed: 60, points: 60 + random.Int64N(40)}
			m.recorded = m.occurred
			all[m.lead] = m
		}
		p := checkPadding(all, nil, year, false, spring.AddDate(1, 0, 0))
		if len(p.burst)+len(p.hugging) > 0 {
			found++
		}
	}
	if found > logs*paddingAlarms*2 {
		t.Errorf("%d of %d logs of chance are marked; the report states 1 %%", found, logs)
	}
}

// TestFirstQuarterBeginsWithItsFirstMQL: nobody knows what was before the log began. What
// comes at the end of the quarter is held against the part of it that is known.
func TestFirstQuarterBeginsWithItsFirstMQL(t *testing.T) {
	all := map[string]*mql{}
	day := 24 * time.Hour
	for i := range 44 {
		m := &mql{lead: fmt.Sprint(i), occurred: spring.Add(31*day + time.Duration(i)*day)}
		if i >= 26 { // 18 in the last 14 days: 7 of a whole quarter, and 10 of 60 days
			m.occurred = spring.Add(78*day + time.Duration(i-26)*12*time.Hour)
		}
		m.recorded = m.occurred
		all[m.lead] = m
	}
	year := agreement.Year{Starts: time.January, Zone: time.UTC}
	if p := checkPadding(all, nil, year, false, spring.AddDate(1, 0, 0)); len(p.burst) != 0 {
		t.Errorf("%d marked of a quarter of which two months are known", len(p.burst))
	}
	all["before"] = &mql{lead: "before", occurred: spring.Add(-day), recorded: spring.Add(-day)}
	if p := checkPadding(all, nil, year, false, spring.AddDate(1, 0, 0)); len(p.burst) != 18 {
		t.Errorf("%d marked of a whole quarter; want the last 18", len(p.burst))
	}
}

// TestEvidenceNamesItsEvents reads what is behind a mark: the events of the lead, and that
// by which its person was counted before. Nobody lists the leads any other way.
func TestEvidenceNamesItsEvents(t *testing.T) {
	st := &story{}
	st.made(made{id: "a", source: "web", person: "p1", at: spring.Add(time.Hour), employees: 9})
	st.made(made{id: "b", source: "fair", person: "p2", at: spring.Add(48 * time.Hour), employees: 9})
	st.say("b", spring.Add(49*time.Hour), &leadv1.LeadNurtured{AgreementVersion: 1, Reason: "call", Explanation: explained("later")})
	r := paddingOf(t, openStore(t), st)
	r.Current = func(string) string { return "p1" } // both are one since
	got, err := r.Evidence(context.Background(), &feedbackv1.OpenEvidenceRequest{Question: &feedbackv1.GetReportRequest{Report: reportPadding}, Name: "repeated"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetLeads()) != 1 {
		t.Fatalf("%v; want the second lead", got)
	}
	l := got.GetLeads()[0]
	var of []uint64
	for _, e := range l.GetEvents() {
		of = append(of, e.GetSequence())
	}
	if l.GetLeadId() != "b" || l.GetPersonId() != "p1" || !slices.Equal(l.GetFindings(), []string{"repeated"}) || !slices.Equal(of, []uint64{3, 4, 5, 6}) {
		t.Errorf("%v rests on %v", l, of)
	}
	if _, err := r.ListReportLeads(context.Background(), &feedbackv1.ListReportLeadsRequest{Report: reportPadding, Name: "repeated"}); !fault.Is(err, fault.Denied) {
		t.Errorf("anybody lists the leads behind a mark: %v", err)
	}
	if _, err := r.Evidence(context.Background(), &feedbackv1.OpenEvidenceRequest{Question: &feedbackv1.GetReportRequest{Report: reportFunnel}, Name: "won"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("the funnel has evidence of its own: %v", err)
	}
}

// TestPaddingOfAPeriod limits what is shown, and not what the tests look at.
func TestPaddingOfAPeriod(t *testing.T) {
	st := &story{}
	st.made(made{id: "a", source: "web", person: "p1", at: spring.Add(time.Hour), employees: 9})
	st.made(made{id: "b", source: "fair", person: "p1", at: spring.Add(48 * time.Hour), employees: 9})
	r := paddingOf(t, openStore(t), st)
	got, err := r.GetReport(context.Background(), &feedbackv1.GetReportRequest{Report: reportPadding, Frame: frameActivity, From: timestamppb.New(spring.Add(24 * time.Hour)), Where: []string{"source=fair"}})
	if err != nil {
		t.Fatal(err)
	}
	if mql, repeated := figure(got.GetTotal(), "mql").GetValue(), figure(got.GetTotal(), "repeated").GetValue(); mql != 1 || repeated != 1 {
		t.Errorf("%v MQL, %v of them repeated; want the second of one person", mql, repeated)
	}
	if len(got.GetRemarks()) != 1 || !strings.Contains(got.GetRemarks()[0], "1 of 1 MQL") {
		t.Errorf("remarks %q", got.GetRemarks())
	}
}
