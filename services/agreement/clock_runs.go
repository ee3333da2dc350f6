package agreement

import (
	"slices"
	"time"

	"github.com/leadbaton/baton/services/lead"
)

// Span is a stretch of time: From is in it, To is not. A zero To is an end that is
// not known.
type Span struct{ From, To time.Time }

// Standing answers the version in force at an instant; nil = none.
type Standing func(at time.Time) *Version

// Away answers when somebody is away, in order and apart.
type Away func(member string) []Span

// Run is one run of a clock on one lead, as it is known now.
type Run struct {
	Clock *Clock
	// Version of the agreement by which it runs: that in force when it started.
	Version *Version
	// Number of the run among those of this clock on this lead, from 1.
	Number int32
	// Stopped is zero while it runs.
	Started, Stopped time.Time

	calendar *Calendar
	course   []stretch
	still    []Span
}

// stretch is a part of a lead's course, from one instant until the next stretch.
type stretch struct {
	from         time.Time
	is           standing
	member, pool string
}

// standing is where a lead stands, as far as clocks mind.
type standing uint8

const (
	isFree standing = iota
	isWaiting
	isOffered
	isOwned
	isNurtured
)

// Runs works out how the clocks of a lead ran, in the order in which they started.
// It is a function of the lead's moments, of the agreements and of who was away, and
// of nothing else: in whatever order they became known, it is the same.
func Runs(c *lead.Course, in Standing, away Away) []Run {
	moments := slices.Clone(c.Moments)
	slices.SortStableFunc(moments, func(a, b lead.Moment) int { return a.At.Compare(b.At) })
	w := &walk{in: in}
	for _, m := range moments {
		w.moment(m)
		if m.Kind == lead.MomentClosed {
			break
		}
	}
	for i := range w.runs {
		r := &w.runs[i]
		r.course = w.course
		r.still = r.stands(away)
	}
	return w.runs
}

// walk goes through a lead's moments in the order in which they happened.
type walk struct {
	in     Standing
	runs   []Run
	course []stretch
	now    stretch
	// calendar of the pool that the lead is in.
	calendar *Calendar
}

func (w *walk) moment(m lead.Moment) {
	counts := w.moves(m)
	var again []string
	for i := range w.runs {
		r := &w.runs[i]
		if !r.Stopped.IsZero() {
			continue
		}
		acts := slices.Contains(acts, m.Kind)
		switch {
		case m.Kind == lead.MomentClosed, counts && stops(r.Clock, m.Kind):
			r.Stopped = m.At
		case r.Clock.Restarts && acts && m.Member == w.now.member:
			r.Stopped = m.At
			again = append(again, r.Clock.ID)
		}
	}
	v := w.in(m.At)
	if !counts || v == nil || m.Kind == lead.MomentClosed {
		return
	}
	for i := range v.Agreement.clocks {
		c := &v.Agreement.clocks[i]
		if !slices.Contains(c.Starts, m.Kind) && !(c.Restarts && slices.Contains(again, c.ID)) {
			continue
		}
		number, runs := int32(1), false
		for j := range w.runs {
			if w.runs[j].Clock.ID == c.ID {
				number++
				runs = runs || w.runs[j].Stopped.IsZero()
			}
		}
		if runs || !c.takes(m) {
			continue
		}
		r := Run{Clock: &c.Clock, Version: v, Number: number, Started: m.At}
		switch {
		case c.Calendar != "":
			r.calendar, _ = v.Agreement.Calendar(c.Calendar)
		case c.Working:
			r.calendar = w.calendar
		}
		w.runs = append(w.runs, r)
	}
}

// takes says whether a clock is for a lead, by what was known of it then.
func (c *clock) takes(m lead.Moment) bool {
	f := Facts{Now: m.At}
	if m.Picture != nil {
		f.Features, f.Touches = m.Picture.Features, m.Picture.Journey
	}
	met, _ := c.when.decide(&f)
	return met
}

// stops says whether a moment stops a clock. A call is a touch.
func stops(c *Clock, kind lead.MomentKind) bool {
	return slices.Contains(c.Stops, kind) || kind == lead.MomentCall && slices.Contains(c.Stops, lead.MomentTouched)
}

// moves lets the lead stand where the moment puts it. It says whether the moment
// counts: a call that confirms somebody's own lead qualifies it no second time, and
// a second look leaves with marketing what is there.
func (w *walk) moves(m lead.Moment) (counts bool) {
	next := w.now
	switch m.Kind {
	case lead.MomentQualified:
		if w.now.is == isOffered || w.now.is == isOwned {
			return false
		}
		next.is, next.member = isFree, ""
	case lead.MomentNurtured:
		if w.now.is == isNurtured {
			return false
		}
		next.is, next.member = isNurtured, ""
	case lead.MomentOffered:
		next.is, next.member = isOffered, m.Member
	case lead.MomentQueued:
		next.is, next.member = isWaiting, ""
	case lead.MomentAccepted, lead.MomentGivenBack:
		next.is, next.member = isOwned, m.Member
	case lead.MomentRejected, lead.MomentTimedOut, lead.MomentMoved:
		next.is, next.member = isFree, ""
	}
	if m.Pool != "" && m.Pool != w.now.pool {
		next.pool = m.Pool
		w.pooled(m)
	}
	if next != w.now {
		next.from = m.At
		w.now = next
		w.course = append(w.course, next)
	}
	return true
}

// pooled notes the working time of the pool that the lead came to, by the
// agreement that sent it there. A clock that started before any pool had the lead
// takes the first one's.
func (w *walk) pooled(m lead.Moment) {
	v := w.in(m.At)
	if v == nil {
		return
	}
	pool, ok := v.Agreement.Pool(m.Pool)
	if !ok {
		return
	}
	w.calendar, _ = v.Agreement.Calendar(pool.Calendar)
	for i := range w.runs {
		if r := &w.runs[i]; r.Clock.Working && r.Clock.Calendar == "" && r.calendar == nil {
			r.calendar = w.calendar
		}
	}
}

// stands are the stretches in which the run stands still, in order and apart.
func (r *Run) stands(away Away) []Span {
	if len(r.Clock.Pauses) == 0 {
		return nil
	}
	var out []Span
	for i, s := range r.course {
		part := Span{From: s.from}
		if i+1 < len(r.course) {
			part.To = r.course[i+1].from
		}
		if part.From.Before(r.Started) {
			part.From = r.Started
		}
		if !part.To.IsZero() && !part.To.After(part.From) {
			continue
		}
		switch {
		case s.is == isWaiting && slices.Contains(r.Clock.Pauses, PauseWaiting), s.is == isNurtured && slices.Contains(r.Clock.Pauses, PauseNurtured):
			out = append(out, part)
		case s.is == isOwned && slices.Contains(r.Clock.Pauses, PauseAway):
			for _, a := range away(s.member) {
				if both, ok := part.and(a); ok {
					out = append(out, both)
				}
			}
		}
	}
	return out
}

// and is what two spans have in common.
func (s Span) and(other Span) (both Span, ok bool) {
	both = s
	if other.From.After(both.From) {
		both.From = other.From
	}
	if both.To.IsZero() || !other.To.IsZero() && other.To.Before(both.To) {
		both.To = other.To
	}
	return both, both.To.IsZero() || both.From.Before(both.To)
}

// Covers says whether an instant lies in the span.
func (s Span) Covers(at time.Time) bool {
	return !at.Before(s.From) && (s.To.IsZero() || at.Before(s.To))
}

// between is the clock's time from a to b, where it does not stand still.
func (r *Run) between(a, b time.Time) time.Duration {
	switch {
	case !b.After(a):
		return 0
	case !r.Clock.Working:
		return b.Sub(a)
	case r.calendar == nil:
		return 0
	}
	return r.calendar.Between(a, b)
}

// Spent is the time on the clock at an instant.
func (r *Run) Spent(at time.Time) time.Duration {
	if !r.Stopped.IsZero() && r.Stopped.Before(at) {
		at = r.Stopped
	}
	spent, from := time.Duration(0), r.Started
	for _, s := range r.still {
		if !s.From.Before(at) {
			break
		}
		spent += r.between(from, s.From)
		if s.To.IsZero() {
			return spent
		}
		from = s.To
	}
	return spent + r.between(from, at)
}

// After is the instant at which so much time is on the clock, if it is not stopped;
// false where that cannot be said: it stands still for an unknown time, or nobody's
// working time is known yet.
func (r *Run) After(d time.Duration) (at time.Time, ok bool) {
	from := r.Started
	for _, s := range r.still {
		if part := r.between(from, s.From); d <= part {
			return r.add(from, d)
		} else if d -= part; s.To.IsZero() {
			return time.Time{}, false
		}
		from = s.To
	}
	return r.add(from, d)
}

func (r *Run) add(at time.Time, d time.Duration) (time.Time, bool) {
	switch {
	case !r.Clock.Working:
		return at.Add(d), true
	case r.calendar == nil:
		return time.Time{}, false
	}
	return r.calendar.Add(at, d)
}

// Due is when the clock runs out, if it is not stopped before.
func (r *Run) Due() (at time.Time, ok bool) { return r.After(r.Clock.Limit) }

// Met says whether it was stopped in time.
func (r *Run) Met() bool {
	due, ok := r.Due()
	return !r.Stopped.IsZero() && (!ok || r.Stopped.Before(due))
}

// Breached says whether it has run out by an instant.
func (r *Run) Breached(at time.Time) bool {
	due, ok := r.Due()
	return ok && !due.After(at) && !r.Met()
}

// Paused says whether it stands still at an instant.
func (r *Run) Paused(at time.Time) bool {
	return r.Stopped.IsZero() && slices.ContainsFunc(r.still, func(s Span) bool { return s.Covers(at) })
}

// Calendar is the working time that counts; nil = all time does, or none is known yet.
func (r *Run) Calendar() *Calendar { return r.calendar }

// At answers who has the lead at an instant, and in which pool it is; empty = nobody,
// none.
func (r *Run) At(at time.Time) (member, pool string) {
	for _, s := range r.course {
		if s.from.After(at) {
			break
		}
		member, pool = s.member, s.pool
	}
	return member, pool
}

// Restated is a reading of a clock that something which became known late changes.
// Now.Clock is nil where the run never was.
type Restated struct {
	Was, Now Run
	// At is when it became known, Because the event.
	At      time.Time
	Because string
}

// Restatements are the readings that had been given and are not so, in the order in
// which that became known: a run that was said to have run out and was stopped in
// time, and one that was stopped at another instant.
func Restatements(c *lead.Course, in Standing, away Away) []Restated {
	var out []Restated
	for i, m := range c.Moments {
		if m.Event == "" || m.Kind != lead.MomentClosed && !slices.Contains(acts, m.Kind) {
			continue
		}
		before := Runs(&lead.Course{Moments: c.Moments[:i]}, in, away)
		var after []Run
		for j := range before {
			b := &before[j]
			if !b.Stopped.IsZero() && !m.At.Before(b.Stopped) {
				// It was over before that happened.
				continue
			}
			if after == nil {
				after = Runs(&lead.Course{Moments: c.Moments[:i+1]}, in, away)
			}
			now := Run{Started: b.Started, Stopped: b.Started}
			if k := slices.IndexFunc(after, func(r Run) bool { return r.Clock.ID == b.Clock.ID && r.Started.Equal(b.Started) }); k >= 0 {
				now = after[k]
			}
			met := now.Clock == nil || now.Met()
			said := slices.ContainsFunc(c.Said, func(s lead.ClockSaid) bool {
				return s.Kind == lead.ClockBreached && s.Clock == b.Clock.ID && s.Started.Equal(b.Started)
			})
			if said && !b.Met() && met || !b.Stopped.IsZero() && !b.Stopped.Equal(now.Stopped) {
				out = append(out, Restated{Was: *b, Now: now, At: m.Known, Because: m.Event})
			}
		}
	}
	return out
}
