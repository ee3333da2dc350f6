package routing

import (
	"fmt"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// Who can take a lead at a moment, and why each other cannot.

// consider looks at everybody in the pool: who can take the lead now, and why
// each other cannot. at answers each eligible seat's place among the considered.
func consider(in Input, pool agreement.Pool, calendar *agreement.Calendar, counts *Counts, rotation *Rotation) (considered []*leadv1.Candidate, eligible []Seat, at []int) {
	hours, refused := newShifts(in, pool, calendar), newRefusals(in, pool)
	considered = make([]*leadv1.Candidate, 0, len(pool.Members))
	for i, seat := range pool.Members {
		c := candidateOf(in, pool, seat, hours, refused, counts, rotation)
		if c.GetEligible() {
			eligible = append(eligible, Seat{Member: seat.Member, Weight: seat.Weight})
			at = append(at, i)
		}
		considered = append(considered, c)
	}
	return considered, eligible, at
}

// candidateOf is how somebody stands to the lead now.
func candidateOf(in Input, pool agreement.Pool, seat agreement.PoolMember, hours *shifts, refused refusals, counts *Counts, rotation *Rotation) *leadv1.Candidate {
	c := &leadv1.Candidate{Member: seat.Member, Load: counts.load(seat.Member), Capacity: seat.Capacity, Turns: rotation.Count(seat.Member), Weight: seat.Weight}
	c.Reason, c.Text = unfit(in, seat, hours, refused, c.Load)
	c.Reason, c.Text = bounded(in, pool, seat, counts, c)
	c.Eligible = c.GetReason() == ""
	return c
}

// unfit says why somebody cannot take the lead now; empty = they can.
func unfit(in Input, seat agreement.PoolMember, hours *shifts, refused refusals, load int64) (reason, text string) {
	m := in.Roster.Member(seat.Member)
	if reason, text = notThere(in, seat, hours, m); reason != "" {
		return reason, text
	}
	if reason, text = refused.of(seat.Member); reason != "" {
		return reason, text
	}
	if seat.Capacity > 0 && load >= seat.Capacity {
		return "full", fmt.Sprintf("holds %d of at most %d leads", load, seat.Capacity)
	}
	return "", ""
}

// notThere says why somebody gets no lead at all now; empty = they are there.
func notThere(in Input, seat agreement.PoolMember, hours *shifts, m *Member) (reason, text string) {
	if m == nil {
		return "not-known", "is named by the agreement, but was never added"
	}
	if m.Deactivated {
		return "deactivated", "was taken out of every pool"
	}
	if back, away := m.BackAt(in.Now); away {
		if back.IsZero() {
			return "away", "is away"
		}
		return "away", "is away until " + stamp(back)
	}
	switch s := hours.of(seat); {
	case !s.onDuty && seat.Calendar != "":
		return "off-duty", "is off duty by the calendar " + seat.Calendar
	case !s.onDuty:
		return "off-duty", "is off duty by the pool's calendar"
	case s.ending:
		return "ending", "ends the shift at " + stamp(s.ends)
	case hours.pool.SignedIn && !m.PresentAt(in.Now, s.calendar):
		return "absent", "has not signed in today"
	}
	return "", ""
}

// shifts are the hours of a pool's members at one instant: each calendar is looked
// at once, however many share it.
type shifts struct {
	in    Input
	pool  *agreement.Pool
	own   *agreement.Calendar
	known map[string]*shift
}

// shift is how a calendar stands at that instant.
type shift struct {
	calendar *agreement.Calendar
	onDuty   bool
	// ends is when the stretch of duty ends, where the pool is quiet before that, and
	// ending that it is quiet now.
	ends   time.Time
	ending bool
	// opens is when leads can be given by it: now, or the next time; zero = never.
	opens  time.Time
	opened bool
}

// newShifts looks at the hours of a pool, whose own calendar is given.
func newShifts(in Input, pool agreement.Pool, calendar *agreement.Calendar) *shifts {
	return &shifts{in: in, pool: &pool, own: calendar, known: map[string]*shift{}}
}

// calendar is when somebody works: their own hours, or the pool's.
func (h *shifts) calendar(seat agreement.PoolMember) *agreement.Calendar {
	if seat.Calendar == "" {
		return h.own
	}
	if s := h.known[seat.Calendar]; s != nil {
		return s.calendar
	}
	if own, ok := h.in.Agreement.Calendar(seat.Calendar); ok {
		return own
	}
	return h.own
}

// of is how somebody's hours stand.
func (h *shifts) of(seat agreement.PoolMember) *shift {
	if s := h.known[seat.Calendar]; s != nil {
		return s
	}
	s := &shift{calendar: h.calendar(seat)}
	h.known[seat.Calendar] = s
	if s.onDuty = s.calendar.OnDuty(h.in.Now); s.onDuty && h.pool.QuietBeforeEnd > 0 {
		s.ends, _ = s.calendar.DutyEnds(h.in.Now)
		s.ending = s.ends.Sub(h.in.Now) <= h.pool.QuietBeforeEnd
	}
	return s
}

// gives answers the first instant from t on at which the pool's quiet end of a shift
// and the shift itself let leads go by a calendar; false where there is none in sight.
func (h *shifts) gives(calendar *agreement.Calendar, t time.Time) (time.Time, bool) {
	// A shift that is no longer than its quiet end gives none: a few of them are
	// looked past.
	for range 100 {
		start, ok := calendar.NextOnDuty(t)
		if !ok {
			return time.Time{}, false
		}
		if h.pool.QuietBeforeEnd == 0 {
			return start, true
		}
		ends, _ := calendar.DutyEnds(start)
		if ends.Sub(start) > h.pool.QuietBeforeEnd {
			return start, true
		}
		t = ends
	}
	return time.Time{}, false
}

// last answers the first instant after now at which somebody's hours, or what is counted
// by the date, may be otherwise.
func (h *shifts) last() (end time.Time) {
	now := h.in.Now
	sooner := func(at time.Time) {
		if at.After(now) && (end.IsZero() || at.Before(end)) {
			end = at
		}
	}
	known := map[string]bool{}
	for _, seat := range h.pool.Members {
		if known[seat.Calendar] {
			continue
		}
		known[seat.Calendar] = true
		s := h.of(seat)
		sooner(s.calendar.Ends(now, agreement.Day))
		next, _ := s.calendar.NextOnDuty(now)
		if s.onDuty {
			next, _ = s.calendar.DutyEnds(now)
			sooner(next.Add(-h.pool.QuietBeforeEnd))
		}
		sooner(next)
	}
	return end
}

// able answers the first instant after now at which nothing stands between somebody
// and the lead that passes with time: leave, hours, the end of a shift, a lead that
// was declined for a while, a period that is full. False where there is none: then
// something must happen first.
func (h *shifts) able(seat agreement.PoolMember, refused refusals, reason string) (time.Time, bool) {
	m, now := h.in.Roster.Member(seat.Member), h.in.Now
	if m == nil || m.Deactivated || reason == "lacks" || reason == "excluded" {
		return time.Time{}, false
	}
	calendar := h.calendar(seat)
	from := refused.until(seat.Member)
	if reason == "capped" {
		if free := uncapped(h.in, *h.pool, seat); free.After(from) {
			from = free
		}
	}
	if from.Before(now) {
		from = now
	}
	at := from
	for range 100 {
		back, away := m.BackAt(at)
		if away && back.IsZero() {
			return time.Time{}, false
		}
		start, ok := h.opening(seat, calendar, back)
		if !ok {
			return time.Time{}, false
		}
		if at = start; !m.AwayAt(at) {
			break
		}
	}
	return at, at.After(now)
}

// opening is gives, which is asked for the instant of the decision by most.
func (h *shifts) opening(seat agreement.PoolMember, calendar *agreement.Calendar, t time.Time) (time.Time, bool) {
	if !t.Equal(h.in.Now) {
		return h.gives(calendar, t)
	}
	s := h.of(seat)
	if !s.opened {
		s.opens, _ = h.gives(calendar, t)
		s.opened = true
	}
	return s.opens, !s.opens.IsZero()
}

// refusals are what the people of a pool have done with a lead, which keeps it from
// them until the others have had their chance.
type refusals struct {
	in   Input
	pool agreement.Pool
	// round is how often everybody who could answer has let the lead go: whoever did
	// so more often waits for the others.
	round int
	// reopened is how the logic of before said it: everybody has let it run out once,
	// and whoever declined never gets it again.
	reopened bool
	before   bool
}

func newRefusals(in Input, pool agreement.Pool) refusals {
	r := refusals{in: in, pool: pool, before: in.Logic == first || in.Logic == second}
	switch s := in.Lead; {
	case r.before:
		r.reopened = reopened(in, pool)
	case len(s.Declined)+len(s.TimedOut)+len(s.Returned) > 0:
		r.round = -1
		for _, seat := range pool.Members {
			m := in.Roster.Member(seat.Member)
			if m == nil || m.Deactivated || slices.Contains(s.Excluded, seat.Member) {
				continue
			}
			if n := r.times(seat.Member); r.round < 0 || n < r.round {
				r.round = n
			}
		}
	}
	return r
}

// times counts how often somebody has let the lead go: it ran out, they declined it
// not long ago, or they sent it back to marketing.
func (r *refusals) times(member string) (n int) {
	for _, m := range r.in.Lead.TimedOut {
		if m == member {
			n++
		}
	}
	for i, m := range r.in.Lead.Declined {
		if m == member && r.counts(i) {
			n++
		}
	}
	if barred(r.in, member) {
		n++
	}
	return n
}

// counts says whether a decline still keeps the lead from who declined it.
func (r *refusals) counts(i int) bool {
	end := r.ends(i)
	return end.IsZero() || r.in.Now.Before(end)
}

// ends is when a decline no longer counts; zero = when all have declined.
func (r *refusals) ends(i int) time.Time {
	if r.pool.DeclinedFor == 0 || i >= len(r.in.Lead.DeclinedAt) {
		return time.Time{}
	}
	return r.in.Lead.DeclinedAt[i].Add(r.pool.DeclinedFor)
}

// until is when somebody's last decline no longer counts; zero = none ends with time.
func (r *refusals) until(member string) (end time.Time) {
	if r.before {
		return end
	}
	for i, m := range r.in.Lead.Declined {
		if at := r.ends(i); m == member && at.After(end) {
			end = at
		}
	}
	return end
}

// of says why somebody does not get the lead again; empty = they may.
func (r *refusals) of(member string) (reason, text string) {
	s := r.in.Lead
	if r.before {
		return r.ofBefore(member)
	}
	if slices.Contains(s.Excluded, member) {
		return "excluded", "was left out by whoever moved this lead"
	}
	if r.round < 0 || r.times(member) <= r.round {
		return "", ""
	}
	for i := len(s.Declined) - 1; i >= 0; i-- {
		if s.Declined[i] != member || !r.counts(i) {
			continue
		}
		if end := r.ends(i); !end.IsZero() {
			return "declined", "has declined this lead, and is not asked again before " + stamp(end)
		}
		return "declined", "has declined this lead"
	}
	if slices.Contains(s.TimedOut, member) {
		return "timed-out", "let this lead run out"
	}
	return "returned", "sent this lead back to marketing"
}

func (r *refusals) ofBefore(member string) (reason, text string) {
	switch {
	case slices.Contains(r.in.Lead.Declined, member):
		return "declined", "has declined this lead"
	case !r.reopened && slices.Contains(r.in.Lead.TimedOut, member):
		return "timed-out", "let this lead run out"
	case !r.reopened && barred(r.in, member):
		return "returned", "sent this lead back to marketing"
	}
	return "", ""
}

// reopened says whether everybody who could still answer has let the lead run
// out: then it is open to them again, instead of waiting for nobody.
func reopened(in Input, pool agreement.Pool) bool {
	for _, seat := range pool.Members {
		m := in.Roster.Member(seat.Member)
		if m == nil || m.Deactivated || slices.Contains(in.Lead.Declined, seat.Member) || lacks(in, seat) != "" {
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

// able are the people of a pool who could take some lead now, in its order.
func able(in Input, pool agreement.Pool, calendar *agreement.Calendar, counts *Counts) (members []string) {
	in.Lead = &lead.State{}
	hours, none := newShifts(in, pool, calendar), refusals{}
	none.in = in
	for _, seat := range pool.Members {
		if reason, _ := unfit(in, seat, hours, none, counts.load(seat.Member)); reason == "" {
			members = append(members, seat.Member)
		}
	}
	return members
}
