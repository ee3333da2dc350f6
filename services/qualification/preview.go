package qualification

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Standing answers which agreement is in force, and when that was looked at.
type Standing func() (now time.Time, version *agreement.Version)

// InForce looks into a fold of agreements as the log stands.
func InForce(f *ledger.Follower, register *agreement.Register) Standing {
	return func() (now time.Time, version *agreement.Version) {
		f.View(func(v *ledger.View) { now, version = v.Now, register.InForce(v.Now) })
		return now, version
	}
}

// Preview says how leads with these features would qualify now. It decides as
// the service does, on leads that were just received, and records nothing.
func (s *Server) Preview(_ context.Context, req *qualificationv1.PreviewRequest) (*qualificationv1.PreviewResponse, error) {
	in := Input{}
	if s.Standing != nil {
		now, version := s.Standing()
		in.Now = now
		if version != nil {
			in.Agreement, in.Version = version.Agreement, version.Number
		}
	}
	out := &qualificationv1.PreviewResponse{AgreementVersion: in.Version}
	for _, features := range req.GetFeatures() {
		in.Lead = &lead.State{ID: "preview", State: leadv1.State_STATE_RECEIVED, Features: features}
		out.Results = append(out.Results, previewed(Decide(in)))
	}
	return out, nil
}

func previewed(said proto.Message) *qualificationv1.Previewed {
	switch body := said.(type) {
	case *leadv1.LeadQualified:
		return &qualificationv1.Previewed{Outcome: "mql", Explanation: body.GetExplanation(), Purpose: body.GetPurpose()}
	case *leadv1.LeadNurtured:
		return &qualificationv1.Previewed{Outcome: "nurturing", Explanation: body.GetExplanation(), Purpose: body.GetPurpose()}
	case *leadv1.QualificationHeld:
		return &qualificationv1.Previewed{Outcome: "held", Explanation: &leadv1.Explanation{Summary: body.GetText()}}
	}
	return &qualificationv1.Previewed{}
}
