package agreement

import "slices"

// Verticals are the agreed industries, in order; none = that is not agreed.
func (a *Agreement) Verticals() []string { return slices.Clone(a.industries.words) }

// PersonaTerms are the agreed personas by their ids, in order, each with its title.
func (a *Agreement) PersonaTerms() []Term {
	out := make([]Term, len(a.personas.list))
	for i, p := range a.personas.list {
		out[i] = Term{p.id, p.title}
	}
	return out
}
