package report

// disputesReport is about what one side held against the other. What was found against
// either is counted by one query over the same cases, one finding for each that is
// decided, so that no side weighs more.
func disputesReport() *info {
	const (
		all     = "disputes on leads that were received in the period; with the frame activity, disputes opened in the period"
		decided = "those of them that are decided"
	)
	s := &sheet{report: reportDisputes}
	count := func(name, formula, where string) { s.count(name, unitDisputes, ownerBoth, formula, all, where) }
	count("opened", "cases that were opened, or drawn for review", "TRUE")
	for _, p := range []struct{ name, formula, party string }{
		{"opened_by_marketing", "cases that marketing opened", "marketing"},
		{"opened_by_sales", "cases that sales opened", "sales"},
		{"drawn", "cases that were drawn for review: nobody claims anything", "system"},
	} {
		count(p.name, p.formula, "party = '"+p.party+"'")
	}
	count("agreed", "cases in which the other side agrees with the claim", "answer = 'agreed'")
	count("contested", "cases in which the other side does not agree", "answer = 'contested'")
	count("decided", "cases that are decided", "decided_at IS NOT NULL")
	count("open", "cases that are not decided: opened = decided + open", "decided_at IS NULL")
	for _, v := range []struct{ name, formula, word string }{
		{"criterion_missing", "decided: a criterion was missing", "criterion-missing"},
		{"wrong_question", "decided: a question was wrong", "wrong-question"},
		{"criterion_should_change", "decided: a criterion should change", "criterion-should-change"},
		{"met_not_worked", "decided: the lead was as agreed and was not worked", "met-not-worked"},
		{"data_error", "decided: what is recorded of the lead is wrong", "data-error"},
		{"as_agreed", "decided: all was as agreed", "as-agreed"},
	} {
		count(v.name, v.formula, "verdict = '"+v.word+"'")
	}
	for _, who := range []string{"marketing", "sales", "agreement", "nobody"} {
		is := "finding = '" + who + "'"
		count("against_"+who, "decided cases with a finding against "+who+": each case has one finding, and all weigh the same", is)
		s.share("against_"+who+"_rate", ownerBoth, "against_"+who+" divided by decided", decided, is, "decided_at IS NOT NULL")
	}
	s.add("median_seconds", unitSeconds, ownerBoth, "median of the seconds from opening to decision, in clock time; of an even number the mean of the two in the middle", decided, measure{byMedian, "decided_seconds", "decided_at IS NOT NULL"})
	return &info{
		name: reportDisputes, text: "What the departments held against each other, how it was decided, and against whom.",
		cases: casesDisputes, own: []string{"party", "claim", "verdict", "finding"}, metrics: s.metrics,
		population: func(Question) string {
			return ". One case is one dispute. Findings against marketing and against sales come from one query over the same cases"
		},
	}
}
