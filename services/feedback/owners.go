package feedback

import (
	"context"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// DecideOwner says what it makes of a lead of the past that somebody had it at an
// instant: a change of owner, or nil where they had it then already. What is stated of
// one lead comes in the order of time, as only then it is known who had it before.
func DecideOwner(s *lead.State, member, batch string, at, now time.Time) (*leadv1.LeadReassigned, error) {
	switch {
	case s.ID == "":
		return nil, fault.New(fault.NotFound, "there is no such lead: import it first, with --history")
	case !s.Historical:
		return nil, fault.New(fault.State, "the lead is no imported history; who has it is known, and is changed by baton lead reassign")
	case at.After(now):
		return nil, fault.New(fault.Invalid, "it lies in the future: %s, and it is %s", moment(at), moment(now))
	case at.Before(s.ReceivedAt):
		return nil, fault.New(fault.Invalid, "it lies before the lead was received: %s, and that was %s", moment(at), moment(s.ReceivedAt))
	case s.HadIt(member, at):
		return nil, nil
	case !s.ClosedAt.IsZero() && at.After(s.ClosedAt):
		return nil, fault.New(fault.Invalid, "it lies after the lead was %s: %s, and that was %s", lead.StateWord(s.State), moment(at), moment(s.ClosedAt))
	}
	if n := len(s.Past); n > 0 && at.Before(s.Past[n-1].At) {
		return nil, fault.New(fault.Invalid, "it lies before the last change of owner that is known, %s: rows of one lead come in the order of time", moment(s.Past[n-1].At))
	}
	return &leadv1.LeadReassigned{From: s.Owner, To: member, Reason: lead.ReasonImported, BatchId: batch}, nil
}

// ImportOwners records who had leads of the past, and from when.
func (o *Outcomes) ImportOwners(ctx context.Context, req *feedbackv1.ImportOwnersRequest) (*feedbackv1.ImportOwnersResponse, error) {
	results, err := imported(ctx, o, req.GetRows(), func(v *ledger.View, actor string, rows []*feedbackv1.OwnerRow) ([]*feedbackv1.OwnerResult, []ledger.Draft, error) {
		return owned(v.Now, v.Lead, req.GetBatchId(), actor, rows)
	})
	if err != nil {
		return nil, err
	}
	return &feedbackv1.ImportOwnersResponse{Results: results}, nil
}

// owned says what becomes of rows; each sees the ones before it.
func owned(now time.Time, leads func(string) (*lead.State, error), batch, actor string, rows []*feedbackv1.OwnerRow) ([]*feedbackv1.OwnerResult, []ledger.Draft, error) {
	var results []*feedbackv1.OwnerResult
	var drafts []ledger.Draft
	states := working{leads, map[string]*lead.State{}}
	for _, row := range rows {
		result := &feedbackv1.OwnerResult{Line: row.GetLine(), Outcome: "there"}
		results = append(results, result)
		id, cause := row.GetLeadId(), importCause(row.GetLeadId(), "owner:"+row.GetKey())
		if !lead.Safe(id) {
			result.Outcome, result.Text = "refused", unsafeID
			continue
		}
		s, err := states.of(id)
		if err != nil {
			return nil, nil, err
		}
		at := row.GetOccurredAt().AsTime()
		if _, done := s.Done(cause); done {
			continue
		}
		body, err := DecideOwner(s, row.GetMember(), batch, at, now)
		switch {
		case err != nil:
			result.Outcome, result.Text = "refused", err.Error()
		case body != nil:
			result.Outcome = "recorded"
			s.Evolve(body, at, now)
			s.Remember(cause, 0)
			drafts = append(drafts, ledger.Draft{Subject: lead.SubjectOf(id), Body: body, Occurred: at, Cause: cause, Correlation: id, Actor: actor})
		}
	}
	return results, drafts, nil
}
