package recount

import (
	"math"
	"time"
)

// The weeks beside a launch: so many on either side at most, and before it so many at
// least for anything to be said. An alarm is raised where so few are so improbable.
const (
	weeksBeside    = 8
	weeksNeeded    = 4
	improbableFall = 0.005
)

// effect counts the opportunities of the weeks before and after a launch; nil = nobody
// says when that was, and no lead is of the campaign.
func (l *Log) effect(q Question) map[string]*Row {
	var reached []*lead
	var first, launch time.Time
	l.each(q, func(v *view) {
		if !v.kept() {
			return
		}
		earliest(&first, v.s.received)
		if v.s.campaign == q.Campaign {
			earliest(&launch, v.s.received)
		}
		if !v.s.sql.IsZero() {
			reached = append(reached, v.s)
		}
	})
	if !q.Launched.IsZero() {
		launch = q.Launched
	}
	if launch.IsZero() {
		return nil
	}
	// The n-th week from the launch on begins on that day at the launch's local time.
	local := launch.In(q.Zone)
	begins := func(n int) time.Time {
		return time.Date(local.Year(), local.Month(), local.Day()+7*n, local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), q.Zone)
	}
	rows, total := map[string]*Row{}, nothingOfAWeek()
	week := func(n int, side string) *Row {
		row := nothingOfAWeek()
		for _, s := range reached {
			if s.sql.Before(begins(n)) || !s.sql.Before(begins(n+1)) {
				continue
			}
			for _, r := range []*Row{row, total} {
				r.Cases++
				r.Figures["opportunities"]++
				if s.campaign == q.Campaign {
					r.Figures["of_campaign"]++
				}
			}
		}
		rows[begins(n).Format("2006-01-02")+" "+side] = row
		return row
	}
	weeks, before, since := 0.0, 0, 0
	for n := -weeksBeside; n < 0; n++ {
		if !first.IsZero() && !begins(n).Before(first) {
			weeks++
			before += week(n, "before").Cases
		}
	}
	for n := 0; n < weeksBeside && !begins(n+1).After(q.now()); n++ {
		row := week(n, "after")
		since += row.Cases
		row.Figures["since_launch"] = float64(since)
		over := float64(n + 1)
		if weeks >= weeksNeeded {
			row.Figures["expected"] = float64(before) / weeks * over
			row.Figures["probability"] = atMost(since, before+since, over/(over+weeks))
			if row.Figures["probability"] <= improbableFall {
				row.Figures["alarms"] = 1
			}
		}
		for _, name := range []string{"since_launch", "expected", "probability"} {
			total.Figures[name] = row.Figures[name]
		}
		total.Figures["alarms"] += row.Figures["alarms"]
	}
	rows[Total] = total
	return rows
}

func nothingOfAWeek() *Row {
	return &Row{Figures: map[string]float64{
		"opportunities": 0, "of_campaign": 0, "since_launch": 0, "expected": math.NaN(), "probability": math.NaN(), "alarms": 0,
	}}
}

// atMost is how probable it is that at most k of n fall where each does with probability p:
// the sum of what each number is by itself, worked out by multiplying.
func atMost(k, n int, p float64) (sum float64) {
	for i := 0; i <= k; i++ {
		each := math.Pow(1-p, float64(n-i))
		for j := range i {
			each *= p * float64(n-j) / float64(j+1)
		}
		sum += each
	}
	return sum
}
