package report

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// clocksOfTests are clocks in working time and in clock time, one for some leads alone.
const clocksOfTests = `
clocks:
  - {id: take, title: Take, text: Taken., department: sales, starts: [received], stops: [accepted], pauses: [waiting], limit: 3h, time: clock}
  - {id: follow, title: Follow, text: Followed., department: sales, starts: [accepted], stops: [touched, rejected], pauses: [away], limit: 5h}
  - {id: german, title: German, text: German., department: marketing, when: lead.country == "DE", starts: [received, rejected], stops: [nurtured], limit: 20h, time: clock}
`

// agreedRules is an agreement with clocks and feedback, in force from the beginning.
func agreedRules(t testing.TB) agreement.Standing {
	t.Helper()
	keys := [2]ed25519.PublicKey{append(make([]byte, 31), 1), append(make([]byte, 31), 2)}
	document := strings.ReplaceAll(string(agreement.Starter(agreement.StarterParams{MarketingKey: keys[0], SalesKey: keys[1]})), "inside-sales", "inside")
	a, err := agreement.Compile([]byte(document + clocksOfTests))
	if err != nil {
		t.Fatal(err)
	}
	v := &agreement.Version{Number: 1, Agreement: a, InForceFrom: start}
	return func(at time.Time) *agreement.Version {
		if at.Before(start) {
			return nil
		}
		return v
	}
}

// anaIsAway says that one of the members was away for a while.
func anaIsAway(member string) []agreement.Span {
	if member != "ana" {
		return nil
	}
	return []agreement.Span{{From: start.Add(2 * time.Hour), To: start.Add(30 * time.Hour)}}
}

// clock appends what a clock says of a run that may be.
func (st *story) clock(t *rapid.T, id string, at, started time.Time) {
	ref := &leadv1.ClockRef{Clock: rapid.SampledFrom([]string{"take", "german"}).Draw(t, "clock"), StartedAt: timestamppb.New(started)}
	switch rapid.IntRange(1, 4).Draw(t, "said") {
	case 1:
		st.say(id, at, &leadv1.ClockReminded{Clock: ref})
	case 2:
		st.say(id, at, &leadv1.ClockBreached{Clock: ref})
	case 3:
		st.say(id, at, &leadv1.ClockEscalated{Clock: ref, Step: rapid.Int32Range(1, 3).Draw(t, "step")})
	case 4:
		st.say(id, at, &leadv1.ClockRestated{Clock: ref, Because: "e1"})
	}
}

// workedEqualsACount holds the reports whose cases are worked out against the events.
func workedEqualsACount(t *testing.T, s *Store) {
	rules := agreedRules(t)
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 50)
		ask := func(report string, by ...string) Question {
			q := askOf(rt, st, report, by...)
			q.InForce, q.Away = rules, anaIsAway
			return q
		}
		q := ask(reportPhrases, "", "vertical", "source")
		rowsEqual(rt, s, q, countPhrases(st, q))
		q = ask(reportHygiene, "", "question", "source")
		want := countHygiene(st, q)
		rowsEqual(rt, s, q, want)
		drilled(rt, s, q, "missing", want)
		q = ask(reportSLA, "", "department", "source", "person")
		want = countRuns(st, q)
		rowsEqual(rt, s, q, want)
		drilled(rt, s, q, "breached", want)
	})
}

// answersAsLaidDown is one lead of which three answers are required within three working
// days.
func answersAsLaidDown(t *testing.T, s *Store) {
	const day = 24 * time.Hour
	st := &story{}
	st.received("l1", start, nil)
	st.offer("l1", start, "inside", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1")
	st.say("l1", start.Add(time.Hour), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	st.say("l1", start.Add(day), &leadv1.FeedbackGiven{Member: "ben", Interest: 5, Talk: "well", Why: []string{"fits"}})
	st.say("l1", start.Add(2*day), &leadv1.FeedbackGiven{Member: "ana", Interest: 4, Talk: "open"})
	st.say("l1", start.Add(10*day), &leadv1.FeedbackGiven{Member: "ana", Interest: 4, Talk: "open", Why: []string{"fits"}})
	refill(t, s, st.events, 10)
	r := NewReports(s, &story{}, fixedStatus{}, clock.NewVirtual(start.Add(20*day)))
	r.InForce = agreedRules(t)
	for _, test := range []struct {
		after                         time.Duration
		filled, missing, late, opened float64
	}{
		{day, 0, 0, 0, 3},
		{2 * day, 2, 0, 0, 1},
		{9 * day, 2, 1, 0, 0},
		{20 * day, 2, 1, 1, 0},
	} {
		got, err := r.GetReport(context.Background(), &feedbackv1.GetReportRequest{Report: reportHygiene, AsOf: timestamppb.New(start.Add(test.after))})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.GetRows()) != 1 || got.GetRows()[0].GetKey() != "ana" {
			t.Fatalf("rows %v; want ana's alone", got.GetRows())
		}
		for name, want := range map[string]float64{"required": 3, "filled": test.filled, "missing": test.missing, "late": test.late, "open": test.opened} {
			if f := figure(got.GetTotal(), name); f.GetValue() != want {
				t.Errorf("after %v %s is %v; want %v", test.after, name, f.GetValue(), want)
			}
		}
	}
	page, err := r.ListReportLeads(context.Background(), &feedbackv1.ListReportLeadsRequest{
		Report: reportHygiene, Name: "missing", Question: &feedbackv1.GetReportRequest{By: "question"}, Key: "why",
	})
	if err != nil || len(page.GetLeads()) != 1 || page.GetLeads()[0].GetLeadId() != "l1" || page.GetLeads()[0].GetValue() != 1 {
		t.Errorf("leads of which it is missing why: %v, %v; want l1", page.GetLeads(), err)
	}
}

// drilled holds the list of what a figure counted against the figure.
func drilled(rt *rapid.T, s *Store, q Question, name string, want map[string]counted) {
	for key, row := range want { // any order: each row by itself
		sum := 0.0
		for token := ""; ; {
			page, err := s.counted(context.Background(), q, name, key, 2, token)
			if err != nil {
				rt.Fatal(err)
			}
			for _, l := range page.GetLeads() {
				sum += l.GetValue()
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if sum != row[name] {
			rt.Fatalf("%s of %s: what is listed makes %v, the figure is %v", name, key, sum, row[name])
		}
	}
}

// different counts different words for rows.
type different map[string]map[string]bool

func (d different) add(key, word string) {
	if key == "" {
		key = noneKey
	}
	for _, k := range []string{key, totalKey} {
		if d[k] == nil {
			d[k] = map[string]bool{}
		}
		if word != "" {
			d[k][word] = true
		}
	}
}

func (d different) into(want map[string]counted, name string) {
	for key, w := range want { // any order: each row by itself
		w[name] = float64(len(d[key]))
	}
}

func countPhrases(st *story, q Question) map[string]counted {
	want, leads, verticals := map[string]counted{}, different{}, different{}
	for _, id := range st.leads() {
		if !st.about(id, q) {
			continue
		}
		latest := map[string]*ledger.Event{}
		for _, e := range st.events {
			if b, ok := e.Body.(*leadv1.FeedbackGiven); ok && e.Subject == lead.SubjectOf(id) && !e.Occurred.After(q.sees()) {
				latest[b.GetMember()] = e
			}
		}
		for _, e := range latest { // any order: they are counted
			b, _ := e.Body.(*leadv1.FeedbackGiven)
			if !q.sawAt(e.Occurred) {
				continue
			}
			for _, phrase := range b.GetPhrases() {
				vertical := cmp.Or(b.GetVertical(), st.lead(id, q.sees()).Features.GetIndustry())
				key := map[string]string{"phrase": phrase, "vertical": vertical, "source": st.lead(id, q.sees()).Source}[q.By]
				addTo(want, key, "mentions")
				leads.add(key, id)
				verticals.add(key, vertical)
			}
		}
	}
	leads.into(want, "leads")
	verticals.into(want, "verticals")
	return want
}

func countHygiene(st *story, q Question) map[string]counted {
	want, leads := map[string]counted{}, different{}
	rules := q.InForce(start).Agreement
	agreed, _ := rules.Feedback()
	office, _ := rules.Calendar("office")
	st.each(q, func(id string, l *lead.State, e *ledger.Event) {
		by, _, ok := acceptance(st, id, e)
		if !ok || !q.sawAt(e.Occurred) {
			return
		}
		// Of pools that the agreement does not know, working time is not known either.
		due, timed := far, false
		if poolAt(st, id, e) == "inside" {
			due, timed = office.Add(e.Occurred, agreed.Within)
		}
		said := func(until time.Time) (answers map[string]bool) {
			for _, other := range st.events {
				b, ok := other.Body.(*leadv1.FeedbackGiven)
				if ok && other.Subject == e.Subject && b.GetMember() == by && !other.Occurred.After(until) && !other.Occurred.After(q.sees()) {
					answers = map[string]bool{"interest": b.GetInterest() > 0, "talk": b.GetTalk() != "", "why": len(b.GetWhy()) > 0}
				}
			}
			return answers
		}
		over := !timed || !due.After(q.AsOf)
		if !timed {
			due = far
		}
		for _, question := range agreed.Required {
			key := map[string]string{"person": by, "question": question, "source": l.Source}[q.By]
			names := []string{"required"}
			switch filled := said(due)[question]; {
			case filled:
				names = append(names, "filled")
			case over:
				names = append(names, "missing")
				if said(q.AsOf)[question] {
					names = append(names, "late")
				}
			default:
				names = append(names, "open")
			}
			addTo(want, key, names...)
			leads.add(key, id)
		}
	})
	leads.into(want, "leads")
	for _, w := range want { // any order: each row by itself
		w["filled_rate"] = w["filled"] / (w["filled"] + w["missing"])
	}
	return want
}

// acceptance says who got the lead as their own by an event.
func acceptance(st *story, id string, e *ledger.Event) (member, pool string, ok bool) {
	before, after := &lead.State{ID: id}, &lead.State{ID: id}
	for _, other := range st.events {
		if other.Subject != e.Subject || other.Seq > e.Seq {
			continue
		}
		if other.Seq < e.Seq {
			before.Evolve(other.Body, other.Occurred, other.Recorded)
		}
		after.Evolve(other.Body, other.Occurred, other.Recorded)
	}
	switch b := e.Body.(type) {
	case *leadv1.OfferAccepted:
		return b.GetMember(), before.Pool, true
	case *leadv1.LeadReassigned:
		return after.Owner, after.Pool, !after.Historical && after.Owner != ""
	}
	return "", "", false
}

// poolAt is the pool of the lead when an event had happened.
func poolAt(st *story, id string, e *ledger.Event) string {
	_, pool, _ := acceptance(st, id, e)
	return pool
}

func countRuns(st *story, q Question) map[string]counted {
	want := map[string]counted{}
	spent := map[string][]float64{}
	for _, id := range st.leads() {
		if !st.about(id, q) {
			continue
		}
		l := st.lead(id, q.sees())
		if l.Historical {
			continue
		}
		for _, r := range agreement.Runs(&l.Course, q.InForce, q.Away) {
			if !q.sawAt(r.Started) {
				continue
			}
			key := map[string]string{"clock": r.Clock.ID, "department": r.Clock.Department, "source": l.Source, "person": l.Owner}[q.By]
			if key == "" {
				key = noneKey
			}
			names := []string{"started"}
			switch {
			case r.Met():
				names = append(names, "met")
			case r.Breached(q.AsOf):
				names = append(names, "breached")
				if r.Stopped.IsZero() {
					names = append(names, "unstopped")
				}
			default:
				names = append(names, "running")
			}
			once := func(name string) {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			for _, s := range l.Course.Said {
				if s.Clock != r.Clock.ID || !s.Started.Equal(r.Started) {
					continue
				}
				switch s.Kind {
				case lead.ClockReminded:
					once("reminded")
				case lead.ClockEscalated:
					once("escalated")
					once(fmt.Sprintf("step_%d", s.Step))
					names = append(names, "steps")
				case lead.ClockRestated:
					once("restated")
				}
			}
			addTo(want, key, names...)
			if !r.Stopped.IsZero() {
				for _, k := range []string{key, totalKey} {
					spent[k] = append(spent[k], r.Spent(r.Stopped).Seconds())
				}
			}
		}
	}
	for key, w := range want { // any order: each row by itself
		w["median_seconds"], w["p90_seconds"] = middle(spent[key]), math.NaN()
		if n := len(spent[key]); n > 0 {
			w["p90_seconds"] = spent[key][int(math.Ceil(0.9*float64(n)))-1]
		}
		w["met_rate"] = w["met"] / (w["met"] + w["breached"])
	}
	return want
}

// Who leads nobody sees no name but their own, whatever the cases are split by.
func TestNobodyElseIsNamed(t *testing.T) {
	s := openStore(t)
	st := &story{}
	for i, member := range []string{"ana", "ben"} {
		id := fmt.Sprintf("l%d", i)
		st.received(id, start, nil)
		st.offer(id, start, "inside", member, leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1 ben=1")
		st.say(id, start.Add(time.Hour), &leadv1.OfferAccepted{Member: member, Offer: 1})
	}
	refill(t, s, st.events, 10)
	r := NewReports(s, &story{}, fixedStatus{}, clock.NewVirtual(start.Add(2*time.Hour)))
	r.InForce = agreedRules(t)
	for _, test := range []struct{ report, by string }{{reportSLA, "holder"}, {reportSLA, "person"}, {reportHygiene, "person"}} {
		for who, want := range map[string][]string{access.Sales: {"ana", othersKey}, access.Manager: {"ana", "ben"}} { // any order: each by itself
			ctx := access.With(context.Background(), access.Actor{Handle: "ana", Roles: []string{who}})
			got, err := r.GetReport(ctx, &feedbackv1.GetReportRequest{Report: test.report, By: test.by})
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, row := range got.GetRows() {
				if row.GetKey() != noneKey {
					keys = append(keys, row.GetKey())
				}
			}
			if !slices.Equal(keys, want) {
				t.Errorf("%s by %s: %s sees %q; want %q", test.report, test.by, who, keys, want)
			}
		}
	}
}
