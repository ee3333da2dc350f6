package report

import (
	"cmp"
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
	"github.com/leadbaton/baton/services/agreement"
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
	// KnownAt is the instant up to which what was known counts; zero = all that is.
	KnownAt time.Time
	// Definition is the version of the agreement under which stages are re-stated beside
	// what was stated; 0 = none. Restate answers how.
	Definition int64
	Restate    func(ctx context.Context, q Question, sequence uint64) (restated, error)
	Horizon    time.Duration
	Historical bool
	// Pool limits the reports on turns to one; empty = all.
	Pool string
	// Frame is what the period is about: frameCohort or frameActivity.
	Frame string
	// Where limits the cases to those whose dimensions have one of these values.
	Where map[string][]string
	// Viewer is who may see no person's name but their own; empty = all are seen.
	Viewer string
	// Year cuts weeks, months and quarters.
	Year agreement.Year
	// InForce and Away are what cases are worked out by that depend on the agreement;
	// nil = none was ever in force, and nobody was ever away.
	InForce agreement.Standing
	Away    agreement.Away
	// Counted answers how leads came to be MQL, by the log up to a sequence; Current under
	// which id a person is found now. nil = nobody can say.
	Counted func(ctx context.Context, q Question, sequence uint64) (*mqls, error)
	Current func(personID string) string
	// Campaign is whose effect is asked for, Launched when it began; zero = with its first
	// lead.
	Campaign string
	Launched time.Time
}

const (
	defaultHorizonDays = 30
	totalKey           = "total"
	noneKey            = "(none)"
)

// question checks a request and fills in what it leaves open.
func question(req *feedbackv1.GetReportRequest, now time.Time) (Question, error) {
	q := Question{
		Report: req.GetReport(), By: req.GetBy(), AsOf: now,
		Definition: req.GetDefinition(), Historical: req.GetHistorical(), Pool: req.GetPool(),
		Year: agreement.Year{Starts: time.January, Zone: time.UTC},
	}
	if !slices.Contains(ReportNames(), q.Report) {
		return q, fault.New(fault.Invalid, "report: there is no report %q; there are %s", q.Report, strings.Join(ReportNames(), ", "))
	}
	of := infoOf(q.Report)
	if q.By != "" && !slices.Contains(of.dimensions(), q.By) {
		return q, fault.New(fault.Invalid, "by: the report %s cannot be split by %q; it can by %s", q.Report, q.By, strings.Join(of.dimensions(), ", "))
	}
	if q.By == "" {
		q.By = of.by
	}
	if of.fixed != "" {
		q.By = "" // it is so split
	}
	if byPerson(q.Report) && q.By == "person" {
		q.By = "" // it is so split
	}
	switch {
	case byPerson(q.Report) && q.By != "":
		return q, fault.New(fault.Invalid, "by: the report %s is by person and is not split further", q.Report)
	case infoOf(q.Report).cases == "" && req.GetFrame() == frameActivity:
		return q, fault.New(fault.Invalid, "frame: the report %s counts cohorts only", q.Report)
	case infoOf(q.Report).cases == "" && len(req.GetWhere()) > 0 && q.Report != reportDefinitions:
		return q, fault.New(fault.Invalid, "where: the report %s counts all leads; others are limited by it", q.Report)
	case q.Report != reportFunnel && q.Definition != 0:
		return q, fault.New(fault.Invalid, "definition: stages are re-stated in the report %s alone; leads that a version qualified are where definition=%d", reportFunnel, q.Definition)
	case q.Report == reportFairness && q.Historical:
		return q, fault.New(fault.Invalid, "historical: imported history had no turns")
	case q.Pool != "" && q.Report != reportFairness && q.Report != reportSecondChance:
		return q, fault.New(fault.Invalid, "pool: only the reports %s and %s are limited to one; others are split by it", reportFairness, reportSecondChance)
	}
	if q.Frame = req.GetFrame(); q.Frame == "" {
		q.Frame = frameCohort
	}
	if q.Frame != frameCohort && q.Frame != frameActivity {
		return q, fault.New(fault.Invalid, "frame: %q is none; write cohort or activity", q.Frame)
	}
	for _, w := range req.GetWhere() {
		name, value, ok := strings.Cut(w, "=")
		if !ok || !slices.Contains(of.dimensions(), name) || timed(name) {
			return q, fault.New(fault.Invalid, "where: %q is no condition; write a dimension and its value, such as source=web; dimensions are %s", w, strings.Join(slices.DeleteFunc(of.dimensions(), timed), ", "))
		}
		if words := closedWords[name]; words != nil && !slices.Contains(words, value) {
			return q, fault.New(fault.Invalid, "where: %q is no %s; it can be %s", value, name, strings.Join(words, ", "))
		}
		if q.Where == nil {
			q.Where = map[string][]string{}
		}
		q.Where[name] = append(q.Where[name], value)
	}
	if err := q.checkEffect(req); err != nil {
		return q, err
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
	if req.GetKnownAt() != nil {
		// As it would have been answered then.
		q.KnownAt = req.GetKnownAt().AsTime()
		q.AsOf = q.KnownAt
		if q.KnownAt.After(now) {
			return q, fault.New(fault.Invalid, "known_at: %s is still to come; it is %s", moment(q.KnownAt), moment(now))
		}
	}
	if req.GetAsOf() != nil {
		q.AsOf, q.Past = req.GetAsOf().AsTime(), true
	}
	return q, nil
}

// startAt begins the report at the agreed baseline, if nothing else is asked for: not
// another start, nor a time that was over by then.
func (q *Question) startAt(baseline time.Time) {
	if q.Report == reportEffect || baseline.IsZero() || !q.From.IsZero() || !baseline.Before(q.AsOf) || (!q.To.IsZero() && !baseline.Before(q.To)) {
		return
	}
	q.From, q.AtBaseline = baseline, true
}

// Report computes a report on one unchanging state of the tables.
func (s *Store) Report(ctx context.Context, q Question) (*feedbackv1.Report, error) {
	ms := infoOf(q.Report).of(q).metrics
	out := &feedbackv1.Report{
		Report: q.Report, AsOf: timestamppb.New(q.AsOf), Definition: q.Definition,
		Columns: columnsOf(ms), Population: q.population(), Frame: q.Frame, Zone: q.Year.Zone.String(),
	}
	if !q.From.IsZero() {
		out.From = timestamppb.New(q.From)
	}
	if !q.To.IsZero() {
		out.To = timestamppb.New(q.To)
	}
	if !q.KnownAt.IsZero() {
		out.KnownAt = timestamppb.New(q.KnownAt)
	}
	err := s.snapshot(ctx, func(tx *sql.Tx) (err error) {
		var log string
		if log, out.Sequence, err = s.position(ctx, tx); err != nil {
			return err
		}
		out.EventSet = fmt.Sprintf("%s@%d", log, out.Sequence)
		switch q.Report {
		case reportFairness:
			return s.fairness(ctx, tx, q, out)
		case reportSecondChance:
			return s.secondChance(ctx, tx, q, out)
		case reportLoad:
			return s.loads(ctx, tx, q, out)
		case reportEffect:
			return s.effect(ctx, tx, q, out)
		case reportGrowth:
			return s.growth(ctx, tx, q, out)
		}
		if r := infoOf(q.Report).of(q); r.cases != "" {
			if err := s.restating(ctx, tx, q, out.Sequence, func() error { return s.measured(ctx, tx, r, q, out) }); err != nil {
				return err
			}
			return (&measuring{store: s, tx: tx, info: r}).unmatched(ctx, q, out)
		}
		tallies := map[string]*tally{}
		if err = s.definitions(ctx, tx, q, tallies, out); err != nil {
			return err
		}
		total := &tally{}
		for _, key := range sortedKeys(tallies, q.By) {
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
func sortedKeys(tallies map[string]*tally, by string) []string {
	keys := make([]string, 0, len(tallies))
	for k := range tallies { // any order: they are sorted
		keys = append(keys, k)
	}
	sortKeys(keys, by)
	return keys
}

// compareKeys puts numbers in their own order, before words.
func compareKeys(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil && x != y {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// population says in words which leads the report counts.
func (q Question) population() string {
	var b strings.Builder
	switch {
	case q.Report == reportFairness:
		b.WriteString("Turns of pools")
	case q.Frame == frameActivity:
		b.WriteString("What happened")
	default:
		b.WriteString("Leads received")
	}
	switch {
	case !q.From.IsZero() && !q.To.IsZero():
		fmt.Fprintf(&b, " from %s until before %s", moment(q.From), moment(q.To))
	case !q.From.IsZero():
		fmt.Fprintf(&b, " from %s on", moment(q.From))
	case !q.To.IsZero():
		fmt.Fprintf(&b, " before %s", moment(q.To))
	}
	for _, name := range sortedFilters(q.Where) {
		fmt.Fprintf(&b, ", only with %s %s", name, strings.Join(q.Where[name], " or "))
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
	if r := infoOf(q.Report); r != nil && r.population != nil {
		b.WriteString(r.population(q))
	}
	if q.Report == reportDefinitions {
		b.WriteString(", refused ones and those that nothing decided yet left out. A lead belongs to the version that decided it first, whatever later ones made of it, so that no lead counts twice. Leads of an older version have had more time to get on")
	}
	if q.Definition != 0 {
		fmt.Fprintf(&b, ". Beside the stages as they were stated stands what version %d of the agreement would have made of the same leads, judged whenever something became known of them", q.Definition)
	}
	if !q.KnownAt.IsZero() {
		fmt.Fprintf(&b, ". What became known after %s does not count", moment(q.KnownAt))
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

// selection is the part of a query that the reports share that are counted by hand:
// which leads, and how they stood. It counts a lead that was not refused as received.
type selection struct {
	from, where string
	args        []any
	until       int64 // instants after it have not happened
}

func (q Question) selection() selection {
	sel := selection{from: "leads l", until: math.MaxInt64}
	if q.Past {
		sel.until = nanos(q.AsOf)
		sel.from += " JOIN standings h ON h.lead_id = l.lead_id AND h.from_at =" +
			" (SELECT MAX(x.from_at) FROM standings x WHERE x.lead_id = l.lead_id AND x.from_at <= ?)"
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
	if !q.Historical {
		where = append(where, "NOT l.historical")
	}
	sel.where = strings.Join(where, " AND ")
	return sel
}

// state is the column that holds how a lead stood.
func (q Question) state() string {
	if q.Past {
		return "h.state"
	}
	return "l.state"
}
