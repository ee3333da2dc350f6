package report

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// Some cases stand in no table, since what they are depends on the agreement: they are
// worked out one by one. Their measures are the same as those of others. Their
// conditions name columns that hold, or do not (NOT), joined by AND.

// workedCase is a case that is worked out.
type workedCase struct {
	leadID, state, person, key string
	received, came             time.Time
	// numbers are the case's columns: a condition that holds is 1, one that is missing
	// does not hold, and has no value.
	numbers map[string]float64
	words   map[string]string
}

func (c *workedCase) set(name string, is bool) {
	if is {
		c.numbers[name] = 1
	}
}

// condition is one that was read of a measure.
type condition []struct {
	name string
	not  bool
}

func conditionOf(text string) (out condition) {
	for part := range strings.SplitSeq(text, " AND ") {
		if part == "TRUE" {
			continue
		}
		name, not := strings.CutPrefix(part, "NOT ")
		out = append(out, struct {
			name string
			not  bool
		}{name, not})
	}
	return out
}

func (w condition) holds(c *workedCase) bool {
	for _, part := range w {
		if (c.numbers[part.name] != 0) == part.not {
			return false
		}
	}
	return true
}

// working works out the cases of one question.
type working struct {
	*measuring
	q Question
	// own are the question's conditions on columns that only the worked case has.
	own map[string][]string
	one func(*workedCase)
}

// work calls one with each case; it holds until the next only.
func (m *measuring) work(ctx context.Context, q Question, one func(*workedCase)) error {
	w := &working{measuring: m, q: q, own: map[string][]string{}, one: one}
	w.q.Where = map[string][]string{}
	for name, values := range q.Where { // any order: they are put into maps
		if slices.Contains(m.info.own, name) {
			w.own[name] = values
		} else {
			w.q.Where[name] = values
		}
	}
	return m.info.work(ctx, w)
}

// read reads what cases are worked out of, and calls each with a case that has all but
// its own columns. Further columns are read into places.
func (w *working) read(ctx context.Context, columns, join string, into []any, each func(*workedCase) error) error {
	key := "''"
	if w.q.By != "" && !timed(w.q.By) && !slices.Contains(w.info.own, w.q.By) {
		key = "c." + w.q.By
	}
	b := &query{}
	b.add("SELECT c.lead_id, c.state, c.received_at, c.came_at, c.person, " + key + columns + " FROM (")
	b.cases(w.info, w.q)
	b.add(") c" + join)
	rows, err := w.tx.QueryContext(ctx, w.store.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	c := &workedCase{numbers: map[string]float64{}, words: map[string]string{}}
	into = append([]any{&c.leadID, &c.state, (*instantColumn)(&c.received), (*instantColumn)(&c.came), &c.person, &c.key}, into...)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := each(c); err != nil {
			return err
		}
	}
	return rows.Err()
}

// say hands a case on that is one of the question's.
func (w *working) say(c *workedCase) {
	for name, values := range w.own { // any order: all must hold
		if !slices.Contains(values, wordOrNone(c.words[name])) {
			return
		}
	}
	switch by := w.q.By; {
	case slices.Contains(w.info.own, by):
		c.key = wordOrNone(c.words[by])
	case timed(by):
		from, _ := w.q.Year.Begin(w.q.periodAt(c), by)
		c.key = periodName(w.q, from)
	}
	w.one(c)
}

// periodAt is the instant of a case that the period is about.
func (q Question) periodAt(c *workedCase) time.Time {
	if q.Frame == frameActivity {
		return c.came
	}
	return c.received
}

func wordOrNone(word string) string {
	if word == "" {
		return noneKey
	}
	return word
}

// saw says whether something happened by the question's instant, and where the question
// is about activity within its period.
func (q Question) saw(at time.Time) bool {
	if q.Past && at.After(q.AsOf) {
		return false
	}
	return q.Frame != frameActivity || (q.From.IsZero() || !at.Before(q.From)) && (q.To.IsZero() || at.Before(q.To))
}

// standing answers which version is in force, or nil.
func (q Question) standing(at time.Time) *agreement.Version {
	if q.InForce == nil {
		return nil
	}
	return q.InForce(at)
}

// ingredient is one whole number, or one sample, that measures are made of.
type ingredient struct {
	name      string
	sample    [2]string
	by        aggregate
	of        string
	where     condition
	alsoHolds condition
}

// countsOf are what the report's measures are made of, each once.
func countsOf(metrics []Metric) (out []ingredient) {
	add := func(c ingredient) {
		if !slices.ContainsFunc(out, func(o ingredient) bool { return o.name == c.name && o.sample == c.sample }) {
			out = append(out, c)
		}
	}
	for _, metric := range metrics {
		m := metric.measure
		names := m.counts()
		where := conditionOf(m.where)
		switch m.by {
		case byCount, bySum, byDistinct:
			add(ingredient{name: names[0], by: m.by, of: m.of, where: where})
		case byShare, byLow, byHigh:
			add(ingredient{name: names[0], by: byCount, where: where, alsoHolds: conditionOf(m.of)})
			add(ingredient{name: names[1], by: byCount, where: where})
		case byQuotient:
			add(ingredient{name: names[0], by: bySum, of: m.of})
			add(ingredient{name: names[1], by: byCount, where: where})
		default:
			add(ingredient{sample: [2]string{m.of, m.where}, by: byMedian, of: m.of, where: where})
		}
	}
	return out
}

// workedRow is a row in the making.
type workedRow struct {
	cases    int64
	numbers  []float64
	samples  [][]float64
	distinct []map[string]bool
}

// take counts a case.
func (r *workedRow) take(counts []ingredient, c *workedCase) {
	if r.numbers == nil {
		r.numbers, r.samples, r.distinct = make([]float64, len(counts)), make([][]float64, len(counts)), make([]map[string]bool, len(counts))
	}
	r.cases++
	for i := range counts {
		n := &counts[i]
		if !n.where.holds(c) || !n.alsoHolds.holds(c) {
			continue
		}
		switch n.by {
		case byCount:
			r.numbers[i]++
		case bySum:
			r.numbers[i] += c.numbers[n.of]
		case byDistinct:
			word := c.leadID
			if n.of != "lead_id" {
				word = c.words[n.of]
			}
			if word == "" || r.distinct[i][word] {
				continue
			}
			if r.distinct[i] == nil {
				r.distinct[i] = map[string]bool{}
			}
			r.distinct[i][word] = true
			r.numbers[i]++
		default:
			if v, ok := c.numbers[n.of]; ok {
				r.samples[i] = append(r.samples[i], v)
			}
		}
	}
}

func (r *workedRow) measured(counts []ingredient) *measuredRow {
	out := &measuredRow{cases: r.cases, numbers: map[string]int64{}, samples: map[[2]string][]float64{}}
	if r.numbers == nil {
		return out
	}
	for i := range counts {
		if counts[i].name != "" {
			out.numbers[counts[i].name] = int64(r.numbers[i])
			continue
		}
		slices.Sort(r.samples[i])
		out.samples[counts[i].sample] = r.samples[i]
	}
	return out
}

// worked makes the rows and the total of a report whose cases are worked out.
func (m *measuring) worked(ctx context.Context, q Question, out *feedbackv1.Report) error {
	counts := countsOf(m.info.metrics)
	total, rows := &workedRow{}, map[string]*workedRow{}
	var first, last time.Time
	err := m.work(ctx, q, func(c *workedCase) {
		total.take(counts, c)
		if q.By == "" {
			return
		}
		if rows[c.key] == nil {
			rows[c.key] = &workedRow{}
		}
		rows[c.key].take(counts, c)
		at := q.periodAt(c)
		if first.IsZero() || at.Before(first) {
			first = at
		}
		last = later(last, at)
	})
	if err != nil {
		return err
	}
	out.Total = m.row(totalKey, total.measured(counts))
	if m.info.remarks != nil {
		out.Remarks = m.info.remarks(numbersOf(out.Total))
	}
	if timed(q.By) {
		return m.periods(q, first, last, func(from, to time.Time) error {
			key := periodName(q, from)
			if rows[key] == nil {
				rows[key] = &workedRow{}
			}
			row := m.row(key, rows[key].measured(counts))
			row.From, row.To = timestamp(from), timestamp(to)
			out.Rows = append(out.Rows, row)
			return nil
		})
	}
	keys := make([]string, 0, len(rows))
	for k := range rows { // any order: they are sorted
		keys = append(keys, k)
	}
	sortKeys(keys, q.By)
	for _, k := range keys {
		out.Rows = append(out.Rows, m.row(k, rows[k].measured(counts)))
	}
	return nil
}

// workedLeads lists the leads of which one figure is made, with how much of it each is.
func (s *Store) workedLeads(ctx context.Context, tx *sql.Tx, r *info, q Question, of measure, key string) ([]*feedbackv1.CountedLead, error) {
	m := &measuring{store: s, tx: tx, info: r}
	where := conditionOf(of.where)
	if of.by == byShare {
		where = append(where, conditionOf(of.of)...)
	}
	found := map[string]*feedbackv1.CountedLead{}
	err := m.work(ctx, q, func(c *workedCase) {
		if key != "" && c.key != key || !where.holds(c) || of.by == bySum && c.numbers[of.of] == 0 {
			return
		}
		l := found[c.leadID]
		if l == nil {
			l = &feedbackv1.CountedLead{LeadId: c.leadID, State: c.state, Owner: strings.TrimPrefix(c.person, noneKey), ReceivedAt: timestamppb.New(c.received)}
			found[c.leadID] = l
		} else if c.person != noneKey && !slices.Contains(strings.Split(l.GetOwner(), ", "), c.person) {
			l.Owner = strings.TrimPrefix(l.GetOwner()+", "+c.person, ", ")
		}
		if of.by == byCount || of.by == byShare {
			l.Value++
		} else {
			l.Value += c.numbers[of.of]
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]*feedbackv1.CountedLead, 0, len(found))
	for _, l := range found { // any order: they are sorted
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *feedbackv1.CountedLead) int { return strings.Compare(a.GetLeadId(), b.GetLeadId()) })
	return out, nil
}

// workedPage fills in a page of the leads of which one figure is made.
func (s *Store) workedPage(ctx context.Context, r *info, q Question, of measure, key string, size int, after string, out *feedbackv1.ListReportLeadsResponse) error {
	err := s.snapshot(ctx, func(tx *sql.Tx) (err error) {
		out.Leads, err = s.workedLeads(ctx, tx, r, q, of, key)
		return err
	})
	if err != nil {
		return s.fault("read", err)
	}
	out.Leads = slices.DeleteFunc(out.Leads, func(l *feedbackv1.CountedLead) bool { return l.GetLeadId() <= after })
	if len(out.Leads) > size {
		out.Leads = out.Leads[:size]
		out.NextPageToken = out.Leads[size-1].GetLeadId()
	}
	return nil
}
