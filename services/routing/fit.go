package routing

import (
	"fmt"
	"slices"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// Who can take a lead at a moment, and why each other cannot.

// consider looks at everybody in the pool: who can take the lead now, and why
// each other cannot. at answers each eligible seat's place among the considered.
func consider(in Input, pool agreement.Pool, calendar *agreement.Calendar, counts *Counts, rotation *Rotation) (considered []*leadv1.Candidate, eligible []Seat, at []int) {
	onDuty := calendar.OnDuty(in.Now)
	reopened := reopened(in, pool)
	for i, seat := range pool.Members {
		c := &leadv1.Candidate{Member: seat.Member, Load: counts.Load[seat.Member], Capacity: seat.Capacity, Turns: rotation.Count(seat.Member), Weight: seat.Weight}
		c.Reason, c.Text = unfit(in, seat, onDuty, reopened, c.Load)
		if c.Reason == "" {
			c.Eligible = true
			eligible = append(eligible, Seat{Member: seat.Member, Weight: seat.Weight})
			at = append(at, i)
		}
		considered = append(considered, c)
	}
	return considered, eligible, at
}

// reopened says whether everybody who could still answer has let the lead run
// out: then it is open to them again, instead of waiting for nobody.
func reopened(in Input, pool agreement.Pool) bool {
	for _, seat := range pool.Members {
		m := in.Roster.Member(seat.Member)
		if m == nil || m.Deactivated || slices.Contains(in.Lead.Declined, seat.Member) || slices.Contains(in.Lead.Excluded, seat.Member) {
			continue
		}
		if !slices.Contains(in.Lead.TimedOut, seat.Member) && !barred(in, seat.Member) {
			return false
		}
	}
	return true
}

// barred says whether somebody sent the lead back to marketing and does not get
// it again, unless the agreement lets them or nobody else is left.
func barred(in Input, member string) bool {
	return in.Logic != first && !in.Agreement.BackToSamePerson() && slices.Contains(in.Lead.Returned, member)
}

func unfit(in Input, seat agreement.PoolMember, onDuty, reopened bool, load int64) (reason, text string) {
	m := in.Roster.Member(seat.Member)
	switch {
	case m == nil:
		return "not-known", "is named by the agreement, but was never added"
	case m.Deactivated:
		return "deactivated", "was taken out of every pool"
	case m.AwayAt(in.Now):
		if m.Until.IsZero() {
			return "away", "is away"
		}
		return "away", "is away until " + stamp(m.Until)
	case slices.Contains(in.Lead.Excluded, seat.Member):
		return "excluded", "was left out by whoever moved the lead"
	case !onDuty:
		return "off-duty", "is off duty by the pool's calendar"
	case slices.Contains(in.Lead.Declined, seat.Member):
		return "declined", "has declined this lead"
	case !reopened && slices.Contains(in.Lead.TimedOut, seat.Member):
		return "timed-out", "let this lead run out"
	case !reopened && barred(in, seat.Member):
		return "returned", "sent this lead back to marketing"
	case seat.Capacity > 0 && load >= seat.Capacity:
		return "full", fmt.Sprintf("holds %d of at most %d leads", load, seat.Capacity)
	}
	return "", ""
}
