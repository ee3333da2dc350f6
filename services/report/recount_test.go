package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/report/recount"
)

// recounted reads events as `baton replay --format json` prints them.
func recounted(t fataler, events []*ledger.Event) *recount.Log {
	t.Helper()
	var lines bytes.Buffer
	for _, e := range events {
		body, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(map[string]any{
			"sequence": e.Seq, "subject": e.Subject, "type": e.Type, "body": json.RawMessage(body),
			"occurred_at": e.Occurred.UTC().Format(time.RFC3339Nano), "recorded_at": e.Recorded.UTC().Format(time.RFC3339Nano),
		})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	log, err := recount.Read(&lines)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// drawQuestion draws what to ask of a story, and the same question as the recount takes it.
func drawQuestion(rt *rapid.T, st *story, reports ...string) (Question, recount.Question) {
	req := &feedbackv1.GetReportRequest{
		Report:      rapid.SampledFrom(reports).Draw(rt, "report"),
		Historical:  rapid.Bool().Draw(rt, "historical"),
		HorizonDays: rapid.SampledFrom([]int32{0, 1, 10}).Draw(rt, "horizon"),
	}
	of := infoOf(req.GetReport())
	if !byPerson(of.name) {
		req.By = rapid.SampledFrom(append(of.dimensions(), "")).Draw(rt, "by")
	}
	if of.cases != "" {
		req.Frame = rapid.SampledFrom([]string{frameCohort, frameActivity}).Draw(rt, "frame")
	}
	if of.name == reportFairness {
		req.Historical = false
	}
	if of.name == reportFairness || of.name == reportSecondChance {
		req.Pool = rapid.SampledFrom([]string{"", "", "inside"}).Draw(rt, "pool")
	}
	instant := func(label string) *timestamppb.Timestamp {
		e := st.events[rapid.IntRange(0, len(st.events)-1).Draw(rt, label)]
		return timestamppb.New(e.Occurred.Add(time.Duration(rapid.IntRange(-1, 1).Draw(rt, label+" beside"))))
	}
	switch rapid.IntRange(0, 4).Draw(rt, "bounded") {
	case 1:
		req.From, req.To = timestamppb.New(start.Add(time.Hour)), timestamppb.New(start.Add(50*24*time.Hour))
	case 2:
		req.From = instant("from")
	case 3:
		req.To = instant("to")
	case 4:
		if req.From, req.To = instant("from"), instant("to"); !req.GetFrom().AsTime().Before(req.GetTo().AsTime()) {
			req.To = nil
		}
	}
	if rapid.Bool().Draw(rt, "past") {
		req.AsOf = instant("as of")
	}
	switch {
	case of.name == reportEffect:
		req.From, req.To = nil, nil
		req.Campaign, req.Launched = rapid.SampledFrom([]string{"spring", "spring", "autumn", "later"}).Draw(rt, "of campaign"), nil
		switch rapid.IntRange(0, 2).Draw(rt, "launched") {
		case 1:
			req.Launched = instant("launch")
		case 2:
			req.Launched = timestamppb.New(fallen)
		}
	case !byPerson(of.name) && of.name != reportGrowth:
		conditions := [][]string{
			nil, nil, nil, nil, {"source=web"}, {"country=DE", "country=(none)"}, {"person=ana", "person=ben", "pool=inside"}, {"team=north"}, {"nurtured=nurtured"}, {"size=10-49", "size=1-9"},
		}
		for _, own := range of.own {
			if words := ownWords[own]; len(words) > 0 {
				conditions = append(conditions, []string{own + "=" + words[0], own + "=" + words[1]})
			}
		}
		req.Where = rapid.SampledFrom(conditions).Draw(rt, "where")
	}
	q, again := plainQuestion(rt, st, req)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		rt.Fatal(err)
	}
	q.Year = rapid.SampledFrom([]agreement.Year{{Starts: time.January, Zone: time.UTC}, {Starts: time.April, Zone: berlin}, {Starts: time.November, Zone: berlin}}).Draw(rt, "year")
	q.Viewer = rapid.SampledFrom([]string{"", "", "ana"}).Draw(rt, "viewer")
	again.Viewer, again.Zone, again.YearStarts = q.Viewer, q.Year.Zone, q.Year.Starts
	return q, again
}

// plainQuestion asks a story what is requested, when all of it has happened.
func plainQuestion(rt fataler, st *story, req *feedbackv1.GetReportRequest) (Question, recount.Question) {
	now := start.Add(90 * 24 * time.Hour)
	for _, e := range st.events {
		if e.Occurred.After(now) {
			now = e.Occurred
		}
	}
	if req.GetReport() == reportEffect && req.GetCampaign() == "" {
		req.Campaign, req.Launched = "spring", timestamppb.New(fallen)
	}
	q, err := question(req, now)
	if err != nil {
		rt.Fatal(err)
	}
	q.InForce, q.Away = agreedTwice.inForce, agreedTwice.absent
	q.Counted, q.Current = (&Reports{log: st, Under: agreedTwice.judged}).counted, st.current
	again := recount.Question{
		Report: q.Report, By: q.By, From: q.From, To: q.To, Now: now, Horizon: q.Horizon, Historical: q.Historical, Pool: q.Pool,
		Activity: q.Frame == frameActivity, Where: q.Where, Zone: q.Year.Zone, YearStarts: q.Year.Starts,
		Agreed: agreedTwice.words, Away: agreedTwice.away, Makes: agreedTwice.makes, Campaign: q.Campaign, Launched: q.Launched,
	}
	if q.Past {
		again.AsOf = q.AsOf
	}
	return q, again
}

// ownWords are words of the columns that only one report has.
var ownWords = map[string][]string{
	"reason": {"no-budget", "bad-data"}, "consequence": {"nurture", "disqualify"}, "credit": {"credited", "(none)"},
	"party": {"sales", "system"}, "claim": {"not-worked", "wrong-data"}, "verdict": {"met-not-worked", "data-error"}, "finding": {"sales", "(none)"},
	"phrase": {"late trucks", "nobody knows"}, "vertical": {"energy", "retail"}, "question": {"talk", "phrases"},
	"clock": {"take", "follow"}, "department": {"sales", "marketing"}, "holder": {"ana", "(none)"},
}

// reportsEqualARecount holds every figure of every row against a count that shares
// nothing with the reports but the log. Over as many logs as are drawn where nothing else
// is asked for, each figure of each report was above nought.
func reportsEqualARecount(t *testing.T, s *Store) {
	s.Working = agreedTwice.working
	defer func() { s.Working = nil }()
	moved := map[string]bool{}
	draws := 0
	rapid.Check(t, func(rt *rapid.T) {
		st := drawLog(rt)
		refill(rt, s, st.events, 50)
		log := recounted(rt, st.events)
		asksAndRecounts(rt, s, st, log, moved)
		// Each report as it stands, and by one dimension after another as of a moment, or of
		// what happened until or from then.
		moment := timestamppb.New(st.events[rapid.IntRange(0, len(st.events)-1).Draw(rt, "moment")].Occurred)
		for _, name := range ReportNames() {
			q, again := plainQuestion(rt, st, &feedbackv1.GetReportRequest{Report: name})
			equalsARecount(rt, s, q, again, log, moved)
			then := &feedbackv1.GetReportRequest{Report: name}
			switch {
			case draws%2 == 0 || infoOf(name).cases == "" || name == reportEffect:
				then.AsOf = moment
			case draws%4 == 1:
				then.Frame, then.From = frameActivity, moment
			default:
				then.Frame, then.To = frameActivity, moment
			}
			if dims := infoOf(name).dimensions(); !byPerson(name) && len(dims) > 0 {
				then.By = dims[draws/4%len(dims)]
			}
			q, again = plainQuestion(rt, st, then)
			equalsARecount(rt, s, q, again, log, moved)
		}
		draws++
	})
	// A lead that ends twice, that somebody else has had since what becomes known last
	// occurred, and one that nobody answers.
	st := &story{}
	st.received("l1", start, nil)
	st.received("l2", start, nil)
	at := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	st.offer("l1", at(1), "inside", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1")
	st.say("l1", at(2), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	st.say("l1", at(6), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Member: "ana", Reason: "price"})
	st.offer("l1", at(10), "field", "ben", leadv1.TurnKind_TURN_KIND_OVERRIDE, 2, "ben=1")
	st.say("l1", at(11), &leadv1.OfferAccepted{Member: "ben", Offer: 2})
	st.say("l1", at(4), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: 100, Currency: "EUR"}).Recorded = at(12)
	refill(t, s, st.events, 2)
	log := recounted(t, st.events)
	rapid.Check(t, func(rt *rapid.T) { asksAndRecounts(rt, s, st, log, moved) })
	if draws < 100 {
		return
	}
	// What was nought in all of them is looked for in logs that are the same each time.
	nought := func(m Metric) bool { return !m.restated && !moved[m.ID] }
	for seed := 0; seed < 500 && slices.ContainsFunc(Catalogue(), nought); seed++ {
		st := rapid.Custom(drawLog).Example(seed)
		refill(t, s, st.events, 50)
		for _, name := range ReportNames() {
			for _, asOf := range []*timestamppb.Timestamp{nil, timestamppb.New(st.events[seed%len(st.events)].Occurred)} {
				q, _ := plainQuestion(t, st, &feedbackv1.GetReportRequest{Report: name, AsOf: asOf})
				got, err := s.Report(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range got.GetTotal().GetFigures() {
					moved[name+"."+f.GetName()] = moved[name+"."+f.GetName()] || f.GetValue() != 0
				}
			}
		}
	}
	for _, m := range Catalogue() {
		if nought(m) {
			t.Errorf("in %d logs and 500 more %s was nought", draws, m.ID)
		}
	}
}

// asksAndRecounts asks a read model of a story some questions that are drawn, and counts
// again.
func asksAndRecounts(rt *rapid.T, s *Store, st *story, log *recount.Log, moved map[string]bool) {
	for range 8 {
		q, again := drawQuestion(rt, st, ReportNames()...)
		equalsARecount(rt, s, q, again, log, moved)
	}
}

// equalsARecount holds each figure of each row of a report against a recount, and notes
// which figures were not nought.
func equalsARecount(rt *rapid.T, s *Store, q Question, again recount.Question, log *recount.Log, moved map[string]bool) {
	rt.Helper()
	got, err := s.Report(context.Background(), q)
	want := log.Count(again)
	if want == nil && fault.Is(err, fault.NotFound) {
		return
	}
	if err != nil || want == nil {
		rt.Fatalf("%s: %v, %v; a recount says %v", askedAs(q), got, err, want)
	}
	equalRow(rt, q, got.GetTotal(), want[recount.Total])
	nothing := want[recount.Nothing]
	delete(want, recount.Total)
	delete(want, recount.Nothing)
	for _, row := range got.GetRows() {
		w := want[row.GetKey()]
		if w == nil {
			if !timed(q.By) {
				rt.Fatalf("%s: a row %q that a recount does not have", askedAs(q), row.GetKey())
			}
			w = nothing
		}
		equalRow(rt, q, row, w)
		delete(want, row.GetKey())
	}
	for key := range want {
		rt.Fatalf("%s: no row %q, in which a recount has %v", askedAs(q), key, want[key].Figures)
	}
	// What needs two things to have happened in one period is in no row if they did in two.
	single := q.Report == reportFunnel || q.Report == reportResponse || q.Frame == frameCohort || !timed(q.By)
	if q.By != "" && infoOf(q.Report).cases == casesLeads && single {
		addUp(rt, got)
	}
	for _, row := range append(got.GetRows(), got.GetTotal()) {
		for _, f := range row.GetFigures() {
			moved[q.Report+"."+f.GetName()] = moved[q.Report+"."+f.GetName()] || f.GetValue() != 0
		}
	}
}

// askedAs names a question in a failure.
func askedAs(q Question) string {
	return fmt.Sprintf("%s by %q, %s, from %s to %s, past %v as of %s, where %v, year of %s in %s, %s launched %s", q.Report, q.By, q.Frame, moment(q.From), moment(q.To), q.Past, moment(q.AsOf), q.Where, q.Year.Starts, q.Year.Zone, q.Campaign, moment(q.Launched))
}

func equalRow(rt *rapid.T, q Question, row *feedbackv1.ReportRow, want *recount.Row) {
	rt.Helper()
	seen := 0
	for _, f := range row.GetFigures() {
		v, there := want.Figures[f.GetName()]
		if !there {
			rt.Fatalf("%s: a recount has no %s", askedAs(q), f.GetName())
		}
		seen++
		if math.IsNaN(v) != f.GetUnknown() || !f.GetUnknown() && math.Abs(f.GetValue()-v) > 1e-9*max(1, math.Abs(v)) {
			rt.Fatalf("%s: %s of row %q is %v (unknown: %v); a recount says %v", askedAs(q), f.GetName(), row.GetKey(), f.GetValue(), f.GetUnknown(), v)
		}
	}
	if seen != len(want.Figures) {
		rt.Fatalf("%s: row %q has %d figures; a recount has %d", askedAs(q), row.GetKey(), seen, len(want.Figures))
	}
	if infoOf(q.Report).cases != "" && row.GetCases() != int64(want.Cases) {
		rt.Fatalf("%s: row %q rests on %d cases; a recount says %d", askedAs(q), row.GetKey(), row.GetCases(), want.Cases)
	}
}

// listsAreTheRecounts holds what a figure lists, page by page, against the leads of a
// recount.
func listsAreTheRecounts(t *testing.T, s *Store) {
	var listing []string
	for _, name := range ReportNames() {
		if infoOf(name).cases != "" {
			listing = append(listing, name)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		st := drawLog(rt)
		refill(rt, s, st.events, 50)
		q, again := drawQuestion(rt, st, listing...)
		rows := recounted(rt, st.events).Count(again)
		delete(rows, recount.Nothing)
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			for _, m := range infoOf(q.Report).of(q).metrics {
				if !m.measure.listed() {
					continue
				}
				want := rows[key].Leads[m.Name]
				if m.Unit == unitMoney && math.IsNaN(rows[recount.Total].Figures["value"]) {
					continue // in no currency, or in several: it is refused
				}
				got := map[string]float64{}
				for token, last := "", ""; ; {
					page, err := pageOf(s, q, m, key, token)
					if err != nil {
						rt.Fatal(err)
					}
					for _, l := range page.GetLeads() {
						if l.GetLeadId() <= last {
							rt.Fatalf("%s: %s of %q lists %s after %s", askedAs(q), m.Name, key, l.GetLeadId(), last)
						}
						last = l.GetLeadId()
						got[last] = l.GetValue()
					}
					if token = page.GetNextPageToken(); token == "" {
						break
					}
				}
				if !maps.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }) {
					rt.Fatalf("%s: %s of %q lists %v; a recount says %v", askedAs(q), m.Name, key, got, want)
				}
			}
		}
	})
}

// pageOf is a page of the leads behind a figure, also of one that is closed.
func pageOf(s *Store, q Question, m Metric, key, token string) (*feedbackv1.ListReportLeadsResponse, error) {
	of := infoOf(q.Report)
	if !of.closed {
		return s.counted(context.Background(), q, m.Name, key, 2, token)
	}
	if key == totalKey {
		key = ""
	}
	out := &feedbackv1.ListReportLeadsResponse{}
	return out, s.workedPage(context.Background(), of, q, m.measure, key, 2, token, out)
}

// orderOfLeadsIsNothing lets the same things happen to the same leads in another order
// among them, each one's own kept.
func orderOfLeadsIsNothing(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 50)
		var questions []Question
		var reports []*feedbackv1.Report
		ask := func(q Question) *feedbackv1.Report {
			got, err := s.Report(context.Background(), q)
			if err != nil && !fault.Is(err, fault.NotFound) { // no lead is of the campaign
				rt.Fatal(err)
			}
			return got
		}
		for range 4 {
			q, _ := drawQuestion(rt, st, ReportNames()...)
			questions, reports = append(questions, q), append(reports, ask(q))
		}
		queues := map[string][]*ledger.Event{}
		for _, e := range st.events {
			queues[e.Subject] = append(queues[e.Subject], e)
		}
		var other []*ledger.Event
		for len(queues) > 0 {
			subject := rapid.SampledFrom(slices.Sorted(maps.Keys(queues))).Draw(rt, "next")
			e := *queues[subject][0]
			e.Seq = uint64(len(other) + 1)
			other = append(other, &e)
			if queues[subject] = queues[subject][1:]; len(queues[subject]) == 0 {
				delete(queues, subject)
			}
		}
		refill(rt, s, other, 7)
		for i, q := range questions {
			if diff := cmp.Diff(reports[i], ask(q), protocmp.Transform()); diff != "" {
				rt.Fatalf("%s: in another order of leads\n%s", askedAs(q), diff)
			}
		}
	})
}
