// Package chance says how probable numbers are that come about by chance. What it promises:
// exact spreads, but for values of a probability below 1e-18, of numbers up to hundreds of
// thousands; what a finding or an alarm makes of them is for whoever asks.
package chance

import (
	"cmp"
	"math"
	"slices"
)

// negligible is the probability below which a value is left out of a spread. What is
// lost that way is far below any level that somebody rests a finding on.
const negligible = 1e-18

// Spread is how probable each number is. The zero value is nought, surely.
type Spread struct {
	// at[i] is the probability of from+i; where there is none it is from, surely.
	from int
	at   []float64
}

// Sure says whether there is but one number.
func (s Spread) Sure() bool { return len(s.at) == 0 }

// Binomial is how many of n come about if each does with probability p.
func Binomial(n int, p float64) Spread {
	switch {
	case n <= 0 || p <= 0:
		return Spread{}
	case p >= 1:
		return Spread{from: n}
	}
	mode := min(int(float64(n+1)*p), n)
	log := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	top := math.Exp(log(float64(n)) - log(float64(mode)) - log(float64(n-mode)) + float64(mode)*math.Log(p) + float64(n-mode)*math.Log1p(-p))
	odds := p / (1 - p)
	return around(mode, 0, n, top, func(k int) float64 { return odds * float64(n-k) / float64(k+1) })
}

// Hypergeometric is how many good ones are among k drawn out of n of which m are good.
func Hypergeometric(n, m, k int) Spread {
	low, high := max(0, k-(n-m)), min(k, m)
	if low >= high {
		return Spread{from: low}
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
func around(mode, low, high int, top float64, ratio func(int) float64) Spread {
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
	return Spread{from: mode - len(below), at: slices.Concat(below, []float64{top}, above)}
}

// Plus is the spread of the sum of two numbers that do not depend on each other.
func (s Spread) Plus(o Spread) Spread {
	switch {
	case s.Sure():
		return Spread{from: s.from + o.from, at: o.at}
	case o.Sure():
		return Spread{from: s.from + o.from, at: s.at}
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
	return Spread{from: s.from + o.from + first, at: sum[first:last]}
}

// Extreme is how probable a number is that lies as far out as n, on either side: twice
// the smaller of the two tails, at most 1.
func (s Spread) Extreme(n int) float64 {
	return min(1, 2*min(s.AtMost(n), s.AtLeast(n)))
}

// Sum adds spreads up, the narrow ones first: one by one, that is the least work.
func Sum(parts []Spread) Spread {
	slices.SortStableFunc(parts, func(a, b Spread) int { return cmp.Compare(len(a.at), len(b.at)) })
	var sum Spread
	for _, p := range parts {
		sum = sum.Plus(p)
	}
	return sum
}

// AtLeast is how probable a number is that is as high as n or higher.
func (s Spread) AtLeast(n int) (p float64) {
	if s.Sure() && n <= s.from {
		return 1
	}
	for i, each := range s.at {
		if s.from+i >= n {
			p += each
		}
	}
	return min(1, p)
}

// AtMost is how probable a number is that is as low as n or lower.
func (s Spread) AtMost(n int) (p float64) {
	if s.Sure() && n >= s.from {
		return 1
	}
	for i, each := range s.at {
		if s.from+i <= n {
			p += each
		}
	}
	return min(1, p)
}
