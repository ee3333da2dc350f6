package routing

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// Logic names this version of the deciding code. A change of behaviour is a
// new name; the old one stays runnable.
const Logic = "routing/4"

// third is the logic under which the equals of a rotation were drawn anew for each lead.
const third = "routing/3"

// second is the logic under which whoever had declined a lead never got it again, and
// each member kept the hours of the pool.
const second = "routing/2"

// first is the logic under which whoever had sent a lead back could be offered it
// again at once. Whatever else is new since rests on parts of the agreement that
// its documents do not have.
const first = "routing/1"

// Unrouted is the group of leads for which no handoff rule chooses a pool.
const Unrouted = "unrouted"

// Input is everything that a decision may read.
type Input struct {
	Lead *lead.State
	// Logic that decides; empty = this one.
	Logic string
	// Agreement in force at Now, and its number.
	Agreement *agreement.Agreement
	Version   int64
	// Roster says who is here.
	Roster *Roster
	// Counts answers a group's rotations and loads at this point of the batch.
	Counts func(group string) *Counts
	// People says whose leads are one person's, and who had them; nil = nobody knows.
	People *lead.People
	// Holder answers who holds a lead at this point of the batch; empty = nobody.
	Holder func(id string) string
	// Now is the recorded time of the decision.
	Now time.Time

	// crowds are the large pools that the batch has looked at; nil = everybody is looked
	// at for each lead.
	crowds *crowds
	// needs is what whoever gets the lead must know.
	needs []string
}

// old says whether a logic decides that knew one way of finding somebody.
func (in Input) old() bool { return in.Logic == first || in.Logic == second }

// drawn says whether a logic decides that drew anew among equals for each lead.
func (in Input) drawn() bool { return in.old() || in.Logic == third }

// Said is one event on the lead and the step that it means for the pool.
type Said struct {
	Body  proto.Message
	Group string
	Step  *routingv1.PoolStep
}

// Decide answers what is due next on a lead: LeadOffered, LeadQueued, OfferReminded,
// OfferTimedOut or LeadReassigned, or nothing. It depends on its input alone.
func Decide(in Input) *Said {
	s := in.Lead
	if in.Agreement == nil || s.Historical {
		return nil
	}
	if said := takenFrom(in); said != nil {
		return said
	}
	switch s.State {
	case leadv1.State_STATE_OFFERED:
		if in.Now.Before(s.TakeBy) {
			return remind(in)
		}
		return timeOut(in)
	case leadv1.State_STATE_QUALIFIED:
		if s.Stage < leadv1.Stage_STAGE_MQL || s.Consequence == leadv1.Consequence_CONSEQUENCE_NURTURE {
			return nil
		}
		return give(in)
	case leadv1.State_STATE_WAITING:
		said := give(in)
		if q, queued := said.Body.(*leadv1.LeadQueued); queued && q.GetBlockedBy() == s.BlockedBy && q.GetPool() == s.Pool && look(q).Equal(s.LookAgainAt) && fallbackAt(q).Equal(s.FallbackAt) {
			return nil
		}
		return said
	}
	return nil
}

// look is when a queued lead is looked at again; zero = no moment is known. A
// new moment is said, because nobody would look at it otherwise.
func look(q *leadv1.LeadQueued) time.Time {
	if q.GetLookAgainAt() == nil {
		return time.Time{}
	}
	return q.GetLookAgainAt().AsTime()
}

// fallbackAt is when the stand-in gets a queued lead; zero = none does.
func fallbackAt(q *leadv1.LeadQueued) time.Time {
	if q.GetFallbackAt() == nil {
		return time.Time{}
	}
	return q.GetFallbackAt().AsTime()
}

// timeOut ends an offer whose clock ran out, dated at the due instant.
func timeOut(in Input) *Said {
	s := in.Lead
	return &Said{
		Body: &leadv1.OfferTimedOut{
			Member: s.OfferedTo, Offer: s.Offers,
			DueAt: timestamppb.New(s.TakeBy), FiredAt: timestamppb.New(in.Now),
		},
		Group: s.Group,
		Step:  &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_RELEASED, LeadId: s.ID, Pool: s.Pool, Member: s.OfferedTo, Offer: s.Offers},
	}
}

// handoff finds the rule of the lead's stage, or of the nearest stage below.
func handoff(in Input) (rule agreement.Handoff, facts agreement.Facts, ok bool) {
	facts = agreement.FactsOf(in.Lead, in.Now)
	if n := len(in.Lead.Calls); n > 0 {
		facts.Call = in.Lead.Calls[n-1]
	}
	for stage := in.Lead.Stage; stage >= leadv1.Stage_STAGE_MQL; stage-- {
		if rule, _, ok := in.Agreement.Handoff(stage, facts); ok {
			return rule, facts, true
		}
	}
	return agreement.Handoff{}, facts, false
}

// assign offers the lead to one member of its pool, or says what blocks it.
func assign(in Input) *Said {
	r, said := begin(in)
	if said != nil {
		return said
	}
	if said := r.belongs(); said != nil {
		return said
	}
	if r.pool.GivesBy == agreement.ByClaim {
		return r.forClaim()
	}
	if len(r.eligible) == 0 {
		return nobody(r.in, r.pool, r.from, r.rule, r.calendar, r.considered)
	}
	return r.offer(r.choose())
}

// begin finds the rule and the pool of a lead, and looks at everybody in it; where
// there is none, it says so.
func begin(in Input) (*round, *Said) {
	rule, facts, ok := handoff(in)
	if !ok {
		return nil, queue(in, agreement.Pool{Group: Unrouted}, rule, nil, "no-handoff",
			fmt.Sprintf("No handoff rule of the agreement (version %d) fits a lead of stage %s; add one, or widen a condition.", in.Version, in.Agreement.StageTitle(in.Lead.Stage)), time.Time{})
	}
	pool, ok := in.poolOf(rule.Pool)
	pool, from := standsIn(in, pool)
	calendar, known := in.Agreement.Calendar(pool.Calendar)
	if !ok || !known {
		return nil, queue(in, agreement.Pool{ID: rule.Pool, Group: Unrouted}, rule, nil, "empty-pool", "The handoff rule names a pool that the agreement does not hold.", time.Time{})
	}
	in.needs = in.Agreement.Needs(rule.ID, facts)
	r := &round{in: in, rule: rule, pool: pool, from: from, calendar: calendar, counts: in.Counts(pool.Group)}
	r.rotation = r.counts.rotationOf(pool.ID)
	if r.crowd = in.crowds.of(in, pool, calendar, r.counts); r.crowd != nil {
		r.considered, r.eligible, r.at = r.crowd.considered, r.crowd.eligible, r.crowd.at
		return r, nil
	}
	r.considered, r.eligible, r.at = consider(in, pool, calendar, r.counts, r.rotation)
	return r, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
