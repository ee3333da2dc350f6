package report

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// tellSentence speaks of what people tell: what became of a lead, what they learned from
// it, and where they work.
func tellSentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.OutcomeRecorded:
		s := outcomeTold(b)
		if b.GetMinutes() > 0 {
			s += fmt.Sprintf(", which took %s", minutes(b.GetMinutes()))
		}
		if b.GetHistorical() {
			s = "Imported history: " + s
		}
		return s + noted(b.GetNote())
	case *leadv1.FeedbackGiven:
		return feedbackTold(b) + noted(b.GetNote())
	case *routingv1.MemberPlaced:
		return placedTold(b)
	}
	return ""
}

func minutes(n int32) string {
	if n == 1 {
		return "1 minute"
	}
	return fmt.Sprintf("%d minutes", n)
}

func outcomeTold(b *leadv1.OutcomeRecorded) string {
	who := b.GetMember()
	if who == "" {
		who = "Somebody of sales"
	}
	switch b.GetKind() {
	case leadv1.OutcomeKind_OUTCOME_KIND_TOUCH:
		s := who + " touched the person"
		if b.GetDirection() == "in" {
			s = "The person came to " + who
			if b.GetMember() == "" {
				s = "The person came to somebody of sales"
			}
		}
		s += map[string]string{
			"call": " by telephone", "email": " by e-mail", "meeting": " in a meeting", "other": " by other means",
		}[b.GetChannel()]
		switch {
		case b.GetDisposition() == "":
			return s
		case b.GetReached():
			return s + ": " + b.GetDisposition() + ", the person was reached"
		}
		return s + ": " + b.GetDisposition() + ", the person was not reached"
	case leadv1.OutcomeKind_OUTCOME_KIND_WORKING:
		return who + " works on it"
	case leadv1.OutcomeKind_OUTCOME_KIND_STAGE:
		return who + " brought the deal to the stage " + b.GetDealStage()
	case leadv1.OutcomeKind_OUTCOME_KIND_WON:
		return who + " won the deal" + worth(b.GetValueMinor(), b.GetCurrency())
	case leadv1.OutcomeKind_OUTCOME_KIND_LOST:
		return who + " lost the deal" + bracketed(b.GetReason())
	}
	return who + " recorded an outcome"
}

func feedbackTold(b *leadv1.FeedbackGiven) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if b.GetInterest() > 0 {
		add("interest %d of 5", b.GetInterest())
	}
	if len(b.GetWhy()) > 0 {
		add("because of %s", strings.Join(b.GetWhy(), ", "))
	}
	if b.GetTalk() != "" {
		add("talk: %s", b.GetTalk())
	}
	if b.GetEase() > 0 {
		add("ease %d of 5", b.GetEase())
	}
	if len(b.GetMissing()) > 0 {
		add("missing was %s", strings.Join(b.GetMissing(), ", "))
	}
	if b.GetVertical() != "" {
		add("industry %s", b.GetVertical())
	}
	if b.GetPersona() != "" {
		add("persona %s", b.GetPersona())
	}
	if len(b.GetPhrases()) > 0 {
		add("they said “%s”", strings.Join(b.GetPhrases(), "”, “"))
	}
	s := b.GetMember() + " gave feedback"
	if len(parts) > 0 {
		s += ": " + strings.Join(parts, "; ")
	}
	return s
}

func placedTold(b *routingv1.MemberPlaced) string {
	var parts []string
	if b.GetTeam() != "" {
		parts = append(parts, "in team "+b.GetTeam())
	}
	if b.GetManager() != "" {
		parts = append(parts, "under "+b.GetManager())
	}
	if b.GetOffice() != "" {
		parts = append(parts, "in office "+b.GetOffice())
	}
	if len(parts) == 0 {
		return b.GetMember() + " works in no team from then on"
	}
	return b.GetMember() + " works " + strings.Join(parts, ", ") + " from then on"
}
