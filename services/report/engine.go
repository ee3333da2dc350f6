package report

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// mostPeriods bounds how many rows a report by time has.
const mostPeriods = 600

// measured computes a report that is made of cases: a row for each value of the
// dimension, and the total.
func (s *Store) measured(ctx context.Context, tx *sql.Tx, r *info, q Question, out *feedbackv1.Report) error {
	currency, err := s.currency(ctx, tx, r, q)
	if err != nil {
		return err
	}
	out.Currency = currency
	digits, known := lead.MinorDigits(currency)
	m := measuring{store: s, tx: tx, info: r, money: known, minor: math.Pow10(digits)}
	if r.work != nil {
		return m.worked(ctx, q, out)
	}
	split := q.By != "" && !timed(q.By)
	var rows map[string]*measuredRow
	if split {
		if rows, err = m.rows(ctx, q, q.By); err != nil {
			return err
		}
	}
	all := m.sum(rows)
	if !split || !m.addsUp() {
		total, err := m.rows(ctx, q, "")
		if err != nil {
			return err
		}
		if all = total[""]; all == nil {
			all = m.empty()
		}
	}
	out.Total = m.row(totalKey, all)
	out.Benchmarks = r.benchmarks
	if r.remarks != nil {
		out.Remarks = r.remarks(numbersOf(out.Total))
	}
	if timed(q.By) {
		return m.byTime(ctx, q, out)
	}
	keys := make([]string, 0, len(rows))
	for k := range rows { // any order: they are sorted
		keys = append(keys, k)
	}
	sortKeys(keys, q.By)
	for _, k := range keys {
		out.Rows = append(out.Rows, m.row(k, rows[k]))
	}
	return nil
}

// measuring is one computation of a report.
type measuring struct {
	store *Store
	tx    *sql.Tx
	info  *info
	// money says that the report's money is in one currency, minor how many of its minor
	// units, in which values are kept, are one of the major.
	money bool
	minor float64
}

// measuredRow is what a row is made of.
type measuredRow struct {
	cases   int64
	numbers map[string]int64
	samples map[[2]string][]float64
}

func (m *measuring) empty() *measuredRow {
	return &measuredRow{numbers: map[string]int64{}, samples: map[[2]string][]float64{}}
}

// addsUp says whether the total is made of the same numbers as the rows: each case is of
// one row, and only what is counted by its kind may be of several.
func (m *measuring) addsUp() bool {
	return !slices.ContainsFunc(m.info.metrics, func(metric Metric) bool { return metric.measure.by == byDistinct })
}

// sum adds rows up.
func (m *measuring) sum(rows map[string]*measuredRow) *measuredRow {
	all := m.empty()
	for _, row := range rows { // any order: sums, and samples are sorted
		all.cases += row.cases
		for c, n := range row.numbers { // any order: each by itself
			all.numbers[c] += n
		}
		for name, values := range row.samples { // any order: each by itself
			all.samples[name] = append(all.samples[name], values...)
		}
	}
	for _, values := range all.samples { // any order: each by itself
		slices.Sort(values)
	}
	return all
}

// byTime makes a row for each week, month or quarter: that of a cohort for the leads
// received in it, that of activity for what happened in it.
func (m *measuring) byTime(ctx context.Context, q Question, out *feedbackv1.Report) error {
	first, last, err := m.span(ctx, q)
	if err != nil {
		return err
	}
	return m.periods(q, first, last, func(from, to time.Time) error {
		part := q
		part.By = ""
		if part.From.Before(from) {
			part.From = from
		}
		if part.To.IsZero() || to.Before(part.To) {
			part.To = to
		}
		rows, err := m.rows(ctx, part, "")
		if err != nil {
			return err
		}
		if rows[""] == nil {
			rows[""] = m.empty()
		}
		row := m.row(periodName(q, from), rows[""])
		row.From, row.To = timestamp(from), timestamp(to)
		out.Rows = append(out.Rows, row)
		return nil
	})
}

// periods calls each with every week, month or quarter from the first instant of cases to
// the last; none where there are no cases.
func (m *measuring) periods(q Question, first, last time.Time, each func(from, to time.Time) error) error {
	if first.IsZero() {
		return nil
	}
	// A period that was asked for is shown whole, also where nothing happened.
	if !q.From.IsZero() {
		first = q.From
	}
	if !q.To.IsZero() {
		last = q.To.Add(-1)
	}
	last = earlier(last, q.AsOf)
	for n := 0; !first.After(last); n++ {
		if n == mostPeriods {
			return fault.New(fault.Invalid, "by: there are more than %d %ss from %s to %s; choose a longer unit, or bound the period with from and to", mostPeriods, q.By, moment(first), moment(last))
		}
		from, to := q.Year.Begin(first, q.By)
		if err := each(from, to); err != nil {
			return err
		}
		first = to
	}
	return nil
}

// periodName names a period: a week by its Monday, a month, or a quarter of the agreed
// year.
func periodName(q Question, from time.Time) string {
	local := from.In(q.Year.Zone)
	switch q.By {
	case "week":
		return local.Format(time.DateOnly)
	case "month":
		return local.Format("2006-01")
	}
	return q.Year.Quarter(from)
}

// span is the first and the last instant of the cases.
func (m *measuring) span(ctx context.Context, q Question) (first, last time.Time, err error) {
	b := &query{}
	columns := []string{"came_at"}
	if q.Frame != frameActivity {
		// The period is that in which the leads were received, whatever a case is.
		columns = []string{"received_at"}
	} else if m.info.cases == casesLeads {
		// That nobody answered happens at the end of the horizon.
		columns = append(slices.Clone(leadInstants), "leaked_at", fmt.Sprintf("CASE WHEN answer = 'never' THEN received_at + %d END", int64(q.Horizon)))
	}
	if m.info.name == reportSegments {
		columns = append(columns, "ease_at")
	}
	var lows, highs []string
	for _, c := range columns {
		lows, highs = append(lows, "MIN("+c+")"), append(highs, "MAX("+c+")")
	}
	if len(columns) > 1 {
		again := "((SELECT %s(d.occurred_at) FROM duplicates d WHERE d.lead_id = c.lead_id AND " + q.happened("d.occurred_at") + "))"
		columns = append(columns, again)
		lows, highs = append(lows, "MIN"+fmt.Sprintf(again, "MIN")), append(highs, "MAX"+fmt.Sprintf(again, "MAX"))
	}
	b.add("SELECT " + strings.Join(append(lows, highs...), ", ") + " FROM (")
	b.cases(m.info, q)
	b.add(") c")
	at := make([]instantColumn, 2*len(columns))
	to := make([]any, len(at))
	for i := range at {
		to[i] = &at[i]
	}
	if err := m.tx.QueryRowContext(ctx, m.store.dialect.places(b.text.String()), b.args...).Scan(to...); err != nil {
		return first, last, err
	}
	for i, t := range at {
		t := time.Time(t)
		if t.IsZero() {
			continue
		}
		if i < len(columns) && (first.IsZero() || t.Before(first)) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	return first, last, nil
}

// rows counts the cases by the values of a dimension; none = all under "".
func (m *measuring) rows(ctx context.Context, q Question, by string) (map[string]*measuredRow, error) {
	var columns []string
	for _, metric := range m.info.metrics {
		for _, c := range metric.measure.counts() {
			if !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	key := "CAST('' AS TEXT)"
	if by != "" {
		key = "c." + by
	}
	b := &query{}
	b.add("SELECT " + key + ", COUNT(*)")
	for _, c := range columns {
		b.add(", " + c)
	}
	b.add(" FROM (")
	b.cases(m.info, q)
	b.add(") c")
	if by != "" {
		b.add(" GROUP BY 1") // without a split there is nothing to sort by
	}
	out := map[string]*measuredRow{}
	rows, err := m.tx.QueryContext(ctx, m.store.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.info.name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		row := m.empty()
		numbers := make([]int64, len(columns))
		at := []any{&key, &row.cases}
		for i := range numbers {
			at = append(at, &numbers[i])
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		for i, c := range columns {
			row.numbers[c] = numbers[i]
		}
		out[key] = row
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, m.samples(ctx, q, key, out)
}

// samples reads the values of which means and medians are made.
func (m *measuring) samples(ctx context.Context, q Question, key string, into map[string]*measuredRow) error {
	var done [][2]string
	for _, metric := range m.info.metrics {
		name := [2]string{metric.measure.of, metric.measure.where}
		if !metric.measure.sample() || slices.Contains(done, name) {
			continue
		}
		done = append(done, name)
		if name[0] == workSeconds {
			if err := m.answered(ctx, q, key, name, into); err != nil {
				return err
			}
			continue
		}
		b := &query{}
		b.add("SELECT " + key + ", c." + name[0] + " FROM (")
		b.cases(m.info, q)
		b.add(") c WHERE (" + name[1] + ") AND c." + name[0] + " IS NOT NULL ORDER BY 2")
		if err := m.sample(ctx, b, name, into); err != nil {
			return err
		}
	}
	return nil
}

func (m *measuring) sample(ctx context.Context, b *query, name [2]string, into map[string]*measuredRow) error {
	rows, err := m.tx.QueryContext(ctx, m.store.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var v float64
		if err := rows.Scan(&key, &v); err != nil {
			return err
		}
		if row := into[key]; row != nil {
			row.samples[name] = append(row.samples[name], v)
		}
	}
	return rows.Err()
}

// workSeconds is the sample that no database can compute: the working time from receipt
// to the first answer.
const workSeconds = "work_seconds"

// answered reads the first answers and computes their working time, where it is known.
func (m *measuring) answered(ctx context.Context, q Question, key string, name [2]string, into map[string]*measuredRow) error {
	if m.store.Working == nil {
		return nil
	}
	b := &query{}
	b.add("SELECT " + key + ", c.pool, c.received_at, c.first_touch_at FROM (")
	b.cases(m.info, q)
	b.add(") c WHERE (" + name[1] + ") AND c.first_touch_at IS NOT NULL")
	rows, err := m.tx.QueryContext(ctx, m.store.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, pool string
		var from, to instantColumn
		if err := rows.Scan(&key, &pool, &from, &to); err != nil {
			return err
		}
		took, known := m.store.Working(pool, time.Time(from), time.Time(to))
		if row := into[key]; known && row != nil {
			row.samples[name] = append(row.samples[name], took.Seconds())
		}
	}
	for _, row := range into { // any order: each by itself
		slices.Sort(row.samples[name])
	}
	return rows.Err()
}

// row makes the figures of a row.
func (m *measuring) row(key string, r *measuredRow) *feedbackv1.ReportRow {
	out := &feedbackv1.ReportRow{Key: key, Cases: r.cases}
	for _, metric := range m.info.metrics {
		var numbers []int64
		for _, c := range metric.measure.counts() {
			numbers = append(numbers, r.numbers[c])
		}
		var v float64
		known := false
		if metric.Unit != unitMoney || m.money {
			v, known = metric.measure.figure(numbers, r.samples[[2]string{metric.measure.of, metric.measure.where}])
		}
		if metric.Unit == unitMoney {
			v /= m.minor
		}
		out.Figures = append(out.Figures, &feedbackv1.Figure{Name: metric.Name, Value: v, Unknown: !known})
	}
	return out
}

// currency is the one in which the report's money is: none where there is none, or
// where it is in several, which are not added up.
func (s *Store) currency(ctx context.Context, tx *sql.Tx, r *info, q Question) (string, error) {
	if r.cases != casesLeads || !slices.ContainsFunc(r.metrics, func(m Metric) bool { return m.Unit == unitMoney }) {
		return "", nil
	}
	b := &query{}
	b.add("SELECT DISTINCT c.currency FROM (")
	b.cases(r, q)
	b.add(") c WHERE c.won_at IS NOT NULL AND c.value_minor <> 0 ORDER BY 1")
	rows, err := tx.QueryContext(ctx, s.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			return "", err
		}
		found = append(found, c)
	}
	if len(found) != 1 {
		return "", rows.Err()
	}
	return found[0], rows.Err()
}

func numbersOf(row *feedbackv1.ReportRow) figures {
	out := figures{}
	for _, f := range row.GetFigures() {
		if !f.GetUnknown() {
			out[f.GetName()] = f.GetValue()
		}
	}
	return out
}

// sortKeys puts numbers and bands in their own order, and what is none last.
func sortKeys(keys []string, by string) {
	rank := func(k string) int {
		switch {
		case k == noneKey:
			return 2
		case k == othersKey:
			return 1
		}
		return 0
	}
	band := func(k string) int {
		for i, b := range sizeBands {
			if b.name == k {
				return i
			}
		}
		return len(sizeBands)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if x, y := rank(a), rank(b); x != y {
			return x - y
		}
		if by == "size" {
			return band(a) - band(b)
		}
		return compareKeys(a, b)
	})
}
