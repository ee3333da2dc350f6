package routing

import (
	"context"
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// atOnce is how many leads are moved as one batch of the log.
const atOnce = 100

// Reassign moves one lead by hand.
func (s *Server) Reassign(ctx context.Context, req *routingv1.ReassignRequest) (*routingv1.ReassignResponse, error) {
	actor, _ := access.From(ctx)
	cause := s.cause("move", "", actor.Handle, ownKey(req.GetIdempotencyKey()), "")
	a := ask{to: req.GetTo(), reason: req.GetReason(), excluded: distinct(req.GetExcluded()), batch: batchOf(cause)}
	if req.GetNote() != "" {
		var err error
		if a.note, err = s.Keys.Seal(ctx, "note-"+a.batch, []byte(req.GetNote()), []byte(req.GetLeadId())); err != nil {
			return nil, err
		}
	}
	done, seq, err := s.moveBatch(ctx, actor, cause, a, []string{req.GetLeadId()})
	if err == nil {
		err = s.complete(ctx, cause, a, done)
	}
	if err != nil {
		return nil, err
	}
	one := done[0]
	if one.GetRefused() != "" {
		return nil, fault.New(fault.State, "lead %s is not moved: %s", req.GetLeadId(), one.GetRefused())
	}
	if one.seq != 0 {
		seq = one.seq
	}
	return &routingv1.ReassignResponse{Sequence: seq, BatchId: a.batch, OfferedTo: one.GetTo(), BlockedBy: one.GetBlockedBy()}, nil
}

// BulkReassign moves many leads, under one move.
func (s *Server) BulkReassign(ctx context.Context, req *routingv1.BulkReassignRequest) (*routingv1.BulkReassignResponse, error) {
	actor, _ := access.From(ctx)
	if len(req.GetLeadIds()) == 0 && req.GetFrom() == "" {
		return nil, fault.New(fault.Invalid, "name the leads, or the person whose open leads are moved")
	}
	cause := s.cause("move", "", actor.Handle, ownKey(req.GetIdempotencyKey()), "")
	a := ask{to: req.GetTo(), reason: req.GetReason(), excluded: distinct(req.GetExcluded()), batch: batchOf(cause)}
	leads := distinct(req.GetLeadIds())
	if len(leads) == 0 {
		var err error
		if leads, err = s.openLeads(ctx, a.batch, req.GetFrom()); err != nil {
			return nil, err
		}
	}
	if req.GetDryRun() {
		return s.tryMove(ctx, a, leads)
	}
	return s.moveAll(ctx, actor, cause, a, leads)
}

// UndoReassign takes a move back: its leads are with whoever had them before, as far as
// nobody has answered them since.
func (s *Server) UndoReassign(ctx context.Context, req *routingv1.UndoReassignRequest) (*routingv1.BulkReassignResponse, error) {
	actor, _ := access.From(ctx)
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	leads, err := s.leadsOf(ctx, req.GetBatchId())
	if err != nil {
		return nil, err
	}
	if len(leads) == 0 {
		return nil, fault.New(fault.NotFound, "there is no move %s", req.GetBatchId())
	}
	cause := s.cause("undo-move", req.GetBatchId(), actor.Handle, ownKey(req.GetIdempotencyKey()), "")
	a := ask{reason: req.GetReason(), batch: batchOf(cause), undoes: req.GetBatchId()}
	if a.reason == "" {
		a.reason = undone
	}
	return s.moveAll(ctx, actor, cause, a, distinct(leads))
}

// openLeads are the leads that a person holds, and those that an earlier call of the
// same move took from them already.
func (s *Server) openLeads(ctx context.Context, batch, member string) (leads []string, err error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	known := false
	s.Log.Follower().View(func(*ledger.View) {
		known = s.Roster.Member(member) != nil
		for _, name := range s.Groups.Names() {
			for id, hold := range s.Groups.Group(name).Held {
				if hold.Member == member {
					leads = append(leads, id)
				}
			}
		}
	})
	if !known {
		return nil, fault.New(fault.NotFound, "there is no member %s", member)
	}
	slices.Sort(leads)
	before, err := s.leadsOf(ctx, batch)
	return distinct(append(before, leads...)), err
}

// moveAll moves leads batch by batch and says what became of each.
func (s *Server) moveAll(ctx context.Context, actor access.Actor, cause string, a ask, leads []string) (*routingv1.BulkReassignResponse, error) {
	var all []movedLead
	for part := range slices.Chunk(leads, atOnce) {
		done, _, err := s.moveBatch(ctx, actor, cause, a, part)
		if err != nil {
			return nil, err
		}
		all = append(all, done...)
	}
	if err := s.complete(ctx, cause, a, all); err != nil {
		return nil, err
	}
	out := &routingv1.BulkReassignResponse{BatchId: a.batch}
	for _, one := range all {
		count(out, one.Moved)
	}
	return out, nil
}

func (s *Server) moveBatch(ctx context.Context, actor access.Actor, cause string, a ask, leads []string) ([]movedLead, uint64, error) {
	cmd := &move{ask: a}
	for _, id := range leads {
		cmd.leads = append(cmd.leads, moving{id, causeFor(cause, id)})
	}
	item := &ledger.Item{Actor: actor.Handle, Command: cmd, Cause: cmd.leads[0].cause, Trace: telemetry.Inject(ctx)}
	seq, err := s.Desk.Do(ctx, item)
	if err != nil {
		return nil, 0, err
	}
	done, _ := item.Reply.([]movedLead)
	return done, seq, nil
}

// complete says of leads that an earlier call had moved already what became of them, out
// of what was said then. A key that was used for something else is refused.
func (s *Server) complete(ctx context.Context, cause string, a ask, done []movedLead) error {
	before := map[string]movedLead{}
	for _, one := range done {
		if one.seq != 0 {
			before[causeFor(cause, one.GetLeadId())] = one
		}
	}
	if len(before) == 0 {
		return nil
	}
	at, end, known := span{}, uint64(0), false
	s.Log.Follower().View(func(v *ledger.View) { at, known = s.Moves.where(a.batch); end = v.Basis })
	if !known {
		return fault.New(fault.Conflict, "idempotency_key: it was used for something else: take a new one for each move")
	}
	// What a move led to stands right behind it, in the same batch of the log.
	return s.Log.Read(ctx, ledger.StreamLedger, at.first, min(end, at.last+atOnce), func(r *ledger.Record) error {
		if typ := r.Type(); typ != reassignedType && typ != offeredType && typ != queuedType {
			return nil
		}
		e, err := r.Decode()
		if err != nil {
			return err
		}
		one, ok := before[strings.TrimSuffix(e.Cause, next)]
		if !ok {
			return nil
		}
		switch body := e.Body.(type) {
		case *leadv1.LeadReassigned:
			if body.GetReason() != a.reason || body.GetUndoes() != a.undoes || (a.undoes == "" && body.GetTo() != a.to) {
				return fault.New(fault.Conflict, "idempotency_key: it was used on lead %s for another move: take a new one for each", one.GetLeadId())
			}
			one.From = body.GetFrom()
			if lead.GivenBack(body) {
				one.To = body.GetTo()
			}
		case *leadv1.LeadOffered:
			one.To, one.BlockedBy = body.GetMember(), ""
		case *leadv1.LeadQueued:
			one.BlockedBy = body.GetBlockedBy()
		}
		return nil
	}, unreadable)
}

// tryMove says what a move would do as things stand, and does nothing.
func (s *Server) tryMove(ctx context.Context, a ask, leads []string) (*routingv1.BulkReassignResponse, error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	// Their histories are at hand when the log is held still.
	for part := range slices.Chunk(leads, atOnce) {
		s.Log.Follower().View(func(v *ledger.View) {
			for _, id := range part {
				_, _ = v.Lead(id)
			}
		})
	}
	out := &routingv1.BulkReassignResponse{BatchId: a.batch}
	var err error
	s.Log.Follower().View(func(v *ledger.View) {
		b := &batch{turn: NewTurn(s.Groups, s.Roster, s.Register, s.People, v.Now), people: lead.NewPeople(), now: v.Now, commanded: map[string]*ledger.Item{}}
		if err = b.turn.mayAsk(a); err != nil {
			return
		}
		for _, id := range leads {
			m := b.moveOne(v.Lead, &ledger.Item{}, &move{ask: a}, moving{id, "try:" + id}, nil)
			count(out, m.Moved)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// count adds a lead to the answer.
func count(out *routingv1.BulkReassignResponse, m *routingv1.Moved) {
	out.Leads = append(out.Leads, m)
	if m.GetRefused() != "" {
		out.Refused++
		return
	}
	out.Moved++
}

// batchOf names the move that a command is.
func batchOf(cause string) string { return "b" + cause[strings.LastIndexByte(cause, ':')+1:] }

// causeFor is the cause of one lead's part in a move.
func causeFor(cause, id string) string { return cause + ":" + id }

// distinct keeps the first of each.
func distinct(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, one := range list {
		if !seen[one] {
			seen[one] = true
			out = append(out, one)
		}
	}
	return out
}
