package report

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

func TestStoreOnSQLite(t *testing.T) { suite(t, openStore) }

// suite is what the read model promises, whatever database keeps it.
func suite(t *testing.T, open func(testing.TB) *Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *Store)
	}{
		{"a batch equals its events one by one", batchesEqualSingles},
		{"the rows hold what lead.State folds", rowsHoldTheState},
		{"repeated batches change nothing", repeatsChangeNothing},
		{"other subjects move the position alone", othersMoveThePosition},
		{"another log empties the tables", anotherLog},
		{"a failed batch leaves no trace", failedBatch},
		{"somebody else's fold is noticed", somebodyElse},
		{"reports equal a recount of the replayed log", reportsEqualARecount},
		{"what a figure lists are the leads of a recount", listsAreTheRecounts},
		{"the order of leads among each other is nothing", orderOfLeadsIsNothing},
		{"definitions equal a direct count", definitionsEqualACount},
		{"a change of the agreement is compared", changeIsCompared},
		{"answer times come out as laid down", answerTimes},
		{"the published answer times come out", publishedAnswers},
		{"quality and segments as laid down", qualityReports},
		{"the scoreboard adds up", scoreboardAddsUp},
		{"what nobody answers leaks", leaks},
		{"versions keep their leads", conversionKeepsVersions},
		{"cycles and values as laid down", cyclesAndValues},
		{"who was there is what the decision says", thereByDecision},
		{"second chances as laid down", secondChances},
		{"a misspelt value is said", misspelt},
		{"a list names who did it", listsNameWho},
		{"answers are open, filled, missing and late as laid down", answersAsLaidDown},
		{"an empty read model has reports", emptyReports},
		{"lists come in pages", pages},
		{"nobody with marketing is forgotten", nobodyForgotten},
		{"views are readable", views},
		{"views are exported", viewsExport},
		{"stages are re-stated under a version", restates},
		{"it is rebuilt beside itself", rebuilds},
		{"an export is of one state", exportIsOneState},
		{"a moved lead is with whom it was moved to", movedLeads},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func batchesEqualSingles(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, len(st.events))
		whole := dumpAll(rt, s)
		if err := s.Reset(context.Background(), "log"); err != nil {
			rt.Fatal(err)
		}
		for _, e := range st.events {
			s.forget()
			if err := s.Apply(context.Background(), []*ledger.Event{e}); err != nil {
				rt.Fatal(err)
			}
		}
		if diff := cmp.Diff(whole, dumpAll(rt, s)); diff != "" {
			rt.Fatalf("one batch (-) and one event after the other from the rows alone (+):\n%s", diff)
		}
	})
}

func rowsHoldTheState(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 7)
		page, err := s.list(context.Background(), &leadv1.ListLeadsRequest{PageSize: 500})
		if err != nil {
			rt.Fatal(err)
		}
		var want []*leadv1.Lead
		for _, id := range st.leads() {
			var last uint64
			for _, e := range st.events {
				if e.Subject == lead.SubjectOf(id) {
					last = e.Seq
				}
			}
			l := leadOf(st.lead(id, far), last)
			l.Explanation, l.RoutingSummary, l.Considered = nil, "", nil
			want = append(want, l)
		}
		sorted := protocmp.SortRepeated(func(a, b *leadv1.Lead) bool { return a.GetLeadId() < b.GetLeadId() })
		if diff := cmp.Diff(want, page.GetLeads(), protocmp.Transform(), sorted,
			cmp.Transformer("sort", func(ls []*leadv1.Lead) map[string]*leadv1.Lead {
				m := map[string]*leadv1.Lead{}
				for _, l := range ls {
					m[l.GetLeadId()] = l
				}
				return m
			})); diff != "" {
			rt.Fatalf("lead.State (-) and the read model (+):\n%s", diff)
		}
	})
}

// far is after everything.
var far = start.Add(100 * 365 * 24 * time.Hour)

func repeatsChangeNothing(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 5)
		want := dumpAll(rt, s)
		from := rapid.IntRange(0, len(st.events)-1).Draw(rt, "again from")
		if err := s.Apply(context.Background(), st.events[from:]); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, dumpAll(rt, s)); diff != "" {
			rt.Fatalf("a repeated batch changed the tables:\n%s", diff)
		}
		// A batch that overlaps with the one before.
		refill(rt, s, st.events[:from+1], 5)
		if err := s.Apply(context.Background(), st.events[from/2:]); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, dumpAll(rt, s)); diff != "" {
			rt.Fatalf("an overlapping batch changed the tables:\n%s", diff)
		}
	})
}

func othersMoveThePosition(t *testing.T, s *Store) {
	ctx := context.Background()
	events := []*ledger.Event{
		{Seq: 1, Subject: "org.ledger.main", Body: &auditv1.LedgerOpened{LedgerId: "log-1"}},
		{Seq: 2, Subject: "pool.main"},
	}
	if err := s.Apply(ctx, events); err != nil {
		t.Fatal(err)
	}
	if at, err := s.Position(ctx); err != nil || at != 2 {
		t.Fatalf("position %d, %v; want 2", at, err)
	}
	if at, err := s.Attach(ctx, "log-1"); err != nil || at != 2 {
		t.Fatalf("attached to its own log at %d, %v; want 2", at, err)
	}
	if n := dump(t, s, "leads", "lead_id"); len(n) != 0 {
		t.Fatalf("leads out of nothing: %v", n)
	}
}

func anotherLog(t *testing.T, s *Store) {
	ctx := context.Background()
	st := &story{}
	st.received("l1", start, nil)
	if at, err := s.Attach(ctx, "log-1"); err != nil || at != 0 {
		t.Fatalf("a new read model begins at %d, %v; want 0", at, err)
	}
	if err := s.Apply(ctx, st.events); err != nil {
		t.Fatal(err)
	}
	err := s.Apply(ctx, []*ledger.Event{{Seq: 2, Subject: "org.ledger.main", Body: &auditv1.LedgerOpened{LedgerId: "log-2"}}})
	if !fault.Is(err, fault.Corrupt) {
		t.Fatalf("events of another log: %v; want a fault that says so", err)
	}
	if at, err := s.Attach(ctx, "log-2"); err != nil || at != 0 {
		t.Fatalf("attached to another log at %d, %v; want 0", at, err)
	}
	if rows := dump(t, s, "leads", "lead_id"); len(rows) != 0 {
		t.Fatalf("leads of the old log are left: %v", rows)
	}
}

func failedBatch(t *testing.T, s *Store) {
	ctx := context.Background()
	st := &story{}
	empty := dumpAll(t, s)
	// One that fails when the leads are folded and half the tables written.
	st.received("l1", start, nil)
	st.say("l1", start.Add(time.Hour), &leadv1.SubmissionRepeated{Delivery: &leadv1.DeliveryRef{DeliveryId: "d"}})
	useless, err := s.write.Prepare("INSERT INTO position (id, ledger_id, sequence) VALUES (1, '', 0)")
	if err != nil {
		t.Fatal(err)
	}
	whole := s.statements.duplicates.one
	s.statements.duplicates.one = useless
	if err := s.Apply(ctx, st.events); err == nil {
		t.Fatal("a batch went through though a table could not be written")
	}
	if err := useless.Close(); err != nil {
		t.Fatal(err)
	}
	s.statements.duplicates.one = whole
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Apply(ended, st.events); err == nil {
		t.Fatal("a batch under an ended context went through")
	}
	if diff := cmp.Diff(empty, dumpAll(t, s)); diff != "" {
		t.Fatalf("a failed batch left traces:\n%s", diff)
	}
	if err := s.Apply(ctx, st.events); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s, "leads", "lead_id"); len(got) != 1 || !strings.Contains(got[0], "repeats=1 ") {
		t.Fatalf("after the failure: %v; want the lead, repeated once", got)
	}
}

// somebodyElse lets a second process fold the same tables in between.
func somebodyElse(t *testing.T, s *Store) {
	ctx := context.Background()
	st := &story{}
	st.received("l1", start, nil)
	if err := s.Apply(ctx, st.events); err != nil {
		t.Fatal(err)
	}
	// The tables moved on, and not through this store: what it remembers is old.
	if _, err := s.write.Exec("UPDATE position SET sequence = 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec("UPDATE leads SET stage = 'SQL', last_sequence = 2"); err != nil {
		t.Fatal(err)
	}
	st.events = append(st.events, &ledger.Event{Seq: 2, Subject: "lead.l1"})
	st.say("l1", start, &leadv1.PersonAttached{PersonId: "p1", MatchedBy: "new"})
	if err := s.Apply(ctx, st.events); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s, "leads", "lead_id"); len(got) != 1 || !strings.Contains(got[0], "stage=SQL") || !strings.Contains(got[0], "person_id=p1") {
		t.Fatalf("%v; want the other process's stage and this one's person", got)
	}
}

// counted is a direct count over folded leads, written apart from the SQL.
type counted map[string]float64

func checkRow(t *rapid.T, where string, row *feedbackv1.ReportRow, want counted) {
	for name, v := range want {
		f := figure(row, name)
		if f == nil {
			t.Fatalf("%s: no figure %s", where, name)
		}
		if math.IsNaN(v) != f.GetUnknown() || (!f.GetUnknown() && math.Abs(f.GetValue()-v) > 1e-6*max(1, math.Abs(v))) {
			t.Fatalf("%s: %s is %v; a direct count says %v", where, name, f, v)
		}
	}
}

// addUp holds that every count of the rows adds up to the total's.
func addUp(t *rapid.T, r *feedbackv1.Report) {
	for _, c := range r.GetColumns() {
		if !slices.Contains([]string{unitLeads, unitTurns, unitDeliveries}, c.GetUnit()) {
			continue
		}
		sum := 0.0
		for _, row := range r.GetRows() {
			sum += figure(row, c.GetName()).GetValue()
		}
		if total := figure(r.GetTotal(), c.GetName()).GetValue(); sum != total {
			t.Fatalf("%s: rows of %s add up to %v, the total says %v", r.GetReport(), c.GetName(), sum, total)
		}
	}
}

func figure(row *feedbackv1.ReportRow, name string) *feedbackv1.Figure {
	for _, f := range row.GetFigures() {
		if f.GetName() == name {
			return f
		}
	}
	return nil
}

// answerTimes is a hundred leads with known times: the buckets and the mean come
// out exactly as laid down, whichever side of a boundary a lead is on.
func answerTimes(t *testing.T, s *Store) {
	st := &story{}
	n := 0
	lay := func(many int, took time.Duration) {
		for range many {
			id := fmt.Sprintf("l%d", n)
			n++
			st.received(id, start, nil)
			if took >= 0 {
				st.say(id, start.Add(took), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana"})
			}
		}
	}
	const day = 24 * time.Hour
	lay(36, 30*time.Minute)
	lay(1, time.Hour)
	lay(1, time.Hour+time.Nanosecond)
	lay(14, 10*time.Hour)
	lay(1, day)
	lay(1, day+time.Nanosecond)
	lay(22, 5*day)
	lay(1, 30*day)
	lay(1, 30*day+time.Nanosecond)
	lay(22, -1)
	refill(t, s, st.events, len(st.events))
	report := func(req *feedbackv1.GetReportRequest) map[string]float64 {
		t.Helper()
		req.Report = reportResponse
		q, err := question(req, start.Add(30*day))
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Report(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.GetPopulation(), fmt.Sprintf("within %d days", q.Horizon/day)) {
			t.Errorf("the population does not name the horizon: %s", r.GetPopulation())
		}
		out := map[string]float64{}
		for _, f := range r.GetTotal().GetFigures() {
			out[f.GetName()] = f.GetValue()
		}
		return out
	}
	pick := func(m map[string]float64, names ...string) map[string]float64 {
		out := map[string]float64{}
		for _, n := range names {
			out[n] = m[n]
		}
		return out
	}
	buckets := []string{"leads", "up_to_1h", "from_1h_to_24h", "over_24h", "never", "open"}
	full := report(&feedbackv1.GetReportRequest{})
	if diff := cmp.Diff(map[string]float64{
		"leads": 100, "up_to_1h": 37, "from_1h_to_24h": 16, "over_24h": 24, "never": 23, "open": 0,
	}, pick(full, buckets...)); diff != "" {
		t.Errorf("buckets (-laid down +reported):\n%s", diff)
	}
	// Of the 77 that were answered within the horizon.
	sum := 36*30*time.Minute + 2*time.Hour + 14*10*time.Hour + 2*day + 22*5*day + 30*day
	if want := sum.Seconds() / 77; math.Abs(full["mean_seconds"]-want) > 1e-6 {
		t.Errorf("mean %v s; want %v s", full["mean_seconds"], want)
	}
	if want := (time.Hour + time.Nanosecond).Seconds(); full["median_seconds"] == want || full["median_seconds"] != (10*time.Hour).Seconds() {
		t.Errorf("median %v s; the 39th of 77 took 10 hours", full["median_seconds"])
	}
	if full["p90_seconds"] != (5 * day).Seconds() {
		t.Errorf("p90 %v s; the 70th of 77 took 5 days", full["p90_seconds"])
	}
	if diff := cmp.Diff(map[string]float64{
		"leads": 100, "up_to_1h": 37, "from_1h_to_24h": 16, "over_24h": 23, "never": 24, "open": 0,
	}, pick(report(&feedbackv1.GetReportRequest{HorizonDays: 29}), buckets...)); diff != "" {
		t.Errorf("with a horizon of 29 days (-laid down +reported):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{
		"leads": 100, "up_to_1h": 37, "from_1h_to_24h": 15, "over_24h": 0, "never": 0, "open": 48,
	}, pick(report(&feedbackv1.GetReportRequest{AsOf: timestamppb.New(start.Add(day - time.Nanosecond))}), buckets...)); diff != "" {
		t.Errorf("as of a day after receipt, less a moment (-laid down +reported):\n%s", diff)
	}
}

func emptyReports(t *testing.T, s *Store) {
	for _, name := range ReportNames() {
		for _, by := range append(Dimensions(), "") {
			for _, asOf := range []*timestamppb.Timestamp{nil, timestamppb.New(start)} {
				version := int64(0)
				if byPerson(name) || infoOf(name).fixed != "" {
					by = ""
				}
				if name == reportFunnel {
					version = 1
				}
				req := &feedbackv1.GetReportRequest{Report: name, By: by, AsOf: asOf, Definition: version}
				if name == reportEffect {
					req.Campaign, req.Launched = "spring", timestamppb.New(start)
				}
				q, err := question(req, start)
				if err != nil {
					t.Fatal(err)
				}
				q.Restate = func(context.Context, Question, uint64) (restated, error) { return nil, nil }
				r, err := s.Report(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.GetRows()) != 0 || len(r.GetTotal().GetFigures()) != len(r.GetColumns()) {
					t.Fatalf("%s by %q of nothing: %v", name, by, r)
				}
				for i, f := range r.GetTotal().GetFigures() {
					rate := slices.Contains([]string{unitRatio, unitSeconds, unitNumber, unitMoney, unitDays}, r.GetColumns()[i].GetUnit())
					if f.GetValue() != 0 || f.GetUnknown() != rate {
						t.Errorf("%s of nothing: %v; counts are 0 and what divides by them unknown", name, f)
					}
				}
			}
		}
	}
}

func pages(t *testing.T, s *Store) {
	ctx := context.Background()
	st := &story{}
	for i := range 7 {
		// Two leads share each instant.
		st.received(fmt.Sprintf("l%d", i), start.Add(time.Duration(i/2)*time.Hour), nil)
	}
	offered := &leadv1.LeadOffered{AgreementVersion: 1, Pool: "p", Group: "g", Member: "ana", Offer: 1, TakeBy: timestamppb.New(start), Turn: 1, Summary: "x"}
	st.say("l2", far, offered)
	st.say("l5", far, offered)
	st.say("l5", far, &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	refill(t, s, st.events, 100)
	ask := func(req *leadv1.ListLeadsRequest) (ids []string, next string) {
		t.Helper()
		page, err := s.list(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.GetLeads() {
			ids = append(ids, l.GetLeadId())
		}
		return ids, page.GetNextPageToken()
	}
	var all []string
	for token, i := "", 0; ; i++ {
		ids, next := ask(&leadv1.ListLeadsRequest{PageSize: 3, PageToken: token})
		all = append(all, ids...)
		if i == 0 {
			// A lead that comes meanwhile is newer and shifts nothing.
			st.received("l9", far, nil)
			if err := s.Apply(ctx, st.events); err != nil {
				t.Fatal(err)
			}
		}
		if token = next; token == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"l6", "l5", "l4", "l3", "l2", "l1", "l0"}, all); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if ids, _ := ask(&leadv1.ListLeadsRequest{Member: "ana"}); !slices.Equal(ids, []string{"l5", "l2"}) {
		t.Errorf("ana has %v; want l5 and l2", ids)
	}
	if ids, _ := ask(&leadv1.ListLeadsRequest{State: leadv1.State_STATE_ACCEPTED}); !slices.Equal(ids, []string{"l5"}) {
		t.Errorf("accepted are %v; want l5", ids)
	}
	// As of an instant before the last ones happened, nobody had any.
	for _, ask := range []*leadv1.ListLeadsRequest{{Member: "ana"}, {State: leadv1.State_STATE_ACCEPTED}} {
		ask.AsOf = timestamppb.New(far.Add(-time.Second))
		if page, err := s.list(ctx, ask); err != nil || len(page.GetLeads()) != 0 {
			t.Errorf("before that there are %v, %v; want none", page.GetLeads(), err)
		}
		ask.AsOf = timestamppb.New(far)
		page, err := s.list(ctx, ask)
		if err != nil || len(page.GetLeads()) == 0 || page.GetLeads()[0].GetLeadId() != "l5" || page.GetLeads()[0].GetOwner() != "ana" {
			t.Errorf("by then there are %v, %v; want l5 of ana first", page.GetLeads(), err)
		}
	}
	for prefix, want := range map[string]int{"": 8, "l": 8, "l5": 1, "l7": 0, "m": 0} {
		if ids, _ := ask(&leadv1.ListLeadsRequest{IdPrefix: prefix}); len(ids) != want {
			t.Errorf("%q is the beginning of %v; want %d", prefix, ids, want)
		}
	}
	if _, err := s.list(ctx, &leadv1.ListLeadsRequest{PageToken: "rubbish"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a broken page token: %v; want a fault that says so", err)
	}
}

func views(t *testing.T, s *Store) {
	st := &story{}
	st.received("l1", start, nil)
	st.say("l1", start.Add(time.Minute), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 2, Persona: "initiator", Explanation: explained("fits")})
	offer := func(n int32, member string, at time.Duration) {
		st.say("l1", start.Add(at), &leadv1.LeadOffered{
			AgreementVersion: 2, Pool: "inside", Group: "g", Member: member, Offer: n, TakeBy: timestamppb.New(start.Add(at + time.Hour)),
			Rule: "r1", Turn: leadv1.TurnKind_TURN_KIND_ROTATION, Summary: "next",
		})
	}
	offer(1, "ana", 2*time.Minute)
	st.say("l1", start.Add(62*time.Minute), &leadv1.OfferTimedOut{Member: "ana", Offer: 1, DueAt: timestamppb.New(start.Add(62 * time.Minute)), FiredAt: timestamppb.New(start)})
	offer(2, "ben", 63*time.Minute)
	st.say("l1", start.Add(64*time.Minute), &leadv1.OfferRejected{Member: "ben", Offer: 2, Reason: "no-budget", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, AgreementVersion: 2})
	offer(3, "cy", 65*time.Minute)
	st.say("l1", start.Add(66*time.Minute), &leadv1.OfferAccepted{Member: "cy", Offer: 3})
	st.say("l1", start.Add(90*time.Minute), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "cy", Channel: "call"})
	st.received("l2", start, nil)
	st.say("l2", start.Add(time.Minute), &leadv1.LeadNurtured{AgreementVersion: 2, Reason: "persona", Explanation: explained("a student"), NextTouch: "letter", NextTouchDue: timestamppb.New(start.Add(time.Hour))})
	st.events = append(st.events, agreedOn(len(st.events)+1, 2, start)...)
	refill(t, s, st.events, 3)
	one := func(query string) string {
		t.Helper()
		var got string
		if err := s.read.QueryRow(query).Scan(&got); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return got
	}
	for query, want := range map[string]string{
		"SELECT state || ' ' || stage || ' ' || owner || ' ' || persona || ' ' || campaign FROM v_leads WHERE lead_id = 'l1'":                   "accepted MQL cy initiator spring",
		"SELECT CAST(received_at AS TEXT) FROM v_leads":                                                                                         "2026-03-02",
		"SELECT bucket || ' ' || CAST(CAST(seconds AS INTEGER) AS TEXT) FROM v_speed_to_lead WHERE lead_id = 'l1'":                              "from_1h_to_24h 5400",
		"SELECT member || ' ' || outcome || ' ' || reason || ' ' || turn FROM v_assignments WHERE offer = 1":                                    "ana timed-out  rotation",
		"SELECT member || ' ' || outcome || ' ' || reason FROM v_assignments WHERE offer = 2":                                                   "ben rejected no-budget",
		"SELECT member || ' ' || outcome FROM v_assignments WHERE active":                                                                       "cy accepted",
		"SELECT event || ' ' || state || ' ' || owner FROM v_stage_history WHERE lead_id = 'l1' ORDER BY sequence DESC LIMIT 1":                 "OfferAccepted accepted cy",
		"SELECT lead_id || ' ' || reason || ' ' || text || ' ' || next_touch || ' ' || CAST(due AS TEXT) FROM v_nurture":                        "l2 persona a student letter 2026-03-02",
		"SELECT CAST(version AS TEXT) || ' ' || CAST(decided_at AS TEXT) FROM v_definitions WHERE lead_id = 'l2'":                               "2 2026-03-02",
		"SELECT CAST(version AS TEXT) || ' ' || CAST(in_force_from AS TEXT) FROM v_agreement_versions":                                          "2 2026-03-02",
		"SELECT CAST(COUNT(*) AS TEXT) || ' ' || MIN(event) || ' ' || CAST(SUM(definition) AS TEXT) FROM v_stage_history WHERE stage <> 'LEAD'": "7 LeadOffered 14",
	} {
		if got := one(query); !strings.HasPrefix(got, want) {
			t.Errorf("%s\n got %q\nwant %q", query, got, want)
		}
	}
}

// agreedOn are the events by which a version comes into force at an instant.
func agreedOn(seq int, version int64, at time.Time) []*ledger.Event {
	event := func(n int, body proto.Message) *ledger.Event {
		return &ledger.Event{Seq: uint64(seq + n), Subject: agreement.Subject, Occurred: at, Recorded: at, Body: body}
	}
	return []*ledger.Event{
		event(0, &agreementv1.AgreementProposed{Version: version}),
		event(1, &agreementv1.AgreementSigned{Version: version, Party: "marketing"}),
		event(2, &agreementv1.AgreementSigned{Version: version, Party: "sales", InForceFrom: timestamppb.New(at)}),
	}
}

// nobodyForgotten holds the list of leads with marketing against a direct look at
// each, at any moment, page by page.
func nobodyForgotten(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 5)
		now := start.Add(time.Duration(rapid.IntRange(0, 100).Draw(rt, "days")) * 24 * time.Hour)
		if ids := st.leads(); rapid.Bool().Draw(rt, "at the very moment") {
			if at := st.lead(rapid.SampledFrom(ids).Draw(rt, "whose"), far).NurtureDue(); !at.IsZero() {
				now = at
			}
		}
		only := rapid.Bool().Draw(rt, "overdue")
		var want []string
		var overdue, soon, later int64
		due := map[string]time.Time{}
		for _, id := range st.leads() {
			state := st.lead(id, far)
			if state.State != leadv1.State_STATE_NURTURING {
				continue
			}
			due[id] = state.NurtureDue()
			switch {
			case !due[id].After(now):
				overdue++
			case !due[id].After(now.Add(7 * 24 * time.Hour)):
				soon++
			default:
				later++
			}
			if !only || !due[id].After(now) {
				want = append(want, id)
			}
		}
		slices.SortFunc(want, func(a, b string) int {
			if c := due[a].Compare(due[b]); c != 0 {
				return c
			}
			return strings.Compare(a, b)
		})
		var got []string
		for token := ""; ; {
			page, err := s.nurturing(context.Background(), &leadv1.ListNurturingRequest{PageSize: 2, PageToken: token, Overdue: only}, now)
			if err != nil {
				rt.Fatal(err)
			}
			if page.GetOverdue() != overdue || page.GetDueThisWeek() != soon || page.GetDueLater() != later {
				rt.Fatalf("%d overdue, %d this week, %d later; a direct count says %d, %d, %d", page.GetOverdue(), page.GetDueThisWeek(), page.GetDueLater(), overdue, soon, later)
			}
			for _, l := range page.GetLeads() {
				got = append(got, l.GetLeadId())
				if !l.GetNurture().GetDue().AsTime().Equal(due[l.GetLeadId()]) {
					rt.Fatalf("%s is due %s; want %s", l.GetLeadId(), l.GetNurture().GetDue().AsTime(), due[l.GetLeadId()])
				}
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if !slices.Equal(want, got) {
			rt.Fatalf("listed are %v; want %v", got, want)
		}
	})
}
