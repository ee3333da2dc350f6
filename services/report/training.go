package report

const reportTraining = "training"

// trainingReport is about whether the departments learn from each other.
func trainingReport() *info {
	const all = "rides along on leads received in the period; with the frame activity, asked for in the period"
	s := &sheet{report: reportTraining}
	count := func(name, owner, formula, where string) { s.count(name, unitRides, owner, formula, all, where) }
	count("requested", ownerMarketing, "times somebody of marketing asked to listen to a talk with a lead: requested = held + open", "TRUE")
	count("held", ownerBoth, "of requested, those that were held and of which a note is shared", "held")
	count("open", ownerBoth, "of requested, those that were not held yet", "NOT held")
	s.add("leads", unitLeads, ownerBoth, "different leads on whose talks somebody listened", all, measure{byDistinct, "lead_id", "held"})
	s.share("held_rate", ownerBoth, "held divided by requested", all, "held", "TRUE")
	return &info{
		name: reportTraining, text: "Whether marketing listens to how sales talks with leads: rides along, and what came of them.",
		cases: casesRides, by: "month", metrics: s.metrics,
		population: func(Question) string {
			return ". One case is one ride along; person and team are those of who has the lead"
		},
	}
}
