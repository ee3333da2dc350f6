package report

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// feedback appends what a member says of a lead.
func (st *story) feedback(t *rapid.T, id string, at time.Time, member string) {
	b := &leadv1.FeedbackGiven{Member: member, Vertical: rapid.SampledFrom([]string{"", "logistics", "energy"}).Draw(t, "vertical")}
	if rapid.Bool().Draw(t, "interesting") {
		b.Interest = 4
	}
	if rapid.Bool().Draw(t, "talked") {
		b.Talk = "open"
	}
	if rapid.Bool().Draw(t, "asked") {
		b.Ease, b.Why, b.Persona = rapid.Int32Range(0, 5).Draw(t, "ease"), []string{"fits"}, "decider"
		b.Missing = rapid.SampledFrom([][]string{nil, {"budget"}}).Draw(t, "missing")
	}
	for _, p := range []string{"late trucks", "too much paper", "nobody knows"} {
		if rapid.Bool().Draw(t, p) {
			b.Phrases = append(b.Phrases, p)
		}
	}
	st.say(id, at, b)
}

// dispute appends the next thing that happens to disputes of a lead.
func (st *story) dispute(t *rapid.T, id string, at time.Time) {
	dispute := fmt.Sprintf("%s-%d", id, rapid.IntRange(1, 2).Draw(t, "case"))
	opened, answered, decided := false, false, false
	for _, e := range st.events {
		switch b := e.Body.(type) {
		case *leadv1.DisputeOpened:
			opened = opened || b.GetDisputeId() == dispute
		case *leadv1.DisputeAnswered:
			answered = answered || b.GetDisputeId() == dispute
		case *leadv1.DisputeDecided:
			decided = decided || b.GetDisputeId() == dispute
		}
	}
	switch {
	case !opened:
		st.say(id, at, &leadv1.DisputeOpened{
			DisputeId: dispute, Party: rapid.SampledFrom([]string{"marketing", "sales", "system"}).Draw(t, "party"), Offer: 1, AgreementVersion: 1,
			Claim: leadv1.DisputeClaim(rapid.IntRange(1, 4).Draw(t, "claim")),
		})
	case !answered && rapid.Bool().Draw(t, "answered"):
		st.say(id, at, &leadv1.DisputeAnswered{DisputeId: dispute, Party: "sales", Agrees: rapid.Bool().Draw(t, "agrees")})
	case !decided:
		st.say(id, at, &leadv1.DisputeDecided{
			DisputeId: dispute, Verdict: rapid.SampledFrom([]leadv1.DisputeVerdict{1, 2, 3, 4, 5, 6}).Draw(t, "verdict"), By: "mia",
			Finding: rapid.SampledFrom([]string{"marketing", "sales", "agreement", "nobody"}).Draw(t, "finding"),
		})
	}
}

// until is the instant up to which a question sees.
func (q Question) sees() time.Time {
	if q.Past {
		return q.AsOf
	}
	return far
}

// about says whether a question's cohort holds a lead, by a direct look.
func (st *story) about(id string, q Question) bool {
	s := st.lead(id, q.sees())
	return s.State != leadv1.State_STATE_UNSPECIFIED && (!s.Historical || q.Historical) &&
		(q.From.IsZero() || q.Frame == frameActivity || !s.ReceivedAt.Before(q.From)) && (q.To.IsZero() || q.Frame == frameActivity || s.ReceivedAt.Before(q.To))
}

// happening says whether something happened for a question.
func (q Question) sawAt(at time.Time) bool {
	return !at.After(q.sees()) && (q.Frame != frameActivity || (q.From.IsZero() || !at.Before(q.From)) && (q.To.IsZero() || at.Before(q.To)))
}

// askOf draws a question on a story.
func askOf(rt *rapid.T, st *story, report string, by ...string) Question {
	req := &feedbackv1.GetReportRequest{
		Report: report, By: rapid.SampledFrom(by).Draw(rt, "by"), Historical: rapid.Bool().Draw(rt, "historical"),
		Frame: rapid.SampledFrom([]string{"", frameActivity}).Draw(rt, "frame"),
	}
	if rapid.Bool().Draw(rt, "bounded") {
		req.From, req.To = timestamppb.New(start.Add(time.Hour)), timestamppb.New(start.Add(50*24*time.Hour))
	}
	if rapid.Bool().Draw(rt, "past") {
		req.AsOf = timestamppb.New(st.events[rapid.IntRange(0, len(st.events)-1).Draw(rt, "as of")].Occurred)
	}
	q, err := question(req, far)
	if err != nil {
		rt.Fatal(err)
	}
	return q
}

// rowsEqual holds a report's rows and total against a direct count. Counts of the rows
// add up to the total, where they count different cases.
func rowsEqual(rt *rapid.T, s *Store, q Question, want map[string]counted) {
	rt.Helper()
	got, err := s.Report(context.Background(), q)
	if err != nil {
		rt.Fatal(err)
	}
	if want[totalKey] == nil {
		want[totalKey] = counted{}
	}
	var keys []string
	for _, row := range append(slices.Clone(got.GetRows()), got.GetTotal()) {
		keys = append(keys, row.GetKey())
		w := want[row.GetKey()]
		for _, m := range metricsOf(q.Report) {
			if _, said := w[m.Name]; !said && m.measure.by == byCount {
				w[m.Name] = 0
			}
		}
		checkRow(rt, fmt.Sprintf("%s by %s, %s", q.Report, q.By, row.GetKey()), row, w)
	}
	if q.By == "" {
		for key := range want {
			if key != totalKey {
				delete(want, key)
			}
		}
	}
	slices.Sort(keys)
	if expected := slices.Sorted(maps.Keys(want)); !slices.Equal(keys, expected) {
		rt.Fatalf("%s by %s has rows %q; a direct count has %q", q.Report, q.By, keys, expected)
	}
}

// addTo counts a case in its row and in the total.
func addTo(want map[string]counted, key string, names ...string) {
	if key == "" {
		key = noneKey
	}
	for _, k := range []string{key, totalKey} {
		if want[k] == nil {
			want[k] = counted{}
		}
		for _, name := range names {
			want[k][name]++
		}
	}
}

// toldEqualsACount holds the reports on rejections and disputes against the events.
func toldEqualsACount(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 50)
		q := askOf(rt, st, reportReasons, "", "person", "source", "consequence")
		want := map[string]counted{}
		st.each(q, func(id string, l *lead.State, e *ledger.Event) {
			b, ok := e.Body.(*leadv1.OfferRejected)
			if !ok || !q.sawAt(e.Occurred) {
				return
			}
			credited := slices.ContainsFunc(st.events, func(other *ledger.Event) bool { return credits(other, id, b.GetMember(), e.Occurred) })
			consequence := enumWord(b.GetConsequence().String(), "CONSEQUENCE_")
			key := map[string]string{"reason": b.GetReason(), "person": b.GetMember(), "source": l.Source, "consequence": consequence}[q.By]
			addTo(want, key, "rejections", map[string]string{"next-person": "next_person", "nurture": "nurtured", "disqualify": "disqualified"}[consequence])
			if credited {
				addTo(want, key, "credited")
			}
		})
		for _, w := range want { // any order: each row by itself
			w["credited_rate"] = w["credited"] / w["rejections"]
		}
		rowsEqual(rt, s, q, want)

		q = askOf(rt, st, reportDisputes, "", "source", "party", "finding")
		want = map[string]counted{}
		days := map[string][]float64{}
		st.each(q, func(id string, l *lead.State, e *ledger.Event) {
			b, ok := e.Body.(*leadv1.DisputeOpened)
			if !ok || !q.sawAt(e.Occurred) {
				return
			}
			names := []string{"opened", map[string]string{"marketing": "opened_by_marketing", "sales": "opened_by_sales", "system": "drawn"}[b.GetParty()]}
			finding, open, took := "", true, 0.0
			for _, other := range st.events {
				switch o := other.Body.(type) {
				case *leadv1.DisputeAnswered:
					if o.GetDisputeId() == b.GetDisputeId() && !other.Occurred.After(q.sees()) {
						names = append(names, map[bool]string{true: "agreed", false: "contested"}[o.GetAgrees()])
					}
				case *leadv1.DisputeDecided:
					if o.GetDisputeId() == b.GetDisputeId() && !other.Occurred.After(q.sees()) {
						verdict := []string{"", "criterion_missing", "wrong_question", "criterion_should_change", "met_not_worked", "data_error", "as_agreed"}[o.GetVerdict()]
						finding, open, took = o.GetFinding(), false, other.Occurred.Sub(e.Occurred).Seconds()
						names = append(names, "decided", verdict, "against_"+finding)
					}
				}
			}
			if open {
				names = append(names, "open")
			}
			key := map[string]string{"source": l.Source, "party": b.GetParty(), "finding": finding}[q.By]
			addTo(want, key, names...)
			if !open {
				days[totalKey] = append(days[totalKey], took)
			}
		})
		for _, w := range want { // any order: each row by itself
			w["against_marketing_rate"], w["against_sales_rate"] = w["against_marketing"]/w["decided"], w["against_sales"]/w["decided"]
		}
		if want[totalKey] != nil {
			want[totalKey]["median_seconds"] = middle(days[totalKey])
		}
		rowsEqual(rt, s, q, want)
	})
}

// middle is the median; NaN of nothing.
func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// each calls fn with each event of the leads that a question is about.
func (st *story) each(q Question, fn func(id string, l *lead.State, e *ledger.Event)) {
	for _, id := range st.leads() {
		if !st.about(id, q) {
			continue
		}
		l := st.lead(id, q.sees())
		for _, e := range st.events {
			if e.Subject == lead.SubjectOf(id) {
				fn(id, l, e)
			}
		}
	}
}

// credits says whether an event gives a member a lead for one that was rejected.
func credits(e *ledger.Event, id, member string, at time.Time) bool {
	b, ok := e.Body.(*routingv1.PoolAdvanced)
	return ok && e.Occurred.Equal(at) && slices.ContainsFunc(b.GetSteps(), func(s *routingv1.PoolStep) bool {
		return s.GetKind() == routingv1.StepKind_STEP_KIND_ADJUSTED && s.GetTurn() == leadv1.TurnKind_TURN_KIND_CREDIT && s.GetLeadId() == id && s.GetMember() == member
	})
}
