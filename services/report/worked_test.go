package report

import (
	"context"
	"crypto/ed25519"
	"fmt"
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
