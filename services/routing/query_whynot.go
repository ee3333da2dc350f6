package routing

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Why a lead did not go to somebody: as the decisions recorded it, and never made up
// afterwards.

const (
	// whyNotSpan is how far back is looked where nothing is said.
	whyNotSpan = 7 * 24 * time.Hour
	// whyNotShown is how many decisions are told where nothing is said.
	whyNotShown = 20
)

var (
	offeredType = ledger.TypeOf(&leadv1.LeadOffered{})
	queuedType  = ledger.TypeOf(&leadv1.LeadQueued{})
)

// WhyNot says why leads did not go to a person. It reads the log itself, over the span
// that is asked about.
func (s *Server) WhyNot(ctx context.Context, req *routingv1.WhyNotRequest) (*routingv1.WhyNotResponse, error) {
	member := req.GetMember()
	if member == "" {
		actor, _ := access.From(ctx)
		member = actor.Handle
	}
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	var now time.Time
	var last uint64
	known := false
	var large largePools
	s.Log.Follower().View(func(v *ledger.View) {
		now, last, known = v.Now, v.Basis, s.Roster.Member(member) != nil
		large = largePoolsOf(s.Register, member)
	})
	if !known {
		return nil, fault.New(fault.NotFound, "there is no member %s", member)
	}
	from, to := now.Add(-whyNotSpan), now
	if req.GetFrom() != nil {
		from = req.GetFrom().AsTime()
	} else if req.GetLeadId() != "" {
		from = time.Time{}
	}
	if req.GetTo() != nil {
		to = req.GetTo().AsTime()
	}
	shown := int(cmp.Or(req.GetPageSize(), whyNotShown))
	t := &whyNot{member: member, large: large, shown: shown, out: &routingv1.WhyNotResponse{Member: member}, reasons: map[string]int64{}}
	if req.GetLeadId() != "" {
		if !lead.Safe(req.GetLeadId()) {
			return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
		}
		events, err := s.Log.History(ctx, lead.SubjectOf(req.GetLeadId()))
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
		}
		for _, e := range events {
			if !e.Recorded.Before(from) && !e.Recorded.After(to) {
				t.take(e)
			}
		}
		return t.answer(), nil
	}
	first, err := s.since(ctx, from, last)
	if err != nil || first > last {
		return t.answer(), err
	}
	name := []byte(member)
	err = s.Log.Read(ctx, ledger.StreamLedger, first, last, func(r *ledger.Record) error {
		// Most records speak of somebody else: those need not be opened.
		if typ := r.Type(); (typ != offeredType && typ != queuedType) || !bytes.Contains(r.Body, name) && !large.in(r.Body) {
			return nil
		}
		e, err := r.Decode()
		if err == nil && !e.Recorded.Before(from) && !e.Recorded.After(to) {
			t.take(e)
		}
		return err
	}, unreadable)
	return t.answer(), err
}

// since answers the first event that was recorded at an instant or after it: recorded
// time goes on with the log, but for what two services said at the same moment.
func (s *Server) since(ctx context.Context, from time.Time, last uint64) (uint64, error) {
	var failed error
	// A little earlier: what does not belong is left out when it is read.
	from = from.Add(-time.Minute)
	first := sort.Search(int(last), func(i int) bool { // #nosec G115 -- a sequence
		if failed != nil {
			return true
		}
		e, err := s.Log.EventAt(ctx, uint64(i)+1) // #nosec G115 -- a sequence
		if err != nil {
			failed = err
			return true
		}
		return !e.Recorded.Before(from)
	})
	return uint64(first) + 1, failed // #nosec G115 -- a sequence
}

// whyNot gathers what the decisions recorded of one person.
type whyNot struct {
	member string
	// large are the pools of which not each member is named by a decision.
	large   largePools
	shown   int
	out     *routingv1.WhyNotResponse
	reasons map[string]int64
}

// take counts one decision.
func (t *whyNot) take(e *ledger.Event) {
	id, _ := lead.FromSubject(e.Subject)
	d := &routingv1.WhyNotDecision{LeadId: id, Sequence: e.Seq, At: timestamppb.New(e.Recorded)}
	var considered []*leadv1.Candidate
	var counts *leadv1.CandidateCounts
	var version int64
	offered, _ := e.Body.(*leadv1.LeadOffered)
	queued, _ := e.Body.(*leadv1.LeadQueued)
	switch {
	case offered != nil:
		considered, d.Pool, d.OfferedTo = offered.GetConsidered(), offered.GetPool(), offered.GetMember()
		counts, version = offered.GetCounts(), offered.GetAgreementVersion()
	case queued != nil:
		considered, d.Pool = queued.GetConsidered(), queued.GetPool()
		counts, version = queued.GetCounts(), queued.GetAgreementVersion()
	default:
		return
	}
	i := slices.IndexFunc(considered, func(c *leadv1.Candidate) bool { return c.GetMember() == t.member })
	if i < 0 {
		if counts != nil && t.large.has(version, d.GetPool()) {
			t.out.Considered++
			t.tell(d, lead.NotNamed, unnamed(t.member, counts, d.GetOfferedTo()))
		}
		return
	}
	c := considered[i]
	t.out.Considered++
	if c.GetEligible() {
		t.out.Eligible++
	}
	if offered != nil && d.GetOfferedTo() == t.member {
		t.out.Offered++
		return
	}
	switch {
	case offered != nil:
		reason, text := whyOther(c, offered, !Input{Logic: e.Logic}.drawn())
		t.tell(d, reason, text)
	case c.GetEligible():
		t.tell(d, queued.GetBlockedBy(), "It waits for "+lead.WaitsFor(queued.GetBlockedBy())+".")
	default:
		t.tell(d, c.GetReason(), fmt.Sprintf("%s %s; nobody else could take it either.", c.GetMember(), c.GetText()))
	}
}

// tell counts why a lead did not go to the person, and keeps the latest decisions.
func (t *whyNot) tell(d *routingv1.WhyNotDecision, reason, text string) {
	d.Reason, d.Text = reason, text
	t.reasons[d.GetReason()]++
	t.out.Decisions = append(t.out.Decisions, d)
	if len(t.out.GetDecisions()) >= 2*t.shown {
		t.out.Decisions = slices.Delete(t.out.GetDecisions(), 0, len(t.out.GetDecisions())-t.shown)
	}
}

// whyOther says why a lead was offered to somebody else; levels says that the decision
// notes who was owed exactly as much.
func whyOther(c *leadv1.Candidate, body *leadv1.LeadOffered, levels bool) (reason, text string) {
	to := body.GetMember()
	if !c.GetEligible() {
		return c.GetReason(), fmt.Sprintf("%s %s; it was offered to %s.", c.GetMember(), c.GetText(), to)
	}
	could := c.GetMember() + " could have taken it, but "
	switch body.GetChosenBy() {
	case byHand:
		return "by-hand", could + "it was given to " + to + " by hand."
	case "account-owner", "previous-owner", "active-owner":
		return "owner", could + "it went to " + to + ", whose it is (" + body.GetChosenBy() + ")."
	case "fallback":
		return "fallback", could + "it went to " + to + ", the agreed stand-in."
	case agreement.ByClaim:
		return "claimed", could + to + " claimed it."
	case agreement.ByLoad:
		other := candidate(body.GetConsidered(), to)
		return notInTurn, could + fmt.Sprintf("%s held fewer leads for the share agreed: %d of weight %d, and %s %d of weight %d.", to, other.GetLoad(), other.GetWeight(), c.GetMember(), c.GetLoad(), c.GetWeight())
	}
	other := candidate(body.GetConsidered(), to)
	if c.GetWindowTo() == 0 || other.GetWindowTo() == 0 {
		return notInTurn, could + "it was " + to + "'s turn."
	}
	switch {
	case c.GetLevel():
		return notInTurn, could + fmt.Sprintf("it was %s's turn: both were owed exactly as much, and the lot of %s came first. Everybody has another lot with each turn they get.", to, to)
	case c.GetWindowTo() == other.GetWindowTo() && levels:
		return notInTurn, could + fmt.Sprintf("it was %s's turn: both were due by turn %d, and %s was owed more.", to, c.GetWindowTo(), to)
	case c.GetWindowTo() == other.GetWindowTo():
		return notInTurn, could + fmt.Sprintf("it was %s's turn: both were due by turn %d, and this time %s came first.", to, c.GetWindowTo(), to)
	}
	return notInTurn, could + fmt.Sprintf("it was %s's turn: %s was due by turn %d, %s by turn %d.", to, to, other.GetWindowTo(), c.GetMember(), c.GetWindowTo())
}

// unnamed says what a decision recorded of somebody whom it does not name.
func unnamed(member string, counts *leadv1.CandidateCounts, to string) string {
	text := fmt.Sprintf("%s is one of %d who were looked at and is not recorded by name in a pool of this size: %d could have taken it", member, counts.GetPeople(), counts.GetEligible())
	for _, r := range counts.GetReasons() {
		text += fmt.Sprintf(", %d not (%s)", r.GetPeople(), r.GetReason())
	}
	if to == "" {
		return text + "; it went to nobody."
	}
	return text + "; it was offered to " + to + "."
}

// largePools are the pools of which somebody is, and which are so large that a decision
// does not name each of their people: by version of the agreement and id.
type largePools struct {
	of  map[largePoolOf]bool
	ids [][]byte
}

type largePoolOf struct {
	version int64
	pool    string
}

func largePoolsOf(register *agreement.Register, member string) (l largePools) {
	l.of = map[largePoolOf]bool{}
	for _, v := range register.Versions() {
		if v.Agreement == nil {
			continue
		}
		for _, p := range v.Agreement.Pools() {
			if len(p.Members) > largePool && seatOf(p, member) != nil {
				l.of[largePoolOf{v.Number, p.ID}] = true
				l.ids = append(l.ids, []byte(p.ID))
			}
		}
	}
	return l
}

func (l largePools) has(version int64, pool string) bool { return l.of[largePoolOf{version, pool}] }

// in says whether an encoded decision may be of one of them.
func (l largePools) in(body []byte) bool {
	return slices.ContainsFunc(l.ids, func(id []byte) bool { return bytes.Contains(body, id) })
}

// notInTurn is why somebody who could have taken a lead did not get it.
const notInTurn = "not-in-turn"

func candidate(list []*leadv1.Candidate, member string) *leadv1.Candidate {
	for _, c := range list {
		if c.GetMember() == member {
			return c
		}
	}
	return nil
}

// answer puts the most frequent reason and the latest decision first.
func (t *whyNot) answer() *routingv1.WhyNotResponse {
	for reason, n := range t.reasons {
		t.out.Reasons = append(t.out.Reasons, &routingv1.WhyNotCount{Reason: reason, Decisions: n})
	}
	slices.SortFunc(t.out.GetReasons(), func(a, b *routingv1.WhyNotCount) int {
		return cmp.Or(cmp.Compare(b.GetDecisions(), a.GetDecisions()), cmp.Compare(a.GetReason(), b.GetReason()))
	})
	slices.Reverse(t.out.GetDecisions())
	t.out.Decisions = t.out.GetDecisions()[:min(len(t.out.GetDecisions()), t.shown)]
	return t.out
}
