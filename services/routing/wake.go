package routing

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// When the service looks by itself, and at what: offers that run out or want a
// reminder, leads of people who have left, and lines of which somebody can take a
// lead now. There is no sweep: each of it has its instant, or the event that brings
// it about.

// Due is when the next of that falls due: an offer runs out or wants a reminder; and
// while leads wait, a shift of their pools begins, somebody's leave begins or ends,
// one of them has its own moment to be looked at, or another agreement comes into
// force.
func (r *Routing) Due(v *ledger.View) time.Time { return r.due(v.Woken) }

func (r *Routing) due(woken time.Time) time.Time {
	due := r.groups.NextOffer()
	sooner := func(at time.Time) {
		if !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if !r.groups.Waiting() {
		return due
	}
	sooner(r.groups.NextLook(woken))
	sooner(r.roster.NextTurn(woken))
	sooner(r.register.NextChange(woken))
	sooner(r.nextShift(woken))
	return due
}

// nextShift is the first instant after t at which hours begin by which somebody works
// for whose pool leads wait; zero = none is in sight. Leads that wait for a place need
// not say when: whoever has one by then is found at the beginning of their hours.
func (r *Routing) nextShift(t time.Time) (next time.Time) {
	version := r.register.InForce(t)
	if version == nil {
		return next
	}
	var known []string
	hours := func(id string) {
		if slices.Contains(known, id) {
			return
		}
		known = append(known, id)
		calendar, ok := version.Agreement.Calendar(id)
		if !ok {
			return
		}
		if at, ok := calendar.NextStart(t); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, name := range r.groups.Names() {
		for _, id := range r.groups.Group(name).Pools() {
			pool, ok := version.Agreement.Pool(id)
			if !ok {
				continue
			}
			hours(pool.Calendar)
			for _, seat := range pool.Members {
				if seat.Calendar != "" {
					hours(seat.Calendar)
				}
			}
		}
	}
	return next
}

// wakeMost bounds one wake-up: the rest follows at once.
const wakeMost = 100

// Wake answers offers that have run out or want a reminder, then leads of people who
// have left, then waiting leads that somebody can take now, oldest first.
func (r *Routing) Wake(v *ledger.View) []*ledger.Item { return r.wake(v.Now, v.Basis, v.Lead) }

func (r *Routing) wake(now time.Time, basis uint64, leads folds) []*ledger.Item {
	if items := r.overdue(now, leads); len(items) > 0 {
		return items
	}
	if items := r.abandoned(); len(items) > 0 {
		return items
	}
	var items []*ledger.Item
	own, kindred := r.groups.own(now), r.kindred(leads)
	for _, group := range r.groups.Names() {
		items = r.able(now, basis, leads, group, append(own[group], kindred[group]...), items)
		if len(items) >= wakeMost {
			break
		}
	}
	return items
}

// overdue are the offers that have run out, or want a reminder.
func (r *Routing) overdue(now time.Time, leads folds) (items []*ledger.Item) {
	ids := r.groups.Overdue(now, wakeMost)
	if len(ids) == 0 {
		return nil
	}
	t := r.turn(now)
	for _, id := range ids {
		s, err := leads(id)
		if err != nil || s.State != leadv1.State_STATE_OFFERED {
			continue
		}
		cause := "due"
		if now.Before(s.TakeBy) {
			cause = "remind"
		}
		if t.Next(s) != nil {
			items = append(items, &ledger.Item{Lead: id, Cause: fmt.Sprintf("%s:%s:%d", cause, id, s.Offers)})
		}
	}
	return items
}

// abandoned are the open leads of people who were taken out, so many as one batch
// takes.
func (r *Routing) abandoned() (items []*ledger.Item) {
	for _, member := range r.roster.gone {
		move := r.roster.Member(member).Left
		for _, id := range r.groups.of(member, wakeMost-len(items)) {
			items = append(items, &ledger.Item{Lead: id, Cause: "left:" + move + ":" + id})
		}
		if len(items) >= wakeMost {
			break
		}
	}
	return items
}

// of are the leads that a member holds in all groups, by their ids, at most so many.
func (g *Groups) of(member string, most int) (ids []string) {
	for _, name := range g.names {
		group := g.groups[name]
		if group.Load[member] == 0 {
			continue
		}
		// any order: sorted below
		for id, hold := range group.Held {
			if hold.Member == member {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), most)]
}

// own are the waiting leads whose own moment to be looked at has come by t, by group.
func (g *Groups) own(t time.Time) map[string][]string {
	n := g.looked(t)
	if n == 0 {
		return nil
	}
	out := map[string][]string{}
	for _, l := range g.looks[:n] {
		out[l.group] = append(out[l.group], l.lead)
	}
	return out
}

// footing is what it rests on that a line has nothing to give away: the agreement, what
// is known of the people, and who could take some lead. While all three stand, no lead
// of the line can go that could not before, but for one whose own moment has come.
type footing struct {
	version, roster int64
	able            string
}

// footing is what a pool's line stands on at this instant.
func (r *Routing) footing(t *Turn, id string) footing {
	f := footing{version: t.version, roster: r.roster.moves}
	if t.agreement == nil {
		return f
	}
	pool, ok := t.agreement.Pool(id)
	calendar, known := t.agreement.Calendar(pool.Calendar)
	if ok && known {
		f.able = strings.Join(able(t.input(&lead.State{}), pool, calendar, t.Counts(pool.Group)), " ")
	}
	return f
}

// able appends the waiting leads of a group on which something can be said, oldest
// first. A line that was asked before on the same footing costs nothing, however long
// it is.
func (r *Routing) able(now time.Time, basis uint64, leads folds, name string, own []string, items []*ledger.Item) []*ledger.Item {
	group := r.groups.Group(name)
	if len(group.Line) == 0 {
		return items
	}
	w := &waking{turn: r.turn(now), group: group, leads: leads, due: map[string]bool{}, anew: map[string]bool{}, closed: map[lineClass]bool{}}
	walked := map[string]footing{}
	var lines [][]string
	for _, pool := range group.Pools() {
		foot := r.footing(w.turn, pool)
		known, asked := r.dry[[2]string{name, pool}]
		if asked && known == foot {
			continue
		}
		walked[pool] = foot
		w.anew[pool] = !asked || known.version != foot.version || known.roster != foot.roster
		lines = append(lines, group.lines[pool])
	}
	var alone []string
	for _, id := range own {
		if w.due[id] {
			continue
		}
		w.due[id] = true
		if _, too := walked[group.Line[id].Pool]; !too {
			alone = append(alone, id)
		}
	}
	slices.SortFunc(alone, func(a, b string) int { return group.Line[a].compare(group.Line[b]) })
	found := len(items)
	for id := range group.oldest(append(lines, alone)) {
		if len(items) >= wakeMost {
			return items
		}
		s := w.looks(id)
		if s == nil {
			delete(r.stirred, id)
			continue
		}
		items = append(items, &ledger.Item{Lead: id, Cause: fmt.Sprintf("line:%s:%d:%d", id, s.Offers, basis)})
	}
	if len(items) == found {
		// any order: each has its own entry
		for pool, foot := range walked {
			r.dry[[2]string{name, pool}] = foot
		}
	}
	return items
}

// oldest goes through several lines as one, the lead first that has waited longest.
func (g *Group) oldest(lines [][]string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			first := -1
			for i, line := range lines {
				if len(line) > 0 && (first < 0 || g.Line[line[0]].compare(g.Line[lines[first][0]]) < 0) {
					first = i
				}
			}
			if first < 0 || !yield(lines[first][0]) {
				return
			}
			lines[first] = lines[first][1:]
		}
	}
}

// waking looks at the lines of a group in one dry turn.
type waking struct {
	turn  *Turn
	group *Group
	leads folds
	// due are the leads whose own moment has come, anew the pools whose footing has
	// changed by more than who is able: there, what a lead waits for is said again
	// where it has changed.
	due, anew map[string]bool
	// closed are the kinds of leads of which one could not go, so that none can.
	closed map[lineClass]bool
}

// lineClass is what makes waiting leads of one line alike.
type lineClass struct {
	pool, blockedBy string
	version         int64
	// look tells them apart only where it is said again what they wait for.
	look time.Time
	// needs is what whoever gets them must know.
	needs string
}

// looks answers a waiting lead if something can be said on it now: nil = nothing can.
// What can be said is taken in the dry turn, so that the line is not asked for more
// than there is room.
func (w *waking) looks(id string) *lead.State {
	waits := w.group.Line[id]
	class := lineClass{pool: waits.Pool, blockedBy: waits.BlockedBy, version: waits.Version}
	if w.anew[waits.Pool] {
		class.look = waits.LookAgain
	}
	if w.closed[class] && !w.due[id] {
		return nil
	}
	folded, err := w.leads(id)
	if err != nil {
		return nil
	}
	s := w.turn.Lead(folded)
	kind := class
	if kind.needs = w.turn.needs(s); w.closed[kind] && !w.due[id] {
		return nil
	}
	said := w.turn.Next(s)
	if said != nil && (w.due[id] || w.anew[waits.Pool] || moves(said, waits.Pool)) {
		w.turn.Take(s, said)
		return s
	}
	// Whom this one waits for, the next need not wait for: an owner, or who has not
	// declined it. And under another agreement than the one in force it may belong
	// elsewhere.
	own := len(s.Declined)+len(s.TimedOut)+len(s.Excluded)+len(s.Returned) > 0 || waits.BlockedBy == "owner" || w.turn.may(s)
	if !own && waits.Version == w.turn.version {
		w.closed[kind] = true
	}
	return nil
}

// moves says whether a lead leaves the line of a pool by what is said.
func moves(said *Said, pool string) bool {
	q, queued := said.Body.(*leadv1.LeadQueued)
	return !queued || q.GetPool() != pool
}

// needs is what whoever gets a lead must know, as one word.
func (t *Turn) needs(s *lead.State) string {
	in := t.input(s)
	if in.Agreement == nil {
		return ""
	}
	rule, facts, ok := handoff(in)
	if !ok {
		return ""
	}
	return strings.Join(in.Agreement.Needs(rule.ID, facts), " ")
}

// may says whether a lead may be somebody's, whatever others of its pool can take.
func (t *Turn) may(s *lead.State) bool {
	if t.agreement == nil {
		return false
	}
	_, one := t.agreement.OneOwner()
	pool, _ := t.agreement.Pool(s.Pool)
	return s.PersonID != "" && (one || pool.PreviousOwnerFor > 0) || s.Account != nil && pool.AccountOwner
}
