package routing

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Clocks says what the clocks of the agreement come to: that one is about to run
// out, ran out, that a step of its escalation is due, and that what became known
// late restates it; that two members act on one person; and that nobody watches a
// pool. It is a fold of the log and, on top of that, a ledger.Decider that hears
// nothing: the fold nudges its desk, and the clock leads it.
//
// It keeps a course for each open lead and works out anew only those that moved:
// what an event costs does not grow with the leads there are.
type Clocks struct {
	*Times

	mu    sync.Mutex
	leads map[string]*timed
	due   timedHeap
	// moved are leads to be worked out anew, late those without a course here of which
	// something became known.
	moved, late map[string]bool
	// minds are the leads that depend on somebody's comings and goings.
	minds map[string]map[string]bool
	// acted is who acted last on a person; two are persons on whom more than one did
	// within the agreed time.
	acted map[string]lastAct
	two   map[string]bool
	nudge func()
}

// timed is an open lead with its clocks.
type timed struct {
	id     string
	person string
	course lead.Course
	// next is when something falls due; zero = nothing does by itself.
	next  time.Time
	index int
	first time.Time
	past  bool
	minds []string
}

// lastAct is who acted last on a person, and when; other is when anybody else did.
type lastAct struct {
	member    string
	at, other time.Time
}

// NewClocks is the fold of nothing, on top of three others that are folded before
// it.
func NewClocks(t *Times) *Clocks {
	return &Clocks{
		Times: t, leads: map[string]*timed{}, moved: map[string]bool{}, late: map[string]bool{}, minds: map[string]map[string]bool{},
		acted: map[string]lastAct{}, two: map[string]bool{}, nudge: func() {},
	}
}

// Nudge sets what is called when something may have fallen due. It must not wait.
func (c *Clocks) Nudge(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nudge = f
}

// Apply implements ledger.Fold.
func (c *Clocks) Apply(e *ledger.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if member := c.Times.Apply(e, c.pool); member != "" {
		c.came(member)
	}
	if id, ok := lead.FromSubject(e.Subject); ok {
		c.lead(id, e)
		return
	}
	switch body := e.Body.(type) {
	case *routingv1.MemberAdded:
		c.came(body.GetMember())
	case *routingv1.MemberDeactivated:
		c.came(body.GetMember())
	case *routingv1.OversightEscalated, *routingv1.PoolLooked:
		c.nudge()
	case *personv1.PersonMerged:
		c.two[body.GetIntoId()] = true
		c.nudge()
	case *agreementv1.AgreementSigned:
		if from := body.GetInForceFrom(); from != nil {
			c.agreed(from.AsTime())
		}
	}
}

// lead folds an event of a lead.
func (c *Clocks) lead(id string, e *ledger.Event) {
	t := c.leads[id]
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		if t == nil && !body.GetHistorical() {
			t = &timed{id: id, index: -1}
			c.leads[id] = t
		}
	case *leadv1.PersonAttached:
		if t != nil {
			t.person = body.GetPersonId()
		}
	}
	if t == nil {
		// Closed before: what becomes known of it is looked up.
		if e.Occurred.Before(e.Recorded) && belated(e.Body) && c.minded(e.Recorded) {
			c.late[id] = true
			c.nudge()
		}
		return
	}
	before := len(t.course.Moments)
	if !t.course.Evolve(e.Body, e.Occurred, e.Recorded) {
		return
	}
	t.course.Named(e.ID)
	for _, m := range t.course.Moments[before:] {
		c.acts(t, m, e.Recorded)
	}
	if t.course.Closed() {
		// Most are done with here, so that what is over is not kept.
		c.work(t, e.Recorded)
	} else {
		c.moved[id] = true
	}
	c.nudge()
}

// belated says whether an event may restate the clocks of a lead that is closed.
func belated(body proto.Message) bool {
	switch e := body.(type) {
	case *leadv1.CallRecorded:
		return true
	case *leadv1.OutcomeRecorded:
		return !e.GetHistorical()
	}
	return false
}

// minded says whether anything can come of what becomes known of a closed lead.
func (c *Clocks) minded(now time.Time) bool {
	if c.Register.Clocked() {
		return true
	}
	v := c.Register.InForce(now)
	if v == nil {
		return false
	}
	_, ok := v.Agreement.OneOwner()
	return ok
}

// acts notes who acted on a person. Two who did are looked at more closely.
func (c *Clocks) acts(t *timed, m lead.Moment, now time.Time) {
	switch m.Kind {
	case lead.MomentAccepted, lead.MomentTouched, lead.MomentCall, lead.MomentWorked:
	default:
		return
	}
	if t.person != "" && m.Member != "" {
		c.act(c.People.Canonical(t.person), m, now)
	}
}

func (c *Clocks) act(person string, m lead.Moment, now time.Time) {
	last := c.acted[person]
	if last.member != m.Member {
		last = lastAct{member: m.Member, other: last.at}
	}
	last.at = m.At
	c.acted[person] = last
	if v := c.Register.InForce(now); v != nil && !last.other.IsZero() {
		if window, ok := v.Agreement.OneOwner(); ok && (near(last.other, m.At, window) || m.At.Before(m.Known)) {
			c.two[person] = true
		}
	}
}

// came works the leads out anew that depend on somebody's comings and goings.
func (c *Clocks) came(member string) {
	// any order: a set goes into a set
	for id := range c.minds[member] {
		c.moved[id] = true
	}
	c.nudge()
}

// agreed works the leads out anew that moved since another version is in force: what
// started at that very instant started by that one.
func (c *Clocks) agreed(from time.Time) {
	// any order: a set goes into a set
	for id, t := range c.leads {
		if n := len(t.course.Moments); n > 0 && !t.course.Moments[n-1].At.Before(from) {
			c.moved[id] = true
		}
	}
	c.nudge()
}

// pool is where a lead is or was last.
func (c *Clocks) pool(id string) string {
	t := c.leads[id]
	if t == nil {
		return ""
	}
	return PoolOf(&t.course)
}

// PoolOf is the pool that a lead is in or was in last; empty = none.
func PoolOf(c *lead.Course) string {
	for i := len(c.Moments) - 1; i >= 0; i-- {
		if c.Moments[i].Pool != "" {
			return c.Moments[i].Pool
		}
	}
	return ""
}

// work works one lead out.
func (c *Clocks) work(t *timed, now time.Time) {
	read := c.read(t.id, &t.course, now)
	if len(read.told) > 0 {
		read.next = now
	}
	for _, who := range t.minds {
		if delete(c.minds[who], t.id); len(c.minds[who]) == 0 {
			delete(c.minds, who)
		}
	}
	t.minds = read.minds
	for _, who := range t.minds {
		if c.minds[who] == nil {
			c.minds[who] = map[string]bool{}
		}
		c.minds[who][t.id] = true
	}
	t.next, t.first, t.past = read.next, read.first, read.late
	switch {
	case t.next.IsZero() && t.index >= 0:
		heap.Remove(&c.due, t.index)
	case t.next.IsZero():
	case t.index >= 0:
		heap.Fix(&c.due, t.index)
	default:
		heap.Push(&c.due, t)
	}
	if t.next.IsZero() && t.course.Closed() {
		delete(c.leads, t.id)
	}
}

// refresh works out what has moved.
func (c *Clocks) refresh(now time.Time) {
	// any order: each by itself
	for id := range c.moved {
		if t := c.leads[id]; t != nil {
			c.work(t, now)
		}
	}
	clear(c.moved)
}

// Service implements ledger.Decider.
func (c *Clocks) Service() string { return Name }

// Due implements ledger.Decider.
func (c *Clocks) Due(v *ledger.View) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next(v.Now, v.Woken)
}

func (c *Clocks) next(now, woken time.Time) (next time.Time) {
	c.refresh(now)
	take := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if len(c.due) > 0 {
		take(c.due[0].next)
	}
	for _, pool := range c.pools.names {
		_, due := c.oversight(pool, now)
		take(due)
	}
	if len(c.pools.names) > 0 {
		// Another version may want somebody to look more often.
		take(c.Register.NextChange(woken))
	}
	return next
}

// looksAtOnce bounds how many closed leads and persons one wake-up reads.
const looksAtOnce = 50

const (
	aboutPool   = "pool:"
	aboutPerson = "person:"
)

// Wake implements ledger.Decider.
func (c *Clocks) Wake(v *ledger.View) []*ledger.Item { return c.wake(v.Now, v.Lead) }

func (c *Clocks) wake(now time.Time, leads folds) []*ledger.Item {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh(now)
	var items []*ledger.Item
	for _, t := range c.due.until(now, wakeMost) {
		items = append(items, &ledger.Item{Lead: t.id, Cause: "clock:" + t.id})
	}
	// What has to be read first is read a little at a time.
	for i, id := range slices.Sorted(maps.Keys(c.late)) {
		s, err := leads(id)
		if err != nil || i == looksAtOnce {
			c.nudge()
			break
		}
		t := &timed{person: s.PersonID}
		for _, m := range s.Course.Moments {
			c.acts(t, m, now)
		}
		if len(c.read(id, &s.Course, now).told) > 0 {
			items = append(items, &ledger.Item{Lead: id, Cause: "clock:" + id})
			continue
		}
		delete(c.late, id)
	}
	for _, pool := range c.pools.names {
		if told, _ := c.oversight(pool, now); told != nil {
			items = append(items, &ledger.Item{Cause: aboutPool + pool})
		}
	}
	for i, person := range slices.Sorted(maps.Keys(c.two)) {
		told, err := c.collisions(person, leads, now)
		if err != nil || i == looksAtOnce {
			c.nudge()
			break
		}
		if len(told) > 0 {
			items = append(items, &ledger.Item{Cause: aboutPerson + person})
			continue
		}
		delete(c.two, person)
	}
	return items
}

// Decide implements ledger.Decider.
func (c *Clocks) Decide(v *ledger.View, items []*ledger.Item) ([]ledger.Draft, error) {
	return c.decide(v.Now, v.Lead, items)
}

func (c *Clocks) decide(now time.Time, leads folds, items []*ledger.Item) ([]ledger.Draft, error) {
	var drafts []ledger.Draft
	say := func(subject, correlation string, item *ledger.Item, told []Told) {
		for _, t := range told {
			drafts = append(drafts, ledger.Draft{
				Subject: subject, Body: t.Body, Occurred: t.Occurred, Cause: t.Cause, Correlation: correlation, TraceParent: item.Trace,
				Agreement: t.Version, Logic: ClockLogic,
			})
		}
	}
	looked := map[string]bool{}
	for _, item := range items {
		about := item.Lead
		if about == "" {
			about = item.Cause
		}
		if looked[about] {
			continue
		}
		looked[about] = true
		pool, isPool := strings.CutPrefix(item.Cause, aboutPool)
		person, isPerson := strings.CutPrefix(item.Cause, aboutPerson)
		switch {
		case item.Lead != "":
			s, err := leads(item.Lead)
			if err != nil {
				return nil, err
			}
			say(lead.SubjectOf(item.Lead), item.Lead, item, c.read(item.Lead, &s.Course, now).told)
		case isPool:
			if told, _ := c.oversight(pool, now); told != nil {
				say(subjectPool+pool, subjectPool+pool, item, []Told{*told})
			}
		case isPerson:
			told, err := c.collisions(person, leads, now)
			if err != nil {
				return nil, err
			}
			say(lead.SubjectPerson+c.People.Canonical(person), lead.SubjectPerson+person, item, told)
		}
	}
	return drafts, nil
}

// running are leads with a clock that runs, the one first that runs out first; late =
// only those with one that has.
func (c *Clocks) running(now time.Time, late bool, most int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh(now)
	var all []*timed
	// any order: sorted below
	for _, t := range c.leads {
		if !t.first.IsZero() && (!late || !t.first.After(now)) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *timed) int { return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.id, b.id)) })
	var out []string
	for _, t := range all[:min(most, len(all))] {
		out = append(out, t.id)
	}
	return out
}

// timedHeap holds leads by when something falls due on them.
type timedHeap []*timed

func (h timedHeap) Len() int { return len(h) }
func (h timedHeap) Less(i, j int) bool {
	return cmp.Or(h[i].next.Compare(h[j].next), cmp.Compare(h[i].id, h[j].id)) < 0
}

func (h timedHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timedHeap) Push(x any) {
	t := x.(*timed)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timedHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	t.index = -1
	*h = old[:len(old)-1]
	return t
}

// until are those on which something is due by an instant, in no order that matters,
// at most so many.
func (h timedHeap) until(at time.Time, most int) []*timed {
	var out []*timed
	var walk func(i int)
	walk = func(i int) {
		if i >= len(h) || h[i].next.After(at) || len(out) >= most {
			return
		}
		out = append(out, h[i])
		walk(2*i + 1)
		walk(2*i + 2)
	}
	walk(0)
	return out
}
