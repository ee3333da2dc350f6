package routing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// Pools whose leads are taken by whoever wants them: the lead waits, and one command
// offers and accepts it.

// claimPrefix begins the cause of a claim.
const claimPrefix = lead.CommandPrefix + "claim:"

// claim takes a waiting lead; the item's lead, or the oldest that the member may have.
type claim struct{ member string }

// forClaim lets a lead wait for somebody to take it.
func (r *round) forClaim() *Said {
	return queue(r.in, r.pool, r.rule, r.considered, agreement.ByClaim,
		fmt.Sprintf("It waits in pool %s for somebody to claim it; %d of %d can now.", r.pool.Title, len(r.eligible), len(r.pool.Members)), time.Time{})
}

// Claim answers the offer by which a member takes a waiting lead, or why they may not:
// a reason as a decision says it, or "" where it is not about them.
func (t *Turn) Claim(s *lead.State, member string) (said *Said, reason, why string) {
	in := t.input(s)
	switch {
	case in.Agreement == nil:
		return nil, "", "no agreement is in force"
	case s.State != leadv1.State_STATE_WAITING || s.Historical:
		return nil, "", fmt.Sprintf("the lead is %s and waits for nobody", lead.StateWord(s.State))
	}
	r, said := begin(in)
	if said != nil || r.pool.GivesBy != agreement.ByClaim {
		return nil, "", "the lead is not in a pool whose leads are claimed"
	}
	if r.belongs() != nil {
		return nil, "", "the lead goes to whose it is"
	}
	at := slices.IndexFunc(r.pool.Members, func(m agreement.PoolMember) bool { return m.Member == member })
	if at < 0 {
		return nil, "not-known", fmt.Sprintf("%s is not of pool %s", member, r.pool.Title)
	}
	if c := r.considered[at]; !c.GetEligible() {
		return nil, c.GetReason(), fmt.Sprintf("%s %s", member, c.GetText())
	}
	why = fmt.Sprintf("claimed from pool %s, where %d of %d could take it.", r.pool.Title, len(r.eligible), len(r.pool.Members)) + r.inPlace()
	return r.offer(choice{member: member, by: agreement.ByClaim, turn: leadv1.TurnKind_TURN_KIND_ROTATION, why: why}), "", ""
}

// claim carries a claim out, or refuses it.
func (r *Routing) claim(leads folds, b *batch, item *ledger.Item, cmd *claim) error {
	if done, ok := r.roster.Member(cmd.member).Done(item.Cause); ok {
		item.Reply = done.Lead
		item.Answer(done.Seq)
		return nil
	}
	if first := b.first(item); first != nil {
		item.Reply = first.Reply
		return nil
	}
	if item.Lead != "" {
		folded, err := commanded(leads, item)
		if folded == nil {
			return err
		}
		s := b.turn.Lead(folded)
		said, _, why := b.turn.Claim(s, cmd.member)
		if said == nil {
			item.Err = fault.New(fault.State, "%s", why)
			return nil
		}
		b.claimed(s, item, said, cmd.member)
		return nil
	}
	why := "nothing waits that can be claimed"
	closed := map[string]bool{}
	for _, w := range r.claimable() {
		if closed[w.pool] {
			continue
		}
		folded, err := leads(w.id)
		if err != nil {
			return err
		}
		s := b.turn.Lead(folded)
		said, reason, text := b.turn.Claim(s, cmd.member)
		if said != nil {
			b.claimed(s, item, said, cmd.member)
			return nil
		}
		if reason != "" {
			why = text
			// What is about the member and not about this lead is so for the next as well.
			closed[w.pool] = !slices.Contains([]string{"lacks", "declined", "timed-out", "returned"}, reason)
		}
	}
	item.Err = fault.New(fault.State, "%s", why)
	return nil
}

// waits is a waiting lead of a pool.
type waits struct {
	id, pool string
	since    time.Time
}

// claimable are the leads that wait to be claimed, oldest first.
func (r *Routing) claimable() (out []waits) {
	for _, name := range r.groups.Names() {
		group := r.groups.Group(name)
		for _, id := range group.Ordered() {
			if w := group.Line[id]; w.BlockedBy == agreement.ByClaim {
				out = append(out, waits{id, w.Pool, w.Since})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b waits) int { return cmp.Or(a.since.Compare(b.since), strings.Compare(a.id, b.id)) })
	return out
}

// claimed says the offer and its acceptance, which are one.
func (b *batch) claimed(s *lead.State, item *ledger.Item, said *Said, member string) {
	b.fact(s, item, said.Body)
	b.turn.Take(s, said)
	accepted := &leadv1.OfferAccepted{Member: member, Offer: s.Offers}
	b.fact(s, item, accepted)
	b.drafts[len(b.drafts)-1].Position = 1
	b.turn.accept(s, accepted)
	b.owner(s, item, member)
	item.Reply = s.ID
}

// Claim takes a waiting lead for whoever calls.
func (s *Server) Claim(ctx context.Context, req *routingv1.ClaimRequest) (*routingv1.ClaimResponse, error) {
	actor, _ := access.From(ctx)
	key := ownKey(req.GetIdempotencyKey())
	item := &ledger.Item{
		Lead: req.GetLeadId(), Actor: actor.Handle, Command: &claim{actor.Handle}, Trace: telemetry.Inject(ctx),
		Cause: s.cause("claim", req.GetLeadId(), actor.Handle, key, ""),
	}
	seq, err := s.Desk.Do(ctx, item)
	if err != nil {
		return nil, err
	}
	id, _ := item.Reply.(string)
	return &routingv1.ClaimResponse{LeadId: id, Sequence: seq}, nil
}
