package routing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Groups is the fold of every pool.<group> subject: rotations, loads, open
// offers and waiting lines.
type Groups struct {
	groups map[string]*Group
	names  []string
	offers dueHeap
	// looks are when waiting leads are looked at again, in order.
	looks []lookAt
	// changed are the rows that have moved since they were last kept; nil =
	// nobody keeps them.
	changed map[rowKey]bool
	// kin is what may have made waiting leads somebody's; whoever looks takes it.
	kin kin
	// news are whose load or turns have moved since it was last asked.
	news *news
}

// NewGroups is the fold of nothing.
func NewGroups() *Groups {
	return &Groups{groups: map[string]*Group{}, news: &news{map[groupMember]bool{}}}
}

// Group is a group of pools that share people.
type Group struct {
	Counts
	// Held are the leads that somebody holds.
	Held map[string]Hold
	// Line are the leads that wait, and order their places.
	Line  map[string]Waiting
	order []string
	// lines are the places by pool, each in order.
	lines map[string][]string
	// places counts the places that were ever given.
	places int64
}

// Counts is the small part of a group that a batch of decisions moves.
type Counts struct {
	// Rotations by pool.
	Rotations map[string]*Rotation
	// Load is how many open leads each member holds, in all pools of the group.
	Load map[string]int64
	// Given counts what each member whom the agreement limits was given.
	Given map[string]Given
	// below are the counts of which these are a draft: what is not in Load and Given is
	// as it is there. They stand still meanwhile.
	below *Counts
}

// Hold is a lead that a member holds.
type Hold struct {
	Member, Pool string
	Offer        int32
	// TakeBy is when the offer runs out; zero once accepted.
	TakeBy time.Time
	// RemindAt is when the member is reminded of it; zero = they have been, or are not.
	RemindAt time.Time
}

// Waiting is a lead's place in the line.
type Waiting struct {
	Pool, BlockedBy string
	Since           time.Time
	LookAgain       time.Time
	// Version of the agreement by which it waits there.
	Version int64
	// FallbackAt is when the agreed stand-in gets it; zero = none does.
	FallbackAt time.Time
	// place in the order of arrival; it is kept for as long as the lead waits.
	place int64
}

// Group answers a group as folded; an unknown one is empty.
func (g *Groups) Group(name string) *Group {
	if group := g.groups[name]; group != nil {
		return group
	}
	return &Group{Counts: Counts{Rotations: map[string]*Rotation{}, Load: map[string]int64{}, Given: map[string]Given{}}, Held: map[string]Hold{}, Line: map[string]Waiting{}, lines: map[string][]string{}}
}

// Names of the groups, in the order of their first event.
func (g *Groups) Names() []string { return g.names }

// Waiting says whether anybody waits in any group.
func (g *Groups) Waiting() bool {
	return slices.ContainsFunc(g.names, func(name string) bool { return len(g.groups[name].Line) > 0 })
}

// Apply folds one event.
func (g *Groups) Apply(e *ledger.Event) {
	g.kin.apply(e)
	body, ok := e.Body.(*routingv1.PoolAdvanced)
	if !ok {
		return
	}
	name := e.Subject[len(lead.SubjectPool):]
	group := g.open(name)
	for _, step := range body.GetSteps() {
		group.Counts.apply(step)
		g.note(name, step)
		if step.GetMember() != "" {
			g.news.of[groupMember{name, step.GetMember()}] = true
		}
		g.move(name, group, step, e.Agreement)
	}
	g.offers.clean(g)
}

// open answers a group to be changed.
func (g *Groups) open(name string) *Group {
	group := g.groups[name]
	if group == nil {
		group = g.Group(name)
		g.groups[name] = group
		g.names = append(g.names, name)
		g.touch(name, kindGroup, name)
	}
	return group
}

// apply moves the counts by one step.
func (c *Counts) apply(step *routingv1.PoolStep) {
	switch step.GetKind() {
	case routingv1.StepKind_STEP_KIND_OFFERED:
		eligible := c.eligible(step)
		// What the pool's own way gave is always of its rotation.
		if step.GetCounted() || step.GetTurn() == leadv1.TurnKind_TURN_KIND_ROTATION {
			c.rotation(step.GetPool()).TakeOwing(eligible, seats(step.GetOwed(), step.GetOwedWeights()), step.GetMember())
		}
		if len(step.GetPeriods()) > 0 {
			given := c.given(step.GetMember())
			given.add(step.GetPeriods())
			c.Given[step.GetMember()] = given
		}
		c.Load[step.GetMember()] = c.load(step.GetMember()) + 1
	case routingv1.StepKind_STEP_KIND_ADJUSTED:
		c.rotation(step.GetPool()).Adjust(step.GetMember(), step.GetLeads(), seats(step.GetEligible(), step.GetWeights()))
	case routingv1.StepKind_STEP_KIND_RELEASED:
		n := c.load(step.GetMember()) - 1
		if c.Load[step.GetMember()] = n; n == 0 && c.below == nil {
			delete(c.Load, step.GetMember())
		}
	}
}

// rotation answers a pool's rotation to be changed.
func (c *Counts) rotation(pool string) *Rotation {
	r := c.Rotations[pool]
	if r == nil {
		r = &Rotation{pool: pool}
		c.Rotations[pool] = r
	}
	return r
}

// rotationOf answers a pool's rotation; nobody changes what is new.
func (c *Counts) rotationOf(pool string) *Rotation {
	if r := c.Rotations[pool]; r != nil {
		return r
	}
	return &Rotation{pool: pool}
}

func seats(members []string, weights []int64) []Seat {
	out := make([]Seat, len(members))
	for i, m := range members {
		out[i] = Seat{Member: m, Weight: weights[i]}
	}
	return out
}

// load is how many open leads somebody holds.
func (c *Counts) load(member string) int64 {
	n, own := c.Load[member]
	if !own && c.below != nil {
		return c.below.load(member)
	}
	return n
}

// given is what somebody was given whom the agreement limits.
func (c *Counts) given(member string) Given {
	given, own := c.Given[member]
	if !own && c.below != nil {
		return c.below.given(member)
	}
	return given
}

// draft is what a batch may move ahead of these counts, which stand still meanwhile.
func (c *Counts) draft() *Counts {
	out := &Counts{Rotations: make(map[string]*Rotation, len(c.Rotations)), Load: map[string]int64{}, Given: map[string]Given{}, below: c}
	// any order: copied, not decided
	for pool, r := range c.Rotations {
		out.Rotations[pool] = r.Clone()
	}
	return out
}

// move keeps who holds what, who waits where, and what falls due when.
func (g *Groups) move(name string, group *Group, step *routingv1.PoolStep, version int64) {
	id := step.GetLeadId()
	switch step.GetKind() {
	case routingv1.StepKind_STEP_KIND_OFFERED:
		g.leave(name, group, id)
		hold := holdOf(step)
		group.Held[id] = hold
		g.offers.push(dueOffer{hold.TakeBy, name, id, hold.Offer})
		if !hold.RemindAt.IsZero() {
			g.offers.push(dueOffer{hold.RemindAt, name, id, hold.Offer})
		}
	case routingv1.StepKind_STEP_KIND_REMINDED:
		if hold, ok := group.Held[id]; ok && hold.Offer == step.GetOffer() {
			hold.RemindAt = time.Time{}
			group.Held[id] = hold
		}
	case routingv1.StepKind_STEP_KIND_ACCEPTED:
		hold := group.Held[id]
		hold.TakeBy, hold.RemindAt = time.Time{}, time.Time{}
		group.Held[id] = hold
	case routingv1.StepKind_STEP_KIND_RELEASED:
		delete(group.Held, id)
	case routingv1.StepKind_STEP_KIND_QUEUED:
		before, waited := group.Line[id]
		// It may wait for longer than it was said before: its place is found anew.
		g.leave(name, group, id)
		w := Waiting{Pool: step.GetPool(), BlockedBy: step.GetBlockedBy(), Since: step.GetWaitingSince().AsTime(), Version: version}
		if step.GetLookAgainAt() != nil {
			w.LookAgain = step.GetLookAgainAt().AsTime()
		}
		if step.GetFallbackAt() != nil {
			w.FallbackAt = step.GetFallbackAt().AsTime()
		}
		if w.place = before.place; !waited {
			group.places++
			w.place = group.places
		}
		group.enter(w, id)
		group.Line[id] = w
		g.look(lookAt{w.LookAgain, name, id})
	case routingv1.StepKind_STEP_KIND_LEFT:
		g.leave(name, group, id)
	}
}

// holdOf is what somebody holds by an offer.
func holdOf(step *routingv1.PoolStep) Hold {
	hold := Hold{Member: step.GetMember(), Pool: step.GetPool(), Offer: step.GetOffer(), TakeBy: step.GetTakeBy().AsTime()}
	if step.GetRemindAt() != nil {
		hold.RemindAt = step.GetRemindAt().AsTime()
	}
	return hold
}

func (g *Groups) leave(name string, group *Group, id string) {
	w, ok := group.Line[id]
	if !ok {
		return
	}
	g.unlook(lookAt{w.LookAgain, name, id})
	group.leaves(w)
	delete(group.Line, id)
}

// find answers where somebody's place is, or would be, among leads that are in the order
// of theirs.
func (g *Group) find(order []string, w Waiting) (int, bool) {
	return slices.BinarySearchFunc(order, w, func(id string, w Waiting) int { return g.Line[id].compare(w) })
}

// compare says which of two places comes first: that of who waits longer, and of who
// came first where they wait equally long. Who comes back has the place of before.
func (w Waiting) compare(other Waiting) int {
	return cmp.Or(w.Since.Compare(other.Since), cmp.Compare(w.place, other.place))
}

// enter puts a lead that waits into its line and its pool's, at its place.
func (g *Group) enter(w Waiting, id string) {
	i, _ := g.find(g.order, w)
	g.order = slices.Insert(g.order, i, id)
	line := g.lines[w.Pool]
	i, _ = g.find(line, w)
	g.lines[w.Pool] = slices.Insert(line, i, id)
}

// leaves takes a lead that waits out of them.
func (g *Group) leaves(w Waiting) {
	// By its place, while it has one: a long line is not searched.
	if i, ok := g.find(g.order, w); ok {
		g.order = slices.Delete(g.order, i, i+1)
	}
	line := g.lines[w.Pool]
	if i, ok := g.find(line, w); ok {
		line = slices.Delete(line, i, i+1)
	}
	if g.lines[w.Pool] = line; len(line) == 0 {
		delete(g.lines, w.Pool)
	}
}

// lookAt is when a waiting lead is looked at again.
type lookAt struct {
	at          time.Time
	group, lead string
}

func (a lookAt) compare(b lookAt) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.group, b.group), cmp.Compare(a.lead, b.lead))
}

func (g *Groups) look(l lookAt) {
	if i, known := slices.BinarySearchFunc(g.looks, l, lookAt.compare); !known && !l.at.IsZero() {
		g.looks = slices.Insert(g.looks, i, l)
	}
}

func (g *Groups) unlook(l lookAt) {
	if i, known := slices.BinarySearchFunc(g.looks, l, lookAt.compare); known {
		g.looks = slices.Delete(g.looks, i, i+1)
	}
}

// Ordered are the waiting leads of a group, oldest first.
func (g *Group) Ordered() []string { return g.order }

// Pools are the pools in whose lines leads wait, by name.
func (g *Group) Pools() []string { return slices.Sorted(maps.Keys(g.lines)) }

// NextLook is the first instant after t at which a waiting lead is looked at.
func (g *Groups) NextLook(t time.Time) time.Time {
	if i := g.looked(t); i < len(g.looks) {
		return g.looks[i].at
	}
	return time.Time{}
}

// looked counts the waiting leads whose moment to be looked at again has come by t.
func (g *Groups) looked(t time.Time) int {
	i, _ := slices.BinarySearchFunc(g.looks, t, func(l lookAt, t time.Time) int {
		if l.at.After(t) {
			return 1
		}
		return -1
	})
	return i
}

// NextOffer is when the first standing offer runs out, or its member is reminded of
// it; zero = none stands.
func (g *Groups) NextOffer() time.Time {
	if len(g.offers) == 0 {
		return time.Time{}
	}
	return g.offers[0].at
}

// Overdue are the leads whose offers have run out by t, or whose members are to be
// reminded by then; each once.
func (g *Groups) Overdue(t time.Time, most int) []string {
	var out []string
	found := map[string]bool{}
	var walk func(i int)
	walk = func(i int) {
		if i >= len(g.offers) || g.offers[i].at.After(t) || len(out) >= most {
			return
		}
		if d := g.offers[i]; g.stands(d) && !found[d.lead] {
			found[d.lead] = true
			out = append(out, d.lead)
		}
		walk(2*i + 1)
		walk(2*i + 2)
	}
	walk(0)
	return out
}

// stands says whether an offer still runs, and its member has not been reminded where
// that is what falls due.
func (g *Groups) stands(d dueOffer) bool {
	group := g.groups[d.group]
	if group == nil {
		return false
	}
	hold, ok := group.Held[d.lead]
	return ok && hold.Offer == d.offer && (hold.TakeBy.Equal(d.at) || hold.RemindAt.Equal(d.at))
}

type dueOffer struct {
	at          time.Time
	group, lead string
	offer       int32
}

// dueHeap holds offers by when they run out. An offer that was answered stays
// until it reaches the top.
type dueHeap []dueOffer

func (h dueHeap) less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].lead < h[j].lead
	}
	return h[i].at.Before(h[j].at)
}

func (h *dueHeap) push(d dueOffer) {
	*h = append(*h, d)
	a := *h
	for i := len(a) - 1; i > 0; {
		up := (i - 1) / 2
		if !a.less(i, up) {
			return
		}
		a[i], a[up] = a[up], a[i]
		i = up
	}
}

func (h *dueHeap) pop() {
	a := *h
	last := len(a) - 1
	a[0] = a[last]
	a = a[:last]
	for i := 0; ; {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < len(a) && a.less(child, least) {
				least = child
			}
		}
		if least == i {
			break
		}
		a[i], a[least] = a[least], a[i]
		i = least
	}
	*h = a
}

// clean drops answered offers off the top, and all of them once they are most
// of the heap.
func (h *dueHeap) clean(g *Groups) {
	for len(*h) > 0 && !g.stands((*h)[0]) {
		h.pop()
	}
}
