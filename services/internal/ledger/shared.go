package ledger

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// Shared says whether other processes may write to the log as well.
func (l *Ledger) Shared() bool { return l.cfg.URL != "" || l.cfg.Listen != "" }

// Address is where other processes reach the NATS server inside this one; empty
// = they do not.
func (l *Ledger) Address() string {
	if l.srv == nil || l.cfg.Listen == "" {
		return ""
	}
	return l.srv.ClientURL()
}

// Fresh returns once everything is folded that stood in the log when it was
// called: who was answered by another process finds here what they did there.
// Where this process alone writes, nobody is answered before it is folded, and
// there is nothing to wait for.
func (l *Ledger) Fresh(ctx context.Context) error {
	if !l.Shared() || l.ReadOnly() != "" {
		return nil
	}
	last, err := l.Last(ctx, StreamLedger)
	if err != nil {
		return err
	}
	return l.follower.Wait(ctx, last)
}

// Unworked counts what a service has not finished with, wherever it runs; none
// where it never ran.
func (l *Ledger) Unworked(ctx context.Context, stream, service string) (uint64, error) {
	consumer, err := l.js.Consumer(ctx, stream, service)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, unreachable(ctx, err)
	}
	info := consumer.CachedInfo()
	return info.NumPending + uint64(info.NumAckPending), nil
}
