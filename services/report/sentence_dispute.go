package report

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// disputeSentence speaks of what the two sides hold against each other.
func disputeSentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.DisputeOpened:
		who := map[string]string{"marketing": "Marketing", "sales": "Sales"}[b.GetParty()]
		said := map[leadv1.DisputeClaim]string{
			leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED: "it was not as agreed",
			leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED:    "it was as agreed and nobody worked it",
			leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA:    "what is recorded of it is wrong",
		}[b.GetClaim()]
		s := fmt.Sprintf("%s disputes offer %d: %s", who, b.GetOffer(), said)
		if b.GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW {
			s = fmt.Sprintf("Offer %d was drawn for review", b.GetOffer())
		}
		if len(b.GetCriteria()) > 0 {
			s += " (" + strings.Join(b.GetCriteria(), ", ") + ")"
		}
		s += "; case " + b.GetDisputeId()
		if b.GetArbiter() != "" {
			s += ", which " + b.GetArbiter() + " decides"
		}
		return s + noted(b.GetNote())
	case *leadv1.DisputeAnswered:
		who := map[string]string{"marketing": "Marketing", "sales": "Sales"}[b.GetParty()]
		if b.GetAgrees() {
			return fmt.Sprintf("%s says so as well in case %s", who, b.GetDisputeId()) + noted(b.GetNote())
		}
		return fmt.Sprintf("%s contests it in case %s", who, b.GetDisputeId()) + noted(b.GetNote())
	case *leadv1.DisputeEscalated:
		return fmt.Sprintf("Nobody decided case %s by %s; %s is told (step %d)", b.GetDisputeId(), momentOf(b.GetDueAt()), b.GetTo(), b.GetStep())
	case *leadv1.DisputeDecided:
		s := fmt.Sprintf("%s decided case %s: %s", b.GetBy(), b.GetDisputeId(), verdictText(b))
		return s + "; " + map[string]string{
			"marketing": "a finding against marketing", "sales": "a finding against sales", "agreement": "a finding against the agreement", "nobody": "a finding against nobody",
		}[b.GetFinding()] + noted(b.GetNote())
	case *leadv1.DisputeLinked:
		return fmt.Sprintf("The verdict of case %s led to version %d of the agreement, which is proposed", b.GetDisputeId(), b.GetAgreementVersion())
	}
	return ""
}

func verdictText(b *leadv1.DisputeDecided) string {
	switch b.GetVerdict() {
	case leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING:
		return "criterion " + b.GetCriterion() + " was not met"
	case leadv1.DisputeVerdict_DISPUTE_VERDICT_WRONG_QUESTION:
		return fmt.Sprintf("the questionnaire %s asked the wrong question for %s", b.GetQuestionnaireVersion(), b.GetCriterion())
	case leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_SHOULD_CHANGE:
		return "criterion " + b.GetCriterion() + " should change"
	case leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED:
		return "the definition was met and the lead was not worked"
	case leadv1.DisputeVerdict_DISPUTE_VERDICT_DATA_ERROR:
		return "the data was wrong"
	case leadv1.DisputeVerdict_DISPUTE_VERDICT_AS_AGREED:
		return "it was as agreed and was worked"
	}
	return "a verdict that is not known here"
}
