package feedback

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Checking is what checks are listed and closed by.
type Checking struct {
	Log    *ledger.Ledger
	Checks *Checks
}

// Checks makes the service list and close checks.
func (o *Outcomes) Checks(c *Checking) { o.checking = c }

// ListChecks lists the checks of how both departments work together, the latest first.
func (o *Outcomes) ListChecks(ctx context.Context, _ *feedbackv1.ListChecksRequest) (*feedbackv1.ListChecksResponse, error) {
	if o.checking == nil {
		return nil, fault.New(fault.State, "this process keeps no checks")
	}
	if err := o.checking.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	out := &feedbackv1.ListChecksResponse{}
	o.checking.Log.Follower().View(func(*ledger.View) {
		byMonth := o.checking.Checks.byMonth
		for _, month := range slices.Backward(slices.Sorted(maps.Keys(byMonth))) {
			out.Checks = append(out.Checks, byMonth[month].shown())
		}
	})
	return out, nil
}

// CloseCheck says what came of one; it is said once.
func (o *Outcomes) CloseCheck(ctx context.Context, req *feedbackv1.CloseCheckRequest) (*feedbackv1.Check, error) {
	if o.checking == nil {
		return nil, fault.New(fault.State, "this process keeps no checks")
	}
	actor, ok := access.From(ctx)
	switch {
	case !ok:
		return nil, fault.New(fault.Unauthenticated, "a check is closed by somebody: sign in")
	case req.GetIdempotencyKey() == "":
		return nil, fault.New(fault.Invalid, "idempotency_key: name one, so that a repeat of this call is harmless")
	}
	cause := fmt.Sprintf("check-close:%s:%s:%s", req.GetMonth(), actor.Handle, req.GetIdempotencyKey())
	_, err := o.checking.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		one := o.checking.Checks.byMonth[req.GetMonth()]
		switch {
		case one == nil:
			return nil, fault.New(fault.NotFound, "there is no check of %s; baton check list shows those there are", req.GetMonth())
		case one.cause == cause && one.found == req.GetFound():
			return nil, nil
		case one.found != "":
			return nil, fault.New(fault.State, "the check of %s was closed on %s: %s", req.GetMonth(), moment(one.closedAt), one.found)
		}
		return []ledger.Draft{{
			Subject: subjectCheck(req.GetMonth()), Body: &feedbackv1.AlignmentCheckClosed{Month: req.GetMonth(), Found: req.GetFound()},
			Cause: cause, Correlation: "check:" + req.GetMonth(), Actor: actor.Handle, Agreement: o.rules(v.Now).Number,
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	var out *feedbackv1.Check
	o.checking.Log.Follower().View(func(*ledger.View) { out = o.checking.Checks.byMonth[req.GetMonth()].shown() })
	return out, nil
}

func (c *check) shown() *feedbackv1.Check {
	out := &feedbackv1.Check{Opened: c.AlignmentCheckOpened, OpenedAt: timestamppb.New(c.openedAt), Open: c.found == "", Found: c.found}
	if c.found != "" {
		out.ClosedAt = timestamppb.New(c.closedAt)
	}
	return out
}
