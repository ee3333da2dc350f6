package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"

	"github.com/leadbaton/baton/services/lead"
)

// Sentence says an event in one plain English sentence. It names members by
// their handles and holds nothing personal.
func Sentence(body proto.Message) string {
	for _, of := range []func(proto.Message) string{pastSentence, intakeSentence, deliverySentence, qualificationSentence, routingSentence, clockSentence, noticeSentence, disputeSentence, tellSentence, outcomeSentence, targetSentence, evidenceSentence, houseSentence} {
		if s := of(body); s != "" {
			return ended(s)
		}
	}
	if body == nil {
		return "An event that cannot be read."
	}
	return "An event of the type " + string(body.ProtoReflect().Descriptor().FullName()) + "."
}

// pastSentence speaks of changes of owner that imported history states.
func pastSentence(body proto.Message) string {
	b, ok := body.(*leadv1.LeadReassigned)
	switch {
	case !ok || b.GetReason() != lead.ReasonImported:
		return ""
	case b.GetFrom() == "":
		return fmt.Sprintf("Imported history: %s had it from now on", b.GetTo())
	}
	return fmt.Sprintf("Imported history: %s had it from now on, and no longer %s", b.GetTo(), b.GetFrom())
}

func intakeSentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.LeadReceived:
		how := "unsigned"
		if b.GetSigned() {
			how = "signed"
		}
		s := fmt.Sprintf("Received from %s (%s) on %s", b.GetSource(), how, momentOf(b.GetReceivedAt()))
		if b.GetHistorical() {
			s = fmt.Sprintf("Imported history: received from %s on %s", b.GetSource(), momentOf(b.GetReceivedAt()))
		}
		if b.GetNeedsMapping() {
			s += "; no e-mail and no telephone number was found, so the mapping of this source needs a look"
		}
		return s
	case *leadv1.SubmissionRepeated:
		return "The same submission was delivered again; nothing changed"
	case *leadv1.SubmissionRevised:
		if b.GetConflict() {
			return "The same submission came with other contents from an unsigned source; they are kept aside as a conflict and nothing changed"
		}
		return "The same submission came with other contents, which count from now on"
	case *leadv1.TouchAdded:
		if b.GetKind() != lead.SameForm {
			return "A touch was recorded: " + b.GetKind() + campaign(b.GetAttribution())
		}
		return fmt.Sprintf("The same form came again within a day (%s) and joined this lead", b.GetKind())
	case *leadv1.LeadRefused:
		return fmt.Sprintf("Refused at the door as %s: %s", refusalWord(b.GetReason()), b.GetRule())
	case *leadv1.PersonAttached:
		if b.GetMatchedBy() == "new" {
			return "Belongs to a person who was not known before"
		}
		by := "what was said of them"
		if how, ok := map[string]string{"email": "e-mail", "phone": "telephone number", "name-and-company": "name and company", "remap": "what its body says now"}[b.GetMatchedBy()]; ok {
			by = how
		}
		if b.GetConfidence() > 0 {
			return fmt.Sprintf("Belongs to a known person, found by %s (alike, %d %% sure)", by, b.GetConfidence())
		}
		return "Belongs to a known person, found by " + by
	case *leadv1.AccountMatched:
		return accountSentence(b)
	case *personv1.LeadAttached:
		return fmt.Sprintf("Lead %s was attached to the person", b.GetLeadId())
	case *personv1.MatchSuggested:
		return fmt.Sprintf("May be the same as person %s (%d %% sure): alike are %s", b.GetOtherId(), b.GetConfidence(), strings.Join(b.GetAlike(), ", "))
	case *personv1.MatchDismissed:
		return fmt.Sprintf("Is not the same as person %s%s", b.GetOtherId(), bracketed(b.GetReason()))
	case *personv1.PersonMerged:
		return fmt.Sprintf("Person %s is one with person %s from now on, who stays%s", b.GetFromId(), b.GetIntoId(), bracketed(b.GetReason()))
	case *personv1.PersonUnmerged:
		return fmt.Sprintf("Person %s is parted from person %s again%s", b.GetFromId(), b.GetIntoId(), bracketed(b.GetReason()))
	case *personv1.AccountDeclared:
		return "Account " + cmp.Or(b.GetDomain(), b.GetName()) + " was declared" + ownedBy(b.GetOwner())
	case *intakev1.TouchWaiting:
		return "A touch is kept and waits until it is known whose it is"
	case *intakev1.TouchJoined:
		return fmt.Sprintf("A touch joined lead %s", b.GetLeadId())
	case *intakev1.DeliveryRefused:
		return fmt.Sprintf("A delivery yielded no lead (%s): %s", b.GetFault(), b.GetText())
	}
	return ""
}

func accountSentence(b *leadv1.AccountMatched) string {
	others := func(from int) string {
		var out []string
		for _, c := range b.GetCandidates()[min(from, len(b.GetCandidates())):] {
			out = append(out, fmt.Sprintf("%s (%d %% sure)", c.GetDomain(), c.GetConfidence()))
		}
		return strings.Join(out, ", ")
	}
	if b.GetAccountDomain() == "" {
		if len(b.GetCandidates()) == 0 {
			return "Belongs to no account that is known"
		}
		return "May belong to an account, but none is sure enough: " + others(0)
	}
	s := fmt.Sprintf("Belongs to account %s, found by %s (%d %% sure)", b.GetAccountDomain(), b.GetBy(), b.GetConfidence())
	switch b.GetTieBreak() {
	case "owned":
		s += "; of those who are equally sure it is the one that somebody owns"
	case "order":
		s += "; of those who are equally sure it is the first by domain"
	}
	if rest := others(1); rest != "" {
		s += "; others are " + rest
	}
	return s
}

// campaign says where a touch came from, as far as it is known.
func campaign(a *leadv1.Attribution) string {
	switch {
	case a.GetCampaign() != "" && a.GetSource() != "":
		return ", from " + a.GetSource() + ", campaign " + a.GetCampaign()
	case a.GetCampaign() != "":
		return ", campaign " + a.GetCampaign()
	case a.GetSource() != "":
		return ", from " + a.GetSource()
	}
	return ""
}

// deliverySentence speaks of sources, of deliveries that are no lead, and of
// bodies that were read again.
func deliverySentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.LeadRemapped:
		s := "The kept body was read again with another mapping, and what it says now counts"
		if b.GetNeedsMapping() {
			s += "; still no e-mail and no telephone number was found"
		}
		return s
	case *personv1.LeadDetached:
		return fmt.Sprintf("Lead %s belongs to another person now: person %s", b.GetLeadId(), b.GetPersonId())
	case *intakev1.DeliveryHeld:
		return heldSentence(b)
	case *intakev1.DeliveryReleased:
		return "A delivery waits no more: " + map[string]string{
			"resumed": "its source was resumed", "details": "its details came", "given-up": "its details were given up", "details-were-read": "its details had been read before",
		}[b.GetHow()]
	case *intakev1.DeliveryIgnored:
		return "A delivery is no lead and was not meant to be one: " + b.GetWhy()
	case *intakev1.SubmissionNamed:
		if b.GetReplaced() {
			return fmt.Sprintf("A name of a submission stands for lead %s, and a later one took its place", b.GetLeadId())
		}
		return fmt.Sprintf("A name of a submission stands for lead %s", b.GetLeadId())
	case *intakev1.SourceDeclared:
		return sourceSentence(b)
	}
	return ""
}

func sourceSentence(b *intakev1.SourceDeclared) string {
	s := "Source " + b.GetName() + " was declared"
	if b.GetVersion() > 1 {
		s = fmt.Sprintf("Source %s was changed to version %d", b.GetName(), b.GetVersion()) + bracketed(b.GetReason())
	}
	switch b.GetState() {
	case intakev1.SourceState_SOURCE_STATE_PAUSED:
		s += "; it is paused, and what comes is held"
	case intakev1.SourceState_SOURCE_STATE_REMOVED:
		s += "; it is removed, and what still comes is held"
	}
	if b.GetVerification() == nil {
		return s + "; its deliveries are not signed"
	}
	return s + "; its deliveries are verified by " + b.GetVerification().GetAlgorithm()
}

func heldSentence(b *intakev1.DeliveryHeld) string {
	if b.GetWhy() == "paused" {
		return "A delivery is held: its source is paused or removed"
	}
	s := "A delivery waits for its details"
	if b.GetFault() != "" {
		s += fmt.Sprintf("; %d tries failed, the last one because of this: %s", b.GetAttempts(), strings.TrimSuffix(b.GetFault(), "."))
	}
	if b.GetNextAt() != nil {
		s += "; asked for again on " + momentOf(b.GetNextAt())
	}
	return s
}

func qualificationSentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.QualificationHeld:
		return "Waits before qualification: " + b.GetText()
	case *leadv1.LeadQualified:
		return fmt.Sprintf("Qualified as %s by version %d of the agreement: %s", stageWord(b.GetStage()), b.GetAgreementVersion(), b.GetExplanation().GetSummary())
	case *leadv1.LeadNurtured:
		why := strings.TrimPrefix(b.GetExplanation().GetSummary(), "Stays with marketing: ")
		s := fmt.Sprintf("Stays with marketing by version %d of the agreement: %s", b.GetAgreementVersion(), why)
		if b.GetRecheckAt() != nil {
			s = strings.TrimSuffix(s, ".") + "; looked at again on " + momentOf(b.GetRecheckAt())
		}
		return s
	case *leadv1.NurtureAdvanced:
		s := fmt.Sprintf("Touch %d of the nurture plan was made: %s", b.GetMade(), b.GetTouch())
		if b.GetNextTouch() == "" {
			return s + "; the plan (agreement version " + strconv.FormatInt(b.GetAgreementVersion(), 10) + ") holds no more"
		}
		return s + fmt.Sprintf("; next is %s, due on %s", b.GetNextTouch(), momentOf(b.GetNextTouchDue()))
	case *leadv1.CallRecorded:
		return callSentence(b)
	case *qualificationv1.LineAdvanced:
		return fmt.Sprintf("Waiting line before qualification: %s joined, %s left", leadsOf(len(b.GetHeld())), leadsOf(len(b.GetFreed())))
	}
	return ""
}

func callSentence(b *leadv1.CallRecorded) string {
	who := "who is no qualifier"
	if b.GetQualifier() {
		who = "a qualifier"
	}
	s := fmt.Sprintf("Called by %s, %s", b.GetMember(), who)
	if !b.GetReached() {
		return s + ": nobody was reached"
	}
	fit := "the customer profile was not confirmed"
	if b.GetFitConfirmed() {
		fit = "the customer profile was confirmed"
	}
	s += ": the person was reached, " + fit
	switch {
	case b.HorizonMonths == nil:
		s += ", no time to buy was stated"
	case b.GetHorizonMonths() == 1:
		s += ", wants to buy within 1 month"
	default:
		s += fmt.Sprintf(", wants to buy within %d months", b.GetHorizonMonths())
	}
	return s + noted(b.GetNote())
}

func routingSentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.LeadOffered:
		return fmt.Sprintf("Offered to %s (offer %d, pool %s) until %s: %s", b.GetMember(), b.GetOffer(), b.GetPool(), momentOf(b.GetTakeBy()), b.GetSummary())
	case *leadv1.LeadQueued:
		where := "Waits"
		if b.GetPool() != "" {
			where = "Waits in the line of pool " + b.GetPool()
		}
		// The text says when it is looked at again.
		return where + ": " + b.GetText()
	case *leadv1.OfferAccepted:
		return fmt.Sprintf("%s accepted offer %d", b.GetMember(), b.GetOffer())
	case *leadv1.OfferRejected:
		then := map[leadv1.Consequence]string{
			leadv1.Consequence_CONSEQUENCE_NEXT_PERSON: "it goes to the next eligible member",
			leadv1.Consequence_CONSEQUENCE_NURTURE:     "it goes back to marketing",
			leadv1.Consequence_CONSEQUENCE_DISQUALIFY:  "it is out",
		}[b.GetConsequence()]
		return fmt.Sprintf("%s rejected offer %d (%s); by version %d of the agreement %s%s", b.GetMember(), b.GetOffer(), b.GetReason(), b.GetAgreementVersion(), then, noted(b.GetNote()))
	case *leadv1.OfferTimedOut:
		return fmt.Sprintf("%s let offer %d run out: it was due on %s", b.GetMember(), b.GetOffer(), momentOf(b.GetDueAt()))
	case *leadv1.OfferReminded:
		return fmt.Sprintf("%s was reminded of offer %d, which stands until %s", b.GetMember(), b.GetOffer(), momentOf(b.GetTakeBy()))
	case *leadv1.LeadReassigned:
		return movedSentence(b)
	case *routingv1.PoolAdvanced:
		return poolSentence(b)
	case *routingv1.MemberAdded:
		return fmt.Sprintf("%s joined as %s", b.GetMember(), strings.Join(b.GetRoles(), ", "))
	case *routingv1.AvailabilityChanged:
		return awaySentence(b)
	case *routingv1.PresenceChanged:
		if b.GetPresent() {
			return b.GetMember() + " signed in for the day"
		}
		return b.GetMember() + " signed out"
	case *routingv1.MemberTokenRenewed:
		return b.GetMember() + " got another token; the one before has ended"
	case *routingv1.TurnsAdjusted:
		if b.GetLeads() < 0 {
			return fmt.Sprintf("%s is %d ahead in pool %s from now on%s", b.GetMember(), -b.GetLeads(), b.GetPool(), bracketed(b.GetReason()))
		}
		return fmt.Sprintf("%s is owed %d more in pool %s%s", b.GetMember(), b.GetLeads(), b.GetPool(), bracketed(b.GetReason()))
	case *routingv1.MemberDeactivated:
		return fmt.Sprintf("%s left every pool for good%s", b.GetMember(), bracketed(b.GetReason()))
	case *personv1.OwnerChanged:
		if b.GetMember() == "" {
			return fmt.Sprintf("Nobody of sales owns the person any more, because of lead %s", b.GetLeadId())
		}
		return fmt.Sprintf("%s owns the person from now on, because of lead %s", b.GetMember(), b.GetLeadId())
	}
	return ""
}

// movedSentence says who moved what where by hand; who did it stands beside it.
func movedSentence(b *leadv1.LeadReassigned) string {
	s := "Moved by hand: taken from " + b.GetFrom()
	if b.GetFrom() == "" {
		s = "Moved by hand: taken out of the line"
	}
	switch {
	case b.GetUndoes() != "":
		s = fmt.Sprintf("Move %s was taken back by move %s: ", b.GetUndoes(), b.GetBatchId())
		switch {
		case b.GetTo() == "":
			s += "it waits in line again, where it was"
		case b.GetAccepted():
			s += b.GetTo() + " has it again as their own"
		default:
			s += "it goes back to " + b.GetTo()
		}
	case b.GetTo() != "":
		s += ", for " + b.GetTo()
	default:
		s += ", to whom the rules choose next"
	}
	if left := slices.DeleteFunc(slices.Clone(b.GetExcluded()), func(m string) bool { return m == b.GetFrom() }); len(left) > 0 {
		s += " but not " + strings.Join(left, ", ")
	}
	if b.GetReason() != "undone" {
		s += bracketed(b.GetReason())
	}
	if b.GetUndoes() == "" {
		s += ", move " + b.GetBatchId()
	}
	return s + noted(b.GetNote())
}

func poolSentence(b *routingv1.PoolAdvanced) string {
	kinds := []struct {
		kind routingv1.StepKind
		word string
	}{
		{routingv1.StepKind_STEP_KIND_OFFERED, "offered"},
		{routingv1.StepKind_STEP_KIND_ACCEPTED, "accepted"},
		{routingv1.StepKind_STEP_KIND_RELEASED, "released"},
		{routingv1.StepKind_STEP_KIND_QUEUED, "queued"},
		{routingv1.StepKind_STEP_KIND_LEFT, "out of the line"},
		{routingv1.StepKind_STEP_KIND_REMINDED, "reminded"},
		{routingv1.StepKind_STEP_KIND_ADJUSTED, "adjusted"},
	}
	var parts []string
	for _, k := range kinds {
		n := 0
		for _, step := range b.GetSteps() {
			if step.GetKind() == k.kind {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+k.word)
		}
	}
	if len(parts) == 0 {
		return "The pools moved on without a step"
	}
	return "The pools moved on: " + strings.Join(parts, ", ")
}

func outcomeSentence(body proto.Message) string {
	switch b := body.(type) {
	case *feedbackv1.OutcomeWaiting:
		return fmt.Sprintf("An outcome (%s) of a lead from %s came before the lead and waits for it", enumWord(b.GetOutcome().GetKind().String(), "OUTCOME_KIND_"), b.GetSource())
	case *feedbackv1.OutcomeReleased:
		if b.GetText() != "" {
			return fmt.Sprintf("An outcome that waited for lead %s could not be recorded: %s", b.GetLeadId(), b.GetText())
		}
		return fmt.Sprintf("An outcome that waited for lead %s was recorded on it", b.GetLeadId())
	case *leadv1.HandlingFailed:
		return fmt.Sprintf("%s could not handle the lead (%s, tried %d times): %s", b.GetService(), b.GetFault(), b.GetAttempts(), b.GetText())
	}
	return ""
}

// houseSentence speaks of the agreement and of the log itself.
func houseSentence(body proto.Message) string {
	switch b := body.(type) {
	case *agreementv1.AgreementProposed:
		s := fmt.Sprintf("Version %d of the agreement was proposed", b.GetVersion())
		if b.GetWhy() != "" {
			s += ": " + b.GetWhy()
		}
		return s
	case *agreementv1.AgreementRead:
		return fmt.Sprintf("Version %d of the agreement was read", b.GetVersion())
	case *agreementv1.OverlayEnded:
		return fmt.Sprintf("The exception %s of version %d of the agreement has ended, as it was agreed", b.GetOverlay(), b.GetVersion())
	case *agreementv1.AgreementSigned:
		s := fmt.Sprintf("%s signed version %d of the agreement", b.GetParty(), b.GetVersion())
		if b.GetInForceFrom() != nil {
			s += ", which is in force from " + momentOf(b.GetInForceFrom())
		}
		return s
	case *scorev1.ScoreTrained:
		return fmt.Sprintf("Model %d of the score was trained. %s", b.GetModel().GetNumber(), b.GetModel().GetSummary())
	case *scorev1.ScoreSigned:
		return fmt.Sprintf("%s signed model %d of the score", b.GetParty(), b.GetModel())
	case *scorev1.ScoreSwitched:
		if b.GetOn() {
			return fmt.Sprintf("Model %d of the score is in force from now on", b.GetModel())
		}
		return fmt.Sprintf("Model %d of the score is no longer in force", b.GetModel())
	case *auditv1.LedgerOpened:
		return fmt.Sprintf("Log %s was opened on %s for %d writing services", b.GetLedgerId(), momentOf(b.GetOpenedAt()), len(b.GetKeys()))
	case *auditv1.ServiceKeyAdded:
		return "The service " + b.GetKey().GetService() + " may write from here on"
	case *auditv1.Checkpoint:
		return "A checkpoint of " + b.GetStream() + " was signed"
	}
	return ""
}

// moment is an instant as people read it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func momentOf(t *timestamppb.Timestamp) string { return moment(t.AsTime()) }

func noted(note *leadv1.Sealed) string {
	if note == nil {
		return ""
	}
	return "; with a sealed note"
}

func bracketed(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

func leadsOf(n int) string {
	if n == 1 {
		return "1 lead"
	}
	return strconv.Itoa(n) + " leads"
}

// worth says a value that is counted in minor units of its currency.
func worth(minor int64, currency string) string {
	if minor == 0 {
		return ""
	}
	return " worth " + lead.Money(minor, currency)
}

// ended closes a sentence; what it quotes may have a full stop already.
func ended(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

func ownedBy(member string) string {
	if member == "" {
		return ""
	}
	return ", owned by " + member
}
