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

// Who stands in for a pool of which nobody could take a lead for the agreed time.

// fallback is how the agreed stand-in of a pool stands towards a lead.
type fallback struct {
	// at is when the stand-in gets the lead; zero = none is agreed, or the time has
	// passed.
	at time.Time
	// now says that the time has passed.
	now bool
	// pool or member is who stands in.
	pool   agreement.Pool
	member string
	// why the member cannot take it now, and when they are back; empty = they can.
	why  string
	back time.Time
}

// standsIn answers the pool whose turn it is with a lead: its own, or the one that
// stands in for it because the lead was given to that one before. from is the pool
// whose stand-in it is.
func standsIn(in Input, pool agreement.Pool) (next agreement.Pool, from string) {
	if in.Lead.FallbackFrom != pool.ID || pool.Fallback.Pool == "" {
		return pool, ""
	}
	if next, ok := in.Agreement.Pool(pool.Fallback.Pool); ok {
		return next, pool.ID
	}
	return pool, ""
}

// standIn answers who stands in for a pool, and from when on. Nobody stands in for a
// stand-in.
func standIn(in Input, pool agreement.Pool, from string, calendar *agreement.Calendar) (f fallback) {
	if from != "" || pool.Fallback == (agreement.Fallback{}) {
		return f
	}
	at, ok := calendar.Add(since(in), pool.Fallback.After)
	if !ok {
		return f
	}
	if f.member = pool.Fallback.Member; f.member == "" {
		if f.pool, ok = in.Agreement.Pool(pool.Fallback.Pool); !ok {
			return fallback{}
		}
	}
	if in.Now.Before(at) {
		f.at = at
		return f
	}
	if f.now = true; f.member != "" {
		f.why, f.back = cannot(in, pool, f.member)
	}
	return f
}

// cannot says why a stand-in cannot take a lead now, and when they are back. How many
// leads they hold and whether they are on duty plays no part.
func cannot(in Input, pool agreement.Pool, member string) (why string, back time.Time) {
	m := in.Roster.Member(member)
	switch {
	case m == nil:
		return "was never added", back
	case m.Deactivated:
		return "was taken out of every pool", back
	}
	if back, away := m.BackAt(in.Now); away {
		if back.IsZero() {
			return "is away", back
		}
		return "is away until " + stamp(back), back
	}
	// Whoever stands in has a turn like everybody of the pool.
	if !slices.ContainsFunc(pool.Members, func(seat agreement.PoolMember) bool { return seat.Member == member }) {
		pool.Members = append(slices.Clip(pool.Members), agreement.PoolMember{Member: member})
	}
	refused := newRefusals(in, pool)
	_, why = refused.of(member)
	return why, refused.until(member)
}

// words says in a sentence who stands in and when; empty = nobody does.
func (f fallback) words() string {
	switch {
	case !f.at.IsZero() && f.member == "":
		return " If nobody can by " + stamp(f.at) + ", it goes to pool " + f.pool.Title + ", which stands in."
	case !f.at.IsZero():
		return " If nobody can by " + stamp(f.at) + ", it goes to " + f.member + ", who stands in."
	case f.now:
		return " It would go to " + f.member + ", who stands in, but " + f.member + " " + f.why + "."
	}
	return ""
}

// standInOffer offers a lead to the person who stands in for a pool. It is no turn of
// the pool's rotation by itself.
func standInOffer(in Input, pool agreement.Pool, rule agreement.Handoff, calendar *agreement.Calendar, considered []*leadv1.Candidate, member string) *Said {
	s := in.Lead
	load := in.Counts(pool.Group).load(member)
	considered = append(considered, &leadv1.Candidate{Member: member, Eligible: true, Load: load})
	if i := slices.IndexFunc(considered, func(c *leadv1.Candidate) bool { return c.GetMember() == member }); i < len(considered)-1 {
		// They are of the pool as well: said once.
		considered = slices.Delete(considered, i, i+1)
	}
	const turn = leadv1.TurnKind_TURN_KIND_OVERRIDE
	by := deadline(in, pool, rule, calendar, member)
	considered, number := named(in, considered, nil, member)
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: s.ID, Pool: pool.ID, Member: member, Turn: turn, Counted: pool.Counts(turn),
		TakeBy: timestamppb.New(by.take), Offer: s.Offers + 1,
	}
	said := &Said{
		Body: &leadv1.LeadOffered{
			AgreementVersion: in.Version, Pool: pool.ID, Group: pool.Group, Member: member, Offer: s.Offers + 1,
			TakeBy: timestamppb.New(by.take), Rule: rule.ID, Turn: turn, Considered: considered, Counts: number, Overlay: rule.Overlay, ChosenBy: "fallback",
			Summary: fmt.Sprintf("Offered to %s by rule %q of the agreement (version %d): nobody in pool %s could take it for the agreed time, and %s stands in.", member, rule.ID, in.Version, pool.Title, member),
		},
		Group: pool.Group, Step: step,
	}
	return by.on(said, pool.ID)
}

// deadlines are when an offer must be taken, and when its member is reminded; zero =
// they are not.
type deadlines struct{ take, remind time.Time }

// deadline counts the working time of the member's own hours, or of the pool's.
func deadline(in Input, pool agreement.Pool, rule agreement.Handoff, calendar *agreement.Calendar, member string) (d deadlines) {
	hours := newShifts(in, pool, calendar)
	if i, is := in.crowds.place(pool, member); is {
		calendar = hours.calendar(pool.Members[i])
	}
	within := takeWithin(in, pool, rule)
	var ok bool
	if d.take, ok = calendar.Add(in.Now, within); !ok {
		d.take = in.Now.Add(within)
	}
	if ahead := within - pool.RemindBefore; pool.RemindBefore > 0 && ahead > 0 {
		d.remind, _ = calendar.Add(in.Now, ahead)
	}
	return d
}

// on says on an offer when its member is reminded, and whose stand-in they are.
func (d deadlines) on(said *Said, from string) *Said {
	body := said.Body.(*leadv1.LeadOffered)
	body.FallbackFrom = from
	if !d.remind.IsZero() {
		body.RemindAt, said.Step.RemindAt = timestamppb.New(d.remind), timestamppb.New(d.remind)
	}
	return said
}
