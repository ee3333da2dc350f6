package intake

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Why two persons were merged.
const (
	mergedSuggested = "suggested"
	mergedByHand    = "by-hand"
)

// PersonServer answers baton.person.v1.PersonService.
type PersonServer struct {
	personv1.UnimplementedPersonServiceServer
	Log    *ledger.Ledger
	People *People
}

// GetPerson answers a person by any of their ids.
func (s *PersonServer) GetPerson(_ context.Context, req *personv1.GetPersonRequest) (*personv1.GetPersonResponse, error) {
	var p lead.Person
	var ok bool
	s.People.get(func() { p, ok = s.People.Person(req.GetPersonId()) })
	if !ok {
		return nil, unknownPerson()
	}
	out := &personv1.GetPersonResponse{PersonId: p.ID, MergedIds: p.Merged, LeadIds: p.Leads, Owner: p.Owner}
	if p.Collides() {
		out.Collision = ownerships(p.Held)
	}
	leads := make([]*lead.State, len(p.Leads))
	var err error
	for i, id := range p.Leads {
		// One look at a time: a person may have many leads, and the log goes on.
		s.Log.Follower().View(func(v *ledger.View) {
			var s *lead.State
			if s, err = v.Lead(id); err == nil {
				leads[i] = s.Clone()
			}
		})
		if err != nil {
			return nil, err
		}
	}
	out.First, out.Last, out.Handoff = lead.Touchpoints(leads)
	return out, nil
}

func ownerships(held []lead.Held) []*personv1.Ownership {
	out := make([]*personv1.Ownership, len(held))
	for i, h := range held {
		out[i] = &personv1.Ownership{LeadId: h.Lead, Member: h.Member}
	}
	return out
}

func unknownPerson() error {
	return fault.New(fault.NotFound, "there is no person of this id; baton lead show names a lead's person")
}

// Pages of suggestions.
const (
	matchesPage = 50
	matchesMost = 500
)

// ListMatches lists the open suggestions, the surest first, and with the first
// page who has more than one owner.
func (s *PersonServer) ListMatches(_ context.Context, req *personv1.ListMatchesRequest) (*personv1.ListMatchesResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = matchesPage
	}
	from := 0
	if token := req.GetPageToken(); token != "" {
		var err error
		if from, err = strconv.Atoi(token); err != nil || from < 0 {
			return nil, fault.New(fault.Invalid, "page_token is none that was answered; begin without one")
		}
	}
	var matches []lead.Match
	var collisions []lead.Person
	s.People.get(func() {
		if matches = s.People.Matches(); from == 0 {
			collisions = s.People.Collisions(matchesMost)
		}
	})
	out := &personv1.ListMatchesResponse{}
	for _, p := range collisions {
		out.Collisions = append(out.Collisions, &personv1.Collision{PersonId: p.ID, Held: ownerships(p.Held)})
	}
	matches = matches[min(from, len(matches)):]
	if size = min(size, matchesMost); len(matches) > size {
		matches = matches[:size]
		out.NextPageToken = strconv.Itoa(from + size)
	}
	for _, m := range matches {
		out.Matches = append(out.Matches, &personv1.Match{
			PersonId: m.PersonID, OtherId: m.OtherID, Confidence: int32(m.Confidence), Alike: m.Alike, Since: timestamppb.New(m.Since),
		})
	}
	return out, nil
}

// MergePersons makes two persons one. Nothing that was said of either moves:
// both are found under who stays. One owner stays as well.
func (s *PersonServer) MergePersons(ctx context.Context, req *personv1.MergePersonsRequest) (*personv1.MergePersonsResponse, error) {
	seq, err := s.write(ctx, func(b *personBatch) error {
		into, from, err := s.two(req.GetIntoId(), req.GetFromId())
		if err != nil {
			return err
		}
		if into == from {
			return fault.New(fault.State, "these two are one person already; baton person show names all their ids")
		}
		why := mergedByHand
		if _, ok := s.People.Suggested(into, from); ok {
			why = mergedSuggested
		}
		merged := &personv1.PersonMerged{IntoId: into, FromId: from, Why: why, Reason: req.GetReason()}
		b.begin("merge", into, from)
		b.say(into, merged)
		b.say(from, proto.Clone(merged))
		b.owners(s.People.OwnersOfMerge(into, from))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &personv1.MergePersonsResponse{Sequence: seq}, nil
}

// UnmergePersons takes a merge back: each has again what is theirs, and whom
// they had for an owner.
func (s *PersonServer) UnmergePersons(ctx context.Context, req *personv1.UnmergePersonsRequest) (*personv1.UnmergePersonsResponse, error) {
	from := req.GetFromId()
	seq, err := s.write(ctx, func(b *personBatch) error {
		if _, ok := s.People.Person(from); !ok {
			return unknownPerson()
		}
		into, ok := s.People.MergedInto(from)
		if !ok {
			return fault.New(fault.State, "this person is merged into nobody; give the id of the one who was merged, as baton person show lists it")
		}
		unmerged := &personv1.PersonUnmerged{IntoId: into, FromId: from, Reason: req.GetReason()}
		b.begin("unmerge", into, from)
		b.say(into, unmerged)
		b.say(from, proto.Clone(unmerged))
		b.owners(s.People.OwnersOfUnmerge(from))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &personv1.UnmergePersonsResponse{Sequence: seq}, nil
}

// DismissMatch says that two who are alike are two: it is not suggested again.
func (s *PersonServer) DismissMatch(ctx context.Context, req *personv1.DismissMatchRequest) (*personv1.DismissMatchResponse, error) {
	seq, err := s.write(ctx, func(b *personBatch) error {
		one, other, err := s.two(req.GetPersonId(), req.GetOtherId())
		if err != nil {
			return err
		}
		if _, ok := s.People.Suggested(one, other); !ok {
			return fault.New(fault.State, "nobody suggests that these two are one; baton person matches lists who may be")
		}
		b.begin("dismiss", one, other)
		b.say(one, &personv1.MatchDismissed{OtherId: other, Reason: req.GetReason()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &personv1.DismissMatchResponse{Sequence: seq}, nil
}

// two finds two persons by any of their ids.
func (s *PersonServer) two(a, b string) (string, string, error) {
	one, ok := s.People.Person(a)
	if !ok {
		return "", "", unknownPerson()
	}
	other, ok := s.People.Person(b)
	if !ok {
		return "", "", unknownPerson()
	}
	return one.ID, other.ID, nil
}

// personBatch collects what is said of persons at once.
type personBatch struct {
	view   *ledger.View
	actor  string
	cause  string
	drafts []ledger.Draft
}

// begin names what is done: the same, done again after somebody took it back,
// is another.
func (b *personBatch) begin(what, one, other string) {
	b.cause = fmt.Sprintf("%s:%s:%s:%d", what, one, other, b.view.Place(lead.SubjectPerson+other).Seq)
}

func (b *personBatch) say(person string, body proto.Message) {
	b.drafts = append(b.drafts, ledger.Draft{
		Subject: lead.SubjectPerson + person, Body: body, Cause: b.cause, Correlation: person, Actor: b.actor, Position: len(b.drafts),
	})
}

func (b *personBatch) owners(changes []lead.Change) {
	for _, c := range changes {
		b.say(c.Person, &personv1.OwnerChanged{Member: c.Member, LeadId: c.Lead})
	}
}

// write decides on one prefix of the log and says it all at once, until it
// stands.
func (s *PersonServer) write(ctx context.Context, decide func(b *personBatch) error) (uint64, error) {
	actor, _ := access.From(ctx)
	events, err := s.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		b := &personBatch{view: v, actor: actor.Handle}
		if err := decide(b); err != nil {
			return nil, err
		}
		return b.drafts, nil
	})
	if err != nil {
		return 0, err
	}
	return events[len(events)-1].Seq, nil
}
