package ledger

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadbaton/baton/services/internal/clock"
)

// A single desk works in one process at a time, and stands by in the others. The
// server pins the consumer to one of those who ask it; who stops asking loses it.
// That is for speed and quiet alone: two who both think that it is theirs are as
// safe as two desks ever were, since each write names what it has seen.

const (
	// pinGroup is the one group of those who ask a single desk's consumer.
	pinGroup = "one"
	// pinFor is how long the consumer stays with who does not ask any more.
	pinFor = 2500 * time.Millisecond
	// pinAsk is how long one request lasts: who works asks that often, even if
	// nothing comes.
	pinAsk = time.Second
	// pinLook is how often a process looks whom the consumer is pinned to.
	pinLook = 500 * time.Millisecond
	// headerPin is whom a message was handed to.
	headerPin = "Nats-Pin-Id"
)

// turn says whether it is this process's turn to work.
type turn int32

const (
	// turnUnknown: it has not been seen yet whose it is.
	turnUnknown turn = iota
	turnOurs
	turnTheirs
)

// pin is this process's part in a single desk.
type pin struct {
	// id is under which the server knows us, as the last message said.
	id   atomic.Pointer[string]
	turn atomic.Int32
	// taken tells the one who works that the turn is ours now.
	taken chan struct{}
}

// Active says whether the desk works here: always, unless another process does
// and this one stands by.
func (k *Desk) Active() bool { return k.pin == nil || turn(k.pin.turn.Load()) == turnOurs }

// standsBy says whether another process works.
func (k *Desk) standsBy() bool { return k.pin != nil && turn(k.pin.turn.Load()) == turnTheirs }

// single sets up what a single desk's consumer has more than another.
func single(c *jetstream.ConsumerConfig) {
	c.PriorityPolicy, c.PriorityGroups, c.PinnedTTL = jetstream.PriorityPolicyPinned, []string{pinGroup}, pinFor
}

// asks are the options of a single desk's feed.
var asks = []jetstream.PullConsumeOpt{jetstream.PullPriorityGroup(pinGroup), jetstream.PullExpiry(pinAsk), jetstream.PullHeartbeat(pinAsk / 2)}

// handed notes whom a message was handed to: us, and so it is our turn.
func (k *Desk) handed(ctx context.Context, msg jetstream.Msg) {
	if k.pin == nil {
		return
	}
	id := msg.Headers().Get(headerPin)
	if id == "" {
		return
	}
	if before := k.pin.id.Swap(&id); before == nil || *before != id {
		k.takeOver(ctx)
	}
}

// takeOver begins our turn: what the one before held and did not finish is handed
// out at once, and what has fallen due since is looked at.
func (k *Desk) takeOver(ctx context.Context) {
	k.pin.turn.Store(int32(turnOurs))
	k.l.logger.InfoContext(ctx, "it is this process's turn to work", "consumer", k.cfg.Durable)
	if _, err := k.l.js.ResetConsumer(ctx, StreamLedger, k.cfg.Durable); err != nil {
		k.l.logger.WarnContext(ctx, "what the process before held comes again only after a while", "consumer", k.cfg.Durable, "error", err.Error())
	}
	k.busy.Add(1)
	select {
	case k.pin.taken <- struct{}{}:
	default:
		k.busy.Add(-1)
	}
}

// watch looks whose turn it is until the context ends: where nothing comes, no
// message tells.
func (k *Desk) watch(ctx context.Context) {
	for {
		if err := k.seek(ctx); err != nil && ctx.Err() == nil {
			k.l.logger.DebugContext(ctx, "whose turn it is cannot be seen for now", "consumer", k.cfg.Durable, "error", err.Error())
		}
		if clock.Sleep(ctx, clock.Real{}, time.Now().Add(pinLook)) != nil {
			return
		}
	}
}

func (k *Desk) seek(ctx context.Context) error {
	info, err := k.consumer.Info(ctx)
	if err != nil {
		return err
	}
	pinned := ""
	for _, group := range info.PriorityGroups {
		pinned = group.PinnedClientID
	}
	ours := k.pin.id.Load()
	switch {
	case pinned == "" && info.NumPending == 0 && info.Delivered.Stream > 0:
		// Nobody's, and nothing comes that would make it somebody's: what nobody
		// finished is handed out again, or the last one of all, which is done.
		_, err = k.l.js.ResetConsumerToSequence(ctx, StreamLedger, k.cfg.Durable, min(info.AckFloor.Stream+1, info.Delivered.Stream))
		return err
	case pinned == "":
	case ours != nil && pinned == *ours:
		if !k.Active() {
			k.takeOver(ctx)
		}
	default:
		// A message that makes it ours may be on its way: then it says so itself.
		if turn(k.pin.turn.Swap(int32(turnTheirs))) == turnOurs {
			k.l.logger.InfoContext(ctx, "another process works; this one stands by", "consumer", k.cfg.Durable)
		}
	}
	return nil
}

// leave lets another process take over at once.
func (k *Desk) leave(ctx context.Context) {
	if k.pin == nil || !k.Active() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	stream, err := k.l.js.Stream(ctx, StreamLedger)
	if err == nil {
		err = stream.UnpinConsumer(ctx, k.cfg.Durable, pinGroup)
	}
	if err != nil {
		k.l.logger.DebugContext(ctx, "another process takes over only after a while", "consumer", k.cfg.Durable, "error", err.Error())
	}
}
