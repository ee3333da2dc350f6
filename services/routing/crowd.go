package routing

import (
	"maps"
	"slices"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// The people of a large pool are not looked at for each of its leads. While the agreement
// stands, nothing is said of the members and no hours, leave or date end, they differ
// from lead to lead by what was given to them or taken from them, and by what they have
// done with the lead before. Who derives the decisions again looks at everybody each
// time, and so finds out if this ever says something else.

// crowds are the large pools that were looked at.
type crowds struct {
	known map[crowdOf]*crowd
	// pools are those of the agreement. places are where their members stand, by pool.
	agreement *agreement.Agreement
	pools     []agreement.Pool
	places    map[string]map[string]int
	// roster and news are what it was looked at with, seen and until between which
	// instants that holds.
	roster      int64
	news        *news
	seen, until time.Time
	// touched are those to whom a batch gave leads or from whom it took them. It may
	// never have been written.
	touched map[groupMember]bool
}

// groupMember is somebody in a group of pools.
type groupMember struct{ group, member string }

// news are those of whom a fold of the pools has moved what they hold or were given, since
// the one who routes has asked.
type news struct{ of map[groupMember]bool }

// crowdOf names a crowd: a pool, and what a lead needs.
type crowdOf struct{ pool, needs string }

// crowd are the people of a pool as they stand to a lead that nobody of them has had.
// What is handed out of it is never changed, but replaced.
type crowd struct {
	in         Input
	pool       agreement.Pool
	hours      *shifts
	considered []*leadv1.Candidate
	// eligible are in the order of their names, each at its place among the considered.
	eligible []Seat
	at       []int
	// counts is how many they are, alike are places of some of each reason, able of the
	// first who can take the lead: more than are named beside any others.
	counts      *leadv1.CandidateCounts
	alike, able []int
	// recount says that who can take a lead has changed since it was counted.
	recount bool
}

func newCrowds() *crowds {
	return &crowds{known: map[crowdOf]*crowd{}, places: map[string]map[string]int{}, touched: map[groupMember]bool{}}
}

// face makes what is known of large pools what it is for a batch: what may be otherwise
// is looked at again.
func (cs *crowds) face(t *Turn) {
	if cs.agreement != t.agreement {
		*cs = *newCrowds()
	}
	if cs.agreement == nil || cs.roster != t.roster.moves || cs.news != t.groups.news || t.now.Before(cs.seen) || !t.now.Before(cs.until) {
		clear(cs.known)
		cs.agreement, cs.roster, cs.news, cs.until = t.agreement, t.roster.moves, t.groups.news, t.roster.NextTurn(t.now)
		if cs.until.IsZero() {
			cs.until = t.now.Add(24 * time.Hour)
		}
	}
	cs.seen = t.now
	maps.Copy(cs.touched, cs.news.of)
	clear(cs.news.of)
	again := cs.touched
	cs.touched = map[groupMember]bool{}
	if len(cs.known) == 0 {
		return
	}
	in := t.input(&lead.State{})
	// any order: each is by itself
	for _, c := range cs.known {
		in.needs = c.in.needs
		c.in = in
	}
	// any order: each is looked at by itself
	for one := range again {
		cs.moved(one, t.Counts(one.group))
	}
	clear(cs.touched)
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
		c.considered, _, _ = consider(in, pool, calendar, counts, counts.rotationOf(pool.ID))
		c.recount = true
		cs.known[name] = c
		if until := c.hours.last(); until.Before(cs.until) {
			cs.until = until
		}
	}
	if c.recount {
		c.count()
	}
	// Once it has had a turn it is the same list, and is not compared again.
	if seats := counts.rotationOf(pool.ID).seats; !sameSeats(c.eligible, seats) && slices.Equal(c.eligible, seats) {
		c.eligible = seats
	}
	return c
}

// count counts who is there.
func (c *crowd) count() {
	c.recount = false
	c.considered = slices.Clip(c.considered)
	c.counts = countsOf(c.considered)
	c.at = nil
	for i, one := range c.considered {
		if one.GetEligible() {
			c.at = append(c.at, i)
		}
	}
	c.alike, c.able = nil, slices.Clone(c.at[:min(len(c.at), 3*namedEligible)])
	byName := func(a, b int) int { return strings.Compare(c.pool.Members[a].Member, c.pool.Members[b].Member) }
	if !slices.IsSortedFunc(c.at, byName) {
		slices.SortFunc(c.at, byName)
	}
	c.eligible = make([]Seat, len(c.at))
	for i, at := range c.at {
		c.eligible[i] = Seat{Member: c.pool.Members[at].Member, Weight: c.pool.Members[at].Weight}
	}
	alike := map[string]int{}
	for i, one := range c.considered {
		if reason := one.GetReason(); reason != "" {
			if alike[reason]++; alike[reason] <= namedAlike {
				c.alike = append(c.alike, i)
			}
		}
	}
}

// moved looks again at somebody to whom a lead was given, or from whom one was taken.
func (cs *crowds) moved(one groupMember, counts *Counts) {
	cs.touched[one] = true
	// any order: each is moved by itself
	for _, c := range cs.known {
		if c.pool.Group != one.group {
			continue
		}
		i, is := cs.place(c.pool, one.member)
		if !is {
			continue
		}
		one := candidateOf(c.in, c.pool, c.pool.Members[i], c.hours, newRefusals(c.in, c.pool), counts, counts.rotationOf(c.pool.ID))
		before := c.considered[i]
		c.considered[i] = one
		c.recount = c.recount || before.GetEligible() != one.GetEligible() || before.GetReason() != one.GetReason()
	}
}

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

// named is what named answers of everybody who was looked at, the nearest with how they
// stand.
func (c *crowd) named(nearest []int, outlooks []outlook, keep ...int) ([]*leadv1.Candidate, *leadv1.CandidateCounts) {
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
		one := c.considered[i]
		if k := slices.Index(nearest, i); k >= 0 && k < len(outlooks) {
			one = outlooks[k].of(one)
		}
		out = append(out, one)
	}
	return out, c.counts
}
