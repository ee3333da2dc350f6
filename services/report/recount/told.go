package recount

import (
	"slices"
	"time"
)

// Reports on what people said of leads.

var reasons = &recipe{
	counts:    []string{"rejections", "credited", "next_person", "nurtured", "disqualified"},
	shares:    map[string][]string{"credited_rate": {"credited", "rejections"}, "disqualified_rate": {"disqualified", "rejections"}},
	bounded:   true,
	different: []string{"leads"},
	cases: func(v *view) (out []*found) {
		for _, r := range v.s.rejections {
			if !v.did(r.at) {
				continue
			}
			c, b := v.happening(r.at, r.body.text("member")), r.body
			consequence := b.word("consequence", "CONSEQUENCE_")
			c.words["pool"], c.words["reason"], c.words["consequence"], c.words["credit"] = r.pool, b.text("reason"), consequence, ""
			c.counts["rejections"] = 1
			c.different["leads"] = v.s.id
			c.note("next_person", consequence == "next-person")
			c.note("nurtured", consequence == "nurture")
			c.note("disqualified", consequence == "disqualify")
			if slices.ContainsFunc(v.l.steps, func(s step) bool {
				return s.is("ADJUSTED", "CREDIT") && s.at.Equal(r.at) && s.body.text("lead_id") == v.s.id && s.body.text("member") == b.text("member")
			}) {
				c.counts["credited"], c.words["credit"] = 1, "credited"
			}
			out = append(out, c)
		}
		return out
	},
	happenings: true,
}

// happening is a case that somebody made happen.
func (v *view) happening(at time.Time, member string) *found {
	c := newCase()
	c.at, c.words["person"] = at, member
	return c
}

var disputes = &recipe{
	counts: []string{
		"opened", "opened_by_marketing", "opened_by_sales", "drawn", "agreed", "contested", "decided", "open",
		"criterion_missing", "wrong_question", "criterion_should_change", "met_not_worked", "data_error", "as_agreed",
		"against_marketing", "against_sales", "against_agreement", "against_nobody",
	},
	shares: map[string][]string{
		"against_marketing_rate": {"against_marketing", "decided"}, "against_sales_rate": {"against_sales", "decided"},
		"against_agreement_rate": {"against_agreement", "decided"}, "against_nobody_rate": {"against_nobody", "decided"},
	},
	bounded: true,
	samples: map[string][2]string{"median_seconds": {"took", "median"}},
	cases: func(v *view) (out []*found) {
		for _, e := range v.l.events[v.s.id] {
			if e.kind != "DisputeOpened" || e.at.After(v.until) || !v.did(e.at) {
				continue
			}
			c := newCase()
			c.at = e.at
			c.words["party"], c.words["claim"] = e.body.text("party"), e.body.word("claim", "DISPUTE_CLAIM_")
			c.words["verdict"], c.words["finding"] = "", ""
			c.counts["opened"] = 1
			c.note(map[string]string{"marketing": "opened_by_marketing", "sales": "opened_by_sales", "system": "drawn"}[e.body.text("party")], true)
			v.decided(c, e)
			out = append(out, c)
		}
		return out
	},
	happenings: true,
}

// decided adds what became of a dispute.
func (v *view) decided(c *found, opened event) {
	for _, e := range v.l.events[v.s.id] {
		if e.at.After(v.until) || e.body.text("dispute_id") != opened.body.text("dispute_id") {
			continue
		}
		switch e.kind {
		case "DisputeAnswered":
			c.note("agreed", e.body.yes("agrees"))
			c.note("contested", !e.body.yes("agrees"))
		case "DisputeDecided":
			verdict, finding := e.body.word("verdict", "DISPUTE_VERDICT_"), e.body.text("finding")
			c.words["verdict"], c.words["finding"] = verdict, finding
			c.counts["decided"] = 1
			c.note(map[string]string{
				"criterion-missing": "criterion_missing", "wrong-question": "wrong_question", "criterion-should-change": "criterion_should_change",
				"met-not-worked": "met_not_worked", "data-error": "data_error", "as-agreed": "as_agreed",
			}[verdict], true)
			c.note("against_"+finding, true)
			c.samples["took"] = e.at.Sub(opened.at).Seconds()
		}
	}
	c.note("open", c.counts["decided"] == 0)
}

var phrases = &recipe{
	counts:    []string{"mentions"},
	different: []string{"leads", "verticals"},
	cases: func(v *view) (out []*found) {
		for i, f := range v.s.feedback {
			member := f.body.text("member")
			if !v.did(f.at) || slices.ContainsFunc(v.s.feedback[i+1:], func(later event) bool { return later.body.text("member") == member }) {
				continue // what they said last counts
			}
			vertical := f.body.text("vertical")
			if vertical == "" {
				vertical = v.s.features.text("industry")
			}
			for _, phrase := range f.body.texts("phrases") {
				c := v.happening(f.at, member)
				c.words["phrase"], c.words["vertical"] = phrase, vertical
				c.counts["mentions"] = 1
				c.different["leads"], c.different["verticals"] = v.s.id, vertical
				out = append(out, c)
			}
		}
		return out
	},
	happenings: true,
}

var hygiene = &recipe{
	counts:    []string{"required", "filled", "missing", "late", "open"},
	shares:    map[string][]string{"filled_rate": {"filled", "filled", "missing"}},
	bounded:   true,
	different: []string{"leads", "complete", "incomplete"},
	cases: func(v *view) (out []*found) {
		for _, a := range v.s.acceptances {
			agreed := v.q.inForce(a.at)
			if agreed == nil || !v.did(a.at) {
				continue
			}
			now := v.q.now()
			due, limited := agreed.answersDue(a)
			over := !limited || !due.After(now)
			if !limited {
				due = forever // nothing is too late, and what is missing is missing at once
			}
			inTime, today := v.s.said(a.member, due), v.s.said(a.member, now)
			complete := !slices.ContainsFunc(agreed.Required, func(question string) bool { return !inTime[question] })
			for _, question := range agreed.Required {
				c := v.happening(a.at, a.member)
				c.words["pool"], c.words["question"] = a.pool, question
				c.counts["required"], c.different["leads"] = 1, v.s.id
				switch {
				case inTime[question]:
					c.counts["filled"] = 1
				case over:
					c.counts["missing"], c.different["incomplete"] = 1, v.s.id
					c.note("late", today[question])
				default:
					c.counts["open"] = 1
				}
				if complete {
					c.different["complete"] = v.s.id
				}
				out = append(out, c)
			}
		}
		return out
	},
	happenings: true,
}

// said is what a member had told by an instant, in what they had told last.
func (s *lead) said(member string, by time.Time) (answers map[string]bool) {
	for _, f := range s.feedback {
		if f.body.text("member") != member || f.at.After(by) {
			continue
		}
		answers = map[string]bool{"interest": f.body.number("interest") > 0, "ease": f.body.number("ease") > 0}
		for _, name := range []string{"talk", "vertical", "persona"} {
			answers[name] = f.body.text(name) != ""
		}
		for _, name := range []string{"why", "missing", "phrases"} {
			answers[name] = len(f.body.texts(name)) > 0
		}
	}
	return answers
}
