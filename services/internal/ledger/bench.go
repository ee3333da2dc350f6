package ledger

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadbaton/baton/services/internal/fault"
)

// streamBench holds what measurements publish. Only a log that is thrown away
// afterwards has it.
const streamBench = "BENCH"

// BenchPublisher is what the log's own writers are measured against: it answers
// a function that publishes one message of so many bytes to a stream set up
// like INTAKE and returns once the server says that it is synced, with nothing
// of ours around it. Many may call it at once.
func (l *Ledger) BenchPublisher(ctx context.Context, size int) (func(context.Context) error, error) {
	want := l.configs()[0]
	want.Name, want.Subjects, want.Description = streamBench, []string{"bench"}, "measurements"
	if _, err := l.js.CreateStream(ctx, want); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil, fault.New(fault.Unavailable, "ledger: cannot make the stream %s: %w", streamBench, err)
	}
	body := make([]byte, size)
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		_, err := l.js.Publish(ctx, "bench", body)
		return err
	}, nil
}
