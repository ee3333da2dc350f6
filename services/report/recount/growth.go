package recount

import (
	"math"
	"time"
)

// growth counts whole quarters and holds each against the first of them.
func (l *Log) growth(q Question) map[string]*Row {
	asked := q
	q.From, q.To, q.By = time.Time{}, time.Time{}, "quarter"
	var leads []*view
	var since time.Time
	l.each(q, func(v *view) {
		if v.kept() {
			leads = append(leads, v)
			earliest(&since, v.s.received)
		}
	})
	if asked.From.After(since) {
		since = asked.From
	}
	quarters := map[string]*Row{}
	sum := &quarter{money: map[string]int64{}}
	var whole []*quarter
	if len(leads) > 0 {
		for from := q.quarterOf(since); ; from = from.AddDate(0, 3, 0) {
			to := from.AddDate(0, 3, 0)
			if to.After(q.now()) || !asked.To.IsZero() && to.After(asked.To) {
				break
			}
			if from.Before(since) {
				continue
			}
			one := &quarter{name: q.period(from), money: map[string]int64{}}
			for _, v := range leads {
				one.take(v, one.name)
				sum.take(v, one.name)
			}
			whole = append(whole, one)
		}
	}
	currency := (&Row{money: sum.money}).currency()
	for _, one := range whole {
		quarters[one.name] = one.row(currency, whole[0])
	}
	quarters[Total] = sum.row(currency, nil)
	return quarters
}

// quarterOf is the first instant of the quarter that an instant lies in.
func (q Question) quarterOf(t time.Time) time.Time {
	local := t.In(q.Zone)
	first := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, q.Zone)
	for q.period(first.AddDate(0, -1, 0)) == q.period(t) {
		first = first.AddDate(0, -1, 0)
	}
	return first
}

// quarter is what happened in one.
type quarter struct {
	name                               string
	opportunities, won                 float64
	money                              map[string]int64
	offered, taken, followed, rejected float64
}

// take counts what of a lead happened in the quarter of a name.
func (b *quarter) take(v *view, name string) {
	s := v.s
	in := func(at time.Time) bool { return !at.IsZero() && v.q.period(at) == name }
	if in(s.sql) {
		b.opportunities++
	}
	if s.state == "won" && in(s.closed) {
		b.won++
		if s.value != 0 {
			b.money[s.currency] += s.value
		}
	}
	if !in(s.offered) {
		return
	}
	b.offered++
	if !s.inTime.IsZero() {
		b.taken++
	}
	if answer, _ := v.answer(); answer != "never" && answer != "open" {
		b.followed++
	}
	if !s.rejected.IsZero() {
		b.rejected++
	}
}

// row makes the figures of a quarter, beside those of the first.
func (b *quarter) row(currency string, first *quarter) *Row {
	value := func(of *quarter) float64 {
		minor, known := minorOf[currency]
		if !known {
			return math.NaN()
		}
		return float64(of.money[currency]) / minor
	}
	more := func(now, then float64) float64 {
		if then == 0 {
			return math.NaN()
		}
		return (now - then) / then
	}
	f := map[string]float64{
		"opportunities": b.opportunities, "won": b.won, "revenue": value(b), "opportunities_growth": math.NaN(), "revenue_growth": math.NaN(),
		"offered": b.offered, "taken_in_time": b.taken / b.offered, "followed_up": b.followed / b.offered, "not_rejected": (b.offered - b.rejected) / b.offered,
	}
	if first != nil {
		f["opportunities_growth"], f["revenue_growth"] = more(b.opportunities, first.opportunities), more(value(b), value(first))
	}
	f["alignment"] = (f["taken_in_time"] + f["followed_up"] + f["not_rejected"]) / 3
	return &Row{Cases: int(b.offered), Figures: f}
}
