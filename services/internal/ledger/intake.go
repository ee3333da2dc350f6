package ledger

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Kept is a record of INTAKE that waits to be worked.
type Kept struct {
	Seq    uint64
	Record *intakev1.IntakeRecord
	// Attempts counts the deliveries of this record to a worker.
	Attempts uint64
}

// IntakeWorker works INTAKE: each record is acked when all of its deliveries
// have their outcome in LEDGER, and comes again until then.
type IntakeWorker struct {
	l        *Ledger
	consumer jetstream.Consumer
	busy     atomic.Int64
	stopped  chan struct{}
	oldest   atomic.Int64
	handed   hearing
}

// Intake opens the worker of INTAKE and works until the context ends. handle
// returns nil once every delivery of the records has its outcome in LEDGER.
func (l *Ledger) Intake(ctx context.Context, handle func(context.Context, []Kept) error) (*IntakeWorker, error) {
	consumer, err := l.durable(ctx, StreamIntake, "intake", 30*time.Second, false)
	if err != nil {
		return nil, err
	}
	w := &IntakeWorker{l: l, consumer: consumer, stopped: make(chan struct{})}
	w.handed.hand(consumer.CachedInfo().AckFloor.Stream)
	go func() {
		defer close(w.stopped)
		w.run(ctx, handle)
	}()
	return w, nil
}

// Stopped closes once the worker has finished what it held.
func (w *IntakeWorker) Stopped() <-chan struct{} { return w.stopped }

func (w *IntakeWorker) run(ctx context.Context, handle func(context.Context, []Kept) error) {
	for ctx.Err() == nil {
		in, err := newFeed(ctx, w.consumer, 64)
		if err == nil {
			err = w.take(ctx, in, handle)
			in.stop()
		}
		w.l.again(ctx, StreamIntake, err)
	}
}

// take works records until the feed ends.
func (w *IntakeWorker) take(ctx context.Context, in *feed, handle func(context.Context, []Kept) error) error {
	for {
		msgs, err := in.take(ctx, 16)
		if err != nil {
			return err
		}
		w.busy.Add(1)
		if err := w.handle(ctx, msgs, handle); err != nil {
			w.l.again(ctx, StreamIntake, err)
		}
		w.busy.Add(-1)
	}
}

func (w *IntakeWorker) handle(ctx context.Context, msgs []jetstream.Msg, handle func(context.Context, []Kept) error) error {
	records := make([]Kept, 0, len(msgs))
	for _, msg := range msgs {
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		kept := Kept{Seq: meta.Sequence.Stream, Record: &intakev1.IntakeRecord{}, Attempts: meta.NumDelivered}
		if err := proto.Unmarshal(msg.Data(), kept.Record); err != nil {
			w.l.damage("record %d of INTAKE cannot be decoded: %v", kept.Seq, err)
			return fault.New(fault.Corrupt, "record %d of INTAKE cannot be decoded", kept.Seq)
		}
		w.handed.hand(kept.Seq)
		records = append(records, kept)
		if at := kept.Record.GetDeliveries(); len(at) > 0 && w.oldest.Load() == 0 {
			w.oldest.Store(at[0].GetReceivedAt().AsTime().UnixNano())
		}
	}
	err := handle(ctx, records)
	for _, msg := range msgs {
		if err != nil {
			_ = msg.NakWithDelay(500 * time.Millisecond)
			continue
		}
		_ = msg.Ack()
	}
	if err == nil {
		w.oldest.Store(0)
	}
	return err
}

// Pending counts the records that are not worked yet.
func (w *IntakeWorker) Pending(ctx context.Context) (uint64, error) {
	info, err := w.consumer.Info(ctx)
	if err != nil {
		return 0, unreachable(ctx, err)
	}
	return info.NumPending + uint64(info.NumAckPending), nil
}

// OldestAge is how long the oldest unworked delivery in hand waits; 0 = none.
func (w *IntakeWorker) OldestAge() time.Duration {
	at := w.oldest.Load()
	if at == 0 {
		return 0
	}
	return max(0, w.l.clock.Now().Sub(time.Unix(0, at)))
}

// Idle says whether nothing of INTAKE waits or is in hand.
func (w *IntakeWorker) Idle(ctx context.Context) bool {
	last, err := w.l.Last(ctx, StreamIntake)
	if err != nil || w.busy.Load() != 0 || w.handed.handed.Load() < last {
		return false
	}
	pending, err := w.Pending(ctx)
	return err == nil && pending == 0 && w.busy.Load() == 0
}
