package routing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
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

// Whoever was owed exactly as much as the one who got the turn is noted, and the sentence
// and the answer to why not say that lots decided; where the turn was somebody's alone
// they do not. Earlier logics drew for each lead, and note and say nothing of it.
//
// Goes red if: an offer notes all or none as level, its sentence leaves the lot out, or
// an earlier logic draws by lots.
func TestLotsAreSaid(t *testing.T) {
	t.Parallel()
	for people, named := range map[int]int{3: 3, largePool + 10: namedEligible} {
		var members []string
		for i := range people {
			members = append(members, sharer(i))
		}
		w := newWorld(t, shareDocument(t, slices.Repeat([]int64{1}, people)), members...)
		for turn := range people {
			id := fmt.Sprintf("l%02d", turn)
			w.qualify(id, 80)
			drew := map[string]bool{}
			for i := range 30 {
				by, _ := w.nextBy(third, changed(qualified(80), func(s *lead.State) { s.ID = fmt.Sprintf("%s-%d", id, i) })).Body.(*leadv1.LeadOffered)
				drew[by.GetMember()] = true
				if strings.Contains(by.GetSummary(), "lot of") || slices.ContainsFunc(by.GetConsidered(), (*leadv1.Candidate).GetLevel) {
					t.Fatalf("%s says of lots: %v", third, by)
				}
			}
			w.settle()
			o := w.offerOf(id)
			left := people - turn
			level := 0
			for _, c := range o.GetConsidered() {
				if c.GetLevel() {
					level++
					if _, text := whyOther(c, o, true); text != c.GetMember()+" could have taken it, but it was "+o.GetMember()+"'s turn: both were owed exactly as much, and the lot of "+o.GetMember()+" came first. Everybody has another lot with each turn they get." {
						t.Errorf("lead %d of %d: why not %s: %s", turn, people, c.GetMember(), text)
					}
				}
			}
			says := strings.HasSuffix(o.GetSummary(), fmt.Sprintf("; others are owed exactly as much, and the lot of %s comes first.", o.GetMember()))
			if want := min(named, left) - 1; level != want || says != (want > 0) {
				t.Errorf("lead %d of %d: %d are level, want %d; the sentence is %s", turn, people, level, want, o.GetSummary())
			}
			if left > 3 && len(drew) < 3 || left == 1 && len(drew) != 1 {
				t.Errorf("lead %d of %d: by %s it could go to %v", turn, people, third, drew)
			}
		}
		w.wellKept()
	}
}

// Whoever goes on from kept rows draws the lots of whoever folded the log.
//
// Goes red if: a restored rotation forgets whose it is.
func TestLotsOutliveARestart(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 12 {
		members = append(members, sharer(i))
	}
	w := newWorld(t, shareDocument(t, slices.Repeat([]int64{1}, len(members))), members...)
	for n := range 2 * len(members) {
		again := carriedOver(t, w.folds.groups)
		next := NewTurn(again, w.folds.roster, w.folds.register, w.folds.people, w.now).Next(qualified(80))
		if diff := cmp.Diff(w.next(qualified(80)), next, protocmp.Transform()); diff != "" {
			t.Fatalf("lead %d: what is next (-of the log +of the kept rows)\n%s", n, diff)
		}
		w.qualify(fmt.Sprintf("l%02d", n), 80)
		w.settle()
	}
	w.wellKept()
}
