package routing

import (
	"maps"
	"slices"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// A lead that waits may become somebody's by what happens to another lead of the same
// person: it is offered to them, or theirs, or two persons turn out to be one. Nobody's
// place or hours change by it, so the line itself does not show it.

// kin are leads to which that happened, and persons, since somebody last looked.
type kin struct {
	leads, persons []string
	// many says that there were too many to remember, as in a process that stands by.
	many bool
}

// mostKin bounds what is remembered.
const mostKin = 4096

// apply notes what an event does to whose other leads are.
func (k *kin) apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *routingv1.PoolAdvanced:
		for _, step := range body.GetSteps() {
			if step.GetKind() == routingv1.StepKind_STEP_KIND_OFFERED {
				k.leads = append(k.leads, step.GetLeadId())
			}
		}
	case *leadv1.OfferAccepted:
		if id, ok := lead.FromSubject(e.Subject); ok {
			k.leads = append(k.leads, id)
		}
	case *personv1.PersonMerged:
		k.persons = append(k.persons, body.GetIntoId())
	case *personv1.LeadAttached:
		// Who it is may become known after somebody has the lead.
		k.leads = append(k.leads, body.GetLeadId())
	}
	if len(k.leads)+len(k.persons) > mostKin {
		*k = kin{many: true}
	}
}

// kindred are the waiting leads, by group, that may have become somebody's by what
// happened to others. Each stays among them until it was looked at and could not go, or
// has gone.
func (r *Routing) kindred(leads folds) map[string][]string {
	since := r.groups.kin
	r.groups.kin = kin{}
	if since.many {
		clear(r.dry)
	}
	if r.people == nil || !r.groups.Waiting() {
		clear(r.stirred)
		return nil
	}
	persons := since.persons
	for _, id := range since.leads {
		if s, err := leads(id); err == nil && s.PersonID != "" {
			persons = append(persons, s.PersonID)
		}
	}
	slices.Sort(persons)
	for _, person := range slices.Compact(persons) {
		found, _ := r.people.Person(person)
		for _, id := range found.Leads {
			r.stirred[id] = true
		}
	}
	var out map[string][]string
	for _, id := range slices.Sorted(maps.Keys(r.stirred)) {
		waits := false
		for _, name := range r.groups.Names() {
			if _, here := r.groups.Group(name).Line[id]; here {
				if out == nil {
					out = map[string][]string{}
				}
				out[name], waits = append(out[name], id), true
			}
		}
		if !waits {
			delete(r.stirred, id)
		}
	}
	return out
}
