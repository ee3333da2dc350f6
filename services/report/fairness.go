package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/leadbaton/baton/services/internal/chance"
)

// present is who was there at a turn, read once for all turns with the same people.
type present struct {
	seats []seat
	// here is the sum of the weights of those who could be given the lead, all that of
	// those with a share of it.
	here, all float64
}

func newPresent(text string) *present {
	p := &present{seats: readSeats(text)}
	for _, s := range p.seats {
		p.all += float64(s.weight)
		if !s.owed {
			p.here += float64(s.weight)
		}
	}
	return p
}

// quality is how good a lead was when it was offered: the stage first, then how many
// points it had beyond those needed.
type quality struct {
	stage  int
	margin int64
}

func (q quality) compare(o quality) int {
	return cmp.Or(cmp.Compare(q.stage, o.stage), cmp.Compare(q.margin, o.margin))
}

// given is one lead that a pool gave to a person.
type given struct {
	pool, member, kind string
	how                string // how the person was found, as a word
	at                 time.Time
	counted            bool
	there              *present // nil = the log does not say who was there
	outcome            string
	quality            quality
}

// turnBooks is what the report on fairness has counted of one person in one pool.
type turnBooks struct {
	eligible, offered, accepted, declined, timedOut int64
	rotation, ownership, override, credit           int64
	credits, adjustments                            int64
	// share of all turns by weight among those who were there; quota and counted are of
	// the turns that the rotation counts.
	share, quota float64
	counted      int64
	// granted is by how many leads their books were changed.
	granted float64
	// ever is how far ahead of quota the person is over the whole books, until the end
	// of the time that is asked about.
	ever float64
}

func (b *turnBooks) add(o *turnBooks) {
	b.eligible += o.eligible
	b.offered += o.offered
	b.accepted += o.accepted
	b.declined += o.declined
	b.timedOut += o.timedOut
	b.rotation += o.rotation
	b.ownership += o.ownership
	b.override += o.override
	b.credit += o.credit
	b.credits += o.credits
	b.adjustments += o.adjustments
	b.share += o.share
	b.quota += o.quota
	b.counted += o.counted
	b.granted += o.granted
	b.ever += o.ever
}

// poolBooks are the books of one pool.
type poolBooks struct {
	people map[string]*turnBooks
	// places are the turns with the same people there; order keeps sums alike.
	places map[*present]*place
	order  []*place
	turns  []given // in the time that is asked about, and known who was there
}

// place are the turns of a pool at which the same people were there.
type place struct {
	there                *present
	turns, counted, ever int
	byHow                map[string]int
}

func newPoolBooks() *poolBooks {
	return &poolBooks{people: map[string]*turnBooks{}, places: map[*present]*place{}}
}

func (p *poolBooks) of(member string) *turnBooks {
	b := p.people[member]
	if b == nil {
		b = &turnBooks{}
		p.people[member] = b
	}
	return b
}

// take counts a turn; asked says whether it lies in the time that is asked about, or
// only before it.
func (p *poolBooks) take(g given, asked bool) {
	who := p.of(g.member)
	if g.counted {
		who.ever++
	}
	if g.there != nil {
		at := p.places[g.there]
		if at == nil {
			at = &place{there: g.there, byHow: map[string]int{}}
			p.places[g.there] = at
			p.order = append(p.order, at)
		}
		if g.counted {
			at.ever++
		}
		if asked {
			at.turns++
			at.byHow[g.how]++
			if g.counted {
				at.counted++
			}
			p.turns = append(p.turns, g)
		}
	}
	if !asked {
		return
	}
	who.offered++
	if g.counted {
		who.counted++
	}
	switch g.outcome {
	case outcomeAccepted:
		who.accepted++
	case outcomeRejected:
		who.declined++
	case outcomeTimedOut:
		who.timedOut++
	}
	switch g.kind {
	case "rotation":
		who.rotation++
	case "ownership":
		who.ownership++
	case "override":
		who.override++
	case "credit":
		who.credit++
	}
}

// adjust takes a credit or a calibration: what somebody is owed is taken off the books
// of the others, by weight. Without others nothing changes.
func (p *poolBooks) adjust(member, kind string, leads int64, others *present, asked bool) {
	grant := func(member string, by float64) {
		who := p.of(member)
		who.ever -= by
		if asked {
			who.granted += by
		}
	}
	if others != nil && others.here > 0 {
		grant(member, float64(leads))
		for _, s := range others.seats {
			grant(s.member, -float64(leads)*float64(s.weight)/others.here)
		}
	}
	switch who := p.of(member); {
	case !asked:
	case kind == adjusted:
		who.adjustments += leads
	default:
		who.credits += leads
	}
}

// close gives everybody their share and quota of the turns at which they were there.
func (p *poolBooks) close() {
	for _, at := range p.order {
		for _, s := range at.there.seats {
			who := p.of(s.member)
			part := float64(s.weight) / at.there.all
			who.quota += float64(at.counted) * part
			who.ever -= float64(at.ever) * part
			if !s.owed {
				who.eligible += int64(at.turns)
				who.share += float64(at.turns) * float64(s.weight) / at.there.here
			}
		}
	}
}

// members of the pool in the order of their handles.
func (p *poolBooks) members() []string {
	out := make([]string, 0, len(p.people))
	for m := range p.people { // any order: sorted below
		out = append(out, m)
	}
	slices.Sort(out)
	return out
}

// spreads are how many turns each could get by chance where every turn goes at random,
// by weight, to one of those who are there.
func (p *poolBooks) spreads() map[string]chance.Spread {
	at := map[string]map[float64]int{}
	for _, where := range p.order {
		for _, s := range where.there.seats {
			if s.owed || where.turns == 0 {
				continue
			}
			if at[s.member] == nil {
				at[s.member] = map[float64]int{}
			}
			at[s.member][float64(s.weight)/where.there.here] += where.turns
		}
	}
	out := map[string]chance.Spread{}
	for member, turns := range at { // any order: each by itself
		out[member] = turnsGot(turns)
	}
	return out
}

// beyond is how many leads more than their share somebody was given in each of the
// ways in which people were found.
func (p *poolBooks) beyond(member string) map[string]float64 {
	out := map[string]float64{}
	for _, g := range p.turns {
		if g.member == member {
			out[g.how]++
		}
	}
	for _, at := range p.order {
		for _, s := range at.there.seats {
			if s.member != member || s.owed {
				continue
			}
			for how, n := range at.byHow { // any order: each is a sum of its own
				out[how] -= float64(n) * float64(s.weight) / at.there.here
			}
		}
	}
	return out
}

// good says from which quality on a lead is one of the better half of the pool's, as
// near to half as equal ones allow; false where all are alike.
func (p *poolBooks) good() (from quality, ok bool) {
	all := make([]quality, 0, len(p.turns))
	for _, g := range p.turns {
		all = append(all, g.quality)
	}
	slices.SortFunc(all, quality.compare)
	best := len(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			continue
		}
		// From i on there are len-i good ones.
		if off := max(2*i-len(all), len(all)-2*i); off < best {
			best, from, ok = off, all[i], true
		}
	}
	return from, ok
}

// goodGot is what one person was given of the good leads of a pool.
type goodGot struct {
	got, of  int
	expected float64
	chance   chance.Spread
}

// goodOnes compares the leads that each was given with those that the people who were
// there at the same turns were given: among turns with the same people there, every
// lead could have been that of any of these turns.
func (p *poolBooks) goodOnes(from quality) (each map[string]*goodGot, compared int) {
	type pile struct {
		turns, good int
		got, best   map[string]int
	}
	piles := map[*present]*pile{}
	for _, g := range p.turns {
		at := piles[g.there]
		if at == nil {
			at = &pile{got: map[string]int{}, best: map[string]int{}}
			piles[g.there] = at
		}
		at.turns++
		at.got[g.member]++
		if g.quality.compare(from) >= 0 {
			at.good++
			at.best[g.member]++
		}
	}
	each = map[string]*goodGot{}
	parts := map[string][]chance.Spread{}
	for _, where := range p.order {
		at := piles[where.there]
		if at == nil {
			continue
		}
		if len(at.got) > 1 && at.good > 0 && at.good < at.turns {
			compared += at.turns
		}
		for member, n := range at.got { // any order: each by itself
			e := each[member]
			if e == nil {
				e = &goodGot{}
				each[member] = e
			}
			e.got += at.best[member]
			e.of += n
			e.expected += float64(n) * float64(at.good) / float64(at.turns)
			parts[member] = append(parts[member], chance.Hypergeometric(at.turns, at.good, n))
		}
	}
	for member, e := range each { // any order: each by itself
		e.chance = chance.Sum(parts[member])
	}
	return each, compared
}

// turnsGot is how many turns somebody gets who has these probabilities at so many turns
// each, whoever else was there.
func turnsGot(at map[float64]int) chance.Spread {
	var parts []chance.Spread
	for _, p := range slices.Sorted(maps.Keys(at)) {
		parts = append(parts, chance.Binomial(at[p], p))
	}
	return chance.Sum(parts)
}
