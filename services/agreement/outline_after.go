package agreement

import (
	"fmt"
	"strings"
)

// What the agreement says about what comes after the handoff, as people read it.

// workingTime says by whose working time something counts.
func workingTime(calendar string) string {
	if calendar == "" {
		return " of working time of the lead's pool"
	}
	return " of working time, by the calendar " + calendar
}

func (a *Agreement) acceptedPart() Part {
	p := Part{ID: "accepted_by_default", Title: "Accepted for good"}
	if within, calendar, ok := a.AcceptedByDefault(); ok {
		p.Items = append(p.Items, Item{Title: "Giving an accepted lead back", Concerns: bothParties, Lines: []Line{
			{Label: "Possible for", Text: spelled(within) + workingTime(calendar) + "; after that it counts as accepted for good"},
		}})
	}
	return p
}

func (a *Agreement) dispositionsPart() Part {
	p := Part{ID: "dispositions", Title: "What can come of a touch", Note: "Whoever has a lead says after each touch which of these it was."}
	for _, d := range a.dispositions {
		reached := "was not reached"
		if d.Reached {
			reached = "was reached"
		}
		p.Items = append(p.Items, Item{ID: d.ID, Title: d.Title, Concerns: []string{Sales}, Lines: []Line{{Label: "The person", Text: reached}, {Label: "Written as", Text: d.ID}}})
	}
	return p
}

func (a *Agreement) dealStagesPart() Part {
	p := Part{ID: "deal_stages", Title: "Stages of a deal"}
	if len(a.dealStages) == 0 {
		return p
	}
	item := Item{Title: "The way of a deal, until it is won or lost", Concerns: []string{Sales}, Lines: []Line{{Label: "In this order", All: true}}}
	for _, s := range a.dealStages {
		item.Lines[0].List = append(item.Lines[0].List, s.Name)
		item.Lines = append(item.Lines, Line{Label: s.Name, Text: s.Text})
	}
	p.Items = append(p.Items, item)
	return p
}

// questionsInWords are the questions that marketing asks about a lead, in words.
var questionsInWords = map[string]string{
	"interest": "how interesting the lead was, from 1 to 5", "why": "why it was interesting, or not", "talk": "how the talk went",
	"missing": "which information is missing for the next campaign", "vertical": "the industry, as sales found it", "persona": "the persona, as sales found it",
	"ease": "how easy it was to get on with them, from 1 to 5", "phrases": "phrases that the person used",
}

func (a *Agreement) feedbackPart() Part {
	p := Part{ID: "feedback", Title: "What marketing asks about a lead", Note: "Whoever has had a lead answers; everything else that they write is sealed."}
	f, ok := a.Feedback()
	if !ok {
		return p
	}
	rules := Item{Title: "The form", Concerns: bothParties, Lines: []Line{{Label: "Asks", List: questionsText(FeedbackQuestions()), All: true}}}
	if len(f.Required) > 0 {
		rules.Lines = append(rules.Lines, Line{Label: "Must be answered", List: questionsText(f.Required), All: true})
	}
	if f.Within > 0 {
		rules.Lines = append(rules.Lines, Line{Label: "Answered within", Text: spelled(f.Within) + workingTime(f.Calendar) + " after the lead was accepted"})
	}
	p.Items = append(p.Items, rules)
	for _, list := range []struct {
		question string
		answers  []Term
	}{{"why", f.Why}, {"talk", f.Talk}, {"missing", f.Missing}} {
		if len(list.answers) == 0 {
			continue
		}
		item := Item{ID: list.question, Title: "Answers to “" + questionsInWords[list.question] + "”", Concerns: bothParties}
		for _, answer := range list.answers {
			item.Lines = append(item.Lines, Line{Label: answer.Name, Text: answer.Text})
		}
		p.Items = append(p.Items, item)
	}
	return p
}

// questionsText are questions in words.
func questionsText(questions []string) []string {
	out := make([]string, len(questions))
	for i, q := range questions {
		out[i] = questionsInWords[q]
	}
	return out
}

func (a *Agreement) disputesPart() Part {
	p := Part{ID: "disputes", Title: "Where the departments disagree about a lead", Note: "Either side can open a case; it is decided on the lead as it was when it was handed over."}
	d, ok := a.Disputes()
	if !ok {
		return p
	}
	item := Item{Title: "Cases", Concerns: concerned(append([]string{Marketing, Sales, d.Arbiter}, d.Then...)...), Lines: []Line{
		{Label: "Decided by", Text: d.Arbiter},
		{Label: "Put before them", Text: "where nobody has settled it after " + spelled(d.Within) + workingTime(d.Calendar)},
	}}
	if len(d.Then) > 0 {
		item.Lines = append(item.Lines, Line{Label: "After that", Text: fmt.Sprintf("%s, each %s after the one before", strings.Join(d.Then, ", then "), spelled(d.Within))})
	}
	if d.Sample > 0 {
		item.Lines = append(item.Lines, Line{Label: "A review looks at", Text: plural(int64(d.Sample), "handoff", "handoffs")})
	}
	p.Items = append(p.Items, item)
	return p
}

func (a *Agreement) purposesPart() Part {
	p := Part{ID: "purposes", Ordered: true, Title: "What leads are for", Note: "Each lead has one purpose: the first that holds."}
	for _, one := range a.purposes {
		holds := ruleLine(labelHolds, one.when)
		if one.when.program == nil {
			holds.Text = "no purpose above does"
		}
		p.Items = append(p.Items, Item{ID: one.ID, Title: one.Title, Concerns: bothParties, Lines: []Line{holds, {Label: "Written as", Text: one.ID}}})
	}
	return p
}
