package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Collided is the fold of the collisions that were raised.
type Collided struct{ people map[string][]collided }

type collided struct {
	pair [2]string
	at   time.Time
}

func newCollided() *Collided { return &Collided{people: map[string][]collided{}} }

func (c *Collided) apply(e *ledger.Event) {
	body, ok := e.Body.(*routingv1.CollisionRaised)
	if !ok {
		return
	}
	person := strings.TrimPrefix(e.Subject, lead.SubjectPerson)
	c.people[person] = append(c.people[person], collided{pairOf(body.GetMember(), body.GetOtherMember()), e.Occurred})
}

func pairOf(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// act is something that a member did with a lead of a person.
type act struct {
	lead, member string
	at           time.Time
	// others says that somebody else had the lead then, own that the member had.
	others, own bool
	// released is when the lead was taken from the member, or given back by them; zero =
	// it was not.
	released time.Time
}

// acts are what members did with a lead, in the order in which it happened.
func acts(id string, c *lead.Course) []act {
	moments := slices.Clone(c.Moments)
	slices.SortStableFunc(moments, func(a, b lead.Moment) int { return a.At.Compare(b.At) })
	var out []act
	holder := ""
	free := func(at time.Time) {
		for i := range out {
			if out[i].member == holder && out[i].own && out[i].released.IsZero() {
				out[i].released = at
			}
		}
		holder = ""
	}
	for _, m := range moments {
		switch m.Kind {
		case lead.MomentOffered:
			free(m.At)
			holder = m.Member
		case lead.MomentGivenBack:
			free(m.At)
			holder = m.Member
		case lead.MomentQueued, lead.MomentRejected, lead.MomentTimedOut, lead.MomentMoved, lead.MomentNurtured:
			free(m.At)
		case lead.MomentAccepted, lead.MomentTouched, lead.MomentCall, lead.MomentWorked:
			if m.Kind == lead.MomentAccepted {
				holder = m.Member
			}
			if m.Member != "" {
				out = append(out, act{lead: id, member: m.Member, at: m.At, own: holder == m.Member, others: holder != "" && holder != m.Member})
			}
		}
	}
	return out
}

// collisions answers what has to be said of a person now: that two members acted on
// them within the agreed time, once for each pair and time. An act ends where its
// lead was given back or taken away; and what somebody did with a lead that nobody
// had yet, such as a first call, hands that lead over.
func (t *Times) collisions(person string, leads folds, now time.Time) ([]Told, error) {
	v := t.Register.InForce(now)
	if v == nil {
		return nil, nil
	}
	window, ok := v.Agreement.OneOwner()
	if !ok || t.People == nil {
		return nil, nil
	}
	found, ok := t.People.Person(person)
	if !ok {
		return nil, nil
	}
	var all []act
	for _, id := range found.Leads {
		s, err := leads(id)
		if err != nil {
			return nil, err
		}
		all = append(all, acts(id, &s.Course)...)
	}
	slices.SortStableFunc(all, func(a, b act) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.member, b.member)) })
	said := t.raised(found)
	var out []Told
	for i, later := range all {
		for j := i - 1; j >= 0 && later.at.Sub(all[j].at) <= window; j-- {
			other := all[j]
			pair := pairOf(later.member, other.member)
			if later.member == other.member || !later.meets(other) || slices.ContainsFunc(said, func(c collided) bool { return c.pair == pair && near(c.at, later.at, window) }) {
				continue
			}
			said = append(said, collided{pair, later.at})
			out = append(out, Told{
				Occurred: later.at, Version: v.Number, Cause: fmt.Sprintf("collision:%s:%s:%s:%d", found.ID, pair[0], pair[1], later.at.UnixNano()),
				Body: &routingv1.CollisionRaised{LeadId: later.lead, Member: later.member, OtherLeadId: other.lead, OtherMember: other.member, OtherAt: timestamppb.New(other.at)},
			})
		}
	}
	return out, nil
}

// raised are the collisions of a person, whoever they were merged with.
func (t *Times) raised(p lead.Person) []collided {
	out := slices.Clone(t.said.people[p.ID])
	for _, id := range p.Merged {
		out = append(out, t.said.people[id]...)
	}
	return out
}

func near(a, b time.Time, window time.Duration) bool {
	return a.Sub(b) <= window && b.Sub(a) <= window
}

// meets says whether an act collides with an earlier one.
func (a *act) meets(earlier act) bool {
	if a.lead == earlier.lead && (!earlier.own && !earlier.others || !a.own && !a.others) {
		return false
	}
	return earlier.released.IsZero() || earlier.released.After(a.at)
}
