package agreement

import (
	"slices"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Fit is how well a lead matches the customer profile.
type Fit struct {
	// Met is true where every must-have holds and the points suffice.
	Met bool
	// Version of the profile.
	Version string
	// Points reached, and points needed.
	Points, Needed int64
	// Criteria in the order of the agreement. A criterion's points are those it
	// gave, so that they add up to Points.
	Criteria []*leadv1.Criterion
	// Missing names, in words, the unknown facts that kept a criterion from
	// being met, each once.
	Missing []string
}

// Profile evaluates the customer profile.
func (a *Agreement) Profile(f Facts) Fit {
	fit := Fit{
		Met: true, Version: a.profile.version, Needed: a.profile.needed,
		Criteria: make([]*leadv1.Criterion, 0, len(a.profile.criteria)),
	}
	for _, c := range a.profile.criteria {
		met, missing := c.when.decide(&f)
		line := &leadv1.Criterion{
			Id: c.id, Text: c.text, Condition: c.when.source,
			Values: c.when.values(&f), Met: met, Must: c.must,
		}
		if met {
			line.Points = c.points
			fit.Points += c.points
		}
		if c.must && !met {
			fit.Met = false
		}
		fit.Criteria = append(fit.Criteria, line)
		for _, words := range missing {
			if !slices.Contains(fit.Missing, words) {
				fit.Missing = append(fit.Missing, words)
			}
		}
	}
	if fit.Points < fit.Needed {
		fit.Met = false
	}
	return fit
}

// PersonaFit is the persona that a lead matches.
type PersonaFit struct {
	Met bool
	// Version of the personas.
	Version string
	// ID, Title and Influence of the persona; empty where none matches.
	ID, Title, Influence string
	// Criteria holds the persona that matched, or all that were tried.
	Criteria []*leadv1.Criterion
}

// Persona finds the first persona that matches.
func (a *Agreement) Persona(f Facts) PersonaFit {
	fit := PersonaFit{Version: a.personas.version}
	tried := make([]*leadv1.Criterion, 0, len(a.personas.list))
	for _, p := range a.personas.list {
		met, _ := p.when.decide(&f)
		line := &leadv1.Criterion{Id: p.id, Text: p.text, Condition: p.when.source, Values: p.when.values(&f), Met: met}
		if met {
			fit.Met, fit.ID, fit.Title, fit.Influence = true, p.id, p.title, p.influence
			fit.Criteria = []*leadv1.Criterion{line}
			return fit
		}
		tried = append(tried, line)
	}
	fit.Criteria = tried
	return fit
}

// Handoff finds the first rule for a stage whose condition holds. A rule without
// a condition always holds.
func (a *Agreement) Handoff(s leadv1.Stage, f Facts) (Handoff, *leadv1.Criterion, bool) {
	for _, h := range a.handoffs {
		if h.Stage != s {
			continue
		}
		if met, _ := h.when.decide(&f); met {
			return h.Handoff, &leadv1.Criterion{
				Id: h.ID, Text: h.Text, Condition: h.when.source, Values: h.when.values(&f), Met: true,
			}, true
		}
	}
	return Handoff{}, nil, false
}
