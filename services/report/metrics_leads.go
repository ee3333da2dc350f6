package report

import (
	"fmt"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// sheet writes the metrics of one report.
type sheet struct {
	report  string
	metrics []Metric
}

func (s *sheet) add(name, unit, owner, formula, population string, m measure) {
	s.metrics = append(s.metrics, Metric{
		ID: s.report + "." + name, Report: s.report, Name: name, Unit: unit, Owner: owner, Formula: formula, Population: population, measure: m,
	})
}

// count counts the cases for which a condition holds.
func (s *sheet) count(name, unit, owner, formula, population, where string) {
	s.add(name, unit, owner, formula, population, measure{by: byCount, where: where})
}

// share divides the cases for which of holds, among those for which where does, by the
// latter; with the bounds within which the share lies with 95 % confidence.
func (s *sheet) share(name, owner, formula, population, of, where string) {
	s.add(name, unitRatio, owner, formula, population, measure{byShare, of, where})
	s.add(name+"_low", unitRatio, owner, "lower 95 % bound of "+name+" (Wilson score interval)", population, measure{byLow, of, where})
	s.add(name+"_high", unitRatio, owner, "upper 95 % bound of "+name+" (Wilson score interval)", population, measure{byHigh, of, where})
}

// times are the mean, the median and the ninth decile of a column.
func (s *sheet) times(prefix, unit, owner, what, population, of, where string) {
	s.add(prefix+"mean_"+unit, unit, owner, "mean of the "+what, population, measure{byMean, of, where})
	s.add(prefix+"median_"+unit, unit, owner, "median of the "+what+"; of an even number the mean of the two in the middle", population, measure{byMedian, of, where})
	s.add(prefix+"p90_"+unit, unit, owner, unit+" that nine of ten do not exceed: the value at the rank 0.9 times their number, rounded up, of the "+what, population, measure{byP90, of, where})
}

func funnelReport() *info {
	const (
		received  = "leads received in the period and not refused at the door"
		qualified = "leads received in the period that reached MQL"
		offered   = "leads received in the period that were offered to a member"
		closed    = "leads received in the period that are won or lost"
	)
	s := &sheet{report: reportFunnel}
	leads := func(name, owner, formula, where string) { s.count(name, unitLeads, owner, formula, received, where) }
	leads("received", ownerMarketing, "leads received, those refused at the door not counted", "came_at IS NOT NULL AND state <> 'refused'")
	s.count("refused", unitLeads, ownerMarketing, "leads kept but refused at the door as spam or test", "leads received in the period", "came_at IS NOT NULL AND state = 'refused'")
	s.add("duplicates", unitDeliveries, ownerMarketing,
		"further deliveries of submissions that were kept already: repeats, revisions, and equal forms that joined a lead",
		"deliveries that belong to leads received in the period, refused ones included", measure{bySum, "duplicates", "TRUE"})
	leads("mql", ownerMarketing, "leads that reached the stage MQL or a later one", "mql_at IS NOT NULL")
	leads("sal", ownerSales, "leads that reached the stage SAL or a later one", "sal_at IS NOT NULL")
	leads("sql", ownerSales, "leads that reached the stage SQL", "sql_at IS NOT NULL")
	leads("offered", ownerSales, "leads offered to a member at least once", "offered_at IS NOT NULL")
	leads("accepted", ownerSales, "leads accepted by a member at least once", "accepted_at IS NOT NULL")
	leads("rejected", ownerSales, "leads rejected by a member at least once, whatever came of them later", "rejected_at IS NOT NULL")
	leads("won", ownerSales, "leads whose deal is won", "won_at IS NOT NULL")
	leads("lost", ownerSales, "leads whose deal is lost, or that are out by an agreed reason", "lost_at IS NOT NULL")
	leads("open", ownerBoth, "leads that are neither won nor lost: of a cohort received = open + won + lost", "came_at IS NOT NULL AND state NOT IN ('refused', 'won', 'lost')")
	s.share("mql_rate", ownerMarketing, "mql divided by received", received, "mql_at IS NOT NULL", "came_at IS NOT NULL AND state <> 'refused'")
	s.share("sal_rate", ownerBoth, "sal divided by mql", qualified, "sal_at IS NOT NULL", "mql_at IS NOT NULL")
	s.share("sql_rate", ownerBoth, "sql divided by mql", qualified, "sql_at IS NOT NULL", "mql_at IS NOT NULL")
	s.share("accept_rate", ownerSales, "leads offered and accepted divided by offered", offered, "accepted_at IS NOT NULL", "offered_at IS NOT NULL")
	s.share("reject_rate", ownerSales, "leads offered and rejected at least once divided by offered", offered, "rejected_at IS NOT NULL", "offered_at IS NOT NULL")
	s.share("win_rate", ownerSales, "won divided by won and lost together", closed, "won_at IS NOT NULL", "won_at IS NOT NULL OR lost_at IS NOT NULL")
	return &info{name: reportFunnel, text: "How many leads came, how many reached each stage, and what became of them.", cases: casesLeads, metrics: append(s.metrics, restatedMetrics()...)}
}

func responseReport() *info {
	const (
		all      = "leads received in the period and not refused at the door"
		answered = "leads received in the period and answered within the horizon"
	)
	s := &sheet{report: reportResponse}
	s.count("leads", unitLeads, ownerMarketing, "leads received, those refused at the door not counted", all, "answer IS NOT NULL")
	for _, b := range []struct{ name, formula string }{
		{"up_to_1h", "leads first answered by sales within one hour of receipt, clock time"},
		{"from_1h_to_24h", "leads first answered after more than one hour and within 24 hours"},
		{"over_24h", "leads first answered after more than 24 hours and within the horizon"},
		{"never", "leads not answered within the horizon, which is over for them"},
		{"open", "leads not answered yet whose horizon is not over"},
	} {
		is := "answer = '" + b.name + "'"
		s.count(b.name, unitLeads, ownerSales, b.formula, all, is)
		s.add(b.name+"_share", unitRatio, ownerSales, b.name+" divided by leads", all, measure{byShare, is, "answer IS NOT NULL"})
	}
	s.times("", unitSeconds, ownerSales, "seconds from receipt to first answer", answered, "answer_seconds", touched)
	s.times("work_", unitSeconds, ownerSales, "working seconds from receipt to first answer, by the calendar of the lead's pool in the agreement in force at receipt",
		answered+", whose pool has a calendar", workSeconds, touched)
	return &info{
		benchmarks: publishedResponse,
		name:       reportResponse, text: "How soon sales first answered: within 1 h, within 24 h, later, never.", cases: casesLeads, only: "answer IS NOT NULL", metrics: s.metrics,
		population: func(q Question) string {
			return fmt.Sprintf(", refused ones left out. First answer: the first touch of the person by sales, in clock time from receipt; it counts within %d days. Mean, median and p90 are over the leads answered within that horizon only; those of working time over the ones of them whose pool has a calendar",
				int64(q.Horizon/(24*time.Hour)))
		},
	}
}

// publishedResponse are what a study found of how soon companies answer.
var publishedResponse = func() []*feedbackv1.Benchmark {
	const source = "Harvard Business Review, March 2011, James B. Oldroyd and others: 2,241 companies"
	return []*feedbackv1.Benchmark{
		{Name: "over_24h_share", Value: 0.24, Source: source},
		{Name: "never_share", Value: 0.23, Source: source},
		{Name: "mean_seconds", Value: 42 * 3600, Source: source + "; the mean of those that answered within 30 days"},
	}
}()
