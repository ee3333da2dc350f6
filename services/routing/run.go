package routing

import (
	"cmp"
	"slices"
)

// Turns of the same seats. While the same people with the same weights take turns, each
// of them earns the same at every turn: what their accounts hold follows from what they
// held at the beginning, how many turns there were, and how many leads they got. So a
// turn touches one account, however many people share the pool; and among those of one
// weight nobody overtakes anybody but by who gets the lead, equals least of all: they
// stand in the order of their lots, which only their own turns change.

// run is the turns that one set of seats has had, one after the other.
type run struct {
	seats []Seat
	sum   int64
	turns int64
	// accounts are those of the seats when the run began, in terms of sum; copies share
	// them. got is how many leads each got since.
	accounts []account
	got      tally
	// places are where the seats of many people are found, by name; copies share them.
	places map[string]int
	// lines are the seats that have a share, those of one weight in each; nil = they
	// are few, or it is not known yet that the run lasts.
	lines []line
	// lots are what everybody's lots are made of, once there are lines; copies share them.
	lots []uint64
}

// rank is where a seat stands among those of its weight: who is owed more comes first,
// and among equals the lower lot.
type rank struct {
	owed, part, rest int64
	lot              uint64
	place            int32
}

// begin begins a run. No other is on, and the accounts are as they stand.
func (r *Rotation) begin(seats []Seat) {
	if !sameSeats(seats, r.seats) {
		// Nobody else changes them.
		seats = slices.Clone(seats)
	}
	u := run{seats: seats, sum: sumOf(seats), accounts: make([]account, len(seats)), got: newTally(len(seats))}
	if len(seats) > largePool {
		u.places = make(map[string]int, len(seats))
	}
	for i, seat := range seats {
		if a := r.accounts[seat.Member]; a != nil {
			u.accounts[i] = *a
		}
		if share(seat) > 0 {
			u.accounts[i] = u.accounts[i].over(u.sum)
		}
		if u.places != nil {
			u.places[seat.Member] = i
		}
	}
	r.run = u
}

func (u *run) clone() run {
	c := *u
	c.got = slices.Clone(u.got)
	c.lines = slices.Clone(u.lines)
	for i := range c.lines {
		c.lines[i].blocks = slices.Clone(c.lines[i].blocks)
	}
	return c
}

// is says whether the run is one of these seats.
func (u *run) is(seats []Seat) bool {
	return sameSeats(seats, u.seats) || slices.Equal(seats, u.seats)
}

func (u *run) place(member string) (int, bool) {
	if u.places != nil {
		i, seated := u.places[member]
		return i, seated
	}
	i := slices.IndexFunc(u.seats, func(s Seat) bool { return s.Member == member })
	return i, i >= 0
}

// account is that of a seat as it stands.
func (u *run) account(place int) account {
	a := u.accounts[place].earn(share(u.seats[place]), u.sum, u.turns)
	a.Count += int64(u.got.of(place))
	return a
}

// take records a turn of a pool. It says whether the chosen has a seat.
func (u *run) take(pool, chosen string) bool {
	u.turns++
	if u.turns == 2 && u.places != nil {
		u.line(byLot(pool))
	}
	place, seated := u.place(chosen)
	if !seated {
		return false
	}
	i, of := slices.BinarySearchFunc(u.lines, share(u.seats[place]), func(l line, weight int64) int { return cmp.Compare(l.weight, weight) })
	if !of {
		u.got.add(place)
		return true
	}
	l := &u.lines[i]
	l.remove(u.find(l, place))
	// They are owed less now, and have another lot.
	u.got.add(place)
	block, at := u.find(l, place)
	l.insert(block, at, int32(place)) // #nosec G115 -- a seat
	return true
}

// find answers where in its line a seat stands, or belongs.
func (u *run) find(l *line, place int) (block, at int) {
	self := u.rank(int32(place)) // #nosec G115 -- a seat
	return l.find(func(other int32) bool { return u.compare(u.rank(other), self) < 0 })
}

// line puts the seats into lines.
func (u *run) line(tie tieBreak) {
	by := map[int64][]rank{}
	u.lots = make([]uint64, len(u.seats))
	for place, seat := range u.seats {
		u.lots[place] = tie.of(seat.Member)
		if weight := share(seat); weight > 0 {
			by[weight] = append(by[weight], u.rank(int32(place))) // #nosec G115 -- a seat
		}
	}
	// any order: each is sorted by itself, and then they are
	for weight, ranks := range by {
		slices.SortFunc(ranks, u.compare)
		places := make([]int32, len(ranks))
		for i, k := range ranks {
			places[i] = k.place
		}
		u.lines = append(u.lines, newLine(weight, places))
	}
	slices.SortFunc(u.lines, func(a, b line) int { return cmp.Compare(a.weight, b.weight) })
}

// rank is that of a seat. To compare two of one weight it does not matter how many turns
// the run has had.
func (u *run) rank(place int32) rank {
	a := &u.accounts[place]
	count := a.Count + int64(u.got.of(int(place)))
	return rank{a.Quota - count, a.Part, a.Rest, lot(u.lots[place], count), place}
}

func (u *run) compare(a, b rank) int {
	switch {
	case a.owed != b.owed:
		return cmp.Compare(b.owed, a.owed)
	case a.part != b.part:
		return cmp.Compare(b.part, a.part)
	case a.rest != b.rest:
		return cmp.Compare(b.rest, a.rest)
	case a.lot != b.lot:
		return cmp.Compare(a.lot, b.lot)
	}
	return cmp.Compare(u.seats[a.place].Member, u.seats[b.place].Member)
}

// order is the rotation's order of the seats: the first of each line.
func (u *run) order(tie tieBreak, most int) (nearest []int) {
	var best []seated
	for _, l := range u.lines {
		for _, place := range l.first(most) {
			s := seated{u.account(int(place)).stands(l.weight, u.sum), int(place)}
			s.member = u.seats[place].Member
			if len(best) == most && !tie.before(s.standing, best[most-1].standing) {
				// Nor is anybody behind them.
				break
			}
			best = among(best, s, most, func(a, b seated) bool { return tie.before(a.standing, b.standing) })
		}
	}
	for _, s := range best {
		nearest = append(nearest, s.at)
	}
	return nearest
}
