package routing

import (
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// The people of a large pool are looked at once in a batch, and not for each of its
// leads: at one instant they differ from lead to lead by what the batch itself has given
// them, and by what they have done with the lead before. Who derives the decisions again
// looks at everybody each time, and so finds out if this ever says something else.

// crowds are the large pools that a batch has looked at.
type crowds struct {
	known map[crowdOf]*crowd
	// pools are those of the agreement. places are where their members stand, by pool.
	pools  []agreement.Pool
	places map[string]map[string]int
}

// crowdOf names a crowd: a pool, and what a lead needs.
type crowdOf struct{ pool, needs string }

// crowd are the people of a pool as they stand to a lead that nobody of them has had.
// What is handed out of it is never changed, but replaced.
type crowd struct {
	in         Input
	pool       agreement.Pool
	hours      *shifts
	considered []*leadv1.Candidate
	eligible   []Seat
	at         []int
	// counts is how many they are, alike are places of some of each reason, able of the
	// first who can take the lead: more than are named beside any others.
	counts      *leadv1.CandidateCounts
	alike, able []int
}

func newCrowds() *crowds {
	return &crowds{known: map[crowdOf]*crowd{}, places: map[string]map[string]int{}}
}

// of answers the crowd before a lead; nil = everybody is to be looked at for it.
func (cs *crowds) of(in Input, pool agreement.Pool, calendar *agreement.Calendar, counts *Counts) *crowd {
	s := in.Lead
	if cs == nil || in.old() || len(pool.Members) <= largePool || pool.GivesBy == agreement.ByOrder || len(s.Declined)+len(s.TimedOut)+len(s.Returned)+len(s.Excluded) > 0 {
		return nil
	}
	name := crowdOf{pool.ID, strings.Join(in.needs, "\n")}
	c := cs.known[name]
	if c == nil {
		in.Lead = &lead.State{}
		c = &crowd{in: in, pool: pool, hours: newShifts(in, pool, calendar)}
		c.considered, c.eligible, c.at = consider(in, pool, calendar, counts, counts.rotationOf(pool.ID))
		c.count()
		cs.known[name] = c
	}
	return c
}

// count counts who is there.
func (c *crowd) count() {
	c.considered = slices.Clip(c.considered)
	c.counts = countsOf(c.considered)
	c.alike, c.able = nil, c.at[:min(len(c.at), 3*namedEligible)]
	alike := map[string]int{}
	for i, one := range c.considered {
		if reason := one.GetReason(); reason != "" {
			if alike[reason]++; alike[reason] <= namedAlike {
				c.alike = append(c.alike, i)
			}
		}
	}
}

// moved looks again at somebody to whom a step has given a lead, or from whom it took
// one.
func (cs *crowds) moved(group string, step *routingv1.PoolStep, counts *Counts) {
	if step.GetMember() == "" {
		return
	}
	// any order: each is moved by itself
	for _, c := range cs.known {
		if c.pool.Group != group {
			continue
		}
		i, is := cs.place(c.pool, step.GetMember())
		if !is {
			continue
		}
		one := candidateOf(c.in, c.pool, c.pool.Members[i], c.hours, newRefusals(c.in, c.pool), counts, counts.rotationOf(c.pool.ID))
		before := c.considered[i]
		c.considered[i] = one
		if before.GetEligible() == one.GetEligible() && before.GetReason() == one.GetReason() {
			continue
		}
		c.eligible, c.at = nil, nil
		for i, one := range c.considered {
			if one.GetEligible() {
				c.eligible, c.at = append(c.eligible, Seat{Member: one.GetMember(), Weight: c.pool.Members[i].Weight}), append(c.at, i)
			}
		}
		c.count()
	}
}

// forget looks at everybody anew.
func (cs *crowds) forget() { clear(cs.known) }

// pools are those of the agreement; nobody changes them.
func (in Input) pools() []agreement.Pool {
	if in.crowds == nil {
		return in.Agreement.Pools()
	}
	if in.crowds.pools == nil {
		in.crowds.pools = in.Agreement.Pools()
	}
	return in.crowds.pools
}

// poolOf is one of them.
func (in Input) poolOf(id string) (agreement.Pool, bool) {
	pools := in.pools()
	i := slices.IndexFunc(pools, func(p agreement.Pool) bool { return p.ID == id })
	if i < 0 {
		return agreement.Pool{}, false
	}
	return pools[i], true
}

// place is where somebody stands in a pool.
func (cs *crowds) place(pool agreement.Pool, member string) (int, bool) {
	if cs == nil || len(pool.Members) <= largePool {
		i := slices.IndexFunc(pool.Members, func(m agreement.PoolMember) bool { return m.Member == member })
		return i, i >= 0
	}
	places := cs.places[pool.ID]
	if len(places) != len(pool.Members) {
		places = make(map[string]int, len(pool.Members))
		for i := range pool.Members {
			places[pool.Members[i].Member] = i
		}
		cs.places[pool.ID] = places
	}
	i, is := places[member]
	return i, is
}

// named is what named answers of everybody who was looked at.
func (c *crowd) named(considered []*leadv1.Candidate, nearest []int, keep ...int) ([]*leadv1.Candidate, *leadv1.CandidateCounts) {
	told := slices.Concat(c.alike, nearest[:min(len(nearest), namedEligible)])
	eligible := min(len(nearest), namedEligible)
	told = append(told, keep...)
	for _, i := range c.able {
		if eligible < namedEligible && !slices.Contains(told, i) {
			told = append(told, i)
			eligible++
		}
	}
	slices.Sort(told)
	var out []*leadv1.Candidate
	for _, i := range slices.Compact(told) {
		out = append(out, considered[i])
	}
	return out, c.counts
}
