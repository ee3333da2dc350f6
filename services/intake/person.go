package intake

import (
	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// People is the fold of who is one and the same.
type People struct {
	*lead.People
	get func(fn func())
}

// NewPeople is the fold of nobody.
func NewPeople() *People {
	return &People{People: lead.NewPeople(), get: func(fn func()) { fn() }}
}

// Guard makes look-ups from outside wait for the fold.
func (p *People) Guard(f *ledger.Follower) {
	p.get = func(fn func()) { f.View(func(*ledger.View) { fn() }) }
}

// Apply folds one event.
func (p *People) Apply(e *ledger.Event) { p.Evolve(e.Subject, e.Seq, e.Occurred, e.Recorded, e.Body) }

// Current is the id under which a person is found now.
func (p *People) Current(id string) (current string) {
	p.get(func() { current = p.Canonical(id) })
	return current
}

// likeness is what the key store compares the person by, besides address and
// number; nil where there is nothing to compare, and for what is no lead.
func (m *Mapped) likeness(domains *Domains) *keys.Likeness {
	if m.Spam != "" || m.Submission.GetTest() {
		return nil
	}
	mine := LikenessOf(m.Submission.GetPersonal(), m.Email, m.Phone, domains)
	plain := mine.seal()
	if plain == nil {
		return nil
	}
	return &keys.Likeness{
		Plain: plain, Blocks: mine.Blocks(), JoinAt: JoinAt, SuggestAt: SuggestAt,
		Compare: func(other []byte) (int, []string) {
			theirs, ok := opened(other)
			if !ok {
				return 0, nil
			}
			return Alike(mine, theirs)
		},
	}
}

// attached are the events that say whose a lead is: on its own subject, on the
// person's, and who else they may be.
func attached(leadID string, g *keys.Grant, people *People) (onLead *leadv1.PersonAttached, onPerson []proto.Message) {
	onLead = &leadv1.PersonAttached{PersonId: g.PersonID, MatchedBy: g.MatchedBy, Confidence: int32(g.Confidence)}
	onPerson = []proto.Message{&personv1.LeadAttached{LeadId: leadID}}
	if s := g.Suggested; s != nil && (people == nil || !people.Asked(g.PersonID, s.PersonID)) {
		onPerson = append(onPerson, &personv1.MatchSuggested{OtherId: s.PersonID, Confidence: int32(s.Confidence), Alike: s.Alike})
	}
	return onLead, onPerson
}
