package routing

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"

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
		out.Text = "With nobody: it waits for " + lead.WaitsFor(state.BlockedBy) + "."
	default:
		out.Text = fmt.Sprintf("With nobody; the lead is %s.", lead.StateWord(state.State))
	}
	return out, nil
}

func (s *Server) subject(handle string) string {
	return "org.member." + lead.ID("m", s.Keys.MAC("member", []byte(handle)))
}

// AddMember makes a person known and answers their token; only a repeat of the
// same call answers it again.
func (s *Server) AddMember(ctx context.Context, req *routingv1.AddMemberRequest) (*routingv1.AddMemberResponse, error) {
	actor, _ := access.From(ctx)
	for _, role := range req.GetRoles() {
		if !access.IsRole(role) {
			return nil, fault.New(fault.Invalid, "%q is not a role; use some of %v", role, access.Roles())
		}
	}
	key := ownKey(req.GetIdempotencyKey())
	token, hash := s.token(req.GetMember(), actor.Handle, key)
	body := &routingv1.MemberAdded{Member: req.GetMember(), Roles: req.GetRoles(), TokenHash: hash}
	subject := s.subject(req.GetMember())
	var plain []byte
	if req.GetName() != "" || req.GetEmail() != "" {
		var err error
		if plain, err = proto.Marshal(&leadv1.PersonalData{Name: req.GetName(), Email: req.GetEmail()}); err != nil {
			return nil, err
		}
		if body.Personal, err = s.Keys.Seal(ctx, "member-"+lead.ID("", s.Keys.MAC("member", []byte(req.GetMember()))), plain, []byte(subject)); err != nil {
			return nil, err
		}
	}
	said, seq, err := s.tell(ctx, actor, req.GetMember(), key, body)
	if err != nil {
		return nil, err
	}
	if first, ok := said.(*routingv1.MemberAdded); ok {
		if err := s.sameName(ctx, first, plain); err != nil {
			return nil, err
		}
	}
	m, err := s.one(ctx, req.GetMember())
	return &routingv1.AddMemberResponse{Member: m, Token: token, Sequence: seq}, err
}

// sameName refuses a repeat that names the person otherwise than the first call
// did. What was erased since can be compared with nothing.
func (s *Server) sameName(ctx context.Context, first *routingv1.MemberAdded, plain []byte) error {
	var was []byte
	if sealed := first.GetPersonal(); sealed != nil {
		var err error
		if was, err = s.Keys.Open(ctx, sealed, []byte(s.subject(first.GetMember()))); fault.Is(err, fault.NotFound) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if !bytes.Equal(was, plain) {
		return keyUsed(first.GetMember())
	}
	return nil
}

// RenewToken gives a person another token in place of a lost one, which ends at
// once.
func (s *Server) RenewToken(ctx context.Context, req *routingv1.RenewTokenRequest) (*routingv1.RenewTokenResponse, error) {
	actor, _ := access.From(ctx)
	key := ownKey(req.GetIdempotencyKey())
	token, hash := s.token(req.GetMember(), actor.Handle, key)
	_, seq, err := s.tell(ctx, actor, req.GetMember(), key, &routingv1.MemberTokenRenewed{Member: req.GetMember(), TokenHash: hash})
	if err != nil {
		return nil, err
	}
	m, err := s.one(ctx, req.GetMember())
	return &routingv1.RenewTokenResponse{Member: m, Token: token, Sequence: seq}, err
}

// token answers a member's token and its hash. It follows from the call and from
// the system's own key: a repeat has the same, and nothing secret is kept.
func (s *Server) token(handle, actor, key string) (token string, hash []byte) {
	token = access.TokenOf([32]byte(s.Keys.MAC("member token", []byte(handle), []byte(actor), []byte(key))))
	sum := access.HashToken(token)
	return token, sum[:]
}

// ownKey is the given key, or one that nobody used before: without one, each
// call is its own.
func ownKey(given string) string {
	if given != "" {
		return given
	}
	return rand.Text()
}

// SetAvailability says that a person goes away or comes back.
func (s *Server) SetAvailability(ctx context.Context, req *routingv1.SetAvailabilityRequest) (*routingv1.Member, error) {
	actor, _ := access.From(ctx)
	handle := req.GetMember()
	if handle == "" {
		handle = actor.Handle
	}
	if handle != actor.Handle && !actor.Has(access.Manager, access.Operator) {
		return nil, fault.New(fault.Denied, "only a manager or an operator may say that somebody else is away")
	}
	body := &routingv1.AvailabilityChanged{Member: handle, Away: req.GetAway(), Until: req.GetUntil(), Reason: req.GetReason()}
	return s.change(ctx, actor, handle, req.GetIdempotencyKey(), body)
}

// DeactivateMember takes a person out of every pool for good.
func (s *Server) DeactivateMember(ctx context.Context, req *routingv1.DeactivateMemberRequest) (*routingv1.Member, error) {
	actor, _ := access.From(ctx)
	return s.change(ctx, actor, req.GetMember(), req.GetIdempotencyKey(), &routingv1.MemberDeactivated{Member: req.GetMember(), Reason: req.GetReason()})
}

func (s *Server) change(ctx context.Context, actor access.Actor, handle, key string, body proto.Message) (*routingv1.Member, error) {
	if _, _, err := s.tell(ctx, actor, handle, ownKey(key), body); err != nil {
		return nil, err
	}
	return s.one(ctx, handle)
}

// tell says something about a member. Where the same call was carried out
// before, it answers that one's sequence and what was said then.
func (s *Server) tell(ctx context.Context, actor access.Actor, handle, key string, body proto.Message) (said any, seq uint64, err error) {
	item := &ledger.Item{Actor: actor.Handle, Cause: s.cause("member", handle, actor.Handle, key, ""), Command: &member{s.subject(handle), handle, body}}
	seq, err = s.Desk.Do(ctx, item)
	return item.Reply, seq, err
}

func (s *Server) one(ctx context.Context, handle string) (*routingv1.Member, error) {
	var out *routingv1.Member
	var sealed *leadv1.Sealed
	s.Log.Follower().View(func(v *ledger.View) { out, sealed = s.shown(v, handle) })
	if out == nil {
		return nil, fault.New(fault.NotFound, "there is no member %s", handle)
	}
	s.name(ctx, out, sealed)
	return out, nil
}

// shown is a member as they stand, and their sealed name.
func (s *Server) shown(v *ledger.View, handle string) (*routingv1.Member, *leadv1.Sealed) {
	m := s.Roster.Member(handle)
	if m == nil {
		return nil, nil
	}
	out := &routingv1.Member{Member: handle, Roles: m.Roles, Away: m.AwayAt(v.Now), Deactivated: m.Deactivated, Turns: map[string]int64{}}
	if out.Away && !m.Until.IsZero() {
		out.AwayUntil = timestamppb.New(m.Until)
	}
	for _, group := range s.Groups.Names() {
		out.Load += s.Groups.Group(group).Load[handle]
	}
	version := s.Register.InForce(v.Now)
	if version == nil {
		return out, m.Personal
	}
	for _, pool := range version.Agreement.Pools() {
		i := slices.IndexFunc(pool.Members, func(p agreement.PoolMember) bool { return p.Member == handle })
		if i < 0 {
			continue
		}
		out.Capacity = pool.Members[i].Capacity
		if r := s.Groups.Group(pool.Group).Rotations[pool.ID]; r != nil {
			out.Turns[pool.ID] = r.Count(handle)
		} else {
			out.Turns[pool.ID] = 0
		}
		if calendar, ok := version.Agreement.Calendar(pool.Calendar); ok && calendar.OnDuty(v.Now) {
			out.OnDuty = !out.Away && !m.Deactivated
		}
	}
	return out, m.Personal
}

// name opens a member's name for whoever may read it; a key that is gone
// leaves the handle.
func (s *Server) name(ctx context.Context, out *routingv1.Member, sealed *leadv1.Sealed) {
	if sealed == nil {
		return
	}
	plain, err := s.Keys.Open(ctx, sealed, []byte(s.subject(out.GetMember())))
	if err != nil {
		return
	}
	var p leadv1.PersonalData
	if proto.Unmarshal(plain, &p) == nil {
		out.Name = p.GetName()
	}
}

// ListMembers lists the people with their loads.
func (s *Server) ListMembers(ctx context.Context, _ *routingv1.ListMembersRequest) (*routingv1.ListMembersResponse, error) {
	out := &routingv1.ListMembersResponse{}
	var seals []*leadv1.Sealed
	s.Log.Follower().View(func(v *ledger.View) {
		for _, handle := range s.Roster.Names() {
			m, sealed := s.shown(v, handle)
			out.Members, seals = append(out.Members, m), append(seals, sealed)
		}
	})
	for i, m := range out.GetMembers() {
		s.name(ctx, m, seals[i])
	}
	return out, nil
}

// ListQueue lists waiting leads, oldest first.
func (s *Server) ListQueue(_ context.Context, req *routingv1.ListQueueRequest) (*routingv1.ListQueueResponse, error) {
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
	var all []*routingv1.QueuedLead
	s.Log.Follower().View(func(*ledger.View) {
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
				all = append(all, q)
			}
		}
	})
	slices.SortStableFunc(all, func(a, b *routingv1.QueuedLead) int {
		return a.GetSince().AsTime().Compare(b.GetSince().AsTime())
	})
	out := &routingv1.ListQueueResponse{}
	if skip < len(all) {
		out.Leads = all[skip:min(skip+size, len(all))]
	}
	if skip+size < len(all) {
		out.NextPageToken = strconv.Itoa(skip + size)
	}
	return out, nil
}
