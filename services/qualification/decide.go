package qualification

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// Logic names this version of the deciding code. A change of behaviour is a
// new name; the old one stays runnable.
const Logic = "qualification/1"

// Input is everything that a decision may read.
type Input struct {
	Lead *lead.State
	// Agreement in force at Now; nil = none.
	Agreement *agreement.Agreement
	// Version is its number.
	Version int64
	// Now is the recorded time of the decision.
	Now time.Time
}

// Decide answers what is due on a lead: QualificationHeld, LeadQualified,
// LeadNurtured, or nil where nothing is. It depends on its input alone.
func Decide(in Input) proto.Message {
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
		return byProfile(in)
	case leadv1.State_STATE_NURTURING:
		// New facts may lift a lead that the profile left behind; a call or a
		// rejection is only undone by another call.
		if s.NurtureReason == lead.ReasonProfile || s.NurtureReason == lead.ReasonPersona || s.NurtureReason == lead.ReasonContentOnly {
			if lifted, ok := byProfile(in).(*leadv1.LeadQualified); ok {
				return lifted
			}
		}
	case leadv1.State_STATE_QUALIFIED:
		if s.Consequence == leadv1.Consequence_CONSEQUENCE_NURTURE {
			return nurture(in, lead.ReasonRejected, &leadv1.Explanation{
				Summary: fmt.Sprintf("Back to marketing: sales rejected it as %q, and the agreement (version %d) sends that reason to nurture.", s.Reason, in.Version),
			})
		}
	}
	return nil
}

func hold(s *lead.State) proto.Message {
	if s.State != leadv1.State_STATE_RECEIVED {
		return nil
	}
	return &leadv1.QualificationHeld{
		Rule: "no-agreement",
		Text: "No agreement is in force, so nothing says what a qualified lead is. It is kept and decided as soon as both departments have signed one.",
	}
}

// byProfile decides LEAD to MQL: the customer profile and a persona must fit.
func byProfile(in Input) proto.Message {
	facts := agreement.Facts{Features: in.Lead.Features}
	profile, persona := in.Agreement.Profile(facts), in.Agreement.Persona(facts)
	ex := &leadv1.Explanation{Points: profile.Points, PointsNeeded: profile.Needed, Missing: profile.Missing}
	ex.Criteria = append(append(ex.Criteria, profile.Criteria...), persona.Criteria...)
	versions := fmt.Sprintf("agreement version %d, profile %s, personas %s", in.Version, profile.Version, persona.Version)
	switch {
	case in.Lead.Features.GetContactWish() == leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY:
		ex.Summary = fmt.Sprintf("Stays with marketing: the person asked for content only, not for contact (%s).", versions)
		return nurture(in, lead.ReasonContentOnly, ex)
	case !profile.Met:
		ex.Summary = fmt.Sprintf("Stays with marketing: the customer profile is not met: %s (%s).", shortfall(profile), versions)
		return nurture(in, lead.ReasonProfile, ex)
	case !persona.Met:
		ex.Summary = fmt.Sprintf("Stays with marketing: the customer profile is met with %s, but no persona matches (%s).", score(profile), versions)
		return nurture(in, lead.ReasonPersona, ex)
	}
	ex.Summary = fmt.Sprintf("%s: the customer profile is met with %s and the persona %q matches (%s).", in.Agreement.StageTitle(leadv1.Stage_STAGE_MQL), score(profile), persona.Title, versions)
	return &leadv1.LeadQualified{
		Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: in.Version, ProfileVersion: profile.Version,
		Persona: persona.ID, PersonaVersion: persona.Version, Explanation: ex,
	}
}

// byCall decides SAL or SQL, which rest on a call and on nothing else.
func byCall(in Input, call *leadv1.CallRecorded) proto.Message {
	limit := in.Agreement.Horizon()
	stated := call.HorizonMonths != nil
	inside := stated && call.GetHorizonMonths() <= limit
	horizon := "unknown"
	if stated {
		horizon = fmt.Sprintf("%d months", call.GetHorizonMonths())
	}
	ex := &leadv1.Explanation{Criteria: []*leadv1.Criterion{
		{Id: "call", Text: "A call by somebody who holds the qualifier role reached the person", Must: true, Met: true, Values: []*leadv1.NamedValue{{Name: "call.member", Value: call.GetMember()}}},
		{Id: "fit", Text: "The customer profile was confirmed in the call", Must: true, Met: call.GetFitConfirmed(), Values: []*leadv1.NamedValue{{Name: "call.fit_confirmed", Value: yes(call.GetFitConfirmed())}}},
		{Id: "horizon", Text: fmt.Sprintf("The person wants to buy within %d months", limit), Condition: fmt.Sprintf("call.horizon_months <= %d", limit), Met: inside, Values: []*leadv1.NamedValue{{Name: "call.horizon_months", Value: horizon}}},
	}}
	if !call.GetFitConfirmed() {
		ex.Summary = fmt.Sprintf("Back to marketing: the call did not confirm the customer profile (agreement version %d).", in.Version)
		return nurture(in, lead.ReasonCall, ex)
	}
	stage := leadv1.Stage_STAGE_SAL
	switch {
	case inside:
		stage = leadv1.Stage_STAGE_SQL
		ex.Summary = fmt.Sprintf("%s: the call confirmed the profile and a horizon of %s, inside the agreed %d months (agreement version %d).", in.Agreement.StageTitle(stage), horizon, limit, in.Version)
	case stated:
		ex.Summary = fmt.Sprintf("%s: the call confirmed the profile, but the horizon of %s lies beyond the agreed %d months (agreement version %d).", in.Agreement.StageTitle(stage), horizon, limit, in.Version)
	default:
		ex.Summary = fmt.Sprintf("%s: the call confirmed the profile, and no horizon was stated (agreement version %d).", in.Agreement.StageTitle(stage), in.Version)
		ex.Missing = []string{"the horizon in months"}
	}
	return &leadv1.LeadQualified{Stage: stage, AgreementVersion: in.Version, CallId: call.GetCallId(), Explanation: ex}
}

func nurture(in Input, reason string, ex *leadv1.Explanation) proto.Message {
	return &leadv1.LeadNurtured{
		AgreementVersion: in.Version, Reason: reason, Explanation: ex,
		RecheckAt: timestamppb.New(in.Now.Add(in.Agreement.RecheckAfter())),
	}
}

func score(f agreement.Fit) string {
	return fmt.Sprintf("%d of the %d points needed", f.Points, f.Needed)
}

// shortfall names what a profile lacks, must-haves first.
func shortfall(f agreement.Fit) string {
	var musts []string
	for _, c := range f.Criteria {
		if c.GetMust() && !c.GetMet() {
			musts = append(musts, strings.TrimSuffix(c.GetText(), "."))
		}
	}
	if len(musts) > 0 {
		return "a must-have is missing: " + strings.Join(musts, "; ")
	}
	return score(f)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
