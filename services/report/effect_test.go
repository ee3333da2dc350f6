package report

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

const week = 7 * 24 * time.Hour

// launch is when the campaign of these tests begins.
var launch = start.Add(9 * week)

// weekly makes so many opportunities in each week since start, and the first lead before.
func (st *story) weekly(numbers ...int) {
	for w, n := range numbers {
		for i := range n {
			id, at := fmt.Sprintf("w%d-%d", w, i), start.Add(time.Duration(w)*week+time.Duration(i)*time.Hour)
			st.received(id, at, func(b *leadv1.LeadReceived) {
				b.Features.Attribution.Campaign = map[bool]string{true: "big", false: "other"}[at.Sub(launch) >= 0 && i%2 == 0]
			})
			st.qualified(id, at.Add(time.Minute), leadv1.Stage_STAGE_SQL, 1)
		}
	}
}

func effectAt(t *testing.T, st *story, now time.Time, launched time.Time) *feedbackv1.Report {
	t.Helper()
	s := openStore(t)
	refill(t, s, st.events, 100)
	req := &feedbackv1.GetReportRequest{Report: reportEffect, Campaign: "big"}
	if !launched.IsZero() {
		req.Launched = timestamppb.New(launched)
	}
	got, err := NewReports(s, st, fixedStatus{}, clock.NewVirtual(now)).GetReport(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestFallRaisesTheAlarmWithinAWeek lets opportunities fall from ten a week to one with
// the launch: the week is hardly over when the alarm is there, and not before.
func TestFallRaisesTheAlarmWithinAWeek(t *testing.T) {
	st := &story{}
	st.weekly(10, 10, 9, 11, 10, 10, 12, 8, 10, 1, 2)
	before := effectAt(t, st, launch.Add(week-time.Second), launch)
	if n := figure(before.GetTotal(), "alarms").GetValue(); n != 0 || len(before.GetRows()) != effectWeeks || !strings.Contains(before.GetRemarks()[0], "No week after the launch is over") {
		t.Errorf("before the week is over: %v alarms, %d rows, %q", n, len(before.GetRows()), before.GetRemarks())
	}
	got := effectAt(t, st, launch.Add(week), launch)
	last := got.GetRows()[len(got.GetRows())-1]
	if last.GetKey() != launch.Format(time.DateOnly)+" after" || figure(last, "alarms").GetValue() != 1 || figure(got.GetTotal(), "alarms").GetValue() != 1 {
		t.Errorf("after a week: %v", last)
	}
	if !strings.HasPrefix(got.GetRemarks()[0], "ALARM: opportunities fell") || !strings.Contains(got.GetRemarks()[0], "By the end of week 1 there were 1, where 10.0 would be as before") {
		t.Errorf("remarks %q", got.GetRemarks())
	}
	// 80 in eight weeks before and 1 in one after: 81 of which each is of the last week
	// with one ninth.
	if p, want := figure(last, "probability").GetValue(), math.Pow(8.0/9, 81)+81.0/9*math.Pow(8.0/9, 80); math.Abs(p-want) > 1e-12 {
		t.Errorf("probability %v; want %v", p, want)
	}
	// Without a day it is the first lead of the campaign.
	if by := effectAt(t, st, launch.Add(week), time.Time{}); figure(by.GetTotal(), "alarms").GetValue() != 1 || figure(by.GetTotal(), "of_campaign").GetValue() != 1 {
		t.Errorf("by its first lead: %v", by.GetTotal())
	}
}

// TestNoAlarmWithoutAFall looks at a campaign that changes nothing, one that brings more,
// and one of whose time before nobody knows enough.
func TestNoAlarmWithoutAFall(t *testing.T) {
	for name, numbers := range map[string][]int{
		"as before": {10, 10, 9, 11, 10, 10, 12, 8, 10, 9, 10, 8, 11, 10, 10, 9, 10},
		"more":      {10, 10, 9, 11, 10, 10, 12, 8, 10, 15, 20, 18, 14, 17, 20, 19, 15},
	} {
		st := &story{}
		st.weekly(numbers...)
		got := effectAt(t, st, launch.Add(20*week), launch)
		if n := figure(got.GetTotal(), "alarms").GetValue(); n != 0 || len(got.GetRows()) != 2*effectWeeks || !strings.HasPrefix(got.GetRemarks()[0], "No alarm") {
			t.Errorf("%s: %v alarms in %d weeks, %q", name, n, len(got.GetRows()), got.GetRemarks())
		}
	}
	st := &story{}
	st.weekly(50, 50, 50, 50, 0, 0)
	got := effectAt(t, st, start.Add(8*week), start.Add(3*week))
	if n := figure(got.GetTotal(), "alarms").GetValue(); n != 0 || !strings.HasPrefix(got.GetRemarks()[0], "Too few weeks") {
		t.Errorf("of three weeks before: %v alarms, %q", n, got.GetRemarks())
	}
}

// TestEffectFalseAlarms holds the level that the report states: by chance alone at most so
// many campaigns raise any alarm in their eight weeks.
func TestEffectFalseAlarms(t *testing.T) {
	const campaigns = 4000
	random := rand.New(rand.NewPCG(3, 40))
	alarms, weekOne := 0, 0
	for range campaigns {
		mean := 2 + 20*random.Float64()
		weeks := make([]*tally, 2*effectWeeks)
		for i := range weeks {
			weeks[i] = &tally{}
			weeks[i].effect.opportunities = poisson(random, mean)
		}
		if judgeWeeks(weeks, effectWeeks, &tally{}) >= 0 {
			alarms++
		}
		weekOne += int(weeks[effectWeeks].effect.alarms)
	}
	if float64(alarms) > campaigns*EffectAlarms*effectWeeks || float64(weekOne) > campaigns*EffectAlarms*1.5 {
		t.Errorf("%d of %d campaigns raise an alarm, %d in the first week", alarms, campaigns, weekOne)
	}
}

// poisson draws a number of independent events.
func poisson(random *rand.Rand, mean float64) (n int64) {
	for p := random.Float64(); p > math.Exp(-mean); p *= random.Float64() {
		n++
	}
	return n
}

func TestEffectIsOfACampaign(t *testing.T) {
	r := NewReports(openStore(t), &story{}, fixedStatus{}, clock.NewVirtual(launch))
	for says, req := range map[string]*feedbackv1.GetReportRequest{
		"say whose effect":          {Report: reportEffect},
		"eight weeks":               {Report: reportEffect, Campaign: "big", From: timestamppb.New(start)},
		"no lead is of":             {Report: reportEffect, Campaign: "big"},
		"only the report effect":    {Report: reportFunnel, Campaign: "big"},
		"cannot be split by":        {Report: reportEffect, Campaign: "big", By: "source"},
		"cannot be split by \"so\"": {Report: reportGrowth, By: "so"},
	} {
		says = strings.ReplaceAll(says, "eight", fmt.Sprint(effectWeeks))
		if _, err := r.GetReport(context.Background(), req); err == nil || !strings.Contains(err.Error(), says) || !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
			t.Errorf("%v: %v; want it refused with %q", req, err, says)
		}
	}
}

// TestGrowthBesideAlignment counts two quarters: the second has twice the opportunities
// and half the revenue of the first, and what was promised was kept to in two of three.
func TestGrowthBesideAlignment(t *testing.T) {
	st := &story{}
	deal := func(id string, at time.Time, sql bool, minor int64) {
		st.received(id, at, nil)
		if sql {
			st.qualified(id, at, leadv1.Stage_STAGE_SQL, 1)
		}
		st.offered(id, at)
		if minor > 0 {
			st.say(id, at.Add(time.Minute), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
			st.touch(id, at.Add(2*time.Minute))
			st.won(id, at.Add(3*time.Minute), minor, "EUR")
		}
	}
	deal("old", start, true, 1) // of a quarter that was not whole
	deal("a", spring.Add(time.Hour), true, 1000)
	deal("b", spring.AddDate(0, 3, 1), true, 500)
	deal("c", spring.AddDate(0, 3, 2), true, 0)
	s := openStore(t)
	refill(t, s, st.events, 10)
	r := NewReports(s, st, fixedStatus{}, clock.NewVirtual(spring.AddDate(0, 7, 0)))
	r.Baseline = func() time.Time { return start.Add(time.Hour) }
	r.Year = func() agreement.Year { return agreement.Year{Starts: time.January, Zone: time.UTC} }
	got, err := r.GetReport(context.Background(), &feedbackv1.GetReportRequest{Report: reportGrowth})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetRows()) != 2 || got.GetRows()[0].GetKey() != "2026-q2" || got.GetCurrency() != "EUR" {
		t.Fatalf("%v", got)
	}
	for name, want := range map[string]float64{"opportunities": 2, "opportunities_growth": 1, "revenue": 5, "revenue_growth": -0.5, "offered": 2, "taken_in_time": 0.5, "followed_up": 0.5, "not_rejected": 1, "alignment": 4.0 / 6} {
		if f := figure(got.GetRows()[1], name); f.GetUnknown() || math.Abs(f.GetValue()-want) > 1e-9 {
			t.Errorf("%s is %v; want %v", name, f, want)
		}
	}
	if f := figure(got.GetTotal(), "revenue_growth"); !f.GetUnknown() {
		t.Errorf("the total grows against something: %v", f)
	}
	if text := strings.Join(got.GetRemarks(), " "); !strings.Contains(text, "held against 2026-q2") || !strings.Contains(text, "do not say that one moves the other") {
		t.Errorf("remarks %q", text)
	}
}
