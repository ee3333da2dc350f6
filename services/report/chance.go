package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// negligible is the probability below which a value is left out of a spread. What is
// lost that way over a whole report is far below any level that a finding rests on.
const negligible = 1e-18

// spread is how probable each number of leads is: at[i] belongs to from+i. The zero
// value is of no turn at all: nought leads, surely.
type spread struct {
	from int
	at   []float64
}

// binomial is how many of n turns somebody gets who gets each with probability p.
func binomial(n int, p float64) spread {
	switch {
	case n <= 0 || p <= 0:
		return spread{}
	case p >= 1:
		return spread{from: n}
	}
	mode := min(int(float64(n+1)*p), n)
	log := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	top := math.Exp(log(float64(n)) - log(float64(mode)) - log(float64(n-mode)) + float64(mode)*math.Log(p) + float64(n-mode)*math.Log1p(-p))
	odds := p / (1 - p)
	return around(mode, 0, n, top, func(k int) float64 { return odds * float64(n-k) / float64(k+1) })
}

// hypergeometric is how many good ones are among k drawn out of n of which m are good.
func hypergeometric(n, m, k int) spread {
	low, high := max(0, k-(n-m)), min(k, m)
	if low >= high {
		return spread{from: low}
	}
	mode := min(max((k+1)*(m+1)/(n+2), low), high)
	log := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	choose := func(a, b int) float64 { return log(a) - log(b) - log(a-b) }
	top := math.Exp(choose(m, mode) + choose(n-m, k-mode) - choose(n, k))
	return around(mode, low, high, top, func(x int) float64 {
		return float64(m-x) * float64(k-x) / (float64(x+1) * float64(n-m-k+x+1))
	})
}

// around makes a spread out of its most probable value and the ratio of each value's
// probability to the one before it: ratio(k) = P(k+1) / P(k).
func around(mode, low, high int, top float64, ratio func(int) float64) spread {
	var below, above []float64
	for k, p := mode, top; k > low; k-- {
		if p /= ratio(k - 1); p < negligible {
			break
		}
		below = append(below, p)
	}
	for k, p := mode, top; k < high; k++ {
		if p *= ratio(k); p < negligible {
			break
		}
		above = append(above, p)
	}
	slices.Reverse(below)
	return spread{from: mode - len(below), at: slices.Concat(below, []float64{top}, above)}
}

// plus is the spread of the sum of two numbers that do not depend on each other.
func (s spread) plus(o spread) spread {
	switch {
	case len(s.at) == 0:
		return spread{from: s.from + o.from, at: o.at}
	case len(o.at) == 0:
		return spread{from: s.from + o.from, at: s.at}
	}
	sum := make([]float64, len(s.at)+len(o.at)-1)
	for i, p := range s.at {
		for j, q := range o.at {
			sum[i+j] += p * q
		}
	}
	first, last := 0, len(sum)
	for first < last-1 && sum[first] < negligible {
		first++
	}
	for last > first+1 && sum[last-1] < negligible {
		last--
	}
	return spread{from: s.from + o.from + first, at: sum[first:last]}
}

// extreme is how probable a number is that lies as far out as n, on either side: twice
// the smaller of the two tails, at most 1.
func (s spread) extreme(n int) float64 {
	if len(s.at) == 0 {
		if n == s.from {
			return 1
		}
		return 0
	}
	var low, high float64
	for i, p := range s.at {
		if s.from+i <= n {
			low += p
		}
		if s.from+i >= n {
			high += p
		}
	}
	return min(1, 2*min(low, high))
}

// sumOf adds spreads up, the narrow ones first: one by one, that is the least work.
func sumOf(parts []spread) spread {
	slices.SortStableFunc(parts, func(a, b spread) int { return cmp.Compare(len(a.at), len(b.at)) })
	var sum spread
	for _, p := range parts {
		sum = sum.plus(p)
	}
	return sum
}

// turnsGot is how many turns somebody gets who has these probabilities at so many turns
// each, whoever else was there.
func turnsGot(at map[float64]int) spread {
	var parts []spread
	for _, p := range slices.Sorted(maps.Keys(at)) {
		parts = append(parts, binomial(at[p], p))
	}
	return sumOf(parts)
}
