package ledger

import (
	"context"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// feed is a durable consumer's messages as they come, taken in batches: what has
// come already is worked as one, and a lonely message never waits for company.
type feed struct {
	msgs   chan jetstream.Msg
	closed <-chan struct{}
	stop   func()
}

// newFeed opens a consumer's feed; most is how much it holds ahead, and opts are
// how it asks besides.
func newFeed(ctx context.Context, consumer jetstream.Consumer, most int, opts ...jetstream.PullConsumeOpt) (*feed, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{msgs: make(chan jetstream.Msg, most)}
	in, err := consumer.Consume(func(msg jetstream.Msg) {
		select {
		case f.msgs <- msg:
		case <-ctx.Done():
		}
	}, append(slices.Clone(opts), jetstream.PullMaxMessages(most))...)
	if err != nil {
		cancel()
		return nil, err
	}
	f.closed = in.Closed()
	f.stop = func() { cancel(); in.Stop() }
	return f, nil
}

// take waits for a message and answers it with those that have come as well.
func (f *feed) take(ctx context.Context, most int) ([]jetstream.Msg, error) {
	var msgs []jetstream.Msg
	select {
	case msg := <-f.msgs:
		msgs = append(msgs, msg)
	case <-f.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(msgs) < most {
		select {
		case msg := <-f.msgs:
			msgs = append(msgs, msg)
		default:
			return msgs, nil
		}
	}
	return msgs, nil
}
