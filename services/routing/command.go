package routing

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// accept takes an offered lead.
type accept struct{ member string }

// reject declines a lead.
type reject struct {
	member, reason string
	note           *leadv1.Sealed
}

// command carries out one command on the batch, or refuses it.
func (r *Routing) command(leads folds, b *batch, item *ledger.Item) error {
	if cmd, ok := item.Command.(*member); ok {
		return r.memberCommand(leads, b, item, cmd)
	}
	if cmd, ok := item.Command.(*claim); ok {
		return r.claim(leads, b, item, cmd)
	}
	if cmd, ok := item.Command.(*move); ok {
		r.move(leads, b, item, cmd)
		return nil
	}
	folded, err := leads(item.Lead)
	if err != nil {
		return err
	}
	if folded.ID == "" {
		item.Err = fault.New(fault.NotFound, "there is no lead %s", item.Lead)
		return nil
	}
	if seq, done := folded.Done(item.Cause); done {
		item.Answer(seq)
		return nil
	}
	if first := b.first(item); first != nil {
		item.Reply = first.Reply
		return nil
	}
	s := b.turn.Lead(folded)
	switch cmd := item.Command.(type) {
	case *accept:
		if why := mayAccept(s, cmd.member, b.now); why != "" {
			item.Err = fault.New(fault.State, "%s", why)
			return nil
		}
		body := &leadv1.OfferAccepted{Member: cmd.member, Offer: s.Offers}
		b.fact(s, item, body)
		b.turn.accept(s, body)
		b.owner(s, item, cmd.member)
	case *reject:
		r.reject(b, s, item, cmd)
	default:
		item.Err = fault.New(fault.Invalid, "routing does not know this command")
	}
	return nil
}

// first answers the command of the batch that an item repeats, which is answered
// by what that one says; nil = it repeats none.
func (b *batch) first(item *ledger.Item) *ledger.Item {
	if first := b.commanded[item.Cause]; first != nil && first.Err == nil {
		return first
	}
	b.commanded[item.Cause] = item
	return nil
}

func (r *Routing) reject(b *batch, s *lead.State, item *ledger.Item, cmd *reject) {
	if why := mayReject(s, cmd.member); why != "" {
		item.Err = fault.New(fault.State, "%s", why)
		return
	}
	if b.turn.agreement == nil {
		item.Err = fault.New(fault.State, "no agreement is in force, so no reason is agreed")
		return
	}
	reason, ok := b.turn.agreement.Reason(cmd.reason)
	if !ok {
		var known []string
		for _, agreed := range b.turn.agreement.Reasons() {
			known = append(known, agreed.ID)
		}
		item.Err = fault.New(fault.Invalid, "%q is not an agreed reason; use one of %v", cmd.reason, known)
		return
	}
	if why := b.turn.mayGiveBack(s, reason); why != "" {
		item.Err = fault.New(fault.State, "%s", why)
		return
	}
	body := &leadv1.OfferRejected{
		Member: cmd.member, Offer: s.Offers, Reason: reason.ID, Consequence: reason.Consequence, AgreementVersion: b.turn.version, Note: cmd.note,
	}
	item.Reply = reason.Consequence
	owned := s.Owner != ""
	b.fact(s, item, body)
	b.turn.reject(s, body)
	if owned {
		b.owner(s, item, "")
	}
	b.look(s, &ledger.Item{Lead: s.ID, Cause: item.Cause + ":next", Trace: item.Trace})
}

// fact appends what somebody did.
func (b *batch) fact(s *lead.State, item *ledger.Item, body proto.Message) {
	b.drafts = append(b.drafts, ledger.Draft{
		Subject: lead.SubjectOf(s.ID), Body: body, Cause: item.Cause, Correlation: s.ID, Actor: item.Actor, TraceParent: item.Trace,
		Agreement: b.turn.version, Logic: Logic,
	})
}

func (t *Turn) accept(s *lead.State, body *leadv1.OfferAccepted) {
	step := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_ACCEPTED, LeadId: s.ID, Pool: s.Pool, Member: body.GetMember(), Offer: body.GetOffer()}
	s.Evolve(body, t.now, t.now)
	t.step(s.Group, step)
}

func (t *Turn) reject(s *lead.State, body *leadv1.OfferRejected) {
	step := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_RELEASED, LeadId: s.ID, Pool: s.Pool, Member: body.GetMember(), Offer: body.GetOffer()}
	credit := t.credit(s, body)
	s.Evolve(body, t.now, t.now)
	t.step(s.Group, step)
	t.step(s.Group, credit)
}

// mayAccept says why a member may not take a lead; empty = they may.
func mayAccept(s *lead.State, member string, now time.Time) string {
	switch {
	case s.State != leadv1.State_STATE_OFFERED:
		return fmt.Sprintf("the lead is %s, not offered to anybody", lead.StateWord(s.State))
	case s.OfferedTo != member:
		return fmt.Sprintf("the lead is offered to %s; only they can accept it", s.OfferedTo)
	case !now.Before(s.TakeBy):
		return "the offer ran out at " + stamp(s.TakeBy)
	}
	return ""
}

// mayReject says why a member may not decline a lead; empty = they may.
func mayReject(s *lead.State, member string) string {
	holder, held := s.Held()
	switch {
	case !held:
		return fmt.Sprintf("the lead is %s; there is nothing to reject", lead.StateWord(s.State))
	case holder != member:
		return fmt.Sprintf("the lead is with %s; only they can reject it", holder)
	}
	return ""
}
