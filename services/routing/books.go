package routing

import (
	"maps"
	"math/big"
	"math/bits"
	"slices"
)

// What moves a rotation's books beside its turns: shares that are kept for those
// on leave, and changes by hand. What is put on one account is taken off others,
// to the part: the sum of all that is owed stays what it was.

// mostAdjusted bounds one change of the books, in leads.
const mostAdjusted = 1000

// TakeOwing records a turn of which those on leave earn a share as well: it is kept
// for them, and lent in the meantime to the eligible, by weight. Among the eligible
// the turn counts as if nobody were on leave. What was kept for somebody eligible
// is theirs first of all.
func (r *Rotation) TakeOwing(eligible, owed []Seat, chosen string) {
	r.take(eligible, chosen)
	if len(owed) == 0 {
		return
	}
	present, absent := sumOf(eligible), sumOf(owed)
	if present == 0 || absent == 0 {
		return
	}
	r.close()
	var kept int64
	r.keeps = true
	for _, seat := range owed {
		if weight := share(seat); weight > 0 {
			parts := partsOf(weight, unit, present+absent)
			r.open(seat.Member).keep(parts)
			kept += parts
		}
	}
	left := kept
	for _, seat := range eligible {
		if weight := share(seat); weight > 0 {
			parts := partsOf(weight, kept, present)
			r.open(seat.Member).keep(-parts)
			left -= parts
		}
	}
	// Fewer parts than there are seats: whoever got the lead has them.
	r.open(chosen).keep(-left)
}

// Adjust puts leads on what a member is owed, and takes them off the others who
// share the pool with them, by weight; leads below zero are the other way round.
// Without others nothing changes: nobody could be owed anything.
func (r *Rotation) Adjust(member string, leads int64, others []Seat) {
	sum := sumOf(others)
	leads = min(max(leads, -mostAdjusted), mostAdjusted)
	if sum == 0 || leads == 0 {
		return
	}
	r.close()
	sign := int64(1)
	if leads < 0 {
		sign = -1
	}
	whole := sign * leads * unit
	left := whole
	for _, seat := range others {
		if weight := share(seat); weight > 0 {
			parts := partsOf(weight, whole, sum)
			r.open(seat.Member).grant(big.NewInt(-sign * parts))
			left -= parts
		}
	}
	// Fewer parts than there are seats: one each, in their order.
	for _, seat := range others {
		if left > 0 && share(seat) > 0 {
			r.open(seat.Member).grant(big.NewInt(-sign))
			left--
		}
	}
	r.open(member).grant(big.NewInt(sign * whole))
}

// Kept is what is kept for a member on leave, in leads; below zero: what they had
// of others' in the meantime.
func (r *Rotation) Kept(member string) *big.Rat {
	return big.NewRat(0, 1).SetFrac(r.account(member).kept(), big.NewInt(unit))
}

// ahead is by how much a member is ahead of their share, in thousandths of a lead, cut
// off towards zero.
func (r *Rotation) ahead(member string) int64 {
	d := r.Deviation(member)
	return new(big.Int).Quo(d.Num().Mul(d.Num(), big.NewInt(1000)), d.Denom()).Int64()
}

// room says whether one more share, of a member's weight among so much of others',
// leaves what is kept for them at most so many leads.
func (r *Rotation) room(seat Seat, others, most int64) bool {
	kept := r.account(seat.Member).kept()
	kept.Add(kept, big.NewInt(partsOf(share(seat), unit, others+share(seat))))
	return kept.Cmp(new(big.Int).Mul(big.NewInt(most), big.NewInt(unit))) <= 0
}

// back says whether something is kept for somebody eligible.
func (r *Rotation) back(eligible []Seat) bool {
	return r.keeps && slices.ContainsFunc(eligible, func(s Seat) bool {
		a := r.account(s.Member)
		return share(s) > 0 && a.Kept >= 0 && (a.Kept > 0 || a.KeptPart > 0)
	})
}

// settle gives those who are back what was kept for them, and takes it off those who
// had it, in proportion to what they had. No run is on, and the accounts are this
// rotation's alone.
func (r *Rotation) settle(eligible []Seat) {
	if !r.back(eligible) {
		return
	}
	var lenders []*account
	lent := new(big.Int)
	for _, name := range slices.Sorted(maps.Keys(r.accounts)) {
		if a := r.accounts[name]; a.Kept < 0 {
			lenders = append(lenders, a)
			lent.Sub(lent, a.kept())
		}
	}
	if lent.Sign() == 0 {
		return
	}
	// Back in the order of their names, whatever the order of the seats.
	var names []string
	for _, s := range eligible {
		if r.back([]Seat{s}) {
			names = append(names, s.Member)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		a := r.accounts[name]
		due := a.kept()
		left := new(big.Int).Set(due)
		pay := func(from *account, parts *big.Int) {
			from.grant(new(big.Int).Neg(parts))
			from.keepBig(parts)
			left.Sub(left, parts)
		}
		for _, from := range lenders {
			had := from.kept()
			had.Neg(had)
			pay(from, had.Mul(had, due).Quo(had, lent))
		}
		for _, from := range lenders {
			if left.Sign() > 0 && from.kept().Sign() < 0 {
				pay(from, big.NewInt(1))
			}
		}
		lent.Sub(lent, due)
		a.grant(due)
		a.Kept, a.KeptPart = 0, 0
	}
}

// partsOf answers floor(parts * weight / sum), for a weight of at most sum.
func partsOf(weight, parts, sum int64) int64 {
	hi, lo := bits.Mul64(uint64(weight), uint64(parts))
	n, _ := bits.Div64(hi, lo, uint64(sum))
	return int64(n)
}

// kept is what is kept for the account, in parts.
func (a account) kept() *big.Int { return inParts(a.Kept, a.KeptPart) }

func (a *account) keep(parts int64) { a.keepBig(big.NewInt(parts)) }

func (a *account) keepBig(parts *big.Int) {
	a.Kept, a.KeptPart = ofParts(new(big.Int).Add(a.kept(), parts))
}

// grant adds parts to the quota.
func (a *account) grant(parts *big.Int) {
	a.Quota, a.Part = ofParts(new(big.Int).Add(inParts(a.Quota, a.Part), parts))
}

func inParts(leads, parts int64) *big.Int {
	n := big.NewInt(leads)
	return n.Mul(n, big.NewInt(unit)).Add(n, big.NewInt(parts))
}

// ofParts answers parts as whole leads and parts of a lead from 0 up to one.
func ofParts(parts *big.Int) (leads, rest int64) {
	whole, left := new(big.Int).DivMod(parts, big.NewInt(unit), new(big.Int))
	return whole.Int64(), left.Int64()
}
