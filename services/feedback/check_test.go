package feedback

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/chance"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// year0 is when the logs of these tests begin.
var year0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type checked struct {
	*Checks
	seq uint64
}

func newChecked() *checked {
	return &checked{Checks: NewChecks(&agreement.Register{}, NewQuarters())}
}

func (c *checked) say(id string, at time.Time, body proto.Message) {
	c.seq++
	c.Apply(&ledger.Event{Seq: c.seq, Subject: lead.SubjectOf(id), Occurred: at, Recorded: at, Body: body})
}

// month makes so many opportunities in a month since year0, each won for so many euros.
func (c *checked) month(n, opportunities int, euros int64) {
	from := year0.AddDate(0, n, 0)
	for i := range opportunities {
		id, at := fmt.Sprintf("m%d-%d", n, i), from.Add(time.Duration(i)*time.Hour)
		c.say(id, at, &leadv1.LeadReceived{})
		c.say(id, at, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL})
		if euros > 0 {
			c.say(id, at, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: euros * 100, Currency: "EUR"})
		}
	}
}

// passes lets time pass day by day, as a desk does that is woken each day, and answers the
// months of the checks that it opens.
func (c *checked) passes(from, to time.Time) (months []string) {
	for now := from; now.Before(to); now = now.AddDate(0, 0, 1) {
		if due := c.due(now); due != nil {
			months = append(months, due.GetMonth())
			c.Apply(&ledger.Event{Subject: subjectCheck(due.GetMonth()), Recorded: now, Body: due})
		}
	}
	return months
}

func TestFallOpensExactlyOneCheck(t *testing.T) {
	for name, test := range map[string]struct {
		months []int
		euros  []int64
		want   string
	}{
		"stable":                     {[]int{20, 22, 19, 20, 21, 18, 20, 19}, nil, "[]"},
		"opportunities fall":         {[]int{20, 22, 19, 5, 0, 0, 20, 19}, nil, "[2026-04]"},
		"not enough is known before": {[]int{40, 40, 5}, nil, "[]"},
		"revenue falls alone":        {[]int{10, 10, 10, 10, 10, 10, 10, 10}, []int64{100, 90, 110, 100, 100, 95, 40, 100}, "[2026-07]"},
		"revenue is the least":       {[]int{10, 10, 10, 10, 10, 10, 10, 10}, []int64{100, 90, 110, 100, 100, 95, 60, 100}, "[]"},
		"both fall":                  {[]int{20, 20, 20, 20, 20, 20, 4, 20}, []int64{100, 90, 110, 100, 100, 95, 40, 100}, "[2026-07]"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecked()
			c.say("first", year0, &leadv1.LeadReceived{})
			var got []string
			for n, opportunities := range test.months {
				euros := int64(0)
				if n < len(test.euros) {
					euros = test.euros[n]
				}
				c.month(n, opportunities, euros)
				got = append(got, c.passes(year0.AddDate(0, n, 27), year0.AddDate(0, n+1, 27))...)
			}
			if fmt.Sprint(got) != test.want {
				t.Errorf("opened %v; want %s", got, test.want)
			}
		})
	}
}

// TestCheckIsOpenedOnTime waits for what is entered late, and no longer.
func TestCheckIsOpenedOnTime(t *testing.T) {
	c := newChecked()
	c.say("first", year0, &leadv1.LeadReceived{})
	for n, opportunities := range []int{20, 20, 20, 3} {
		c.month(n, opportunities, 0)
	}
	end := year0.AddDate(0, 4, 0)
	if due := c.due(end.Add(checkAfter - time.Second)); due != nil {
		t.Errorf("before its time: %v", due)
	}
	due := c.due(end.Add(checkAfter))
	if due.GetMonth() != "2026-04" || len(due.GetFalls()) != 1 || due.GetFalls()[0].GetMonth() != 3 || due.GetFalls()[0].GetBefore() != 60 {
		t.Errorf("at its time: %v", due)
	}
	if at := (&Watch{c.Checks}).Due(&ledger.View{Woken: end}); !at.Equal(end.Add(checkAfter)) {
		t.Errorf("woken at %v; want %v", at, end.Add(checkAfter))
	}
	if at := (&Watch{newChecked().Checks}).Due(&ledger.View{Woken: end}); !at.IsZero() {
		t.Errorf("of nothing it is woken at %v", at)
	}
}

// TestSignsAreThoseOfTheMonth shows what the log says of each sign, and says of two that
// it cannot.
func TestSignsAreThoseOfTheMonth(t *testing.T) {
	c := newChecked()
	c.say("first", year0, &leadv1.LeadReceived{})
	for n, opportunities := range []int{20, 20, 20, 3} {
		c.month(n, opportunities, 0)
	}
	state := func() (out []string) {
		for _, s := range c.due(year0.AddDate(0, 4, 10)).GetSigns() {
			out = append(out, s.GetState())
		}
		return out
	}
	if got, want := fmt.Sprint(state()), "[shown not-shown shown not-measured not-shown not-measured not-shown]"; got != want {
		t.Errorf("of a month in which nobody said a word: %s; want %s", got, want)
	}
	in := year0.AddDate(0, 3, 5)
	c.say("m3-0", in, &leadv1.OfferRejected{Member: "ben"})
	c.say("m3-0", in, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana"})
	c.say("m3-1", in, &leadv1.ClockBreached{})
	if got, want := fmt.Sprint(state()), "[shown not-shown not-shown not-measured shown not-measured shown]"; got != want {
		t.Errorf("of a month with a rejected lead that another won, and a time that ran out: %s; want %s", got, want)
	}
	q := &feedbackv1.TargetsProposed{Quarter: "2026-q2", Revision: 1, From: timestamppb.New(year0.AddDate(0, 3, 0)), To: timestamppb.New(year0.AddDate(0, 6, 0))}
	c.Quarters.Apply(&ledger.Event{Body: q})
	c.Quarters.Apply(&ledger.Event{Body: &feedbackv1.TargetsSigned{Quarter: q.GetQuarter(), Revision: 1, Party: agreement.Marketing}})
	if state()[0] != "shown" {
		t.Error("targets that one side signed are somebody's")
	}
	c.Quarters.Apply(&ledger.Event{Body: &feedbackv1.TargetsSigned{Quarter: q.GetQuarter(), Revision: 1, Party: agreement.Sales}})
	if state()[0] != "not-shown" {
		t.Error("targets that both signed are nobody's")
	}
}

// TestCheckFalseAlarms holds the level that the docs state for opportunities.
func TestCheckFalseAlarms(t *testing.T) {
	const logs = 4000
	random := rand.New(rand.NewPCG(5, 71))
	alarms := 0
	for range logs {
		var n [4]int64
		for range 40 + random.IntN(200) {
			n[random.IntN(4)]++
		}
		if chance.Binomial(int(n[0]+n[1]+n[2]+n[3]), 0.25).AtMost(int(n[3])) <= CheckAlarms {
			alarms++
		}
	}
	if alarms > logs*CheckAlarms*1.5 || alarms == 0 {
		t.Errorf("%d alarms in %d logs of chance", alarms, logs)
	}
}
