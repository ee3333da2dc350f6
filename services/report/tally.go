package report

import (
	"math"
	"slices"
)

// tally is what one row of a report has counted. All of it adds up: the tally of
// a whole is the sum over any split.
type tally struct {
	received, refused, duplicates    int64
	mql, sal, sql                    int64
	offered, accepted, rejected      int64
	offeredAccepted, offeredRejected int64
	won, lost, open                  int64
	returned                         int64

	// seconds from the first offer to the first acceptance.
	seconds []float64
	ordered bool

	// In the reports that are by person. Of the last two the total is counted by
	// itself, since one lead may have been with several people.
	turns  turnBooks
	chance chanceBooks
	load   loadBooks

	// In the reports on a campaign and on growth, by hand too.
	effect effectBooks
	growth growthBooks
}

func (t *tally) add(o *tally) {
	t.received += o.received
	t.refused += o.refused
	t.duplicates += o.duplicates
	t.mql += o.mql
	t.sal += o.sal
	t.sql += o.sql
	t.offered += o.offered
	t.accepted += o.accepted
	t.rejected += o.rejected
	t.offeredAccepted += o.offeredAccepted
	t.offeredRejected += o.offeredRejected
	t.won += o.won
	t.lost += o.lost
	t.open += o.open
	t.returned += o.returned
	t.seconds = append(t.seconds, o.seconds...)
	t.ordered = false
	t.turns.add(&o.turns)
}

// sorted orders the seconds, so that sums over them do not depend on the order
// in which leads were read.
func (t *tally) sorted() []float64 {
	if !t.ordered {
		slices.Sort(t.seconds)
		t.ordered = true
	}
	return t.seconds
}

func mean(sorted []float64) float64 {
	sum := 0.0
	for _, v := range sorted {
		sum += v
	}
	return sum / float64(len(sorted))
}

func median(sorted []float64) float64 {
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

func p90(sorted []float64) float64 {
	return sorted[int(math.Ceil(0.9*float64(len(sorted))))-1]
}
