package feedback

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Evidence is what named evidence is opened by. It is shown to who answers for a figure,
// and to the arbiter; to nobody else, whatever their role.
type Evidence struct {
	Log *ledger.Ledger
	// Answers names the party that answers for a figure: "marketing", "sales" or "both".
	Answers func(report, name string) (string, error)
	// Read answers the evidence itself.
	Read func(ctx context.Context, req *feedbackv1.OpenEvidenceRequest) (*feedbackv1.Evidence, error)
}

// subjectEvidence is where it stands who read the evidence of a report.
func subjectEvidence(report string) string { return "org.evidence." + report }

// Shows makes the service open evidence.
func (o *Outcomes) Shows(e *Evidence) { o.evidence = e }

// OpenEvidence writes down that the caller reads the evidence behind a finding, and then
// answers it: what is not written is not shown.
func (o *Outcomes) OpenEvidence(ctx context.Context, req *feedbackv1.OpenEvidenceRequest) (*feedbackv1.Evidence, error) {
	if o.evidence == nil {
		return nil, fault.New(fault.State, "this process shows no evidence")
	}
	actor, ok := access.From(ctx)
	report := req.GetQuestion().GetReport()
	switch {
	case !ok:
		return nil, fault.New(fault.Unauthenticated, "evidence is for those who answer for a figure: sign in")
	case strings.TrimSpace(req.GetWhy()) == "":
		return nil, fault.New(fault.Invalid, "why: say what the evidence is read for; it is written down with your name")
	case req.GetIdempotencyKey() == "":
		return nil, fault.New(fault.Invalid, "idempotency_key: name one, so that a repeat of this call is harmless")
	}
	party, err := o.evidence.Answers(report, req.GetName())
	if err != nil {
		return nil, err
	}
	cause := fmt.Sprintf("evidence:%s:%s:%s", report, actor.Handle, req.GetIdempotencyKey())
	before, err := o.log.History(ctx, subjectEvidence(report))
	if err != nil {
		return nil, err
	}
	body := &feedbackv1.EvidenceOpened{Report: report, Figure: req.GetName(), Why: req.GetWhy(), From: req.GetQuestion().GetFrom(), To: req.GetQuestion().GetTo()}
	var sequence uint64
	for _, e := range before {
		if e.Cause != cause {
			continue
		}
		if said, ok := e.Body.(*feedbackv1.EvidenceOpened); !ok || said.GetFigure() != body.GetFigure() || !said.GetFrom().AsTime().Equal(body.GetFrom().AsTime()) || !said.GetTo().AsTime().Equal(body.GetTo().AsTime()) {
			return nil, fault.New(fault.Conflict, "idempotency_key: it was used for other evidence of %s: take a new one for each reading", report)
		}
		sequence = e.Seq
	}
	written, err := o.evidence.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		version := o.rules(v.Now)
		right, err := mayRead(version.Agreement, o.accountable(v.Now), party, actor.Handle)
		if err != nil || sequence > 0 {
			return nil, err
		}
		body.ByRight = right
		return []ledger.Draft{{Subject: subjectEvidence(report), Body: body, Cause: cause, Correlation: "evidence:" + report, Actor: actor.Handle, Agreement: version.Number}}, nil
	})
	if err != nil {
		return nil, err
	}
	if len(written) > 0 {
		sequence = written[0].Seq
	}
	out, err := o.evidence.Read(ctx, req)
	if err == nil {
		out.Sequence = sequence
	}
	return out, err
}

// accountable are those who answer for a target of the quarter that an instant lies in, by
// party, as both have signed it; within a view.
func (o *Outcomes) accountable(at time.Time) map[string][]string {
	out := map[string][]string{}
	if o.targets == nil {
		return out
	}
	for _, q := range o.targets.Quarters.All() {
		if r := q.Holds(); r != nil && !at.Before(r.GetFrom().AsTime()) && at.Before(r.GetTo().AsTime()) {
			for _, target := range r.GetTargets() {
				out[agreement.Marketing] = append(out[agreement.Marketing], target.GetMarketing())
				out[agreement.Sales] = append(out[agreement.Sales], target.GetSales())
			}
		}
	}
	return out
}

// mayRead says by what right somebody reads the evidence on a figure that a party answers
// for: as who is accountable for that party by the agreement or by the targets of the
// quarter, or as the arbiter.
func mayRead(rules *agreement.Agreement, targets map[string][]string, party, handle string) (right string, err error) {
	if rules == nil {
		return "", fault.New(fault.State, "no agreement is in force, so nobody is named as accountable, and nobody reads evidence")
	}
	var named []string
	for _, of := range []string{agreement.Marketing, agreement.Sales} {
		if party != of && party != "both" {
			continue
		}
		if rules.Accountable(of) == handle || slices.Contains(targets[of], handle) {
			return of, nil
		}
		named = append(named, "who is accountable for "+of)
	}
	if terms, ok := rules.Disputes(); ok {
		if terms.Arbiter == handle {
			return access.Arbiter, nil
		}
		named = append(named, "the arbiter")
	}
	return "", fault.New(fault.Denied, "this evidence names people, and is for %s, by the agreement in force or the targets of this quarter; you are not, whatever your role. The report itself is for everybody", strings.Join(named, " and "))
}
