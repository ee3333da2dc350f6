package feedback

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Outcomes takes what became of leads: the FeedbackService.
type Outcomes struct {
	feedbackv1.UnimplementedFeedbackServiceServer
	log    Log
	writer Writer
	seal   Sealer
	clock  clock.Clock
	// batch and waiting are what imports need; nil = none are taken.
	batch   Batch
	waiting *Waiting
	// targets keeps the quarters; nil = nobody does here.
	targets *Targets
	// settling is what disputes need; nil = none are settled here.
	settling *Settling
	// evidence is what named evidence is opened by; nil = none is here.
	evidence *Evidence
	// checking is what checks are listed and closed by; nil = none are kept here.
	checking *Checking
	// InForce answers the version of the agreement in force at an instant, or nil; where
	// it is nil itself, none ever is.
	InForce func(at time.Time) *agreement.Version
	// Open opens the personal data of a lead, which no phrase may hold a word of.
	Open Opener
	// Given is the fold of what was said.
	Given *Given
}

// Opener opens the personal data of a lead; fault.NotFound once it is erased.
type Opener func(ctx context.Context, leadID string, sealed *leadv1.Sealed) (*leadv1.PersonalData, error)

// rules are those in force at an instant: version 0 without an agreement where none is.
func (o *Outcomes) rules(at time.Time) *agreement.Version {
	if o.InForce != nil {
		if v := o.InForce(at); v != nil {
			return v
		}
	}
	return &agreement.Version{}
}

// NewOutcomes makes the FeedbackService.
func NewOutcomes(log Log, writer Writer, seal Sealer, c clock.Clock) *Outcomes {
	return &Outcomes{log: log, writer: writer, seal: seal, clock: c}
}

// causePrefix marks a cause that is a caller's idempotency key. The id of an
// event follows from its cause, so a repeat has the same.
const causePrefix = "cmd:"

// RecordOutcome records a touch, progress, a won or a lost deal. A repeat under
// the same idempotency key is answered as the first was.
func (o *Outcomes) RecordOutcome(ctx context.Context, req *feedbackv1.RecordOutcomeRequest) (*feedbackv1.RecordOutcomeResponse, error) {
	actor, ok := access.From(ctx)
	if !ok {
		return nil, fault.New(fault.Unauthenticated, "an outcome is recorded by somebody: sign in")
	}
	if req.GetIdempotencyKey() == "" {
		return nil, fault.New(fault.Invalid, "idempotency_key: name one, so that a repeat of this call is harmless")
	}
	if !lead.Safe(req.GetLeadId()) {
		return nil, fault.New(fault.NotFound, "there is no such lead: an id has lower-case letters, digits and hyphens only")
	}
	if said, err := o.said(ctx, req, actor); said != nil || err != nil {
		return said, err
	}
	note, err := o.note(ctx, req)
	if err != nil {
		return nil, err
	}
	rules := o.rules(o.clock.Now())
	seq, err := o.writer.Say(ctx, func(s *lead.State, _ uint64) ([]ledger.Draft, error) {
		now := o.clock.Now()
		bodies, err := DecideOutcome(s, req, actor, now, rules.Agreement, note)
		if err != nil {
			return nil, err
		}
		return drafts(req, actor, bodies), nil
	}, req.GetLeadId())
	if err != nil {
		// The same call may have been under way twice, or have gone through
		// unanswered: then it has its event, and that is the answer.
		if said, look := o.said(ctx, req, actor); said != nil && look == nil {
			return said, nil
		}
		return nil, err
	}
	return &feedbackv1.RecordOutcomeResponse{Sequence: seq}, nil
}

// said answers a call that was answered before; nil for a new one.
func (o *Outcomes) said(ctx context.Context, req *feedbackv1.RecordOutcomeRequest, actor access.Actor) (*feedbackv1.RecordOutcomeResponse, error) {
	events, err := o.log.History(ctx, lead.SubjectOf(req.GetLeadId()))
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.Cause != causePrefix+req.GetIdempotencyKey() {
			continue
		}
		if body, ok := e.Body.(*leadv1.OutcomeRecorded); !ok || body.GetKind() != req.GetKind() || e.Actor != actor.Handle {
			return nil, fault.New(fault.Conflict, "idempotency_key: it was used on lead %s for something else (event %d): take a new one for each outcome", req.GetLeadId(), e.Seq)
		}
		return &feedbackv1.RecordOutcomeResponse{Sequence: e.Seq}, nil
	}
	return nil, nil
}

// note seals what the member wrote, under a key of its own that follows from the
// call, so that a repeat does not leave a second key behind.
func (o *Outcomes) note(ctx context.Context, req *feedbackv1.RecordOutcomeRequest) (*leadv1.Sealed, error) {
	if req.GetNote() == "" {
		return nil, nil
	}
	sum := sha256.Sum256([]byte("outcome note\x00" + req.GetLeadId() + "\x00" + req.GetIdempotencyKey()))
	keyID := "note-" + hex.EncodeToString(sum[:16])
	return o.seal(ctx, keyID, []byte(req.GetNote()), NoteContext(req.GetLeadId()))
}

// NoteContext is what a note's seal is bound to: it opens on its own lead only.
func NoteContext(leadID string) []byte { return []byte("baton outcome note\x00" + leadID) }

// drafts makes events of what was decided. Where nobody says when it happened, it did
// when it was recorded: this process's own clock may be behind the log, and what was
// just done would lie before what led to it.
func drafts(req *feedbackv1.RecordOutcomeRequest, actor access.Actor, bodies []proto.Message) []ledger.Draft {
	var occurred time.Time
	if at := req.GetOccurredAt(); at != nil {
		occurred = at.AsTime()
	}
	out := make([]ledger.Draft, 0, len(bodies))
	for i, body := range bodies {
		out = append(out, ledger.Draft{
			Subject: lead.SubjectOf(req.GetLeadId()), Body: body, Occurred: occurred,
			Cause: causePrefix + req.GetIdempotencyKey(), Actor: actor.Handle, Position: i,
		})
	}
	return out
}
