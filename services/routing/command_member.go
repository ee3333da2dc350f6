package routing

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// What is said about the people of the company.

// member changes the roster; the event is ready, the subject opaque.
type member struct {
	subject string
	handle  string
	body    proto.Message
	// from is when it began to hold; zero = now.
	from time.Time
}

// memberCommand carries out a command on a member, or refuses it.
func (r *Routing) memberCommand(leads folds, b *batch, item *ledger.Item, cmd *member) error {
	known := r.roster.Member(cmd.handle)
	if done, ok := known.Done(item.Cause); ok {
		item.Answer(done.Seq)
		repeat(item, cmd, done.Body)
		return nil
	}
	if first := b.first(item); first != nil {
		repeat(item, cmd, first.Command.(*member).body)
		return nil
	}
	draft := ledger.Draft{Subject: cmd.subject, Body: cmd.body, Occurred: cmd.from, Cause: item.Cause, Correlation: cmd.subject, Actor: item.Actor}
	if body, ok := cmd.body.(*routingv1.MemberAdded); ok {
		if b.added[cmd.handle] || (known != nil && !known.Deactivated) {
			item.Err = fault.New(fault.State, "%s is known already", body.GetMember())
			return nil
		}
		b.added[cmd.handle] = true
		b.drafts = append(b.drafts, draft)
		return nil
	}
	// Somebody whom the batch has taken out is gone for the rest of it.
	if known = b.turn.roster.Member(cmd.handle); known == nil || known.Deactivated {
		item.Err = fault.New(fault.NotFound, "there is no active member %s", cmd.handle)
		return nil
	}
	switch body := cmd.body.(type) {
	case *routingv1.AvailabilityChanged:
		if item.Err = available(known, body, b.now); item.Err != nil {
			return nil
		}
	case *routingv1.MemberPlaced:
		if item.Err = placeable(body, cmd.from, b.now); item.Err != nil {
			return nil
		}
	case *routingv1.TurnsAdjusted:
		group, step, why := b.turn.calibration(body)
		if why != "" {
			item.Err = fault.New(fault.State, "%s", why)
			return nil
		}
		b.turn.step(group, step)
		// The step is derived again from it.
		draft.Logic, draft.Agreement = Logic, b.turn.version
	case *routingv1.MemberDeactivated:
		// It is part of the decisions of its batch: they see it.
		draft.Logic = Logic
		b.drafts = append(b.drafts, draft)
		return r.takeOut(leads, b, item, cmd.handle)
	}
	b.drafts = append(b.drafts, draft)
	return nil
}

// available says why leave cannot be taken or taken back; nil = it can.
func available(m *Member, body *routingv1.AvailabilityChanged, now time.Time) error {
	if !body.GetAway() {
		ahead := func(l Leave) bool { return l.ID == body.GetLeaveId() }
		if body.GetLeaveId() != "" && !slices.ContainsFunc(m.Ahead(now), ahead) {
			return fault.New(fault.NotFound, "leave_id: %s has no leave of that id that has not ended", m.Handle)
		}
		return nil
	}
	from := now
	if body.GetFrom() != nil {
		from = body.GetFrom().AsTime()
	}
	switch until := body.GetUntil().AsTime(); {
	case body.GetUntil() == nil:
	case !until.After(now):
		return fault.New(fault.Invalid, "until lies in the past")
	case !until.After(from):
		return fault.New(fault.Invalid, "until lies before from: leave ends after it begins")
	}
	return nil
}

// placeable says why somebody cannot be placed so; nil = they can.
func placeable(body *routingv1.MemberPlaced, from, now time.Time) error {
	switch {
	case from.After(now):
		return fault.New(fault.Invalid, "from lies in the future: place them once the day has come")
	case body.GetManager() == body.GetMember():
		return fault.New(fault.Invalid, "manager: nobody is their own manager; leave it empty")
	}
	return nil
}

// takeOut takes a member out of every pool, and their open leads from them: as many as
// one batch takes, with what follows for each. The rest is found by Wake.
func (r *Routing) takeOut(leads folds, b *batch, item *ledger.Item, handle string) error {
	move := moveOf(item.Cause, handle)
	b.turn.Leave(handle, move)
	for _, id := range r.groups.of(handle, wakeMost) {
		folded, err := leads(id)
		if err != nil {
			return err
		}
		b.look(b.turn.Lead(folded), &ledger.Item{Lead: id, Cause: "left:" + move + ":" + id, Actor: item.Actor, Trace: item.Trace})
	}
	return nil
}

// repeat answers a command on a member whose key was used before: by what was
// said then, or with a refusal if that was something else.
func repeat(item *ledger.Item, cmd *member, said proto.Message) {
	if !proto.Equal(unsealed(said), unsealed(cmd.body)) {
		item.Err = keyUsed(cmd.handle)
		return
	}
	item.Reply = said
}

// keyUsed refuses a key under which something else was asked.
func keyUsed(handle string) error {
	return fault.New(fault.Conflict, "idempotency_key: it was used on %s for something else: take a new one for each change", handle)
}

// unsealed is an event without what each sealing writes anew; only who holds the
// key can compare that.
func unsealed(m proto.Message) proto.Message {
	added, ok := m.(*routingv1.MemberAdded)
	if !ok || added.GetPersonal() == nil {
		return m
	}
	open := proto.CloneOf(added)
	open.Personal = nil
	return open
}
