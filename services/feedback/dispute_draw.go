package feedback

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Each calls fn with each event that was recorded from one instant up to another, in
// order; it may call it with some around them.
type Each func(ctx context.Context, from, to time.Time, fn func(*ledger.Event) error) error

// mostDrawn is the most cases that one draw opens, sample how many where nothing is said
// or agreed.
const (
	mostDrawn = 100
	sample    = 10
)

// DrawReview opens a case for each of a sample of the handoffs of a period. Which ones
// follows from the seed and the leads' ids alone, so that nobody chooses them; of a lead
// that was handed over more than once it is the last time. The same draw once more answers
// the same cases and opens none twice.
func (o *Outcomes) DrawReview(ctx context.Context, req *feedbackv1.DrawReviewRequest) (*feedbackv1.ListDisputesResponse, error) {
	// A draw has no key of its own: it is its seed.
	actor, err := o.settler(ctx, "draw")
	if err != nil {
		return nil, err
	}
	from, to := req.GetFrom().AsTime(), o.clock.Now()
	if req.GetTo() != nil {
		to = req.GetTo().AsTime()
	}
	if !from.Before(to) {
		return nil, fault.New(fault.Invalid, "from, to: the period ends before it begins")
	}
	offers := map[string]int32{}
	if err := o.settling.Each(ctx, from, to, func(e *ledger.Event) error {
		b, ok := e.Body.(*leadv1.LeadOffered)
		if ok && !e.Occurred.Before(from) && e.Occurred.Before(to) {
			if id, ok := lead.FromSubject(e.Subject); ok {
				offers[id] = b.GetOffer()
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	n := int(req.GetSize())
	if n == 0 {
		n = o.settling.Sample()
	}
	if n == 0 {
		n = sample
	}
	out := &feedbackv1.ListDisputesResponse{}
	for _, id := range draw(req.GetSeed(), offers, min(n, mostDrawn)) {
		d, err := o.reviewed(ctx, actor.Handle, id, offers[id], req.GetSeed())
		if err != nil {
			return nil, err
		}
		out.Disputes = append(out.Disputes, d.answer())
	}
	return out, nil
}

// draw picks n leads by the digest of the seed and their ids.
func draw(seed int64, offers map[string]int32, n int) []string {
	type lot struct {
		id  string
		sum [32]byte
	}
	lots := make([]lot, 0, len(offers))
	// any order: sorted below
	for id := range offers {
		lots = append(lots, lot{id, sha256.Sum256(fmt.Appendf(nil, "baton review\x00%d\x00%s", seed, id))})
	}
	slices.SortFunc(lots, func(a, b lot) int { return cmp.Or(slices.Compare(a.sum[:], b.sum[:]), cmp.Compare(a.id, b.id)) })
	out := make([]string, 0, n)
	for _, l := range lots[:min(n, len(lots))] {
		out = append(out, l.id)
	}
	return out
}

// reviewed opens a case for review, or answers the one that stands: that of this draw, or
// one that is open on the same handoff.
func (o *Outcomes) reviewed(ctx context.Context, actor, leadID string, offer int32, seed int64) (*dispute, error) {
	cause := fmt.Sprintf("draw:%d:%d:%s", seed, offer, leadID)
	stands := func(events []*ledger.Event) *dispute {
		var this string
		for _, e := range events {
			if b, ok := e.Body.(*leadv1.DisputeOpened); ok && e.Cause == cause {
				this = b.GetDisputeId()
			}
		}
		for _, d := range disputesOf(leadID, events) {
			if d.opened.GetDisputeId() == this || d.review() && d.decided == nil && d.opened.GetOffer() == offer {
				return d
			}
		}
		return nil
	}
	events, err := o.log.History(ctx, lead.SubjectOf(leadID))
	if err != nil {
		return nil, err
	}
	if d := stands(events); d != nil {
		return d, nil
	}
	err = o.onLead(ctx, about{lead: leadID, cause: cause, actor: actor, before: func(*ledger.Event) bool { return true }}, func(events []*ledger.Event, _ *leadv1.Sealed) (ledger.Draft, error) {
		opened, version, err := o.opening(leadID, events, offer, leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW)
		if err != nil {
			return ledger.Draft{}, err
		}
		opened.Party = sideSystem
		return ledger.Draft{Body: opened, Agreement: version}, nil
	})
	// Whoever was faster has drawn the same one, and that is the answer.
	events, look := o.log.History(ctx, lead.SubjectOf(leadID))
	if d := stands(events); d != nil && look == nil {
		return d, nil
	}
	return nil, errors.Join(err, look)
}
