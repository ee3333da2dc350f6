package lead

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
)

// People is who is one and the same, as folded from the events of persons. A
// lead stays attached to the person whose address or number brought it; who was
// merged is found under who stayed, and a merge that is taken back therefore
// leaves each with what is theirs.
type People struct {
	byID map[string]*human
	// matches are the suggestions in the order in which they were made, open ones
	// and others.
	matches []*match
	asked   map[[2]string]bool
	// held says who took which open lead.
	held map[string]string
	// had says who had which lead as their own, covered which leads were last offered
	// to somebody in their place.
	had     map[string]had
	covered map[string]bool
}

// human is one person by the id that they were given.
type human struct {
	id    string
	leads []attached
	// into is who they were merged into, nil = they stand alone; from is who was
	// merged into them, in order.
	into *human
	from []*human
	// owner of the person and the lead that brought it about: while they are
	// merged, the one whom they get back. said is what their own subject says.
	owner, said owned
	// Whom the one who stays had before the merge, and has by it.
	intoBefore, kept owned
}

type attached struct {
	lead string
	seq  uint64
}

type owned struct{ member, lead string }

// match is a suggestion.
type match struct {
	a, b       *human
	confidence int
	alike      []string
	since      time.Time
	dismissed  bool
}

// Person is a person as they stand.
type Person struct {
	ID string
	// Merged are the ids that they are found under as well, in the order in which
	// they were merged.
	Merged []string
	// Leads in the order of the log.
	Leads []string
	// Owner of sales and the lead that made them so; empty = nobody.
	Owner, OwnerLead string
	// Held are their open leads that somebody took, in the order of the log.
	Held []Held
}

// Held is an open lead and who took it.
type Held struct{ Lead, Member string }

// Collides says whether two members have leads of one person.
func (p Person) Collides() bool {
	return slices.ContainsFunc(p.Held, func(h Held) bool { return h.Member != p.Held[0].Member })
}

// Match is two persons who may be one, each by the id that they stand under.
type Match struct {
	PersonID, OtherID string
	// Confidence in percent.
	Confidence int
	Alike      []string
	Since      time.Time
}

// NewPeople is the fold of nothing.
func NewPeople() *People {
	return &People{byID: map[string]*human{}, asked: map[[2]string]bool{}, held: map[string]string{}, had: map[string]had{}, covered: map[string]bool{}}
}

func (p *People) human(id string) *human {
	h := p.byID[id]
	if h == nil {
		h = &human{id: id}
		p.byID[id] = h
	}
	return h
}

func (h *human) root() *human {
	for h.into != nil {
		h = h.into
	}
	return h
}

// Evolve folds one event of a person, or of a lead that somebody takes or has no
// more. It is total: what belongs to neither changes nothing. Occurred and recorded
// are the event's two times.
func (p *People) Evolve(subject string, seq uint64, occurred, recorded time.Time, body proto.Message) {
	if id, ok := FromSubject(subject); ok {
		p.hold(id, body)
		p.act(id, occurred, body)
		return
	}
	id, ok := strings.CutPrefix(subject, SubjectPerson)
	if !ok || id == "" {
		return
	}
	switch e := body.(type) {
	case *personv1.LeadAttached:
		h := p.human(id)
		h.leads = append(h.leads, attached{e.GetLeadId(), seq})
	case *personv1.LeadDetached:
		h := p.human(id)
		h.leads = slices.DeleteFunc(h.leads, func(a attached) bool { return a.lead == e.GetLeadId() })
	case *personv1.OwnerChanged:
		h := p.human(id)
		h.said = owned{e.GetMember(), e.GetLeadId()}
		root := h.root()
		if root.owner = h.said; e.GetMember() == "" {
			root.owner = p.holding(root)
		}
	case *personv1.MatchSuggested:
		p.asked[pair(id, e.GetOtherId())] = true
		p.matches = append(p.matches, &match{a: p.human(id), b: p.human(e.GetOtherId()), confidence: int(e.GetConfidence()), alike: e.GetAlike(), since: recorded})
	case *personv1.MatchDismissed:
		one, other := p.human(id).root(), p.human(e.GetOtherId()).root()
		p.asked[pair(one.id, other.id)] = true
		for _, m := range p.matches {
			if a, b := m.a.root(), m.b.root(); a == one && b == other || a == other && b == one {
				m.dismissed = true
			}
		}
	case *personv1.PersonMerged:
		// Both subjects carry it; it counts once.
		if id == e.GetFromId() {
			p.merge(p.human(e.GetIntoId()), p.human(e.GetFromId()))
		}
	case *personv1.PersonUnmerged:
		if id == e.GetFromId() {
			p.unmerge(p.human(e.GetFromId()))
		}
	}
}

// hold notes who has an open lead.
func (p *People) hold(id string, body proto.Message) {
	switch e := body.(type) {
	case *leadv1.OfferAccepted:
		p.held[id] = e.GetMember()
	case *leadv1.OfferRejected, *leadv1.LeadNurtured, *leadv1.LeadOffered, *leadv1.LeadQueued:
		delete(p.held, id)
	case *leadv1.LeadReassigned:
		if delete(p.held, id); GivenBack(e) {
			p.held[id] = e.GetTo()
		}
	case *leadv1.OutcomeRecorded:
		if k := e.GetKind(); k == leadv1.OutcomeKind_OUTCOME_KIND_WON || k == leadv1.OutcomeKind_OUTCOME_KIND_LOST {
			delete(p.held, id)
		}
	}
}

// holding is who has the first open lead of a person.
func (p *People) holding(root *human) owned {
	if found, _ := p.Person(root.id); len(found.Held) > 0 {
		return owned{found.Held[0].Member, found.Held[0].Lead}
	}
	return owned{}
}

// Collisions are at most n persons whose open leads two or more members have, by
// id.
func (p *People) Collisions(n int) []Person {
	var out []Person
	for _, id := range slices.Sorted(maps.Keys(p.byID)) {
		if h := p.byID[id]; h.into != nil || len(h.leads) < 2 && len(h.from) == 0 {
			continue
		}
		if found, _ := p.Person(id); found.Collides() && len(out) < n {
			out = append(out, found)
		}
	}
	return out
}

func (p *People) merge(into, from *human) {
	if from.into != nil || into.root() == from {
		return
	}
	root := into.root()
	from.intoBefore, from.kept = root.owner, keep(root.owner, from.owner)
	root.owner = from.kept
	from.into, into.from = into, append(into.from, from)
}

// keep is which of two owners stays: who stays keeps theirs, else the other's
// comes along.
func keep(into, from owned) owned {
	if into.member != "" {
		return into
	}
	return from
}

func (p *People) unmerge(from *human) {
	into := from.into
	if into == nil {
		return
	}
	// Whoever got their owner through this person alone gives them back.
	for h := into; h != nil; h = h.into {
		h.owner, h.kept = without(h.owner, from), without(h.kept, from)
	}
	into.from = slices.DeleteFunc(into.from, func(h *human) bool { return h == from })
	from.into, from.intoBefore, from.kept = nil, owned{}, owned{}
}

// without is an owner as it would be without a person that was merged.
func without(now owned, from *human) owned {
	if now == from.kept {
		return from.intoBefore
	}
	return now
}

// Canonical is the id under which a person is found; an id that is not known
// stands for itself.
func (p *People) Canonical(id string) string {
	if p == nil {
		return id
	}
	if h := p.byID[id]; h != nil {
		return h.root().id
	}
	return id
}

// Person answers a person by any of their ids.
func (p *People) Person(id string) (Person, bool) {
	h := p.byID[id]
	if h == nil {
		return Person{}, false
	}
	root := h.root()
	out := Person{ID: root.id, Owner: root.owner.member, OwnerLead: root.owner.lead}
	var leads []attached
	var gather func(h *human)
	gather = func(h *human) {
		leads = append(leads, h.leads...)
		for _, f := range h.from {
			out.Merged = append(out.Merged, f.id)
			gather(f)
		}
	}
	gather(root)
	slices.SortStableFunc(leads, func(a, b attached) int { return cmp.Compare(a.seq, b.seq) })
	for _, a := range leads {
		out.Leads = append(out.Leads, a.lead)
		if member := p.held[a.lead]; member != "" {
			out.Held = append(out.Held, Held{a.lead, member})
		}
	}
	return out, true
}

// MergedInto is whom a person was merged into; false where they stand alone.
func (p *People) MergedInto(id string) (string, bool) {
	h := p.byID[id]
	if h == nil || h.into == nil {
		return "", false
	}
	return h.into.id, true
}

// Asked says whether it was asked before whether two are one, or found that
// they are.
func (p *People) Asked(a, b string) bool {
	return p.asked[pair(a, b)] || p.asked[pair(p.Canonical(a), p.Canonical(b))] || p.Canonical(a) == p.Canonical(b)
}

// Matches are the open suggestions, the surest first, each two persons once.
func (p *People) Matches() []Match {
	var out []Match
	seen := map[[2]string]int{}
	for _, m := range p.matches {
		a, b := m.a.root().id, m.b.root().id
		if m.dismissed || a == b {
			continue
		}
		found := Match{PersonID: a, OtherID: b, Confidence: m.confidence, Alike: slices.Clone(m.alike), Since: m.since}
		if i, ok := seen[pair(a, b)]; ok {
			if found.Confidence > out[i].Confidence {
				out[i] = found
			}
			continue
		}
		seen[pair(a, b)] = len(out)
		out = append(out, found)
	}
	slices.SortStableFunc(out, func(a, b Match) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return out
}

// Suggested is the open suggestion between two persons.
func (p *People) Suggested(a, b string) (Match, bool) {
	want := pair(p.Canonical(a), p.Canonical(b))
	for _, m := range p.Matches() {
		if pair(m.PersonID, m.OtherID) == want {
			return m, true
		}
	}
	return Match{}, false
}

// Change is what has to be said of an owner, on whose subject.
type Change struct{ Person, Member, Lead string }

// OwnersOfMerge is what a merge of two who stand alone changes of owners, so
// that one person has one owner: nothing, or one change.
func (p *People) OwnersOfMerge(into, from string) []Change {
	a, b := p.byID[into], p.byID[from]
	if a == nil || b == nil {
		return nil
	}
	switch kept := keep(a.owner, b.owner); {
	case kept.member == "" || a.owner.member == b.owner.member:
		return nil
	case a.owner.member == "":
		return []Change{{a.id, kept.member, kept.lead}}
	case b.owner.member != "":
		return []Change{{b.id, kept.member, kept.lead}}
	}
	return nil
}

// OwnersOfUnmerge is what taking a merge back changes of owners, so that both
// have whom they had: at most one change for each.
func (p *People) OwnersOfUnmerge(from string) []Change {
	h := p.byID[from]
	if h == nil || h.into == nil {
		return nil
	}
	root := h.root()
	var out []Change
	for _, after := range []struct {
		who   *human
		owner owned
	}{{root, without(root.owner, h)}, {h, h.owner}} {
		if after.owner.member == after.who.said.member {
			continue
		}
		lead := after.owner.lead
		if lead == "" {
			lead = after.who.said.lead
		}
		out = append(out, Change{after.who.id, after.owner.member, lead})
	}
	return out
}

func pair(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }
