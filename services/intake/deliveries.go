package intake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

const (
	deliveriesShown = 50
	mostDeliveries  = 500
)

// ListDeliveries lists deliveries, latest first, and what became of each.
func (s *Server) ListDeliveries(ctx context.Context, req *intakev1.ListDeliveriesRequest) (*intakev1.ListDeliveriesResponse, error) {
	span, err := s.spanOf(req.GetFrom(), req.GetTo(), req.GetSource())
	if err != nil {
		return nil, err
	}
	if o := req.GetOutcome(); o != "" && !slices.Contains(Outcomes, o) {
		return nil, fault.New(fault.Invalid, "outcome: %q is none; there are %v", o, Outcomes)
	}
	var before keptAt
	if token := req.GetPageToken(); token != "" {
		if n, err := fmt.Sscanf(token, "%d.%d", &before.seq, &before.index); n != 2 || err != nil {
			return nil, fault.New(fault.Invalid, "page_token: give the one that the page before came with")
		}
	}
	size := int(req.GetPageSize())
	if size == 0 {
		size = deliveriesShown
	}
	size = min(size, mostDeliveries)
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	all, sources, _, err := s.Acknowledged.upTo(ctx, s.Log)
	if err != nil {
		return nil, err
	}
	type chosen struct {
		acknowledged
		became
	}
	var page []chosen
	more := false
	s.Log.Follower().View(func(*ledger.View) {
		for _, a := range slices.Backward(all) {
			if before != (keptAt{}) && (a.at.seq > before.seq || a.at.seq == before.seq && a.at.index >= before.index) {
				continue
			}
			if !span.holds(time.Unix(0, a.received), sources[a.source]) {
				continue
			}
			b := resolve(s.Tally.of(a.at))
			fits := req.GetOutcome() == "" || slices.ContainsFunc(b.outcomes, func(o itemOutcome) bool { return o.outcome == req.GetOutcome() })
			if !fits || a.details && len(b.outcomes) == 0 {
				continue
			}
			if len(page) == size {
				more = true
				return
			}
			page = append(page, chosen{a, b})
		}
	})
	out := &intakev1.ListDeliveriesResponse{}
	rules := s.rules()
	for _, c := range page {
		one, err := s.listed(ctx, c.acknowledged, c.became, sources[c.source], req.GetContent(), rules)
		if err != nil {
			return nil, err
		}
		out.Deliveries = append(out.Deliveries, one)
	}
	if more {
		last := page[len(page)-1].at
		out.NextPageToken = fmt.Sprintf("%d.%d", last.seq, last.index)
	}
	return out, nil
}

// listed is one delivery for the list.
func (s *Server) listed(ctx context.Context, a acknowledged, b became, source string, content bool, rules Vocabulary) (*intakev1.DeliveryListed, error) {
	record, err := s.Log.KeptAt(ctx, a.at.seq)
	if err != nil {
		return nil, err
	}
	d := record.GetDeliveries()[a.at.index]
	out := &intakev1.DeliveryListed{DeliveryId: d.GetDeliveryId(), Source: s.nameOf(source), ReceivedAt: timestamppb.New(time.Unix(0, a.received))}
	for _, o := range b.outcomes {
		out.Outcomes = append(out.Outcomes, o.outcome)
		e, err := s.Log.EventAt(ctx, o.event)
		if err != nil {
			return nil, err
		}
		if id, ok := lead.FromSubject(e.Subject); ok && !slices.Contains(out.GetLeadIds(), id) {
			out.LeadIds = append(out.LeadIds, id)
		}
		if text := wrong(e); text != "" {
			out.Text = text
		}
	}
	if content {
		items, err := s.contentOf(ctx, d, rules)
		switch {
		case err == nil:
			out.Items = items
		case fault.Is(err, fault.Unavailable), ctx.Err() != nil:
			return nil, err
		case out.GetText() == "":
			out.Text = err.Error()
		}
	}
	return out, nil
}

// wrong is what an outcome says is wrong, in words.
func wrong(e *ledger.Event) string {
	switch b := e.Body.(type) {
	case *intakev1.DeliveryRefused:
		return b.GetText()
	case *intakev1.DeliveryIgnored:
		return b.GetWhy()
	case *intakev1.DeliveryHeld:
		switch {
		case b.GetWhy() == whyPaused:
			return "the source is paused or removed: it is worked when the source is resumed"
		case b.GetFault() != "":
			return "the details could not be had: " + b.GetFault()
		}
		return "the details are asked for"
	case *leadv1.LeadRefused:
		return b.GetRule()
	}
	return ""
}

// contentOf reads a kept body with the mapping of now.
func (s *Server) contentOf(ctx context.Context, d *intakev1.Delivery, rules Vocabulary) ([]*intakev1.MappedItem, error) {
	src := s.Sources.ByID(d.GetSourceId())
	if src == nil {
		return nil, fault.New(fault.Invalid, "the source of this delivery is not known to the log")
	}
	body, err := openBody(ctx, s.Keys, d)
	if err != nil {
		return nil, err
	}
	if sub := body.GetSubmission(); sub != nil {
		return []*intakev1.MappedItem{mappedItem(Item{}, worded(sub, rules, src, s.Domains, d.GetReceivedAt().AsTime()))}, nil
	}
	fields, err := ParseDelivery(d, body, src)
	if err != nil {
		return nil, err
	}
	var out []*intakev1.MappedItem
	for _, item := range fields.Items {
		out = append(out, mappedItem(item, understood(item, rules, src, s.Domains, d.GetReceivedAt().AsTime())))
	}
	return out, nil
}
