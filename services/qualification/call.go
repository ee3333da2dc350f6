package qualification

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

type recordCall struct {
	body     *leadv1.CallRecorded
	occurred *timestamppb.Timestamp
}

// RecordCall records a call; the decision follows from it.
func (s *Server) RecordCall(ctx context.Context, req *qualificationv1.RecordCallRequest) (*qualificationv1.RecordCallResponse, error) {
	actor, _ := access.From(ctx)
	if at := req.GetOccurredAt(); at != nil && at.AsTime().After(s.Clock.Now()) {
		return nil, fault.New(fault.Invalid, "occurred_at lies in the future; a call is recorded after it took place")
	}
	id := lead.ID("c", s.Seals.MAC("call", []byte(req.GetLeadId()), []byte(actor.Handle), []byte(req.GetIdempotencyKey())))
	body := &leadv1.CallRecorded{
		CallId: id, Member: actor.Handle, Qualifier: actor.Has("qualifier"), Reached: req.GetReached(),
		FitConfirmed: req.GetFitConfirmed(), HorizonMonths: req.HorizonMonths, Answers: req.GetAnswers(),
	}
	if req.GetNote() != "" {
		note, err := s.Seals.Seal(ctx, "call-"+id, []byte(req.GetNote()), []byte(req.GetLeadId()))
		if err != nil {
			return nil, err
		}
		body.Note = note
	}
	item := &ledger.Item{
		Lead: req.GetLeadId(), Actor: actor.Handle, Cause: lead.CommandPrefix + "call:" + id,
		Command: &recordCall{body, req.GetOccurredAt()}, Trace: telemetry.Inject(ctx),
	}
	seq, err := s.Desk.Do(ctx, item)
	if err != nil {
		return nil, err
	}
	return &qualificationv1.RecordCallResponse{CallId: id, Sequence: seq}, nil
}

// command looks at a command and the lead as it stands.
func (q *Qualification) command(s *lead.State, item *ledger.Item, now time.Time) (ledger.Draft, bool) {
	cmd, ok := item.Command.(*recordCall)
	if !ok {
		item.Err = fault.New(fault.Invalid, "qualification does not know this command")
		return ledger.Draft{}, false
	}
	if seq, done := s.Done(item.Cause); done {
		item.Answer(seq)
		return ledger.Draft{}, false
	}
	if s.ID == "" {
		item.Err = fault.New(fault.NotFound, "there is no lead %s", item.Lead)
		return ledger.Draft{}, false
	}
	if !s.Open() {
		item.Err = fault.New(fault.State, "the lead is %s; a call cannot change that", lead.StateWord(s.State))
		return ledger.Draft{}, false
	}
	body := proto.CloneOf(cmd.body)
	if err := q.asked(body, s.Stage, now); err != nil {
		item.Err = err
		return ledger.Draft{}, false
	}
	d := ledger.Draft{Subject: lead.SubjectOf(item.Lead), Body: body, Cause: item.Cause, Correlation: item.Lead, Actor: item.Actor, TraceParent: item.Trace}
	if cmd.occurred != nil {
		d.Occurred = cmd.occurred.AsTime()
	}
	return d, true
}

// asked holds a call against the questionnaire of the lead's stage, and takes from
// its answers what they decide: the fit and the horizon.
func (q *Qualification) asked(call *leadv1.CallRecorded, stage leadv1.Stage, now time.Time) error {
	call.Stage = stage
	version := q.register.InForce(now)
	if version == nil {
		return nil
	}
	sheet, ok := version.Agreement.Questionnaire(stage)
	if !ok {
		return nil
	}
	call.QuestionnaireVersion = sheet.Version
	for _, question := range sheet.Questions {
		answer, given := call.GetAnswers()[question.ID]
		if !given {
			continue
		}
		if err := question.Accepts(answer); err != nil {
			return fault.New(fault.Invalid, "answers[%q]: %w", question.ID, err)
		}
		switch question.Decides {
		case agreement.DecidesFit:
			// A flag that is not set cannot be told from one that says no: the answer
			// may add to it, not take from it.
			if call.GetFitConfirmed() && !answer.GetFlag() {
				return fault.New(fault.Invalid, "fit_confirmed and answers[%q] contradict each other; that question decides the fit", question.ID)
			}
			call.FitConfirmed = answer.GetFlag()
		case agreement.DecidesHorizon:
			months := answer.GetNumber()
			if call.HorizonMonths != nil && call.GetHorizonMonths() != months {
				return fault.New(fault.Invalid, "horizon_months says %d and answers[%q] says %d; that question decides the horizon", call.GetHorizonMonths(), question.ID, months)
			}
			if months < 0 || months > 240 {
				return fault.New(fault.Invalid, "answers[%q]: %d months; a number from 0 to 240 is expected", question.ID, months)
			}
			call.HorizonMonths = &months
		}
	}
	for _, id := range slices.Sorted(maps.Keys(call.GetAnswers())) {
		if !slices.ContainsFunc(sheet.Questions, func(q agreement.Question) bool { return q.ID == id }) {
			return fault.New(fault.Invalid, "answers[%q]: version %s of the questionnaire for %s does not ask that", id, sheet.Version, version.Agreement.StageTitle(stage))
		}
	}
	return nil
}

// GetQuestionnaire says what is to be asked in a call about a lead now.
func (s *Server) GetQuestionnaire(ctx context.Context, req *qualificationv1.GetQuestionnaireRequest) (*qualificationv1.Questionnaire, error) {
	events, err := s.Log.History(ctx, lead.SubjectOf(req.GetLeadId()))
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
	}
	state := &lead.State{ID: req.GetLeadId()}
	for _, e := range events {
		state.Evolve(e.Body, e.Occurred, e.Recorded)
	}
	out := &qualificationv1.Questionnaire{Stage: state.Stage}
	if s.Standing == nil {
		return out, nil
	}
	_, version := s.Standing()
	if version == nil {
		return out, nil
	}
	a := version.Agreement
	out.AgreementVersion, out.StageTitle, out.HorizonMonths = version.Number, a.StageTitle(state.Stage), a.Horizon()
	sheet, ok := a.Questionnaire(state.Stage)
	if !ok {
		return out, nil
	}
	out.Version, out.Text = sheet.Version, sheet.Text
	for _, q := range sheet.Questions {
		out.Questions = append(out.Questions, &qualificationv1.Question{Id: q.ID, Text: q.Text, Type: q.Type, Values: q.Values, Unit: q.Unit, Scale: q.Scale, Decides: q.Decides})
	}
	return out, nil
}
