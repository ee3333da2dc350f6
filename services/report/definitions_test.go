package report

import (
	"context"
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
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// laidDown is from when on each version of these tests is in force.
var laidDown = []time.Time{start.Add(-24 * time.Hour), start.Add(10 * 24 * time.Hour), start.Add(25 * 24 * time.Hour)}

// told is one lead as its events tell it, read apart from the fold.
type told struct {
	state                                      *lead.State
	version                                    int64
	mql, sal, sql, returned, offered, accepted time.Time
}

func (st *story) told(id string, until time.Time) told {
	o := told{state: st.lead(id, until)}
	note := func(at *time.Time, when time.Time) {
		if at.IsZero() {
			*at = when
		}
	}
	for _, e := range st.events {
		if e.Subject != lead.SubjectOf(id) || e.Occurred.After(until) {
			continue
		}
		switch b := e.Body.(type) {
		case *leadv1.LeadQualified:
			if o.version == 0 {
				o.version = b.GetAgreementVersion()
			}
			note(&o.mql, e.Occurred)
			if b.GetStage() >= leadv1.Stage_STAGE_SAL {
				note(&o.sal, e.Occurred)
			}
			if b.GetStage() == leadv1.Stage_STAGE_SQL {
				note(&o.sql, e.Occurred)
			}
		case *leadv1.LeadNurtured:
			if o.version == 0 {
				o.version = b.GetAgreementVersion()
			}
			if !o.mql.IsZero() {
				note(&o.returned, e.Occurred)
			}
		case *leadv1.LeadOffered:
			note(&o.offered, e.Occurred)
		case *leadv1.OfferAccepted:
			note(&o.accepted, e.Occurred)
		}
	}
	return o
}

// countByHand counts leads by hand.
func countByHand(leads []told) counted {
	c := counted{}
	for _, m := range metricsOf(reportDefinitions) {
		if m.Unit == unitLeads {
			c[m.Name] = 0
		}
	}
	var taken []float64
	both := 0.0
	for _, o := range leads {
		c["leads"]++
		for name, at := range map[string]time.Time{"mql": o.mql, "sal": o.sal, "sql": o.sql, "handoffs": o.offered, "accepted": o.accepted, "returned": o.returned} {
			if !at.IsZero() {
				c[name]++
			}
		}
		if !o.offered.IsZero() && !o.accepted.IsZero() {
			both++
			taken = append(taken, max(o.accepted.Sub(o.offered), 0).Seconds())
		}
	}
	c["mql_rate"], c["sql_rate"] = c["mql"]/c["leads"], c["sql"]/c["mql"]
	c["accept_rate"], c["returned_rate"] = both/c["handoffs"], c["returned"]/c["mql"]
	c["handoffs_per_sql"] = c["handoffs"] / c["sql"]
	if c["sql"] == 0 {
		c["handoffs_per_sql"] = math.NaN()
	}
	c["median_take_seconds"] = math.NaN()
	slices.Sort(taken)
	if n := len(taken); n > 0 {
		c["median_take_seconds"] = (taken[(n-1)/2] + taken[n/2]) / 2
	}
	return c
}

// definitionsEqualACount holds the report on definitions against the events: each
// lead counts for the version that decided it first and for no other.
func definitionsEqualACount(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		all := slices.Clone(st.events)
		for i, at := range laidDown {
			all = append(all, agreedOn(len(all)+1, int64(i+1), at)...)
		}
		refill(rt, s, all, 50)
		now := start.Add(90 * 24 * time.Hour)
		for _, e := range st.events {
			if e.Occurred.After(now) {
				now = e.Occurred
			}
		}
		req := &feedbackv1.GetReportRequest{
			Report: reportDefinitions,
			By:     rapid.SampledFrom([]string{"", "", "source", "country"}).Draw(rt, "by"), Historical: rapid.Bool().Draw(rt, "historical"),
		}
		if rapid.Bool().Draw(rt, "bounded") {
			req.From, req.To = timestamppb.New(start.Add(time.Hour)), timestamppb.New(start.Add(50*24*time.Hour))
		}
		if rapid.Bool().Draw(rt, "past") {
			req.AsOf = timestamppb.New(st.events[rapid.IntRange(0, len(st.events)-1).Draw(rt, "as of")].Occurred)
		}
		q, err := question(req, now)
		if err != nil {
			rt.Fatal(err)
		}
		until := far
		if q.Past {
			until = q.AsOf
		}
		groups, whole := map[string][]told{}, []told(nil)
		for _, id := range st.leads() {
			o := st.told(id, until)
			switch {
			case o.version == 0, o.state.State == leadv1.State_STATE_REFUSED, o.state.Historical && !q.Historical,
				!q.From.IsZero() && o.state.ReceivedAt.Before(q.From), !q.To.IsZero() && !o.state.ReceivedAt.Before(q.To):
				continue
			}
			key := map[string]string{"": fmt.Sprint(o.version), "source": o.state.Source, "country": o.state.Features.GetCountry()}[q.By]
			if key == "" {
				key = noneKey
			}
			groups[key] = append(groups[key], o)
			whole = append(whole, o)
		}
		got, err := s.Report(context.Background(), q)
		if err != nil {
			rt.Fatal(err)
		}
		checkRow(rt, "total", got.GetTotal(), countByHand(whole))
		seen := 0
		for _, row := range got.GetRows() {
			checkRow(rt, "row "+row.GetKey(), row, countByHand(groups[row.GetKey()]))
			seen += len(groups[row.GetKey()])
		}
		if seen != len(whole) {
			rt.Fatalf("the rows hold %d leads of %d", seen, len(whole))
		}
		addUp(rt, got)
		for _, c := range got.GetComparisons() {
			before, after := int64(0), int64(0)
			window := time.Duration(c.GetWindowSeconds()) * time.Second
			at := c.GetAt().AsTime()
			for _, o := range whole {
				switch r := o.state.ReceivedAt; {
				case o.version == c.GetBeforeVersion() && !r.Before(at.Add(-window)) && r.Before(at):
					before++
				case o.version == c.GetAfterVersion() && !r.Before(at) && r.Before(at.Add(window)):
					after++
				}
			}
			if figure(c.GetBefore(), "leads").GetValue() != float64(before) || figure(c.GetAfter(), "leads").GetValue() != float64(after) {
				rt.Fatalf("the change to %d over %s: %v before, %v after; a direct count says %d and %d", c.GetAfterVersion(), window,
					figure(c.GetBefore(), "leads"), figure(c.GetAfter(), "leads"), before, after)
			}
		}
	})
}

// changeIsCompared lays leads on both sides of a change, and just outside of both
// windows.
func changeIsCompared(t *testing.T, s *Store) {
	ctx := context.Background()
	const day = 24 * time.Hour
	st := &story{}
	changed := start.Add(40 * day)
	decide := func(id string, at time.Time, version int64, accepted, back bool) {
		st.received(id, at, nil)
		if version == 2 && at.Before(changed) {
			at = changed
		}
		st.say(id, at, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: version, Explanation: explained("fits")})
		st.say(id, at.Add(time.Minute), &leadv1.LeadOffered{AgreementVersion: version, Pool: "p", Group: "g", Member: "ana", Offer: 1, TakeBy: timestamppb.New(at), Turn: 1, Summary: "x"})
		if accepted {
			st.say(id, at.Add(11*time.Minute), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
		}
		if back {
			// Another version may send it back; it stays the first one's lead.
			st.say(id, changed.Add(3*day), &leadv1.LeadNurtured{AgreementVersion: 2, Reason: lead.ReasonCall, Explanation: explained("no fit")})
		}
	}
	decide("early", changed.Add(-30*day-time.Second), 1, true, false)
	decide("first", changed.Add(-30*day), 1, true, true)
	decide("second", changed.Add(-day), 1, false, true)
	// Received before the change and decided first after it: the new version's lead,
	// and on neither side of the comparison.
	decide("late", changed.Add(-time.Second), 2, false, false)
	decide("third", changed, 2, true, false)
	decide("fourth", changed.Add(30*day-time.Second), 2, true, false)
	decide("after", changed.Add(30*day), 2, true, false)
	st.received("waits", changed, nil)
	all := append(slices.Clone(st.events), agreedOn(len(st.events)+1, 1, start)...)
	all = append(all, agreedOn(len(all)+1, 2, changed)...)
	refill(t, s, all, 100)
	report := func(req *feedbackv1.GetReportRequest, now time.Time) *feedbackv1.Report {
		t.Helper()
		req.Report = reportDefinitions
		q, err := question(req, now)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Report(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	line := func(row *feedbackv1.ReportRow) string {
		var b strings.Builder
		for _, name := range []string{"leads", "mql", "handoffs", "accepted", "returned", "median_take_seconds"} {
			fmt.Fprintf(&b, "%s %v ", name, figure(row, name).GetValue())
		}
		return strings.TrimSpace(b.String())
	}
	r := report(&feedbackv1.GetReportRequest{}, changed.Add(60*day))
	var rows []string
	for _, row := range r.GetRows() {
		rows = append(rows, row.GetKey()+": "+line(row))
	}
	if want := []string{
		"1: leads 3 mql 3 handoffs 3 accepted 2 returned 2 median_take_seconds 600",
		"2: leads 4 mql 4 handoffs 4 accepted 3 returned 0 median_take_seconds 600",
	}; !slices.Equal(rows, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	one, two := r.GetRows()[0], r.GetRows()[1]
	if !one.GetFrom().AsTime().Equal(start) || !one.GetTo().AsTime().Equal(changed) || !two.GetFrom().AsTime().Equal(changed) || two.GetTo() != nil {
		t.Errorf("in force: version 1 %v to %v, version 2 %v to %v", one.GetFrom(), one.GetTo(), two.GetFrom(), two.GetTo())
	}
	if len(r.GetComparisons()) != 1 {
		t.Fatalf("%d changes are compared; there was one", len(r.GetComparisons()))
	}
	c := r.GetComparisons()[0]
	if c.GetWindowSeconds() != int64(30*day/time.Second) || line(c.GetBefore()) != "leads 2 mql 2 handoffs 2 accepted 1 returned 2 median_take_seconds 600" || line(c.GetAfter()) != "leads 2 mql 2 handoffs 2 accepted 2 returned 0 median_take_seconds 600" {
		t.Errorf("over %d s:\nbefore %s\nafter  %s", c.GetWindowSeconds(), line(c.GetBefore()), line(c.GetAfter()))
	}
	// Five days after the change both windows have five days.
	r = report(&feedbackv1.GetReportRequest{}, changed.Add(5*day))
	if c := r.GetComparisons()[0]; c.GetWindowSeconds() != int64(5*day/time.Second) || figure(c.GetBefore(), "leads").GetValue() != 1 || figure(c.GetAfter(), "leads").GetValue() != 1 {
		t.Errorf("five days later: over %d s, %v and %v", c.GetWindowSeconds(), figure(c.GetBefore(), "leads"), figure(c.GetAfter(), "leads"))
	}
	// Nothing reaches out of the time that is asked about, nor before it.
	r = report(&feedbackv1.GetReportRequest{From: timestamppb.New(changed.Add(-2 * day))}, changed.Add(60*day))
	if c := r.GetComparisons()[0]; c.GetWindowSeconds() != int64(2*day/time.Second) || figure(c.GetBefore(), "leads").GetValue() != 1 {
		t.Errorf("from two days before on: over %d s, %v", c.GetWindowSeconds(), figure(c.GetBefore(), "leads"))
	}
	if r = report(&feedbackv1.GetReportRequest{AsOf: timestamppb.New(changed.Add(-time.Second))}, far); len(r.GetComparisons()) != 0 || len(r.GetRows()) != 1 {
		t.Errorf("a second before the change: %v", r)
	}
	if _, err := question(&feedbackv1.GetReportRequest{Report: "definition"}, far); !fault.Is(err, fault.Invalid) {
		t.Errorf("a report that does not exist: %v", err)
	}
}
