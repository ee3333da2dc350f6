package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// A report counts cases: leads, or what happened to leads. Its figures are written over
// the columns of the cases, so that one condition serves the count, the catalogue and
// the list of what was counted. The cases know the question: what had not happened by
// its instant, or not in its period where it is about activity, is NULL there.

// What a case is.
const (
	casesLeads      = "lead"
	casesRejections = "rejection"
	casesFeedback   = "feedback"
	casesTouches    = "touch"
	casesDisputes   = "dispute"
	casesRides      = "ride along"
	// casesAcceptances are times that somebody got a lead as their own.
	casesAcceptances = "acceptance"
)

// The frames of a period.
const (
	frameCohort   = "cohort"
	frameActivity = "activity"
)

// dimensions are what cases can be split by, in the order in which they are listed.
// Those of time are cut by the agreed year.
var dimensionNames = []string{
	"source", "campaign", "landing", "industry", "size", "country", "product", "purpose", "persona",
	"person", "team", "manager", "office", "pool", "definition", "nurtured", "week", "month", "quarter",
}

// units are the dimensions of time.
var units = []string{"week", "month", "quarter"}

// Dimensions lists what reports can be split by.
func Dimensions() []string { return append([]string(nil), dimensionNames...) }

// sizeBands are bands of a company's size, each with the most employees that it holds.
var sizeBands = []struct {
	name string
	most int64
}{{"1-9", 9}, {"10-49", 49}, {"50-249", 249}, {"250-999", 999}, {"1000+", math.MaxInt64}}

// query is SQL with its arguments, in the order in which they stand in it. Instants and
// other whole numbers are written into the text; words never are.
type query struct {
	text strings.Builder
	args []any
}

func (b *query) add(text string, args ...any) {
	b.text.WriteString(text)
	b.args = append(b.args, args...)
}

// happened is a condition: the instant was by the question's, and where the question is
// about activity within its period.
func (q Question) happened(instant string) string {
	condition := fmt.Sprintf("%s <= %d", instant, q.until())
	if q.Frame != frameActivity {
		return condition
	}
	return condition + q.within(instant)
}

// within is what a condition goes on with for an instant to be in the period.
func (q Question) within(instant string) (more string) {
	if !q.From.IsZero() {
		more += fmt.Sprintf(" AND %s >= %d", instant, nanos(q.From))
	}
	if !q.To.IsZero() {
		more += fmt.Sprintf(" AND %s < %d", instant, nanos(q.To))
	}
	return more
}

// until is the question's instant in the tables' own measure.
func (q Question) until() int64 {
	if q.Past {
		return nanos(q.AsOf)
	}
	return math.MaxInt64
}

// instants of a lead that are NULL until they have happened; of a refused lead all are.
var instants = []string{"mql_at", "sal_at", "sql_at", "offered_at", "told_at", "in_time_at", "accepted_at", "rejected_at", "returned_at", "nurtured_at", "first_touch_at", "decided_at"}

// leadInstants are all of a lead's, those of its beginning and its end included.
var leadInstants = append([]string{"came_at", "won_at", "lost_at"}, instants...)

// leadCases writes the leads that a question is about, with how they stood.
func (b *query) leadCases(q Question) {
	now, from := "l", " FROM leads l"
	if q.Past {
		now = "h"
		from += fmt.Sprintf(" JOIN standings h ON h.lead_id = l.lead_id AND h.from_at ="+
			" (SELECT MAX(x.from_at) FROM standings x WHERE x.lead_id = l.lead_id AND x.from_at <= %d)", q.until())
	}
	word := func(column string) string { return "COALESCE(NULLIF(" + column + ", ''), '" + noneKey + "')" }
	b.add("SELECT l.lead_id AS lead_id, " + now + ".state AS state, l.received_at AS received_at, l.decided_by AS decided_by")
	for _, d := range []string{"source", "campaign", "landing"} {
		b.add(", " + word("l."+d) + " AS " + d)
	}
	for _, d := range []string{"industry", "country", "product", "purpose", "persona", "pool"} {
		b.add(", " + word(now+"."+d) + " AS " + d)
	}
	b.add(", CASE WHEN " + now + ".employees <= 0 THEN '" + noneKey + "'")
	for _, band := range sizeBands[:len(sizeBands)-1] {
		b.add(fmt.Sprintf(" WHEN %s.employees <= %d THEN '%s'", now, band.most, band.name))
	}
	b.add(" ELSE '" + sizeBands[len(sizeBands)-1].name + "' END AS size")
	b.add(", CASE WHEN " + now + ".definition = 0 THEN '" + noneKey + "' ELSE CAST(" + now + ".definition AS TEXT) END AS definition")
	b.person(q, now+".owner")
	for _, d := range []string{"team", "manager", "office"} {
		b.add(", " + word("w."+d) + " AS " + d)
	}
	b.add(fmt.Sprintf(", CASE WHEN l.nurtured_at <= %d AND (l.offered_at IS NULL OR l.nurtured_at < l.offered_at) THEN 'nurtured' ELSE 'direct' END AS nurtured", q.until()))
	kept := now + ".state <> 'refused'"
	instant := func(name, condition, column string) {
		b.add(", CASE WHEN " + condition + " AND " + q.happened(column) + " THEN " + column + " END AS " + name)
	}
	instant("came_at", "TRUE", "l.received_at")
	for _, name := range instants {
		instant(name, kept, "l."+name)
	}
	instant("won_at", now+".state = 'won'", now+".closed_at")
	instant("lost_at", now+".state = 'lost'", now+".closed_at")
	b.add(", " + now + ".value_minor AS value_minor, " + now + ".currency AS currency")
	b.days(q, now, "won")
	b.days(q, now, "lost")
	if q.Definition != 0 {
		for _, name := range []string{"mql", "sal", "sql"} {
			instant(name+"_restated_at", kept, "rs."+name+"_at")
		}
	}
	b.duplicates(q)
	b.answer(q, kept)
	b.leak(q, kept)
	b.ease(q)
	b.add(from)
	if q.Definition != 0 {
		b.add(" LEFT JOIN restated rs ON rs.lead_id = l.lead_id")
	}
	b.add(fmt.Sprintf(" LEFT JOIN member_places w ON w.member = %[1]s.owner AND w.from_at = (SELECT MAX(y.from_at) FROM member_places y WHERE y.member = %[1]s.owner AND y.from_at <= %[2]d)", now, q.until()))
	b.add(" WHERE l.received_at IS NOT NULL")
	if q.Past {
		b.add(fmt.Sprintf(" AND l.received_at <= %d", q.until()))
	}
	if q.Frame != frameActivity {
		b.add(q.within("l.received_at"))
	}
	if !q.Historical {
		b.add(" AND NOT l.historical")
	}
}

// person names who has the lead. Who may not see others sees them as one.
func (b *query) person(q Question, column string) {
	if q.Viewer == "" {
		b.add(", COALESCE(NULLIF(" + column + ", ''), '" + noneKey + "') AS person")
		return
	}
	b.add(", CASE WHEN "+column+" = '' THEN '"+noneKey+"' WHEN "+column+" = ? THEN "+column+" ELSE '"+othersKey+"' END AS person", q.Viewer)
}

// othersKey is the row of everybody else, for those who see no names but their own.
const othersKey = "(others)"

// duplicates counts further deliveries.
func (b *query) duplicates(q Question) {
	if !q.Past && q.Frame != frameActivity {
		b.add(", l.repeats + l.revisions + l.joined AS duplicates")
		return
	}
	b.add(", CASE WHEN l.repeats + l.revisions + l.joined = 0 THEN 0 ELSE (SELECT COUNT(*) FROM duplicates d WHERE d.lead_id = l.lead_id AND " + q.happened("d.occurred_at") + ") END AS duplicates")
}

// active leaves out the leads to which nothing happened in the period, before anything
// else is asked of them: by week that is most of them each time.
func (b *query) active(q Question) {
	closed := "l.closed_at"
	if q.Past {
		closed = "h.closed_at"
	}
	horizon := int64(q.Horizon)
	columns := []string{"l.received_at", closed, fmt.Sprintf("(l.received_at + %d)", horizon), fmt.Sprintf("(l.offered_at + %d)", horizon)}
	for _, name := range instants {
		columns = append(columns, "l."+name)
	}
	if q.Definition != 0 {
		columns = append(columns, "rs.mql_at", "rs.sal_at", "rs.sql_at")
	}
	b.add(" AND (l.repeats + l.revisions + l.joined > 0")
	for _, c := range columns {
		b.add(" OR (" + strings.TrimPrefix(q.within(c), " AND ") + ")")
	}
	if q.Report == reportSegments {
		b.add(" OR EXISTS (SELECT 1 FROM feedback e WHERE e.lead_id = l.lead_id AND e.ease > 0 AND " + q.happened("e.at") + ")")
	}
	b.add(")")
}

// answer says how soon sales first answered: a word, and the seconds. In a report on
// activity an answer belongs to the period of the touch, none at all to the period in
// which the horizon was over.
func (b *query) answer(q Question, kept string) {
	now, horizon := nanos(q.AsOf), int64(q.Horizon)
	took := "(l.first_touch_at - l.received_at)"
	answered := fmt.Sprintf("l.first_touch_at <= %d AND %s <= %d", now, took, horizon)
	bucket := fmt.Sprintf("CASE WHEN %s <= %d THEN 'up_to_1h' WHEN %[1]s <= %[3]d THEN 'from_1h_to_24h' ELSE 'over_24h' END",
		took, min(int64(time.Hour), horizon), min(int64(24*time.Hour), horizon))
	if q.Frame == frameActivity {
		in := func(instant, word string) string {
			return "CASE WHEN TRUE" + q.within(instant) + " THEN " + word + " END"
		}
		b.add(fmt.Sprintf(", CASE WHEN NOT (%s) THEN NULL WHEN %s THEN %s WHEN l.first_touch_at <= %d OR l.received_at + %d <= %[4]d THEN %[6]s ELSE %[7]s END AS answer",
			kept, answered, in("l.first_touch_at", bucket), now, horizon, in(fmt.Sprintf("(l.received_at + %d)", horizon), "'never'"), in("l.received_at", "'open'")))
	} else {
		b.add(fmt.Sprintf(", CASE WHEN NOT (%s) THEN NULL WHEN %s THEN %s WHEN l.first_touch_at <= %d OR l.received_at + %d <= %[4]d THEN 'never' ELSE 'open' END AS answer",
			kept, answered, bucket, now, horizon))
	}
	b.add(fmt.Sprintf(", CASE WHEN l.first_touch_at <= %d THEN (CASE WHEN %s < 0 THEN 0 ELSE %[2]s END) / 1000000000.0 END AS answer_seconds", now, took))
}

// days says how long it took from receipt until a lead was closed that way.
func (b *query) days(q Question, now, way string) {
	closed := now + ".closed_at"
	b.add(fmt.Sprintf(", CASE WHEN %s = '%s' AND %s THEN (CASE WHEN %s < l.received_at THEN 0 ELSE %[4]s - l.received_at END) / 86400000000000.0 END AS %[2]s_days",
		now+".state", way, q.happened(closed), closed))
}

// leak says of a qualified lead that was offered, and that nobody had accepted or
// rejected by the question's instant, when the horizon from its first offer was over,
// whether somebody was told of it: 'told' or 'untold'. It belongs to the period in which
// the horizon was over.
func (b *query) leak(q Question, kept string) {
	not := func(column string) string {
		return fmt.Sprintf("(l.%s IS NULL OR l.%[1]s > %d)", column, q.until())
	}
	over := fmt.Sprintf("(l.offered_at + %d)", int64(q.Horizon))
	within := ""
	if q.Frame == frameActivity {
		within = q.within(over)
	}
	leaked := fmt.Sprintf("%s AND l.mql_at <= %d AND l.offered_at <= %[2]d AND %s AND %s AND %s <= %d%s",
		kept, q.until(), not("accepted_at"), not("rejected_at"), over, nanos(q.AsOf), within)
	b.add(fmt.Sprintf(", CASE WHEN %s THEN %s END AS leaked_at, CASE WHEN %[1]s THEN (CASE WHEN l.told_at <= %[3]d THEN 'told' ELSE 'untold' END) END AS leak", leaked, over, q.until()))
}

// ease is how easy the lead was by what was said of it last, where the report asks.
func (b *query) ease(q Question) {
	if q.Report == reportSegments {
		last := " FROM feedback f WHERE f.lead_id = l.lead_id AND f.ease > 0 AND " + q.happened("f.at") + " ORDER BY f.sequence DESC LIMIT 1)"
		b.add(", (SELECT f.ease" + last + " AS ease, (SELECT f.at" + last + " AS ease_at")
	}
}

// happening is what happened to a lead: the table, its instant and the columns that a
// case has besides those of its lead. Where a row names a person or a pool, the case is
// theirs.
type happening struct {
	table, at    string
	columns      string
	person, pool string
	latest       bool
}

// ofLeads are what happened to leads, by what a case is.
var ofLeads = map[string]happening{
	casesRejections: {
		table: "rejections", at: "t.at", person: "t.member", pool: "t.pool",
		columns: "t.reason AS reason, t.consequence AS consequence," +
			" CASE WHEN EXISTS (SELECT 1 FROM turn_adjustments a WHERE a.lead_id = t.lead_id AND a.member = t.member AND a.at = t.at AND a.kind = 'credit') THEN 'credited' ELSE '" + noneKey + "' END AS credit",
	},
	casesFeedback: {
		table: "feedback", at: "t.at", person: "t.member", latest: true,
		columns: "t.interest AS interest, t.ease AS ease, t.talk AS talk, t.vertical AS vertical, t.why AS why, t.missing AS missing, t.phrases AS phrases",
	},
	casesAcceptances: {
		table: "(SELECT lead_id, sequence, member, pool, ended_at FROM assignments WHERE outcome = '" + outcomeAccepted + "')", at: "t.ended_at",
		columns: "t.member AS accepted_by, t.pool AS accepted_in", person: "t.member", pool: "t.pool",
	},
	casesTouches: {table: "touches", at: "t.at", columns: "t.channel AS channel, t.direction AS direction, t.disposition AS disposition, t.reached AS reached, t.minutes AS minutes", person: "t.member"},
}

// ofCase is what happened to leads of one kind.
func (q Question) ofCase(kind string) happening {
	t := ofLeads[kind]
	switch kind {
	case casesRides:
		t = happening{table: "rides", at: "t.asked_at", columns: fmt.Sprintf("COALESCE(t.held_at <= %d, FALSE) AS held", q.until())}
	case casesDisputes:
		// A case that is open at the question's instant has no answer yet.
		by := func(instant, what, column, none string) string {
			return fmt.Sprintf(", CASE WHEN t.%s <= %d THEN %s ELSE %s END AS %s", instant, q.until(), what, none, column)
		}
		t = happening{table: "disputes", at: "t.opened_at", columns: "t.party AS party, t.claim AS claim" +
			by("answered_at", "(CASE WHEN t.agrees THEN 'agreed' ELSE 'contested' END)", "answer", "'"+noneKey+"'") +
			by("decided_at", "t.verdict", "verdict", "'"+noneKey+"'") + by("decided_at", "t.finding", "finding", "'"+noneKey+"'") +
			by("decided_at", "t.decided_at", "decided_at", "NULL") +
			by("decided_at", "(t.decided_at - t.opened_at) / 1000000000.0", "decided_seconds", "NULL")}
	}
	return t
}

// cases writes the cases of a report, those of the question's conditions alone.
func (b *query) cases(r *info, q Question) {
	b.add("SELECT * FROM (")
	kind := r.cases
	if r.base != "" {
		kind = r.base
	}
	if kind == casesLeads {
		b.leadCases(q)
		if r.cases == casesLeads && q.Frame == frameActivity && q.within("") != "" {
			b.active(q)
		}
	} else {
		b.happenings(kind, q)
	}
	b.add(") k WHERE TRUE")
	if counting := r.of(q).counting(); r.cases == casesLeads && q.Frame == frameActivity {
		// A lead of which nothing is counted in the period is no case of it.
		b.add(" AND (" + counting + ")")
	}
	if r.only != "" {
		b.add(" AND (" + r.only + ")")
	}
	for _, name := range sortedFilters(q.Where) {
		values := q.Where[name]
		b.add(" AND k." + name + " IN (?" + strings.Repeat(", ?", len(values)-1) + ")")
		for _, v := range values {
			b.args = append(b.args, v)
		}
	}
}

// counting is the condition that a case counts for one of the report's figures.
func (r *info) counting() string {
	var one []string
	for _, metric := range r.metrics {
		if c := metric.measure.counting(); c != "" && !slices.Contains(one, c) {
			one = append(one, c)
		}
	}
	return strings.Join(one, " OR ")
}

// happenings writes what happened to the leads that a question is about.
func (b *query) happenings(kind string, q Question) {
	t := q.ofCase(kind)
	b.add("SELECT ")
	for _, d := range dimensionNames {
		switch {
		case slices.Contains(units, d):
			continue
		case d == "pool" && t.pool != "":
			b.add("COALESCE(NULLIF(" + t.pool + ", ''), '" + noneKey + "') AS pool, ")
		case t.person != "" && slices.Contains([]string{"team", "manager", "office"}, d):
			b.add("COALESCE(NULLIF(v." + d + ", ''), '" + noneKey + "') AS " + d + ", ")
		case d == "person" && t.person != "":
		default:
			b.add("c." + d + ", ")
		}
	}
	b.add("c.lead_id, c.state, c.received_at, " + t.at + " AS came_at, " + t.columns)
	if t.person != "" {
		b.person(q, t.person)
	}
	b.add(" FROM (")
	b.leadCases(q)
	b.add(") c JOIN " + t.table + " t ON t.lead_id = c.lead_id AND " + q.happened(t.at))
	if t.latest {
		b.add(fmt.Sprintf(" AND t.sequence = (SELECT MAX(z.sequence) FROM %s z WHERE z.lead_id = t.lead_id AND z.member = t.member AND z.at <= %d)", t.table, q.until()))
	}
	if t.person != "" {
		b.add(fmt.Sprintf(" LEFT JOIN member_places v ON v.member = %[1]s AND v.from_at = (SELECT MAX(u.from_at) FROM member_places u WHERE u.member = %[1]s AND u.from_at <= %[2]d)", t.person, q.until()))
	}
}

// sortedFilters are the dimensions of a question's conditions, in order.
func sortedFilters(where map[string][]string) []string { return slices.Sorted(maps.Keys(where)) }
