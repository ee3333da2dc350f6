package report

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/lead"
)

const reportGrowth = "growth"

// growthBooks is one quarter: what came of the work, and how both departments kept to what
// they agreed on.
type growthBooks struct {
	opportunities, won int64
	// minor is the value of what was won, if it is in one currency; decimals -1 = it is not.
	minor      int64
	decimals   int
	currencies []string
	// of is the quarter that this one is held against; nil = there is none.
	of *growthBooks

	offered, inTime, followed, kept int64
}

// over is how much more a number is than that of the quarter that it is held against.
func (b *growthBooks) over(of func(*growthBooks) (int64, bool)) (float64, bool) {
	if b.of == nil {
		return 0, false
	}
	now, known := of(b)
	then, was := of(b.of)
	if !known || !was || then == 0 {
		return 0, false
	}
	return float64(now)/float64(then) - 1, true
}

func (b *growthBooks) revenue() (int64, bool) { return b.minor, b.decimals >= 0 }

func growthReport() *info {
	const (
		reached = "leads that reached the stage SQL in the quarter"
		deals   = "deals won in the quarter"
		handed  = "leads first offered to a member in the quarter"
	)
	metric := func(name, unit, owner, formula, population string, of func(*growthBooks) (float64, bool)) Metric {
		return Metric{Report: reportGrowth, Name: name, Unit: unit, Owner: owner, Formula: formula, Population: population, value: func(t *tally) (float64, bool) { return of(&t.growth) }}
	}
	number := func(of func(*growthBooks) int64) func(*growthBooks) (float64, bool) {
		return func(b *growthBooks) (float64, bool) { return float64(of(b)), true }
	}
	share := func(of func(*growthBooks) int64) func(*growthBooks) (float64, bool) {
		return func(b *growthBooks) (float64, bool) { return ratio(of(b), b.offered) }
	}
	const against = " divided by that of the first whole quarter of the report, less 1; the report begins at the agreed baseline unless another time is asked for, and never before the first lead"
	return &info{
		name: reportGrowth, text: "Growth against the agreed baseline, beside how far both departments kept to what they agreed on; neither is said to cause the other.", fixed: "quarter",
		metrics: identified([]Metric{
			metric("opportunities", unitLeads, ownerBoth, "leads that reached the stage SQL", reached, number(func(b *growthBooks) int64 { return b.opportunities })),
			metric("opportunities_growth", unitRatio, ownerBoth, "opportunities"+against, reached, func(b *growthBooks) (float64, bool) {
				return b.over(func(b *growthBooks) (int64, bool) { return b.opportunities, true })
			}),
			metric("won", unitLeads, ownerSales, "leads whose deal is won", deals, number(func(b *growthBooks) int64 { return b.won })),
			metric("revenue", unitMoney, ownerSales, "sum of the values of the deals won, if all of the quarters in the report are in one currency", deals, func(b *growthBooks) (float64, bool) {
				return float64(b.minor) / math.Pow10(max(0, b.decimals)), b.decimals >= 0
			}),
			metric("revenue_growth", unitRatio, ownerBoth, "revenue"+against, deals, func(b *growthBooks) (float64, bool) { return b.over((*growthBooks).revenue) }),
			metric("offered", unitLeads, ownerMarketing, "leads first offered to a member", handed, number(func(b *growthBooks) int64 { return b.offered })),
			metric("taken_in_time", unitRatio, ownerSales, "share of offered that a member accepted before the offer ran out", handed, share(func(b *growthBooks) int64 { return b.inTime })),
			metric("followed_up", unitRatio, ownerSales, "share of offered that sales touched within the horizon from receipt", handed, share(func(b *growthBooks) int64 { return b.followed })),
			metric("not_rejected", unitRatio, ownerMarketing, "share of offered that no member rejected", handed, share(func(b *growthBooks) int64 { return b.kept })),
			metric("alignment", unitRatio, ownerBoth, "mean of taken in time, followed up and not rejected: two of sales' promises and one of marketing's. It is this report's own measure and nobody else's", handed, func(b *growthBooks) (float64, bool) {
				return ratio(b.inTime+b.followed+b.kept, 3*b.offered)
			}),
		}),
		population: func(q Question) string {
			return fmt.Sprintf(". Whole quarters of the agreed year, each by what happened in it. A touch counts within %d days from receipt", int64(q.Horizon/(24*time.Hour)))
		},
	}
}

// growth counts the quarters that are over, and holds each against the first whole one.
func (s *Store) growth(ctx context.Context, tx *sql.Tx, q Question, out *feedbackv1.Report) error {
	since := q.From
	all := q
	all.From, all.To, all.Frame = time.Time{}, time.Time{}, frameCohort
	b := &query{}
	b.add("SELECT c.came_at, c.sql_at, c.won_at, c.value_minor, c.currency, c.offered_at, c.in_time_at, c.rejected_at, c.answer FROM (")
	b.cases(&info{cases: casesLeads}, all)
	b.add(") c WHERE c.state <> 'refused'")
	rows, err := tx.QueryContext(ctx, s.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	quarters := map[string]*tally{}
	var first time.Time
	in := func(at time.Time) *growthBooks {
		name := q.Year.Quarter(at)
		if quarters[name] == nil {
			quarters[name] = &tally{}
		}
		return &quarters[name].growth
	}
	for rows.Next() {
		var came, sqlAt, wonAt, offeredAt, inTimeAt, rejectedAt instantColumn
		var minor int64
		var currency string
		var answer sql.NullString
		if err := rows.Scan(&came, &sqlAt, &wonAt, &minor, &currency, &offeredAt, &inTimeAt, &rejectedAt, &answer); err != nil {
			return err
		}
		if at := time.Time(came); first.IsZero() || at.Before(first) {
			first = at
		}
		if at := time.Time(sqlAt); !at.IsZero() {
			in(at).opportunities++
		}
		if at := time.Time(wonAt); !at.IsZero() {
			g := in(at)
			g.won++
			g.minor += minor
			if minor != 0 && !slices.Contains(g.currencies, currency) {
				g.currencies = append(g.currencies, currency)
			}
		}
		if at := time.Time(offeredAt); !at.IsZero() {
			g := in(at)
			g.offered++
			if !time.Time(inTimeAt).IsZero() {
				g.inTime++
			}
			if answer.String != "never" && answer.String != "open" {
				g.followed++
			}
			if time.Time(rejectedAt).IsZero() {
				g.kept++
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	growing(q, out, quarters, later(first, since))
	return nil
}

// growing makes the rows: the whole quarters from an instant on that are over.
func growing(q Question, out *feedbackv1.Report, quarters map[string]*tally, since time.Time) {
	type whole struct {
		from, to time.Time
		*tally
	}
	var all []whole
	total := &tally{}
	sum := &total.growth
	for from, to := q.Year.Begin(since, "quarter"); !since.IsZero() && !to.After(q.AsOf) && (q.To.IsZero() || !to.After(q.To)); from, to = q.Year.Begin(to, "quarter") {
		if from.Before(since) {
			continue // not all of it
		}
		t := quarters[q.Year.Quarter(from)]
		if t == nil {
			t = &tally{}
		}
		all = append(all, whole{from, to, t})
		g := &t.growth
		sum.opportunities, sum.won, sum.minor = sum.opportunities+g.opportunities, sum.won+g.won, sum.minor+g.minor
		sum.offered, sum.inTime, sum.followed, sum.kept = sum.offered+g.offered, sum.inTime+g.inTime, sum.followed+g.followed, sum.kept+g.kept
		sum.currencies = append(sum.currencies, g.currencies...)
	}
	sum.decimals = -1
	if slices.Sort(sum.currencies); len(slices.Compact(sum.currencies)) == 1 {
		if digits, known := lead.MinorDigits(sum.currencies[0]); known {
			sum.decimals, out.Currency = digits, sum.currencies[0]
		}
	}
	ms := infoOf(reportGrowth).metrics
	for _, w := range all {
		w.growth.decimals, w.growth.of = sum.decimals, &all[0].growth
		row := rowOf(q.Year.Quarter(w.from), ms, w.tally)
		row.Cases, row.From, row.To = w.growth.offered, timestamp(w.from), timestamp(w.to)
		out.Rows = append(out.Rows, row)
	}
	out.Total = rowOf(totalKey, ms, total)
	out.Total.Cases = sum.offered
	if len(all) == 0 {
		out.Remarks = []string{"No whole quarter is over yet since the agreed baseline, or since the first lead."}
		return
	}
	out.Remarks = []string{
		fmt.Sprintf("Growth is held against %s, the first whole quarter.", q.Year.Quarter(all[0].from)),
		"Growth and alignment stand beside each other, and that is all: two lines that rise together do not say that one moves the other, and much else moves both.",
	}
}
