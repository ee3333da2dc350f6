package report

// qualityReport is the trend of what marketing hands over.
func qualityReport() *info {
	const (
		received  = "leads received in the period and not refused at the door"
		qualified = "leads received in the period that reached MQL"
		offered   = "leads received in the period that were offered to a member"
	)
	s := &sheet{report: reportQuality}
	leads := func(name, owner, formula, where string) { s.count(name, unitLeads, owner, formula, received, where) }
	leads("received", ownerMarketing, "leads received, those refused at the door not counted", "came_at IS NOT NULL")
	leads("mql", ownerMarketing, "leads that reached the stage MQL or a later one", "mql_at IS NOT NULL")
	leads("offered", ownerMarketing, "leads offered to a member at least once", "offered_at IS NOT NULL")
	leads("accepted", ownerSales, "leads accepted by a member at least once", "accepted_at IS NOT NULL")
	leads("sql", ownerSales, "leads that reached the stage SQL", "sql_at IS NOT NULL")
	s.share("accept_rate", ownerSales, "leads offered and accepted divided by offered", offered, "accepted_at IS NOT NULL", "offered_at IS NOT NULL")
	s.share("sql_rate", ownerBoth, "sql divided by mql", qualified, "sql_at IS NOT NULL", "mql_at IS NOT NULL")
	return &info{
		name: reportQuality, text: "How good each source's leads are: how many sales accepts, how many become SQL.",
		cases: casesLeads, only: "state <> 'refused'", by: "source", metrics: s.metrics,
	}
}

// segmentsReport is which kinds of companies are easiest to sell to.
func segmentsReport() *info {
	const (
		received = "leads received in the period and not refused at the door"
		offered  = "leads received in the period that were offered to a member"
		closed   = "leads received in the period that are won or lost"
		spoken   = "leads received in the period of whose ease somebody of sales has said something"
	)
	s := &sheet{report: reportSegments}
	leads := func(name, owner, formula, where string) { s.count(name, unitLeads, owner, formula, received, where) }
	leads("received", ownerMarketing, "leads received, those refused at the door not counted", "came_at IS NOT NULL")
	leads("offered", ownerMarketing, "leads offered to a member at least once", "offered_at IS NOT NULL")
	leads("won", ownerSales, "leads whose deal is won", "won_at IS NOT NULL")
	leads("lost", ownerSales, "leads whose deal is lost, or that are out by an agreed reason", "lost_at IS NOT NULL")
	s.share("accept_rate", ownerSales, "leads offered and accepted divided by offered", offered, "accepted_at IS NOT NULL", "offered_at IS NOT NULL")
	s.share("win_rate", ownerSales, "won divided by won and lost together", closed, "won_at IS NOT NULL", "won_at IS NOT NULL OR lost_at IS NOT NULL")
	s.count("rated", unitLeads, ownerSales, "leads of whose ease somebody has said something", received, "ease IS NOT NULL")
	s.add("ease", unitNumber, ownerSales, "mean of the ease that was said last of each lead, from 1 (hard) to 5 (easy)", spoken, measure{byMean, "ease", "ease IS NOT NULL"})
	return &info{
		name: reportSegments, text: "Which industries are the easiest: accepted, won, and how easy sales says they are.",
		cases: casesLeads, only: "state <> 'refused'", by: "industry", metrics: s.metrics,
	}
}
