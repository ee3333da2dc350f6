package feedback

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Batch writes many events as one, on top of one view of the log.
type Batch interface {
	Write(ctx context.Context, service string, decide func(v *ledger.View) ([]ledger.Draft, error)) ([]*ledger.Event, error)
}

// Imports makes the service take outcomes from files: it writes with b, and
// what comes before its lead waits in w.
func (o *Outcomes) Imports(b Batch, w *Waiting) { o.batch, o.waiting = b, w }

// DecideImported says what an outcome that another system states makes of a
// lead. It asks for less than DecideOutcome: what somebody did elsewhere is a
// fact, whoever has the lead here. A touch may become known after the deal is
// closed.
func DecideImported(s *lead.State, stated *leadv1.OutcomeRecorded, occurred, now time.Time) (*leadv1.OutcomeRecorded, error) {
	touch := stated.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_TOUCH
	switch {
	case occurred.After(now):
		return nil, fault.New(fault.Invalid, "it lies in the future: %s, and it is %s", moment(occurred), moment(now))
	case !s.ReceivedAt.IsZero() && occurred.Before(s.ReceivedAt):
		return nil, fault.New(fault.Invalid, "it lies before the lead was received: %s, and that was %s", moment(occurred), moment(s.ReceivedAt))
	case stated.GetChannel() != "" && !touch:
		return nil, fault.New(fault.Invalid, "only a touch has a channel")
	case stated.GetReason() != "" && stated.GetKind() != leadv1.OutcomeKind_OUTCOME_KIND_LOST:
		return nil, fault.New(fault.Invalid, "only a lost deal has a reason")
	case (stated.GetValueMinor() != 0 || stated.GetCurrency() != "") && stated.GetKind() != leadv1.OutcomeKind_OUTCOME_KIND_WON:
		return nil, fault.New(fault.Invalid, "only a won deal has a value")
	case stated.GetValueMinor() != 0 && stated.GetCurrency() == "":
		return nil, fault.New(fault.Invalid, "a value needs its currency, such as EUR")
	case !s.Open() && (!touch || s.ClosedAt.IsZero() || occurred.After(s.ClosedAt)):
		return nil, fault.New(fault.State, "the lead is %s already", lead.StateWord(s.State))
	}
	out := proto.Clone(stated).(*leadv1.OutcomeRecorded)
	if out.Member == "" {
		out.Member, _ = s.Held()
	}
	out.Historical = s.Historical
	if touch && out.Member != s.Owner {
		// Of a historical lead the member would become the owner, and to touch is
		// not to own.
		out.Historical = s.Historical && s.Owner == ""
	}
	return out, nil
}

// ImportOutcomes records what another system says became of leads. A row whose
// lead is not here yet waits for it; a row that was taken before is a repeat.
func (o *Outcomes) ImportOutcomes(ctx context.Context, req *feedbackv1.ImportOutcomesRequest) (*feedbackv1.ImportOutcomesResponse, error) {
	rules := o.rules(o.clock.Now())
	results, err := imported(ctx, o, req.GetRows(), func(v *ledger.View, actor string, rows []*feedbackv1.OutcomeRow) ([]*feedbackv1.OutcomeResult, []ledger.Draft, error) {
		return o.taken(v.Now, v.Lead, rules.Agreement, req.GetSource(), actor, rows)
	})
	if err != nil {
		return nil, err
	}
	return &feedbackv1.ImportOutcomesResponse{Results: results}, nil
}

// imported writes rows of a file, so many at a time, each part on top of the one before
// it, and answers what became of each.
func imported[Row, Result any](ctx context.Context, o *Outcomes, rows []Row, take func(v *ledger.View, actor string, rows []Row) ([]Result, []ledger.Draft, error)) ([]Result, error) {
	actor, ok := access.From(ctx)
	if !ok {
		return nil, fault.New(fault.Unauthenticated, "a file is imported by somebody: sign in")
	}
	if o.batch == nil {
		return nil, fault.New(fault.State, "this process takes nothing new")
	}
	var out []Result
	for part := range slices.Chunk(rows, atOnce) {
		var results []Result
		_, err := o.batch.Write(ctx, Name, func(v *ledger.View) (drafts []ledger.Draft, err error) {
			results, drafts, err = take(v, actor.Handle, part)
			return drafts, err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, results...)
	}
	return out, nil
}

// unsafeID refuses a row.
const unsafeID = "the lead's id has lower-case letters, digits and hyphens only"

// working are leads as the rows so far have moved them on.
type working struct {
	leads func(string) (*lead.State, error)
	moved map[string]*lead.State
}

func (w working) of(id string) (*lead.State, error) {
	if w.moved[id] == nil {
		folded, err := w.leads(id)
		if err != nil {
			return nil, err
		}
		w.moved[id] = folded.Clone()
	}
	return w.moved[id], nil
}

// taken says what becomes of rows; each sees the ones before it. Their words are held
// against the rules in force when they are taken, also where they wait.
func (o *Outcomes) taken(now time.Time, leads func(string) (*lead.State, error), rules *agreement.Agreement, source, actor string, rows []*feedbackv1.OutcomeRow) ([]*feedbackv1.OutcomeResult, []ledger.Draft, error) {
	var results []*feedbackv1.OutcomeResult
	var drafts []ledger.Draft
	states, waits := working{leads, map[string]*lead.State{}}, map[string]bool{}
	for _, row := range rows {
		result := &feedbackv1.OutcomeResult{Line: row.GetLine()}
		results = append(results, result)
		id, cause := row.GetLeadId(), importCause(row.GetLeadId(), row.GetKey())
		if !lead.Safe(id) {
			result.Outcome, result.Text = "refused", unsafeID
			continue
		}
		s, err := states.of(id)
		if err != nil {
			return nil, nil, err
		}
		occurred := row.GetOccurredAt().AsTime()
		stated := &leadv1.OutcomeRecorded{
			Kind: row.GetKind(), Member: row.GetMember(), Channel: row.GetChannel(), Reason: row.GetReason(),
			ValueMinor: row.GetValueMinor(), Currency: row.GetCurrency(),
			Direction: row.GetDirection(), Disposition: row.GetDisposition(), DealStage: row.GetDealStage(), Minutes: row.GetMinutes(),
		}
		_, done := s.Done(cause)
		if done || waits[cause] || o.waiting.has(id, row.GetKey()) {
			result.Outcome = "repeat"
			continue
		}
		reached, err := agreed(rules, stated)
		if err != nil {
			result.Outcome, result.Text = "refused", err.Error()
			continue
		}
		stated.Reached = reached
		body, err := DecideImported(s, stated, occurred, now)
		switch {
		case err != nil && s.ID != "" || fault.Is(err, fault.Invalid):
			result.Outcome, result.Text = "refused", err.Error()
		case s.ID == "":
			result.Outcome, waits[cause] = "waiting", true
			drafts = append(drafts, ledger.Draft{
				Subject: subjectWaiting(id), Cause: "outcome:" + id + ":" + row.GetKey(), Correlation: id, Actor: actor,
				Body: &feedbackv1.OutcomeWaiting{LeadId: id, Source: source, Key: row.GetKey(), Outcome: stated, OccurredAt: row.GetOccurredAt()},
			})
		default:
			result.Outcome = "recorded"
			s.Evolve(body, occurred, now)
			s.Remember(cause, 0)
			drafts = append(drafts, ledger.Draft{Subject: lead.SubjectOf(id), Body: body, Occurred: occurred, Cause: cause, Correlation: id, Actor: actor})
		}
	}
	return results, drafts, nil
}

// ListWaitingOutcomes lists the outcomes that wait for their leads.
func (o *Outcomes) ListWaitingOutcomes(_ context.Context, req *feedbackv1.ListWaitingOutcomesRequest) (*feedbackv1.ListWaitingOutcomesResponse, error) {
	after, n, err := page(req)
	if err != nil {
		return nil, err
	}
	out := &feedbackv1.ListWaitingOutcomesResponse{}
	if o.waiting == nil {
		return out, nil
	}
	var next uint64
	out.Outcomes, next = o.waiting.List(after, n)
	out.NextPageToken = pageToken(next)
	return out, nil
}
