package routing

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// The people of the company: what is said of them, and how they stand.

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

// SetAvailability says that a person goes away or comes back, now or later.
func (s *Server) SetAvailability(ctx context.Context, req *routingv1.SetAvailabilityRequest) (*routingv1.Member, error) {
	actor, _ := access.From(ctx)
	handle, err := whose(actor, req.GetMember())
	if err != nil {
		return nil, err
	}
	if req.GetAway() && req.GetLeaveId() != "" {
		return nil, fault.New(fault.Invalid, "leave_id: leave is named when it is taken; say an id only to take it back")
	}
	if !req.GetAway() && (req.GetFrom() != nil || req.GetUntil() != nil) {
		return nil, fault.New(fault.Invalid, "from, until: whoever comes back is back from now on")
	}
	key := ownKey(req.GetIdempotencyKey())
	body := &routingv1.AvailabilityChanged{Member: handle, Away: req.GetAway(), Until: req.GetUntil(), Reason: req.GetReason(), From: req.GetFrom(), LeaveId: req.GetLeaveId()}
	if req.GetAway() {
		body.LeaveId = lead.ID("a", s.Keys.MAC("leave", []byte(handle), []byte(actor.Handle), []byte(key)))
	}
	return s.change(ctx, actor, handle, key, body)
}

// SetPresence says that a person signs in or out for the day.
func (s *Server) SetPresence(ctx context.Context, req *routingv1.SetPresenceRequest) (*routingv1.Member, error) {
	actor, _ := access.From(ctx)
	handle, err := whose(actor, req.GetMember())
	if err != nil {
		return nil, err
	}
	return s.change(ctx, actor, handle, req.GetIdempotencyKey(), &routingv1.PresenceChanged{Member: handle, Present: req.GetPresent()})
}

// whose answers of whom somebody speaks: of themselves, or, as a manager or an
// operator, of anybody.
func whose(actor access.Actor, member string) (string, error) {
	if member == "" || member == actor.Handle {
		return actor.Handle, nil
	}
	if !actor.Has(access.Manager, access.Operator) {
		return "", fault.New(fault.Denied, "only a manager or an operator may say when somebody else is there")
	}
	return member, nil
}

// PlaceMember says in which team, under whom and where somebody works, from now on or since
// some day. Reports are split by it.
func (s *Server) PlaceMember(ctx context.Context, req *routingv1.PlaceMemberRequest) (*routingv1.Member, error) {
	actor, _ := access.From(ctx)
	cmd := &member{subject: s.subject(req.GetMember()), handle: req.GetMember(), body: &routingv1.MemberPlaced{
		Member: req.GetMember(), Team: req.GetTeam(), Manager: req.GetManager(), Office: req.GetOffice(),
	}}
	if req.GetFrom() != nil {
		cmd.from = req.GetFrom().AsTime()
	}
	item := &ledger.Item{Actor: actor.Handle, Cause: s.cause("member", cmd.handle, actor.Handle, ownKey(req.GetIdempotencyKey()), ""), Command: cmd}
	if _, err := s.Desk.Do(ctx, item); err != nil {
		return nil, err
	}
	return s.one(ctx, cmd.handle)
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
	item := &ledger.Item{Actor: actor.Handle, Cause: s.cause("member", handle, actor.Handle, key, ""), Command: &member{subject: s.subject(handle), handle: handle, body: body}}
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
	out := &routingv1.Member{Member: handle, Roles: m.Roles, Deactivated: m.Deactivated, Turns: map[string]int64{}, Ahead: map[string]int64{}}
	back, away := m.BackAt(v.Now)
	if out.Away = away; away && !back.IsZero() {
		out.AwayUntil = timestamppb.New(back)
	}
	for _, l := range m.Ahead(v.Now) {
		leave := &routingv1.Leave{LeaveId: l.ID, From: timestamppb.New(l.From), Reason: l.Reason}
		if !l.Until.IsZero() {
			leave.Until = timestamppb.New(l.Until)
		}
		out.Leaves = append(out.Leaves, leave)
	}
	place := m.PlaceAt(v.Now)
	out.Team, out.Manager, out.Office = place.Team, place.Manager, place.Office
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
			out.Ahead[pool.ID] = r.ahead(handle)
		} else {
			out.Turns[pool.ID] = 0
		}
		calendar, ok := version.Agreement.Calendar(pool.Calendar)
		if own, has := version.Agreement.Calendar(pool.Members[i].Calendar); has {
			calendar, ok = own, true
		}
		if !ok || m.Deactivated {
			continue
		}
		out.OnDuty = out.OnDuty || !out.Away && calendar.OnDuty(v.Now)
		out.Present = out.Present || m.PresentAt(v.Now, calendar)
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
