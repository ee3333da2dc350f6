package agreement

import (
	"slices"
	"strings"
	"time"

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
	// Overlay is the exception that changed the points needed; empty = none.
	Overlay string
}

// Profile evaluates the customer profile.
func (a *Agreement) Profile(f Facts) Fit {
	fit := Fit{
		Met: true, Version: a.profile.version, Needed: a.profile.needed,
		Criteria: make([]*leadv1.Criterion, 0, len(a.profile.criteria)),
	}
	if o := a.overlay(&f, func(o *overlay) bool { return o.PointsNeeded != nil }); o != nil {
		fit.Needed, fit.Overlay = *o.PointsNeeded, o.ID
	}
	for _, c := range a.profile.criteria {
		met, missing := c.when.decide(&f)
		line := c.line(&f, met)
		if met {
			line.Points = c.gives(&f)
			fit.Points += line.GetPoints()
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

// line is the criterion as an explanation shows it.
func (c *criterion) line(f *Facts, met bool) *leadv1.Criterion {
	return &leadv1.Criterion{
		Id: c.id, Text: c.text, Condition: c.when.source,
		Values: c.when.values(f), Met: met, Must: c.must, Question: c.question,
	}
}

// gives are the points of a criterion that is met. Points of touches halve with
// the age of the newest one that it counts, rounded towards zero.
func (c *criterion) gives(f *Facts) int64 {
	if c.halves == 0 {
		return c.points
	}
	var newest time.Time
	for _, v := range c.when.variables {
		if v.touch == "" {
			continue
		}
		if at := f.latest(v.touch); at.After(newest) {
			newest = at
		}
	}
	if newest.IsZero() {
		// It is met although no touch is known, so that none can grow old.
		return c.points
	}
	points := c.points
	for age := f.Now.Sub(newest); age >= c.halves && points != 0; age -= c.halves {
		points /= 2
	}
	return points
}

// overlay is the first exception that holds for a lead now and changes what is
// asked about; nil = none.
func (a *Agreement) overlay(f *Facts, changes func(*overlay) bool) *overlay {
	for i := range a.overlays {
		o := &a.overlays[i]
		if f.Now.Before(o.From) || !f.Now.Before(o.Until) || !changes(o) {
			continue
		}
		if met, _ := o.when.decide(f); met {
			return o
		}
	}
	return nil
}

// Signal finds the first signal that the facts show.
func (a *Agreement) Signal(f Facts) (Signal, *leadv1.Criterion, bool) {
	for i := range a.signals {
		s := &a.signals[i]
		if met, _ := s.when.decide(&f); met {
			return s.Signal, &leadv1.Criterion{Id: s.ID, Text: s.Text, Condition: s.when.source, Values: s.when.values(&f), Met: true}, true
		}
	}
	return Signal{}, nil, false
}

// Lacks names, in words, the facts that a lead of a stage must have and nobody
// stated; known and wanted count them all.
func (a *Agreement) Lacks(s leadv1.Stage, f Facts) (missing []string, known, wanted int) {
	i := int(s) - int(leadv1.Stage_STAGE_LEAD)
	if i < 0 || i >= len(a.stages) {
		return nil, 0, 0
	}
	for _, v := range a.stages[i].requires {
		if !v.stated(&f) {
			missing = append(missing, v.words)
		}
	}
	wanted = len(a.stages[i].requires)
	return missing, wanted - len(missing), wanted
}

// stated says whether somebody said what the variable asks: that no address was
// given is a fact about the lead, and it is missing even so. An answer of "no" is
// an answer.
func (v *variable) stated(f *Facts) bool {
	fact, ok := v.read(f)
	return ok && fact != wishUnknown && (fact != false || strings.HasPrefix(v.name, "answers."))
}

// CallCriteria evaluates what a call must have found out for a stage.
func (a *Agreement) CallCriteria(s leadv1.Stage, f Facts) (met bool, lines []*leadv1.Criterion, missing []string) {
	met = true
	i := int(s) - int(leadv1.Stage_STAGE_LEAD)
	if i < 0 || i >= len(a.stages) {
		return met, nil, nil
	}
	for j := range a.stages[i].criteria {
		c := &a.stages[i].criteria[j]
		holds, lacks := c.when.decide(&f)
		lines = append(lines, c.line(&f, holds))
		missing = append(missing, lacks...)
		met = met && holds
	}
	return met, lines, missing
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
			if o := a.overlay(&f, func(o *overlay) bool { return o.Pool != "" || o.TakeWithin > 0 }); o != nil {
				h.Overlay, h.TakeWithin = o.ID, o.TakeWithin
				if o.Pool != "" {
					h.Pool = o.Pool
				}
			}
			return h.Handoff, &leadv1.Criterion{
				Id: h.ID, Text: h.Text, Condition: h.when.source, Values: h.when.values(&f), Met: true,
			}, true
		}
	}
	return Handoff{}, nil, false
}
