package report

import (
	"fmt"
	"time"
)

// touched are the answers of a lead that sales touched within the horizon.
const touched = "answer IN ('up_to_1h', 'from_1h_to_24h', 'over_24h')"

// scoreboardReport is "they do not follow up" beside "their leads are bad", both over
// the same leads.
func scoreboardReport() *info {
	const offered = "leads received in the period that were offered to a member"
	s := &sheet{report: reportScoreboard}
	leads := func(name, owner, formula, where string) { s.count(name, unitLeads, owner, formula, offered, where) }
	leads("offered", ownerMarketing, "leads offered to a member at least once", "offered_at IS NOT NULL")
	leads("followed_up", ownerSales, "leads offered that sales touched within the horizon from receipt", touched)
	leads("never_touched", ownerSales, "leads offered that sales did not touch within the horizon, which is over for them", "answer = 'never'")
	leads("open", ownerSales, "leads offered that sales has not touched yet and whose horizon is not over: of a cohort offered = followed_up + never_touched + open", "answer = 'open'")
	leads("accepted_untouched", ownerSales, "leads offered that a member accepted at least once and that sales did not touch within the horizon", "accepted_at IS NOT NULL AND answer IN ('never', 'open')")
	leads("rejected", ownerMarketing, "leads offered that a member rejected at least once, whatever came of them later", "rejected_at IS NOT NULL")
	leads("rejected_untouched", ownerSales, "leads offered that a member rejected at least once and that sales did not touch within the horizon", "rejected_at IS NOT NULL AND answer IN ('never', 'open')")
	s.share("follow_up_rate", ownerSales, "followed_up divided by offered", offered, touched, "offered_at IS NOT NULL")
	s.share("reject_rate", ownerMarketing, "rejected divided by offered", offered, "rejected_at IS NOT NULL", "offered_at IS NOT NULL")
	return &info{
		name: reportScoreboard, text: "Do they follow up, and are the leads bad: both over the same leads.",
		cases: casesLeads, only: "offered_at IS NOT NULL", by: "source", metrics: s.metrics,
		population: func(q Question) string {
			return fmt.Sprintf(", only those that were offered to a member. A touch counts within %d days from receipt", int64(q.Horizon/(24*time.Hour)))
		},
	}
}

// leakReport is what was handed over and then lay there.
func leakReport() *info {
	const (
		qualified = "leads received in the period that reached MQL"
		offered   = "leads received in the period that reached MQL and were offered to a member"
	)
	s := &sheet{report: reportLeak}
	leads := func(name, owner, formula, where string) { s.count(name, unitLeads, owner, formula, qualified, where) }
	leads("qualified", ownerMarketing, "leads that reached the stage MQL or a later one", "mql_at IS NOT NULL")
	leads("offered", ownerMarketing, "of qualified, the leads offered to a member at least once", "mql_at IS NOT NULL AND offered_at IS NOT NULL")
	leads("told", ownerBoth, "of offered, the leads of which somebody was told: a notice arrived or was opened", "mql_at IS NOT NULL AND offered_at IS NOT NULL AND told_at IS NOT NULL")
	leads("accepted", ownerSales, "of offered, the leads accepted by a member at least once", "mql_at IS NOT NULL AND offered_at IS NOT NULL AND accepted_at IS NOT NULL")
	leads("leaked", ownerBoth, "leads qualified and offered that nobody has accepted or rejected and whose horizon from the first offer is over", "leak IS NOT NULL")
	leads("leaked_told", ownerSales, "of leaked, the leads of which somebody was told", "leak = 'told'")
	leads("leaked_untold", ownerBoth, "of leaked, the leads of which nobody was told, so far as is known", "leak = 'untold'")
	s.share("leak_rate", ownerBoth, "leads offered and leaked divided by offered", offered, "leak IS NOT NULL", "mql_at IS NOT NULL AND offered_at IS NOT NULL")
	return &info{
		name: reportLeak, text: "Leads qualified and offered that nobody ever accepted or rejected.",
		cases: casesLeads, only: "definition <> '" + noneKey + "' AND state <> 'refused'", by: "pool", metrics: s.metrics,
		population: func(q Question) string {
			return fmt.Sprintf(", only those that reached MQL. A lead leaks where nobody answers its offer within %d days from the first one", int64(q.Horizon/(24*time.Hour)))
		},
	}
}
