package feedback

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// evidence is a lead as it was when it was handed over, by the sequence of that offer,
// and what was done with it after. Nothing that is recorded later changes the first part.
func evidence(leadID string, events []*ledger.Event, handoffSeq uint64) (*feedbackv1.DisputeEvidence, error) {
	s := &lead.State{ID: leadID}
	out := &feedbackv1.DisputeEvidence{}
	var offer *leadv1.LeadOffered
	var first time.Time
	for _, e := range events {
		if e.Seq <= handoffSeq {
			s.Evolve(e.Body, e.Occurred, e.Recorded)
			switch b := e.Body.(type) {
			case *leadv1.LeadQualified:
				out.AgreementVersion = b.GetAgreementVersion()
			case *leadv1.LeadOffered:
				if e.Seq == handoffSeq {
					offer, out.HandedAt = b, timestamppb.New(e.Occurred)
				}
			}
			continue
		}
		switch b := e.Body.(type) {
		case *leadv1.OutcomeRecorded, *leadv1.CallRecorded:
			if touch(b) && !e.Occurred.Before(out.GetHandedAt().AsTime()) {
				if out.Touches++; first.IsZero() || e.Occurred.Before(first) {
					first = e.Occurred
				}
			}
		case *leadv1.OfferRejected:
			if b.GetOffer() == offer.GetOffer() {
				out.Reason = b.GetReason()
			}
		}
	}
	if offer == nil {
		return nil, fault.New(fault.Corrupt, "lead %s has no offer at event %d of the log, which a case names", leadID, handoffSeq)
	}
	if !first.IsZero() {
		out.FirstTouchAt = timestamppb.New(first)
	}
	out.Stage, out.Explanation, out.Features = s.Stage, s.Explanation, s.Features
	out.Pool, out.Member = offer.GetPool(), offer.GetMember()
	if n := len(s.Calls); n > 0 {
		out.QuestionnaireVersion = s.Calls[n-1].GetQuestionnaireVersion()
	}
	text, err := takenDown(out)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	out.Digest = sum[:]
	return out, nil
}

// touch says whether an event is a touch of sales.
func touch(body proto.Message) bool {
	switch b := body.(type) {
	case *leadv1.CallRecorded:
		return true
	case *leadv1.OutcomeRecorded:
		return b.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_TOUCH
	}
	return false
}

// takenDown is the canonical text of a lead as it was handed over: five lines, the last
// two as JSON exactly as a replay prints them, so that whoever has one can make it.
func takenDown(e *feedbackv1.DisputeEvidence) ([]byte, error) {
	features, err := compactJSON(e.GetFeatures())
	if err != nil {
		return nil, err
	}
	explanation, err := compactJSON(e.GetExplanation())
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "stage: %s\npool: %s\nmember: %s\nfeatures: %s\nexplanation: %s\n", lead.StageWord(e.GetStage()), e.GetPool(), e.GetMember(), features, explanation), nil
}

// compactJSON writes a message as JSON, with what is empty; absent is null. The same
// message is the same text: the spaces that protojson varies on purpose are taken out.
func compactJSON(m proto.Message) ([]byte, error) {
	if !m.ProtoReflect().IsValid() {
		return []byte("null"), nil
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "evidence cannot be written as JSON: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, fault.New(fault.Corrupt, "evidence cannot be written as JSON: %w", err)
	}
	return out.Bytes(), nil
}
