package report

import (
	"context"
	"time"
)

const reportTraining = "training"

// rideAlong is one ride along, by the log.
type rideAlong struct {
	id          string
	asked, held time.Time
}

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
		cases: "ride along", base: casesLeads, by: "month", metrics: s.metrics, work: workTraining,
		population: func(Question) string {
			return ". One case is one ride along; person and team are those of who has the lead"
		},
	}
}

func workTraining(ctx context.Context, w *working) error {
	if w.q.Counted == nil {
		return nil
	}
	_, sequence, err := w.store.position(ctx, w.tx)
	if err != nil {
		return err
	}
	all, err := w.q.Counted(ctx, w.q, sequence)
	if err != nil {
		return err
	}
	return w.read(ctx, "", "", nil, func(c *workedCase) error {
		for _, r := range all.rides[c.leadID] {
			if !w.q.saw(r.asked) {
				continue
			}
			clear(c.numbers)
			c.came = r.asked
			c.set("held", !r.held.IsZero() && (!w.q.Past || !r.held.After(w.q.AsOf)))
			w.say(c)
		}
		return nil
	})
}
