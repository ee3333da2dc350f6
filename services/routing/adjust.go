package routing

import (
	"context"
	"slices"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// Changes of a rotation's books: a credit for a bad lead, a calibration by hand. What
// one person is owed more, the others of the pool who are not on leave are owed less,
// by weight.

// others are those off whose books a change for a member is taken.
func (t *Turn) others(pool agreement.Pool, member string) (out []Seat) {
	for _, seat := range pool.Members {
		m := t.roster.Member(seat.Member)
		if seat.Member != member && m != nil && !m.Deactivated && !m.AwayAt(t.now) {
			out = append(out, Seat{Member: seat.Member, Weight: seat.Weight})
		}
	}
	return out
}

// adjusted is the step that changes a member's books; nil = nobody is there off whose
// books it could be taken.
func (t *Turn) adjusted(pool agreement.Pool, member string, leads int64) *routingv1.PoolStep {
	others := t.others(pool, member)
	if len(others) == 0 {
		return nil
	}
	step := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_ADJUSTED, Pool: pool.ID, Member: member, Leads: leads}
	for _, seat := range others {
		step.Eligible, step.Weights = append(step.Eligible, seat.Member), append(step.Weights, seat.Weight)
	}
	return step
}

// credit is the step that gives whoever rejects a lead the turn back; nil = it is not
// agreed for this reason or pool, the turn did not count, or they have rejected the
// lead before: nobody gets two for one.
func (t *Turn) credit(s *lead.State, body *leadv1.OfferRejected) *routingv1.PoolStep {
	reason, _ := t.agreement.Reason(body.GetReason())
	pool, ok := t.agreement.Pool(s.Pool)
	if !reason.Credit || !ok || !pool.Counts(leadv1.TurnKind_TURN_KIND_CREDIT) || !counts(pool, s.Turn) || slices.Contains(s.Rejecters, body.GetMember()) {
		return nil
	}
	step := t.adjusted(pool, body.GetMember(), 1)
	if step != nil {
		step.LeadId, step.Turn, step.Offer = s.ID, leadv1.TurnKind_TURN_KIND_CREDIT, body.GetOffer()
	}
	return step
}

// calibration is the step of books changed by hand, and its group; or why they cannot
// be.
func (t *Turn) calibration(body *routingv1.TurnsAdjusted) (group string, step *routingv1.PoolStep, why string) {
	if t.agreement == nil {
		return "", nil, "no agreement is in force, so there is no pool"
	}
	pool, ok := t.agreement.Pool(body.GetPool())
	switch {
	case !ok:
		return "", nil, "the agreement in force has no pool " + body.GetPool()
	case !slices.ContainsFunc(pool.Members, func(m agreement.PoolMember) bool { return m.Member == body.GetMember() }):
		return "", nil, body.GetMember() + " is not of pool " + pool.ID
	case body.GetLeads() == 0:
		return "", nil, "nothing changes by 0 leads"
	}
	if step = t.adjusted(pool, body.GetMember(), body.GetLeads()); step == nil {
		return "", nil, "nobody else of pool " + pool.ID + " is there, off whose books it could be taken"
	}
	return pool.Group, step, ""
}

// AdjustTurns changes a person's books in one pool's rotation.
func (s *Server) AdjustTurns(ctx context.Context, req *routingv1.AdjustTurnsRequest) (*routingv1.Member, error) {
	actor, _ := access.From(ctx)
	return s.change(ctx, actor, req.GetMember(), req.GetIdempotencyKey(), &routingv1.TurnsAdjusted{
		Member: req.GetMember(), Pool: req.GetPool(), Leads: req.GetLeads(), Reason: req.GetReason(),
	})
}
