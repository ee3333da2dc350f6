package delivery

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// SubjectChannel is where a channel's events stand.
const SubjectChannel = "org.channel."

// States of a notice, as people read them.
const (
	stateWaiting   = "waiting"
	stateSent      = "sent"
	stateDelivered = "delivered"
	stateOpened    = "opened"
	stateGivenUp   = "given-up"
)

// Channel is one channel as it stands.
type Channel struct {
	Set *deliveryv1.ChannelSet
	// Waiting, Sent and GivenUp count its notices.
	Waiting, Sent, GivenUp int64
	// LastFault is why the last attempt failed; empty = it did not. LastAt is when it
	// was.
	LastFault string
	LastAt    time.Time

	commands []command
	line     line
}

// command is one that was carried out on a channel.
type command struct {
	cause string
	set   *deliveryv1.ChannelSet
}

// rememberedCommands bounds the commands kept of a channel.
const rememberedCommands = 50

// Notice is one message to one person or system.
type Notice struct {
	ID, Lead, Channel, Member string
	// Channelled is the kind of the channel when the notice was called for.
	Channelled         deliveryv1.ChannelKind
	Kind               leadv1.NoticeKind
	EventID, EventType string
	Offer              int32
	// Attempts that were made; Before are those from before it was asked for again.
	Attempts, Before int32
	// Due is when the next attempt is.
	Due time.Time
	// Queued is when it was queued, seq where.
	Queued time.Time
	seq    uint64
	trace  string
	// cause is the event from which it follows that it is queued, position its place
	// among those that this event calls for.
	cause    string
	position int
}

func (n Notice) named() *Notice {
	n.ID = noticeID(n.Lead, n.EventID, n.Channel, n.Member)
	return &n
}

// entry is a notice in the delivery log.
type entry struct {
	id, channel, state string
	seq                uint64
}

// keptEntries is how many ended notices the delivery log over all leads shows of those
// that arrived, and as many of those that were given up. A lead's own are read from
// the log and reach back for ever.
const keptEntries = 20_000

// Book is the fold of what is to be told and what became of it.
type Book struct {
	channels map[string]*Channel
	order    []*Channel // by id

	// pools and offers are those of the leads that sales may hear of.
	pools map[string]place
	// calls are notices that were called for and are not queued yet, by lead.
	calls map[string][]*Notice
	// asked are the leads of calls, the one in front that waits the longest. Those whose
	// calls were queued in another order leave it when they come to the front.
	asked []string
	// waiting are the notices that are queued and not ended.
	waiting map[string]*Notice
	// unopened are the console's notices of offers that nobody has looked at, by lead.
	unopened map[string]*Notice

	// records are those that are to be written, until they are.
	records map[recordKey]*record

	entries         map[string]*entry
	arrived, givenU []*entry
	desk            func()
	// worker is called by whoever reads as well, while it is set; nil = nobody works.
	worker atomic.Pointer[func()]
}

// place is what the fold knows of a lead.
type place struct {
	pool  string
	offer int32
	// ripe says that it was qualified at some time.
	ripe bool
}

// recordKey names the record of a lead on a channel.
type recordKey struct{ lead, channel string }

func (n *Notice) record() recordKey { return recordKey{n.Lead, n.Channel} }

// record is one that is to be written.
type record struct {
	// notice is by which; last is what the newest event calls for that it is to hold.
	notice string
	last   *Notice
	// again is the event which says that it was written without that; empty = none.
	again string
}

// NewBook is the fold of nothing.
func NewBook() *Book {
	return &Book{
		channels: map[string]*Channel{}, pools: map[string]place{}, calls: map[string][]*Notice{}, waiting: map[string]*Notice{}, unopened: map[string]*Notice{},
		records: map[recordKey]*record{}, entries: map[string]*entry{}, desk: func() {},
	}
}

// Apply folds one event.
func (b *Book) Apply(e *ledger.Event) {
	if set, ok := e.Body.(*deliveryv1.ChannelSet); ok {
		b.set(e, set)
		return
	}
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	switch body := e.Body.(type) {
	case *leadv1.NoticeQueued:
		b.queued(e, id, body)
	case *leadv1.NoticeSent:
		b.sent(e, body)
	case *leadv1.NoticeFailed:
		b.failed(e, body)
	case *leadv1.NoticeOpened:
		b.becomes(body.GetNoticeId(), stateOpened)
		if n := b.unopened[id]; n != nil && n.ID == body.GetNoticeId() {
			delete(b.unopened, id)
		}
	case *leadv1.RecordWritten:
		b.recordWritten(e, id, body)
	case *leadv1.NoticeRequested:
		n := noticeOf(id, body)
		n.Attempts, n.Before, n.Due, n.Queued = body.GetAttempts(), body.GetAttempts(), e.Recorded, e.Recorded
		n.seq, n.trace = e.Seq, e.TraceParent
		b.wait(n)
	default:
		b.moved(e, id)
	}
}

func (b *Book) set(e *ledger.Event, set *deliveryv1.ChannelSet) {
	c := b.channels[set.GetChannel()]
	if c == nil {
		c = &Channel{}
		b.channels[set.GetChannel()] = c
		b.order = append(b.order, c)
	}
	c.Set = set
	slices.SortFunc(b.order, func(x, y *Channel) int { return cmp.Compare(x.Set.GetChannel(), y.Set.GetChannel()) })
	if strings.HasPrefix(e.Cause, lead.CommandPrefix) {
		c.commands = append(c.commands, command{e.Cause, set})
		c.commands = c.commands[max(0, len(c.commands)-rememberedCommands):]
	}
	b.look()
}

// noticeOf is a notice as an event that queues it says it.
func noticeOf(leadID string, q interface {
	GetNoticeId() string
	GetChannel() string
	GetMember() string
	GetKind() leadv1.NoticeKind
	GetEventId() string
	GetEventType() string
	GetOffer() int32
},
) *Notice {
	return &Notice{
		ID: q.GetNoticeId(), Lead: leadID, Channel: q.GetChannel(), Member: q.GetMember(), Kind: q.GetKind(),
		EventID: q.GetEventId(), EventType: q.GetEventType(), Offer: q.GetOffer(),
	}
}

func (b *Book) queued(e *ledger.Event, id string, body *leadv1.NoticeQueued) {
	calls := slices.DeleteFunc(b.calls[id], func(n *Notice) bool { return n.ID == body.GetNoticeId() })
	if b.calls[id] = calls; len(calls) == 0 {
		delete(b.calls, id)
	}
	for len(b.asked) > 0 && b.calls[b.asked[0]] == nil {
		b.asked = b.asked[1:]
	}
	n := noticeOf(id, body)
	n.Due, n.Queued, n.seq, n.trace = e.Recorded, e.Recorded, e.Seq, e.TraceParent
	b.wait(n)
	if n.Kind == leadv1.NoticeKind_NOTICE_KIND_OFFER && n.Channelled == deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE {
		b.unopened[id] = n
	}
}

// wait puts a notice into its channel's line.
func (b *Book) wait(n *Notice) {
	c := b.channels[n.Channel]
	if c == nil || b.waiting[n.ID] != nil {
		return
	}
	n.Channelled = c.Set.GetKind()
	b.waiting[n.ID] = n
	c.Waiting++
	if n.Kind == leadv1.NoticeKind_NOTICE_KIND_RECORD && b.records[n.record()] == nil {
		b.records[n.record()] = &record{notice: n.ID, last: n}
	}
	if known := b.entries[n.ID]; known != nil {
		known.state = stateWaiting
	} else {
		b.entries[n.ID] = &entry{id: n.ID, channel: n.Channel, state: stateWaiting, seq: n.seq}
	}
	// What a page shows needs nobody to send it.
	if n.Channelled != deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE {
		c.line.push(n)
		b.look()
	}
}

// end takes a notice out of its line; nil = it is not in one.
func (b *Book) end(id string) (*Notice, *Channel) {
	n := b.waiting[id]
	if n == nil {
		return nil, nil
	}
	c := b.channels[n.Channel]
	delete(b.waiting, id)
	c.line.remove(n)
	c.Waiting--
	return n, c
}

func (b *Book) sent(e *ledger.Event, body *leadv1.NoticeSent) {
	n, c := b.end(body.GetNoticeId())
	if n == nil {
		return
	}
	c.Sent++
	c.LastFault, c.LastAt = "", e.Recorded
	state := stateSent
	if body.GetDelivered() {
		state = stateDelivered
	}
	b.becomes(n.ID, state)
	b.recorded(n)
}

func (b *Book) failed(e *ledger.Event, body *leadv1.NoticeFailed) {
	n := b.waiting[body.GetNoticeId()]
	if n == nil {
		return
	}
	n.Attempts = body.GetAttempt()
	c := b.channels[n.Channel]
	if body.GetFault() != faultSuperseded {
		// Who was overtaken was not asked.
		c.LastFault, c.LastAt = body.GetFault(), e.Recorded
	}
	if body.GetRetryAt() != nil {
		c.line.remove(n)
		n.Due = body.GetRetryAt().AsTime()
		c.line.push(n)
		b.look()
		return
	}
	b.end(n.ID)
	c.GivenUp++
	b.becomes(n.ID, stateGivenUp)
	b.recorded(n)
}

// recordWritten notes which of the lead's events a record holds.
func (b *Book) recordWritten(e *ledger.Event, id string, body *leadv1.RecordWritten) {
	if r := b.records[recordKey{id, body.GetChannel()}]; r != nil && r.last.seq > body.GetAsOfSequence() {
		r.again = e.ID
	}
}

// recorded ends the writing of a record, and calls for the next where the lead moved
// after it was read.
func (b *Book) recorded(n *Notice) {
	r := b.records[n.record()]
	if n.Kind != leadv1.NoticeKind_NOTICE_KIND_RECORD || r == nil || r.notice != n.ID {
		return
	}
	delete(b.records, n.record())
	if r.again != "" {
		next := *r.last
		next.cause, next.position = r.again, 0
		b.call(&next)
	}
}

// newest is the lead's last event that a record is to hold; 0 = it is not to be written.
func (b *Book) newest(n *Notice) uint64 {
	if r := b.records[n.record()]; r != nil {
		return r.last.seq
	}
	return 0
}

// becomes notes the state of a notice that has ended.
func (b *Book) becomes(id, state string) {
	known := b.entries[id]
	if known == nil {
		return
	}
	was := known.state
	known.state = state
	switch {
	case state == stateGivenUp:
		b.givenU = b.forget(append(b.givenU, known))
	case was == stateWaiting:
		b.arrived = b.forget(append(b.arrived, known))
	}
}

// forget lets the oldest of a list go that has grown too long. Halving it at once costs
// less than taking each one from its front.
func (b *Book) forget(list []*entry) []*entry {
	if len(list) <= 2*keptEntries {
		return list
	}
	for _, old := range list[:keptEntries] {
		if old.state != stateWaiting && b.entries[old.id] == old {
			delete(b.entries, old.id)
		}
	}
	return slices.Clone(list[keptEntries:])
}

// moved notes where a lead is and what its event calls for.
func (b *Book) moved(e *ledger.Event, id string) {
	at, known := b.pools[id]
	left := false // sales have nothing to do with it for now
	switch body := e.Body.(type) {
	case *leadv1.LeadQualified:
		at.ripe, known = true, true
	case *leadv1.LeadRefused:
		known = false
	case *leadv1.LeadOffered:
		at.pool, at.offer, known = body.GetPool(), body.GetOffer(), true
		delete(b.unopened, id)
	case *leadv1.LeadQueued:
		at.pool, known = body.GetPool(), true
		delete(b.unopened, id)
	case *leadv1.OfferAccepted, *leadv1.OfferRejected, *leadv1.OfferTimedOut:
		delete(b.unopened, id)
	case *leadv1.LeadReassigned:
		if body.GetReason() == lead.ReasonImported {
			return
		}
		delete(b.unopened, id)
	case *leadv1.LeadNurtured:
		delete(b.unopened, id)
		left, known = true, at.ripe
	case *leadv1.OutcomeRecorded:
		if body.GetHistorical() {
			return
		}
		if k := body.GetKind(); k == leadv1.OutcomeKind_OUTCOME_KIND_WON || k == leadv1.OutcomeKind_OUTCOME_KIND_LOST {
			delete(b.unopened, id)
			known = false
		}
	case *leadv1.LeadReceived:
		if body.GetHistorical() {
			return // what came as history is nobody's news
		}
	}
	calls := callsFor(happened{lead: id, id: e.ID, kind: e.Type, pool: at.pool, offer: at.offer, ripe: at.ripe, body: e.Body}, b.order)
	for i, n := range calls {
		n.trace, n.seq, n.cause, n.position = e.TraceParent, e.Seq, e.ID, i
		b.call(n)
	}
	if left {
		at = place{ripe: at.ripe}
	}
	if known {
		b.pools[id] = at
	} else {
		delete(b.pools, id)
	}
}

// call notes that a notice is called for. A record is called for once until it is written:
// what is written is the lead as it stands then.
func (b *Book) call(n *Notice) {
	if n.Kind == leadv1.NoticeKind_NOTICE_KIND_RECORD {
		if r := b.records[n.record()]; r != nil {
			r.last = n
			return
		}
		b.records[n.record()] = &record{notice: n.ID, last: n}
	}
	if b.calls[n.Lead] == nil {
		b.asked = append(b.asked, n.Lead)
	}
	b.calls[n.Lead] = append(b.calls[n.Lead], n)
	b.desk()
}

// called answers at most so many leads for which something is to be queued, each once.
func (b *Book) called(most int) (ids []string) {
	seen := map[string]bool{}
	for _, id := range b.asked {
		if len(ids) == most {
			break
		}
		if b.calls[id] != nil && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// oldest is when the notice was queued that waits the longest for its first attempt to
// succeed; zero = none waits.
func (b *Book) oldest() (at time.Time) {
	for _, n := range b.waiting { // any order: the least of all
		if c := b.channels[n.Channel]; c.Set.GetPaused() {
			continue
		}
		if at.IsZero() || n.Queued.Before(at) {
			at = n.Queued
		}
	}
	return at
}

// OldestAge is for how long the notice has waited that waits the longest; 0 = none does.
func (b *Book) OldestAge(now time.Time) time.Duration {
	if at := b.oldest(); !at.IsZero() {
		return max(0, now.Sub(at))
	}
	return 0
}

// Nudge says who is called when something is to be queued.
func (b *Book) Nudge(f *ledger.Follower, desk func()) { f.View(func(*ledger.View) { b.desk = desk }) }

// look has the worker look whether something may be sent.
func (b *Book) look() {
	if worker := b.worker.Load(); worker != nil {
		(*worker)()
	}
}

// onWaiting says who is called when something may be sent.
func (b *Book) onWaiting(f *ledger.Follower, look func()) {
	f.View(func(*ledger.View) { b.worker.Store(&look) })
}
