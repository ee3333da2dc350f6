package qualification

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/score"
)

// Logic names this version of the deciding code. A change of behaviour is a
// new name; the old one stays runnable.
const Logic = "qualification/3"

// second is the logic that said "5 of the 3 points needed".
const second = "qualification/2"

// first is the logic under which a call alone could lift a lead that had asked
// for content only, and nothing was looked at again on its date. Whatever else is
// new since rests on parts of the agreement that its documents do not have.
const first = "qualification/1"

// Input is everything that a decision may read.
type Input struct {
	Lead *lead.State
	// Logic that decides; empty = this one.
	Logic string
	// Agreement in force at Now; nil = none.
	Agreement *agreement.Agreement
	// Version is its number.
	Version int64
	// Score is the learned score in force; nil = none is. It informs and decides
	// nothing.
	Score *score.Model
	// Now is the recorded time of the decision.
	Now time.Time
}

// Decide answers what is due on a lead: QualificationHeld, LeadQualified,
// LeadNurtured, or nil where nothing is. It depends on its input alone.
func Decide(in Input) proto.Message {
	said := decide(in)
	switch body := said.(type) {
	case *leadv1.LeadQualified:
		body.Purpose = purpose(in)
	case *leadv1.LeadNurtured:
		body.Purpose = purpose(in)
	}
	return said
}

// purpose is what the lead is for, by all that is known of it: also by the latest call
// that reached the person, so that what it found out outlives the decision on it. Empty
// where the agreement has no purposes; documents of before cannot have any, so that
// each logic says by them what it said.
func purpose(in Input) string {
	f := facts(in)
	for _, c := range in.Lead.Calls {
		if c.GetReached() {
			f.Call = c
		}
	}
	return in.Agreement.Purpose(f)
}

func decide(in Input) proto.Message {
	s := in.Lead
	if !s.Open() || s.Historical {
		return nil
	}
	if in.Agreement == nil {
		return hold(s)
	}
	if call := s.UndecidedCall(); call != nil {
		return byCall(in, call)
	}
	switch s.State {
	case leadv1.State_STATE_RECEIVED, leadv1.State_STATE_HELD:
		return arriving(in)
	case leadv1.State_STATE_NURTURING:
		return nurturing(in)
	case leadv1.State_STATE_QUALIFIED:
		if s.Consequence == leadv1.Consequence_CONSEQUENCE_NURTURE {
			return nurture(in, lead.ReasonRejected, &leadv1.Explanation{
				Summary: fmt.Sprintf("Back to marketing: sales rejected it as %q, and the agreement (version %d) sends that reason to nurture.", s.Reason, in.Version),
			})
		}
	}
	return nil
}

// arriving decides a lead that nobody has decided yet.
func arriving(in Input) proto.Message {
	if hot := bySignal(in, in.Lead.Journey); hot != nil {
		return hot
	}
	said := byProfile(in)
	if _, qualified := said.(*leadv1.LeadQualified); !qualified {
		return said
	}
	missing, known, wanted := in.Agreement.Lacks(leadv1.Stage_STAGE_MQL, facts(in))
	if len(missing) == 0 {
		return said
	}
	text := fmt.Sprintf("Held before it becomes %s: the agreement (version %d) wants %d facts to be known, and %d are. Missing: %s. It goes on as soon as they are stated.",
		in.Agreement.StageTitle(leadv1.Stage_STAGE_MQL), in.Version, wanted, known, strings.Join(missing, ", "))
	if in.Lead.State == leadv1.State_STATE_HELD && in.Lead.BlockedText == text {
		return nil
	}
	return &leadv1.QualificationHeld{Rule: RuleRequired, Text: text}
}

// nurturing decides what lifts a lead that is with marketing: a signal that is
// new since then, whatever the reason; new facts, where the profile left it
// behind; or else what its plan wants next. A rejection and a call are undone by
// nothing less than a signal or another call.
func nurturing(in Input) proto.Message {
	s := in.Lead
	if hot := bySignal(in, s.New()); hot != nil {
		return hot
	}
	if Rechecked(s.NurtureReason) {
		said := byProfile(in)
		if lifted, ok := said.(*leadv1.LeadQualified); ok {
			missing, _, _ := in.Agreement.Lacks(leadv1.Stage_STAGE_MQL, facts(in))
			if len(missing) == 0 {
				return lifted
			}
			ex := lifted.GetExplanation()
			ex.Summary = fmt.Sprintf("Stays with marketing: it would be %s, but what the agreement (version %d) wants to be known is missing: %s.", in.Agreement.StageTitle(leadv1.Stage_STAGE_MQL), in.Version, strings.Join(missing, ", "))
			said = nurture(in, s.NurtureReason, ex)
		}
		if again, ok := said.(*leadv1.LeadNurtured); ok && in.Logic != first && !s.RecheckAt.IsZero() && !in.Now.Before(s.RecheckAt) {
			return lookedAgain(again, s)
		}
	}
	return advance(in)
}

// lookedAgain is a lead that was looked at on its date and stays: if for the same
// reason as before, its plan goes on where it was.
func lookedAgain(said *leadv1.LeadNurtured, s *lead.State) *leadv1.LeadNurtured {
	if said.GetReason() != s.NurtureReason {
		return said
	}
	said.NextTouch, said.NextTouchDue = s.NextTouch, nil
	if !s.NextTouchDue.IsZero() {
		said.NextTouchDue = timestamppb.New(s.NextTouchDue)
	}
	return said
}

// Rules by which a lead waits before qualification: for an agreement, and for
// facts that must be known.
const (
	RuleNoAgreement = "no-agreement"
	RuleRequired    = "required-facts"
)

// Rechecked says whether a lead that was left with marketing for a reason is
// decided again on its date and by new facts.
func Rechecked(reason string) bool {
	return reason == lead.ReasonProfile || reason == lead.ReasonPersona || reason == lead.ReasonContentOnly
}

// advance ticks off the touch that the nurture plan wanted, once it was made
// after the lead came to nurture; nil = it was not.
func advance(in Input) proto.Message {
	s := in.Lead
	if s.NextTouch == "" {
		return nil
	}
	made := int32(0)
	plan := in.Agreement.Plan()
	var last time.Time
	for _, t := range s.New() {
		if int(made) < len(plan) && t.Kind == plan[made].Touch {
			made++
			last = t.At
		}
	}
	if made <= s.NurtureMade {
		return nil
	}
	said := &leadv1.NurtureAdvanced{AgreementVersion: in.Version, Touch: plan[made-1].Touch, Made: made}
	if int(made) < len(plan) {
		said.NextTouch, said.NextTouchDue = plan[made].Touch, timestamppb.New(last.Add(plan[made].After))
	}
	return said
}

// facts are what is known of the lead without a call.
func facts(in Input) agreement.Facts { return agreement.FactsOf(in.Lead, in.Now) }

// bySignal promotes a lead at once on a hot signal among the touches: its points
// and its persona do not matter then, its must-haves do. Whoever shows a signal
// wishes to be contacted, even if they once asked for content only. nil = there
// is no signal, or a must-have is missing.
func bySignal(in Input, touches []lead.Arrival) proto.Message {
	f := facts(in)
	f.Touches = touches
	signal, shown, ok := in.Agreement.Signal(f)
	if !ok {
		return nil
	}
	f.Touches = in.Lead.Journey
	if f.Features.GetContactWish() == leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY {
		f.Features = proto.CloneOf(f.Features)
		f.Features.ContactWish = leadv1.ContactWish_CONTACT_WISH_CONTACT
	}
	profile, persona := in.Agreement.Profile(f), in.Agreement.Persona(f)
	for _, c := range profile.Criteria {
		if c.GetMust() && !c.GetMet() {
			return nil
		}
	}
	ex := explained(in, profile, persona)
	ex.Signal = signal.ID
	ex.Criteria = append([]*leadv1.Criterion{shown}, ex.GetCriteria()...)
	ex.Summary = fmt.Sprintf("%s at once: the signal %q was seen, which counts whatever the points are; every must-have holds (%s).",
		in.Agreement.StageTitle(leadv1.Stage_STAGE_MQL), signal.Title, versions(in, profile, persona))
	said := &leadv1.LeadQualified{
		Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: in.Version, ProfileVersion: profile.Version,
		Persona: persona.ID, PersonaVersion: persona.Version, Explanation: ex, Signal: signal.ID,
	}
	if signal.TakeWithin > 0 {
		said.TakeWithin = durationpb.New(signal.TakeWithin)
	}
	return said
}

func explained(in Input, profile agreement.Fit, persona agreement.PersonaFit) *leadv1.Explanation {
	ex := &leadv1.Explanation{Points: profile.Points, PointsNeeded: profile.Needed, Missing: profile.Missing, Score: in.Score.Explain(in.Lead.Features)}
	ex.Criteria = append(append(ex.Criteria, profile.Criteria...), persona.Criteria...)
	if profile.Overlay != "" {
		ex.Overlays = []string{profile.Overlay}
	}
	return ex
}

func versions(in Input, profile agreement.Fit, persona agreement.PersonaFit) string {
	return fmt.Sprintf("agreement version %d, profile %s, personas %s", in.Version, profile.Version, persona.Version)
}

func hold(s *lead.State) proto.Message {
	if s.State != leadv1.State_STATE_RECEIVED {
		return nil
	}
	return &leadv1.QualificationHeld{
		Rule: RuleNoAgreement,
		Text: "No agreement is in force, so nothing says what a qualified lead is. It is kept and decided as soon as both departments have signed one.",
	}
}

// byProfile decides LEAD to MQL: the customer profile and a persona must fit.
func byProfile(in Input) proto.Message {
	f := facts(in)
	profile, persona := in.Agreement.Profile(f), in.Agreement.Persona(f)
	ex, versions := explained(in, profile, persona), versions(in, profile, persona)
	switch {
	case in.Lead.Features.GetContactWish() == leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY:
		ex.Summary = fmt.Sprintf("Stays with marketing: the person asked for content only, not for contact (%s).", versions)
		return nurture(in, lead.ReasonContentOnly, ex)
	case !profile.Met:
		ex.Summary = fmt.Sprintf("Stays with marketing: the customer profile is not met: %s (%s).", shortfall(in, profile), versions)
		return nurture(in, lead.ReasonProfile, ex)
	case !persona.Met:
		ex.Summary = fmt.Sprintf("Stays with marketing: the customer profile is met with %s, but no persona matches (%s).", reached(in, profile), versions)
		return nurture(in, lead.ReasonPersona, ex)
	}
	ex.Summary = fmt.Sprintf("%s: the customer profile is met with %s and the persona %q matches (%s).", in.Agreement.StageTitle(leadv1.Stage_STAGE_MQL), reached(in, profile), persona.Title, versions)
	return &leadv1.LeadQualified{
		Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: in.Version, ProfileVersion: profile.Version,
		Persona: persona.ID, PersonaVersion: persona.Version, Explanation: ex,
	}
}

// byCall decides SAL or SQL, which rest on a call and on nothing else.
func byCall(in Input, call *leadv1.CallRecorded) proto.Message {
	limit := in.Agreement.Horizon()
	stated := call.HorizonMonths != nil
	horizon := "unknown"
	if stated {
		horizon = months(in, call.GetHorizonMonths())
	}
	inside := stated && call.GetHorizonMonths() <= limit
	f := facts(in)
	f.Call = call
	sal, salLines, salMissing := in.Agreement.CallCriteria(leadv1.Stage_STAGE_SAL, f)
	sql, sqlLines, sqlMissing := in.Agreement.CallCriteria(leadv1.Stage_STAGE_SQL, f)
	ex := &leadv1.Explanation{QuestionnaireVersion: call.GetQuestionnaireVersion(), Criteria: []*leadv1.Criterion{
		{Id: "call", Text: "A call by somebody who holds the qualifier role reached the person", Must: true, Met: true, Values: []*leadv1.NamedValue{{Name: "call.member", Value: call.GetMember()}}},
		{Id: "fit", Text: "The customer profile was confirmed in the call", Must: true, Met: call.GetFitConfirmed(), Values: []*leadv1.NamedValue{{Name: "call.fit_confirmed", Value: yes(call.GetFitConfirmed())}}, Question: deciding(in, call, agreement.DecidesFit)},
	}}
	ex.Criteria = append(ex.Criteria, salLines...)
	ex.Criteria = append(ex.Criteria, &leadv1.Criterion{Id: "horizon", Text: fmt.Sprintf("The person wants to buy within %d months", limit), Condition: fmt.Sprintf("call.horizon_months <= %d", limit), Met: inside, Values: []*leadv1.NamedValue{{Name: "call.horizon_months", Value: horizon}}, Question: deciding(in, call, agreement.DecidesHorizon)})
	ex.Criteria = append(ex.Criteria, sqlLines...)
	switch {
	case in.Logic != first && in.Lead.Features.GetContactWish() == leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY && in.Lead.Stage < leadv1.Stage_STAGE_MQL:
		ex.Summary = fmt.Sprintf("Stays with marketing: the person asked for content only and has shown no signal since, so a call alone does not make it %s (agreement version %d).", in.Agreement.StageTitle(leadv1.Stage_STAGE_SAL), in.Version)
		return afterCall(in, call, lead.ReasonContentOnly, ex)
	case !call.GetFitConfirmed():
		ex.Summary = fmt.Sprintf("Back to marketing: the call did not confirm the customer profile (agreement version %d).", in.Version)
		return afterCall(in, call, lead.ReasonCall, ex)
	case !sal:
		ex.Summary = fmt.Sprintf("Back to marketing: the call confirmed the profile, but not what the agreement (version %d) wants for %s: %s.", in.Version, in.Agreement.StageTitle(leadv1.Stage_STAGE_SAL), unmet(salLines))
		ex.Missing = salMissing
		return afterCall(in, call, lead.ReasonCall, ex)
	}
	stage := leadv1.Stage_STAGE_SAL
	switch {
	case inside && sql:
		stage = leadv1.Stage_STAGE_SQL
		ex.Summary = fmt.Sprintf("%s: the call confirmed the profile and a horizon of %s, inside the agreed %d months (agreement version %d).", in.Agreement.StageTitle(stage), horizon, limit, in.Version)
	case inside:
		ex.Summary = fmt.Sprintf("%s: the call confirmed the profile and a horizon of %s, but not what the agreement (version %d) wants for %s: %s.", in.Agreement.StageTitle(stage), horizon, in.Version, in.Agreement.StageTitle(leadv1.Stage_STAGE_SQL), unmet(sqlLines))
		ex.Missing = sqlMissing
	case stated:
		ex.Summary = fmt.Sprintf("%s: the call confirmed the profile, but the horizon of %s lies beyond the agreed %d months (agreement version %d).", in.Agreement.StageTitle(stage), horizon, limit, in.Version)
	default:
		ex.Summary = fmt.Sprintf("%s: the call confirmed the profile, and no horizon was stated (agreement version %d).", in.Agreement.StageTitle(stage), in.Version)
		ex.Missing = []string{"the horizon in months"}
	}
	return &leadv1.LeadQualified{Stage: stage, AgreementVersion: in.Version, CallId: call.GetCallId(), Explanation: ex}
}

// months is a horizon in words, as each logic says it.
func months(in Input, n int64) string {
	if n == 1 && in.Logic != first {
		return "1 month"
	}
	return fmt.Sprintf("%d months", n)
}

// deciding is the question of the call's questionnaire that settles the fit or
// the horizon; empty = none does.
func deciding(in Input, call *leadv1.CallRecorded, what string) string {
	if call.GetQuestionnaireVersion() == "" {
		return ""
	}
	sheet, _ := in.Agreement.Questionnaire(call.GetStage())
	for _, q := range sheet.Questions {
		if q.Decides == what {
			return q.ID
		}
	}
	return ""
}

// unmet names the criteria that do not hold.
func unmet(lines []*leadv1.Criterion) string {
	var out []string
	for _, c := range lines {
		if !c.GetMet() {
			out = append(out, strings.TrimSuffix(c.GetText(), "."))
		}
	}
	return strings.Join(out, "; ")
}

// afterCall leaves a lead with marketing because of a call, which is decided by it.
func afterCall(in Input, call *leadv1.CallRecorded, reason string, ex *leadv1.Explanation) proto.Message {
	said := nurture(in, reason, ex).(*leadv1.LeadNurtured)
	if in.Logic != first {
		said.CallId = call.GetCallId()
	}
	return said
}

// nurture leaves the lead with marketing, with the whole plan before it.
func nurture(in Input, reason string, ex *leadv1.Explanation) proto.Message {
	said := &leadv1.LeadNurtured{
		AgreementVersion: in.Version, Reason: reason, Explanation: ex,
		RecheckAt: timestamppb.New(in.Now.Add(in.Agreement.RecheckAfter())),
	}
	if plan := in.Agreement.Plan(); len(plan) > 0 {
		said.NextTouch, said.NextTouchDue = plan[0].Touch, timestamppb.New(in.Now.Add(plan[0].After))
	}
	return said
}

// reached is how many points there are and how many it takes, as each logic says it.
func reached(in Input, f agreement.Fit) string {
	if in.Logic == first || in.Logic == second || f.Points < f.Needed {
		return fmt.Sprintf("%d of the %d points needed", f.Points, f.Needed)
	}
	if f.Points == 1 {
		return fmt.Sprintf("1 point (%d needed)", f.Needed)
	}
	return fmt.Sprintf("%d points (%d needed)", f.Points, f.Needed)
}

// shortfall names what a profile lacks, must-haves first.
func shortfall(in Input, f agreement.Fit) string {
	var musts []string
	for _, c := range f.Criteria {
		if c.GetMust() && !c.GetMet() {
			musts = append(musts, strings.TrimSuffix(c.GetText(), "."))
		}
	}
	if len(musts) > 0 {
		return "a must-have is missing: " + strings.Join(musts, "; ")
	}
	return reached(in, f)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
