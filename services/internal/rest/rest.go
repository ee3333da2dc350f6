// Package rest speaks the contracts of the services as JSON over HTTP, under
// the addresses that the contracts themselves give their methods.
//
// It promises: what is asked here is asked of the services by gRPC, under the
// token that came with the request and nothing else, so that the same people
// may do the same things by either way; an answer is the contract's message as
// JSON; a fault has code, message and details as gRPC has them, with nothing of
// the request repeated in it; and a stream is JSON lines.
package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	contracts "github.com/leadbaton/baton/proto"
	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	agreementgw "github.com/leadbaton/baton/proto/gen/gateway/baton/agreement/v1"
	auditgw "github.com/leadbaton/baton/proto/gen/gateway/baton/audit/v1"
	deliverygw "github.com/leadbaton/baton/proto/gen/gateway/baton/delivery/v1"
	feedbackgw "github.com/leadbaton/baton/proto/gen/gateway/baton/feedback/v1"
	intakegw "github.com/leadbaton/baton/proto/gen/gateway/baton/intake/v1"
	leadgw "github.com/leadbaton/baton/proto/gen/gateway/baton/lead/v1"
	persongw "github.com/leadbaton/baton/proto/gen/gateway/baton/person/v1"
	qualificationgw "github.com/leadbaton/baton/proto/gen/gateway/baton/qualification/v1"
	routinggw "github.com/leadbaton/baton/proto/gen/gateway/baton/routing/v1"
	scoregw "github.com/leadbaton/baton/proto/gen/gateway/baton/score/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

// maxBody is the longest body of a request, as gRPC takes it. A stream is
// bounded by its lines.
const maxBody = 16 << 20

// New serves everything below /api/. The connection must send no token of its
// own.
func New(ctx context.Context, conn grpc.ClientConnInterface) (http.Handler, error) {
	var mux *runtime.ServeMux
	mux = runtime.NewServeMux(
		runtime.WithMiddlewares(probed),
		runtime.WithRoutingErrorHandler(func(ctx context.Context, _ *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
			if code != http.StatusMethodNotAllowed {
				runtime.DefaultRoutingErrorHandler(ctx, mux, m, w, r, code)
				return
			}
			if r.Context().Value(probeKey{}) != nil {
				return
			}
			w.Header().Set("Allow", strings.Join(methods(mux, r), ", "))
			fail(ctx, mux, m, w, r, &runtime.HTTPStatusError{HTTPStatus: code, Err: access.Fault(fault.New(fault.Invalid, "this address does not take %s; the header Allow says what it takes", verb(r.Method)))})
		}),
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: true}}),
		// The token travels by itself; no other header reaches a service.
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithErrorHandler(fail),
		runtime.WithStreamErrorHandler(func(_ context.Context, err error) *status.Status { return status.Convert(said(err)) }),
	)
	intakeClient := intakev1.NewIntakeServiceClient(conn)
	err := errors.Join(
		agreementgw.RegisterAgreementServiceHandlerClient(ctx, mux, agreementv1.NewAgreementServiceClient(conn)),
		auditgw.RegisterAuditServiceHandlerClient(ctx, mux, auditv1.NewAuditServiceClient(conn)),
		deliverygw.RegisterDeliveryServiceHandlerClient(ctx, mux, deliveryv1.NewDeliveryServiceClient(conn)),
		feedbackgw.RegisterFeedbackServiceHandlerClient(ctx, mux, feedbackv1.NewFeedbackServiceClient(conn)),
		feedbackgw.RegisterReportServiceHandlerClient(ctx, mux, feedbackv1.NewReportServiceClient(conn)),
		intakegw.RegisterIntakeServiceHandlerClient(ctx, mux, intakeClient),
		leadgw.RegisterLeadServiceHandlerClient(ctx, mux, leadv1.NewLeadServiceClient(conn)),
		persongw.RegisterPersonServiceHandlerClient(ctx, mux, personv1.NewPersonServiceClient(conn)),
		qualificationgw.RegisterQualificationServiceHandlerClient(ctx, mux, qualificationv1.NewQualificationServiceClient(conn)),
		routinggw.RegisterRoutingServiceHandlerClient(ctx, mux, routingv1.NewRoutingServiceClient(conn)),
		scoregw.RegisterScoreServiceHandlerClient(ctx, mux, scorev1.NewScoreServiceClient(conn)),
		// What is registered later comes first.
		mux.HandlePath(http.MethodPost, batchPath, batches{mux, intakeClient}.serve),
	)
	if err != nil {
		return nil, err
	}
	outer := http.NewServeMux()
	outer.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(contracts.OpenAPI)
	})
	outer.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path != batchPath {
			b := &bounded{ReadCloser: http.MaxBytesReader(w, r.Body, maxBody)}
			r = r.WithContext(context.WithValue(r.Context(), boundedKey{}, b))
			r.Body = b
		}
		mux.ServeHTTP(w, r)
	})
	return outer, nil
}

// bounded is the body of a request, and knows whether it was too long.
type bounded struct {
	io.ReadCloser
	over bool
}

type boundedKey struct{}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.over = b.over || errors.As(err, new(*http.MaxBytesError))
	return n, err
}

// probeKey marks a request that only asks whether anything would take it.
type probeKey struct{}

// probed lets no such request any further.
func probed(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if found, ok := r.Context().Value(probeKey{}).(*bool); ok {
			*found = true
			return
		}
		next(w, r, params)
	}
}

var verbs = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// verb is a method as it may be repeated: one of those that there are.
func verb(method string) string {
	if slices.Contains(verbs, method) {
		return method
	}
	return "this method"
}

// methods are those that an address takes.
func methods(mux *runtime.ServeMux, r *http.Request) (out []string) {
	for _, method := range verbs {
		var found bool
		asked := r.Clone(context.WithValue(r.Context(), probeKey{}, &found))
		asked.Method, asked.Body, asked.Header = method, http.NoBody, make(http.Header)
		if method != r.Method {
			mux.ServeHTTP(nowhere{make(http.Header)}, asked)
		}
		if found {
			out = append(out, method)
		}
	}
	return out
}

// nowhere takes an answer that nobody reads.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// The gateway speaks of what it could not do to the log of its own library, which
// is the process's error output, with parts of requests in it. Whoever asked is
// told by the answer; nobody else is to read it.
var _ = func() bool {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	return true
}()

// fail answers with a fault.
func fail(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	code := 0
	if b, ok := r.Context().Value(boundedKey{}).(*bounded); ok && b.over {
		code, err = http.StatusRequestEntityTooLarge, access.Fault(fault.New(fault.Invalid, "the request is longer than %d MiB; send less at once", maxBody>>20))
	}
	if at := (*runtime.HTTPStatusError)(nil); errors.As(err, &at) {
		code, err = at.HTTPStatus, at.Err
	}
	s := status.Convert(said(err))
	if code == 0 {
		code = runtime.HTTPStatusFromCode(s.Code())
	}
	body, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(s.Proto())
	if err != nil {
		body = []byte("{}")
	}
	h := w.Header()
	if s.Code() == codes.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// Where in a request a decoder found a fault. What it found there is the
// request's own text, and stays out.
var (
	atLine  = regexp.MustCompile(`\(line (\d+:\d+)\)`)
	atField = regexp.MustCompile(`(?:parsing field "|parameter: )([a-z_.]+)`)
)

// said is an error in our own words: what the services answer as it is, and
// what was found wrong on the way to them without what it was found in.
func said(err error) error {
	s := status.Convert(err)
	if len(s.Details()) > 0 {
		return err
	}
	const see = "; /api/openapi.json shows what there is"
	switch s.Code() {
	case codes.InvalidArgument:
		where := ""
		if m := atLine.FindStringSubmatch(s.Message()); m != nil {
			where = " at line " + m[1]
		} else if m := atField.FindStringSubmatch(s.Message()); m != nil {
			where = " in " + m[1]
		}
		return access.Fault(fault.New(fault.Invalid, "the request is not what this call takes%s%s", where, see))
	case codes.NotFound:
		return access.Fault(fault.New(fault.NotFound, "there is nothing at this address%s", see))
	}
	return err
}
