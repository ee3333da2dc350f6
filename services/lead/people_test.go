package lead

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
)

// told is people with what was said of them, as the service says it.
type told struct {
	*People
	seq uint64
	// active is the owner that each person's own events name last.
	log map[string][]proto.Message
}

func tell() *told { return &told{People: NewPeople(), log: map[string][]proto.Message{}} }

func (p *told) say(person string, body proto.Message) {
	p.seq++
	p.log[person] = append(p.log[person], body)
	p.Evolve(SubjectPerson+person, p.seq, noon, noon, body)
}

func (p *told) merge(into, from string) {
	into, from = p.Canonical(into), p.Canonical(from)
	if into == from || p.byID[into] == nil || p.byID[from] == nil {
		return // the service refuses that
	}
	owners := p.OwnersOfMerge(into, from)
	body := &personv1.PersonMerged{IntoId: into, FromId: from, Why: "by-hand"}
	p.say(into, body)
	p.say(from, body)
	p.owners(owners)
}

func (p *told) unmerge(from string) {
	into, ok := p.MergedInto(from)
	if !ok {
		return
	}
	owners := p.OwnersOfUnmerge(from)
	body := &personv1.PersonUnmerged{IntoId: into, FromId: from, Reason: "two"}
	p.say(into, body)
	p.say(from, body)
	p.owners(owners)
}

func (p *told) owners(changes []Change) {
	for _, c := range changes {
		p.say(c.Person, &personv1.OwnerChanged{Member: c.Member, LeadId: c.Lead})
	}
}

// look is everything that can be asked of people.
func (p *told) look(ids []string) map[string]any {
	out := map[string]any{"matches": p.Matches()}
	for _, id := range ids {
		person, ok := p.Person(id)
		out[id] = []any{person, ok, p.Canonical(id)}
		into, merged := p.MergedInto(id)
		out["into "+id] = []any{into, merged}
		said := owned{}
		if h := p.byID[id]; h != nil {
			said.member = h.said.member
		}
		out["said "+id] = said.member
	}
	return out
}

var crowd = []string{"p1", "p2", "p3", "p4", "p5"}

// a random day in the life of five persons.
func (p *told) something(r *rapid.T, n int) {
	id := rapid.SampledFrom(crowd).Draw(r, "person")
	other := rapid.SampledFrom(crowd).Draw(r, "other")
	switch rapid.SampledFrom([]string{"lead", "owner", "suggest", "dismiss", "merge", "unmerge"}).Draw(r, "what") {
	case "lead":
		p.say(id, &personv1.LeadAttached{LeadId: fmt.Sprintf("l%d", n)})
	case "owner":
		// Routing speaks to whom they are found under.
		if _, ok := p.Person(id); ok {
			p.say(p.Canonical(id), &personv1.OwnerChanged{Member: rapid.SampledFrom([]string{"", "ana", "ben"}).Draw(r, "member"), LeadId: fmt.Sprintf("l%d", n)})
		}
	case "suggest":
		if id != other {
			p.say(id, &personv1.MatchSuggested{OtherId: other, Confidence: int32(60 + n%30), Alike: []string{"name"}})
		}
	case "dismiss":
		if id != other {
			p.say(p.Canonical(id), &personv1.MatchDismissed{OtherId: p.Canonical(other)})
		}
	case "merge":
		p.merge(id, other)
	case "unmerge":
		p.unmerge(id)
	}
}

// Whatever was merged before: merging two and taking it back changes nothing
// that can be asked, in whatever order several are taken back last come, first
// gone.
func TestUnmergeGivesBothBackAsTheyWere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		p := tell()
		for n := range rapid.IntRange(0, 25).Draw(r, "days") {
			p.something(r, n)
		}
		type step struct {
			from   string
			before map[string]any
		}
		var steps []step
		for range rapid.IntRange(1, 4).Draw(r, "merges") {
			into, from := rapid.SampledFrom(crowd).Draw(r, "into"), rapid.SampledFrom(crowd).Draw(r, "from")
			if p.Canonical(into) == p.Canonical(from) || p.byID[p.Canonical(into)] == nil || p.byID[p.Canonical(from)] == nil {
				continue
			}
			steps = append(steps, step{p.Canonical(from), p.look(crowd)})
			p.merge(into, from)
			if p.Canonical(into) != p.Canonical(from) {
				r.Fatalf("%s and %s are not one after their merge", into, from)
			}
		}
		for _, s := range slices.Backward(steps) {
			p.unmerge(s.from)
			if diff := cmp.Diff(s.before, p.look(crowd)); diff != "" {
				r.Fatalf("a merge of %s that was taken back left (-before +after)\n%s", s.from, diff)
			}
		}
	})
}

// Every lead that was ever attached is found under exactly one person, however
// they were merged and parted, and one person has one owner.
func TestNothingIsLostByMerging(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		p := tell()
		for n := range rapid.IntRange(1, 40).Draw(r, "days") {
			p.something(r, n)
			found := map[string]string{}
			for _, id := range crowd {
				person, ok := p.Person(id)
				if !ok || person.ID != id {
					continue
				}
				for _, l := range person.Leads {
					if found[l] != "" {
						r.Fatalf("lead %s is found under %s and %s", l, found[l], id)
					}
					found[l] = id
				}
			}
			for id, bodies := range p.log {
				for _, body := range bodies {
					if e, ok := body.(*personv1.LeadAttached); ok && found[e.GetLeadId()] != p.Canonical(id) {
						r.Fatalf("lead %s of %s, who is %s, is found under %q", e.GetLeadId(), id, p.Canonical(id), found[e.GetLeadId()])
					}
				}
			}
		}
	})
}

func TestOneOwnerAfterAMerge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ into, from, want, said string }{
		{"ana", "ben", "ana", "p2 ana"},
		{"", "ben", "ben", "p1 ben"},
		{"ana", "", "ana", ""},
		{"ana", "ana", "ana", ""},
		{"", "", "", ""},
	} {
		p := tell()
		for id, owner := range map[string]string{"p1": c.into, "p2": c.from} { // any order: two persons who know nothing of each other
			p.say(id, &personv1.LeadAttached{LeadId: "l" + id})
			if owner != "" {
				p.say(id, &personv1.OwnerChanged{Member: owner, LeadId: "l" + id})
			}
		}
		var said []string
		for _, change := range p.OwnersOfMerge("p1", "p2") {
			said = append(said, change.Person+" "+change.Member)
		}
		p.merge("p1", "p2")
		got, _ := p.Person("p2")
		if got.Owner != c.want || strings.Join(said, ", ") != c.said {
			t.Errorf("%q and %q: the owner is %q by %q, want %q by %q", c.into, c.from, got.Owner, said, c.want, c.said)
		}
	}
}

// An owner who was given to the one person while they were one stays theirs.
func TestOwnerGivenInTheMeantimeStays(t *testing.T) {
	t.Parallel()
	p := tell()
	p.say("p1", &personv1.LeadAttached{LeadId: "l1"})
	p.say("p2", &personv1.OwnerChanged{Member: "ben", LeadId: "l2"})
	p.merge("p1", "p2")
	p.say("p1", &personv1.OwnerChanged{Member: "carl", LeadId: "l1"})
	p.unmerge("p2")
	one, _ := p.Person("p1")
	two, _ := p.Person("p2")
	if one.Owner != "carl" || two.Owner != "ben" {
		t.Errorf("after parting, %q and %q own them; want carl and ben", one.Owner, two.Owner)
	}
}

func TestChainsAndSuggestions(t *testing.T) {
	t.Parallel()
	p := tell()
	for _, id := range crowd {
		p.say(id, &personv1.LeadAttached{LeadId: "l" + id})
	}
	p.merge("p2", "p1")
	p.merge("p3", "p2")
	p.say("p1", &personv1.LeadAttached{LeadId: "late"})
	got, _ := p.Person("p1")
	want := Person{ID: "p3", Merged: []string{"p2", "p1"}, Leads: []string{"lp1", "lp2", "lp3", "late"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a chain (-want +got)\n%s", diff)
	}
	p.say("p4", &personv1.MatchSuggested{OtherId: "p1", Confidence: 80, Alike: []string{"name"}})
	p.say("p5", &personv1.MatchSuggested{OtherId: "p4", Confidence: 90, Alike: []string{"phone-tail"}})
	p.say("p4", &personv1.MatchSuggested{OtherId: "p2", Confidence: 85, Alike: []string{"company"}})
	matches := p.Matches()
	if len(matches) != 2 || matches[0].Confidence != 90 || matches[1].Confidence != 85 || matches[1].OtherID != "p3" {
		t.Errorf("the suggestions are %+v; want the surest first, two persons once, by the ids they stand under", matches)
	}
	p.say("p3", &personv1.MatchDismissed{OtherId: "p4"})
	if matches = p.Matches(); len(matches) != 1 || !p.Asked("p1", "p4") {
		t.Errorf("a dismissed suggestion is open: %+v", matches)
	}
	p.merge("p5", "p4")
	if matches = p.Matches(); len(matches) != 0 {
		t.Errorf("two who are one are suggested: %+v", matches)
	}
	p.unmerge("p4")
	if matches = p.Matches(); len(matches) != 1 {
		t.Errorf("after parting, the suggestions are %+v; want the one that was open", matches)
	}
}

func TestDetachedLeadIsNotTheirsAnyMore(t *testing.T) {
	t.Parallel()
	p := tell()
	p.say("p1", &personv1.LeadAttached{LeadId: "l1"})
	p.say("p1", &personv1.LeadDetached{LeadId: "l1", PersonId: "p2"})
	p.say("p2", &personv1.LeadAttached{LeadId: "l1"})
	one, _ := p.Person("p1")
	two, _ := p.Person("p2")
	if len(one.Leads) != 0 || !slices.Equal(two.Leads, []string{"l1"}) {
		t.Errorf("%v and %v", one.Leads, two.Leads)
	}
}

// One person with two owners shows, through merges and for as long as both
// leads are open; whoever is left is their owner.
func TestCollisionsShow(t *testing.T) {
	t.Parallel()
	p := NewPeople()
	seq := uint64(0)
	say := func(subject string, body proto.Message) { seq++; p.Evolve(subject, seq, noon, noon, body) }
	take := func(person, id, member string) {
		say("lead."+id, &leadv1.OfferAccepted{Member: member})
		say("person."+person, &personv1.OwnerChanged{Member: member, LeadId: id})
	}
	check := func(when, owner, held string, collide ...string) {
		t.Helper()
		var ids []string
		for _, c := range p.Collisions(9) {
			ids = append(ids, c.ID)
		}
		found, _ := p.Person("p1")
		if got := fmt.Sprint(found.Held); found.Owner != owner || got != held || !slices.Equal(ids, collide) {
			t.Errorf("%s: owner %q, held %s, collisions %v; want %q, %s, %v", when, found.Owner, got, ids, owner, held, collide)
		}
	}
	say("person.p1", &personv1.LeadAttached{LeadId: "a"})
	say("person.p1", &personv1.LeadAttached{LeadId: "b"})
	say("person.p2", &personv1.LeadAttached{LeadId: "c"})
	take("p1", "a", "ana")
	take("p1", "b", "ana")
	take("p2", "c", "ben")
	check("one owner of two leads", "ana", "[{a ana} {b ana}]")
	say("person.p2", &personv1.PersonMerged{IntoId: "p1", FromId: "p2"})
	check("merged", "ana", "[{a ana} {b ana} {c ben}]", "p1")
	if got := p.Collisions(0); got != nil {
		t.Errorf("none were asked for, %v came", got)
	}
	say("person.p2", &personv1.PersonUnmerged{IntoId: "p1", FromId: "p2"})
	check("parted", "ana", "[{a ana} {b ana}]")
	say("lead.b", &leadv1.OfferRejected{Member: "ana"})
	say("person.p1", &personv1.OwnerChanged{LeadId: "b"})
	check("one given back", "ana", "[{a ana}]")
	take("p1", "b", "ben")
	check("taken by another", "ben", "[{a ana} {b ben}]", "p1")
	say("lead.b", &leadv1.LeadNurtured{})
	say("person.p1", &personv1.OwnerChanged{LeadId: "b"})
	check("the other's went back to marketing", "ana", "[{a ana}]")
	take("p1", "b", "ben")
	say("lead.a", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH})
	check("worked", "ben", "[{a ana} {b ben}]", "p1")
	say("lead.a", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON})
	check("closed", "ben", "[{b ben}]")
	say("lead.b", &leadv1.LeadReassigned{From: "ben", To: "carl"})
	check("moved by hand", "ben", "[]")
	say("lead.b", &leadv1.LeadReassigned{From: "carl", To: "ben", Undoes: "m1", Accepted: true})
	check("the move taken back", "ben", "[{b ben}]")
	say("lead.b", &leadv1.OfferRejected{Member: "ben"})
	say("person.p1", &personv1.OwnerChanged{LeadId: "b"})
	check("nobody's", "", "[]")
}
