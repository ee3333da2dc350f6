package feedback

import (
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// sides are the departments for which somebody may speak, by their roles. A manager
// speaks for a side by its role alone.
func sides(actor access.Actor) (marketing, sales bool) {
	return actor.Has(access.Marketing), actor.Has(access.Sales, access.Qualifier)
}

// claimed answers what is claimed and for which side: that a lead was not as agreed by
// sales, that it was not worked by marketing, that its data is wrong by either. Who is
// in both speaks for sales there: wrong data shows when somebody works with it.
func claimed(actor access.Actor, claim leadv1.DisputeClaim) (leadv1.DisputeClaim, string, error) {
	marketing, sales := sides(actor)
	switch {
	case !marketing && !sales:
		return 0, "", fault.New(fault.Denied, "a dispute is opened for marketing or for sales: the role marketing, sales or qualifier says for which; the roles of %s do not", actor.Handle)
	case claim != leadv1.DisputeClaim_DISPUTE_CLAIM_UNSPECIFIED:
	case marketing && sales:
		return 0, "", fault.New(fault.Invalid, "claim: say what is claimed; %s speaks for both departments", actor.Handle)
	case marketing:
		claim = leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED
	default:
		claim = leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED
	}
	switch {
	case claim == leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED && !sales:
		return 0, "", fault.New(fault.Denied, "claim: that a lead was not as agreed is for sales to claim; marketing claims not-worked or wrong-data")
	case claim == leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED && !marketing:
		return 0, "", fault.New(fault.Denied, "claim: that a lead was not worked is for marketing to claim; sales claims not-as-agreed or wrong-data")
	case claim == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW:
		return 0, "", fault.New(fault.Invalid, "claim: a review is drawn and not claimed; baton dispute draw draws one")
	case claim == leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED || claim == leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA && !sales:
		return claim, sideMarketing, nil
	}
	return claim, sideSales, nil
}

// handoff is the offer by which a lead was handed over: the one of that number, 0 = the
// last one.
func handoff(leadID string, events []*ledger.Event, offer int32) (*ledger.Event, *leadv1.LeadOffered, error) {
	var found *ledger.Event
	for _, e := range events {
		if b, ok := e.Body.(*leadv1.LeadOffered); ok && (offer == 0 || b.GetOffer() == offer) {
			found = e
		}
	}
	switch {
	case found != nil:
		return found, found.Body.(*leadv1.LeadOffered), nil
	case offer > 0:
		return nil, nil, fault.New(fault.NotFound, "offer: lead %s has no offer %d", leadID, offer)
	}
	return nil, nil, fault.New(fault.State, "lead %s was never handed to sales: there is nothing to dispute yet", leadID)
}

// contested holds criteria against those by which the lead was handed over.
func contested(criteria []string, known *leadv1.Explanation) error {
	for _, id := range criteria {
		if !hasCriterion(known, id) {
			return fault.New(fault.Invalid, "criteria: %q was no criterion of this handoff; it was decided by %s", id, criteriaOf(known))
		}
	}
	return nil
}

func hasCriterion(known *leadv1.Explanation, id string) bool {
	return slices.ContainsFunc(known.GetCriteria(), func(c *leadv1.Criterion) bool { return c.GetId() == id })
}

func criteriaOf(known *leadv1.Explanation) string {
	ids := make([]string, 0, len(known.GetCriteria()))
	for _, c := range known.GetCriteria() {
		ids = append(ids, c.GetId())
	}
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}

// onlyOne refuses a second open case about the same.
func onlyOne(cases []*dispute, offer int32, claim leadv1.DisputeClaim) error {
	for _, d := range cases {
		if d.decided == nil && d.opened.GetOffer() == offer && d.opened.GetClaim() == claim {
			return fault.New(fault.State, "case %s is open on the same offer with the same claim: answer or decide that one", d.opened.GetDisputeId())
		}
	}
	return nil
}

// answering answers the side for which somebody answers a case: the other one.
func answering(d *dispute, actor access.Actor) (string, error) {
	id := d.opened.GetDisputeId()
	side := map[string]string{sideMarketing: sideSales, sideSales: sideMarketing}[d.opened.GetParty()]
	marketing, sales := sides(actor)
	switch {
	case d.decided != nil:
		return "", decidedAlready(d)
	case side == "":
		return "", fault.New(fault.State, "case %s was drawn for review: nobody claims anything, so there is nothing to answer; decide it", id)
	case d.answered != nil:
		return "", fault.New(fault.State, "case %s is answered: %s said whether it is so", id, d.answeredBy)
	case actor.Handle == d.opened.GetArbiter():
		return "", fault.New(fault.Denied, "case %s is for %s to decide, who speaks for neither side", id, actor.Handle)
	case actor.Handle == d.openedBy:
		return "", fault.New(fault.Denied, "case %s was opened by %s: somebody else answers it", id, actor.Handle)
	case side == sideMarketing && !marketing, side == sideSales && !sales:
		return "", fault.New(fault.Denied, "case %s is for %s to answer", id, side)
	}
	return side, nil
}

func decidedAlready(d *dispute) error {
	return fault.New(fault.State, "case %s is decided for good: %s by %s; open another where there is something new", d.opened.GetDisputeId(), lead.VerdictWord(d.decided.GetVerdict()), d.decided.GetBy())
}

// mayDecide says whether a case is somebody's to decide: its arbiter's and that of whoever
// holds the role, unless they opened or answered it; of both sides where they agree; of a
// manager where it was drawn for review, so that nobody claims anything.
func mayDecide(d *dispute, actor access.Actor) error {
	id := d.opened.GetDisputeId()
	marketing, sales := sides(actor)
	switch {
	case d.decided != nil:
		return decidedAlready(d)
	case d.agreed() && (marketing || sales):
		return nil
	case d.review() && actor.Has(access.Manager):
		return nil
	case actor.Handle != d.opened.GetArbiter() && !actor.Has(access.Arbiter):
		who := "somebody with the role arbiter"
		if a := d.opened.GetArbiter(); a != "" {
			who = a + ", its arbiter,"
		}
		return fault.New(fault.Denied, "case %s is for %s to decide: the two sides do not say the same", id, who)
	case !d.review() && (actor.Handle == d.openedBy || actor.Handle == d.answeredBy):
		return fault.New(fault.Denied, "case %s: %s spoke for one side and does not decide it", id, actor.Handle)
	}
	return nil
}

// ruledOn is a verdict as it is written: the finding follows from it, the criterion is one
// of the evidence, and the questionnaire is the one that was asked.
func ruledOn(d *dispute, verdict leadv1.DisputeVerdict, criterion, questionnaire string, known *leadv1.Explanation) (*leadv1.DisputeDecided, error) {
	ruling, ok := lead.RulingOf(verdict)
	if !ok {
		return nil, fault.New(fault.Invalid, "verdict: it is none that is known")
	}
	out := &leadv1.DisputeDecided{DisputeId: d.opened.GetDisputeId(), Verdict: verdict, Criterion: criterion, Finding: ruling.Finding}
	switch about := ruling.Criterion; {
	case about && criterion == "":
		return nil, fault.New(fault.Invalid, "criterion: the verdict %s is about one; the handoff was decided by %s", lead.VerdictWord(verdict), criteriaOf(known))
	case !about && criterion != "":
		return nil, fault.New(fault.Invalid, "criterion: the verdict %s is about none", lead.VerdictWord(verdict))
	case about && !hasCriterion(known, criterion):
		return nil, fault.New(fault.Invalid, "criterion: %q was no criterion of this handoff; it was decided by %s", criterion, criteriaOf(known))
	}
	if verdict == leadv1.DisputeVerdict_DISPUTE_VERDICT_WRONG_QUESTION {
		if out.QuestionnaireVersion = questionnaire; questionnaire == "" {
			return nil, fault.New(fault.State, "verdict: no questionnaire was asked before this handoff, so that no question was wrong")
		}
	}
	return out, nil
}
