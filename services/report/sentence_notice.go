package report

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// noticeSentence speaks of who was told, and of the ways on which that is done.
func noticeSentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.NoticeQueued:
		who := "Channel " + b.GetChannel()
		if b.GetKind() == leadv1.NoticeKind_NOTICE_KIND_RECORD {
			return who + " is to hold the lead as it stands"
		}
		if b.GetMember() != "" {
			who = b.GetMember() + ", by channel " + b.GetChannel() + ","
		}
		return who + " is to be told of " + noticeOf(b)
	case *leadv1.NoticeSent:
		s := fmt.Sprintf("A message was sent (attempt %d) and taken by the other side", b.GetAttempt())
		if b.GetDelivered() {
			s += ", which says that it arrived"
		}
		return s + statusOf(b.GetStatus())
	case *leadv1.NoticeFailed:
		if b.GetFault() == "superseded" {
			return "A message was not sent: the offer that it tells of does not stand any more"
		}
		s := fmt.Sprintf("Attempt %d to send a message failed (%s)%s", b.GetAttempt(), b.GetFault(), statusOf(b.GetStatus()))
		if b.GetRetryAt() == nil {
			return s + "; it is given up"
		}
		return s + "; it is tried again on " + momentOf(b.GetRetryAt())
	case *leadv1.NoticeOpened:
		return "The message was opened" + map[string]string{"link": " by its link", "console": " on the pages"}[b.GetBy()]
	case *leadv1.NoticeRequested:
		return "Somebody asked for a message to be sent again"
	case *leadv1.RecordWritten:
		if b.GetCreated() {
			return "A new record of it was written on channel " + b.GetChannel()
		}
		return "Its record on channel " + b.GetChannel() + " was brought up to date"
	case *deliveryv1.ChannelSet:
		kind := strings.ToLower(strings.TrimPrefix(b.GetKind().String(), "CHANNEL_KIND_"))
		switch {
		case b.GetRemoved():
			return "Channel " + b.GetChannel() + " (" + kind + ") was removed"
		case b.GetPaused():
			return "Channel " + b.GetChannel() + " (" + kind + ") was set; it sends nothing for now"
		}
		return "Channel " + b.GetChannel() + " (" + kind + ") was set"
	}
	return ""
}

func noticeOf(b *leadv1.NoticeQueued) string {
	switch b.GetKind() {
	case leadv1.NoticeKind_NOTICE_KIND_OFFER:
		return fmt.Sprintf("offer %d", b.GetOffer())
	case leadv1.NoticeKind_NOTICE_KIND_REMINDER:
		return fmt.Sprintf("the end of offer %d, which is near", b.GetOffer())
	case leadv1.NoticeKind_NOTICE_KIND_ESCALATION:
		return "a clock that is about to run out, or ran out"
	case leadv1.NoticeKind_NOTICE_KIND_MOVED:
		return "the lead's having been moved"
	}
	return "an event of the type " + b.GetEventType()[strings.LastIndexByte(b.GetEventType(), '.')+1:]
}

func statusOf(status int32) string {
	if status == 0 {
		return ""
	}
	return fmt.Sprintf(" (answer %d)", status)
}
