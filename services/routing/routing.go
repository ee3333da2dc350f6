// Package routing gives each qualified lead to one seller, fairly and with a
// clock running, and says why it went there and to nobody else.
//
// It promises: a lead is with one person at a time; nobody holds more than the
// agreed capacity at any moment of the log, or is given more than the agreed
// limit of a period; it goes to whose it is, if they can take it, else by the
// pool's own way; a pool's rotation stays within one lead of quota while the
// same people are eligible, and within a stated bound otherwise; what one
// person's books gain others' lose; an offer that runs out goes to the next
// person; a lead that nobody can take waits in a line that names the rule; and
// every decision says what it looked at and can be derived again from the log
// alone.
//
// It hears lead.*, org.member.* and org.agreement.*; it says LeadOffered,
// LeadQueued, LeadReassigned, OfferAccepted, OfferRejected, OfferReminded,
// OfferTimedOut, OwnerChanged, the members' comings and goings, TurnsAdjusted, and
// PoolAdvanced for each group of pools.
package routing

import (
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Name is the service's one word.
const Name = "routing"

// Hears are the subjects that make it look.
var Hears = []string{"lead.*", "org.member.*", "org.agreement.*"}

// Routing is the service.
type Routing struct {
	register *agreement.Register
	roster   *Roster
	groups   *Groups
	people   *lead.People
	// dry are the lines that were asked last and had nothing to give away, by group
	// and pool, with what that rests on. Only Wake touches it.
	dry map[[2]string]footing
	// stirred are waiting leads that may have become somebody's: see kindred.
	stirred map[string]bool
	// crowds are what is known of large pools. Only Decide and Wake touch it.
	crowds *crowds
}

// New makes the service on top of four folds. Without people everybody is whom
// their lead was attached to.
func New(register *agreement.Register, roster *Roster, groups *Groups, people *lead.People) *Routing {
	return &Routing{register: register, roster: roster, groups: groups, people: people, dry: map[[2]string]footing{}, crowds: newCrowds(), stirred: map[string]bool{}}
}

// Service implements ledger.Decider.
func (r *Routing) Service() string { return Name }

// folds answers leads as they are folded: View.Lead, or what a test holds.
type folds func(id string) (*lead.State, error)

// Decide looks at every item's lead as it stands and gives out what is due.
func (r *Routing) Decide(v *ledger.View, items []*ledger.Item) ([]ledger.Draft, error) {
	return r.decide(v.Now, v.Lead, items)
}

func (r *Routing) decide(now time.Time, leads folds, items []*ledger.Item) ([]ledger.Draft, error) {
	b := &batch{turn: r.turn(now), people: r.people, now: now, commanded: map[string]*ledger.Item{}, added: map[string]bool{}}
	looked := map[string]bool{}
	for _, item := range items {
		switch {
		case item.Command != nil:
			if err := r.command(leads, b, item); err != nil {
				return nil, err
			}
		case item.Lead != "" && !looked[item.Lead]:
			looked[item.Lead] = true
			folded, err := leads(item.Lead)
			if err != nil {
				return nil, err
			}
			if folded.ID != "" {
				b.look(b.turn.Lead(folded), item)
			}
		}
	}
	groups, advanced := b.turn.Advanced()
	for i, body := range advanced {
		b.drafts = append(b.drafts, ledger.Draft{
			Subject: lead.SubjectPool + groups[i], Body: body, Cause: items[0].Cause, Correlation: groups[i], Logic: Logic, Agreement: b.turn.version,
			TraceParent: items[0].Trace,
		})
	}
	return b.drafts, nil
}

// turn begins a batch of the one who routes, which need not look at a large pool again.
func (r *Routing) turn(now time.Time) *Turn {
	t := NewTurn(r.groups, r.roster, r.register, r.people, now)
	t.crowds = r.crowds
	t.crowds.face(t)
	return t
}

// batch collects what is said in one turn.
type batch struct {
	turn   *Turn
	people *lead.People
	now    time.Time
	drafts []ledger.Draft
	// commanded are the commands that the batch has seen, by cause.
	commanded map[string]*ledger.Item
	// added are the members that the batch has made known.
	added map[string]bool
}

// look says what is due on a lead, step by step, until nothing is.
func (b *batch) look(s *lead.State, item *ledger.Item) {
	// A time-out or a move is followed by the next offer; more than two in a row would
	// be a mistake.
	for n := 0; n < 3; n++ {
		said := b.turn.Next(s)
		if said == nil {
			break
		}
		b.say(s, item, said, n)
	}
	if b.turn.Tidy(s) && s.State == leadv1.State_STATE_NURTURING {
		// Back with marketing: the person is nobody's of sales any more.
		b.owner(s, item, "")
	}
}

func (b *batch) say(s *lead.State, item *ledger.Item, said *Said, position int) {
	d := ledger.Draft{
		Subject: lead.SubjectOf(s.ID), Body: said.Body, Cause: item.Cause, Correlation: s.ID, Position: position,
		TraceParent: item.Trace, Agreement: b.turn.version, Logic: Logic,
	}
	owned := false
	switch body := said.Body.(type) {
	case *leadv1.OfferTimedOut:
		d.Occurred = body.GetDueAt().AsTime()
	case *leadv1.OfferReminded:
		d.Occurred = body.GetDueAt().AsTime()
	case *leadv1.LeadReassigned:
		owned = body.GetAccepted()
	}
	b.drafts = append(b.drafts, d)
	b.turn.Take(s, said)
	if owned {
		b.owner(s, item, "")
	}
}

// owner says whose person this is from now on. Who was merged has no owner of
// their own: it is said of who stayed. Whoever covers for somebody changes nothing.
func (b *batch) owner(s *lead.State, item *ledger.Item, member string) {
	if s.PersonID == "" || s.Covers != "" {
		return
	}
	b.drafts = append(b.drafts, ledger.Draft{
		Subject: lead.SubjectPerson + b.people.Canonical(s.PersonID), Body: &personv1.OwnerChanged{Member: member, LeadId: s.ID},
		Cause: item.Cause, Correlation: s.ID, Actor: item.Actor, TraceParent: item.Trace,
	})
}
