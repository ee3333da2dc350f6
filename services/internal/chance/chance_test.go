package chance

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSpreads holds the exact distributions against enumeration.
func TestSpreads(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		ps := map[float64]int{}
		var each []float64
		for range 1 + random.IntN(3) {
			p := []float64{0, 0.1, 1.0 / 3, 0.5, 0.9, 1}[random.IntN(6)]
			n := 1 + random.IntN(4)
			ps[p] += n
			for range n {
				each = append(each, p)
			}
		}
		want := make([]float64, len(each)+1)
		for outcome := range 1 << len(each) {
			p, n := 1.0, 0
			for i, q := range each {
				if outcome>>i&1 == 1 {
					p *= q
					n++
				} else {
					p *= 1 - q
				}
			}
			want[n] += p
		}
		var parts []Spread
		for _, p := range slices.Sorted(maps.Keys(ps)) {
			parts = append(parts, Binomial(ps[p], p))
		}
		got := Sum(parts)
		for n, w := range want {
			if math.Abs(got.of(n)-w) > 1e-12 {
				t.Fatalf("%v: %d with probability %v; want %v", ps, n, got.of(n), w)
			}
		}
	}
	for n := range 9 {
		for m := range n + 1 {
			for k := range n + 1 {
				s := Hypergeometric(n, m, k)
				ways, all := map[int]float64{}, 0.0
				for drawn := range 1 << n {
					got, good := 0, 0
					for i := range n {
						if drawn>>i&1 == 1 {
							got++
							if i < m {
								good++
							}
						}
					}
					if got == k {
						ways[good]++
						all++
					}
				}
				for x := range n + 1 {
					if math.Abs(s.of(x)-ways[x]/all) > 1e-12 {
						t.Fatalf("%d of %d good, %d drawn: %d with probability %v; want %v", m, n, k, x, s.of(x), ways[x]/all)
					}
				}
			}
		}
	}
	// Far out, against the normal distribution with a correction for whole numbers.
	s := Binomial(10_000, 0.25)
	if got, want := s.Extreme(2500+180), math.Erfc(179.5/math.Sqrt(1875)/math.Sqrt2); math.Abs(math.Log(got/want)) > 0.2 {
		t.Errorf("180 above 2,500 with probability %v; want near %v", got, want)
	}
}

// of is the probability of one number.
func (s Spread) of(n int) float64 {
	if s.Sure() {
		if n == s.from {
			return 1
		}
		return 0
	}
	if n < s.from || n >= s.from+len(s.at) {
		return 0
	}
	return s.at[n-s.from]
}
