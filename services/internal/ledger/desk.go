package ledger

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// Item is one reason to look at a lead: something happened to it, a clock ran
// out, or somebody commands something.
type Item struct {
	// Lead to look at; empty for events of other subjects and for wake-ups.
	Lead string
	// Seq of the event that brought it; 0 for a clock or a command.
	Seq uint64
	// Type of that event.
	Type string
	// Cause is the id of that event, or the command's.
	Cause string
	// Trace is the trace to continue.
	Trace string
	// Command is what somebody asks for; nil otherwise.
	Command any
	// Actor who commands.
	Actor string
	// Reply is what the handler answers to a command.
	Reply any
	// Err refuses a command.
	Err error

	msg      jetstream.Msg
	attempts uint64
	done     chan struct{}
	said     uint64
}

// Decider answers what should be said about leads. It is called with one
// consistent view, by one goroutine at a time; it says nothing itself.
//
// The question is always the same: look at this lead as it stands; is anything
// of mine still due? A message is only a hint.
type Decider interface {
	// Service is the name that it writes under.
	Service() string
	// Decide looks at every item and answers the drafts of them all. It refuses
	// a command by setting the item's Err.
	Decide(v *View, items []*Item) ([]Draft, error)
	// Due is the next instant after v.Woken at which something falls due; zero =
	// nothing.
	Due(v *View) time.Time
	// Wake answers what has fallen due by v.Now, or became possible by what was
	// folded. It answers only items on which something can be said.
	Wake(v *View) []*Item
}

// DeskConfig sets a desk up.
type DeskConfig struct {
	// Durable names the consumer; empty = commands and clocks only.
	Durable string
	// Subjects of LEDGER that it hears.
	Subjects []string
	// Trace opens a span for a lead about which something is said, as a child of
	// what the item was sent under; nil = none.
	Trace func(lead, traceparent string, began time.Time) (child string, end func(error))
	// Batch is the most items looked at as one; 0 = 300: of four events of a lead
	// one calls for a decision, so that is about a hundred leads a batch.
	Batch int
	// Attempts before a lead that cannot be handled is set aside; 0 = 5.
	Attempts uint64
	// AckWait before an unanswered message comes again; 0 = 30 s.
	AckWait time.Duration
	// Single says that of the processes that have this desk one works, and the
	// others stand by: they fold, they carry commands out, and they hear and wake
	// for nothing until it is their turn.
	Single bool
}

// Desk is where one service works: it takes what came, looks, lets the decider
// decide, says it, waits until it is folded, and acks last.
type Desk struct {
	l        *Ledger
	d        Decider
	cfg      DeskConfig
	commands chan *Item
	notices  chan []*Item
	nudge    chan struct{}
	busy     atomic.Int64
	woken    atomic.Int64
	stopped  chan struct{}
	consumer jetstream.Consumer
	hearing  *hearing
	// pin is whose turn it is; nil = ours alone.
	pin *pin
}

// Desk opens a service's desk and works until the context ends.
func (l *Ledger) Desk(ctx context.Context, d Decider, cfg DeskConfig) (*Desk, error) {
	if cfg.Batch == 0 {
		cfg.Batch = 300
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 5
	}
	if cfg.AckWait == 0 {
		cfg.AckWait = 30 * time.Second
	}
	if cfg.Trace == nil {
		cfg.Trace = func(_, traceparent string, _ time.Time) (string, func(error)) { return traceparent, func(error) {} }
	}
	k := &Desk{l: l, d: d, cfg: cfg, commands: make(chan *Item, 1024), notices: make(chan []*Item), nudge: make(chan struct{}, 1), stopped: make(chan struct{})}
	var group sync.WaitGroup
	if cfg.Durable != "" {
		if cfg.Single && l.Shared() {
			k.pin = &pin{taken: make(chan struct{}, 1)}
		}
		consumer, err := l.durable(ctx, StreamLedger, cfg.Durable, cfg.AckWait, k.pin != nil)
		if err != nil {
			return nil, err
		}
		k.consumer, k.hearing = consumer, l.follower.listen(cfg.Subjects, consumer.CachedInfo().AckFloor.Stream)
		group.Go(func() { k.fetch(ctx) })
	}
	if k.pin != nil {
		group.Go(func() { k.watch(ctx) })
	}
	group.Go(func() { k.work(ctx) })
	// Time has passed since the last process stopped: look at once.
	k.Nudge()
	go func() { group.Wait(); k.leave(ctx); close(k.stopped) }()
	return k, nil
}

// durable creates a consumer that never gives up on a message, or joins it. It
// gets every message of the stream: for a list of subjects the server searches
// all subjects of a block at each message, which costs more with each lead, while
// letting one go that is not wanted costs the same for ever.
func (l *Ledger) durable(ctx context.Context, stream, name string, ackWait time.Duration, one bool) (jetstream.Consumer, error) {
	want := jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
		// With a limit the server skips a message silently after the last try.
		MaxDeliver: -1, MaxAckPending: 2000, DeliverPolicy: jetstream.DeliverAllPolicy,
		// Said and not left out: a consumer of an earlier version, from which the
		// filters are only taken away, is never woken again by a new message.
		FilterSubject: everything,
	}
	if one {
		single(&want)
	}
	consumer, err := l.js.CreateOrUpdateConsumer(ctx, stream, want)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "ledger: cannot open the consumer %s: %w", name, err)
	}
	got := consumer.CachedInfo().Config
	if got.MaxDeliver != -1 || got.AckPolicy != jetstream.AckExplicitPolicy || got.FilterSubject != everything || len(got.FilterSubjects) > 0 {
		return nil, fault.New(fault.Corrupt, "ledger: the consumer %s is not set up as it must be: deliver limit %d, filters %q%q", name, got.MaxDeliver, got.FilterSubject, got.FilterSubjects)
	}
	if one {
		// What a process that died held is handed out by who takes over.
		return consumer, nil
	}
	// What a process that died held is handed out at once, not when its time to
	// ack has run out. Who works on it elsewhere finds it done, or does it first.
	if _, err := l.js.ResetConsumer(ctx, stream, name); err != nil {
		l.logger.WarnContext(ctx, "what a dead process held comes again only after a while", "consumer", name, "error", err.Error())
	}
	return consumer, nil
}

// everything is the filter that fits every subject.
const everything = ">"

// Stopped closes once the desk has finished what it held.
func (k *Desk) Stopped() <-chan struct{} { return k.stopped }

// Do carries a command out: it returns once what follows from it is synced,
// or with the refusal.
func (k *Desk) Do(ctx context.Context, item *Item) (seq uint64, err error) {
	if err := k.l.Fresh(ctx); err != nil {
		return 0, err
	}
	item.done = make(chan struct{})
	k.busy.Add(1)
	select {
	case k.commands <- item:
	case <-ctx.Done():
		k.busy.Add(-1)
		return 0, fault.New(fault.Unavailable, "too much is asked at once; come again: %w", ctx.Err())
	case <-k.stopped:
		k.busy.Add(-1)
		return 0, fault.New(fault.Unavailable, "%s is stopping; come again", k.d.Service())
	}
	select {
	case <-item.done:
		return item.said, item.Err
	case <-k.stopped:
		return 0, fault.New(fault.Unavailable, "%s stopped before it could answer; look before asking again", k.d.Service())
	case <-ctx.Done():
		return 0, fault.New(fault.Unavailable, "no answer in time; look before asking again: %w", ctx.Err())
	}
}

// Nudge makes the desk look at what may have become possible.
func (k *Desk) Nudge() {
	k.busy.Add(1)
	select {
	case k.nudge <- struct{}{}:
	default:
		k.busy.Add(-1)
	}
}

// Idle says whether the desk holds nothing, and nothing is due or waits for it.
func (k *Desk) Idle(ctx context.Context) bool {
	if k.busy.Load() != 0 {
		return false
	}
	if k.standsBy() {
		return true
	}
	if !k.Active() || (k.hearing != nil && k.hearing.behind()) {
		return false
	}
	if due := k.due(); !due.IsZero() && !due.After(k.l.clock.Now()) {
		return false
	}
	pending, err := k.Pending(ctx)
	return err == nil && pending == 0 && k.busy.Load() == 0
}

// Pending counts the events that the desk has not finished with, those among
// them that it will only let go because they are not for it.
func (k *Desk) Pending(ctx context.Context) (uint64, error) {
	if k.consumer == nil {
		return 0, nil
	}
	info, err := k.consumer.Info(ctx)
	if err != nil {
		return 0, unreachable(ctx, err)
	}
	return info.NumPending + uint64(info.NumAckPending), nil
}

// fetch takes what the durable consumer has and hands it to work.
func (k *Desk) fetch(ctx context.Context) {
	var opts []jetstream.PullConsumeOpt
	if k.pin != nil {
		opts = asks
	}
	for ctx.Err() == nil {
		in, err := newFeed(ctx, k.consumer, 2*k.cfg.Batch, opts...)
		if err == nil {
			err = k.take(ctx, in)
			in.stop()
		}
		k.l.again(ctx, StreamLedger, err)
	}
}

// take hands batches on until the feed ends.
func (k *Desk) take(ctx context.Context, in *feed) error {
	for {
		msgs, err := in.take(ctx, k.cfg.Batch)
		if err != nil {
			return err
		}
		k.busy.Add(1)
		var items []*Item
		k.handed(ctx, msgs[len(msgs)-1])
		for _, msg := range msgs {
			items = k.notice(items, msg)
		}
		if len(items) == 0 {
			k.busy.Add(-1)
			continue
		}
		select {
		case k.notices <- items:
		case <-ctx.Done():
			k.busy.Add(-1)
			return ctx.Err()
		}
	}
}

// notice makes an item of a message, or lets it go at once: one of a subject that
// the desk does not hear, one that only says that somebody was told, and what was
// set aside, which is looked at again when the lead moves, not because it was set
// aside.
func (k *Desk) notice(items []*Item, msg jetstream.Msg) []*Item {
	item := notice(msg)
	k.hearing.hand(item.Seq)
	if item.Type == failed || lead.Telling(item.Type) || !k.hearing.hears(msg.Subject()) {
		k.finish([]*Item{item})
		return items
	}
	return append(items, item)
}

const failed = "baton.lead.v1.HandlingFailed"

// rest waits a moment of real time before the log is asked again.
func (k *Desk) rest(ctx context.Context) {
	select {
	case <-time.After(200 * time.Millisecond):
	case <-ctx.Done():
	}
}

func notice(msg jetstream.Msg) *Item {
	item := &Item{msg: msg, Type: msg.Headers().Get(hType), Cause: msg.Headers().Get(hID), Trace: msg.Headers().Get(hTrace)}
	if id, ok := lead.FromSubject(msg.Subject()); ok {
		item.Lead = id
	}
	if meta, err := msg.Metadata(); err == nil {
		item.Seq, item.attempts = meta.Sequence.Stream, meta.NumDelivered
	}
	return item
}

func (k *Desk) due() (at time.Time) {
	if !k.Active() {
		return at
	}
	k.l.follower.View(func(v *View) {
		v.Woken = time.Unix(0, k.woken.Load()).UTC()
		at = k.d.Due(v)
	})
	return at
}

// ready asks the decider what it can do now, and remembers when it was asked.
func (k *Desk) ready() (items []*Item) {
	if !k.Active() {
		return nil
	}
	k.l.follower.View(func(v *View) {
		if items = k.d.Wake(v); len(items) == 0 {
			k.woken.Store(v.Now.UnixNano())
		}
	})
	return items
}

// retry looks once at what was set aside before: the program that runs now may
// be able to handle it.
func (k *Desk) retry(ctx context.Context) {
	var items []*Item
	k.l.follower.View(func(v *View) {
		for _, id := range v.setAside(k.d.Service()) {
			items = append(items, &Item{Lead: id, Cause: fmt.Sprintf("retry:%s:%d", id, v.Place(lead.SubjectOf(id)).Seq), attempts: k.cfg.Attempts})
		}
	})
	for _, item := range items {
		k.alone(ctx, item)
	}
}

// work is the one goroutine that decides. What it has done counts as busy until
// it waits for the instant that is due next: who sees an idle desk and moves a
// virtual clock finds that instant there.
func (k *Desk) work(ctx context.Context) {
	k.busy.Add(1)
	taken := make(<-chan struct{})
	if k.pin == nil {
		k.retry(ctx)
	} else {
		taken = k.pin.taken
	}
	done := int64(1)
	for {
		reached, stop := make(<-chan struct{}), func() {}
		if due := k.due(); !due.IsZero() {
			reached, stop = k.l.clock.Until(due)
		}
		k.busy.Add(-done)
		done = 1
		select {
		case items := <-k.notices:
			k.handle(ctx, items)
		case first := <-k.commands:
			items := []*Item{first}
			for len(items) < k.cfg.Batch && len(k.commands) > 0 {
				items = append(items, <-k.commands)
			}
			k.handle(ctx, items)
			done = int64(len(items))
		case <-reached:
			k.busy.Add(1)
			k.wake(ctx)
		case <-k.nudge:
			k.wake(ctx)
		case <-taken:
			k.retry(ctx)
			k.wake(ctx)
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// wake handles what fell due or became possible until nothing is left.
func (k *Desk) wake(ctx context.Context) {
	for ctx.Err() == nil {
		items := k.ready()
		if len(items) == 0 {
			return
		}
		if len(items) > k.cfg.Batch {
			items = items[:k.cfg.Batch]
		}
		if !k.handle(ctx, items) {
			// Nothing came of it: rest, so that a mistake here costs little.
			k.rest(ctx)
			return
		}
	}
}

// handle looks at items as one batch; what is refused is taken apart. It
// answers whether the log has moved.
func (k *Desk) handle(ctx context.Context, items []*Item) bool {
	var seq uint64
	for _, item := range items {
		seq = max(seq, item.Seq)
	}
	if err := k.l.follower.Wait(ctx, seq); err != nil {
		k.giveBack(items, err)
		return false
	}
	moved, err := k.say(ctx, items)
	for try := 0; try < 3 && fault.Is(err, fault.Conflict) && ctx.Err() == nil; try++ {
		// One of the leads has moved: a second look costs less than a hundred
		// single writes.
		k.refold(ctx)
		moved, err = k.say(ctx, items)
	}
	if err == nil {
		k.finish(items)
		// Where others write as well, what came may have moved more than its lead.
		if moved || k.pin != nil || slices.ContainsFunc(items, wakes) {
			k.after()
		}
		return moved
	}
	if ctx.Err() != nil {
		k.giveBack(items, err)
		return false
	}
	// Taken apart: one lead's trouble is not its neighbours'.
	any := false
	for _, item := range items {
		any = k.alone(ctx, item) || any
	}
	if any {
		k.after()
	}
	return any
}

// wakes says whether an item is about no lead: what it tells, such as an
// agreement that came into force this very instant, may concern any of them.
func wakes(item *Item) bool { return item.Lead == "" && item.Command == nil }

// after gives the decider a chance to use what was just folded.
func (k *Desk) after() {
	if len(k.ready()) > 0 {
		k.Nudge()
	}
}

// alone looks at one item until it is said, refused, or set aside.
func (k *Desk) alone(ctx context.Context, item *Item) bool {
	one := []*Item{item}
	for try := uint64(1); ; try++ {
		moved, err := k.say(ctx, one)
		switch {
		case err == nil:
			k.finish(one)
			return moved
		case ctx.Err() != nil || fault.Is(err, fault.Corrupt):
			k.giveBack(one, err)
			return false
		case fault.Is(err, fault.Unavailable), fault.Is(err, fault.Full):
			// It may stand or not: look again after a moment.
			k.giveBack(one, err)
			k.rest(ctx)
			return false
		case fault.Is(err, fault.Conflict):
			// Somebody was faster: fold what they said, then look again.
			if try > 50 {
				k.giveBack(one, err)
				return false
			}
			k.refold(ctx)
		default:
			if item.Command != nil {
				item.Err = err
				k.finish(one)
				return false
			}
			if max(item.attempts, try) < k.cfg.Attempts {
				continue
			}
			return k.setAside(ctx, item, err)
		}
	}
}

// refold waits until what others have said is folded.
func (k *Desk) refold(ctx context.Context) {
	if last, err := k.l.Last(ctx, StreamLedger); err == nil {
		_ = k.l.follower.Wait(ctx, last)
	}
}

// say decides and writes as one. Nothing is retried here.
func (k *Desk) say(ctx context.Context, items []*Item) (moved bool, err error) {
	var drafts []Draft
	places := map[string]Place{}
	var now time.Time
	began := time.Now()
	for _, item := range items {
		// Only this look counts: an answer of one whose drafts were not taken
		// is none.
		item.Err, item.Reply, item.said = nil, nil, 0
	}
	k.l.follower.View(func(v *View) {
		now = v.Now
		follow(v, items)
		if drafts, err = decide(k.d, v, items); err != nil {
			return
		}
		for i := range drafts {
			drafts[i].Basis = basisOf(drafts[i], v.Basis)
			places[drafts[i].Subject] = v.Place(drafts[i].Subject)
		}
	})
	if err != nil || len(drafts) == 0 {
		return false, err
	}
	end := k.trace(items, drafts, began)
	defer func() { end(err) }()
	events, err := k.l.Say(ctx, k.d.Service(), func(s string) Place { return places[s] }, now, drafts...)
	if err != nil {
		return false, err
	}
	last := events[len(events)-1].Seq
	for _, item := range items {
		if item.Command != nil && item.Err == nil && item.said == 0 {
			item.said = last
			for _, e := range events {
				if item.Cause != "" && e.Cause == item.Cause {
					item.said = e.Seq
					break
				}
			}
		}
	}
	// The next decision sees this one: it is made on a prefix of the log.
	return true, k.l.follower.Wait(ctx, last)
}

// follow lets what is said about a lead follow from the lead's last event, not
// from the message that happened to bring it up: of several, the first to be
// looked at would otherwise be the cause.
func follow(v *View, items []*Item) {
	for _, item := range items {
		if item.Lead == "" {
			continue
		}
		s, err := v.Lead(item.Lead)
		if err != nil || s.ID == "" {
			continue
		}
		// A command is traced as what its caller does.
		if s.LastTrace != "" && (item.Command == nil || item.Trace == "") {
			item.Trace = s.LastTrace
		}
		if item.msg != nil {
			item.Cause = s.LastID
		}
	}
}

// trace opens one span for each lead about which something is said, and lets
// the drafts continue it.
func (k *Desk) trace(items []*Item, drafts []Draft, began time.Time) func(error) {
	from := make(map[string]string, len(items))
	for _, item := range items {
		if item.Lead != "" && from[item.Lead] == "" {
			from[item.Lead] = item.Trace
		}
	}
	type span struct {
		child string
		end   func(error)
	}
	spans := map[string]span{}
	for i := range drafts {
		id, ok := lead.FromSubject(drafts[i].Subject)
		if !ok {
			id = drafts[i].Correlation
		}
		if _, known := from[id]; !known {
			continue
		}
		if _, open := spans[id]; !open {
			child, end := k.cfg.Trace(id, from[id], began)
			spans[id] = span{child, end}
		}
		drafts[i].TraceParent = spans[id].child
	}
	return func(err error) {
		for _, s := range spans {
			s.end(err)
		}
	}
}

// basisOf sets the basis on decisions, and on them only.
func basisOf(d Draft, basis uint64) uint64 {
	if d.Logic == "" {
		return 0
	}
	return basis
}

// decide turns a panic of the decider into a fault of the items.
func decide(d Decider, v *View, items []*Item) (drafts []Draft, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Unknown, "%s cannot handle this: %v at %s", d.Service(), p, origins(debug.Stack()))
		}
	}()
	return d.Decide(v, items)
}

// origins keeps the first lines of a stack, without arguments.
func origins(stack []byte) string {
	if len(stack) > 600 {
		stack = stack[:600]
	}
	return fmt.Sprintf("%q", stack)
}

// finish acks last: what follows from the items is on disk.
func (k *Desk) finish(items []*Item) {
	for _, item := range items {
		if item.msg != nil {
			if err := item.msg.Ack(); err != nil {
				k.l.logger.Debug("an ack was not sent; the message comes again and finds its work done", "error", err.Error())
			}
		}
		if item.done != nil {
			close(item.done)
		}
	}
}

// giveBack lets the items come again; nothing is guessed.
func (k *Desk) giveBack(items []*Item, err error) {
	for _, item := range items {
		if item.msg != nil {
			_ = item.msg.NakWithDelay(500 * time.Millisecond)
		}
		if item.done != nil {
			item.Err = err
			close(item.done)
		}
	}
}

// setAside appends a dead letter that names the fault, and only then lets the
// message go. The lead stays listed and is looked at again when it moves.
func (k *Desk) setAside(ctx context.Context, item *Item, cause error) bool {
	kind := fault.Of(cause).String()
	k.l.cfg.Observer.DeadLetter(k.d.Service(), kind)
	k.l.logger.ErrorContext(ctx, "a lead could not be handled and is set aside", "service", k.d.Service(), "fault", kind, "sequence", item.Seq)
	if item.Lead == "" {
		k.finish([]*Item{item})
		return false
	}
	text := cause.Error()
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	var place Place
	var now time.Time
	listed := false
	k.l.follower.View(func(v *View) {
		place, now = v.Place(lead.SubjectOf(item.Lead)), v.Now
		listed = v.f.failed[item.Lead] == k.d.Service()
	})
	if listed {
		// It is listed already, and nothing has moved since.
		k.finish([]*Item{item})
		return false
	}
	events, err := k.l.Say(ctx, k.d.Service(), func(string) Place { return place }, now, Draft{
		Subject: lead.SubjectOf(item.Lead), Cause: item.Cause, Position: 99, TraceParent: item.Trace,
		Body: &leadv1.HandlingFailed{Service: k.d.Service(), Fault: kind, Text: text, Attempts: max(item.attempts, k.cfg.Attempts)},
	})
	if err != nil {
		k.giveBack([]*Item{item}, err)
		return false
	}
	_ = k.l.follower.Wait(ctx, events[0].Seq)
	k.finish([]*Item{item})
	return true
}

// Settle returns once every desk is idle on everything that was ever written.
// Tests and the demo's virtual clock step by it.
func (l *Ledger) Settle(ctx context.Context, idle ...func(context.Context) bool) error {
	for calm := 0; calm < 2; {
		if err := ctx.Err(); err != nil {
			return err
		}
		last, err := l.Last(ctx, StreamLedger)
		if err != nil {
			return err
		}
		if err := l.follower.Wait(ctx, last); err != nil {
			return err
		}
		quiet := true
		for _, f := range idle {
			quiet = quiet && f(ctx)
		}
		again, err := l.Last(ctx, StreamLedger)
		if err != nil {
			return err
		}
		if quiet && again == last {
			calm++
			continue
		}
		calm = 0
		if err := clock.Sleep(ctx, clock.Real{}, time.Now().Add(500*time.Microsecond)); err != nil {
			return err
		}
	}
	return nil
}

// Answer answers a command that had been carried out before.
func (item *Item) Answer(seq uint64) { item.said = seq }

// Write decides and writes until it stands: for services that are not led by
// a desk. decide sees one consistent prefix and may be called several times;
// it answers nothing to say when there is nothing left to do.
func (l *Ledger) Write(ctx context.Context, service string, decide func(v *View) ([]Draft, error)) ([]*Event, error) {
	for try := 1; ; try++ {
		var drafts []Draft
		var now time.Time
		var err error
		places := map[string]Place{}
		l.follower.View(func(v *View) {
			now = v.Now
			drafts, err = decide(v)
			for i := range drafts {
				drafts[i].Basis = basisOf(drafts[i], v.Basis)
				places[drafts[i].Subject] = v.Place(drafts[i].Subject)
			}
		})
		if err != nil || len(drafts) == 0 {
			return nil, err
		}
		events, err := l.Say(ctx, service, func(s string) Place { return places[s] }, now, drafts...)
		if err == nil {
			return events, l.follower.Wait(ctx, events[len(events)-1].Seq)
		}
		if !fault.Is(err, fault.Conflict) || try == 50 {
			return nil, err
		}
		last, err := l.Last(ctx, StreamLedger)
		if err != nil {
			return nil, err
		}
		if err := l.follower.Wait(ctx, last); err != nil {
			return nil, err
		}
	}
}
