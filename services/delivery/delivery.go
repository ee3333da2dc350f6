// Package delivery tells people and systems what was decided, and keeps the
// receipts.
//
// It promises: what somebody must be told is queued in the log before it is sent, so
// that no crash loses it; it is sent at least once, always under the same id, and
// tried again for three days; what became of each attempt is an event; what is
// personal goes to the company's own customer system and nowhere else, where each
// lead is one record, however often it is written; and an answer that
// comes by a link counts once, for the one whom it was sent to, and only after
// somebody pressed a button.
//
// What is to be told follows from the log alone: from an event, and from the channels
// as they stood when it was said. The fold of both knows what is called for and not
// queued yet, so this service hears no messages; the fold wakes it.
//
// It hears lead.* and org.channel.*; it says ChannelSet, NoticeQueued, NoticeSent,
// NoticeFailed, NoticeOpened, NoticeRequested and RecordWritten.
package delivery

import (
	"time"

	"google.golang.org/protobuf/proto"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Name is the service's one word.
const Name = "delivery"

// atOnce is for how many leads notices are queued in one batch.
const atOnce = 100

// Delivery queues what is called for: a ledger.Decider that hears nothing and is
// nudged by the fold.
type Delivery struct{ Book *Book }

// Service implements ledger.Decider.
func (d *Delivery) Service() string { return Name }

// Due implements ledger.Decider: when something is sent is the worker's.
func (d *Delivery) Due(*ledger.View) time.Time { return time.Time{} }

// Wake answers the leads for which something is to be queued. It is asked only of the
// process whose turn it is, which sends what is due as well.
func (d *Delivery) Wake(*ledger.View) []*ledger.Item {
	d.Book.look()
	var items []*ledger.Item
	for _, id := range d.Book.called(atOnce) {
		items = append(items, &ledger.Item{Lead: id, Cause: "call:" + d.Book.calls[id][0].ID})
	}
	return items
}

// Decide queues what is called for. What only a page shows is there at once.
func (d *Delivery) Decide(_ *ledger.View, items []*ledger.Item) ([]ledger.Draft, error) {
	var drafts []ledger.Draft
	for _, item := range items {
		for _, n := range d.Book.calls[item.Lead] {
			if len(drafts)+2 > ledger.MaxBatch {
				return drafts, nil // the rest is called for still
			}
			drafts = append(drafts, n.draft(n.cause, n.position, &leadv1.NoticeQueued{
				NoticeId: n.ID, Kind: n.Kind, Channel: n.Channel, Member: n.Member, Offer: n.Offer, EventId: n.EventID, EventType: n.EventType,
			}))
			if n.Channelled == deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE {
				drafts = append(drafts, n.draft(n.ID, 1, &leadv1.NoticeSent{NoticeId: n.ID, Attempt: 1}))
			}
		}
	}
	return drafts, nil
}

// draft is something said about a notice, on its lead.
func (n *Notice) draft(cause string, position int, body proto.Message) ledger.Draft {
	return ledger.Draft{Subject: lead.SubjectOf(n.Lead), Body: body, Cause: cause, Correlation: n.Lead, Position: position, TraceParent: n.trace}
}
