package feedback

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// DecideOutcome says what a member's outcome makes of a lead: events, or a fault
// that says why not. Now is the time of recording, and rules is the agreement in force
// then, or nil; noteSealed is the request's note, sealed, or nil.
func DecideOutcome(s *lead.State, req *feedbackv1.RecordOutcomeRequest, actor access.Actor, now time.Time, rules *agreement.Agreement, noteSealed *leadv1.Sealed) ([]proto.Message, error) {
	if s.State == leadv1.State_STATE_UNSPECIFIED {
		return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
	}
	if err := checkOutcome(s, req, now); err != nil {
		return nil, err
	}
	reached, err := agreed(rules, req)
	if err != nil {
		return nil, err
	}
	if !s.Open() {
		return nil, fault.New(fault.State, "lead %s is %s already: nothing more can be recorded on it", s.ID, lead.StateWord(s.State))
	}
	member, err := whose(s, req.GetKind(), actor)
	if err != nil {
		return nil, err
	}
	return []proto.Message{&leadv1.OutcomeRecorded{
		Kind: req.GetKind(), Member: member,
		Channel: req.GetChannel(), Reason: req.GetReason(),
		ValueMinor: req.GetValueMinor(), Currency: req.GetCurrency(),
		Direction: req.GetDirection(), Disposition: req.GetDisposition(), Reached: reached,
		DealStage: req.GetDealStage(), Minutes: req.GetMinutes(),
		Note: noteSealed,
	}}, nil
}

// checkOutcome holds what an outcome says against its kind.
func checkOutcome(s *lead.State, req *feedbackv1.RecordOutcomeRequest, now time.Time) error {
	kind := req.GetKind()
	switch kind {
	case leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, leadv1.OutcomeKind_OUTCOME_KIND_WORKING,
		leadv1.OutcomeKind_OUTCOME_KIND_STAGE, leadv1.OutcomeKind_OUTCOME_KIND_WON, leadv1.OutcomeKind_OUTCOME_KIND_LOST:
	default:
		return fault.New(fault.Invalid, "kind: say what became of the lead: touch, working, stage, won or lost")
	}
	if req.GetChannel() != "" && kind != leadv1.OutcomeKind_OUTCOME_KIND_TOUCH {
		return fault.New(fault.Invalid, "channel: only a touch has one")
	}
	switch {
	case kind == leadv1.OutcomeKind_OUTCOME_KIND_LOST && req.GetReason() == "":
		return fault.New(fault.Invalid, "reason: a lost deal needs one, as a word such as price or no-budget")
	case kind != leadv1.OutcomeKind_OUTCOME_KIND_LOST && req.GetReason() != "":
		return fault.New(fault.Invalid, "reason: only a lost deal has one; free text goes into the note")
	case req.GetReason() != "" && !lead.Safe(req.GetReason()):
		return fault.New(fault.Invalid, "reason: one word of lower-case letters, digits and hyphens; free text goes into the note")
	}
	value, currency := req.GetValueMinor() != 0, req.GetCurrency() != ""
	switch {
	case kind != leadv1.OutcomeKind_OUTCOME_KIND_WON && (value || currency):
		return fault.New(fault.Invalid, "value_minor, currency: only a won deal has a value")
	case value && !currency:
		return fault.New(fault.Invalid, "currency: a value needs its currency, such as EUR")
	}
	if at := req.GetOccurredAt(); at != nil {
		switch {
		case at.AsTime().After(now):
			return fault.New(fault.Invalid, "occurred_at: %s is in the future; it is %s", moment(at.AsTime()), moment(now))
		case !s.ReceivedAt.IsZero() && at.AsTime().Before(s.ReceivedAt):
			return fault.New(fault.Invalid, "occurred_at: %s is before the lead was received, %s", moment(at.AsTime()), moment(s.ReceivedAt))
		}
	}
	return nil
}

// whose answers the member the outcome counts for, if the actor may record it: a
// touch by who has the lead in hand, the rest by its owner or a manager.
func whose(s *lead.State, kind leadv1.OutcomeKind, actor access.Actor) (string, error) {
	holder, held := s.Held()
	if kind == leadv1.OutcomeKind_OUTCOME_KIND_TOUCH {
		switch {
		case !held:
			return "", fault.New(fault.State, "lead %s is %s and nobody has it: a touch is recorded by who has it", s.ID, lead.StateWord(s.State))
		case holder != actor.Handle:
			return "", fault.New(fault.Denied, "lead %s is with %s: a touch is recorded by who has it", s.ID, holder)
		}
		return holder, nil
	}
	word := strings.ToLower(strings.TrimPrefix(kind.String(), "OUTCOME_KIND_"))
	switch {
	case s.State != leadv1.State_STATE_ACCEPTED && s.State != leadv1.State_STATE_WORKING:
		return "", fault.New(fault.State, "lead %s is %s: it must be accepted before it can be recorded as %s", s.ID, lead.StateWord(s.State), word)
	case s.Owner != actor.Handle && !actor.Has(access.Manager):
		return "", fault.New(fault.Denied, "lead %s belongs to %s: its owner or a manager records what became of it", s.ID, s.Owner)
	}
	return s.Owner, nil
}
