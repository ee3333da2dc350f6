package report

// wonValue is what a case adds to the value that was won, in minor units.
const wonValue = "CASE WHEN won_at IS NOT NULL THEN value_minor ELSE 0 END"

// money adds up the value of won deals. Values are kept in minor units and shown in the
// currency's own, so that 1234 cents are 12.34.
func (s *sheet) money(population string) {
	s.add("value", unitMoney, ownerSales, "sum of the values of the won deals, in the currency's major unit; unknown where they are in several currencies, or in none",
		population, measure{bySum, wonValue, "won_at IS NOT NULL"})
}

func valueReport() *info {
	const (
		closed = "leads received in the period that are won or lost"
		won    = "leads received in the period whose deal is won"
	)
	s := &sheet{report: reportValue}
	s.count("won", unitLeads, ownerSales, "leads whose deal is won", closed, "won_at IS NOT NULL")
	s.count("lost", unitLeads, ownerSales, "leads whose deal is lost, or that are out by an agreed reason", closed, "lost_at IS NOT NULL")
	s.share("win_rate", ownerSales, "won divided by won and lost together", closed, "won_at IS NOT NULL", "won_at IS NOT NULL OR lost_at IS NOT NULL")
	s.money(won)
	s.add("mean_value", unitMoney, ownerSales, "value divided by won", won, measure{byQuotient, wonValue, "won_at IS NOT NULL"})
	return &info{
		name: reportValue, text: "What was won: deals, win rate and value.",
		cases: casesLeads, only: "won_at IS NOT NULL OR lost_at IS NOT NULL", metrics: s.metrics,
		population: func(Question) string {
			return ", won and lost leads only. Values in several currencies are not added up"
		},
	}
}

// purposeReport is what leads are for: new business, keeping customers, helping sales.
func purposeReport() *info {
	const received = "leads received in the period and not refused at the door"
	s := &sheet{report: reportPurpose}
	leads := func(name, owner, formula, where string) { s.count(name, unitLeads, owner, formula, received, where) }
	leads("received", ownerMarketing, "leads received, those refused at the door not counted", "came_at IS NOT NULL")
	leads("mql", ownerMarketing, "leads that reached the stage MQL or a later one", "mql_at IS NOT NULL")
	leads("sql", ownerSales, "leads that reached the stage SQL", "sql_at IS NOT NULL")
	leads("won", ownerSales, "leads whose deal is won", "won_at IS NOT NULL")
	s.money("leads received in the period whose deal is won")
	return &info{
		name: reportPurpose, text: "What leads are for by the agreement, and what came of those.",
		cases: casesLeads, only: "state <> 'refused'", by: "purpose", metrics: s.metrics,
	}
}
