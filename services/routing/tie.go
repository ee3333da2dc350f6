package routing

// Who comes first among those whom nothing else tells apart: neither a name, a seat nor
// age may do it, and everybody who derives a decision again must find the same one.

// tieBreak orders standings. It draws only when everything else is equal.
type tieBreak struct {
	// begun is the hash before a member.
	begun uint64
	// own says that everybody's lot is their own, and another one with each turn that they
	// get. Otherwise all are drawn anew.
	own bool
}

// byLot tells the equals of a pool's rotation apart by their lots. Nobody else's turns
// change somebody's lot, so that it has its place in an order.
func byLot(pool string) tieBreak { return tieBreak{hashed(pool), true} }

// byLead draws anew for each lead, among all equals: where to have been first leaves
// everybody as equal as before, and in the rotation of earlier logics.
func byLead(id string) tieBreak { return tieBreak{begun: hashed(id)} }

func (t tieBreak) before(a, b standing) bool {
	if a.may != b.may {
		return a.may
	}
	if a.may && a.by != b.by {
		return a.by < b.by
	}
	if owedA, owedB := a.after.Quota-a.after.Count, b.after.Quota-b.after.Count; owedA != owedB {
		return owedA > owedB
	}
	if a.after.Part != b.after.Part {
		return a.after.Part > b.after.Part
	}
	// Earlier logics took less than a unit apart for a tie.
	if t.own && a.after.Rest != b.after.Rest {
		return a.after.Rest > b.after.Rest
	}
	return t.draws(a, b)
}

// level says whether the draw alone tells two standings apart.
func (t tieBreak) level(a, b standing) bool {
	return a.may == b.may && (!a.may || a.by == b.by) && a.after.Quota-a.after.Count == b.after.Quota-b.after.Count &&
		a.after.Part == b.after.Part && (!t.own || a.after.Rest == b.after.Rest)
}

// draws says whether a comes before b by the draw.
func (t tieBreak) draws(a, b standing) bool {
	if da, db := t.draw(a), t.draw(b); da != db {
		return da < db
	}
	return a.member < b.member
}

func (t tieBreak) draw(s standing) uint64 {
	h := t.of(s.member)
	if t.own {
		return lot(h, s.after.Count)
	}
	return h
}

// of is the hash of a member: FNV-1a, then the finishing steps of MurmurHash3, without
// which near names would get near lots.
func (t tieBreak) of(member string) uint64 { return finish(fnv(t.begun, member)) }

// lot is somebody's lot after so many turns of their own: number so many of the sequence
// of random numbers that their hash begins (SplitMix64).
func lot(of uint64, turns int64) uint64 {
	const step = 0x9e3779b97f4a7c15
	return finish(of + uint64(turns)*step) // #nosec G115 -- it may wrap
}

// hashed is the hash before a member. A byte that no text holds keeps the two apart.
func hashed(text string) uint64 {
	const offset = 14695981039346656037
	return fnv(fnv(offset, text), "\xff")
}

func finish(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func fnv(h uint64, text string) uint64 {
	const prime = 1099511628211
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * prime
	}
	return h
}
