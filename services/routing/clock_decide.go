package routing

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// ClockLogic is the version of the code that says what clocks come to.
const ClockLogic = "clocks/1"

// Times is all that clocks, collisions and oversight are decided by, besides the
// leads themselves. The service decides with it, and an auditor decides the same
// again.
type Times struct {
	Register *agreement.Register
	Roster   *Roster
	People   *lead.People
	pools    *Watched
	said     *Collided
}

// NewTimes is the fold of nothing, on top of three others.
func NewTimes(register *agreement.Register, roster *Roster, people *lead.People) *Times {
	return &Times{Register: register, Roster: roster, People: people, pools: newWatched(), said: newCollided()}
}

// Apply folds one event, which the roster has folded already; pool answers in which pool a lead is. It says whose
// absences are others afterwards; empty = nobody's.
func (t *Times) Apply(e *ledger.Event, pool func(leadID string) string) (member string) {
	t.pools.apply(e, pool)
	t.said.apply(e)
	if body, ok := e.Body.(*routingv1.AvailabilityChanged); ok {
		return body.GetMember()
	}
	return ""
}

// Runs works out how a lead's clocks ran.
func (t *Times) Runs(c *lead.Course) []agreement.Run {
	return agreement.Runs(c, t.Register.InForce, t.Roster.Away)
}

// Told is one thing to be said.
type Told struct {
	Body proto.Message
	// Occurred is when it was due; zero = now.
	Occurred time.Time
	Cause    string
	Version  int64
}

// reading is what a lead's clocks come to at an instant.
type reading struct {
	told []Told
	// next is when more falls due by the passing of time alone; zero = never.
	next time.Time
	// first is when the first of the running clocks runs out or ran out; zero = none
	// does. late says that one has.
	first time.Time
	late  bool
	// minds are the people whose comings and goings may change the rest.
	minds []string
}

// read works out what has to be said of a lead's clocks now.
func (t *Times) read(id string, c *lead.Course, now time.Time) reading {
	out := reading{}
	for _, r := range t.Runs(c) {
		one := &timing{Times: t, run: &r, id: id, now: now, out: &out}
		for _, s := range c.Said {
			if s.Clock == r.Clock.ID && s.Started.Equal(r.Started) {
				one.said = append(one.said, s)
			}
		}
		one.read()
	}
	for _, r := range agreement.Restatements(c, t.Register.InForce, t.Roster.Away) {
		ref := refOf(&r.Was)
		done := slices.ContainsFunc(c.Said, func(s lead.ClockSaid) bool {
			return s.Kind == lead.ClockRestated && s.Clock == ref.GetClock() && s.Started.Equal(r.Was.Started) && s.Because == r.Because
		})
		if !done {
			out.tell(Told{Body: restated(&r, ref), Cause: causeOf(id, ref, "restated:"+r.Because), Version: r.Was.Version.Number})
		}
	}
	return out
}

func (o *reading) tell(t Told) { o.told = append(o.told, t) }

// at notes an instant at which more falls due.
func (o *reading) at(t time.Time) {
	if o.next.IsZero() || t.Before(o.next) {
		o.next = t
	}
}

func restated(r *agreement.Restated, ref *leadv1.ClockRef) *leadv1.ClockRestated {
	body := &leadv1.ClockRestated{
		Clock: ref, WasBreached: r.Was.Breached(r.At), WasSpent: durationpb.New(r.Was.Spent(r.At)), Because: r.Because,
		StoppedAt: stamped(r.Now.Stopped), WasStoppedAt: stamped(r.Was.Stopped), Spent: durationpb.New(0),
	}
	if r.Now.Clock != nil {
		body.Breached, body.Spent = r.Now.Breached(r.At), durationpb.New(r.Now.Spent(r.At))
	}
	return body
}

func stamped(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func refOf(r *agreement.Run) *leadv1.ClockRef {
	return &leadv1.ClockRef{Clock: r.Clock.ID, Run: r.Number, AgreementVersion: r.Version.Number, StartedAt: timestamppb.New(r.Started)}
}

// causeOf names what is said about a run: the same is said once.
func causeOf(id string, ref *leadv1.ClockRef, what string) string {
	return fmt.Sprintf("clock:%s:%s:%d:%s", id, ref.GetClock(), ref.GetStartedAt().AsTime().UnixNano(), what)
}

// timing reads one run.
type timing struct {
	*Times
	run  *agreement.Run
	id   string
	now  time.Time
	said []lead.ClockSaid
	out  *reading
}

func (t *timing) has(kind lead.ClockSaidKind, step int32) bool {
	return slices.ContainsFunc(t.said, func(s lead.ClockSaid) bool { return s.Kind == kind && s.Step == step })
}

func (t *timing) tell(body proto.Message, occurred time.Time, what string) {
	t.out.tell(Told{Body: body, Occurred: occurred, Cause: causeOf(t.id, refOf(t.run), what), Version: t.run.Version.Number})
}

func (t *timing) read() {
	r := t.run
	due, known := r.Due()
	runs := r.Stopped.IsZero()
	late := known && r.Breached(t.now)
	holder, _ := r.At(t.now)
	if runs {
		if known && (t.out.first.IsZero() || due.Before(t.out.first)) {
			t.out.first = due
		}
		t.out.late = t.out.late || late
		if holder != "" && slices.Contains(r.Clock.Pauses, agreement.PauseAway) {
			t.out.minds = append(t.out.minds, holder)
		}
	}
	if late && !t.has(lead.ClockBreached, 0) {
		had, _ := r.At(due)
		t.tell(&leadv1.ClockBreached{
			Clock: refOf(r), DueAt: timestamppb.New(due), FiredAt: timestamppb.New(t.now), Member: had, Limit: durationpb.New(r.Clock.Limit),
		}, due, "breached")
	}
	switch {
	case !runs:
		return
	case late:
		t.escalate()
		return
	case known:
		t.out.at(due)
	}
	t.remind()
}

// remind says that the clock is about to run out, once, while it runs.
func (t *timing) remind() {
	before := t.run.Clock.RemindBefore
	if before == 0 || t.has(lead.ClockReminded, 0) || t.has(lead.ClockBreached, 0) {
		return
	}
	at, ok := t.run.After(t.run.Clock.Limit - before)
	switch {
	case !ok:
	case at.After(t.now):
		t.out.at(at)
	default:
		t.tell(&leadv1.ClockReminded{Clock: refOf(t.run), DueAt: timestamppb.New(at), FiredAt: timestamppb.New(t.now), Tell: t.reminded()}, at, "reminded")
	}
}

// reminded is who is told before a clock runs out: whoever has the lead, or the
// first who would hear of it afterwards.
func (t *timing) reminded() []string {
	if holder, _ := t.run.At(t.now); t.known(holder) {
		return []string{holder}
	}
	for i := range t.run.Clock.Steps {
		if people := slices.DeleteFunc(t.people(&t.run.Clock.Steps[i]), func(who string) bool { return !t.known(who) }); len(people) > 0 {
			return people
		}
	}
	return nil
}

// escalate takes the steps that are due. Each counts from the one before, and one
// whose people are all gone from nobody: it is passed over and its time with it. A
// step that is held until somebody is on duty does not hold the next one.
func (t *timing) escalate() {
	passed := t.run.Clock.Limit
	for i := range t.run.Clock.Steps {
		step := &t.run.Clock.Steps[i]
		if t.has(lead.ClockEscalated, int32(i+1)) {
			passed += step.After
			continue
		}
		people := t.people(step)
		t.out.minds = append(t.out.minds, people...)
		due, ok := t.run.After(passed + step.After)
		if !ok {
			return
		}
		here := t.here(people, due, step.AtOnce)
		if len(here) == 0 {
			continue
		}
		passed += step.After
		at := here[0].at
		if at.After(t.now) {
			t.out.at(at)
			continue
		}
		body := &leadv1.ClockEscalated{Clock: refOf(t.run), Step: int32(i + 1), DueAt: timestamppb.New(due), FiredAt: timestamppb.New(t.now), Text: step.Text}
		if at.After(due) {
			body.HeldUntil = timestamppb.New(at)
		}
		for _, h := range here {
			if h.at.Equal(at) {
				body.Tell = append(body.Tell, h.who)
			}
		}
		t.tell(body, at, fmt.Sprintf("step:%d", i+1))
	}
}

// there is somebody, and the instant from which they can be told.
type there struct {
	who string
	at  time.Time
}

// here are the people who are there from an instant on, those first who can be told
// first. Who is not known, was taken out, or is away until nobody knows when is
// not.
func (t *timing) here(people []string, from time.Time, atOnce bool) []there {
	var out []there
	for _, who := range people {
		if !t.known(who) {
			continue
		}
		at, ok := t.Roster.here(who, t.calendar(who), from)
		if !ok {
			continue
		}
		if atOnce {
			at = from
		}
		out = append(out, there{who, at})
	}
	slices.SortStableFunc(out, func(a, b there) int { return a.at.Compare(b.at) })
	return out
}

func (t *timing) known(who string) bool {
	m := t.Roster.Member(who)
	return m != nil && !m.Deactivated
}

// people are those whom a step names, each once.
func (t *timing) people(step *agreement.ClockStep) []string {
	holder, pool := t.run.At(t.now)
	var out []string
	for _, who := range step.Tell {
		switch who {
		case agreement.ToOwner:
			who = holder
		case agreement.ToManager:
			p, _ := t.run.Version.Agreement.Pool(pool)
			who = p.Manager
		}
		if who != "" && !slices.Contains(out, who) {
			out = append(out, who)
		}
	}
	return out
}

// calendar is when somebody works: as a member of the lead's pool, or else of any
// other, or as who watches one; nil = nobody says.
func (t *timing) calendar(who string) *agreement.Calendar {
	a := t.run.Version.Agreement
	_, pool := t.run.At(t.now)
	name, rank := "", 0
	take := func(calendar string, as int) {
		if as > rank {
			name, rank = calendar, as
		}
	}
	for _, p := range a.Pools() {
		if i := slices.IndexFunc(p.Members, func(m agreement.PoolMember) bool { return m.Member == who }); i >= 0 {
			calendar := p.Members[i].Calendar
			if calendar == "" {
				calendar = p.Calendar
			}
			take(calendar, 2)
			if p.ID == pool {
				take(calendar, 3)
			}
		}
		if p.Manager == who {
			take(p.Calendar, 1)
		}
	}
	if c, ok := a.Calendar(name); ok {
		return c
	}
	return t.run.Calendar()
}
