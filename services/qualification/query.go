package qualification

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// Sealer seals free text under a key of its own.
type Sealer interface {
	Seal(ctx context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error)
	MAC(purpose string, parts ...[]byte) []byte
}

// Desk carries commands out.
type Desk interface {
	Do(ctx context.Context, item *ledger.Item) (uint64, error)
}

// History answers a subject's events.
type History interface {
	History(ctx context.Context, subject string) ([]*ledger.Event, error)
}

// Server answers baton.qualification.v1.QualificationService.
type Server struct {
	qualificationv1.UnimplementedQualificationServiceServer
	Desk  Desk
	Log   History
	Seals Sealer
	Clock clock.Clock
	// Standing says what a preview decides by; nil = nothing is in force.
	Standing Standing
	// Records are what a trial reads; nil = nothing can be tried.
	Records Records
	trying  sync.Mutex
}

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

// Explain lists the qualification decisions on a lead.
func (s *Server) Explain(ctx context.Context, req *qualificationv1.ExplainRequest) (*qualificationv1.ExplainResponse, error) {
	events, err := s.Log.History(ctx, lead.SubjectOf(req.GetLeadId()))
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
	}
	out := &qualificationv1.ExplainResponse{}
	for _, e := range events {
		d := &qualificationv1.Decision{Type: e.Type, RecordedAt: timestamppb.New(e.Recorded), LogicVersion: e.Logic, Sequence: e.Seq}
		switch body := e.Body.(type) {
		case *leadv1.QualificationHeld:
			d.Explanation = &leadv1.Explanation{Summary: body.GetText()}
		case *leadv1.LeadQualified:
			d.Stage, d.AgreementVersion, d.Explanation = body.GetStage(), body.GetAgreementVersion(), body.GetExplanation()
			d.ProfileVersion, d.Persona, d.PersonaVersion = body.GetProfileVersion(), body.GetPersona(), body.GetPersonaVersion()
		case *leadv1.LeadNurtured:
			d.AgreementVersion, d.Explanation = body.GetAgreementVersion(), body.GetExplanation()
		case *leadv1.NurtureAdvanced:
			d.AgreementVersion, d.Explanation = body.GetAgreementVersion(), &leadv1.Explanation{Summary: fmt.Sprintf("Touch %d of the nurture plan was made: %s.", body.GetMade(), body.GetTouch())}
		default:
			continue
		}
		out.Decisions = append(out.Decisions, d)
	}
	return out, nil
}
