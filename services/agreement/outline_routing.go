package agreement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// What the agreement says about who gets a lead, as people read it.

func (a *Agreement) poolTitle(id string) string {
	if p, ok := a.Pool(id); ok {
		return p.Title
	}
	return id
}

// membersOf are those who get the leads of a pool.
func (a *Agreement) membersOf(id string) []string {
	p, _ := a.Pool(id)
	var out []string
	for _, m := range p.Members {
		out = append(out, m.Member)
	}
	return out
}

func (a *Agreement) handoffsPart() Part {
	p := Part{ID: "handoffs", Ordered: true, Title: "Who gets a lead", Note: "The first rule of the lead's stage that holds decides."}
	for _, h := range a.handoffs {
		holds := ruleLine(labelHolds, h.when)
		if h.when.program == nil {
			holds.Text = "no rule above of that stage does"
		}
		item := Item{ID: h.ID, Title: h.Text, Concerns: a.membersOf(h.Pool), Lines: []Line{
			{Label: "Leads of stage", Text: stageTitle(&a.stages[h.Stage-leadv1.Stage_STAGE_LEAD])}, holds, {Label: "Go to", Text: a.poolTitle(h.Pool)},
		}}
		if len(h.Skills) > 0 {
			item.Lines = append(item.Lines, Line{Label: "Whoever gets it knows", List: h.Skills, All: true})
		}
		if len(h.needs) > 0 {
			line := Line{Label: "Whoever gets it knows also what the lead states as", All: true}
			for _, v := range h.needs {
				line.List = append(line.List, v.words)
			}
			item.Lines = append(item.Lines, line)
		}
		p.Items = append(p.Items, item)
	}
	return p
}

// How the next person is found, in words.
var givesBy = map[string]string{
	ByRotation: "in turn, by shares",
	ByLoad:     "who has the fewest open leads for their share",
	ByOrder:    "the first of this list who can take it",
	ByClaim:    "whoever takes it first has it",
}

// What counts in the rotation, in words, by the order of turnKindNames.
var turnKindWords = [...]string{"leads given in turn", "leads that came to their owner", "leads given by hand", "credits for bad leads"}

func (a *Agreement) poolsPart() Part {
	p := Part{ID: "pools", Title: "Pools and times", Note: "Who takes turns, and how long they have. Times are working time of the calendar, unless they say otherwise."}
	for i := range a.pools {
		one := &a.pools[i]
		concerns := append(a.membersOf(one.ID), one.Manager, one.Next, one.Fallback.Member)
		item := Item{ID: one.ID, Title: one.Title, Concerns: concerned(concerns...), Lines: []Line{
			{Label: "Take a lead within", Text: spelled(one.TakeWithin) + " of working time"},
		}}
		if one.RemindBefore > 0 {
			item.Lines = append(item.Lines, Line{Label: "Reminded", Text: spelled(one.RemindBefore) + " of working time before that ends"})
		}
		item.Lines = append(item.Lines, Line{Label: "Calendar", Text: one.Calendar}, Line{Label: "Watched by", Text: one.watched()})
		item.Lines = append(item.Lines, one.choiceLines()...)
		item.Lines = append(item.Lines, a.waitLines(one)...)
		var sharing []string
		for _, other := range a.pools {
			if other.Group == one.Group && other.ID != one.ID {
				sharing = append(sharing, other.Title)
			}
		}
		if len(sharing) > 0 {
			item.Lines = append(item.Lines, Line{Label: "Counts turns and open leads together with", Text: enumerate(sharing, "and")})
		}
		for _, m := range one.Members {
			item.Lines = append(item.Lines, m.lines()...)
		}
		p.Items = append(p.Items, item)
	}
	return p
}

// watched says who looks at the pool, and who hears of it where they do not.
func (p *Pool) watched() string {
	if p.LookEvery == 0 {
		return p.Manager
	}
	return fmt.Sprintf("%s, every %s; where they do not look while leads run out, %s hears of it", p.Manager, spelled(p.LookEvery), p.Next)
}

// choiceLines say how the next person is found.
func (p *Pool) choiceLines() []Line {
	out := []Line{{Label: "Next person", Text: givesBy[p.GivesBy]}}
	if p.GivesBy == ByRotation || p.Counted != nil {
		line := Line{Label: "Counts as a turn", Text: "nothing"}
		for i, words := range turnKindWords {
			if p.Counts(leadv1.TurnKind(i + 1)) {
				line.Text, line.List, line.All = "", append(line.List, words), true
			}
		}
		out = append(out, line)
	}
	if p.GivesBy == ByRotation || p.AfterLeave != NoCatchUp {
		back := "goes on as everybody else; what came meanwhile is nobody's debt"
		switch p.AfterLeave {
		case FullCatchUp:
			back = "gets the leads that they missed first"
		case CappedCatchUp:
			back = "gets the leads that they missed first, at most " + plural(p.CatchUp, "lead", "leads")
		}
		out = append(out, Line{Label: "Somebody back from leave", Text: back})
	}
	if p.AccountOwner {
		out = append(out, Line{Label: "Companies that somebody owns", Text: "their leads go to who owns them, if they can take them"})
	}
	if p.PreviousOwnerFor > 0 {
		text := "goes to whoever had them within the last " + spelled(p.PreviousOwnerFor) + "; "
		if p.PreviousOwnerWait > 0 {
			text += "the lead waits " + spelled(p.PreviousOwnerWait) + " of working time for them, then somebody else covers"
		} else {
			text += "somebody else covers at once where they cannot take it"
		}
		out = append(out, Line{Label: "A person who comes back", Text: text})
	}
	return out
}

// waitLines say who gets no lead for a while, and what becomes of one that nobody can
// take.
func (a *Agreement) waitLines(p *Pool) []Line {
	var out []Line
	if p.SignedIn {
		out = append(out, Line{Label: "Signing in", Text: "only those who are signed in for the day get leads"})
	}
	if p.QuietBeforeEnd > 0 {
		out = append(out, Line{Label: "Before the end of a shift", Text: "no lead is handed out in the last " + spelled(p.QuietBeforeEnd)})
	}
	if p.DeclinedFor > 0 {
		out = append(out, Line{Label: "Who declined a lead", Text: "does not get it again for " + spelled(p.DeclinedFor)})
	}
	if f := p.Fallback; f.After > 0 {
		to := "pool " + a.poolTitle(f.Pool)
		if f.Member != "" {
			to = f.Member + ", whatever they hold already"
		}
		out = append(out, Line{Label: "Where nobody can take it", Text: "after " + spelled(f.After) + " of working time it goes to " + to})
	}
	return out
}

// lines say what a member gets.
func (m *PoolMember) lines() []Line {
	text := plural(m.Weight, "share", "shares") + ", "
	if m.Capacity > 0 {
		text += "at most " + plural(m.Capacity, "open lead", "open leads")
	} else {
		text += "no limit of open leads"
	}
	if m.AtMost.Any() {
		text += ", " + m.AtMost.words()
	}
	if m.Calendar != "" {
		text += ", works by the calendar " + m.Calendar
	}
	out := []Line{{Label: m.Member, Text: text}}
	if len(m.Knows) > 0 {
		out = append(out, Line{Label: m.Member + " knows", List: m.Knows, All: true})
	}
	return out
}

// words say limits as "at most 5 leads a day and 20 a week".
func (l Limits) words() string {
	var out []string
	for _, one := range []struct {
		most   int64
		period string
	}{{l.Day, "day"}, {l.Week, "week"}, {l.Month, "month"}} {
		switch {
		case one.most == 0:
		case len(out) == 0:
			out = append(out, "at most "+plural(one.most, "lead", "leads")+" a "+one.period)
		default:
			out = append(out, fmt.Sprintf("%d a %s", one.most, one.period))
		}
	}
	return enumerate(out, "and")
}

func (a *Agreement) oneOwnerPart() Part {
	p := Part{ID: "one_owner", Title: "One person speaks with one person"}
	if window, ok := a.OneOwner(); ok {
		p.Items = append(p.Items, Item{Title: "Collisions", Concerns: bothParties, Lines: []Line{
			{Label: "Reported", Text: "where somebody acts on a person within " + spelled(window) + " after somebody else did"},
		}})
	}
	return p
}

func (a *Agreement) calendarsPart() Part {
	p := Part{ID: "calendars", Title: "Calendars", Note: "Nobody is offered a lead outside these hours, and no clock runs."}
	for _, c := range a.calendars {
		item := Item{ID: c.id, Title: capital(c.id), Concerns: concerned(a.worksBy(c.id)...), Lines: []Line{{Label: "Time zone", Text: c.Zone()}}}
		item.Lines = append(item.Lines, c.runs()...)
		item.Lines = append(item.Lines, c.exceptionLines()...)
		p.Items = append(p.Items, item)
	}
	return p
}

// exceptionLines say on which dates other hours hold.
func (c *Calendar) exceptionLines() []Line {
	var out []Line
	if len(c.sets) > 0 {
		out = append(out, Line{Label: "Holidays of", List: c.sets, All: true})
	}
	if len(c.added) > 0 {
		out = append(out, Line{Label: "Holidays", Text: "on", List: datesText(c.added), All: true})
	}
	if len(c.removed) > 0 {
		out = append(out, Line{Label: "No holidays", Text: "on", List: datesText(c.removed), All: true})
	}
	for _, e := range c.exceptions {
		if len(e.hours) > 0 {
			out = append(out, Line{Label: "On " + date(time.Unix(e.day*daySeconds, 0)), Text: hoursText(e.hours)})
		}
	}
	return out
}

// datesText are days in words.
func datesText(days []int64) []string {
	out := make([]string, len(days))
	for i, day := range days {
		out[i] = date(time.Unix(day*daySeconds, 0))
	}
	return out
}

func (a *Agreement) holidaySetsPart() Part {
	p := Part{ID: "holiday_sets", Title: "Holidays", Note: "Days on which nobody works whose calendar names them."}
	for _, set := range a.holidaySets {
		var users []string
		for _, c := range a.calendars {
			if slices.Contains(c.sets, set.id) {
				users = append(users, a.worksBy(c.id)...)
			}
		}
		p.Items = append(p.Items, Item{ID: set.id, Title: set.id, Concerns: concerned(users...), Lines: []Line{{Text: "on", List: datesText(set.days), All: true}}})
	}
	return p
}

// worksBy are those who work by a calendar: their own, or their pool's.
func (a *Agreement) worksBy(calendar string) []string {
	var out []string
	for _, p := range a.pools {
		for _, m := range p.Members {
			if m.Calendar == calendar || m.Calendar == "" && p.Calendar == calendar {
				out = append(out, m.Member)
			}
		}
	}
	return out
}

// runs are the working hours; days in a row with the same hours are one line.
func (c *Calendar) runs() []Line {
	var out []Line
	for i := range c.week {
		day := (i + 1) % 7
		one := Line{Label: time.Weekday(day).String(), Text: hoursText(c.week[day])}
		if n := len(out); n > 0 && out[n-1].Text == one.Text {
			run := &out[n-1]
			run.each = append(run.each, one)
			run.Label = run.each[0].Label + " to " + one.Label
			continue
		}
		one.each = []Line{one}
		out = append(out, one)
	}
	return out
}

// hoursText says the hours of one day.
func hoursText(spans []span) string {
	var said []string
	for _, s := range spans {
		said = append(said, clockText(s.from)+"–"+clockText(s.to))
	}
	if len(said) == 0 {
		return "no work"
	}
	return enumerate(said, "and")
}

func clockText(seconds int64) string { return fmt.Sprintf("%02d:%02d", seconds/3600, seconds/60%60) }

var consequences = map[leadv1.Consequence]string{
	leadv1.Consequence_CONSEQUENCE_NEXT_PERSON: "to the next person",
	leadv1.Consequence_CONSEQUENCE_NURTURE:     "back to marketing",
	leadv1.Consequence_CONSEQUENCE_DISQUALIFY:  "out",
}

func (a *Agreement) reasonsPart() Part {
	p := Part{ID: "reasons", Title: "Reasons for rejecting a lead", Note: "No lead is rejected for any other reason."}
	for _, r := range a.reasons {
		item := Item{ID: r.ID, Title: r.Title, Concerns: bothParties, Lines: []Line{{Label: "The lead goes", Text: consequences[r.Consequence]}}}
		if r.Credit {
			item.Lines = append(item.Lines, Line{Label: "The person", Text: "gets another lead for it"})
		}
		if r.Attempts > 0 {
			item.Lines = append(item.Lines, Line{Label: "Before it is given", Text: plural(r.Attempts, "attempt", "attempts") + " to reach the person"})
		}
		item.Lines = append(item.Lines, Line{Label: "Written as", Text: r.ID})
		p.Items = append(p.Items, item)
	}
	return p
}

func (a *Agreement) movesPart() Part {
	p := Part{ID: "reassign_reasons", Title: "Reasons for moving a lead by hand"}
	reasons, agreed := a.Moves()
	if !agreed {
		return p
	}
	for _, r := range reasons {
		p.Items = append(p.Items, Item{ID: r.Name, Title: r.Name, Concerns: []string{Sales}, Lines: []Line{{Text: strings.TrimSpace(r.Text)}}})
	}
	return p
}
