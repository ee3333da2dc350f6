package routing

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// What an offer says: to whom, why, until when.

// takeWithin is the working time that a member has: an exception's, or the
// pool's; a signal can only make it shorter.
func takeWithin(in Input, pool agreement.Pool, rule agreement.Handoff) time.Duration {
	within := pool.TakeWithin
	if rule.TakeWithin > 0 {
		within = rule.TakeWithin
	}
	if in.Lead.TakeWithin > 0 {
		within = min(within, in.Lead.TakeWithin)
	}
	return within
}

// offer says who gets the lead, and what that is for the pool.
func (r *round) offer(c choice) *Said {
	s := r.in.Lead
	ends := deadline(r.in, r.pool, r.rule, r.calendar, c.member)
	by := timestamppb.New(ends.take)
	keep := []string{c.member}
	if r.covers != nil {
		keep = append(keep, r.covers.GetMember())
	}
	considered, number := r.named(keep...)
	body := &leadv1.LeadOffered{
		AgreementVersion: r.in.Version, Pool: r.pool.ID, Group: r.pool.Group, Member: c.member, Offer: s.Offers + 1,
		TakeBy: by, Rule: r.rule.ID, Turn: c.turn, Considered: considered, Counts: number, Overlay: r.rule.Overlay,
		Summary: fmt.Sprintf("Offered to %s by rule %q of the agreement (version %d): %s", c.member, r.rule.ID, r.in.Version, c.why),
	}
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: s.ID, Pool: r.pool.ID, Member: c.member,
		Turn: c.turn, TakeBy: by, Offer: s.Offers + 1,
	}
	sayEligible(step, r.in, r.pool, r.rotation, r.eligible)
	if c.turn == leadv1.TurnKind_TURN_KIND_ROTATION {
		body.TurnNumber = r.rotation.Turns() + 1
	}
	// Earlier logics knew rotation only, and did not say so.
	if !r.in.old() {
		body.ChosenBy, body.Covers = c.by, r.covers.GetMember()
		step.Counted = counts(r.pool, c.turn)
		step.Periods = periods(r.in, r.pool, c.member)
		if step.Counted {
			for _, seat := range r.owed() {
				step.Owed, step.OwedWeights = append(step.Owed, seat.Member), append(step.OwedWeights, seat.Weight)
			}
		}
	}
	return ends.on(&Said{Body: body, Group: r.pool.Group, Step: step}, r.from)
}

// named are the considered as the offer records them.
func (r *round) named(keep ...string) ([]*leadv1.Candidate, *leadv1.CandidateCounts) {
	if r.crowd == nil {
		return named(r.in, r.considered, r.nearest, keep...)
	}
	if len(r.considered) > len(r.crowd.considered) {
		// Whose the lead is otherwise is named beside them.
		considered := slices.Clone(r.considered)
		for k, i := range r.nearest[:min(len(r.nearest), len(r.outlooks))] {
			considered[i] = r.outlooks[k].of(considered[i])
		}
		return named(r.in, considered, r.nearest, keep...)
	}
	var places []int
	for _, member := range keep {
		places = append(places, r.place(member))
	}
	return r.crowd.named(r.nearest, r.outlooks, places...)
}

// counts says whether a kind of turn is of a pool's rotation. What the pool's own way
// gives always is.
func counts(pool agreement.Pool, turn leadv1.TurnKind) bool {
	return turn == leadv1.TurnKind_TURN_KIND_ROTATION || pool.Counts(turn)
}
