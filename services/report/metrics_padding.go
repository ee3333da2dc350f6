package report

import "fmt"

const reportPadding = "padding"

// paddingReport is about whether the number of MQL says more than there is.
func paddingReport() *info {
	const all = "leads that reached the stage MQL or a later one, received in the period; with the frame activity, reached it in the period"
	s := &sheet{report: reportPadding}
	count := func(name, formula, where string) {
		s.count(name, unitLeads, ownerMarketing, formula, all, where)
	}
	count("mql", "leads that reached the stage MQL or a later one", "TRUE")
	count("repeated", "leads whose person had become an MQL by another lead before, in the same quarter of the agreed year: one person counted twice", "repeated")
	count("failing", "leads that the version of the agreement that qualified them does not make an MQL, judged by what the log held of them when they were counted", "failing")
	count("redated", "leads that are late or of another quarter, each once", "redated")
	count("late", "leads that are said to have become an MQL more than 24 hours before that was recorded; imported history is left out", "late")
	count("other_quarter", "leads that are said to have become an MQL in another quarter than that in which it was recorded, more than 1 hour later; imported history is left out", "other_quarter")
	count("burst", "leads of the last 14 days of a quarter that is over, if these are at least twice as many as 14 days' part of the quarter's MQL (counted from the first MQL ever on) and 3 more,"+
		" and a binomial number with that part is that high with a probability of at most 0.5 % divided by the number of quarters tested; a quarter with less than 20 MQL or 42 days is not tested", "burst")
	count("hugging", "leads with the points they needed and at most 5 % more, of a source in a quarter of which, under one version of the agreement, the share of such leads is at least twice that of all others under that version and 3 leads more,"+
		" and a hypergeometric number is that high with a probability of at most 0.5 % divided by the number of such sources and quarters tested; less than 10 MQL beside 20 others are not tested", "hugging")
	count("flagged", "leads that at least one check marks, each once", "flagged")
	s.share("flagged_rate", ownerMarketing, "flagged divided by mql", all, "flagged", "TRUE")
	return &info{
		name: reportPadding, text: "Whether the number of MQL says more than there is: what is counted twice, wrongly, on another day, all at the end, or by a hair.",
		cases: "MQL", base: casesLeads, by: "source", only: "mql_at IS NOT NULL", metrics: s.metrics, work: workPadding, closed: true,
		population: func(Question) string {
			return ", only those that reached MQL. The two tests of chance, burst and hugging, look at all MQL of the log, whichever the report is limited to, and together find anything at all in at most 1 % of the reports where nobody padded anything"
		},
		remarks: func(total figures) []string {
			if total["mql"] == 0 {
				return nil
			}
			if total["flagged"] == 0 {
				return []string{"No check marks any of them."}
			}
			return []string{fmt.Sprintf("%.0f of %.0f MQL are marked. A mark is a question and no verdict: look at the rule, form or source first. Which leads they are is for who answers for the figure: baton report evidence %s --name flagged --why TEXT.",
				total["flagged"], total["mql"], reportPadding)}
		},
	}
}
