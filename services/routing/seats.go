package routing

import (
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// What a decision on a large pool records: some of its people by name and all of them
// by number, and who is eligible as what has changed of it. So a decision takes no more
// room than one on a small pool.

const (
	// largePool is the most people whom each decision names.
	largePool = 50
	// namedEligible is how many are named of those who could take the lead, namedAlike
	// how many of those who cannot for the same reason.
	namedEligible, namedAlike = 10, 3
)

// named are the considered as a decision records them: everybody, or of many people
// those of keep, those who were nearest to being chosen, and some of each reason; then
// counts says how many there are. nearest are places among the considered.
func named(in Input, considered []*leadv1.Candidate, nearest []int, keep ...string) ([]*leadv1.Candidate, *leadv1.CandidateCounts) {
	if in.old() || len(considered) <= largePool {
		return considered, nil
	}
	told := make([]bool, len(considered))
	for _, i := range nearest[:min(len(nearest), namedEligible)] {
		told[i] = true
	}
	eligible := min(len(nearest), namedEligible)
	alike := map[string]int{}
	var out []*leadv1.Candidate
	for i, c := range considered {
		switch {
		case told[i] || slices.Contains(keep, c.GetMember()):
			told[i] = true
		case c.GetEligible() && eligible < namedEligible:
			told[i] = true
			eligible++
		}
		if reason := c.GetReason(); reason != "" {
			alike[reason]++
			told[i] = told[i] || alike[reason] <= namedAlike
		}
		if told[i] {
			out = append(out, c)
		}
	}
	return out, countsOf(considered)
}

// countsOf says how many are considered.
func countsOf(considered []*leadv1.Candidate) *leadv1.CandidateCounts {
	counts := &leadv1.CandidateCounts{People: int64(len(considered))}
	alike := map[string]*leadv1.ReasonCount{}
	for _, c := range considered {
		if c.GetEligible() {
			counts.Eligible++
		}
		// Who was given a lead without being of the pool has no reason.
		if c.GetReason() == "" {
			continue
		}
		n := alike[c.GetReason()]
		if n == nil {
			n = &leadv1.ReasonCount{Reason: c.GetReason()}
			alike[n.Reason] = n
			counts.Reasons = append(counts.Reasons, n)
		}
		n.People++
	}
	slices.SortFunc(counts.GetReasons(), func(a, b *leadv1.ReasonCount) int { return strings.Compare(a.GetReason(), b.GetReason()) })
	return counts
}

// sayEligible writes who is eligible for a turn into its step: each of them, or of a large
// pool what has changed.
func sayEligible(step *routingv1.PoolStep, in Input, pool agreement.Pool, rotation *Rotation, eligible []Seat) {
	if !in.old() && len(pool.Members) > largePool {
		step.SinceLast = true
		eligible, step.Left = rotation.since(eligible)
	}
	for _, seat := range eligible {
		step.Eligible, step.Weights = append(step.Eligible, seat.Member), append(step.Weights, seat.Weight)
	}
}

// eligible answers who was eligible for a step's turn. A step that says what has changed
// moves the rotation on by it.
func (c *Counts) eligible(step *routingv1.PoolStep) []Seat {
	seats := seats(step.GetEligible(), step.GetWeights())
	if !step.GetSinceLast() {
		return seats
	}
	r := c.rotation(step.GetPool())
	r.change(seats, step.GetLeft())
	return r.seats
}

// since answers what is to be said so that the seats last said become these, by name.
func (r *Rotation) since(now []Seat) (joined []Seat, left []string) {
	if sameSeats(now, r.seats) {
		return nil, nil
	}
	if !slices.IsSortedFunc(now, bySeat) {
		now = slices.SortedFunc(slices.Values(now), bySeat)
	}
	before := r.seats
	for _, seat := range now {
		for len(before) > 0 && before[0].Member < seat.Member {
			left = append(left, before[0].Member)
			before = before[1:]
		}
		switch {
		case len(before) == 0 || before[0].Member != seat.Member:
			joined = append(joined, seat)
			continue
		case before[0].Weight != seat.Weight:
			joined = append(joined, seat)
		}
		before = before[1:]
	}
	for _, seat := range before {
		left = append(left, seat.Member)
	}
	return joined, left
}

// change moves the seats last said on. They are never changed in place: copies of the
// rotation share them.
func (r *Rotation) change(joined []Seat, left []string) {
	if len(joined) == 0 && len(left) == 0 {
		return
	}
	moved := make(map[string]bool, len(joined)+len(left))
	for _, seat := range joined {
		moved[seat.Member] = true
	}
	for _, member := range left {
		moved[member] = true
	}
	out := slices.Clone(joined)
	for _, seat := range r.seats {
		if !moved[seat.Member] {
			out = append(out, seat)
		}
	}
	slices.SortFunc(out, bySeat)
	r.seats = out
}

// sameSeats says whether two lists of seats are one, which is never changed in place.
func sameSeats(a, b []Seat) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

func bySeat(a, b Seat) int { return strings.Compare(a.Member, b.Member) }
