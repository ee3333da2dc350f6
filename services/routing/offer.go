package routing

import (
	"fmt"
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

func offer(in Input, pool agreement.Pool, rule agreement.Handoff, considered []*leadv1.Candidate, eligible []Seat, member string, turn int64, window Window, takeBy time.Time) *Said {
	s := in.Lead
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: s.ID, Pool: pool.ID, Member: member,
		Turn: leadv1.TurnKind_TURN_KIND_ROTATION, TakeBy: timestamppb.New(takeBy), Offer: s.Offers + 1,
	}
	for _, seat := range eligible {
		step.Eligible, step.Weights = append(step.Eligible, seat.Member), append(step.Weights, seat.Weight)
	}
	summary := fmt.Sprintf("Offered to %s by rule %q of the agreement (version %d): the only one of %d in pool %s who can take it now.", member, rule.ID, in.Version, len(considered), pool.Title)
	if len(eligible) > 1 {
		summary = fmt.Sprintf("Offered to %s by rule %q of the agreement (version %d): of %d who can take it in pool %s, %s must be served soonest (turn %d; due by turn %d).", member, rule.ID, in.Version, len(eligible), pool.Title, member, turn, window.To)
	}
	return &Said{
		Body: &leadv1.LeadOffered{
			AgreementVersion: in.Version, Pool: pool.ID, Group: pool.Group, Member: member, Offer: s.Offers + 1,
			TakeBy: timestamppb.New(takeBy), Rule: rule.ID, Turn: leadv1.TurnKind_TURN_KIND_ROTATION, TurnNumber: turn,
			Considered: considered, Summary: summary, Overlay: rule.Overlay,
		},
		Group: pool.Group, Step: step,
	}
}
