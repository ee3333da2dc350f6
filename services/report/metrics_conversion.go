package report

// conversionReport is what became of MQL, by the version of the agreement that made
// each one: a lead belongs to the one that qualified it first and to no other.
func conversionReport() *info {
	const (
		qualified = "leads received in the period that reached MQL"
		taken     = "leads received in the period that reached SAL"
		called    = "leads received in the period that reached SQL"
	)
	s := &sheet{report: reportConversion}
	leads := func(name, owner, formula, where string) { s.count(name, unitLeads, owner, formula, qualified, where) }
	leads("mql", ownerMarketing, "leads that reached the stage MQL or a later one", "mql_at IS NOT NULL")
	leads("sal", ownerSales, "leads that reached the stage SAL or a later one", "sal_at IS NOT NULL")
	leads("sql", ownerSales, "leads that reached the stage SQL", "sql_at IS NOT NULL")
	leads("won", ownerSales, "leads that reached MQL and whose deal is won", "won_at IS NOT NULL")
	s.share("mql_to_sal", ownerBoth, "leads that reached MQL and SAL divided by mql", qualified, "sal_at IS NOT NULL", "mql_at IS NOT NULL")
	s.share("sal_to_sql", ownerSales, "leads that reached SAL and SQL divided by sal", taken, "sql_at IS NOT NULL", "sal_at IS NOT NULL")
	s.share("sql_to_won", ownerSales, "leads that reached SQL and are won divided by sql", called, "won_at IS NOT NULL", "sql_at IS NOT NULL")
	s.share("mql_to_sql", ownerBoth, "leads that reached MQL and SQL divided by mql", qualified, "sql_at IS NOT NULL", "mql_at IS NOT NULL")
	s.share("mql_to_won", ownerBoth, "leads that reached MQL and are won divided by mql", qualified, "won_at IS NOT NULL", "mql_at IS NOT NULL")
	return &info{
		name: reportConversion, text: "How many MQL became SAL, SQL and sales, by the version of the agreement that qualified them.",
		cases: casesLeads, only: "definition <> '" + noneKey + "' AND state <> 'refused'", by: "definition", metrics: s.metrics,
		population: func(Question) string {
			return ", only those that reached MQL. A lead belongs to the version that qualified it first, whatever later ones made of it, so that no lead counts twice"
		},
	}
}

// cycleReport is how long a sale takes.
func cycleReport() *info {
	const (
		won  = "leads received in the period whose deal is won"
		lost = "leads received in the period whose deal is lost, or that are out by an agreed reason"
	)
	s := &sheet{report: reportCycle}
	s.count("won", unitLeads, ownerSales, "leads whose deal is won", won, "won_at IS NOT NULL")
	s.times("won_", unitDays, ownerSales, "days from receipt until the deal was won, in clock time", won, "won_days", "won_at IS NOT NULL")
	s.count("lost", unitLeads, ownerSales, "leads whose deal is lost, or that are out by an agreed reason", lost, "lost_at IS NOT NULL")
	s.times("lost_", unitDays, ownerSales, "days from receipt until the lead was lost, in clock time", lost, "lost_days", "lost_at IS NOT NULL")
	return &info{
		name: reportCycle, text: "How many days it takes from a lead to its sale, or to its loss.",
		cases: casesLeads, only: "won_at IS NOT NULL OR lost_at IS NOT NULL", metrics: s.metrics,
		population: func(q Question) string {
			if q.Frame == frameActivity {
				return ", won and lost leads only, whenever they were received"
			}
			return ", won and lost leads only. Those of late periods are the quick ones, since the slow ones are open yet; --frame activity counts by when they were closed"
		},
	}
}
