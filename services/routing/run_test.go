package routing

import (
	"encoding/json"
	"maps"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// turnByTurn is the rotation as decision 0010 says it: every turn looks at every seat and
// moves every account. What the rotation holds and answers is what this one does.
type turnByTurn struct {
	turns    int64
	accounts map[string]*account
}

func (r *turnByTurn) open(member string) *account {
	if r.accounts[member] == nil {
		r.accounts[member] = new(account)
	}
	return r.accounts[member]
}

func (r *turnByTurn) account(member string) account {
	if a := r.accounts[member]; a != nil {
		return *a
	}
	return account{}
}

func earnOnce(a account, weight, sum int64) account {
	hi, lo := bits.Mul64(uint64(weight), unit)
	parts, rest := bits.Div64(hi, lo, uint64(sum))
	if a.Rest += int64(rest); a.Rest >= sum {
		a.Rest -= sum
		parts++
	}
	if a.Part += int64(parts); a.Part >= unit {
		a.Part -= unit
		a.Quota++
	}
	return a
}

// order answers the seats in the order in which they would be chosen, and their windows.
func (r *turnByTurn) order(eligible []Seat, tie tieBreak) (members []string, windows map[string]Window) {
	c := &turnByTurn{r.turns, map[string]*account{}}
	for member, a := range r.accounts {
		own := *a
		c.accounts[member] = &own
	}
	c.settle(eligible)
	var all []standing
	windows = map[string]Window{}
	sum := sumOf(eligible)
	for _, s := range eligible {
		windows[s.Member] = Window{}
		if weight := share(s); weight > 0 {
			now := c.account(s.Member).over(sum)
			from, to := now.window(weight, sum)
			windows[s.Member] = Window{r.turns + from, r.turns + to}
			all = append(all, standing{member: s.Member, after: earnOnce(now, weight, sum), may: from == 1, from: from, by: to})
		}
	}
	slices.SortFunc(all, func(a, b standing) int {
		switch {
		case tie.before(a, b):
			return -1
		case tie.before(b, a):
			return 1
		}
		return 0
	})
	for _, s := range all {
		members = append(members, s.member)
	}
	return members, windows
}

func (r *turnByTurn) settle(eligible []Seat) {
	// What is kept and given back is the same code's: nothing of it is put off.
	same := &Rotation{accounts: r.accounts, keeps: true}
	same.settle(eligible)
}

func (r *turnByTurn) take(eligible, owed []Seat, chosen string) {
	r.settle(eligible)
	sum := sumOf(eligible)
	for _, s := range eligible {
		if weight := share(s); weight > 0 {
			a := r.open(s.Member)
			*a = earnOnce(a.over(sum), weight, sum)
		}
	}
	r.open(chosen).Count++
	r.turns++
	absent := sumOf(owed)
	if sum == 0 || absent == 0 {
		return
	}
	var kept int64
	for _, s := range owed {
		if share(s) > 0 {
			parts := partsOf(share(s), unit, sum+absent)
			r.open(s.Member).keep(parts)
			kept += parts
		}
	}
	left := kept
	for _, s := range eligible {
		if share(s) > 0 {
			parts := partsOf(share(s), kept, sum)
			r.open(s.Member).keep(-parts)
			left -= parts
		}
	}
	r.open(chosen).keep(-left)
}

func (r *turnByTurn) adjust(member string, leads int64, others []Seat) {
	same := &Rotation{accounts: r.accounts}
	same.Adjust(member, leads, others)
	r.accounts = same.present()
}

// Whatever comes - turns of the same people, other people and weights, somebody without a
// share or a seat, changes by hand, leave with a share kept, drafts that are thrown away,
// restarts - the books are those of turn by turn, and so is who comes first, second and
// on to the tenth.
//
// Goes red if: a fraction is lost between the turns of a run, a run goes on over an
// adjustment or a change of its seats, somebody stays at their place in line when they
// get a lead or keep their lot with it, equals stand by their names, a draft shares its
// lines, or a stored form is written as it was when the run began.
func TestRunsAreTurnByTurn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n := rapid.SampledFrom([]int{1, 3, 12, largePool + 1, largePool + 30}).Draw(t, "members")
		top := rapid.SampledFrom([]int64{1, 2, 9, 1 << 40}).Draw(t, "top")
		pool := turnSeed(random.Int64())
		one, r := &turnByTurn{accounts: map[string]*account{}}, &Rotation{pool: pool}
		// Large pools' steps say what has changed of their seats.
		large, eligible := n > largePool, allOf(random, n, top)
		turn := func(r *Rotation) {
			seats := eligible
			if large && random.IntN(8) > 0 {
				r.change(r.since(eligible))
				seats = r.seats
			}
			facing := r.facing(seats)
			nearest := facing.order(seats, facing.lots(), namedEligible)
			if len(nearest) > 0 {
				r.TakeOwing(seats, nil, seats[nearest[0]].Member)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch random.IntN(20) {
			case 0:
				eligible = allOf(random, n, top)
				eligible = eligible[:random.IntN(n+1)]
			case 1:
				eligible = slices.Clone(eligible)
				if i := random.IntN(n); i < len(eligible) {
					eligible = slices.Delete(eligible, i, i+1)
				}
			case 2:
				others := allOf(random, n, top)
				if len(others) > 1 {
					leads := random.Int64N(9) - 4
					one.adjust(others[0].Member, leads, others[1:])
					r.Adjust(others[0].Member, leads, others[1:])
				}
			case 3:
				draft := r.Clone()
				for range random.IntN(5) {
					turn(draft)
				}
			case 4:
				back := &Rotation{pool: pool}
				if err := json.Unmarshal([]byte(storedBooks(t, r)), back); err != nil {
					t.Fatalf("read back: %v", err)
				}
				r = back
			case 5:
				r = r.Clone()
			}
			for range 1 + random.IntN(4) {
				seats := eligible
				if large && random.IntN(8) > 0 {
					r.change(r.since(eligible))
					seats = r.seats
				}
				tie := byLot(pool)
				if random.IntN(8) == 0 {
					// As earlier logics had it.
					tie = byLead(turnSeed(random.Int64()))
				}
				want, windows := one.order(seats, tie)
				facing := r.facing(seats)
				nearest := facing.order(seats, tie, namedEligible)
				var got []string
				for i, w := range facing.windows(seats, nearest) {
					member := seats[nearest[i]].Member
					if got = append(got, member); w != windows[member] {
						t.Fatalf("turn %d: %s has window %v, turn by turn %v", r.turns+1, member, w, windows[member])
					}
				}
				if want = want[:min(len(want), namedEligible)]; !slices.Equal(got, want) {
					t.Fatalf("turn %d of %d seats: %v come first, turn by turn %v", r.turns+1, len(seats), got, want)
				}
				chosen := "somebody else"
				if len(got) > 0 && random.IntN(8) > 0 {
					chosen = got[0]
				} else if len(seats) > 0 && random.IntN(4) > 0 {
					chosen = seats[random.IntN(len(seats))].Member
				}
				var owed []Seat
				if random.IntN(12) == 0 {
					owed = slices.DeleteFunc(allOf(random, n, top), func(s Seat) bool {
						return slices.ContainsFunc(seats, func(other Seat) bool { return other.Member == s.Member })
					})
				}
				one.take(seats, owed, chosen)
				r.TakeOwing(seats, owed, chosen)
			}
			stored, err := json.Marshal(rotationJSON{Unit: unit, Turns: one.turns, Accounts: one.accounts, Seats: r.seats})
			if err != nil {
				t.Fatalf("%v", err)
			}
			if got := storedBooks(t, r); got != string(stored) {
				t.Fatalf("the books are\n%s\nturn by turn\n%s", got, stored)
			}
			for _, member := range slices.Sorted(maps.Keys(one.accounts)) {
				if a := one.account(member); r.account(member) != a || r.Deviation(member).Cmp(a.deviation()) != 0 || r.Count(member) != a.Count {
					t.Fatalf("%s has %+v, turn by turn %+v", member, r.account(member), a)
				}
			}
		}
	})
}

// allOf is all of n members in some order, with some of few weights, and now and then
// somebody without one.
func allOf(random *rand.Rand, n int, top int64) []Seat {
	out := make([]Seat, n)
	some := []int64{1 + random.Int64N(top), 1 + random.Int64N(top), 1}
	for i, at := range random.Perm(n) {
		out[i] = Seat{Member: sharer(at), Weight: some[random.IntN(len(some))]}
		if random.IntN(60) == 0 {
			out[i].Weight = 0
		}
	}
	return out
}

// Many turns at once are as many one after the other, whatever the weights.
func TestEarnAtOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sum := rapid.Int64Range(1, 1<<45).Draw(t, "sum")
		weight := rapid.Int64Range(0, min(sum, largestWeight)).Draw(t, "weight")
		a := account{Part: rapid.Int64Range(0, unit-1).Draw(t, "part"), Rest: rapid.Int64Range(0, sum-1).Draw(t, "rest"), Of: sum}
		turns := rapid.Int64Range(0, 300).Draw(t, "turns")
		want := a
		for range turns {
			want = earnOnce(want, weight, sum)
		}
		if got := a.earn(weight, sum, turns); got != want {
			t.Fatalf("%d turns at once give %+v, one after the other %+v", turns, got, want)
		}
		// Far beyond what any test can play: quota is exact there as well.
		far := rapid.Int64Range(0, 1<<55).Draw(t, "far")
		got := a.earn(weight, sum, far).deviation()
		exact := new(big.Rat).Mul(big.NewRat(far, 1), big.NewRat(weight, sum))
		if exact.Sub(a.deviation(), exact); got.Cmp(exact) != 0 {
			t.Fatalf("after %d turns %v, want %v", far, got, exact)
		}
	})
}
