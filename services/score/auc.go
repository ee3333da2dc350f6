package score

import (
	"math"
	"slices"

	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

// z95 is how many deviations hold 95 of 100 cases.
const z95 = 1.959963984540054

// placements answers, for each lead, the share of the leads of the other kind
// that it stands on the right side of: above them if it is a yes, below them if
// it is a no; a tie is half. Their means are both the AUC.
func placements(scores []int64, yes []bool) (ofYes, ofNo []float64) {
	var pos, neg []int64
	for i, s := range scores {
		if yes[i] {
			pos = append(pos, s)
		} else {
			neg = append(neg, s)
		}
	}
	sortedPos, sortedNeg := slices.Sorted(slices.Values(pos)), slices.Sorted(slices.Values(neg))
	below := func(sorted []int64, s int64) float64 {
		from, _ := slices.BinarySearch(sorted, s)
		to, _ := slices.BinarySearch(sorted, s+1)
		return (float64(from) + float64(to)) / 2 / float64(len(sorted))
	}
	for _, s := range pos {
		ofYes = append(ofYes, below(sortedNeg, s))
	}
	for _, s := range neg {
		ofNo = append(ofNo, 1-below(sortedPos, s))
	}
	return ofYes, ofNo
}

// auc is the chance that a lead with the outcome scores above one without, with
// the interval of DeLong (E. DeLong, D. DeLong and D. Clarke-Pearson, Comparing
// the areas under two or more correlated receiver operating characteristic
// curves: a nonparametric approach, Biometrics 44, 1988, pages 837-845).
// It needs two of either kind.
func auc(scores []int64, yes []bool) *scorev1.Estimate {
	ofYes, ofNo := placements(scores, yes)
	at := mean(ofYes)
	half := z95 * math.Sqrt(covariance(ofYes, ofYes)/float64(len(ofYes))+covariance(ofNo, ofNo)/float64(len(ofNo)))
	return &scorev1.Estimate{Value: millionths(at), Low: millionths(max(at-half, 0)), High: millionths(min(at+half, 1))}
}

// gain is how much greater the AUC of one score is than that of another on the
// same leads, with the interval of the difference by the same authors.
func gain(one, other []int64, yes []bool) *scorev1.Estimate {
	yes1, no1 := placements(one, yes)
	yes2, no2 := placements(other, yes)
	at := mean(yes1) - mean(yes2)
	of := func(a, b []float64) float64 {
		return (covariance(a, a) + covariance(b, b) - 2*covariance(a, b)) / float64(len(a))
	}
	half := z95 * math.Sqrt(max(of(yes1, yes2)+of(no1, no2), 0))
	return &scorev1.Estimate{Value: millionths(at), Low: millionths(at - half), High: millionths(at + half)}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func covariance(a, b []float64) float64 {
	ma, mb, sum := mean(a), mean(b), 0.0
	for i := range a {
		sum += (a[i] - ma) * (b[i] - mb)
	}
	return sum / float64(len(a)-1)
}

func millionths(x float64) int64 { return int64(math.Round(x * 1e6)) }

// index is the population stability index of two counts over the same cells, in
// millionths: the sum of (b-a)*ln(b/a) over their shares. Half a lead is added
// to each cell, so that an empty one does not make it endless. Below 0.1 nothing
// has moved, from 0.25 on it has (N. Siddiqi, Credit Risk Scorecards, 2006,
// chapter on monitoring).
func index(then, now []int64) int64 {
	total := func(counts []int64) float64 {
		sum := 0.0
		for _, n := range counts {
			sum += float64(n) + 0.5
		}
		return sum
	}
	a, b, sum := total(then), total(now), 0.0
	for i := range then {
		p, q := (float64(then[i])+0.5)/a, (float64(now[i])+0.5)/b
		sum += (q - p) * math.Log(q/p)
	}
	return millionths(sum)
}
