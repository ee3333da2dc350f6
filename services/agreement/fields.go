package agreement

import (
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Field is one fact that conditions may read.
type Field struct {
	// Name as conditions write it, such as lead.employees.
	Name string
	// Kind is "text", "number" or "flag" (yes or no).
	Kind string
	// Unit is what a number is counted in; empty = a plain number.
	Unit string
	// Words are all that it can be; nil = any.
	Words []string
	// About says in plain words what it is.
	About string
	// UsedBy are the rules that read it, such as "criterion size", in the order of
	// the document.
	UsedBy []string

	variable *variable
}

// OfCall says that a call finds the fact out: no source supplies it.
func (f *Field) OfCall() bool { return strings.HasPrefix(f.Name, "call.") }

// use is one rule of the document with the facts that it reads.
type use struct {
	named string
	reads []*variable
}

// uses are all rules, in the order of the document.
func (a *Agreement) uses() (out []use) {
	for _, s := range a.signals {
		out = append(out, use{"signal " + s.ID, s.when.variables})
	}
	for _, c := range a.profile.criteria {
		out = append(out, use{"criterion " + c.id, c.when.variables})
	}
	for _, p := range a.personas.list {
		out = append(out, use{"persona " + p.id, p.when.variables})
	}
	for i, s := range a.stages {
		if len(s.requires) > 0 {
			out = append(out, use{"stage " + stageNames[i], s.requires})
		}
		for _, c := range s.criteria {
			out = append(out, use{"criterion " + c.id + " of stage " + stageNames[i], c.when.variables})
		}
	}
	for _, h := range a.handoffs {
		out = append(out, use{"handoff " + h.ID, slices.Concat(h.when.variables, h.needs)})
	}
	for _, p := range a.purposes {
		out = append(out, use{"purpose " + p.ID, p.when.variables})
	}
	for _, o := range a.overlays {
		out = append(out, use{"overlay " + o.ID, o.when.variables})
	}
	return out
}

// Fields is the whole vocabulary of the agreement's conditions: facts of the
// lead, answers of forms, touches, calls.
func (a *Agreement) Fields() []Field {
	uses := a.uses()
	facts := a.vocabulary.all(a.touches)
	out := make([]Field, len(facts))
	for i, v := range facts {
		f := Field{Name: v.name, Kind: v.kind, Unit: v.unit, Words: slices.Clone(v.agreed), About: v.about, variable: v}
		for _, r := range uses {
			if slices.ContainsFunc(r.reads, func(read *variable) bool { return read.name == v.name || v.touch != "" && read.touch == v.touch }) {
				f.UsedBy = append(f.UsedBy, r.named)
			}
		}
		out[i] = f
	}
	return out
}

// all are the variables of the vocabulary, each kind of touch once.
func (v *vocabulary) all(touches []Term) (out []*variable) {
	for _, name := range []string{"lead", "answers"} {
		out = append(out, v.group(name).variables...)
	}
	for _, t := range touches {
		out = append(out, &variable{
			name: touchCount(t.Name, 0), about: "how often this happened: " + t.Text, kind: kindNumber, unit: "touches", touch: t.Name,
		})
	}
	for _, name := range []string{"call", "call.answers"} {
		out = append(out, v.group(name).variables...)
	}
	return out
}

// States says whether a lead states the fact: somebody said what it asks, or did
// what it counts.
func (f *Field) States(features *leadv1.Features, touched func(kind string) bool) bool {
	if f.variable.touch != "" {
		return touched(f.variable.touch)
	}
	if f.Name == "lead.free_email" {
		// It follows from the address, whichever the answer is.
		return features.GetHasEmail()
	}
	return !f.OfCall() && f.variable.stated(&Facts{Features: features})
}
