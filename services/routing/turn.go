package routing

import (
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// Turn is one batch of decisions on top of one prefix of the log. Each decision
// sees the ones before it. The service makes its batches with it, and an
// auditor makes the same ones again.
type Turn struct {
	groups    *Groups
	roster    *Roster
	people    *lead.People
	agreement *agreement.Agreement
	version   int64
	now       time.Time
	// logic that decides; empty = this one.
	logic string

	leads  map[string]*lead.State
	counts map[string]*Counts
	// crowds are the large pools that were looked at; nil = everybody is looked at for
	// each lead.
	crowds *crowds
	held   map[string]heldNow
	steps  map[string][]*routingv1.PoolStep
	order  []string
}

// heldNow is whether this batch gave a lead to somebody or took it away.
type heldNow struct {
	hold Hold
	is   bool
}

// NewTurn begins a batch at an instant. Without people nobody had anybody before.
func NewTurn(groups *Groups, roster *Roster, register *agreement.Register, people *lead.People, now time.Time) *Turn {
	t := &Turn{groups: groups, roster: roster, people: people, now: now, leads: map[string]*lead.State{}, crowds: newCrowds(), counts: map[string]*Counts{}, held: map[string]heldNow{}, steps: map[string][]*routingv1.PoolStep{}}
	if v := register.InForce(now); v != nil {
		t.agreement, t.version = v.Agreement, v.Number
	}
	return t
}

// Lead answers the batch's own copy of a lead, made of the folded one.
func (t *Turn) Lead(folded *lead.State) *lead.State {
	if s := t.leads[folded.ID]; s != nil {
		return s
	}
	s := folded.Clone()
	t.leads[s.ID] = s
	return s
}

// Counts answers a group's counts as this batch has moved them.
func (t *Turn) Counts(group string) *Counts {
	c := t.counts[group]
	if c == nil {
		c = t.groups.Group(group).draft()
		t.counts[group] = c
	}
	return c
}

// Next answers what is due next on a lead; nil = nothing.
func (t *Turn) Next(s *lead.State) *Said {
	return Decide(t.input(s))
}

// input is everything that a decision on a lead reads at this point of the batch.
func (t *Turn) input(s *lead.State) Input {
	return Input{
		Lead: s, Logic: t.logic, Agreement: t.agreement, Version: t.version, Roster: t.roster, Counts: t.Counts,
		People: t.people, Holder: t.holder, Now: t.now, crowds: t.crowds,
	}
}

// holder is who holds a lead at this point of the batch; empty = nobody.
func (t *Turn) holder(id string) string {
	if h, ok := t.held[id]; ok {
		return h.hold.Member
	}
	for _, name := range t.groups.Names() {
		if h, ok := t.groups.Group(name).Held[id]; ok {
			return h.Member
		}
	}
	return ""
}

// Leave lets the rest of the batch see that a member was taken out by a move.
func (t *Turn) Leave(handle, move string) {
	t.roster = t.roster.without(handle, move)
	if t.crowds != nil {
		t.crowds = newCrowds()
	}
}

// Take moves the batch on by what was said about a lead. One that goes to
// another group leaves the line of the group that it came from.
func (t *Turn) Take(s *lead.State, said *Said) {
	if w, waits := t.moves(s, said.Group); waits {
		t.step(s.Group, &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_LEFT, LeadId: s.ID, Pool: w.Pool})
	}
	s.Evolve(said.Body, t.now, t.now)
	t.step(said.Group, said.Step)
}

// moves answers a lead's place in line if going to that group takes it out of
// another group's.
func (t *Turn) moves(s *lead.State, group string) (w Waiting, waits bool) {
	if s.Group == group {
		return w, false
	}
	w, waits = t.groups.Group(s.Group).Line[s.ID]
	return w, waits
}

func (t *Turn) step(group string, step *routingv1.PoolStep) {
	if step == nil {
		return
	}
	t.Counts(group).apply(step)
	if t.crowds != nil && step.GetMember() != "" {
		t.crowds.moved(groupMember{group, step.GetMember()}, t.Counts(group))
	}
	if t.steps[group] == nil {
		t.order = append(t.order, group)
	}
	t.steps[group] = append(t.steps[group], step)
	switch step.GetKind() {
	case routingv1.StepKind_STEP_KIND_OFFERED, routingv1.StepKind_STEP_KIND_ACCEPTED:
		hold := Hold{Member: step.GetMember(), Pool: step.GetPool(), Offer: step.GetOffer()}
		if step.GetKind() == routingv1.StepKind_STEP_KIND_OFFERED {
			hold = holdOf(step)
		}
		t.held[step.GetLeadId()] = heldNow{hold, true}
	case routingv1.StepKind_STEP_KIND_RELEASED:
		t.held[step.GetLeadId()] = heldNow{}
	}
}

// holds answers who holds a lead at this point of the batch.
func (t *Turn) holds(group, id string) (Hold, bool) {
	if h, ok := t.held[id]; ok {
		return h.hold, h.is
	}
	h, ok := t.groups.Group(group).Held[id]
	return h, ok
}

// Tidy takes the steps that others' decisions call for: a lead that left the
// one who held it frees a place; one that needs no seller leaves the line. It
// says whether somebody lost a lead that was theirs.
func (t *Turn) Tidy(s *lead.State) (freed bool) {
	if s.Group == "" {
		return false
	}
	if hold, ok := t.holds(s.Group, s.ID); ok {
		if member, still := s.Held(); !still || member != hold.Member {
			t.step(s.Group, &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_RELEASED, LeadId: s.ID, Pool: hold.Pool, Member: hold.Member, Offer: hold.Offer})
			freed = hold.TakeBy.IsZero()
		}
	}
	if w, ok := t.groups.Group(s.Group).Line[s.ID]; ok && s.State != leadv1.State_STATE_WAITING && t.offered(s.ID) == nil {
		t.step(s.Group, &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_LEFT, LeadId: s.ID, Pool: w.Pool})
	}
	return freed
}

// offered is this batch's offer of a lead, if it made one.
func (t *Turn) offered(id string) *routingv1.PoolStep {
	for _, group := range t.order {
		for _, step := range t.steps[group] {
			if step.GetLeadId() == id && (step.GetKind() == routingv1.StepKind_STEP_KIND_OFFERED || step.GetKind() == routingv1.StepKind_STEP_KIND_LEFT) {
				return step
			}
		}
	}
	return nil
}

// Advanced answers what the batch did to each group, in the order in which it
// came to them.
func (t *Turn) Advanced() (groups []string, events []proto.Message) {
	for _, group := range t.order {
		groups = append(groups, group)
		events = append(events, &routingv1.PoolAdvanced{Steps: t.steps[group]})
	}
	return groups, events
}
