package delivery

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// ListChannels lists the channels with how they do.
func (s *Server) ListChannels(ctx context.Context, _ *deliveryv1.ListChannelsRequest) (*deliveryv1.ListChannelsResponse, error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	out := &deliveryv1.ListChannelsResponse{}
	s.Log.Follower().View(func(*ledger.View) {
		for _, c := range s.Book.order {
			out.Channels = append(out.Channels, c.shown())
		}
	})
	return out, nil
}

func (s *Server) shown(id string) (out *deliveryv1.Channel) {
	s.Log.Follower().View(func(*ledger.View) { out = s.Book.channels[id].shown() })
	return out
}

// shown is a channel without its secrets.
func (c *Channel) shown() *deliveryv1.Channel {
	set := proto.CloneOf(c.Set)
	set.Secrets = nil
	out := &deliveryv1.Channel{Set: set, Waiting: c.Waiting, Sent: c.Sent, GivenUp: c.GivenUp, LastFault: c.LastFault}
	if !c.LastAt.IsZero() {
		out.LastAt = timestamppb.New(c.LastAt)
	}
	return out
}

// found is a notice with all that its lead's history says of it.
type found struct {
	id     string
	queued *leadv1.NoticeQueued
	seq    uint64
	at     *timestamppb.Timestamp
	tries  []*deliveryv1.Attempt
	retry  *timestamppb.Timestamp
	opened *timestamppb.Timestamp
	state  string
}

func (f *found) attempts() (n int32) {
	for _, a := range f.tries {
		n = max(n, a.GetAttempt())
	}
	return n
}

func (f *found) shown() *deliveryv1.Notice {
	return &deliveryv1.Notice{
		NoticeId: f.id, LeadId: leadOf(f.id), Kind: f.queued.GetKind(), Channel: f.queued.GetChannel(), Member: f.queued.GetMember(), State: f.state, QueuedAt: f.at,
		Attempts: f.tries, RetryAt: f.retry, OpenedAt: f.opened, EventType: f.queued.GetEventType(), Offer: f.queued.GetOffer(),
	}
}

// noticesOf reads the notices out of a lead's history, in the order in which they were
// queued.
func noticesOf(events []*ledger.Event) (out []*found) {
	byID := map[string]*found{}
	of := func(id string) *found {
		if byID[id] == nil {
			byID[id] = &found{id: id}
		}
		return byID[id]
	}
	for _, e := range events {
		switch b := e.Body.(type) {
		case *leadv1.NoticeQueued:
			f := of(b.GetNoticeId())
			f.queued, f.seq, f.at, f.state = b, e.Seq, timestamppb.New(e.Recorded), stateWaiting
			out = append(out, f)
		case *leadv1.NoticeSent:
			f := of(b.GetNoticeId())
			f.tries = append(f.tries, &deliveryv1.Attempt{Attempt: b.GetAttempt(), At: timestamppb.New(e.Recorded), Status: b.GetStatus(), Sequence: e.Seq})
			if f.retry = nil; f.state != stateOpened {
				f.state = stateSent
				if b.GetDelivered() {
					f.state = stateDelivered
				}
			}
		case *leadv1.NoticeFailed:
			f := of(b.GetNoticeId())
			f.tries = append(f.tries, &deliveryv1.Attempt{Attempt: b.GetAttempt(), At: timestamppb.New(e.Recorded), Status: b.GetStatus(), Fault: b.GetFault(), Sequence: e.Seq})
			f.state, f.retry = stateWaiting, b.GetRetryAt()
			if f.retry == nil {
				f.state = stateGivenUp
			}
		case *leadv1.NoticeOpened:
			f := of(b.GetNoticeId())
			f.state, f.opened = stateOpened, timestamppb.New(e.Recorded)
		case *leadv1.NoticeRequested:
			f := of(b.GetNoticeId())
			f.state, f.retry = stateWaiting, timestamppb.New(e.Recorded)
		}
	}
	return out
}

// find reads one notice, and the history in which it stands.
func (s *Server) find(ctx context.Context, id string) ([]*ledger.Event, *found, error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, nil, err
	}
	events, err := s.history(ctx, leadOf(id))
	if err != nil {
		return nil, nil, err
	}
	for _, f := range noticesOf(events) {
		if f.id == id {
			return events, f, nil
		}
	}
	return events, &found{id: id}, nil
}

func (s *Server) history(ctx context.Context, leadID string) ([]*ledger.Event, error) {
	if !lead.Safe(leadID) {
		return nil, nil
	}
	return s.Log.History(ctx, lead.SubjectOf(leadID))
}

const (
	noticesShown = 50
)

// ListNotices is the delivery log, newest first. Of one lead it reaches back to the
// beginning; of all leads it holds what waits and the last that ended.
func (s *Server) ListNotices(ctx context.Context, req *deliveryv1.ListNoticesRequest) (*deliveryv1.ListNoticesResponse, error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	before := ^uint64(0)
	if req.GetPageToken() != "" {
		var err error
		if before, err = strconv.ParseUint(req.GetPageToken(), 10, 64); err != nil {
			return nil, fault.New(fault.Invalid, "page_token: give the one that the page before came with")
		}
	}
	size := cmp.Or(int(req.GetPageSize()), noticesShown)
	out := &deliveryv1.ListNoticesResponse{}
	fits := func(channel, state string) bool {
		return (req.GetChannel() == "" || req.GetChannel() == channel) && (req.GetState() == "" || req.GetState() == state)
	}
	if req.GetLeadId() != "" {
		events, err := s.history(ctx, req.GetLeadId())
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
		}
		all := noticesOf(events)
		slices.Reverse(all)
		for _, f := range all {
			if f.seq >= before || !fits(f.queued.GetChannel(), f.state) {
				continue
			}
			if len(out.GetNotices()) == size {
				out.NextPageToken = strconv.FormatUint(before, 10)
				break
			}
			before = f.seq
			out.Notices = append(out.Notices, f.shown())
		}
		return out, nil
	}
	var page []entry
	s.Log.Follower().View(func(*ledger.View) {
		for _, e := range s.Book.entries { // any order: sorted below
			if e.seq < before && fits(e.channel, e.state) {
				page = append(page, *e)
			}
		}
	})
	slices.SortFunc(page, func(a, b entry) int { return cmp.Compare(b.seq, a.seq) })
	if len(page) > size {
		page = page[:size]
		out.NextPageToken = strconv.FormatUint(page[size-1].seq, 10)
	}
	read := map[string][]*found{}
	for _, e := range page {
		id := leadOf(e.id)
		if _, ok := read[id]; !ok {
			events, err := s.history(ctx, id)
			if err != nil {
				return nil, err
			}
			read[id] = noticesOf(events)
		}
		for _, f := range read[id] {
			if f.id == e.id {
				out.Notices = append(out.Notices, f.shown())
			}
		}
	}
	return out, nil
}

// GetReceipt says when a lead was queued for delivery, sent, delivered, opened and
// answered, offer by offer.
func (s *Server) GetReceipt(ctx context.Context, req *deliveryv1.GetReceiptRequest) (*deliveryv1.Receipt, error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	events, err := s.history(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
	}
	out := receiptOf(req.GetLeadId(), events)
	if out.Checkpoint, err = s.Log.Covering(ctx, ledger.StreamLedger, out.GetAsOfSequence()); err != nil {
		return nil, err
	}
	return out, nil
}

// receiptOf reads a receipt out of a lead's history.
func receiptOf(id string, events []*ledger.Event) *deliveryv1.Receipt {
	out := &deliveryv1.Receipt{LeadId: id, AsOfSequence: events[len(events)-1].Seq}
	offers := map[int32]*deliveryv1.OfferReceipt{}
	notices := map[string]*leadv1.NoticeQueued{}
	var last *deliveryv1.OfferReceipt
	for _, e := range events {
		step := func(o *deliveryv1.OfferReceipt, word, channel string) {
			if o != nil {
				o.Steps = append(o.Steps, &deliveryv1.ReceiptStep{Step: word, At: timestamppb.New(e.Occurred), Channel: channel, Sequence: e.Seq, Hash: e.Hash[:]})
			}
		}
		// of answers the offer of a notice that told of it, and its channel.
		of := func(id string) (*deliveryv1.OfferReceipt, string) {
			q := notices[id]
			if q.GetKind() != leadv1.NoticeKind_NOTICE_KIND_OFFER {
				return nil, ""
			}
			return offers[q.GetOffer()], q.GetChannel()
		}
		switch b := e.Body.(type) {
		case *leadv1.LeadOffered:
			last = &deliveryv1.OfferReceipt{Offer: b.GetOffer(), Member: b.GetMember(), Pool: b.GetPool()}
			offers[b.GetOffer()] = last
			out.Offers = append(out.Offers, last)
			step(last, "offered", "")
		case *leadv1.NoticeQueued:
			notices[b.GetNoticeId()] = b
			o, channel := of(b.GetNoticeId())
			step(o, "queued", channel)
		case *leadv1.NoticeSent:
			o, channel := of(b.GetNoticeId())
			step(o, "sent", channel)
			if b.GetDelivered() {
				step(o, "delivered", channel)
			}
		case *leadv1.NoticeFailed:
			if o, channel := of(b.GetNoticeId()); b.GetRetryAt() == nil {
				step(o, "given-up", channel)
			}
		case *leadv1.NoticeOpened:
			o, channel := of(b.GetNoticeId())
			step(o, "opened", channel)
		case *leadv1.OfferReminded:
			step(offers[b.GetOffer()], "reminded", "")
		case *leadv1.OfferAccepted:
			step(offers[b.GetOffer()], "accepted", "")
		case *leadv1.OfferRejected:
			step(offers[b.GetOffer()], "rejected", "")
		case *leadv1.OfferTimedOut:
			step(offers[b.GetOffer()], "timed-out", "")
		case *leadv1.LeadReassigned:
			step(last, "moved", "")
		}
	}
	return out
}
