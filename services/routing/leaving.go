package routing

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// What time and the company's comings and goings do to a lead that somebody holds.

// reasonLeft is the reason of the move that takes a deactivated member's leads.
const reasonLeft = "left"

// takenFrom takes a lead from who was deactivated, so that it is routed again; nil =
// whoever holds it is here.
func takenFrom(in Input) *Said {
	s := in.Lead
	if in.Logic == first || in.Logic == second {
		return nil
	}
	holder, held := s.Held()
	m := in.Roster.Member(holder)
	if !held || m == nil || !m.Deactivated {
		return nil
	}
	body := &leadv1.LeadReassigned{From: holder, Reason: reasonLeft, BatchId: m.Left, Accepted: s.Owner != ""}
	if reasons, agreed := in.Agreement.Moves(); agreed && slices.ContainsFunc(reasons, func(t agreement.Term) bool { return t.Name == reasonLeft }) {
		body.AgreementVersion = in.Version
	}
	said := &Said{Body: body, Group: s.Group}
	if s.Group != "" {
		said.Step = &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_RELEASED, LeadId: s.ID, Pool: s.Pool, Member: holder, Offer: s.Offers}
	}
	return said
}

// remind reminds whoever has an offer, dated at the due instant; nil = it is not due.
func remind(in Input) *Said {
	s := in.Lead
	if s.RemindAt.IsZero() || in.Now.Before(s.RemindAt) {
		return nil
	}
	return &Said{
		Body: &leadv1.OfferReminded{
			Member: s.OfferedTo, Offer: s.Offers, DueAt: timestamppb.New(s.RemindAt), FiredAt: timestamppb.New(in.Now), TakeBy: timestamppb.New(s.TakeBy),
		},
		Group: s.Group,
		Step:  &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_REMINDED, LeadId: s.ID, Pool: s.Pool, Member: s.OfferedTo, Offer: s.Offers},
	}
}
