package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type leads struct {
	leadv1.UnimplementedLeadServiceServer
	get   func(context.Context, *leadv1.GetLeadRequest) (*leadv1.Lead, error)
	watch func(grpc.ServerStreamingServer[leadv1.HistoryEntry]) error
}

func (l leads) GetLead(ctx context.Context, r *leadv1.GetLeadRequest) (*leadv1.Lead, error) {
	return l.get(ctx, r)
}

func (l leads) WatchEvents(_ *leadv1.WatchEventsRequest, s grpc.ServerStreamingServer[leadv1.HistoryEntry]) error {
	return l.watch(s)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve runs a server in memory and answers a client that sends the token.
func serve(t *testing.T, d Directory, token string, l leads) (leadv1.LeadServiceClient, *lockedBuffer) {
	t.Helper()
	logged := &lockedBuffer{}
	g := guard{directory: d, logger: slog.New(slog.NewJSONHandler(logged, nil))}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream))
	leadv1.RegisterLeadServiceServer(server, l)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(TokenCredentials{Token: token}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return leadv1.NewLeadServiceClient(conn), logged
}

func TestActorComesFromTheToken(t *testing.T) {
	token := NewToken()
	client, _ := serve(t, NewStatic(token, Actor{Handle: "ana", Roles: []string{Sales}}), token, leads{
		get: func(ctx context.Context, r *leadv1.GetLeadRequest) (*leadv1.Lead, error) {
			a, ok := From(ctx)
			if _, limited := ctx.Deadline(); !ok || !limited {
				return nil, errors.New("no actor, or no deadline")
			}
			return &leadv1.Lead{LeadId: r.GetLeadId(), Owner: a.Handle}, nil
		},
	})
	lead, err := client.GetLead(t.Context(), &leadv1.GetLeadRequest{LeadId: "l1"})
	if err != nil || lead.GetOwner() != "ana" {
		t.Fatalf("got %v, %v", lead, err)
	}
}

func TestRequestsAreHeldAgainstTheirContract(t *testing.T) {
	token := NewToken()
	client, _ := serve(t, NewAdmin(token), token, leads{
		get: func(context.Context, *leadv1.GetLeadRequest) (*leadv1.Lead, error) {
			return nil, errors.New("the handler saw a request that breaks its contract")
		},
	})
	const canary = "canary@person.example"
	_, err := client.GetLead(t.Context(), &leadv1.GetLeadRequest{LeadId: strings.Repeat(canary, 10)})
	s := status.Convert(err)
	if s.Code() != codes.InvalidArgument {
		t.Fatalf("got %v", err)
	}
	var fields []string
	for _, d := range s.Details() {
		if b, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range b.GetFieldViolations() {
				fields = append(fields, v.GetField()+" "+v.GetReason())
			}
		}
	}
	if len(fields) != 1 || fields[0] != "lead_id string.max_len" {
		t.Errorf("fields: %v", fields)
	}
	if !strings.Contains(s.Message(), "lead_id") || strings.Contains(fmt.Sprint(s.Proto()), canary) {
		t.Errorf("message: %v", s.Proto())
	}
	if back := FaultOf(err); !fault.Is(back, fault.Invalid) {
		t.Errorf("the client reads it as %v", fault.Of(back))
	}
}

func TestFaultsCrossTheWire(t *testing.T) {
	token := NewToken()
	var answer error
	client, logged := serve(t, NewAdmin(token), token, leads{
		get: func(context.Context, *leadv1.GetLeadRequest) (*leadv1.Lead, error) { return nil, answer },
	})
	ask := func() error {
		_, err := client.GetLead(t.Context(), &leadv1.GetLeadRequest{LeadId: "l1"})
		return err
	}
	for k := fault.Unknown; k <= fault.Corrupt; k++ {
		answer = fmt.Errorf("on the way: %w", fault.New(k, "lead: l1 is %s: %w", k, errors.New("the cause")))
		err := ask()
		if status.Code(err) != codeOf[k] || status.Code(err) == codes.OK {
			t.Errorf("%s arrives as %v", k, status.Code(err))
		}
		back := FaultOf(err)
		var f *fault.Error
		if !errors.As(back, &f) || f.Kind != k || f.Text != fmt.Sprintf("lead: l1 is %s: the cause", k) {
			t.Errorf("%s comes back as %v %q", k, fault.Of(back), back)
		}
		// A server that asks another one hands the same on.
		if again := Fault(back); status.Code(again) != codeOf[k] {
			t.Errorf("%s is handed on as %v", k, again)
		}
	}
	const canary = "canary@person.example"
	answer = errors.New("cannot parse " + canary)
	if err := ask(); status.Code(err) != codes.Internal || strings.Contains(err.Error(), canary) {
		t.Errorf("a foreign error arrives as %v", err)
	}
	if !strings.Contains(logged.String(), "a call failed") {
		t.Errorf("a foreign error is not in the log:\n%s", logged)
	}
	answer = context.DeadlineExceeded
	if err := ask(); status.Code(err) != codes.DeadlineExceeded || !fault.Is(FaultOf(err), fault.Unavailable) {
		t.Errorf("a time-out arrives as %v", err)
	}
}

func TestFaultOfLeavesOthersAlone(t *testing.T) {
	plain := errors.New("plain")
	if got := FaultOf(plain); !errors.Is(got, plain) || got.Error() != "plain" || FaultOf(nil) != nil || Fault(nil) != nil {
		t.Error("an error that is no status changed")
	}
	if got := FaultOf(status.Error(codes.Unavailable, "connection refused")); !fault.Is(got, fault.Unavailable) || got.Error() != "connection refused" {
		t.Errorf("got %v", got)
	}
}

func TestPanicEndsItsCallAlone(t *testing.T) {
	const canary = "canary@person.example"
	token := NewToken()
	var calls atomic.Int64
	client, logged := serve(t, NewAdmin(token), token, leads{
		get: func(_ context.Context, r *leadv1.GetLeadRequest) (*leadv1.Lead, error) {
			switch calls.Add(1) {
			case 1:
				panic(canary)
			case 2:
				var none []string
				return nil, errors.New(none[len(r.GetLeadId())])
			}
			return &leadv1.Lead{}, nil
		},
		watch: func(grpc.ServerStreamingServer[leadv1.HistoryEntry]) error { panic(canary) },
	})
	for range 2 {
		_, err := client.GetLead(t.Context(), &leadv1.GetLeadRequest{LeadId: "l1"})
		if status.Code(err) != codes.Internal || status.Convert(err).Message() != insideText {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := client.GetLead(t.Context(), &leadv1.GetLeadRequest{LeadId: "l1"}); err != nil {
		t.Fatalf("the call after it: %v", err)
	}
	stream, err := client.WatchEvents(t.Context(), &leadv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Internal {
		t.Fatalf("got %v", err)
	}
	out := logged.String()
	if strings.Contains(out, canary) || strings.Count(out, "a call panicked") != 3 || !strings.Contains(out, "index out of range") {
		t.Errorf("log:\n%s", out)
	}
}

// changing is a directory whose one token can be taken away.
type changing struct {
	Static
	gone atomic.Bool
}

func (c *changing) Lookup(h [32]byte) (Actor, bool) {
	if c.gone.Load() {
		return Actor{}, false
	}
	return c.Static.Lookup(h)
}

func TestStreamEndsWithTheToken(t *testing.T) {
	token := NewToken()
	d := &changing{Static: NewStatic(token, Actor{Handle: "ana", Roles: []string{Sales}})}
	more := make(chan struct{})
	client, _ := serve(t, d, token, leads{watch: func(s grpc.ServerStreamingServer[leadv1.HistoryEntry]) error {
		if a, ok := From(s.Context()); !ok || a.Handle != "ana" {
			return errors.New("no actor")
		}
		if err := s.Send(&leadv1.HistoryEntry{Sequence: 1}); err != nil {
			return err
		}
		<-more
		return s.Send(&leadv1.HistoryEntry{Sequence: 2})
	}})
	stream, err := client.WatchEvents(t.Context(), &leadv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := stream.Recv(); err != nil || e.GetSequence() != 1 {
		t.Fatalf("got %v, %v", e, err)
	}
	d.gone.Store(true)
	close(more)
	if e, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Fatalf("after the token is gone: %v, %v", e, err)
	}
}

func TestCallsOfOneContextCarryItsToken(t *testing.T) {
	token := NewToken()
	client, _ := serve(t, NewStatic(token, Actor{Handle: "ana", Roles: []string{Sales}}), "", leads{
		get: func(context.Context, *leadv1.GetLeadRequest) (*leadv1.Lead, error) { return &leadv1.Lead{}, nil },
	})
	ask := func(ctx context.Context) codes.Code {
		_, err := client.GetLead(ctx, &leadv1.GetLeadRequest{LeadId: "l1"})
		return status.Code(err)
	}
	if got := ask(t.Context()); got != codes.Unauthenticated {
		t.Errorf("without: %v", got)
	}
	if got := ask(WithToken(WithToken(t.Context(), "another"), token)); got != codes.OK {
		t.Errorf("with: %v", got)
	}
}
