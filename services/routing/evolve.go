package routing

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

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
	looks  map[int64]int
	// changed are the rows that have moved since they were last kept; nil =
	// nobody keeps them.
	changed map[rowKey]bool
}

// NewGroups is the fold of nothing.
func NewGroups() *Groups {
	return &Groups{groups: map[string]*Group{}, looks: map[int64]int{}}
}

// Group is a group of pools that share people.
type Group struct {
	Counts
	// Held are the leads that somebody holds.
	Held map[string]Hold
	// Line are the leads that wait, and order their places.
	Line  map[string]Waiting
	order []string
	// places counts the places that were ever given.
	places int64
}

// Counts is the small part of a group that a batch of decisions moves.
type Counts struct {
	// Rotations by pool.
	Rotations map[string]*Rotation
	// Load is how many open leads each member holds, in all pools of the group.
	Load map[string]int64
}

// Hold is a lead that a member holds.
type Hold struct {
	Member, Pool string
	Offer        int32
	// TakeBy is when the offer runs out; zero once accepted.
	TakeBy time.Time
}

// Waiting is a lead's place in the line.
type Waiting struct {
	Pool, BlockedBy string
	Since           time.Time
	LookAgain       time.Time
	// Version of the agreement by which it waits there.
	Version int64
	// place in the order of arrival; it is kept for as long as the lead waits.
	place int64
}

// Group answers a group as folded; an unknown one is empty.
func (g *Groups) Group(name string) *Group {
	if group := g.groups[name]; group != nil {
		return group
	}
	return &Group{Counts: Counts{Rotations: map[string]*Rotation{}, Load: map[string]int64{}}, Held: map[string]Hold{}, Line: map[string]Waiting{}}
}

// Names of the groups, in the order of their first event.
func (g *Groups) Names() []string { return g.names }

// Waiting says whether anybody waits in any group.
func (g *Groups) Waiting() bool {
	return slices.ContainsFunc(g.names, func(name string) bool { return len(g.groups[name].Line) > 0 })
}

// Apply folds one event.
func (g *Groups) Apply(e *ledger.Event) {
	body, ok := e.Body.(*routingv1.PoolAdvanced)
	if !ok {
		return
	}
	name := e.Subject[len(lead.SubjectPool):]
	group := g.open(name)
	for _, step := range body.GetSteps() {
		group.Counts.apply(step)
		g.note(name, step)
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
		if step.GetTurn() == leadv1.TurnKind_TURN_KIND_ROTATION {
			r := c.Rotations[step.GetPool()]
			if r == nil {
				r = &Rotation{}
				c.Rotations[step.GetPool()] = r
			}
			r.Take(seatsOf(step), step.GetMember())
		}
		c.Load[step.GetMember()]++
	case routingv1.StepKind_STEP_KIND_RELEASED:
		if c.Load[step.GetMember()]--; c.Load[step.GetMember()] == 0 {
			delete(c.Load, step.GetMember())
		}
	}
}

func seatsOf(step *routingv1.PoolStep) []Seat {
	out := make([]Seat, len(step.GetEligible()))
	for i, m := range step.GetEligible() {
		out[i] = Seat{Member: m, Weight: step.GetWeights()[i]}
	}
	return out
}

// clone is a copy that a batch may move ahead of the log.
func (c *Counts) clone() Counts {
	out := Counts{Rotations: make(map[string]*Rotation, len(c.Rotations)), Load: make(map[string]int64, len(c.Load))}
	// any order: copied, not decided
	for pool, r := range c.Rotations {
		out.Rotations[pool] = r.Clone()
	}
	// any order: copied, not decided
	for member, n := range c.Load {
		out.Load[member] = n
	}
	return out
}

// move keeps who holds what, who waits where, and what falls due when.
func (g *Groups) move(name string, group *Group, step *routingv1.PoolStep, version int64) {
	id := step.GetLeadId()
	switch step.GetKind() {
	case routingv1.StepKind_STEP_KIND_OFFERED:
		g.leave(group, id)
		hold := Hold{Member: step.GetMember(), Pool: step.GetPool(), Offer: step.GetOffer(), TakeBy: step.GetTakeBy().AsTime()}
		group.Held[id] = hold
		g.offers.push(dueOffer{hold.TakeBy, name, id, hold.Offer})
	case routingv1.StepKind_STEP_KIND_ACCEPTED:
		hold := group.Held[id]
		hold.TakeBy = time.Time{}
		group.Held[id] = hold
	case routingv1.StepKind_STEP_KIND_RELEASED:
		delete(group.Held, id)
	case routingv1.StepKind_STEP_KIND_QUEUED:
		before, waited := group.Line[id]
		g.leave(group, id)
		w := Waiting{Pool: step.GetPool(), BlockedBy: step.GetBlockedBy(), Since: step.GetWaitingSince().AsTime(), Version: version}
		if step.GetLookAgainAt() != nil {
			w.LookAgain = step.GetLookAgainAt().AsTime()
		}
		if w.place = before.place; !waited {
			group.places++
			w.place = group.places
		}
		g.look(w.LookAgain, 1)
		at, _ := group.find(w)
		group.order = slices.Insert(group.order, at, id)
		group.Line[id] = w
	case routingv1.StepKind_STEP_KIND_LEFT:
		g.leave(group, id)
	}
}

func (g *Groups) leave(group *Group, id string) {
	w, ok := group.Line[id]
	if !ok {
		return
	}
	g.look(w.LookAgain, -1)
	// By its place, while it has one: a long line is not searched.
	if i, ok := group.find(w); ok {
		group.order = slices.Delete(group.order, i, i+1)
	}
	delete(group.Line, id)
}

// find answers where in the line somebody's place is, or would be.
func (g *Group) find(w Waiting) (int, bool) {
	return slices.BinarySearchFunc(g.order, w, func(other string, w Waiting) int { return g.Line[other].compare(w) })
}

// compare says which of two places comes first: that of who waits longer, and of who
// came first where they wait equally long. Who comes back has the place of before.
func (w Waiting) compare(other Waiting) int {
	return cmp.Or(w.Since.Compare(other.Since), cmp.Compare(w.place, other.place))
}

func (g *Groups) look(at time.Time, by int) {
	if at.IsZero() {
		return
	}
	key := at.UnixNano()
	if g.looks[key] += by; g.looks[key] == 0 {
		delete(g.looks, key)
	}
}

// Ordered are the waiting leads of a group, oldest first.
func (g *Group) Ordered() []string { return g.order }

// NextLook is the first instant after t at which a waiting lead is looked at.
func (g *Groups) NextLook(t time.Time) (next time.Time) {
	first := int64(0)
	// any order: the smallest of a set
	for at := range g.looks {
		if at > t.UnixNano() && (first == 0 || at < first) {
			first = at
		}
	}
	if first == 0 {
		return time.Time{}
	}
	return time.Unix(0, first).UTC()
}

// NextOffer is when the first standing offer runs out; zero = none stands.
func (g *Groups) NextOffer() time.Time {
	if len(g.offers) == 0 {
		return time.Time{}
	}
	return g.offers[0].at
}

// Overdue are the leads whose offers have run out by t.
func (g *Groups) Overdue(t time.Time, most int) []string {
	var out []string
	var walk func(i int)
	walk = func(i int) {
		if i >= len(g.offers) || g.offers[i].at.After(t) || len(out) >= most {
			return
		}
		if g.stands(g.offers[i]) {
			out = append(out, g.offers[i].lead)
		}
		walk(2*i + 1)
		walk(2*i + 2)
	}
	walk(0)
	return out
}

// stands says whether an offer still runs.
func (g *Groups) stands(d dueOffer) bool {
	group := g.groups[d.group]
	if group == nil {
		return false
	}
	hold, ok := group.Held[d.lead]
	return ok && hold.Offer == d.offer && hold.TakeBy.Equal(d.at)
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

// Roster is the fold of the people: who they are and whether they are here.
type Roster struct {
	members map[string]*Member
	names   []string
	tokens  map[[32]byte]string
}

// NewRoster is the fold of nothing.
func NewRoster() *Roster {
	return &Roster{members: map[string]*Member{}, tokens: map[[32]byte]string{}}
}

// Member is one person of the company.
type Member struct {
	Handle      string
	Roles       []string
	Away        bool
	Until       time.Time
	Deactivated bool
	Personal    *leadv1.Sealed
	// Commands are those that were carried out, in order.
	Commands []Command
	token    [32]byte
}

// Command is a command on a member that was carried out, under the key that its
// caller gave it.
type Command struct {
	Cause string
	Seq   uint64
	// Body is what it said.
	Body proto.Message
}

// Done answers a command that was carried out, so that its repeat is answered
// and not done twice. Nobody has done anything to a member who is not known.
func (m *Member) Done(cause string) (Command, bool) {
	if m == nil {
		return Command{}, false
	}
	i := slices.IndexFunc(m.Commands, func(c Command) bool { return c.Cause == cause })
	if i < 0 {
		return Command{}, false
	}
	return m.Commands[i], true
}

// AwayAt says whether the member is away at an instant.
func (m *Member) AwayAt(t time.Time) bool {
	return m.Away && (m.Until.IsZero() || t.Before(m.Until))
}

// Apply folds one event.
func (r *Roster) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *routingv1.MemberAdded:
		m := r.members[body.GetMember()]
		if m == nil {
			m = &Member{Handle: body.GetMember()}
			r.members[m.Handle] = m
			r.names = append(r.names, m.Handle)
			slices.Sort(r.names)
		}
		m.Roles, m.Personal, m.Deactivated = body.GetRoles(), body.GetPersonal(), false
		r.give(m, body.GetTokenHash())
		m.remember(e)
	case *routingv1.MemberTokenRenewed:
		if m := r.members[body.GetMember()]; m != nil {
			// Whoever has left since the command was taken stays without one.
			if !m.Deactivated {
				r.give(m, body.GetTokenHash())
			}
			m.remember(e)
		}
	case *routingv1.AvailabilityChanged:
		if m := r.members[body.GetMember()]; m != nil {
			m.remember(e)
			m.Away, m.Until = body.GetAway(), time.Time{}
			if body.GetUntil() != nil {
				m.Until = body.GetUntil().AsTime()
			}
		}
	case *routingv1.MemberDeactivated:
		if m := r.members[body.GetMember()]; m != nil {
			m.Deactivated = true
			delete(r.tokens, m.token)
			m.remember(e)
		}
	}
}

// give lets a member be known by that token, and by no earlier one.
func (r *Roster) give(m *Member, hash []byte) {
	delete(r.tokens, m.token)
	if len(hash) == 32 {
		m.token = [32]byte(hash)
		r.tokens[m.token] = m.Handle
	}
}

// remember notes the command that brought an event about.
func (m *Member) remember(e *ledger.Event) {
	if strings.HasPrefix(e.Cause, lead.CommandPrefix) {
		m.Commands = append(m.Commands, Command{e.Cause, e.Seq, e.Body})
	}
}

// Member answers one person; nil = not known.
func (r *Roster) Member(handle string) *Member { return r.members[handle] }

// Names are all handles in order.
func (r *Roster) Names() []string { return r.names }

// ByToken answers who holds a token.
func (r *Roster) ByToken(hash [32]byte) *Member { return r.members[r.tokens[hash]] }
