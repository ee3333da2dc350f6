package qualification

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// VersionOf looks into a fold of agreements as the log stands.
func VersionOf(f *ledger.Follower, register *agreement.Register) func(number int64) *agreement.Version {
	return func(number int64) (version *agreement.Version) {
		f.View(func(*ledger.View) { version = register.Version(number) })
		return version
	}
}

// againMost bounds the decisions of one lead that are made again to explain them:
// the latest.
const againMost = 20

// Explain lists the qualification decisions on a lead, in the order in which they
// were made, the latest with the smallest change that would have led elsewhere.
func (s *Server) Explain(ctx context.Context, req *qualificationv1.ExplainRequest) (*qualificationv1.ExplainResponse, error) {
	events, err := s.Log.History(ctx, lead.SubjectOf(req.GetLeadId()))
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
	}
	out := &qualificationv1.ExplainResponse{}
	var again []func()
	state := &lead.State{ID: req.GetLeadId()}
	for _, e := range events {
		if d := decisionOf(e); d != nil {
			if version := s.version(d.GetAgreementVersion(), e); version != nil {
				d.Accountable = accountable(version.Agreement, d)
				inWords(version.Agreement, d)
				before := state.Clone()
				again = append(again, func() { d.SmallestChange = smallest(version, before, e) })
			}
			out.Decisions = append(out.Decisions, d)
		}
		state.Evolve(e.Body, e.Occurred, e.Recorded)
	}
	for _, decide := range again[max(0, len(again)-againMost):] {
		decide()
	}
	return out, nil
}

// version is the agreement that an event was decided by; nil = it is not known.
func (s *Server) version(number int64, e *ledger.Event) *agreement.Version {
	if s.Version == nil {
		return nil
	}
	if number == 0 {
		number = e.Agreement
	}
	if version := s.Version(number); version != nil && version.Agreement != nil {
		return version
	}
	return nil
}

// decisionOf is what an event decided; nil = it decided nothing of ours.
func decisionOf(e *ledger.Event) *qualificationv1.Decision {
	d := &qualificationv1.Decision{Type: e.Type, RecordedAt: timestamppb.New(e.Recorded), LogicVersion: e.Logic, Sequence: e.Seq, Hash: e.Hash[:]}
	switch body := e.Body.(type) {
	case *leadv1.QualificationHeld:
		d.AgreementVersion, d.Explanation = e.Agreement, &leadv1.Explanation{Summary: body.GetText()}
	case *leadv1.LeadQualified:
		d.Stage, d.AgreementVersion, d.Explanation = body.GetStage(), body.GetAgreementVersion(), body.GetExplanation()
		d.ProfileVersion, d.Persona, d.PersonaVersion = body.GetProfileVersion(), body.GetPersona(), body.GetPersonaVersion()
		d.Purpose = body.GetPurpose()
	case *leadv1.LeadNurtured:
		d.AgreementVersion, d.Explanation, d.Purpose = body.GetAgreementVersion(), body.GetExplanation(), body.GetPurpose()
	case *leadv1.NurtureAdvanced:
		d.AgreementVersion, d.Explanation = body.GetAgreementVersion(), &leadv1.Explanation{Summary: fmt.Sprintf("Touch %d of the nurture plan was made: %s.", body.GetMade(), body.GetTouch())}
	default:
		return nil
	}
	return d
}

// inWords says the conditions of a decision in words, and what its agreement calls
// the stage.
func inWords(a *agreement.Agreement, d *qualificationv1.Decision) {
	if d.GetStage() != leadv1.Stage_STAGE_UNSPECIFIED {
		d.StageTitle = a.StageTitle(d.GetStage())
	}
	d.Plain = map[string]string{}
	for _, c := range d.GetExplanation().GetCriteria() {
		if text, ok := a.Plain(c.GetCondition()); ok {
			d.Plain[c.GetCondition()] = text
		}
	}
}

// accountable is who answers for the lead from that decision on.
func accountable(a *agreement.Agreement, d *qualificationv1.Decision) string {
	if d.GetStage() == leadv1.Stage_STAGE_UNSPECIFIED {
		return a.NurtureOwner()
	}
	stage, _ := a.Stage(d.GetStage())
	return stage.Owner
}

// smallest finds what would have had to be different for another outcome, by
// deciding again on the lead as it stood; nil = there is nothing to tell.
func smallest(version *agreement.Version, before *lead.State, e *ledger.Event) *qualificationv1.SmallestChange {
	switch e.Body.(type) {
	case *leadv1.LeadQualified, *leadv1.LeadNurtured:
	case *leadv1.QualificationHeld:
		if e.Agreement == 0 {
			return nil
		}
	default:
		return nil
	}
	if before.State == leadv1.State_STATE_QUALIFIED && before.UndecidedCall() == nil {
		// Sales sent it back: no fact of the lead would have changed that.
		return nil
	}
	in := Input{Lead: before, Logic: e.Logic, Agreement: version.Agreement, Version: version.Number, Now: e.Recorded}
	f, reads := facts(in), agreement.ReadsProfile
	if call := before.UndecidedCall(); call != nil {
		f.Call, reads = call, agreement.ReadsCall
	}
	a := version.Agreement
	again := func(f agreement.Facts) proto.Message { return Decide(in.assuming(f)) }
	found := a.Smallest(reads, f, func(f agreement.Facts) string { return outcome(again(f), a) })
	// Of two that are as small, what would have led on tells more than what would
	// have led back.
	own := again(f)
	on := a.Smallest(reads, f, func(f agreement.Facts) string {
		if said := again(f); rank(said) > rank(own) {
			return outcome(said, a)
		}
		return outcome(own, a)
	})
	if len(on.Changes) > 0 && len(on.Changes) <= len(found.Changes) {
		found = on
	}
	out := &qualificationv1.SmallestChange{Outcome: found.Outcome, Sure: found.Sure}
	for _, c := range found.Changes {
		out.Changes = append(out.Changes, &qualificationv1.FactChange{Name: c.Name, From: c.From, To: c.To})
	}
	switch {
	case len(found.Changes) == 0:
		out.Text = "What would have led elsewhere: " + found.Words() + "."
	case found.Outcome == heldBack || found.Outcome == leftThere:
		out.Text = fmt.Sprintf("It would have been %s %s.", found.Outcome, found.Words())
	default:
		out.Text = fmt.Sprintf("It would have come to the stage %s %s.", found.Outcome, found.Words())
	}
	return out
}

// assuming is the input with other facts about the lead. Touches that are added
// count as new.
func (in Input) assuming(f agreement.Facts) Input {
	s := in.Lead.Clone()
	s.Features = f.Features
	s.Came += int64(len(f.Touches) - len(s.Journey))
	s.Came = max(s.Came, s.CameBefore)
	s.Journey = f.Touches
	if call := s.UndecidedCall(); call != nil && f.Call != nil {
		s.Calls = slices.Clone(s.Calls)
		s.Calls[slices.Index(s.Calls, call)] = f.Call
	}
	in.Lead = s
	return in
}

// rank orders outcomes by how far a lead gets.
func rank(said proto.Message) int {
	switch body := said.(type) {
	case *leadv1.LeadQualified:
		return int(body.GetStage())
	case *leadv1.QualificationHeld:
		return int(leadv1.Stage_STAGE_LEAD)
	}
	return 0
}

// Outcomes that are no stage.
const (
	heldBack  = "held for missing facts"
	leftThere = "left with marketing"
)

// outcome is a decision in one word or the stage's own title.
func outcome(said proto.Message, a *agreement.Agreement) string {
	switch body := said.(type) {
	case *leadv1.LeadQualified:
		return a.StageTitle(body.GetStage())
	case *leadv1.QualificationHeld:
		return heldBack
	}
	return leftThere
}
