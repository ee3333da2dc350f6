package report

import (
	"math"
	"slices"

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
	// Unit: "leads", "deliveries", "seconds", "ratio", "number", "people", "turns", "money".
	Unit string
	// Formula and Population, in words.
	Formula, Population string
	// Owner is the party that answers for the figure: "marketing", "sales" or "both".
	Owner string

	value func(*tally) (v float64, known bool)
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
)

// Reports there are.
const (
	reportFunnel       = "funnel"
	reportResponse     = "response"
	reportDefinitions  = "definitions"
	reportFairness     = "fairness"
	reportSecondChance = "second-chance"
	reportLoad         = "load"
)

// ReportNames lists the reports there are.
func ReportNames() []string {
	return []string{reportFunnel, reportResponse, reportDefinitions, reportFairness, reportSecondChance, reportLoad}
}

// byPerson says whether a report is by person always, and by nothing else.
func byPerson(report string) bool {
	return report == reportFairness || report == reportSecondChance || report == reportLoad
}

// Catalogue lists every figure of every report, in the order of the columns.
func Catalogue() []Metric { return catalogue }

func metricsOf(report string) []Metric {
	var out []Metric
	for _, m := range catalogue {
		if m.Report == report {
			out = append(out, m)
		}
	}
	return out
}

var catalogue = slices.Concat(funnelMetrics(), responseMetrics(), definitionMetrics(), fairnessMetrics(), secondChanceMetrics(), loadMetrics())

func funnelMetrics() []Metric {
	const (
		received  = "leads received in the period and not refused at the door"
		qualified = "leads received in the period that reached MQL"
		offered   = "leads received in the period that were offered to a member"
		closed    = "leads received in the period that are won or lost"
	)
	count := func(name, owner, formula, population string, of func(*tally) int64) Metric {
		return Metric{Report: reportFunnel, Name: name, Unit: unitLeads, Owner: owner, Formula: formula, Population: population, value: whole(of)}
	}
	out := []Metric{
		count("received", ownerMarketing, "leads received, those refused at the door not counted", received, func(t *tally) int64 { return t.received }),
		count("refused", ownerMarketing, "leads kept but refused at the door as spam or test", "leads received in the period", func(t *tally) int64 { return t.refused }),
		{
			Report: reportFunnel, Name: "duplicates", Unit: unitDeliveries, Owner: ownerMarketing,
			Formula:    "further deliveries of submissions that were kept already: repeats, revisions, and equal forms that joined a lead",
			Population: "deliveries that belong to leads received in the period, refused ones included",
			value:      whole(func(t *tally) int64 { return t.duplicates }),
		},
		count("mql", ownerMarketing, "leads that reached the stage MQL or a later one", received, func(t *tally) int64 { return t.mql }),
		count("sal", ownerSales, "leads that reached the stage SAL or a later one", received, func(t *tally) int64 { return t.sal }),
		count("sql", ownerSales, "leads that reached the stage SQL", received, func(t *tally) int64 { return t.sql }),
		count("offered", ownerSales, "leads offered to a member at least once", received, func(t *tally) int64 { return t.offered }),
		count("accepted", ownerSales, "leads accepted by a member at least once", received, func(t *tally) int64 { return t.accepted }),
		count("rejected", ownerSales, "leads rejected by a member at least once, whatever came of them later", received, func(t *tally) int64 { return t.rejected }),
		count("won", ownerSales, "leads whose deal is won", received, func(t *tally) int64 { return t.won }),
		count("lost", ownerSales, "leads whose deal is lost, or that are out by an agreed reason", received, func(t *tally) int64 { return t.lost }),
		count("open", ownerBoth, "leads that are neither won nor lost: received = open + won + lost", received, func(t *tally) int64 { return t.open }),
	}
	rate := func(name, owner, formula, population string, of func(*tally) (k, n int64)) {
		out = append(out, rates(Metric{Report: reportFunnel, Name: name, Unit: unitRatio, Owner: owner, Formula: formula, Population: population}, of)...)
	}
	rate("mql_rate", ownerMarketing, "mql divided by received", received, func(t *tally) (int64, int64) { return t.mql, t.received })
	rate("sal_rate", ownerBoth, "sal divided by mql", qualified, func(t *tally) (int64, int64) { return t.sal, t.mql })
	rate("sql_rate", ownerBoth, "sql divided by mql", qualified, func(t *tally) (int64, int64) { return t.sql, t.mql })
	rate("accept_rate", ownerSales, "leads offered and accepted divided by offered", offered, func(t *tally) (int64, int64) { return t.offeredAccepted, t.offered })
	rate("reject_rate", ownerSales, "leads offered and rejected at least once divided by offered", offered, func(t *tally) (int64, int64) { return t.offeredRejected, t.offered })
	rate("win_rate", ownerSales, "won divided by won and lost together", closed, func(t *tally) (int64, int64) { return t.won, t.won + t.lost })
	return identified(out)
}

func responseMetrics() []Metric {
	const (
		all      = "leads received in the period and not refused at the door"
		answered = "leads received in the period and answered within the horizon"
	)
	share := func(name, formula string, of func(*tally) int64) []Metric {
		return []Metric{
			{Report: reportResponse, Name: name, Unit: unitLeads, Owner: ownerSales, Formula: formula, Population: all, value: whole(of)},
			{
				Report: reportResponse, Name: name + "_share", Unit: unitRatio, Owner: ownerSales,
				Formula: name + " divided by leads", Population: all,
				value: func(t *tally) (float64, bool) { return ratio(of(t), t.received) },
			},
		}
	}
	out := []Metric{{
		Report: reportResponse, Name: "leads", Unit: unitLeads, Owner: ownerMarketing,
		Formula: "leads received, those refused at the door not counted", Population: all,
		value: whole(func(t *tally) int64 { return t.received }),
	}}
	out = append(out, share("up_to_1h", "leads first answered by sales within one hour of receipt, clock time", func(t *tally) int64 { return t.upTo1h })...)
	out = append(out, share("from_1h_to_24h", "leads first answered after more than one hour and within 24 hours", func(t *tally) int64 { return t.from1hTo24h })...)
	out = append(out, share("over_24h", "leads first answered after more than 24 hours and within the horizon", func(t *tally) int64 { return t.over24h })...)
	out = append(out, share("never", "leads not answered within the horizon, which is over for them", func(t *tally) int64 { return t.never })...)
	out = append(out, share("open", "leads not answered yet whose horizon is not over", func(t *tally) int64 { return t.unanswered })...)
	seconds := func(name, formula string, of func(sorted []float64) float64) {
		out = append(out, Metric{
			Report: reportResponse, Name: name, Unit: unitSeconds, Owner: ownerSales, Formula: formula, Population: answered,
			value: func(t *tally) (float64, bool) {
				if len(t.seconds) == 0 {
					return 0, false
				}
				return of(t.sorted()), true
			},
		})
	}
	seconds("mean_seconds", "mean of the seconds from receipt to first answer", mean)
	seconds("median_seconds", "median of the seconds from receipt to first answer; of an even number the mean of the two in the middle", median)
	seconds("p90_seconds", "seconds within which nine of ten answered leads were answered: the value at the rank 0.9 times their number, rounded up", p90)
	return identified(out)
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
		out = append(out, &feedbackv1.Column{Name: m.Name, Unit: m.Unit, Formula: m.Formula})
	}
	return out
}

func rowOf(key string, ms []Metric, t *tally) *feedbackv1.ReportRow {
	row := &feedbackv1.ReportRow{Key: key, Figures: make([]*feedbackv1.Figure, 0, len(ms))}
	for _, m := range ms {
		v, known := m.value(t)
		row.Figures = append(row.Figures, &feedbackv1.Figure{Name: m.Name, Value: v, Unknown: !known})
	}
	return row
}
