package routing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// Keys seals and makes opaque ids.
type Keys interface {
	Seal(ctx context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error)
	Open(ctx context.Context, sealed *leadv1.Sealed, aad []byte) ([]byte, error)
	MAC(purpose string, parts ...[]byte) []byte
}

// Desk carries commands out.
type Desk interface {
	Do(ctx context.Context, item *ledger.Item) (uint64, error)
}

// Server answers baton.routing.v1.RoutingService.
type Server struct {
	routingv1.UnimplementedRoutingServiceServer
	Desk     Desk
	Log      *ledger.Ledger
	Keys     Keys
	Register *agreement.Register
	Roster   *Roster
	Groups   *Groups
	People   *lead.People
	Moves    *Moves
	Clocks   *Clocks
}

// Lookup answers who holds a token: it is an access.Directory over the roster.
func (s *Server) Lookup(hash [32]byte) (actor access.Actor, ok bool) {
	s.Log.Follower().View(func(*ledger.View) {
		if m := s.Roster.ByToken(hash); m != nil && !m.Deactivated {
			actor, ok = access.Actor{Handle: m.Handle, Roles: m.Roles}, true
		}
	})
	return actor, ok
}

// Actor answers a member who works here by their handle.
func (s *Server) Actor(handle string) (actor access.Actor, ok bool) {
	s.Log.Follower().View(func(*ledger.View) {
		if m := s.Roster.Member(handle); m != nil && !m.Deactivated {
			actor, ok = access.Actor{Handle: m.Handle, Roles: m.Roles}, true
		}
	})
	return actor, ok
}

// Contact answers a member's name and e-mail address, as far as they are known and not
// erased; gone says that they do not work here.
func (s *Server) Contact(ctx context.Context, handle string) (name, email string, gone bool, err error) {
	var sealed *leadv1.Sealed
	s.Log.Follower().View(func(*ledger.View) {
		m := s.Roster.Member(handle)
		if gone = m == nil || m.Deactivated; !gone {
			sealed = m.Personal
		}
	})
	if sealed == nil {
		return "", "", gone, nil
	}
	plain, err := s.Keys.Open(ctx, sealed, []byte(s.subject(handle)))
	if fault.Is(err, fault.NotFound) {
		return "", "", false, nil
	}
	var p leadv1.PersonalData
	if err == nil {
		err = proto.Unmarshal(plain, &p)
	}
	return p.GetName(), p.GetEmail(), false, err
}

// cause names a command by its caller and key; without a key each call is its own.
func (s *Server) cause(method, leadID, actor, key, otherwise string) string {
	if key == "" {
		key = otherwise
	}
	return lead.CommandPrefix + method + ":" + lead.ID("", s.Keys.MAC("command", []byte(method), []byte(leadID), []byte(actor), []byte(key)))
}

// Accept takes an offered lead for whoever calls.
func (s *Server) Accept(ctx context.Context, req *routingv1.AcceptRequest) (*routingv1.AcceptResponse, error) {
	actor, _ := access.From(ctx)
	state, err := s.state(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	seq, err := s.Desk.Do(ctx, &ledger.Item{
		Lead: req.GetLeadId(), Actor: actor.Handle, Command: &accept{actor.Handle}, Trace: telemetry.Inject(ctx),
		Cause: s.cause("accept", req.GetLeadId(), actor.Handle, req.GetIdempotencyKey(), strconv.Itoa(int(state.Offers))),
	})
	return &routingv1.AcceptResponse{Sequence: seq}, err
}

// Reject declines a lead for whoever calls.
func (s *Server) Reject(ctx context.Context, req *routingv1.RejectRequest) (*routingv1.RejectResponse, error) {
	actor, _ := access.From(ctx)
	state, err := s.state(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	cmd := &reject{member: actor.Handle, reason: req.GetReason()}
	cause := s.cause("reject", req.GetLeadId(), actor.Handle, req.GetIdempotencyKey(), strconv.Itoa(int(state.Offers)))
	if req.GetNote() != "" {
		if cmd.note, err = s.Keys.Seal(ctx, "note-"+cause[len(lead.CommandPrefix+"reject:"):], []byte(req.GetNote()), []byte(req.GetLeadId())); err != nil {
			return nil, err
		}
	}
	item := &ledger.Item{Lead: req.GetLeadId(), Actor: actor.Handle, Command: cmd, Cause: cause, Trace: telemetry.Inject(ctx)}
	seq, err := s.Desk.Do(ctx, item)
	if err != nil {
		return nil, err
	}
	out := &routingv1.RejectResponse{Sequence: seq, Consequence: state.Consequence}
	if c, ok := item.Reply.(leadv1.Consequence); ok {
		out.Consequence = c
	}
	return out, nil
}

func (s *Server) state(ctx context.Context, id string) (state *lead.State, err error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	s.Log.Follower().View(func(v *ledger.View) {
		var folded *lead.State
		if folded, err = v.Lead(id); err == nil {
			state = folded.Clone()
		}
	})
	if err == nil && state.ID == "" {
		err = fault.New(fault.NotFound, "there is no lead %s", id)
	}
	return state, err
}

// GetOwner says who has a lead, or why nobody has.
func (s *Server) GetOwner(ctx context.Context, req *routingv1.GetOwnerRequest) (*routingv1.GetOwnerResponse, error) {
	state, err := s.state(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	out := &routingv1.GetOwnerResponse{LeadId: state.ID, Owner: state.Owner, OfferedTo: state.OfferedTo, BlockedBy: state.BlockedBy}
	switch {
	case state.OfferedTo != "":
		out.TakeBy = timestamppb.New(state.TakeBy)
		out.Text = fmt.Sprintf("Offered to %s until %s.", state.OfferedTo, stamp(state.TakeBy))
	case state.Owner != "":
		out.Text = fmt.Sprintf("With %s; the lead is %s.", state.Owner, lead.StateWord(state.State))
	case state.BlockedBy != "":
		out.Text = strings.TrimSpace("With nobody: it waits for " + lead.WaitsFor(state.BlockedBy) + ". " + state.BlockedText)
	default:
		out.Text = fmt.Sprintf("With nobody; the lead is %s.", lead.StateWord(state.State))
	}
	return out, nil
}

// ListQueue lists waiting leads, oldest first.
func (s *Server) ListQueue(ctx context.Context, req *routingv1.ListQueueRequest) (*routingv1.ListQueueResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	skip := 0
	if req.GetPageToken() != "" {
		var err error
		if skip, err = strconv.Atoi(req.GetPageToken()); err != nil || skip < 0 {
			return nil, fault.New(fault.Invalid, "the page token is not one of ours")
		}
	}
	actor, _ := access.From(ctx)
	var all []*routingv1.QueuedLead
	out := &routingv1.ListQueueResponse{}
	var err error
	s.Log.Follower().View(func(v *ledger.View) {
		for _, name := range s.Groups.Names() {
			group := s.Groups.Group(name)
			for _, id := range group.Ordered() {
				w := group.Line[id]
				if req.GetPool() != "" && w.Pool != req.GetPool() {
					continue
				}
				q := &routingv1.QueuedLead{LeadId: id, Pool: w.Pool, BlockedBy: w.BlockedBy, Since: timestamppb.New(w.Since)}
				if !w.LookAgain.IsZero() {
					q.LookAgainAt = timestamppb.New(w.LookAgain)
				}
				if !w.FallbackAt.IsZero() {
					q.FallbackAt = timestamppb.New(w.FallbackAt)
				}
				all = append(all, q)
			}
		}
		slices.SortStableFunc(all, func(a, b *routingv1.QueuedLead) int {
			return a.GetSince().AsTime().Compare(b.GetSince().AsTime())
		})
		if skip < len(all) {
			out.Leads = all[skip:min(skip+size, len(all))]
		}
		// Each by itself: what the caller may claim is what they may claim first.
		for _, q := range out.GetLeads() {
			var folded *lead.State
			if folded, err = v.Lead(q.GetLeadId()); err != nil {
				return
			}
			q.Text = folded.BlockedText
			if q.GetBlockedBy() == agreement.ByClaim {
				t := NewTurn(s.Groups, s.Roster, s.Register, s.People, v.Now)
				said, _, _ := t.Claim(t.Lead(folded), actor.Handle)
				q.Claimable = said != nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	s.looked(ctx, req.GetPool())
	if skip+size < len(all) {
		out.NextPageToken = strconv.Itoa(skip + size)
	}
	return out, nil
}
