package routing

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Roster is the fold of the people: who they are and whether they are here.
type Roster struct {
	members map[string]*Member
	names   []string
	tokens  map[[32]byte]string
	// turns are the instants at which somebody's leave begins or ends, in order.
	turns []time.Time
	// moves counts what was said about people: another count, another roster.
	moves int64
	// gone are those who were taken out, in the order of their handles.
	gone []string
	// accounts says who owns which company, by domain.
	accounts map[string]string
}

// NewRoster is the fold of nothing.
func NewRoster() *Roster {
	return &Roster{members: map[string]*Member{}, tokens: map[[32]byte]string{}, accounts: map[string]string{}}
}

// Member is one person of the company.
type Member struct {
	Handle      string
	Roles       []string
	Deactivated bool
	// Left is the move that takes a deactivated member's open leads from them.
	Left     string
	Personal *leadv1.Sealed
	// Leaves are those that were ever taken and not taken back before they began, by
	// their beginning.
	Leaves []Leave
	// SignedIn is when the member last signed in; zero = they have signed out since.
	SignedIn time.Time
	// Placed says where they work, from when on: by those instants, and of two by what
	// became known later.
	Placed []Placement
	// Commands are those that were carried out, in order.
	Commands []Command
	token    [32]byte
}

// Placement is where somebody works from an instant on. What is empty is none.
type Placement struct {
	From                  time.Time
	Team, Manager, Office string
}

// PlaceAt is where the member works at an instant; nothing before they were placed.
func (m *Member) PlaceAt(t time.Time) Placement {
	i := len(m.Placed)
	for i > 0 && m.Placed[i-1].From.After(t) {
		i--
	}
	if i == 0 {
		return Placement{}
	}
	return m.Placed[i-1]
}

// placed notes where the member works from an instant on.
func (m *Member) placed(p Placement) {
	i := len(m.Placed)
	for i > 0 && m.Placed[i-1].From.After(p.From) {
		i--
	}
	m.Placed = slices.Insert(slices.Clone(m.Placed), i, p)
}

// Command is a command on a member that was carried out, under the key that its
// caller gave it.
type Command struct {
	Cause string
	Seq   uint64
	// Body is what it said.
	Body proto.Message
	// Lead on which it was carried out; empty = on the member alone.
	Lead string
}

// Done answers a command that was carried out, so that its repeat is answered
// and not done twice. Nobody has done anything to a member who is not known.
func (m *Member) Done(cause string) (Command, bool) {
	if m == nil {
		return Command{}, false
	}
	i := slices.IndexFunc(m.Commands, func(c Command) bool { return c.Cause == cause })
	if i < 0 {
		return Command{}, false
	}
	return m.Commands[i], true
}

// Leave is a span in which a member is away.
type Leave struct {
	ID, Reason string
	From       time.Time
	// Until is the first instant at which they are back; zero = nobody has said.
	Until time.Time
}

// holds says whether the leave covers an instant.
func (l Leave) holds(t time.Time) bool {
	return !t.Before(l.From) && (l.Until.IsZero() || t.Before(l.Until))
}

// AwayAt says whether the member is away at an instant, by what is known of their
// leave: of any instant, past or to come.
func (m *Member) AwayAt(t time.Time) bool {
	return slices.ContainsFunc(m.Leaves, func(l Leave) bool { return l.holds(t) })
}

// BackAt answers when somebody who is away at an instant is back: leave that
// follows on leave is one. The zero time is nobody knows.
func (m *Member) BackAt(t time.Time) (back time.Time, away bool) {
	for {
		i := slices.IndexFunc(m.Leaves, func(l Leave) bool { return l.holds(t) })
		if i < 0 {
			return t, away
		}
		if t, away = m.Leaves[i].Until, true; t.IsZero() {
			return t, true
		}
	}
}

// Ahead are the leaves that have not ended at an instant, by their beginning.
func (m *Member) Ahead(t time.Time) (ahead []Leave) {
	for _, l := range m.Leaves {
		if l.Until.IsZero() || l.Until.After(t) {
			ahead = append(ahead, l)
		}
	}
	return ahead
}

// PresentAt says whether the member is signed in at an instant: a sign-in counts
// for the rest of its date in the calendar's zone.
func (m *Member) PresentAt(t time.Time, calendar *agreement.Calendar) bool {
	return !m.SignedIn.IsZero() && calendar.SameDate(m.SignedIn, t)
}

// takes adds a leave. One from now on takes the place of what holds now.
func (m *Member) takes(body *routingv1.AvailabilityChanged, at time.Time) {
	l := Leave{ID: body.GetLeaveId(), Reason: body.GetReason(), From: at}
	if body.GetFrom() != nil {
		l.From = body.GetFrom().AsTime()
	} else {
		m.ends(at, "")
	}
	if body.GetUntil() != nil {
		l.Until = body.GetUntil().AsTime()
	}
	i := 0
	for i < len(m.Leaves) && !m.Leaves[i].From.After(l.From) {
		i++
	}
	m.Leaves = slices.Insert(m.Leaves, i, l)
}

// ends takes a leave back at an instant, by its id, or whatever holds then: one that
// has begun ends, one that lies ahead is none.
func (m *Member) ends(at time.Time, id string) {
	kept := m.Leaves[:0]
	for _, l := range m.Leaves {
		if id == "" && l.holds(at) || id != "" && l.ID == id {
			if !l.From.Before(at) {
				continue
			}
			if l.holds(at) {
				l.Until = at
			}
		}
		kept = append(kept, l)
	}
	m.Leaves = slices.Clip(kept)
}

// Apply folds one event.
func (r *Roster) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *leadv1.OfferAccepted:
		// Whoever claims names no lead, so a repeat is found here.
		if m := r.members[body.GetMember()]; m != nil && strings.HasPrefix(e.Cause, claimPrefix) {
			m.remember(e)
		}
		return
	case *personv1.AccountDeclared:
		key := lead.AccountKey(body.GetDomain(), body.GetName())
		if r.accounts[key] = body.GetOwner(); body.GetOwner() == "" {
			delete(r.accounts, key)
		}
	case *routingv1.TurnsAdjusted:
		if m := r.members[body.GetMember()]; m != nil {
			m.remember(e)
		}
	case *routingv1.MemberPlaced:
		if m := r.members[body.GetMember()]; m != nil {
			m.remember(e)
			m.placed(Placement{From: e.Occurred, Team: body.GetTeam(), Manager: body.GetManager(), Office: body.GetOffice()})
		}
		// Who gets a lead does not depend on it.
		return
	case *routingv1.MemberAdded:
		m := r.members[body.GetMember()]
		if m == nil {
			m = &Member{Handle: body.GetMember()}
			r.members[m.Handle] = m
			i, _ := slices.BinarySearch(r.names, m.Handle)
			r.names = slices.Insert(r.names, i, m.Handle)
		}
		m.Roles, m.Personal, m.Deactivated, m.Left, m.SignedIn = body.GetRoles(), body.GetPersonal(), false, "", time.Time{}
		r.left(m)
		r.give(m, body.GetTokenHash())
		m.remember(e)
	case *routingv1.MemberTokenRenewed:
		if m := r.members[body.GetMember()]; m != nil {
			// Whoever has left since the command was taken stays without one.
			if !m.Deactivated {
				r.give(m, body.GetTokenHash())
			}
			m.remember(e)
		}
	case *routingv1.AvailabilityChanged:
		if m := r.members[body.GetMember()]; m != nil {
			m.remember(e)
			if body.GetAway() {
				m.takes(body, e.Occurred)
			} else {
				m.ends(e.Occurred, body.GetLeaveId())
			}
			r.turned()
		}
	case *routingv1.PresenceChanged:
		if m := r.members[body.GetMember()]; m != nil {
			m.remember(e)
			if m.SignedIn = e.Occurred; !body.GetPresent() {
				m.SignedIn = time.Time{}
			}
		}
	case *routingv1.MemberDeactivated:
		if m := r.members[body.GetMember()]; m != nil {
			m.Deactivated, m.Left = true, moveOf(e.Cause, m.Handle)
			delete(r.tokens, m.token)
			m.remember(e)
			r.left(m)
		}
	default:
		return
	}
	r.moves++
}

// moveOf names the move that a command brings about. What was said without a command
// is named after whom it was said of.
func moveOf(cause, handle string) string {
	command, ok := strings.CutPrefix(cause, lead.CommandPrefix)
	if !ok || len(command) > 64 {
		return "left-" + handle[:min(len(handle), 59)]
	}
	return command
}

// turned notes when leaves begin and end.
func (r *Roster) turned() {
	r.turns = r.turns[:0]
	for _, name := range r.names {
		for _, l := range r.members[name].Leaves {
			if r.turns = append(r.turns, l.From); !l.Until.IsZero() {
				r.turns = append(r.turns, l.Until)
			}
		}
	}
	slices.SortFunc(r.turns, time.Time.Compare)
	r.turns = slices.Compact(r.turns)
}

// NextTurn is the first instant after t at which somebody's leave begins or ends;
// zero = none is known.
func (r *Roster) NextTurn(t time.Time) time.Time {
	i, _ := slices.BinarySearchFunc(r.turns, t, func(at, t time.Time) int {
		if at.After(t) {
			return 1
		}
		return -1
	})
	if i == len(r.turns) {
		return time.Time{}
	}
	return r.turns[i]
}

// left notes who was taken out, or is back.
func (r *Roster) left(m *Member) {
	i, known := slices.BinarySearch(r.gone, m.Handle)
	switch {
	case m.Deactivated && !known:
		r.gone = slices.Insert(r.gone, i, m.Handle)
	case !m.Deactivated && known:
		r.gone = slices.Delete(r.gone, i, i+1)
	}
}

// without is the roster once a member is taken out by a move: what the rest of a
// batch sees that takes them out.
func (r *Roster) without(handle, move string) *Roster {
	m := r.members[handle]
	if m == nil {
		return r
	}
	after, out := *r, *m
	out.Deactivated, out.Left = true, move
	after.members = maps.Clone(r.members)
	after.members[handle] = &out
	return &after
}

// give lets a member be known by that token, and by no earlier one.
func (r *Roster) give(m *Member, hash []byte) {
	delete(r.tokens, m.token)
	if len(hash) == 32 {
		m.token = [32]byte(hash)
		r.tokens[m.token] = m.Handle
	}
}

// remember notes the command that brought an event about.
func (m *Member) remember(e *ledger.Event) {
	if strings.HasPrefix(e.Cause, lead.CommandPrefix) {
		id, _ := lead.FromSubject(e.Subject)
		m.Commands = append(m.Commands, Command{Cause: e.Cause, Seq: e.Seq, Body: e.Body, Lead: id})
	}
}

// AccountOwner answers who owns the company of a domain; empty = nobody.
func (r *Roster) AccountOwner(domain string) string { return r.accounts[domain] }

// Member answers one person; nil = not known.
func (r *Roster) Member(handle string) *Member { return r.members[handle] }

// Names are all handles in order.
func (r *Roster) Names() []string { return r.names }

// ByToken answers who holds a token.
func (r *Roster) ByToken(hash [32]byte) *Member { return r.members[r.tokens[hash]] }
