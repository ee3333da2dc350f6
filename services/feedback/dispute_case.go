package feedback

import (
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// The two sides of a handoff, and who opens what was drawn for review.
const (
	sideMarketing = "marketing"
	sideSales     = "sales"
	sideSystem    = "system"
)

// dispute is one case as its lead's history tells it.
type dispute struct {
	lead     string
	opened   *leadv1.DisputeOpened
	openedBy string
	openedAt time.Time

	answered   *leadv1.DisputeAnswered
	answeredBy string
	escalated  []*leadv1.DisputeEscalated
	decided    *leadv1.DisputeDecided
	decidedAt  time.Time
	ledTo      []int64
}

// disputesOf are the cases of a lead, in the order in which they were opened.
func disputesOf(leadID string, events []*ledger.Event) []*dispute {
	var all []*dispute
	of := func(id string) *dispute {
		i := slices.IndexFunc(all, func(d *dispute) bool { return d.opened.GetDisputeId() == id })
		if i < 0 {
			return &dispute{}
		}
		return all[i]
	}
	for _, e := range events {
		switch b := e.Body.(type) {
		case *leadv1.DisputeOpened:
			all = append(all, &dispute{lead: leadID, opened: b, openedBy: e.Actor, openedAt: e.Occurred})
		case *leadv1.DisputeAnswered:
			d := of(b.GetDisputeId())
			d.answered, d.answeredBy = b, e.Actor
		case *leadv1.DisputeEscalated:
			d := of(b.GetDisputeId())
			d.escalated = append(d.escalated, b)
		case *leadv1.DisputeDecided:
			d := of(b.GetDisputeId())
			d.decided, d.decidedAt = b, e.Occurred
		case *leadv1.DisputeLinked:
			d := of(b.GetDisputeId())
			d.ledTo = append(d.ledTo, b.GetAgreementVersion())
		}
	}
	return all
}

// review says whether the case was drawn, so that nobody claims anything.
func (d *dispute) review() bool {
	return d.opened.GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW
}

// agreed says whether both sides say the same.
func (d *dispute) agreed() bool { return d.answered.GetAgrees() }

// state is one word. What both sides agree on is theirs to close, so that it says
// "agreed" whether or not somebody was told that it lies.
func (d *dispute) state() string {
	switch {
	case d.decided != nil:
		return "decided"
	case d.agreed():
		return "agreed"
	case len(d.escalated) > 0:
		return "escalated"
	}
	return "open"
}

// answer is the case as it is told, without evidence and notes.
func (d *dispute) answer() *feedbackv1.Dispute {
	out := &feedbackv1.Dispute{
		DisputeId: d.opened.GetDisputeId(), LeadId: d.lead, State: d.state(), Opened: d.opened, OpenedBy: d.openedBy,
		OpenedAt: timestamppb.New(d.openedAt), Answered: d.answered, Escalated: d.escalated, Decided: d.decided, LedTo: d.ledTo,
	}
	if d.decided != nil {
		out.DecidedAt = timestamppb.New(d.decidedAt)
	}
	return out
}

// shortLead is how many letters of a lead's id the number of a case keeps: of an id
// that is drawn by a digest they tell a million disputed leads apart.
const shortLead = 12

// caseNumber is the number of a lead's nth case. Where another lead's case has it
// already, the whole id stands in it.
func caseNumber(leadID string, n int, taken func(id string) bool) string {
	number := "-" + strconv.Itoa(n)
	if id := leadID[:min(len(leadID), shortLead)] + number; !taken(id) {
		return id
	}
	return leadID + number
}
