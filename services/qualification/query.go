package qualification

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
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
