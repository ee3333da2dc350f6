package rest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

// batchPath is SubmitBatch's, as its contract has it.
const batchPath = "/api/v1/submissions:batch"

// maxLine is the longest line of a stream.
const maxLine = 1 << 20

// batches serves SubmitBatch: a line a submission, a line an answer, while more
// submissions come. The generated handler would end in silence at a line that
// cannot be read, as if the sender had ended there.
type batches struct {
	mux    *runtime.ServeMux
	client intakev1.IntakeServiceClient
}

func (b batches) serve(w http.ResponseWriter, r *http.Request, _ map[string]string) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	ctx, err := runtime.AnnotateContext(ctx, b.mux, r, intakev1.IntakeService_SubmitBatch_FullMethodName)
	if err != nil {
		fail(ctx, b.mux, nil, w, r, err)
		return
	}
	out := lines{to: w, flush: http.NewResponseController(w)}
	// A stream that ends before its sender does leaves the connection unfit for
	// another request.
	w.Header().Set("Connection", "close")
	// HTTP/2 is full-duplex by itself and says so by an error here.
	_ = out.flush.EnableFullDuplex()
	stream, err := b.client.SubmitBatch(ctx)
	if err != nil {
		fail(ctx, b.mux, nil, w, r, err)
		return
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		if err := send(stream, r.Body, &out); err != nil {
			cancel()
		}
	})
	// The body must not be read once the answer has ended.
	defer sending.Wait()
	for {
		answer, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			out.start()
			return
		case err != nil:
			cancel()
			out.hangUp()
			if !out.started() {
				fail(ctx, b.mux, nil, w, r, err)
				return
			}
			out.fault(err)
			return
		}
		if out.write("result", answer) != nil {
			cancel()
			out.hangUp()
			return
		}
	}
}

// send hands line after line to the stream. A line that is not a submission is
// answered by its number, and the next one goes on.
func send(stream intakev1.IntakeService_SubmitBatchClient, body io.Reader, out *lines) error {
	in := bufio.NewScanner(body)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for in.Scan() {
		n++
		if len(in.Bytes()) == 0 {
			continue
		}
		req := &intakev1.SubmitBatchRequest{}
		if protojson.Unmarshal(in.Bytes(), req) != nil {
			out.fault(access.Fault(fault.New(fault.Invalid, "line %d is not a submission as this call takes it; /api/openapi.json shows it", n)))
			continue
		}
		if err := stream.Send(req); err != nil {
			return nil //nolint:nilerr // why is what Recv answers
		}
	}
	if err := in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			out.fault(access.Fault(fault.New(fault.Invalid, "line %d is longer than %d bytes; what follows it was not read", n+1, maxLine)))
		} else {
			return err
		}
	}
	return stream.CloseSend()
}

// lines writes JSON lines, one at a time.
type lines struct {
	mu    sync.Mutex
	to    http.ResponseWriter
	flush *http.ResponseController
	begun bool
}

func (l *lines) started() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun
}

// hangUp ends the wait for further lines: nobody would take them.
func (l *lines) hangUp() { _ = l.flush.SetReadDeadline(time.Unix(1, 0)) }

// start says that all is well so far.
func (l *lines) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin()
}

func (l *lines) begin() {
	if !l.begun {
		l.begun = true
		l.to.Header().Set("Content-Type", "application/x-ndjson")
		l.to.WriteHeader(http.StatusOK)
	}
}

func (l *lines) fault(err error) { _ = l.write("error", status.Convert(said(err)).Proto()) }

// write writes one line: {"result": …} or {"error": …}.
func (l *lines) write(name string, m proto.Message) error {
	body, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin()
	line := append([]byte(`{"`+name+`":`), body...)
	if _, err := l.to.Write(append(line, "}\n"...)); err != nil {
		return err
	}
	return l.flush.Flush()
}
