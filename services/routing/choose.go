package routing

import (
	"fmt"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// How the next person is found among those who can take a lead.

// How an offer was found, as LeadOffered.chosen_by says it, beside the ways of a pool.
const (
	byActiveOwner   = "active-owner"
	byAccountOwner  = "account-owner"
	byPreviousOwner = "previous-owner"
	// byCover is by the pool's own way, in place of the previous owner.
	byCover = "cover"
)

// round is one lead before one pool, and everybody as they stand to it.
type round struct {
	in   Input
	rule agreement.Handoff
	pool agreement.Pool
	// from is the pool whose stand-in the pool is; empty = it is the rule's own.
	from     string
	calendar *agreement.Calendar
	counts   *Counts
	rotation *Rotation
	// crowd is whom the batch has looked at; then what is considered is shared, and
	// copied before it is changed. nil = everybody was looked at for this lead.
	crowd *crowd
	// considered are all members of the pool in its order, and after them whose the lead
	// is otherwise. eligible are those who can take it, at their places among them.
	considered []*leadv1.Candidate
	eligible   []Seat
	at         []int
	// nearest are places among the considered: of who gets the lead by the pool's own
	// way, and of who would have come next.
	nearest []int
	// outlooks are those of the nearest, where what is considered is shared.
	outlooks []outlook
	// covers is the previous owner in whose place somebody gets the lead; nil = nobody.
	covers *leadv1.Candidate
}

// choice is who gets a lead.
type choice struct {
	member string
	// by is how they were found, turn of what kind that makes it.
	by   string
	turn leadv1.TurnKind
	// why is the reason of the sentence.
	why string
}

// choose finds the next person by the pool's own way. Somebody can take the lead.
func (r *round) choose() choice {
	c := choice{by: r.pool.GivesBy, turn: leadv1.TurnKind_TURN_KIND_ROTATION}
	able := len(r.eligible)
	switch r.pool.GivesBy {
	case agreement.ByLoad:
		c.member = r.leastLoaded()
		seat := r.considered[r.place(c.member)]
		c.why = fmt.Sprintf("of %d who can take it in pool %s, %s holds the fewest open leads for their share (%d, weight %d).", able, r.pool.Title, c.member, seat.GetLoad(), seat.GetWeight())
	case agreement.ByOrder:
		c.member = r.first()
		c.why = fmt.Sprintf("of %d who can take it in pool %s, %s comes first in the agreed order.", able, r.pool.Title, c.member)
	default:
		c.member, c.why = r.served()
		c.by = agreement.ByRotation
	}
	if able == 1 {
		c.why = fmt.Sprintf("the only one of %d in pool %s who can take it now.", len(r.pool.Members), r.pool.Title)
	}
	if r.covers != nil {
		c.by = byCover
	}
	c.why += r.inPlace()
	return c
}

// served is whose turn it is by the rotation, and why.
func (r *round) served() (member, why string) {
	rotation := r.rotation.facing(r.eligible)
	tie := rotation.lots()
	if r.in.drawn() {
		tie = byLead(r.in.Lead.ID)
	}
	nearest := rotation.order(r.eligible, tie, namedEligible)
	chosen := r.next(nearest)
	some := nearest
	if r.crowd == nil {
		some = all(r.eligible)
	}
	head := rotation.standings(r.eligible, []int{chosen})[0]
	outlooks := make([]outlook, len(some))
	tied := false
	for i, s := range rotation.standings(r.eligible, some) {
		level := !r.in.drawn() && some[i] != chosen && s.by > 0 && tie.level(s, head)
		outlooks[i] = outlook{rotation.window(s), level}
		tied = tied || level
	}
	if r.crowd != nil {
		r.outlooks = outlooks
	} else {
		for i, o := range outlooks {
			o.on(r.considered[r.at[i]])
		}
	}
	member = r.eligible[chosen].Member
	why = fmt.Sprintf("of %d who can take it in pool %s, %s must be served soonest (turn %d; due by turn %d)", len(r.eligible), r.pool.Title, member, r.rotation.Turns()+1, rotation.window(head).To)
	if tied {
		return member, why + fmt.Sprintf("; others are owed exactly as much, and the lot of %s comes first.", member)
	}
	return member, why + "."
}

// outlook is how somebody stands whose turn it could be.
type outlook struct {
	Window
	// level says that the draw alone tells them from whoever gets the turn.
	level bool
}

// on notes it of a candidate.
func (o outlook) on(c *leadv1.Candidate) {
	c.WindowFrom, c.WindowTo, c.Level = o.From, o.To, o.level
}

// of is somebody who stands so.
func (o outlook) of(c *leadv1.Candidate) *leadv1.Candidate {
	c = proto.Clone(c).(*leadv1.Candidate)
	o.on(c)
	return c
}

// inPlace says in whose place somebody gets the lead; empty = in nobody's.
func (r *round) inPlace() string {
	if r.covers == nil {
		return ""
	}
	return fmt.Sprintf(" In place of %s, who had this person before and %s; the person stays theirs.", r.covers.GetMember(), r.covers.GetText())
}

// next notes who comes first and next to it, as places among the eligible, and answers
// who comes first.
func (r *round) next(nearest []int) int {
	if len(nearest) == 0 {
		return slices.Index(r.at, slices.Min(r.at))
	}
	for _, i := range nearest {
		r.nearest = append(r.nearest, r.at[i])
	}
	return nearest[0]
}

// leastLoaded is who holds the fewest open leads for their weight; among equals the
// lead draws: nothing that is looked at here would move on a lot.
func (r *round) leastLoaded() string {
	tie := byLead(r.in.Lead.ID)
	var nearest []int
	for i := range r.eligible {
		nearest = among(nearest, i, namedEligible, func(a, b int) bool {
			one, other := r.eligible[a], r.eligible[b]
			order := lighter(r.counts.load(one.Member), share(one), r.counts.load(other.Member), share(other))
			return order < 0 || order == 0 && tie.draws(standing{member: one.Member}, standing{member: other.Member})
		})
	}
	return r.eligible[r.next(nearest)].Member
}

// lighter compares load a for weight v with load b for weight w.
func lighter(a, v, b, w int64) int {
	ahi, alo := bits.Mul64(uint64(max(a, 0)), uint64(max(w, 1)))
	bhi, blo := bits.Mul64(uint64(max(b, 0)), uint64(max(v, 1)))
	switch {
	case ahi == bhi && alo == blo:
		return 0
	case ahi < bhi || ahi == bhi && alo < blo:
		return -1
	}
	return 1
}

// first is the first in the agreed order who can take the lead. The others come
// later: this turn is not theirs, and they earn no share of it.
func (r *round) first() string {
	chosen := r.eligible[0]
	for _, at := range r.at[1:] {
		c := r.considered[at]
		c.Eligible, c.Reason, c.Text = false, "later", "could take it, but "+chosen.Member+" comes first"
	}
	r.eligible, r.at = r.eligible[:1], r.at[:1]
	return chosen.Member
}

// place is where somebody stands among the considered; -1 = nowhere.
func (r *round) place(member string) int {
	pool := 0
	if r.crowd != nil {
		i, is := r.in.crowds.place(r.pool, member)
		if is {
			return i
		}
		pool = len(r.pool.Members)
	}
	i := slices.IndexFunc(r.considered[pool:], func(c *leadv1.Candidate) bool { return c.GetMember() == member })
	if i < 0 {
		return i
	}
	return pool + i
}

// can says whether somebody can take the lead.
func (r *round) can(member string) bool {
	at := r.place(member)
	return at >= 0 && r.considered[at].GetEligible()
}

// owed are the members on leave for whom the pool keeps a share of this turn: those
// who would be at work and are let down by nothing else.
func (r *round) owed() []Seat {
	if r.in.old() || r.pool.AfterLeave == agreement.NoCatchUp || r.pool.GivesBy != agreement.ByRotation {
		return nil
	}
	var out []Seat
	present := sumOf(r.eligible)
	for i, m := range r.pool.Members {
		if r.considered[i].GetReason() != "away" {
			continue
		}
		calendar := calendarOf(r.in, r.pool, m.Member)
		if calendar == nil || !calendar.OnDuty(r.in.Now) || r.in.had(m.Member) {
			continue
		}
		seat := Seat{Member: m.Member, Weight: m.Weight}
		if r.pool.AfterLeave == agreement.CappedCatchUp && !r.rotation.room(seat, present, r.pool.CatchUp) {
			continue
		}
		out = append(out, seat)
	}
	return out
}

// had says whether somebody has declined the lead, let it run out or sent it back.
func (in Input) had(member string) bool {
	return slices.Contains(in.Lead.Declined, member) || slices.Contains(in.Lead.TimedOut, member) || barred(in, member)
}
