package ledger

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/leadbaton/baton/services/internal/fault"
)

// together lets what is said while a batch is under way share the next one: a
// batch costs the log the same files and syncs whether it holds two events or
// some hundred, and it takes one after the other anyway. There is no timer: what
// is said while nothing is under way goes out at once.
type together struct {
	// turn is held by whoever publishes.
	turn chan struct{}

	mu    sync.Mutex
	queue []*saying
}

// saying is what one caller says as one.
type saying struct {
	msgs []*nats.Msg
	// last is the sequence of the last message; it and err are set when done
	// closes.
	last uint64
	err  error
	done chan struct{}
}

func newTogether() *together { return &together{turn: make(chan struct{}, 1)} }

// commit publishes messages of LEDGER as one, perhaps in one batch with what
// others say, and answers the sequence of the last one.
func (l *Ledger) commit(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	s := &saying{msgs: msgs, done: make(chan struct{})}
	l.saying.add(s)
	for {
		select {
		case <-s.done:
			return s.last, s.err
		case l.saying.turn <- struct{}{}:
			// Who gives up must not take the others' answer away.
			go func(ctx context.Context) {
				defer func() { <-l.saying.turn }()
				l.publishAll(ctx, l.saying.take())
			}(context.WithoutCancel(ctx))
		case <-ctx.Done():
			if l.saying.withdraw(s) {
				return 0, fault.New(fault.Unavailable, "ledger: the log is busy with what was said before, and nothing of this was sent: %w", ctx.Err())
			}
			return 0, fault.New(fault.Unavailable, "ledger: no answer from the log; what was said may stand or not: %w", ctx.Err())
		}
	}
}

func (t *together) add(s *saying) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = append(t.queue, s)
}

// withdraw takes back what nobody has begun to publish.
func (t *together) withdraw(s *saying) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.Index(t.queue, s)
	if at < 0 {
		return false
	}
	t.queue = slices.Delete(t.queue, at, at+1)
	return true
}

// take takes from the queue what fits one batch. Of two that speak of the same
// subject the later one waits: at best it is right after the earlier one.
func (t *together) take() []*saying {
	t.mu.Lock()
	defer t.mu.Unlock()
	var group, rest []*saying
	subjects, size := map[string]bool{}, 0
	for _, s := range t.queue {
		fits := size+len(s.msgs) <= MaxBatch && !slices.ContainsFunc(s.msgs, func(m *nats.Msg) bool { return subjects[m.Subject] })
		// Subjects of what waits count as well, so that nobody overtakes.
		for _, m := range s.msgs {
			subjects[m.Subject] = true
		}
		if !fits {
			rest = append(rest, s)
			continue
		}
		group, size = append(group, s), size+len(s.msgs)
	}
	t.queue = rest
	return group
}

// publishAll publishes a group as one batch. Where the log refuses it, each is
// asked for alone: one caller's stale fold is not the others'.
func (l *Ledger) publishAll(ctx context.Context, group []*saying) {
	var msgs []*nats.Msg
	for _, s := range group {
		msgs = append(msgs, s.msgs...)
	}
	if len(group) > 1 {
		last, err := l.publish(ctx, msgs)
		if err == nil || !errors.As(err, &refusal{}) {
			// No answer is an answer to nobody.
			for _, s := range slices.Backward(group) {
				s.last, s.err = last, err
				last -= uint64(len(s.msgs))
				close(s.done)
			}
			return
		}
	}
	for _, s := range group {
		s.last, s.err = l.publish(ctx, s.msgs)
		close(s.done)
	}
}
