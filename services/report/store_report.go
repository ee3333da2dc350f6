package report

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Question is what a report is asked for.
type Question struct {
	Report, By string
	// From and To bound when leads were received; zero = open.
	From, To time.Time
	// AtBaseline says that From is the agreed baseline, since nobody asked for
	// another time.
	AtBaseline bool
	// AsOf is the instant that the report speaks for. Past says that it was
	// asked for: what occurred later does not count then.
	AsOf time.Time
	Past bool
	// Definition limits the report to leads that this version qualified first.
	Definition int64
	Horizon    time.Duration
	Historical bool
	// Pool limits the reports on turns to one; empty = all.
	Pool string
}

const (
	defaultHorizonDays = 30
	totalKey           = "total"
	noneKey            = "(none)"
)

// dimension is something a report can be split by. Moving ones change while a
// lead is worked, so a report on the past reads them from the history.
type dimension struct {
	column string
	moving bool
}

var dimensions = map[string]dimension{
	"source":     {column: "source"},
	"campaign":   {column: "campaign"},
	"country":    {column: "country"},
	"persona":    {column: "persona", moving: true},
	"pool":       {column: "pool", moving: true},
	"owner":      {column: "owner", moving: true},
	"definition": {column: "definition", moving: true},
}

// Dimensions lists what reports can be split by.
func Dimensions() []string {
	return []string{"source", "campaign", "country", "persona", "pool", "owner", "definition"}
}

// question checks a request and fills in what it leaves open.
func question(req *feedbackv1.GetReportRequest, now time.Time) (Question, error) {
	q := Question{
		Report: req.GetReport(), By: req.GetBy(), AsOf: now,
		Definition: req.GetDefinition(), Historical: req.GetHistorical(), Pool: req.GetPool(),
	}
	if !slices.Contains(ReportNames(), q.Report) {
		return q, fault.New(fault.Invalid, "report: there is no report %q; there are %s", q.Report, strings.Join(ReportNames(), ", "))
	}
	if _, ok := dimensions[q.By]; q.By != "" && !ok {
		return q, fault.New(fault.Invalid, "by: reports cannot be split by %q; they can by %s", q.By, strings.Join(Dimensions(), ", "))
	}
	switch {
	case byPerson(q.Report) && q.By != "":
		return q, fault.New(fault.Invalid, "by: the report %s is by person and is not split further", q.Report)
	case q.Report == reportFairness && q.Definition != 0:
		return q, fault.New(fault.Invalid, "definition: the report %s counts turns, whatever qualified their leads", q.Report)
	case q.Report == reportFairness && q.Historical:
		return q, fault.New(fault.Invalid, "historical: imported history had no turns")
	case q.Pool != "" && q.Report != reportFairness && q.Report != reportSecondChance:
		return q, fault.New(fault.Invalid, "pool: only the reports %s and %s are limited to one; others are split by it", reportFairness, reportSecondChance)
	}
	if req.GetFrom() != nil {
		q.From = req.GetFrom().AsTime()
	}
	if req.GetTo() != nil {
		q.To = req.GetTo().AsTime()
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return q, fault.New(fault.Invalid, "from, to: the period ends (%s) before it begins (%s)", moment(q.To), moment(q.From))
	}
	if q.Definition < 0 {
		return q, fault.New(fault.Invalid, "definition: versions of the agreement are counted from 1")
	}
	days := req.GetHorizonDays()
	if days < 0 || days > 3650 {
		return q, fault.New(fault.Invalid, "horizon_days: between 1 and 3650; 0 = %d", defaultHorizonDays)
	}
	if days == 0 {
		days = defaultHorizonDays
	}
	q.Horizon = time.Duration(days) * 24 * time.Hour
	if req.GetAsOf() != nil {
		q.AsOf, q.Past = req.GetAsOf().AsTime(), true
	}
	return q, nil
}

// startAt begins the report at the agreed baseline, if nothing else is asked for: not
// another start, nor a time that was over by then.
func (q *Question) startAt(baseline time.Time) {
	if baseline.IsZero() || !q.From.IsZero() || !baseline.Before(q.AsOf) || (!q.To.IsZero() && !baseline.Before(q.To)) {
		return
	}
	q.From, q.AtBaseline = baseline, true
}

// Report computes a report on one unchanging state of the tables.
func (s *Store) Report(ctx context.Context, q Question) (*feedbackv1.Report, error) {
	ms := metricsOf(q.Report)
	out := &feedbackv1.Report{
		Report: q.Report, AsOf: timestamppb.New(q.AsOf), Definition: q.Definition,
		Columns: columnsOf(ms), Population: q.population(),
	}
	if !q.From.IsZero() {
		out.From = timestamppb.New(q.From)
	}
	if !q.To.IsZero() {
		out.To = timestamppb.New(q.To)
	}
	err := s.snapshot(ctx, func(tx *sql.Tx) (err error) {
		if _, out.Sequence, err = s.position(ctx, tx); err != nil {
			return err
		}
		switch q.Report {
		case reportFairness:
			return s.fairness(ctx, tx, q, out)
		case reportSecondChance:
			return s.secondChance(ctx, tx, q, out)
		case reportLoad:
			return s.loads(ctx, tx, q, out)
		}
		tallies := map[string]*tally{}
		switch q.Report {
		case reportResponse:
			err = s.response(ctx, tx, q, tallies)
		case reportDefinitions:
			err = s.definitions(ctx, tx, q, tallies, out)
		default:
			err = s.funnel(ctx, tx, q, tallies)
		}
		if err != nil {
			return err
		}
		total := &tally{}
		for _, key := range sortedKeys(tallies) {
			total.add(tallies[key])
			if q.split() {
				out.Rows = append(out.Rows, rowOf(key, ms, tallies[key]))
			}
		}
		out.Total = rowOf(totalKey, ms, total)
		if q.Report == reportDefinitions && q.By == "" {
			return s.inForce(ctx, tx, q, out.Rows)
		}
		return nil
	})
	if err != nil {
		return nil, s.fault("read", err)
	}
	return out, nil
}

// split says whether the report has rows besides its total. The one on definitions
// always has: by version where nothing else is asked for.
func (q Question) split() bool { return q.By != "" || q.Report == reportDefinitions }

// sortedKeys puts numbers in their own order and "(none)" last.
func sortedKeys(tallies map[string]*tally) []string {
	keys := make([]string, 0, len(tallies))
	for k := range tallies {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if (a == noneKey) != (b == noneKey) {
			if a == noneKey {
				return 1
			}
			return -1
		}
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		if errX == nil && errY == nil && x != y {
			return int(max(-1, min(1, x-y)))
		}
		return strings.Compare(a, b)
	})
	return keys
}

// population says in words which leads the report counts.
func (q Question) population() string {
	var b strings.Builder
	b.WriteString(map[bool]string{true: "Turns of pools", false: "Leads received"}[q.Report == reportFairness])
	switch {
	case !q.From.IsZero() && !q.To.IsZero():
		fmt.Fprintf(&b, " from %s until before %s", moment(q.From), moment(q.To))
	case !q.From.IsZero():
		fmt.Fprintf(&b, " from %s on", moment(q.From))
	case !q.To.IsZero():
		fmt.Fprintf(&b, " before %s", moment(q.To))
	}
	switch {
	case q.Definition != 0 && q.Report == reportDefinitions:
		fmt.Fprintf(&b, " that version %d of the agreement decided first", q.Definition)
	case q.Definition != 0:
		fmt.Fprintf(&b, " that version %d of the agreement qualified first", q.Definition)
	}
	if q.AtBaseline {
		b.WriteString(" (the agreed baseline; what came before it counts only when asked for)")
	}
	switch {
	case q.Report == reportFairness: // imported history had no turns
	case q.Historical:
		b.WriteString(", imported history included")
	default:
		b.WriteString(", imported history left out")
	}
	b.WriteString(personsText[q.Report])
	if q.Report == reportResponse {
		days := int64(q.Horizon / (24 * time.Hour))
		fmt.Fprintf(&b, ", refused ones left out. First answer: the first touch of the person by sales, in clock time from receipt; it counts within %d days. Mean, median and p90 are over the leads answered within that horizon only", days)
	}
	if q.Report == reportDefinitions {
		b.WriteString(", refused ones and those that nothing decided yet left out. A lead belongs to the version that decided it first, whatever later ones made of it, so that no lead counts twice. Leads of an older version have had more time to get on")
	}
	if q.Past {
		fmt.Fprintf(&b, ". What occurred after %s does not count", moment(q.AsOf))
	}
	b.WriteByte('.')
	return b.String()
}

// personsText says what else the reports by person count.
var personsText = map[string]string{
	reportFairness: ". A turn is an offer of a lead to one person, of whatever kind; who was there, and with which weight, is what the decision itself recorded." +
		" Off quota ever is over the pool's whole books, also what came before; rotation promises less than one lead while the same people are there",
	reportSecondChance: ". A lead counts for whoever declined it or gave it back with a reason; it was taken where somebody else accepted it afterwards and has had it since. In the total a lead counts once",
	reportLoad:         ", and whoever had them. Everybody of sales is listed, also who had none. In the total a lead counts once, however many had it",
}

// selection is the part of a query that all reports share: which leads, how
// they stood, and what they are split by. It counts a lead that was not refused
// as received.
type selection struct {
	key, from, where string
	args             []any
	until            int64 // instants after it have not happened
}

func (q Question) selection() selection {
	sel := selection{from: "leads l", until: math.MaxInt64}
	now := "l" // where moving columns are
	if q.Past {
		sel.until = nanos(q.AsOf)
		now = "h"
		sel.from += " JOIN stage_history h ON h.lead_id = l.lead_id AND h.sequence =" +
			" (SELECT MAX(x.sequence) FROM stage_history x WHERE x.lead_id = l.lead_id AND x.occurred_at <= ?)"
		sel.args = append(sel.args, sel.until)
	}
	where := []string{"l.received_at IS NOT NULL"}
	add := func(condition string, arg any) {
		where = append(where, condition)
		sel.args = append(sel.args, arg)
	}
	if q.Past {
		add("l.received_at <= ?", sel.until)
	}
	if !q.From.IsZero() {
		add("l.received_at >= ?", nanos(q.From))
	}
	if !q.To.IsZero() {
		add("l.received_at < ?", nanos(q.To))
	}
	if q.Definition != 0 {
		add(now+".definition = ?", q.Definition)
	}
	if !q.Historical {
		where = append(where, "NOT l.historical")
	}
	sel.where = strings.Join(where, " AND ")
	switch d := dimensions[q.By]; {
	case q.By == "":
		sel.key = "CAST('' AS TEXT)"
	case q.By == "definition":
		sel.key = "CASE WHEN " + now + ".definition = 0 THEN '" + noneKey + "' ELSE CAST(" + now + ".definition AS TEXT) END"
	case d.moving:
		sel.key = "COALESCE(NULLIF(" + now + "." + d.column + ", ''), '" + noneKey + "')"
	default:
		sel.key = "COALESCE(NULLIF(l." + d.column + ", ''), '" + noneKey + "')"
	}
	return sel
}

// state is the column that holds how a lead stood.
func (q Question) state() string {
	if q.Past {
		return "h.state"
	}
	return "l.state"
}

func (s *Store) funnel(ctx context.Context, tx *sql.Tx, q Question, into map[string]*tally) error {
	sel := q.selection()
	st := q.state()
	var args []any
	happened := func(columns ...string) string {
		var conditions []string
		for _, c := range columns {
			conditions = append(conditions, "l."+c+" <= ?")
			args = append(args, sel.until)
		}
		return strings.Join(conditions, " AND ")
	}
	sum := func(value string) string { return "CAST(COALESCE(SUM(" + value + "), 0) AS BIGINT)" }
	count := func(condition string) string { return sum("CASE WHEN " + condition + " THEN 1 ELSE 0 END") }
	kept := st + " <> 'refused' AND "
	duplicates := "l.repeats + l.revisions + l.joined"
	columns := []string{
		count(st + " <> 'refused'"),
		count(st + " = 'refused'"),
	}
	if q.Past {
		duplicates = "(SELECT COUNT(*) FROM duplicates d WHERE d.lead_id = l.lead_id AND d.occurred_at <= ?)"
		args = append(args, sel.until)
	}
	columns = append(columns,
		sum(duplicates),
		count(kept+happened("mql_at")),
		count(kept+happened("sal_at")),
		count(kept+happened("sql_at")),
		count(kept+happened("offered_at")),
		count(kept+happened("accepted_at")),
		count(kept+happened("rejected_at")),
		count(kept+happened("offered_at", "accepted_at")),
		count(kept+happened("offered_at", "rejected_at")),
		count(st+" = 'won'"),
		count(st+" = 'lost'"),
		count(st+" NOT IN ('refused', 'won', 'lost')"),
	)
	query := "SELECT " + sel.key + ", " + strings.Join(columns, ", ") +
		" FROM " + sel.from + " WHERE " + sel.where
	if q.By != "" {
		query += " GROUP BY 1" // without a split there is nothing to sort by
	}
	rows, err := tx.QueryContext(ctx, s.dialect.places(query), append(args, sel.args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		t := &tally{}
		if err := rows.Scan(&key, &t.received, &t.refused, &t.duplicates, &t.mql, &t.sal, &t.sql, &t.offered, &t.accepted, &t.rejected,
			&t.offeredAccepted, &t.offeredRejected, &t.won, &t.lost, &t.open); err != nil {
			return err
		}
		into[key] = t
	}
	return rows.Err()
}

func (s *Store) response(ctx context.Context, tx *sql.Tx, q Question, into map[string]*tally) error {
	sel := q.selection()
	query := "SELECT " + sel.key + ", l.received_at, l.first_touch_at FROM " + sel.from +
		" WHERE " + sel.where + " AND " + q.state() + " <> 'refused'"
	rows, err := tx.QueryContext(ctx, s.dialect.places(query), sel.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var received, touch instantColumn
		if err := rows.Scan(&key, &received, &touch); err != nil {
			return err
		}
		t := into[key]
		if t == nil {
			t = &tally{}
			into[key] = t
		}
		t.answer(time.Time(received), time.Time(touch), q.AsOf, q.Horizon)
	}
	return rows.Err()
}
