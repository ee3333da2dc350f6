package report

import (
	"math"
	"slices"
	"time"
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

	upTo1h, from1hTo24h, over24h, never, unanswered int64
	// seconds to the first answer, among those answered within the horizon; in the
	// report on definitions from the first offer to the first acceptance.
	seconds []float64
	ordered bool

	// In the reports that are by person. Of the last two the total is counted by
	// itself, since one lead may have been with several people.
	turns  turnBooks
	chance chanceBooks
	load   loadBooks
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
	t.upTo1h += o.upTo1h
	t.from1hTo24h += o.from1hTo24h
	t.over24h += o.over24h
	t.never += o.never
	t.unanswered += o.unanswered
	t.seconds = append(t.seconds, o.seconds...)
	t.ordered = false
	t.turns.add(&o.turns)
}

// answer counts one lead by how long its first answer took. No touch is the
// zero time; asOf is the instant the report speaks for.
func (t *tally) answer(received, touch, asOf time.Time, horizon time.Duration) {
	t.received++
	took := max(touch.Sub(received), 0)
	answered := !touch.IsZero() && !touch.After(asOf)
	switch {
	case answered && took <= min(time.Hour, horizon):
		t.upTo1h++
	case answered && took <= min(24*time.Hour, horizon):
		t.from1hTo24h++
	case answered && took <= horizon:
		t.over24h++
	case !answered && asOf.Sub(received) < horizon:
		t.unanswered++
		return
	default:
		t.never++
		return
	}
	t.seconds = append(t.seconds, took.Seconds())
	t.ordered = false
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
