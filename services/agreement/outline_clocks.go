package agreement

import (
	"strconv"

	"github.com/leadbaton/baton/services/lead"
)

// clocksPart are the clocks as people read them.
func (a *Agreement) clocksPart() Part {
	p := Part{ID: "clocks", Title: "Agreed times", Note: "Within what time something has to happen to a lead, and who hears of it if not. A clock goes on measuring after it has run out."}
	for i := range a.clocks {
		c := &a.clocks[i]
		item := Item{ID: c.ID, Title: c.Title, Concerns: concerned(c.Department), Lines: []Line{
			{Label: "Means", Text: c.Text},
			{Label: "Whose time it is", Text: c.Department},
			{Label: "Time", Text: a.clockTime(c)},
		}}
		if c.when.program != nil {
			item.Lines = append(item.Lines, ruleLine(labelHolds, c.when))
		}
		item.Lines = append(item.Lines, Line{Label: "Begins", Text: "when the lead is", List: inWords(c.Starts)}, Line{Label: "Ends", Text: "when the lead is", List: inWords(c.Stops)})
		if c.Restarts {
			item.Lines = append(item.Lines, Line{Label: "Begins anew", Text: "with each act of whoever has the lead"})
		}
		if len(c.Pauses) > 0 {
			line := Line{Label: "Stands still", Text: "while"}
			for _, pause := range c.Pauses {
				line.List = append(line.List, pausesInWords[pause])
			}
			item.Lines = append(item.Lines, line)
		}
		if c.RemindBefore > 0 {
			item.Lines = append(item.Lines, Line{Label: "Reminded", Text: spelled(c.RemindBefore) + " before it runs out"})
		}
		for j, step := range c.Steps {
			from := " after the step before"
			if j == 0 {
				from = " after it ran out"
			}
			wait := ", as soon as one of them is on duty"
			if step.AtOnce {
				wait = ", at once"
			}
			item.Lines = append(item.Lines, Line{Label: "Step " + strconv.Itoa(j+1), Text: spelled(step.After) + from + ", " + enumerate(hearers(step.Tell), "and") + " hears “" + step.Text + "”" + wait})
			for _, who := range step.Tell {
				if who != ToOwner && who != ToManager {
					item.Concerns = concerned(append(item.Concerns, who)...)
				}
			}
		}
		p.Items = append(p.Items, item)
	}
	return p
}

func (a *Agreement) clockTime(c *clock) string {
	switch {
	case !c.Working:
		return spelled(c.Limit) + ", nights and holidays included"
	case c.Calendar != "":
		return spelled(c.Limit) + " of working time, by the calendar " + c.Calendar
	}
	return spelled(c.Limit) + " of working time of the pool that has the lead"
}

var momentsInWords = map[lead.MomentKind]string{
	lead.MomentReceived: "received", lead.MomentQualified: "qualified", lead.MomentOffered: "offered", lead.MomentAccepted: "accepted",
	lead.MomentRejected: "given back", lead.MomentNurtured: "left with marketing", lead.MomentTouched: "touched by sales", lead.MomentWorked: "worked on",
	lead.MomentCall: "called", lead.MomentClosed: "won, lost or out",
}

func inWords(kinds []lead.MomentKind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = momentsInWords[k]
	}
	return out
}

var pausesInWords = map[string]string{
	PauseWaiting: "it waits in line", PauseNurtured: "it is with marketing", PauseAway: "its owner is away",
}

// hearers are those whom a step tells, in words.
func hearers(tell []string) []string {
	out := make([]string, len(tell))
	for i, who := range tell {
		switch who {
		case ToOwner:
			who = "whoever has the lead"
		case ToManager:
			who = "the manager of its pool"
		}
		out[i] = who
	}
	return out
}
