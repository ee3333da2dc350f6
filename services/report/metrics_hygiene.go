package report

import (
	"context"
	"math"
	"time"

	"github.com/leadbaton/baton/services/agreement"
)

// hygieneReport is about whether what marketing asks of leads is told in time.
func hygieneReport() *info {
	const (
		all  = "questions that the agreement requires an answer to, over the leads received in the period and accepted by a member; with the frame activity, accepted in the period"
		over = "those of them that are answered in time, or whose time is over"
	)
	s := &sheet{report: reportHygiene}
	count := func(name, formula, population, where string) {
		s.count(name, unitAnswers, ownerSales, formula, population, where)
	}
	s.add("leads", unitLeads, ownerSales, "different leads that were accepted, and of which something is asked", all, measure{byDistinct, "lead_id", "TRUE"})
	count("required", "answers that are required: required = filled + missing + open", all, "TRUE")
	count("filled", "answers that were given within the agreed time after acceptance", all, "filled")
	count("missing", "answers that were not given within that time, which is over", all, "missing")
	count("late", "of the missing ones, those that were given afterwards", all, "missing AND late")
	count("open", "answers that are not given yet and whose time is not over", all, "open")
	s.share("filled_rate", ownerSales, "filled divided by filled and missing together", over, "filled", "NOT open")
	s.add("complete", unitLeads, ownerSales, "different leads of which all was answered in time", all, measure{byDistinct, "lead_id", "complete"})
	s.add("incomplete", unitLeads, ownerSales, "different leads of which something is missing", all, measure{byDistinct, "lead_id", "missing"})
	return &info{
		name: reportHygiene, text: "Whether what marketing asks about leads is told in time.",
		cases: "answer", base: casesAcceptances, own: []string{"question"}, by: "person", metrics: s.metrics, work: workHygiene,
		population: func(Question) string {
			return ". One case is one required answer on one accepted lead, by the agreement in force at the acceptance; its time runs from there in working time, and where no time is agreed it is over at once." +
				" What the member who accepted said last counts; person and pool are those of the acceptance"
		},
	}
}

// said is one feedback: a bit for each question that it answers.
type said struct {
	at      time.Time
	answers int64
}

// questionColumns are the questions of a form in the columns of feedback.
var questionColumns = map[string]string{
	"interest": "interest > 0", "why": "why <> ''", "talk": "talk <> ''", "missing": "missing <> ''",
	"vertical": "vertical <> ''", "persona": "persona <> ''", "ease": "ease > 0", "phrases": "phrases <> ''",
}

// saidBy reads what each member said of each lead by the question's instant, in order.
func (w *working) saidBy(ctx context.Context) (map[[2]string][]said, error) {
	b := &query{}
	b.add("SELECT lead_id, member, at")
	glue := ", "
	for i, name := range agreement.FeedbackQuestions() {
		b.add(glue + "CASE WHEN " + questionColumns[name] + " THEN " + []string{"1", "2", "4", "8", "16", "32", "64", "128"}[i] + " ELSE 0 END")
		glue = " + "
	}
	b.add(" FROM feedback WHERE at <= ? ORDER BY sequence", w.q.until())
	rows, err := w.tx.QueryContext(ctx, w.store.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[[2]string][]said{}
	for rows.Next() {
		var who [2]string
		var s said
		if err := rows.Scan(&who[0], &who[1], (*instantColumn)(&s.at), &s.answers); err != nil {
			return nil, err
		}
		out[who] = append(out[who], s)
	}
	return out, rows.Err()
}

func workHygiene(ctx context.Context, w *working) error {
	all, err := w.saidBy(ctx)
	if err != nil {
		return err
	}
	var member, pool string
	return w.read(ctx, ", c.accepted_by, c.accepted_in", "", []any{&member, &pool}, func(c *workedCase) error {
		version := w.q.standing(c.came)
		if version == nil {
			return nil
		}
		asked, _ := version.Agreement.Feedback()
		due := dueOf(version.Agreement, asked, pool, c.came)
		over := !due.After(w.q.AsOf)
		given := all[[2]string{c.leadID, member}]
		now, inTime := answersBy(given, w.q.AsOf), answersBy(given, due)
		complete := true
		for _, name := range asked.Required {
			complete = complete && inTime&bitOf(name) != 0
		}
		for _, name := range asked.Required {
			filled := inTime&bitOf(name) != 0
			clear(c.numbers)
			c.words["question"] = name
			c.set("filled", filled)
			c.set("missing", !filled && over)
			c.set("late", !filled && now&bitOf(name) != 0)
			c.set("open", !filled && !over)
			c.set("complete", complete)
			w.say(c)
		}
		return nil
	})
}

// dueOf is when answers on a lead are due that was accepted then; where no time is
// agreed, or no working time is known, at once, and what is told later counts too.
func dueOf(rules *agreement.Agreement, asked agreement.Feedback, pool string, accepted time.Time) time.Time {
	calendar := asked.Calendar
	if p, ok := rules.Pool(pool); ok && calendar == "" {
		calendar = p.Calendar
	}
	if c, ok := rules.Calendar(calendar); ok && asked.Within > 0 {
		if due, ok := c.Add(accepted, asked.Within); ok {
			return due
		}
	}
	return time.Time{}
}

// answersBy are the answers that had been given by then, those said last; a zero instant
// is no bound.
func answersBy(given []said, by time.Time) (answers int64) {
	for _, s := range given {
		if by.IsZero() || !s.at.After(by) {
			answers = s.answers
		}
	}
	return answers
}

func bitOf(name string) int64 {
	for i, n := range agreement.FeedbackQuestions() {
		if n == name {
			return 1 << i
		}
	}
	return math.MinInt64 // no answer has it
}
