package feedback

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Targets makes the service keep quarters.
func (o *Outcomes) Targets(t *Targets) { o.targets = t }

// aims is what keeps the quarters, where this process does.
func (o *Outcomes) aims() (*Targets, error) {
	if o.targets == nil {
		return nil, fault.New(fault.State, "this process keeps no targets")
	}
	return o.targets, nil
}

// ProposeTargets names the targets of a quarter.
func (o *Outcomes) ProposeTargets(ctx context.Context, req *feedbackv1.ProposeTargetsRequest) (*feedbackv1.Quarter, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	return t.propose(ctx, req)
}

// SignTargets is one party's signature over them.
func (o *Outcomes) SignTargets(ctx context.Context, req *feedbackv1.SignTargetsRequest) (*feedbackv1.Quarter, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	return t.sign(ctx, req)
}

// CloseQuarter states what became of its targets.
func (o *Outcomes) CloseQuarter(ctx context.Context, req *feedbackv1.CloseQuarterRequest) (*feedbackv1.Quarter, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	return t.close(ctx, req)
}

// RestateQuarter counts a closed quarter anew, beside what was stated.
func (o *Outcomes) RestateQuarter(ctx context.Context, req *feedbackv1.RestateQuarterRequest) (*feedbackv1.Quarter, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	return t.restate(ctx, req)
}

// PlanRecovery says who makes good for a target that was missed, and by when.
func (o *Outcomes) PlanRecovery(ctx context.Context, req *feedbackv1.PlanRecoveryRequest) (*feedbackv1.Quarter, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	return t.recover(ctx, req)
}

// GetQuarter answers a quarter and how far its targets are. Targets that one party alone
// has signed are none: they are shown, and nothing is counted for them.
func (o *Outcomes) GetQuarter(ctx context.Context, req *feedbackv1.GetQuarterRequest) (*feedbackv1.Quarter, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	if err := t.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	out, err := t.answer(ctx, req.GetQuarter(), nil)
	if err != nil || !out.GetAgreed() {
		return out, err
	}
	err = t.count(ctx, req.GetQuarter(), func(c *counted) error {
		out.Now, out.Sequence = c.Results(), c.sequence
		return nil
	})
	return out, err
}

// ListQuarters lists the quarters that have targets, the latest first.
func (o *Outcomes) ListQuarters(ctx context.Context, _ *feedbackv1.ListQuartersRequest) (*feedbackv1.ListQuartersResponse, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	if err := t.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	out := &feedbackv1.ListQuartersResponse{}
	t.Log.Follower().View(func(*ledger.View) {
		for _, q := range t.Quarters.All() {
			out.Quarters = append(out.Quarters, shown(q))
		}
	})
	return out, nil
}

// GetTargetLedger answers what was agreed, delivered and taken, part by part.
func (o *Outcomes) GetTargetLedger(ctx context.Context, req *feedbackv1.GetTargetLedgerRequest) (*feedbackv1.TargetLedger, error) {
	t, err := o.aims()
	if err != nil {
		return nil, err
	}
	if err := t.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	out := &feedbackv1.TargetLedger{Quarter: req.GetQuarter(), By: cmp.Or(req.GetBy(), byWeek)}
	err = t.count(ctx, req.GetQuarter(), func(c *counted) error {
		out.Sequence = c.sequence
		for i, target := range c.revision.GetTargets() {
			if req.GetTargetId() == "" || req.GetTargetId() == target.GetTargetId() {
				out.Targets = append(out.Targets, c.Account(i, out.GetBy(), c.year))
			}
		}
		if len(out.Targets) == 0 {
			return fault.New(fault.NotFound, "%s has no target %s", req.GetQuarter(), req.GetTargetId())
		}
		return nil
	})
	return out, err
}

// planReaders are the roles whose departments a plan concerns.
var planReaders = []string{access.Marketing, access.Sales, access.Qualifier, access.Manager, access.Arbiter}

// answer is a quarter as it stands, after a command that went as err says.
func (t *Targets) answer(ctx context.Context, name string, err error) (*feedbackv1.Quarter, error) {
	if err != nil {
		return nil, err
	}
	var out *feedbackv1.Quarter
	var plans []*leadv1.Sealed
	t.Log.Follower().View(func(*ledger.View) {
		var q *Quarter
		if q, err = t.quarter(name); err != nil {
			return
		}
		out = shown(q)
		for _, r := range q.Recoveries {
			plans = append(plans, r.GetPlan())
		}
	})
	if actor, _ := access.From(ctx); err != nil || !actor.Has(planReaders...) {
		return out, err
	}
	for i, r := range out.GetRecoveries() {
		// What was forgotten since is not there any more, and the rest still is.
		if plain, err := t.Open(ctx, plans[i], planContext(name, r.GetTargetId())); err == nil {
			r.Plan = string(plain)
		}
	}
	return out, nil
}

// shown is a quarter as it is answered, without its plans.
func shown(q *Quarter) *feedbackv1.Quarter {
	current, last := q.Holds(), q.Revisions[len(q.Revisions)-1]
	if current == nil {
		current = last
	}
	out := &feedbackv1.Quarter{
		Quarter: q.Name, From: current.GetFrom(), To: current.GetTo(), Proposed: current.TargetsProposed, Text: TargetsText(current.TargetsProposed),
		Signatures: current.Signatures, Agreed: current.Agreed(), Closed: q.Closed, Restated: q.Restated, Unplanned: q.Unplanned(),
	}
	if last != current {
		out.Next, out.NextText, out.NextSignatures = last.TargetsProposed, TargetsText(last.TargetsProposed), last.Signatures
	}
	if q.Closed != nil {
		out.ClosedAt = timestamppb.New(q.ClosedAt)
	}
	for _, r := range q.Recoveries {
		out.Recoveries = append(out.Recoveries, &feedbackv1.Recovery{TargetId: r.GetTargetId(), Member: r.GetMember(), DueAt: r.GetDueAt()})
	}
	return out
}
