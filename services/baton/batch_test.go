package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// dial reaches a running process as another program would.
func (h *house) dial() *grpc.ClientConn {
	h.t.Helper()
	conn := must[*grpc.ClientConn](h.t)(grpc.NewClient(h.GRPCAddr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(access.TokenCredentials{Token: h.admin})))
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// numbered is submission n of a sender of ours.
func numbered(n int) *intakev1.SubmitRequest {
	return &intakev1.SubmitRequest{Source: "web", IdempotencyKey: fmt.Sprintf("n-%d", n), Submission: &intakev1.Submission{
		Personal: &leadv1.PersonalData{Email: fmt.Sprintf("ada@maschinen-%d.example", n), Name: "Ada Example", Company: fmt.Sprintf("Maschinen %d AG", n)},
		Features: &leadv1.Features{Country: "DE", Employees: 80},
	}}
}

// batch sends items and answers what came back, by index.
func batch(t *testing.T, client intakev1.IntakeServiceClient, items ...*intakev1.SubmitBatchRequest) map[int64]*intakev1.SubmitBatchResponse {
	t.Helper()
	stream, err := client.SubmitBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers := map[int64]*intakev1.SubmitBatchResponse{}
	var reading sync.WaitGroup
	var ended error
	reading.Go(func() {
		for {
			answer, err := stream.Recv()
			if err != nil {
				ended = err
				return
			}
			if answers[answer.GetIndex()] != nil {
				t.Errorf("item %d was answered twice", answer.GetIndex())
			}
			answers[answer.GetIndex()] = answer
		}
	})
	for _, item := range items {
		if err := stream.Send(item); err != nil {
			t.Error(err)
			break
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	reading.Wait()
	if ended != io.EOF { //nolint:errorlint // gRPC answers io.EOF itself
		t.Fatalf("the stream ended with %v", ended)
	}
	return answers
}

func TestBatchAnswersEachItem(t *testing.T) {
	h := start(t, Config{})
	client := intakev1.NewIntakeServiceClient(h.dial())
	const good = 400
	var items []*intakev1.SubmitBatchRequest
	for n := range good {
		items = append(items, &intakev1.SubmitBatchRequest{Index: int64(n), Item: numbered(n)})
	}
	unnamed, nowhere, strange := numbered(1), numbered(2), numbered(3)
	unnamed.IdempotencyKey, nowhere.Source = "", "nowhere"
	strange.Submission.Features.Country = "Germany"
	bad := map[int64]*intakev1.SubmitRequest{5000: unnamed, 5001: nowhere, 5002: strange, 5003: nil}
	want := map[int64]fault.Kind{5000: fault.Invalid, 5001: fault.NotFound, 5002: fault.Invalid, 5003: fault.Invalid}
	for index, item := range bad {
		// Among the good ones, where they could do harm.
		items = append(items[:200:200], append([]*intakev1.SubmitBatchRequest{{Index: index, Item: item}}, items[200:]...)...)
	}
	answers := batch(t, client, items...)
	same(t, "answers", len(answers), good+len(bad))
	for index, kind := range want {
		a := answers[index]
		if a.GetFault() != kind.String() || a.GetText() == "" || a.GetAccepted() != nil {
			t.Errorf("item %d: %v, want %s", index, a, kind)
		}
	}
	for n := range good {
		a := answers[int64(n)]
		if a.GetFault() != "" || a.GetAccepted().GetLeadId() == "" {
			t.Fatalf("item %d: %v", n, a)
		}
	}
	h.settle()
	same(t, "leads", must[int](t)(h.received()), good)

	// One that is sent again is answered as it was, and is no second lead.
	again := batch(t, client, items[:150]...)
	for index, a := range again {
		same(t, "the lead of a repeat", a.GetAccepted().GetLeadId(), answers[index].GetAccepted().GetLeadId())
	}
	one := must[*intakev1.SubmitResponse](t)(client.Submit(t.Context(), numbered(1)))
	same(t, "the lead of one by itself", one.GetLeadId(), answers[1].GetAccepted().GetLeadId())
	h.settle()
	same(t, "leads after repeats", must[int](t)(h.received()), good)
	same(t, "what happened to a repeated one", h.types("lead." + one.GetLeadId())[:2], []string{"LeadReceived", "PersonAttached"})
}

// received counts the leads in the log.
func (h *house) received() (leads int, err error) {
	last, err := h.log.Last(h.t.Context(), ledger.StreamLedger)
	if err != nil {
		return 0, err
	}
	err = h.log.Read(h.t.Context(), ledger.StreamLedger, 1, last, func(r *ledger.Record) error {
		e, err := r.Decode()
		if err == nil {
			if _, ok := e.Body.(*leadv1.LeadReceived); ok {
				leads++
			}
		}
		return err
	}, func(seq uint64, why string) error { return fmt.Errorf("record %d: %s", seq, why) })
	return leads, err
}

// A stream that is open when the process stops hears of it, with everything
// that it brought answered.
func TestBatchEndsWhenTheServerStops(t *testing.T) {
	h := start(t, Config{})
	client := intakev1.NewIntakeServiceClient(h.dial())
	stream := must[grpc.BidiStreamingClient[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse]](t)(client.SubmitBatch(t.Context()))
	for n := range 20 {
		if err := stream.Send(&intakev1.SubmitBatchRequest{Index: int64(n), Item: numbered(n)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if a := must[*intakev1.SubmitBatchResponse](t)(stream.Recv()); a.GetAccepted() == nil {
			t.Fatalf("got %v", a)
		}
	}
	began := time.Now()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		h.stop()
	}()
	_, err := stream.Recv()
	if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "the server stops; send again what was not answered" {
		t.Errorf("the stream ended with %v", err)
	}
	<-stopped
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("an open stream held the stop up for %s", took)
	}
}

// A sender that reads no answers is stopped, not buffered without end.
func TestBatchWaitsForItsReader(t *testing.T) {
	h := start(t, Config{})
	client := intakev1.NewIntakeServiceClient(h.dial())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := must[grpc.BidiStreamingClient[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse]](t)(client.SubmitBatch(ctx))
	var sent atomic.Int64
	done := make(chan struct{})
	// A bad item costs nothing but its answer; this one fills the line quickly.
	item := numbered(1)
	item.IdempotencyKey, item.Submission.Personal.Message = "", strings.Repeat("m", 4096)
	const many = 200_000
	go func() {
		defer close(done)
		for n := range int64(many) {
			if stream.Send(&intakev1.SubmitBatchRequest{Index: n, Item: item}) != nil {
				return
			}
			sent.Store(n)
		}
	}()
	// It stands still, and far from the end.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for before := int64(-1); before != sent.Load(); {
		before = sent.Load()
		select {
		case <-done:
			t.Fatalf("%d items were taken from a sender that reads nothing", many)
		case <-tick.C:
		}
	}
	// Besides those on their way, the answers and items that fit into the line.
	if n := sent.Load(); n > 10_000 {
		t.Errorf("%d items were taken before the sender was stopped", n)
	}
	cancel()
	<-done
}

func TestBatchNeedsAToken(t *testing.T) {
	h := start(t, Config{})
	client := intakev1.NewIntakeServiceClient(h.conn)
	for name, ctx := range map[string]context.Context{"none": t.Context(), "unknown": access.WithToken(t.Context(), access.NewToken())} {
		stream := must[grpc.BidiStreamingClient[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse]](t)(client.SubmitBatch(ctx))
		if _, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}
