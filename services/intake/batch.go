package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"google.golang.org/grpc"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

// batchInFlight is how many submissions of one stream may be on their way to
// disk or to their sender: two of the door's records, so that one fills while
// the other is synced. A sender that goes on waits for the stream.
const batchInFlight = 512

// SubmitBatch keeps the submissions of a stream, many at a time, and answers
// each once it is on disk. What is wrong with one is said of that one alone.
func (s *Server) SubmitBatch(stream grpc.BidiStreamingServer[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse]) error {
	b := &batch{
		server: s, stream: stream,
		slots:   make(chan struct{}, batchInFlight),
		answers: make(chan *intakev1.SubmitBatchResponse, batchInFlight),
	}
	received := make(chan error, 1)
	go func() { received <- b.receive(stream.Context()) }()

	var end error
	var done <-chan struct{}
	draining := s.Draining
	for {
		select {
		case answer := <-b.answers:
			if err := b.send(answer); err != nil {
				return err
			}
			continue
		case end = <-received:
		case <-draining:
			end = fault.New(fault.Unavailable, "the server stops; send again what was not answered")
		case <-done:
			return errors.Join(b.flush(), end)
		}
		// Nothing more is taken; what is in flight is still answered.
		received, draining, done = nil, nil, b.close()
	}
}

// batch is one stream of submissions.
type batch struct {
	server *Server
	stream grpc.BidiStreamingServer[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse]

	// slots are taken before a submission is worked and given back when its
	// answer has left, so that answers never finds its buffer full.
	slots   chan struct{}
	answers chan *intakev1.SubmitBatchResponse

	mu       sync.Mutex
	closed   bool
	inFlight sync.WaitGroup
}

// receive takes submissions until the sender ends, and starts each.
func (b *batch) receive(ctx context.Context) error {
	for {
		// Not stream.Recv: what breaks its contract is answered by its index.
		req := &intakev1.SubmitBatchRequest{}
		bad := b.stream.RecvMsg(req)
		switch {
		case errors.Is(bad, io.EOF):
			return nil
		case bad != nil && !fault.Is(access.FaultOf(bad), fault.Invalid):
			return bad
		}
		select {
		case b.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !b.begin() {
			return nil
		}
		go func() {
			defer b.inFlight.Done()
			b.answers <- b.server.item(ctx, req, bad)
		}()
	}
}

// begin counts one more submission in flight, unless the stream takes no more.
func (b *batch) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.inFlight.Add(1)
	}
	return !b.closed
}

// close takes no more; the channel that it answers closes when nothing is in
// flight.
func (b *batch) close() <-chan struct{} {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		b.inFlight.Wait()
		close(done)
	}()
	return done
}

func (b *batch) send(answer *intakev1.SubmitBatchResponse) error {
	defer func() { <-b.slots }()
	return b.stream.Send(answer)
}

// flush sends the answers that are there.
func (b *batch) flush() error {
	for {
		select {
		case answer := <-b.answers:
			if err := b.send(answer); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// item is the answer to one submission. bad is what its contract says against
// it, if anything.
func (s *Server) item(ctx context.Context, req *intakev1.SubmitBatchRequest, bad error) (answer *intakev1.SubmitBatchResponse) {
	answer = &intakev1.SubmitBatchResponse{Index: req.GetIndex()}
	defer func() {
		if p := recover(); p != nil {
			bad = fmt.Errorf("%T", p)
		}
		if bad == nil {
			return
		}
		if said := fault.Of(bad); said == fault.Unknown {
			slog.ErrorContext(ctx, "a submission of a stream broke", "error", bad)
		}
		bad = access.FaultOf(access.Fault(bad))
		answer.Accepted, answer.Fault, answer.Text = nil, fault.Of(bad).String(), bad.Error()
	}()
	if bad == nil {
		answer.Accepted, bad = s.Submit(ctx, req.GetItem())
	}
	return answer
}
