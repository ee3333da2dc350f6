package routing

import (
	"cmp"
	"math"
	"slices"
)

// Turns of the same seats. While the same people with the same weights take turns, each
// of them earns the same at every turn: what their accounts hold follows from what they
// held at the beginning, how many turns there were, and how many leads they got. So a
// turn touches one account, however many people share the pool; and among those of one
// weight nobody overtakes anybody but by who gets the lead.

// run is the turns that one set of seats has had, one after the other.
type run struct {
	seats []Seat
	sum   int64
	turns int64
	// accounts are those of the seats when the run began, in terms of sum; copies share
	// them. got is how many leads each got since.
	accounts []account
	got      []int32
	// places are where the seats of many people are found, by name; copies share them.
	places map[string]int
	// lines are the seats that have a share, those of one weight in each; nil = they
	// are few, or it is not known yet that the run lasts.
	lines []line
	// alike is how much of the name of the seat before each name begins with, once there
	// are lines; copies share it.
	alike []uint16
}

// line is the seats of one weight, those first who are owed more, and among equals in the
// order of the seats.
type line struct {
	weight int64
	places []int32
}

// begin begins a run. No other is on, and the accounts are as they stand.
func (r *Rotation) begin(seats []Seat) {
	if !sameSeats(seats, r.seats) {
		// Nobody else changes them.
		seats = slices.Clone(seats)
	}
	u := run{seats: seats, sum: sumOf(seats), accounts: make([]account, len(seats)), got: make([]int32, len(seats))}
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
		c.lines[i].places = slices.Clone(c.lines[i].places)
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
	a.Count += int64(u.got[place])
	return a
}

// take records a turn. It says whether the chosen has a seat.
func (u *run) take(chosen string) bool {
	u.turns++
	if u.turns == 2 && u.places != nil {
		u.line()
	}
	place, seated := u.place(chosen)
	if !seated {
		return false
	}
	i, of := slices.BinarySearchFunc(u.lines, share(u.seats[place]), func(l line, weight int64) int { return cmp.Compare(l.weight, weight) })
	if !of {
		u.got[place]++
		return true
	}
	places := u.lines[i].places
	from, _ := slices.BinarySearchFunc(places, int32(place), u.compare)
	u.got[place]++
	// They are owed less now: whoever comes before them moves up.
	to, _ := slices.BinarySearchFunc(places[from+1:], int32(place), u.compare)
	copy(places[from:], places[from+1:from+1+to])
	places[from+to] = int32(place)
	return true
}

// line puts the seats into lines.
func (u *run) line() {
	by := map[int64]int{}
	u.alike = make([]uint16, len(u.seats))
	for place, seat := range u.seats {
		if place > 0 {
			u.alike[place] = alike(u.seats[place-1].Member, seat.Member)
		}
		weight := share(seat)
		if weight == 0 {
			continue
		}
		i, known := by[weight]
		if !known {
			i, by[weight] = len(u.lines), len(u.lines)
			u.lines = append(u.lines, line{weight: weight})
		}
		u.lines[i].places = append(u.lines[i].places, int32(place))
	}
	for _, l := range u.lines {
		slices.SortFunc(l.places, u.compare)
	}
	slices.SortFunc(u.lines, func(a, b line) int { return cmp.Compare(a.weight, b.weight) })
}

// compare says who of two of one weight comes first in their line. To the unit this is
// so at every turn of the run; fractions of one may make them equal at some.
func (u *run) compare(a, b int32) int {
	return cmp.Or(-u.owed(a, b), cmp.Compare(a, b))
}

// owed compares what two of one weight are owed.
func (u *run) owed(a, b int32) int {
	x, y := &u.accounts[a], &u.accounts[b]
	return cmp.Or(
		cmp.Compare(x.Quota-x.Count-int64(u.got[a]), y.Quota-y.Count-int64(u.got[b])),
		cmp.Compare(x.Part, y.Part), cmp.Compare(x.Rest, y.Rest))
}

// order is the rotation's order of the seats: the first of each line.
func (u *run) order(seed string, most int) (nearest []int) {
	tie := tieBreak{seed: seed}
	var best []seated
	for _, l := range u.lines {
		for asked, rest := 0, l.places; asked < most && len(rest) > 0; {
			equal, s := u.equals(rest, l.weight)
			for _, place := range u.first(&tie, equal, most) {
				s.member = u.seats[place].Member
				best = among(best, seated{s, int(place)}, most, func(a, b seated) bool { return tie.before(a.standing, b.standing) })
			}
			asked, rest = asked+len(equal), rest[len(equal):]
		}
	}
	for _, s := range best {
		nearest = append(nearest, s.at)
	}
	return nearest
}

// equals answers those at the head of a line whom only the seed tells apart, and how
// they stand.
func (u *run) equals(places []int32, weight int64) ([]int32, standing) {
	head := u.account(int(places[0])).stands(weight, u.sum)
	for n := 0; ; {
		// Who is owed the same stands the same, and they are next to each other.
		more, _ := slices.BinarySearchFunc(places[n:], places[n], func(place, first int32) int {
			if u.owed(place, first) == 0 {
				return -1
			}
			return 1
		})
		if n += more; n == len(places) || !u.account(int(places[n])).stands(weight, u.sum).level(head) {
			return places[:n], head
		}
	}
}

// first answers those of some places who come first by the seed, so many at most. Names
// that follow each other begin alike, and what is alike is hashed once.
func (u *run) first(tie *tieBreak, places []int32, most int) []int32 {
	type lot struct {
		draw  uint64
		place int32
	}
	before := func(a, b lot) bool {
		return a.draw < b.draw || a.draw == b.draw && u.seats[a.place].Member < u.seats[b.place].Member
	}
	lots := make([]lot, 0, most)
	// hashed are the hashes of the first so many bytes of the name before.
	hashed := append(make([]uint64, 0, 64), tie.begin())
	last := places[0]
	for _, place := range places {
		known := len(hashed) - 1
		for ; last < place; last++ {
			known = min(known, int(u.alike[last+1]))
		}
		name, h := u.seats[place].Member, hashed[known]
		hashed = hashed[:known+1]
		for i := known; i < len(name); i++ {
			h = mix(h, name[i])
			hashed = append(hashed, h)
		}
		if h = finish(h); len(lots) < most || h <= lots[most-1].draw {
			lots = among(lots, lot{h, place}, most, before)
		}
	}
	out := make([]int32, len(lots))
	for i, l := range lots {
		out[i] = l.place
	}
	return out
}

// alike counts the bytes with which two names both begin.
func alike(a, b string) uint16 {
	n := 0
	for n < min(len(a), len(b), math.MaxUint16) && a[n] == b[n] {
		n++
	}
	return uint16(n)
}
