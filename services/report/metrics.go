package report

import (
	"context"
	"fmt"
	"math"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// Metric is one figure of one report: the one formula that both departments
// agreed to read, and who answers for it. What a report shows is made from this
// list alone, so that no figure can be shown that is not in it.
type Metric struct {
	// ID is what to cite: <report>.<name>.
	ID string
	// Report and Name say where it stands.
	Report, Name string
	// Unit: "leads", "deliveries", "seconds", "ratio", "number", "people", "turns", "days",
	// "money" (in the currency's major unit) and others that say what is counted.
	Unit string
	// Formula and Population, in words.
	Formula, Population string
	// Owner is the party that answers for the figure: "marketing", "sales" or "both".
	Owner string

	// measure computes it over the report's cases; the zero one is of a report that is
	// counted by hand, by value.
	measure measure
	// restated says that it is there only where stages are re-stated.
	restated bool
	value    func(*tally) (v float64, known bool)
}

// SQL is the formula over the report's cases, in standard SQL; empty for a report that
// is not made of cases, and for working time, which no database computes. Money is summed
// in minor units there.
func (m Metric) SQL() string {
	if m.measure.of == workSeconds {
		return ""
	}
	return m.measure.sql()
}

// aggregate is how a measure makes one figure of many cases.
type aggregate int

const (
	_ aggregate = iota
	byCount
	bySum
	byMean
	byMedian
	byP90
	byShare // the cases that hold, of those that could
	byLow   // the bounds of a share
	byHigh
	byQuotient // a sum over a number
	byDistinct
)

// measure is a formula: what is taken of the cases for which where holds. Of a share or
// quotient, of is the condition or column on top, and where what is below.
type measure struct {
	by        aggregate
	of, where string
}

func (m measure) sql() string {
	filter := " FILTER (WHERE " + m.where + ")"
	switch m.by {
	case byCount:
		return "COUNT(*)" + filter
	case byDistinct:
		return "COUNT(DISTINCT " + m.of + ")" + filter
	case bySum:
		return "COALESCE(SUM(" + m.of + ")" + filter + ", 0)"
	case byMean:
		return "AVG(" + m.of + ")" + filter
	case byMedian:
		return "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY " + m.of + ")" + filter
	case byP90:
		return "PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY " + m.of + ")" + filter
	case byShare:
		return "COUNT(*) FILTER (WHERE (" + m.where + ") AND (" + m.of + ")) * 1.0 / NULLIF(COUNT(*)" + filter + ", 0)"
	case byLow:
		return "the lower bound of the Wilson score interval of " + measure{byShare, m.of, m.where}.sql()
	case byHigh:
		return "the upper bound of the Wilson score interval of " + measure{byShare, m.of, m.where}.sql()
	case byQuotient:
		return "SUM(" + m.of + ") * 1.0 / NULLIF(COUNT(*)" + filter + ", 0)"
	}
	return ""
}

// sample says whether the figure needs the values themselves.
func (m measure) sample() bool { return m.by == byMean || m.by == byMedian || m.by == byP90 }

// listed says whether it can be asked which cases a figure is made of.
func (m measure) listed() bool {
	return m.by != 0 && m.by != byLow && m.by != byHigh && m.by != byDistinct && m.of != workSeconds
}

// counting is the condition that a case is counted; empty = none says so.
func (m measure) counting() string {
	switch m.by {
	case byCount, byShare, byQuotient:
		return m.where
	case bySum:
		return "(" + m.where + ") AND " + m.of + " <> 0"
	case byMean, byMedian, byP90:
		if m.of != workSeconds {
			return "(" + m.where + ") AND " + m.of + " IS NOT NULL"
		}
	}
	return ""
}

// counts are the whole numbers that a measure is made of, as SQL.
func (m measure) counts() []string {
	const one = "CAST(COALESCE(SUM(CASE WHEN %s THEN %s ELSE 0 END), 0) AS BIGINT)"
	switch m.by {
	case byCount:
		return []string{fmt.Sprintf(one, m.where, "1")}
	case byDistinct:
		return []string{fmt.Sprintf("COUNT(DISTINCT CASE WHEN %s THEN %s END)", m.where, m.of)}
	case bySum:
		return []string{fmt.Sprintf(one, m.where, m.of)}
	case byShare, byLow, byHigh:
		return []string{fmt.Sprintf(one, "("+m.where+") AND ("+m.of+")", "1"), fmt.Sprintf(one, m.where, "1")}
	case byQuotient:
		return []string{fmt.Sprintf(one, "TRUE", m.of), fmt.Sprintf(one, m.where, "1")}
	}
	return nil
}

// figure makes the figure of its numbers or its sample, in order.
func (m measure) figure(numbers []int64, sorted []float64) (v float64, known bool) {
	switch m.by {
	case byCount, bySum, byDistinct:
		return float64(numbers[0]), true
	case byShare, byQuotient:
		return ratio(numbers[0], numbers[1])
	case byLow:
		low, _ := wilson(numbers[0], numbers[1])
		return low, numbers[1] > 0
	case byHigh:
		_, high := wilson(numbers[0], numbers[1])
		return high, numbers[1] > 0
	}
	if len(sorted) == 0 {
		return 0, false
	}
	switch m.by {
	case byMean:
		return mean(sorted), true
	case byMedian:
		return median(sorted), true
	default:
		return p90(sorted), true
	}
}

// Parties that answer for figures.
const (
	ownerMarketing = "marketing"
	ownerSales     = "sales"
	ownerBoth      = "both"
)

const (
	unitLeads      = "leads"
	unitDeliveries = "deliveries"
	unitSeconds    = "seconds"
	unitRatio      = "ratio"
	unitNumber     = "number"
	unitPeople     = "people"
	unitTurns      = "turns"
	unitMoney      = "money"
	unitDays       = "days"
	unitRejections = "rejections"
	unitDisputes   = "disputes"
	unitPhrases    = "mentions"
	unitVerticals  = "verticals"
	unitAnswers    = "answers"
	unitRuns       = "runs"
	unitSteps      = "steps"
	unitAlarms     = "alarms"
	unitRides      = "rides"
)

// Reports there are.
const (
	reportFunnel       = "funnel"
	reportResponse     = "response"
	reportDefinitions  = "definitions"
	reportFairness     = "fairness"
	reportSecondChance = "second-chance"
	reportLoad         = "load"

	reportQuality    = "quality"
	reportScoreboard = "scoreboard"
	reportConversion = "conversion"
	reportCycle      = "cycle"
	reportValue      = "value"
	reportLeak       = "leak"
	reportPurpose    = "purpose"
	reportSegments   = "segments"
	reportReasons    = "reasons"
	reportDisputes   = "disputes"
	reportPhrases    = "phrases"
	reportHygiene    = "hygiene"
	reportSLA        = "sla"
)

// info is a report: what it answers and what its cases are.
type info struct {
	name, text string
	// cases is what a case is; empty = the report is counted by hand.
	cases string
	// own are columns of the cases by which this report alone can be split, by is by
	// which of them it is where nothing else is asked for; empty = not at all.
	own []string
	by  string
	// base is what its cases are worked out of by work, where they stand in no table.
	base string
	work func(ctx context.Context, w *working) error
	// only is the condition that makes a case one of the report's; empty = all are.
	only    string
	metrics []Metric
	// population is what is said of the cases besides the period.
	population func(q Question) string
	// benchmarks are published figures to hold some of these against.
	benchmarks []*feedbackv1.Benchmark
	// remarks says in plain words what stands out; nil = nothing is said.
	remarks func(total figures) []string
	// closed says that the leads behind its figures are named to who answers for them
	// alone, by OpenEvidence.
	closed bool
	// fixed is what its rows always are by; empty = that may be chosen.
	fixed string
}

// figures are the figures of a row by their names; what is unknown is missing.
type figures map[string]float64

// reports are all of them in their order.
var reports = []*info{
	funnelReport(), responseReport(),
	{name: reportDefinitions, text: "What each version of the agreement brought, and before and after each change.", metrics: definitionMetrics()},
	{name: reportFairness, text: "Whom each pool's leads were given to beside who was there.", metrics: fairnessMetrics()},
	{name: reportSecondChance, text: "Leads that one person declined and another took.", metrics: secondChanceMetrics()},
	{name: reportLoad, text: "Who has had which leads; idle people too.", metrics: loadMetrics()},
	qualityReport(), scoreboardReport(), conversionReport(), cycleReport(), valueReport(), leakReport(), purposeReport(), segmentsReport(),
	reasonsReport(), disputesReport(), phrasesReport(), hygieneReport(), slaReport(), paddingReport(),
	effectReport(), growthReport(), trainingReport(),
}

// dimensions are what the report can be split by.
func (r *info) dimensions() []string {
	if r.fixed != "" {
		return []string{r.fixed}
	}
	return append(Dimensions(), r.own...)
}

// ReportNames lists the reports there are.
func ReportNames() []string {
	out := make([]string, len(reports))
	for i, r := range reports {
		out[i] = r.name
	}
	return out
}

// infoOf is the report of that name; nil = there is none.
func infoOf(name string) *info {
	for _, r := range reports {
		if r.name == name {
			return r
		}
	}
	return nil
}

// byPerson says whether a report is by person always, and by nothing else.
func byPerson(report string) bool {
	return report == reportFairness || report == reportSecondChance || report == reportLoad
}

// Catalogue lists every figure of every report, in the order of the columns.
func Catalogue() []Metric {
	var out []Metric
	for _, r := range reports {
		out = append(out, r.metrics...)
	}
	return out
}

func metricsOf(report string) []Metric {
	if r := infoOf(report); r != nil {
		return r.metrics
	}
	return nil
}

func definitionMetrics() []Metric {
	const (
		decided   = "leads received in the period, not refused at the door, by the version of the agreement that decided each first"
		qualified = "of those, the leads that reached MQL"
		handed    = "of those, the leads that were offered to a member"
		taken     = "of those, the leads that were offered to a member and taken"
	)
	count := func(name, owner, formula string, of func(*tally) int64) Metric {
		return Metric{Report: reportDefinitions, Name: name, Unit: unitLeads, Owner: owner, Formula: formula, Population: decided, value: whole(of)}
	}
	out := []Metric{
		count("leads", ownerMarketing, "leads that the version decided first, whatever it decided", func(t *tally) int64 { return t.received }),
		count("mql", ownerMarketing, "leads that reached the stage MQL or a later one", func(t *tally) int64 { return t.mql }),
		count("sal", ownerSales, "leads that reached the stage SAL or a later one", func(t *tally) int64 { return t.sal }),
		count("sql", ownerSales, "leads that reached the stage SQL", func(t *tally) int64 { return t.sql }),
		count("handoffs", ownerMarketing, "leads offered to a member at least once", func(t *tally) int64 { return t.offered }),
		count("accepted", ownerSales, "leads accepted by a member at least once", func(t *tally) int64 { return t.accepted }),
		count("returned", ownerBoth, "leads that were MQL and came back to marketing at least once, by a rejection or after a call", func(t *tally) int64 { return t.returned }),
	}
	rate := func(name, owner, formula, population string, of func(*tally) (k, n int64)) {
		out = append(out, rates(Metric{Report: reportDefinitions, Name: name, Unit: unitRatio, Owner: owner, Formula: formula, Population: population}, of)...)
	}
	rate("mql_rate", ownerMarketing, "mql divided by leads", decided, func(t *tally) (int64, int64) { return t.mql, t.received })
	rate("sql_rate", ownerBoth, "sql divided by mql", qualified, func(t *tally) (int64, int64) { return t.sql, t.mql })
	rate("accept_rate", ownerSales, "leads offered and accepted divided by handoffs", handed, func(t *tally) (int64, int64) { return t.offeredAccepted, t.offered })
	rate("returned_rate", ownerBoth, "returned divided by mql", qualified, func(t *tally) (int64, int64) { return t.returned, t.mql })
	out = append(out,
		Metric{
			Report: reportDefinitions, Name: "handoffs_per_sql", Unit: unitNumber, Owner: ownerBoth, Population: decided,
			Formula: "handoffs divided by sql: how many leads sales had to look at for one SQL",
			value:   func(t *tally) (float64, bool) { return ratio(t.offered, t.sql) },
		},
		Metric{
			Report: reportDefinitions, Name: "median_take_seconds", Unit: unitSeconds, Owner: ownerSales, Population: taken,
			Formula: "median of the seconds from the first offer to the first acceptance, in clock time; of an even number the mean of the two in the middle",
			value: func(t *tally) (float64, bool) {
				if len(t.seconds) == 0 {
					return 0, false
				}
				return median(t.sorted()), true
			},
		},
	)
	return identified(out)
}

func identified(ms []Metric) []Metric {
	for i := range ms {
		ms[i].ID = ms[i].Report + "." + ms[i].Name
	}
	return ms
}

func whole(of func(*tally) int64) func(*tally) (float64, bool) {
	return func(t *tally) (float64, bool) { return float64(of(t)), true }
}

func ratio(k, n int64) (float64, bool) {
	if n == 0 {
		return 0, false
	}
	return float64(k) / float64(n), true
}

// rates makes a rate and the bounds within which it lies with 95 % confidence.
func rates(m Metric, of func(*tally) (k, n int64)) []Metric {
	low, high := m, m
	m.value = func(t *tally) (float64, bool) { return ratio(of(t)) }
	low.Name, high.Name = m.Name+"_low", m.Name+"_high"
	low.Formula = "lower 95 % bound of " + m.Name + " (Wilson score interval)"
	high.Formula = "upper 95 % bound of " + m.Name + " (Wilson score interval)"
	low.value = func(t *tally) (float64, bool) {
		k, n := of(t)
		l, _ := wilson(k, n)
		return l, n > 0
	}
	high.value = func(t *tally) (float64, bool) {
		k, n := of(t)
		_, h := wilson(k, n)
		return h, n > 0
	}
	return []Metric{m, low, high}
}

// wilson is the score interval of k of n at 95 %.
func wilson(k, n int64) (low, high float64) {
	if n <= 0 {
		return 0, 0
	}
	const z = 1.959963984540054
	p, size := float64(k)/float64(n), float64(n)
	middle := p + z*z/(2*size)
	half := z * math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	scale := 1 + z*z/size
	low, high = (middle-half)/scale, (middle+half)/scale
	// At the ends the formula gives 0 and 1 but for rounding.
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return low, high
}

func columnsOf(ms []Metric) []*feedbackv1.Column {
	out := make([]*feedbackv1.Column, 0, len(ms))
	for _, m := range ms {
		out = append(out, &feedbackv1.Column{
			Id: m.ID, Name: m.Name, Unit: m.Unit, Formula: m.Formula, Population: m.Population, Owner: m.Owner, Sql: m.SQL(), Listed: m.measure.listed() && !infoOf(m.Report).closed,
		})
	}
	return out
}

func rowOf(key string, ms []Metric, t *tally) *feedbackv1.ReportRow {
	row := &feedbackv1.ReportRow{Key: key, Cases: t.received, Figures: make([]*feedbackv1.Figure, 0, len(ms))}
	for _, m := range ms {
		v, known := m.value(t)
		row.Figures = append(row.Figures, &feedbackv1.Figure{Name: m.Name, Value: v, Unknown: !known})
	}
	return row
}
