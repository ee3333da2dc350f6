package report

import (
	"context"
	"fmt"
	"time"

	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// mostSteps is how many steps of an escalation have figures of their own.
const mostSteps = 3

// slaReport is about the agreed times: each run of a clock on a lead is a case.
func slaReport() *info {
	const (
		all     = "runs of the agreement's clocks on leads received in the period; with the frame activity, runs that started in the period"
		over    = "those of them that are met or breached"
		stopped = "those of them that were stopped, in time or not"
	)
	s := &sheet{report: reportSLA}
	count := func(name, formula, where string) { s.count(name, unitRuns, ownerBoth, formula, all, where) }
	count("started", "runs that started: started = met + breached + running", "TRUE")
	count("met", "runs that were stopped before the limit", "met")
	count("breached", "runs that ran out, whether they were stopped afterwards or not", "breached")
	count("running", "runs that are neither stopped nor run out", "running")
	count("unstopped", "of those breached, the runs that are not stopped yet", "breached AND NOT stopped")
	s.share("met_rate", ownerBoth, "met divided by met and breached together", over, "met", "NOT running")
	count("reminded", "runs in which somebody was reminded before the limit", "reminded")
	count("escalated", "runs in which at least one step of the escalation was taken", "escalated")
	for n := range mostSteps {
		count(fmt.Sprintf("step_%d", n+1), fmt.Sprintf("runs in which step %d of the escalation was taken", n+1), fmt.Sprintf("step_%d", n+1))
	}
	s.add("steps", unitSteps, ownerBoth, "steps of escalations that were taken, all together", all, measure{bySum, "steps", "TRUE"})
	count("restated", "runs of which a reading that had been given was corrected, since something became known late", "restated")
	s.add("median_seconds", unitSeconds, ownerBoth, "median of the time on the clock when it was stopped, in its own time (working or clock); of an even number the mean of the two in the middle", stopped, measure{byMedian, "spent_seconds", "stopped"})
	s.add("p90_seconds", unitSeconds, ownerBoth, "time on the clock that nine of ten do not exceed when they are stopped, in its own time: the value at the rank 0.9 times their number, rounded up", stopped, measure{byP90, "spent_seconds", "stopped"})
	return &info{
		name: reportSLA, text: "Whether the agreed times are kept, clock by clock, and what was done where they were not.",
		cases: "clock", base: casesLeads, own: []string{"clock", "department", "holder"}, by: "clock", metrics: s.metrics, work: workSLA,
		population: func(Question) string {
			return ". One case is one run of a clock, by the version of the agreement in force when it started; runs are worked out from what happened to the lead, with absences as they are known now." +
				" Reminders, steps and corrections are those that were said. Person and pool are the lead's present ones; holder is who had the lead, or was offered it, when the run was stopped, or has it now"
		},
	}
}

func workSLA(ctx context.Context, w *working) error {
	if w.q.InForce == nil {
		return nil
	}
	away := w.q.Away
	if away == nil {
		away = func(string) []agreement.Span { return nil }
	}
	var text string
	return w.read(ctx, ", t.course", " JOIN courses t ON t.lead_id = c.lead_id", []any{&text}, func(c *workedCase) error {
		course, err := readCourse(text, w.q.until())
		if err != nil {
			return err
		}
		runs := agreement.Runs(course, w.q.InForce, away)
		for i := range runs {
			r := &runs[i]
			if !w.q.saw(r.Started) {
				continue
			}
			clear(c.numbers)
			c.came = r.Started
			c.run(r, course, w.q.AsOf)
			if holder := c.words["holder"]; w.q.Viewer != "" && holder != "" && holder != w.q.Viewer {
				c.words["holder"] = othersKey
			}
			w.say(c)
		}
		return nil
	})
}

// run fills in the columns of a run as it stands at an instant.
func (c *workedCase) run(r *agreement.Run, course *lead.Course, now time.Time) {
	stopped := !r.Stopped.IsZero()
	met := r.Met()
	breached := !met && r.Breached(now)
	at := now
	if stopped {
		at = r.Stopped
		c.numbers["spent_seconds"] = r.Spent(at).Seconds()
	}
	c.words["clock"], c.words["department"] = r.Clock.ID, r.Clock.Department
	c.words["holder"], _ = r.At(at.Add(-1))
	c.set("stopped", stopped)
	c.set("met", met)
	c.set("breached", breached)
	c.set("running", !met && !breached)
	for _, s := range course.Said {
		if s.Clock != r.Clock.ID || !s.Started.Equal(r.Started) {
			continue
		}
		switch s.Kind {
		case lead.ClockReminded:
			c.set("reminded", true)
		case lead.ClockEscalated:
			c.set("escalated", true)
			c.set(fmt.Sprintf("step_%d", s.Step), true)
			c.numbers["steps"]++
		case lead.ClockRestated:
			c.set("restated", true)
		}
	}
}
