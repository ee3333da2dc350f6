package recount

import (
	"math"
	"slices"
	"sort"
)

// put counts a case of a lead.
func (r *Row) put(of *recipe, id string, c *found) {
	if r.Leads == nil {
		r.Leads, r.words, r.samples, r.money = map[string]map[string]float64{}, map[string]map[string]bool{}, map[string][]float64{}, map[string]int64{}
		r.sums, r.top, r.bottom = map[string]float64{}, map[string]float64{}, map[string]float64{}
	}
	r.Cases++
	list := func(name string, n float64) {
		if r.Leads[name] == nil {
			r.Leads[name] = map[string]float64{}
		}
		r.Leads[name][id] += n
	}
	for name, n := range c.counts { // any order: each by itself
		r.sums[name] += n
		list(name, n)
	}
	for name, parts := range of.shares { // any order: each by itself
		if !slices.ContainsFunc(parts[1:], func(below string) bool { return c.counts[below] != 0 }) {
			continue
		}
		r.bottom[name]++
		if c.counts[parts[0]] != 0 {
			r.top[name]++
			list(name, 1)
		}
	}
	for name, word := range c.different { // any order: each by itself
		if r.words[name] == nil {
			r.words[name] = map[string]bool{}
		}
		if word != "" {
			r.words[name][word] = true
		}
	}
	for figure, from := range of.samples { // any order: each by itself
		if v, ok := c.samples[from[0]]; ok {
			r.samples[figure] = append(r.samples[figure], v)
			list(figure, v)
		}
	}
	if c.won {
		r.sums["won deals"]++
		if c.minor != 0 {
			r.money[c.currency] += c.minor
			list("value", float64(c.minor))
		}
		list("mean_value", float64(c.minor))
	}
}

// currency is the one in which won deals are; empty = in none, or in several.
func (r *Row) currency() string {
	if len(r.money) == 1 {
		for c := range r.money { // any order: there is one
			return c
		}
	}
	return ""
}

// minorOf is how many minor units the currencies of the tests have.
var minorOf = map[string]float64{"EUR": 100, "CHF": 100, "JPY": 1, "KWD": 1000}

// figures makes the figures of a row of the cases that it counts.
func (r *Row) figures(of *recipe, currency string) {
	r.Figures = map[string]float64{}
	for _, name := range of.counts {
		r.Figures[name] = r.sums[name]
	}
	for name := range of.shares { // any order: each by itself
		k, n := r.top[name], r.bottom[name]
		r.Figures[name] = k / n // 0/0 is NaN: there is none
		if of.bounded {
			r.Figures[name+"_low"], r.Figures[name+"_high"] = bounds(k, n)
		}
	}
	for name, parts := range of.quotients { // any order: each by itself
		r.Figures[name] = math.NaN()
		if r.sums[parts[1]] != 0 {
			r.Figures[name] = r.sums[parts[0]] / r.sums[parts[1]]
		}
	}
	for _, name := range of.different {
		r.Figures[name] = float64(len(r.words[name]))
	}
	for name, from := range of.samples { // any order: each by itself
		r.Figures[name] = middles[from[1]](r.samples[name])
	}
	for _, name := range of.money {
		minor, known := minorOf[currency]
		v := math.NaN()
		if known {
			v = float64(r.money[currency]) / minor
		}
		if name == "mean_value" {
			v /= r.sums["won deals"] // of none: nothing divided by nothing
		}
		r.Figures[name] = v
		for id := range r.Leads[name] { // any order: each by itself
			r.Leads[name][id] /= minor
		}
	}
}

// middles are what is made of many values; NaN of none.
var middles = map[string]func([]float64) float64{
	"mean": func(values []float64) float64 {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum / float64(len(values))
	},
	"median": func(values []float64) float64 {
		n := len(values)
		if n == 0 {
			return math.NaN()
		}
		sort.Float64s(values)
		return (values[(n-1)/2] + values[n/2]) / 2
	},
	// The smallest value that at least nine of ten do not exceed.
	"p90": func(values []float64) float64 {
		sort.Float64s(values)
		for i, v := range values {
			if 10*(i+1) >= 9*len(values) {
				return v
			}
		}
		return math.NaN()
	},
}

// bounds solve the score equation by halving: the shares p whose distance from k of n is
// as many standard errors as 95 % allow, the error being that of p.
func bounds(k, n float64) (low, high float64) {
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	z := math.Sqrt2 * math.Erfinv(0.95)
	seen := k / n
	outside := func(p float64) bool { return math.Abs(seen-p) > z*math.Sqrt(p*(1-p)/n) }
	edge := func(in, out float64) float64 {
		for range 60 {
			if mid := (in + out) / 2; outside(mid) {
				out = mid
			} else {
				in = mid
			}
		}
		return in
	}
	low, high = edge(seen, 0), edge(seen, 1)
	// Nobody, and everybody, are possible where that is what was seen.
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return low, high
}
