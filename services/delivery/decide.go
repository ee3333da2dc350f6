package delivery

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// What an event calls for, when a notice is tried again, and what is said of an
// attempt: plain functions of recorded facts.

// leadTypes is where the types of a lead's events are named.
const leadTypes = "baton.lead.v1."

// toldOf are the events that people are told of, and what a channel hears that
// names none.
var toldOf = []string{"LeadOffered", "OfferReminded", "ClockReminded", "ClockEscalated", "LeadReassigned"}

// hearable are the events that a channel may be told of. What only says who somebody is,
// or that the same came twice, is none of them.
var hearable = []string{
	"CallRecorded", "ClockBreached", "ClockEscalated", "ClockReminded", "ClockRestated", "FeedbackGiven", "HandlingFailed", "LeadNurtured", "LeadOffered", "LeadQualified",
	"LeadQueued", "LeadReassigned", "LeadReceived", "LeadRefused", "OfferAccepted", "OfferRejected", "OfferReminded", "OfferTimedOut", "OutcomeRecorded",
	"QualificationHeld", "TouchAdded",
}

// recordOn are the events after which a customer system is to know more.
var recordOn = []string{
	"LeadNurtured", "LeadOffered", "LeadQualified", "LeadReassigned", "LeadRemapped", "OfferAccepted", "OfferRejected", "OutcomeRecorded", "SubmissionRevised",
}

// tells is what an event has to say to people.
type tells struct {
	kind    leadv1.NoticeKind
	members []string
	offer   int32
	// offered is whom the offer that follows tells already, in person; empty = nobody.
	offered string
}

// toPeople answers whom an event is to be told to; offer is the number of the
// lead's last offer.
func toPeople(body proto.Message, offer int32) (t tells, ok bool) {
	switch b := body.(type) {
	case *leadv1.LeadOffered:
		return tells{leadv1.NoticeKind_NOTICE_KIND_OFFER, []string{b.GetMember()}, b.GetOffer(), ""}, true
	case *leadv1.OfferReminded:
		return tells{leadv1.NoticeKind_NOTICE_KIND_REMINDER, []string{b.GetMember()}, b.GetOffer(), ""}, true
	case *leadv1.ClockReminded:
		return tells{leadv1.NoticeKind_NOTICE_KIND_ESCALATION, distinct(b.GetTell()...), 0, ""}, true
	case *leadv1.ClockEscalated:
		return tells{leadv1.NoticeKind_NOTICE_KIND_ESCALATION, distinct(b.GetTell()...), 0, ""}, true
	case *leadv1.LeadReassigned:
		offered := b.GetTo()
		if lead.GivenBack(b) {
			offered = "" // theirs again, and nothing more is said
		}
		return tells{leadv1.NoticeKind_NOTICE_KIND_MOVED, distinct(b.GetFrom(), b.GetTo()), 0, offered}, true
	}
	return tells{}, false
}

func distinct(handles ...string) (out []string) {
	for _, h := range handles {
		if h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// happened is an event of a lead as the fold meets it.
type happened struct {
	lead, id, kind, pool string
	body                 proto.Message
	offer                int32
	// ripe says that the lead was qualified at some time, and not refused since.
	ripe bool
}

// callsFor answers the notices that an event calls for on the channels as they stand
// when it is folded, in the order of the channels, then of the people.
func callsFor(h happened, channels []*Channel) (out []*Notice) {
	name, ours := strings.CutPrefix(h.kind, leadTypes)
	if !ours {
		return nil
	}
	people, told := toPeople(h.body, h.offer)
	for _, c := range channels {
		set := c.Set
		if !hears(set, name) || len(set.GetPools()) > 0 && !slices.Contains(set.GetPools(), h.pool) {
			continue
		}
		n := Notice{Lead: h.lead, Channel: set.GetChannel(), Channelled: set.GetKind(), EventID: h.id, EventType: h.kind, Kind: leadv1.NoticeKind_NOTICE_KIND_EVENT}
		if told && !customer(set.GetKind()) {
			n.Offer = people.offer
		}
		switch {
		case customer(set.GetKind()):
			if n.Kind = leadv1.NoticeKind_NOTICE_KIND_RECORD; h.ripe && !disputed(h.body) {
				out = append(out, n.named())
			}
		case personal(set.GetKind()):
			for _, member := range people.members {
				if member == people.offered {
					continue
				}
				one := n
				one.Kind, one.Member = people.kind, member
				out = append(out, one.named())
			}
		case chat(set.GetKind()) && told:
			n.Kind = people.kind
			if len(people.members) == 1 {
				n.Member = people.members[0]
			}
			out = append(out, n.named())
		default:
			out = append(out, n.named())
		}
	}
	return out
}

// hears says whether a channel is told of events of that name.
func hears(set *deliveryv1.ChannelSet, name string) bool {
	if set.GetRemoved() {
		return false
	}
	switch {
	case customer(set.GetKind()):
		return slices.Contains(recordOn, name)
	case len(set.GetEvents()) == 0:
		return slices.Contains(toldOf, name)
	}
	return slices.Contains(hearable, name) && slices.Contains(set.GetEvents(), name)
}

// disputed says whether an event is of a later body that does not count.
func disputed(body proto.Message) bool {
	b, ok := body.(*leadv1.SubmissionRevised)
	return ok && b.GetConflict()
}

// customer says whether a channel is a customer system: it is written to, not told.
func customer(kind deliveryv1.ChannelKind) bool {
	return kind == deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT || kind == deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE
}

// personal says whether a channel leads to one person.
func personal(kind deliveryv1.ChannelKind) bool {
	return kind == deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE || kind == deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL
}

// chat says whether a channel is a room of people.
func chat(kind deliveryv1.ChannelKind) bool {
	return kind == deliveryv1.ChannelKind_CHANNEL_KIND_SLACK || kind == deliveryv1.ChannelKind_CHANNEL_KIND_TEAMS
}

// noticeID follows from the lead, and from the event, the channel and who is told.
func noticeID(leadID, eventID, channel, member string) string {
	h := sha256.New()
	for _, part := range []string{"baton notice id v1", eventID, channel, member} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return leadID + "-" + lead.ID("", h.Sum(nil))
}

// leadOf is the lead that a notice is about, by the notice's id.
func leadOf(noticeID string) string {
	return noticeID[:max(0, strings.LastIndexByte(noticeID, '-'))]
}

// Delays between the attempts. Systems are tried eight times in three days; a mail
// six times in five and a half hours: what it tells of does not stand for longer.
var (
	systemDelays = []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour, 30 * time.Hour}
	mailDelays   = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour}
)

// longestWait bounds what the other side may ask for.
const longestWait = 24 * time.Hour

// delay is how long after its tries-th failure a notice is tried again; false = it is
// given up. It lies within a twentieth of what the list says, by where the notice's id
// happens to lie, so that what failed together does not come again together.
func delay(kind deliveryv1.ChannelKind, id string, tries int32) (time.Duration, bool) {
	list := systemDelays
	if kind == deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL {
		list = mailDelays
	}
	if tries < 1 || int(tries) > len(list) {
		return 0, false
	}
	d := list[tries-1]
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(tries))
	sum := sha256.Sum256(append([]byte("baton notice jitter v1 "+id), n[:]...))
	place := time.Duration(binary.BigEndian.Uint16(sum[:])) // 0 to 65535
	return (d - d/20 + d/10*place/65536).Truncate(time.Second), true
}

// stands says whether a notice still has something to tell: an offer, or a reminder
// of one, only while the lead is offered to that very person.
func stands(s *lead.State, n *Notice, now time.Time) bool {
	if n.Kind != leadv1.NoticeKind_NOTICE_KIND_OFFER && n.Kind != leadv1.NoticeKind_NOTICE_KIND_REMINDER {
		return true
	}
	return s.State == leadv1.State_STATE_OFFERED && s.Offers == n.Offer && s.OfferedTo == n.Member && now.Before(s.TakeBy)
}

// outcome is what came of an attempt.
type outcome struct {
	// fault is why it failed, as a word; empty = the other side took it.
	fault  string
	status int32
	// delivered says that the other side's word means that it arrived.
	delivered bool
	// after is when the other side wants to be asked again; 0 = it does not say.
	after time.Duration
	// final says that trying again changes nothing.
	final bool
	took  time.Duration
}

// Faults, as NoticeFailed and people name them.
const (
	faultTimeout     = "timeout"
	faultUnreachable = "unreachable"
	faultRefused     = "refused"
	faultStatus      = "status"
	faultRedirect    = "redirect"
	faultPrivate     = "private-address"
	faultTLS         = "tls"
	faultNoAddress   = "no-address"
	faultNoServer    = "no-server"
	faultGone        = "gone"
	faultSuperseded  = "superseded"
	faultUnreadable  = "unreadable"
)

// say is the event that says what came of the next attempt at a notice.
func say(n *Notice, o outcome, now time.Time) proto.Message {
	attempt := n.Attempts + 1
	if o.fault == "" {
		return &leadv1.NoticeSent{NoticeId: n.ID, Attempt: attempt, Status: o.status, Took: durationpb.New(o.took), Delivered: o.delivered}
	}
	failed := &leadv1.NoticeFailed{NoticeId: n.ID, Attempt: attempt, Fault: o.fault, Status: o.status, Took: durationpb.New(o.took)}
	if wait, again := delay(n.Channelled, n.ID, attempt-n.Before); again && !o.final {
		failed.RetryAt = timestamppb.New(now.Add(max(wait, min(o.after, longestWait))))
	}
	return failed
}
