package access

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/leadbaton/baton/services/internal/fault"
)

// CallLimit is the deadline of a call that names none, so that nothing waits
// for ever. Streams may stay open.
const CallLimit = time.Minute

// UnaryServer recognises the caller, holds the call against Policy and the
// request against its contract, and answers faults as statuses. A panic in a
// handler ends its call alone. It logs with slog.Default.
func UnaryServer(d Directory) grpc.UnaryServerInterceptor { return guard{directory: d}.unary }

// StreamServer does the same for streams, and looks again who the caller is on
// every message that it sends: a stream outlives a person's access by no more
// than one message.
func StreamServer(d Directory) grpc.StreamServerInterceptor { return guard{directory: d}.stream }

type guard struct {
	directory Directory
	logger    *slog.Logger // nil = slog.Default()
}

func (g guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (res any, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, g.panicked(ctx, info.FullMethod, p)
		}
	}()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, CallLimit)
		defer cancel()
	}
	if !open[info.FullMethod] {
		actor, err := g.admit(ctx, info.FullMethod)
		if err != nil {
			return nil, g.answer(ctx, info.FullMethod, err)
		}
		ctx = With(ctx, actor)
		if m, ok := req.(proto.Message); ok {
			if err := Validate(m); err != nil {
				return nil, g.answer(ctx, info.FullMethod, err)
			}
		}
	}
	res, err = handler(ctx, req)
	if err != nil {
		return nil, g.answer(ctx, info.FullMethod, err)
	}
	return res, nil
}

func (g guard) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	ctx := ss.Context()
	defer func() {
		if p := recover(); p != nil {
			err = g.panicked(ctx, info.FullMethod, p)
		}
	}()
	if !open[info.FullMethod] {
		actor, err := g.admit(ctx, info.FullMethod)
		if err != nil {
			return g.answer(ctx, info.FullMethod, err)
		}
		ctx = With(ctx, actor)
		ss = &guarded{ServerStream: ss, ctx: ctx, guard: g, method: info.FullMethod}
	}
	return g.answer(ctx, info.FullMethod, handler(srv, ss))
}

// admit says who calls, or why they may not.
func (g guard) admit(ctx context.Context, method string) (Actor, error) {
	token, ok := bearer(ctx)
	if !ok {
		return Actor{}, fault.New(fault.Unauthenticated, "this call needs a token: send it as `authorization: Bearer <token>` (the command line takes it from --token, BATON_TOKEN or the data directory)")
	}
	actor, ok := g.directory.Lookup(HashToken(token))
	if b, knows := g.directory.(Bearer); !ok && knows {
		actor, ok = b.Bearer(token, method)
	}
	if !ok {
		return Actor{}, fault.New(fault.Unauthenticated, "this token is not known, or no longer: ask a manager or the operator for a new one")
	}
	return actor, Allowed(actor, method)
}

// answer turns an error into a status, and logs what the server is to blame for.
func (g guard) answer(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	out := Fault(err)
	code := status.Code(out)
	switch code {
	case codes.Unknown, codes.Internal, codes.DataLoss:
		g.log().ErrorContext(ctx, "a call failed", "method", method, "code", code.String(), "fault", fault.Of(err).String(), "error", err)
	case codes.PermissionDenied:
		g.log().InfoContext(ctx, "a call was refused", "method", method, "code", code.String())
	}
	return out
}

// panicked answers for a handler that panicked. The caller hears nothing of it,
// and the log nothing of what the panic carried: only our own runtime's errors
// are known to hold no data.
func (g guard) panicked(ctx context.Context, method string, p any) error {
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	g.log().ErrorContext(ctx, "a call panicked", "method", method, "panic", what, "stack", string(debug.Stack()))
	return withKind(status.New(codes.Internal, insideText), fault.Unknown)
}

func (g guard) log() *slog.Logger {
	if g.logger != nil {
		return g.logger
	}
	return slog.Default()
}

// guarded is a stream whose caller is known and whose requests are checked.
type guarded struct {
	grpc.ServerStream
	ctx    context.Context
	guard  guard
	method string
}

func (s *guarded) Context() context.Context { return s.ctx }

func (s *guarded) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if p, ok := m.(proto.Message); ok {
		return Validate(p)
	}
	return nil
}

func (s *guarded) SendMsg(m any) error {
	if _, err := s.guard.admit(s.ctx, s.method); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}
