package routing

import (
	"encoding/json"
	"iter"
	"maps"
	"math/big"
	"math/bits"
	"slices"

	"github.com/leadbaton/baton/services/internal/fault"
)

// unit is the number of parts that one lead of quota is counted in: the least
// common multiple of 1 to 40. Every share of a pool whose weights sum to at
// most 40 (and many beyond) is a whole number of parts, so that its books are
// exact and its ties are true ties, whoever comes and goes.
const unit = 5_342_931_457_063_200

// farthest is how many leads from quota a window still tells apart. It keeps
// the arithmetic of windows inside 128 bits whatever the books hold; who is
// chosen depends on it only among members who are both farther ahead than this.
const farthest = 1024

// largestWeight caps a weight, so that sums and shares cannot overflow.
const largestWeight = 1 << 31

// Seat is one member who can take the turn at this moment. A weight below 1
// means present without a share: never chosen, nothing earned.
type Seat struct {
	Member string `json:"member"`
	Weight int64  `json:"weight"`
}

// Window is when a member may and must be served next if the same people stay
// eligible: turns of the pool, counted from 1. Zero for a seat without a share.
type Window struct {
	From, To int64
}

// Rotation decides whose turn it is in one pool and keeps the books for it. At
// each turn each eligible member earns weight / (sum of the eligible weights)
// of a lead, and one of them gets one. While the same people with the same
// weights stay eligible, no member is ever a whole lead ahead of or behind what
// they have earned; decision 0010 holds the proof, and what holds while people
// come and go.
//
// The zero value is a new pool. A member who was never seen has count 0 and
// quota 0; nobody is ever reset. Everything is integer arithmetic: the same
// turns give the same state and the same choices on every machine. Copy with
// Clone only: copies by assignment share their books.
type Rotation struct {
	// pool is whose rotation it is: lots are drawn for it.
	pool  string
	turns int64
	// accounts are everybody's as they were when the run began. They are replaced and
	// never changed, as copies share them.
	accounts map[string]*account
	run      run
	// seats are who was eligible at the last turn that said what had changed of it, by
	// name.
	seats []Seat
	// keeps says that something may be kept for somebody on leave.
	keeps bool
}

// account is one member's books. Quota is held as Quota whole leads, Part units
// of a lead, and Rest/Of of a unit, so that it is exact for as long as the sum
// of the eligible weights stays Of. Part < unit and Rest < Of.
type account struct {
	Count int64 `json:"count"`
	Quota int64 `json:"quota"`
	Part  int64 `json:"part,omitempty"`
	Rest  int64 `json:"rest,omitempty"`
	Of    int64 `json:"of,omitempty"`
	// Kept whole leads and KeptPart units are kept for a member on leave; below zero
	// they are what the member had of others' meanwhile. All accounts' sum to nothing.
	Kept     int64 `json:"kept,omitempty"`
	KeptPart int64 `json:"kept_part,omitempty"`
}

// Turns is how many turns the pool has given.
func (r *Rotation) Turns() int64 { return r.turns }

// Count is how many of them the member got.
func (r *Rotation) Count(member string) int64 {
	if place, seated := r.run.place(member); seated {
		return r.run.accounts[place].Count + int64(r.run.got.of(place))
	}
	if a := r.accounts[member]; a != nil {
		return a.Count
	}
	return 0
}

// Deviation is the member's count less their quota, in leads, exactly as the
// books have it: positive = ahead, negative = behind. For reports; no choice
// depends on it.
func (r *Rotation) Deviation(member string) *big.Rat {
	return r.account(member).deviation()
}

func (a account) deviation() *big.Rat {
	d := new(big.Rat).SetInt64(a.Count - a.Quota)
	d.Sub(d, big.NewRat(a.Part, unit))
	if a.Rest > 0 {
		rest := big.NewRat(a.Rest, a.Of)
		d.Sub(d, rest.Quo(rest, big.NewRat(unit, 1)))
	}
	return d
}

// Clone is a copy with books of its own, for drafting a batch that may be
// thrown away.
func (r *Rotation) Clone() *Rotation {
	c := *r
	c.run = r.run.clone()
	return &c
}

// Choose answers the index of the seat that gets the next turn, and each seat's
// window; -1 if no seat has a share. It changes nothing. Each member may stand
// in at most one seat; the order of the seats plays no part.
//
// Among those whom the turn would put less than a whole lead ahead, the one who
// must be served earliest gets it; among equals, the one most behind; among
// equals again, lots decide, of which everybody has another one with each turn
// they get. So whoever would otherwise fall a whole lead behind comes first, the
// most behind before all. If the turn puts everybody a whole lead ahead (those
// behind are away), the least ahead gets it.
//
// What is kept for somebody who is back counts as theirs already.
func (r *Rotation) Choose(eligible []Seat) (chosen int, windows []Window) {
	r = r.facing(eligible)
	windows = r.windows(eligible, all(eligible))
	if nearest := r.order(eligible, r.lots(), 1); len(nearest) > 0 {
		return nearest[0], windows
	}
	return -1, windows
}

// lots tells equals of this rotation apart.
func (r *Rotation) lots() tieBreak { return byLot(r.pool) }

// facing is the rotation as a turn of these seats finds it: what is kept for somebody
// of them is theirs.
func (r *Rotation) facing(eligible []Seat) *Rotation {
	if r.run.is(eligible) || !r.back(eligible) {
		return r
	}
	r = r.Clone()
	r.close()
	r.settle(eligible)
	return r
}

// order answers the first of the seats as Choose would choose them one after the other,
// so many at most.
func (r *Rotation) order(eligible []Seat, tie tieBreak, most int) (nearest []int) {
	if tie.own && r.run.lines != nil && r.run.is(eligible) {
		return r.run.order(tie, most)
	}
	sum := sumOf(eligible)
	var best []seated
	var last account
	var lastWeight int64
	var alike standing
	for i, now := range r.now(eligible) {
		weight := share(eligible[i])
		if weight == 0 {
			continue
		}
		// Many accounts of a pool are alike.
		if now = now.over(sum); now != last || weight != lastWeight {
			last, lastWeight = now, weight
			alike = now.stands(weight, sum)
		}
		s := seated{alike, i}
		s.member = eligible[i].Member
		best = among(best, s, most, func(a, b seated) bool { return tie.before(a.standing, b.standing) })
	}
	for _, s := range best {
		nearest = append(nearest, s.at)
	}
	return nearest
}

// windows answers the windows of some of the seats.
func (r *Rotation) windows(eligible []Seat, some []int) []Window {
	windows := make([]Window, len(some))
	for i, s := range r.standings(eligible, some) {
		windows[i] = r.window(s)
	}
	return windows
}

// window is that of somebody who stands so; nothing without a share.
func (r *Rotation) window(s standing) Window {
	if s.by == 0 {
		return Window{}
	}
	return Window{From: r.turns + s.from, To: r.turns + s.by}
}

// standings answers how some of the seats stand before the turn; nothing of one without
// a share.
func (r *Rotation) standings(eligible []Seat, some []int) []standing {
	sum, is := r.run.sum, r.run.is(eligible)
	if !is {
		sum = sumOf(eligible)
	}
	out := make([]standing, len(some))
	for i, at := range some {
		weight := share(eligible[at])
		if weight == 0 {
			continue
		}
		now := account{}
		if is {
			now = r.run.account(at)
		} else {
			now = r.account(eligible[at].Member)
		}
		out[i] = now.over(sum).stands(weight, sum)
		out[i].member = eligible[at].Member
	}
	return out
}

// all are the places of seats.
func all(seats []Seat) []int {
	places := make([]int, len(seats))
	for i := range places {
		places[i] = i
	}
	return places
}

// now goes through the accounts of seats as they stand.
func (r *Rotation) now(seats []Seat) iter.Seq2[int, account] {
	return func(yield func(int, account) bool) {
		is := r.run.is(seats)
		for i, seat := range seats {
			var a account
			if is {
				a = r.run.account(i)
			} else {
				a = r.account(seat.Member)
			}
			if !yield(i, a) {
				return
			}
		}
	}
}

// seated is a standing and the place of its seat.
type seated struct {
	standing
	at int
}

// among puts one into its place among the first so many of a list, in the order that
// before gives.
func among[T any](first []T, one T, most int, before func(a, b T) bool) []T {
	at := len(first)
	for at > 0 && before(one, first[at-1]) {
		at--
	}
	if at == most {
		return first
	}
	return slices.Insert(first[:min(len(first), most-1)], at, one)
}

// Take records a turn: each seat earns its share and the chosen member gets the
// lead. It is total, because what is in the log has happened: a chosen member
// without a seat is counted all the same.
func (r *Rotation) Take(eligible []Seat, chosen string) { r.TakeOwing(eligible, nil, chosen) }

// take records the turn of a set that the run may be of.
func (r *Rotation) take(eligible []Seat, chosen string) {
	if !r.run.is(eligible) {
		r.close()
		r.settle(eligible)
		r.begin(eligible)
	}
	r.turns++
	if !r.run.take(r.pool, chosen) {
		// Whoever has no seat has the lead all the same.
		r.accounts = maps.Clone(r.accounts)
		if r.accounts == nil {
			r.accounts = map[string]*account{}
		}
		a := *r.open(chosen)
		a.Count++
		r.accounts[chosen] = &a
	}
}

func (r *Rotation) account(member string) account {
	if place, seated := r.run.place(member); seated {
		return r.run.account(place)
	}
	if a := r.accounts[member]; a != nil {
		return *a
	}
	return account{}
}

// close ends the run: the accounts are as they stand, and this rotation's alone.
func (r *Rotation) close() { r.accounts, r.run = r.present(), run{} }

// present are the accounts as they stand, of which no other rotation has any.
func (r *Rotation) present() map[string]*account {
	own := make([]account, 0, len(r.accounts)+len(r.run.seats))
	out := make(map[string]*account, cap(own))
	put := func(member string, a account) {
		own = append(own, a)
		out[member] = &own[len(own)-1]
	}
	// any order: copied, not decided
	for member, a := range r.accounts {
		put(member, *a)
	}
	for i, seat := range r.run.seats {
		if share(seat) > 0 || r.run.got.of(i) > 0 {
			put(seat.Member, r.run.account(i))
		}
	}
	return out
}

// open is somebody's account to be changed, of accounts that are this rotation's alone.
func (r *Rotation) open(member string) *account {
	a := r.accounts[member]
	if a == nil {
		a = new(account)
		r.accounts[member] = a
	}
	return a
}

// over answers the account in terms of another sum of weights. This is the one
// place that rounds: a fraction of a unit is dropped.
func (a account) over(sum int64) account {
	if a.Of != sum {
		a.Rest, a.Of = 0, sum
	}
	return a
}

// earn adds weight/sum of a lead for each of so many turns to an account that is in
// terms of sum. It is the same, to the fraction of a unit, turn by turn or at once.
func (a account) earn(weight, sum, turns int64) account {
	if weight == 0 || turns == 0 {
		return a
	}
	hi, lo := bits.Mul64(uint64(weight), unit)
	each, eachRest := bits.Div64(hi, lo, uint64(sum))
	hi, lo = bits.Mul64(uint64(turns), eachRest)
	lo, carry := bits.Add64(lo, uint64(a.Rest), 0)
	parts, rest := bits.Div64(hi+carry, lo, uint64(sum))
	hi, lo = bits.Mul64(uint64(turns), each)
	lo, carry = bits.Add64(lo, parts, 0)
	hi += carry
	lo, carry = bits.Add64(lo, uint64(a.Part), 0)
	leads, part := bits.Div64(hi+carry, lo, unit)
	a.Quota, a.Part, a.Rest = a.Quota+int64(leads), int64(part), int64(rest)
	return a
}

// window answers in how many turns from now the member may and must be served,
// 1 being the next, for an account that is in terms of sum. May: the first turn
// after which quota exceeds count. Must: the first turn after which quota
// exceeds count by a whole lead or more.
func (a account) window(weight, sum int64) (from, to int64) {
	from, to = 1, 1
	ahead := min(max(a.Count-a.Quota, -farthest), farthest)
	if ahead < 0 {
		return from, to
	}
	// Short is what quota lacks to count, in parts of unit*sum; not positive
	// only where quota exceeds count already.
	if short := ahead*unit - a.Part; short > 0 {
		from = int64(turnsFor(short, sum, a.Rest)/uint64(weight)) + 1
	}
	lack, exact := turnsForExact((ahead+1)*unit-a.Part, sum, a.Rest)
	if !exact {
		lack++
	}
	to = int64((lack + uint64(weight) - 1) / uint64(weight))
	return from, to
}

// turnsFor answers floor((parts*sum - rest) / unit): how many turns of weight 1
// earn that many parts less rest/sum.
func turnsFor(parts, sum, rest int64) uint64 {
	n, _ := turnsForExact(parts, sum, rest)
	return n
}

func turnsForExact(parts, sum, rest int64) (n uint64, exact bool) {
	hi, lo := bits.Mul64(uint64(parts), uint64(sum))
	lo, borrow := bits.Sub64(lo, uint64(rest), 0)
	n, left := bits.Div64(hi-borrow, lo, unit)
	return n, left == 0
}

// standing is what the choice looks at in one seat.
type standing struct {
	member string
	// after is the account with this turn's share earned and the turn not given.
	after account
	// may: the turn would leave the member less than a whole lead ahead.
	may bool
	// from and by are the turns from which and by which the member may and must be
	// served, 1 being this one.
	from, by int64
}

// stands is how an account that is in terms of sum stands before a turn.
func (a account) stands(weight, sum int64) standing {
	from, to := a.window(weight, sum)
	return standing{after: a.earn(weight, sum, 1), may: from == 1, from: from, by: to}
}

func share(s Seat) int64 { return min(max(s.Weight, 0), largestWeight) }

func sumOf(seats []Seat) (sum int64) {
	for _, s := range seats {
		sum += share(s)
	}
	return sum
}

// rotationJSON is a rotation as stored. Unit says in what the parts count, so
// that a snapshot of another logic is refused and not misread.
type rotationJSON struct {
	Unit     int64               `json:"unit"`
	Turns    int64               `json:"turns"`
	Accounts map[string]*account `json:"accounts"`
	Seats    []Seat              `json:"seats,omitempty"`
}

// MarshalJSON writes the books; the same turns give the same bytes.
func (r Rotation) MarshalJSON() ([]byte, error) {
	return json.Marshal(rotationJSON{Unit: unit, Turns: r.turns, Accounts: r.present(), Seats: r.seats})
}

// UnmarshalJSON reads books and refuses those that no turns can have written.
func (r *Rotation) UnmarshalJSON(data []byte) error {
	var stored rotationJSON
	if err := json.Unmarshal(data, &stored); err != nil {
		return fault.New(fault.Corrupt, "stored rotation: not readable as JSON; drop the snapshot and rebuild from the log: %w", err)
	}
	if stored.Unit != unit {
		return fault.New(fault.Corrupt, "stored rotation: counts in units of 1/%d, this version in 1/%d; drop the snapshot and rebuild from the log", stored.Unit, int64(unit))
	}
	var counted int64
	kept := new(big.Int)
	// any order: each is checked by itself, and a sum has none
	for _, a := range stored.Accounts {
		if a == nil || a.Count < 0 || a.Part < 0 || a.Part >= unit || a.Rest < 0 || (a.Rest > 0 && a.Rest >= a.Of) || a.KeptPart < 0 || a.KeptPart >= unit {
			return fault.New(fault.Corrupt, "stored rotation: a member's account is damaged; drop the snapshot and rebuild from the log")
		}
		counted += a.Count
		kept.Add(kept, a.kept())
		r.keeps = r.keeps || a.Kept != 0 || a.KeptPart != 0
	}
	if kept.Sign() != 0 {
		return fault.New(fault.Corrupt, "stored rotation: what is kept for those on leave is not what the others had of it; drop the snapshot and rebuild from the log")
	}
	if !slices.IsSortedFunc(stored.Seats, bySeat) {
		return fault.New(fault.Corrupt, "stored rotation: who was eligible last is out of order; drop the snapshot and rebuild from the log")
	}
	if counted != stored.Turns {
		return fault.New(fault.Corrupt, "stored rotation: %d turns, but the members' counts sum to %d; drop the snapshot and rebuild from the log", stored.Turns, counted)
	}
	r.turns, r.accounts, r.seats, r.run = stored.Turns, stored.Accounts, stored.Seats, run{}
	return nil
}
