package routing

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Rederive makes the decisions of one batch again, from everything as it was
// folded at the batch's basis, and answers what differs, by sequence. The
// events are those of one batch that carry a logic version, in order.
func Rederive(groups *Groups, roster *Roster, register *agreement.Register, people *lead.People, leads func(id string) *lead.State, events []*ledger.Event) map[uint64]string {
	r := &rederiving{turn: NewTurn(groups, roster, register, people, events[0].Recorded), leads: leads, steps: map[string][]*routingv1.PoolStep{}, differ: map[uint64]string{}}
	for _, e := range events {
		if body, ok := e.Body.(*routingv1.PoolAdvanced); ok {
			r.steps[strings.TrimPrefix(e.Subject, lead.SubjectPool)] = body.GetSteps()
		}
	}
	// Nothing is taken from one decision to the next: each looks at everybody.
	r.turn.crowds = nil
	// A batch is one decision after the other, by one logic.
	r.turn.logic = events[0].Logic
	for _, e := range events {
		if !slices.Contains([]string{Logic, third, second, first}, e.Logic) || e.Logic != r.turn.logic {
			r.differ[e.Seq] = fmt.Sprintf("the logic %q is not one that this version of Baton can run", e.Logic)
			continue
		}
		if why := r.check(e); why != "" {
			r.differ[e.Seq] = why
		}
	}
	return r.differ
}

type rederiving struct {
	turn   *Turn
	leads  func(id string) *lead.State
	steps  map[string][]*routingv1.PoolStep
	differ map[uint64]string
}

func (r *rederiving) check(e *ledger.Event) string {
	if body, ok := e.Body.(*routingv1.PoolAdvanced); ok {
		return r.advanced(strings.TrimPrefix(e.Subject, lead.SubjectPool), body)
	}
	if body, ok := e.Body.(*routingv1.TurnsAdjusted); ok {
		group, step, why := r.turn.calibration(body)
		if why != "" {
			return why
		}
		r.before(group, "")
		r.turn.step(group, step)
		return ""
	}
	if body, ok := e.Body.(*routingv1.MemberDeactivated); ok {
		r.turn.Leave(body.GetMember(), moveOf(e.Cause, body.GetMember()))
		return ""
	}
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return ""
	}
	s := r.turn.Lead(r.leads(id))
	switch body := e.Body.(type) {
	case *leadv1.OfferAccepted:
		if why := mayAccept(s, body.GetMember(), r.turn.now); why != "" {
			return why
		}
		r.before(s.Group, id)
		r.turn.accept(s, body)
	case *leadv1.OfferRejected:
		if why := mayReject(s, body.GetMember()); why != "" {
			return why
		}
		reason, ok := r.turn.agreement.Reason(body.GetReason())
		if !ok || reason.Consequence != body.GetConsequence() {
			return "the reason does not lead there by the agreement in force"
		}
		if why := r.turn.mayGiveBack(s, reason); why != "" {
			return why
		}
		r.before(s.Group, id)
		r.turn.reject(s, body)
	case *leadv1.LeadReassigned:
		// Somebody may move by hand what is about to be taken from who left.
		if left := takenFrom(r.turn.input(s)); left == nil || left.Body.(*leadv1.LeadReassigned).GetBatchId() != body.GetBatchId() {
			return r.reassigned(s, body)
		}
		return r.decided(s, e)
	default:
		return r.decided(s, e)
	}
	return ""
}

// decided makes the decision on a lead again that an event stands for.
func (r *rederiving) decided(s *lead.State, e *ledger.Event) string {
	group := ""
	switch body := e.Body.(type) {
	case *leadv1.LeadOffered:
		group = body.GetGroup()
	case *leadv1.LeadQueued:
		group = body.GetGroup()
	case *leadv1.OfferTimedOut, *leadv1.OfferReminded, *leadv1.LeadReassigned:
		group = s.Group
	}
	if _, waits := r.turn.moves(s, group); waits {
		r.before(s.Group, s.ID)
	}
	r.before(group, s.ID)
	said := r.turn.Next(s)
	if offered, ok := e.Body.(*leadv1.LeadOffered); ok && offered.GetChosenBy() == agreement.ByClaim {
		why := ""
		if said, _, why = r.turn.Claim(s, offered.GetMember()); said == nil {
			return why
		}
	}
	if said == nil {
		return "nothing was due on the lead"
	}
	r.turn.Take(s, said)
	if !proto.Equal(said.Body, e.Body) {
		return difference(said.Body, e.Body)
	}
	return ""
}

// before takes the steps that stand in front of the lead's next one: places
// that others' decisions freed, and that this decision could use.
func (r *rederiving) before(group, id string) {
	steps := r.steps[group]
	for at := len(r.turn.steps[group]); at < len(steps) && steps[at].GetLeadId() != id; at = len(r.turn.steps[group]) {
		r.turn.Tidy(r.turn.Lead(r.leads(steps[at].GetLeadId())))
		if len(r.turn.steps[group]) == at {
			return
		}
	}
}

func (r *rederiving) advanced(group string, body *routingv1.PoolAdvanced) string {
	r.before(group, "")
	want := &routingv1.PoolAdvanced{Steps: r.turn.steps[group]}
	if !proto.Equal(want, body) {
		return difference(want, body)
	}
	return ""
}

// difference says in which fields two events differ.
func difference(want, got proto.Message) string {
	if want.ProtoReflect().Descriptor().FullName() != got.ProtoReflect().Descriptor().FullName() {
		return fmt.Sprintf("it must be a %s", want.ProtoReflect().Descriptor().Name())
	}
	var fields []string
	descriptors := want.ProtoReflect().Descriptor().Fields()
	for i := range descriptors.Len() {
		f := descriptors.Get(i)
		if !want.ProtoReflect().Get(f).Equal(got.ProtoReflect().Get(f)) {
			fields = append(fields, string(f.Name()))
		}
	}
	return "it differs from what the log gives in: " + strings.Join(fields, ", ")
}
