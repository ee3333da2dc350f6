package routing

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// chiSquare is the sum of squares of counts against all being equal.
func chiSquare(counts []int) (chi float64) {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	want := float64(sum) / float64(len(counts))
	for _, n := range counts {
		chi += (float64(n) - want) * (float64(n) - want) / want
	}
	return chi
}

// equals are groups of names that are alike in some way, with the 99.9 % points of
// chi-square for as many cells, and for the square of as many.
var equals = []struct {
	names       []string
	limit, both float64
}{
	{[]string{"ana", "ben"}, 10.83, 16.27},
	{[]string{"m1", "m2", "m3", "m4", "m5"}, 18.47, 51.18},
	{[]string{"a", "aa", "aaa", "b", "ba", "zz", "z", "ab", "abc", "c"}, 27.88, 148.23},
}

func equally(names []string) []Seat {
	out := make([]Seat, len(names))
	for i, name := range names {
		out[i] = Seat{name, 1}
	}
	return out
}

// Ties have no standing bias: over many pools, or many leads, each of n equals is first
// equally often, whatever their names and seats, and so is each second. 20,000 fixed
// pools; the sum of squares stays under the 99.9 % point of chi-square.
//
// Goes red if: ties fall to the first seat or the lowest name, the lots of a pool are
// those of another one, or the hash loses its finishing steps (near names then get near
// lots).
func TestTiesHaveNoStandingBias(t *testing.T) {
	t.Parallel()
	for _, c := range equals {
		eligible := equally(c.names)
		const draws = 20_000
		counts := map[string][]int{"first": make([]int, len(c.names)), "second": make([]int, len(c.names)), "lead's": make([]int, len(c.names))}
		for i := range int64(draws) {
			r := Rotation{pool: fmt.Sprintf("pool-%d", i)}
			counts["lead's"][r.order(eligible, byLead(turnSeed(i)), 1)[0]]++
			chosen, _ := r.Choose(eligible)
			counts["first"][chosen]++
			r.Take(eligible, eligible[chosen].Member)
			chosen, _ = r.Choose(eligible)
			counts["second"][chosen]++
		}
		for turn, counts := range counts {
			if chi := chiSquare(counts); chi > c.limit {
				t.Errorf("%v: the %s turn fell %v, chi-square %.1f over %.1f", c.names, turn, counts, chi, c.limit)
			}
		}
	}
}

// Nor has one pool: over its rounds each of n equals opens a round equally often, and
// whoever opened the last one no more or less often than anybody else. 20,000 pairs of
// rounds, at the 99.9 % point.
//
// Goes red if: a lot does not change with its owner's turns, or changes to one that
// follows from it in order (drop the finishing steps of lot).
func TestLotsAreNewWithEachTurn(t *testing.T) {
	t.Parallel()
	for _, c := range equals {
		eligible, n := equally(c.names), len(c.names)
		r := Rotation{pool: "inside-sales"}
		opens, closes := make([]int, n), make([]int, n)
		both := make([]int, n*n)
		for range 20_000 {
			var first [2]int
			for round := range first {
				for turn := range n {
					chosen, _ := r.Choose(eligible)
					switch turn {
					case 0:
						first[round] = chosen
						opens[chosen]++
					case n - 1:
						closes[chosen]++
					}
					r.Take(eligible, eligible[chosen].Member)
				}
			}
			both[first[0]*n+first[1]]++
		}
		for place, counts := range map[string][]int{"opened by": opens, "closed by": closes} {
			if chi := chiSquare(counts); chi > c.limit {
				t.Errorf("%v: rounds were %s %v, chi-square %.1f over %.1f", c.names, place, counts, chi, c.limit)
			}
		}
		if chi := chiSquare(both); chi > c.both {
			t.Errorf("%v: rounds that follow each other were opened by %v, chi-square %.1f over %.1f", c.names, both, chi, c.both)
		}
	}
}

// The same where people stand in lines: 60 equals, 6,000 rounds, restarted and drafted
// now and then. In each round everybody has one turn, and who opens and who closes it is
// anybody, at the 99.9 % point.
//
// Goes red if: a line does not move by lots, or its lots are not those of a pool of few.
func TestLinesStandByLots(t *testing.T) {
	t.Parallel()
	const people, rounds, limit = 60, 6_000, 98.32
	names := make([]string, people)
	for i := range names {
		names[i] = sharer(i)
	}
	eligible := equally(names)
	slices.SortFunc(eligible, bySeat)
	few := &Rotation{pool: "inside-sales"}
	r := few.Clone()
	opens, closes := make([]int, people), make([]int, people)
	for round := range rounds {
		switch round % 1000 {
		case 300:
			back := &Rotation{pool: r.pool}
			if err := json.Unmarshal([]byte(storedBooks(t, r)), back); err != nil {
				t.Fatal(err)
			}
			r = back
		case 600:
			draft := r.Clone()
			for range 3 * people {
				chosen, _ := draft.Choose(eligible)
				draft.Take(eligible, eligible[chosen].Member)
			}
		}
		served := map[int]bool{}
		for turn := range people {
			chosen := r.order(eligible, r.lots(), 1)[0]
			switch turn {
			case 0:
				opens[chosen]++
				// Who looks at everybody finds the same.
				if want := few.order(eligible, few.lots(), 1)[0]; chosen != want {
					t.Fatalf("round %d: opened by %s, and by %s if everybody is looked at", round, eligible[chosen].Member, eligible[want].Member)
				}
			case people - 1:
				closes[chosen]++
			}
			served[chosen] = true
			r.Take(eligible, eligible[chosen].Member)
		}
		if len(served) != people {
			t.Fatalf("round %d: %d of %d had a turn", round, len(served), people)
		}
		few = &Rotation{pool: r.pool, turns: r.turns, accounts: r.present()}
	}
	for place, counts := range map[string][]int{"opened by": opens, "closed by": closes} {
		if chi := chiSquare(counts); chi > limit {
			t.Errorf("rounds were %s %v, chi-square %.1f over %.1f", place, counts, chi, limit)
		}
	}
}
