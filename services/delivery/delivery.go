// Package delivery tells people and systems what was decided, and keeps the
// receipts.
//
// It promises: what somebody must be told is queued in the log before it is sent, so
// that no crash loses it; it is sent at least once, always under the same id, and
// tried again for three days; what became of each attempt is an event; nothing
// personal goes to a system that is not the company's own; and an answer that
// comes by a link counts once, for the one whom it was sent to, and only after
// somebody pressed a button.
//
// It hears lead.* and org.channel.*; it says ChannelSet, NoticeQueued, NoticeSent,
// NoticeFailed, NoticeOpened, NoticeRequested and RecordWritten.
package delivery

import (
	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
)

// Name is the service's one word.
const Name = "delivery"

// Server answers baton.delivery.v1.DeliveryService.
type Server struct {
	deliveryv1.UnimplementedDeliveryServiceServer
}
