package report

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/chance"
	"github.com/leadbaton/baton/services/internal/fault"
)

const reportEffect = "effect"

// What the report on a campaign looks at, and when it raises an alarm.
const (
	// effectWeeks is how many weeks before and after the launch are looked at, and
	// effectFewest how many there have to be before it.
	effectWeeks  = 8
	effectFewest = 4
	// EffectAlarms is how often, at most, a week raises an alarm where nothing has changed.
	EffectAlarms = 0.005
)

// effectBooks is one week before or after a launch.
type effectBooks struct {
	opportunities, campaign int64
	// since is how many opportunities there were from the launch to the week's end, expected
	// how many that would be as before, and probability how probable so few are then. tested
	// says that there is enough to say so.
	since                 int64
	expected, probability float64
	tested                bool
	alarms                int64
}

func effectReport() *info {
	const (
		week  = "leads that reached the stage SQL in the week, whenever they were received"
		after = "leads that reached the stage SQL from the launch to the end of the week"
	)
	known := func(of func(*effectBooks) float64) func(*tally) (float64, bool) {
		return func(t *tally) (float64, bool) { return of(&t.effect), t.effect.tested }
	}
	metric := func(name, unit, owner, formula, population string, of func(*tally) (float64, bool)) Metric {
		return Metric{Report: reportEffect, Name: name, Unit: unit, Owner: owner, Formula: formula, Population: population, value: of}
	}
	return &info{
		name: reportEffect, text: "Opportunities week by week before and after the launch of a campaign, with an alarm where they fall.", fixed: "week",
		metrics: identified([]Metric{
			metric("opportunities", unitLeads, ownerBoth, "leads that reached the stage SQL, of every campaign: who looks at one campaign's alone does not see what it took from the others", week, whole(func(t *tally) int64 { return t.effect.opportunities })),
			metric("of_campaign", unitLeads, ownerMarketing, "of opportunities, the leads of the campaign", week, whole(func(t *tally) int64 { return t.effect.campaign })),
			metric("since_launch", unitLeads, ownerBoth, "opportunities from the launch to the end of the week", after, whole(func(t *tally) int64 { return t.effect.since })),
			metric("expected", unitNumber, ownerBoth, fmt.Sprintf("opportunities a week before the launch, times the weeks since; unknown with less than %d weeks before", effectFewest), after, known(func(b *effectBooks) float64 { return b.expected })),
			metric("probability", unitNumber, ownerBoth, "how probable so few since the launch are, or fewer, where nothing has changed: of all opportunities before and since, a binomial number with the share that the weeks since are of all weeks", after, known(func(b *effectBooks) float64 { return b.probability })),
			metric("alarms", unitAlarms, ownerBoth, fmt.Sprintf("weeks of which the probability is at most %.1f %%; there have to be %d weeks before the launch, and the week is over", EffectAlarms*100, effectFewest), after, whole(func(t *tally) int64 { return t.effect.alarms })),
		}),
		population: func(q Question) string {
			return fmt.Sprintf(". Weeks of seven days from the launch on, at most %d before and %d after it, those after it only once they are over. Where nothing has changed, and opportunities come one by one, a week raises an alarm in at most %.1f %% of all cases and a campaign any at all in at most %.0f %%. What else happened in these weeks no report can tell from what the campaign did",
				effectWeeks, effectWeeks, EffectAlarms*100, EffectAlarms*effectWeeks*100)
		},
	}
}

// effect compares the weeks before and after a launch.
func (s *Store) effect(ctx context.Context, tx *sql.Tx, q Question, out *feedbackv1.Report) error {
	var first, launched instantColumn
	all := q
	all.From, all.To = time.Time{}, time.Time{}
	sel := all.selection()
	kept := "SELECT MIN(l.received_at) FROM " + sel.from + " WHERE " + sel.where + " AND " + q.state() + " <> 'refused'"
	for _, ask := range []struct {
		text string
		into *instantColumn
		args []any
	}{
		{kept, &first, sel.args},
		{kept + " AND l.campaign = ?", &launched, append(slices.Clone(sel.args), q.Campaign)},
	} {
		if err := tx.QueryRowContext(ctx, s.dialect.places(ask.text), ask.args...).Scan(ask.into); err != nil {
			return err
		}
	}
	launch := q.Launched
	if launch.IsZero() {
		if launch = time.Time(launched); launch.IsZero() || launch.After(q.AsOf) {
			return fault.New(fault.NotFound, "campaign: no lead is of %q; baton report funnel --by campaign lists them, and --launched says when one began that has none yet", q.Campaign)
		}
	}
	launch = launch.In(q.Year.Zone)
	var weeks []*tally
	var from []time.Time
	before := 0
	for n := -effectWeeks; n < effectWeeks; n++ {
		begins, ends := launch.AddDate(0, 0, 7*n), launch.AddDate(0, 0, 7*n+7)
		if n < 0 && (time.Time(first).IsZero() || begins.Before(time.Time(first))) || n >= 0 && ends.After(q.AsOf) {
			continue
		}
		if n < 0 {
			before++
		}
		weeks, from = append(weeks, &tally{}), append(from, begins)
	}
	total := &tally{}
	if len(weeks) > 0 {
		if err := s.opportunities(ctx, tx, q, from[0], from[len(from)-1].AddDate(0, 0, 7), func(at time.Time, campaign string) {
			for i := len(from) - 1; i >= 0; i-- {
				if !at.Before(from[i]) {
					weeks[i].effect.opportunities++
					total.effect.opportunities++
					if campaign == q.Campaign {
						weeks[i].effect.campaign++
						total.effect.campaign++
					}
					return
				}
			}
		}); err != nil {
			return err
		}
	}
	ms := infoOf(reportEffect).metrics
	alarm := judgeWeeks(weeks, before, total)
	for i, w := range weeks {
		side := " before"
		if i >= before {
			side = " after"
		}
		row := rowOf(from[i].Format(time.DateOnly)+side, ms, w)
		row.Cases, row.From, row.To = w.effect.opportunities, timestamp(from[i]), timestamp(from[i].AddDate(0, 0, 7))
		out.Rows = append(out.Rows, row)
	}
	out.Total = rowOf(totalKey, ms, total)
	out.Total.Cases = total.effect.opportunities
	switch after := len(weeks) - before; {
	case before < effectFewest:
		out.Remarks = append(out.Remarks, fmt.Sprintf("Too few weeks are known before the launch to say anything: %d; there have to be %d.", before, effectFewest))
	case after == 0:
		out.Remarks = append(out.Remarks, "No week after the launch is over yet.")
	case alarm < 0:
		out.Remarks = append(out.Remarks, fmt.Sprintf("No alarm: %d opportunities in the weeks since the launch (%s), where %.1f would be as before.", total.effect.since, moment(launch), total.effect.expected))
	default:
		b := &weeks[alarm].effect
		out.Remarks = append(out.Remarks, fmt.Sprintf("ALARM: opportunities fell after the launch (%s). By the end of week %d there were %d, where %.1f would be as before; so few are seen in %.2f %% of all cases where nothing has changed.",
			moment(launch), alarm-before+1, b.since, b.expected, b.probability*100))
	}
	return nil
}

// judgeWeeks tests each week after the launch with those before it, and answers the first
// that raises an alarm; -1 = none does.
func judgeWeeks(weeks []*tally, before int, total *tally) (first int) {
	first = -1
	var base, since int64
	for _, w := range weeks[:before] {
		base += w.effect.opportunities
	}
	for i, w := range weeks[before:] {
		n := i + 1
		b := &w.effect
		since += b.opportunities
		b.since, total.effect.since = since, since
		if before < effectFewest {
			continue
		}
		b.expected, b.tested = float64(base)/float64(before)*float64(n), true
		b.probability = chance.Binomial(int(base+since), float64(n)/float64(n+before)).AtMost(int(since))
		if b.probability <= EffectAlarms {
			b.alarms = 1
			if first < 0 {
				first = before + i
			}
		}
		t := &total.effect
		t.expected, t.probability, t.tested = b.expected, b.probability, true
		t.alarms += b.alarms
	}
	return first
}

// opportunities calls each with every lead that reached SQL within a time, and its
// campaign.
func (s *Store) opportunities(ctx context.Context, tx *sql.Tx, q Question, from, to time.Time, each func(at time.Time, campaign string)) error {
	q.From, q.To, q.Frame = time.Time{}, time.Time{}, frameCohort
	b := &query{}
	b.add("SELECT c.sql_at, c.campaign FROM (")
	b.cases(&info{cases: casesLeads}, q)
	b.add(") c WHERE c.sql_at >= ? AND c.sql_at < ?", nanos(from), nanos(to))
	rows, err := tx.QueryContext(ctx, s.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var at instantColumn
		var campaign string
		if err := rows.Scan(&at, &campaign); err != nil {
			return err
		}
		each(time.Time(at), campaign)
	}
	return rows.Err()
}

// checkEffect holds what is asked of the report on a campaign, and of no other.
func (q *Question) checkEffect(req *feedbackv1.GetReportRequest) error {
	q.Campaign = strings.TrimSpace(req.GetCampaign())
	if req.GetLaunched() != nil {
		q.Launched = req.GetLaunched().AsTime()
	}
	switch {
	case q.Report != reportEffect && (q.Campaign != "" || !q.Launched.IsZero()):
		return fault.New(fault.Invalid, "campaign, launched: only the report %s is about one campaign; others are limited to it where campaign=NAME", reportEffect)
	case q.Report != reportEffect:
		return nil
	case q.Campaign == "":
		return fault.New(fault.Invalid, "campaign: say whose effect; baton report funnel --by campaign lists them")
	case req.GetFrom() != nil || req.GetTo() != nil:
		return fault.New(fault.Invalid, "from, to: the report %s looks at %d weeks before and after the launch; launched says when that was", reportEffect, effectWeeks)
	}
	return nil
}
