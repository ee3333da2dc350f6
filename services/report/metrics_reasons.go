package report

// reasonsReport is about why leads were rejected: each rejection is a case, so that the
// rows add up to the number of rejections.
func reasonsReport() *info {
	const all = "rejections of leads that were received in the period; with the frame activity, rejections in the period"
	s := &sheet{report: reportReasons}
	count := func(name, formula, where string) { s.count(name, unitRejections, ownerBoth, formula, all, where) }
	count("rejections", "times that a member rejected a lead, or gave it back with a reason; one lead may be rejected several times", "TRUE")
	s.add("leads", unitLeads, ownerBoth, "different leads that were rejected; under several reasons one lead counts in several rows", all, measure{byDistinct, "lead_id", "TRUE"})
	count("credited", "rejections for which whoever rejected the lead was owed another", "credit = 'credited'")
	count("next_person", "rejections after which the lead went to the next person", "consequence = 'next-person'")
	count("nurtured", "rejections after which the lead went back to marketing", "consequence = 'nurture'")
	count("disqualified", "rejections after which the lead was out", "consequence = 'disqualify'")
	s.share("credited_rate", ownerMarketing, "credited divided by rejections", all, "credit = 'credited'", "TRUE")
	s.share("disqualified_rate", ownerMarketing, "disqualified divided by rejections", all, "consequence = 'disqualify'", "TRUE")
	return &info{
		name: reportReasons, text: "Why leads were rejected, and where that led.", cases: casesRejections, own: []string{"reason", "consequence", "credit"}, by: "reason",
		metrics: s.metrics,
		population: func(Question) string {
			return ". One case is one rejection, for the reason that was given; the rows of a split add up to all rejections. Person and pool are those that rejected"
		},
	}
}
