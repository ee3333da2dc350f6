package access

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadbaton/baton/services/internal/fault"
)

// domain marks a status that speaks in our kinds.
const domain = "baton"

// codeOf is the one place where kinds become gRPC codes.
var codeOf = map[fault.Kind]codes.Code{
	fault.Unknown:         codes.Unknown,
	fault.Invalid:         codes.InvalidArgument,
	fault.NotFound:        codes.NotFound,
	fault.Denied:          codes.PermissionDenied,
	fault.Unauthenticated: codes.Unauthenticated,
	fault.Conflict:        codes.Aborted,
	fault.State:           codes.FailedPrecondition,
	fault.Unavailable:     codes.Unavailable,
	fault.Full:            codes.ResourceExhausted,
	fault.Corrupt:         codes.DataLoss,
}

// kindOf reads codes that come without a kind, from gRPC itself or from
// something between the two ends.
var kindOf = map[codes.Code]fault.Kind{
	codes.InvalidArgument:    fault.Invalid,
	codes.OutOfRange:         fault.Invalid,
	codes.Unimplemented:      fault.Invalid,
	codes.NotFound:           fault.NotFound,
	codes.PermissionDenied:   fault.Denied,
	codes.Unauthenticated:    fault.Unauthenticated,
	codes.Aborted:            fault.Conflict,
	codes.AlreadyExists:      fault.Conflict,
	codes.FailedPrecondition: fault.State,
	codes.Unavailable:        fault.Unavailable,
	codes.DeadlineExceeded:   fault.Unavailable,
	codes.ResourceExhausted:  fault.Full,
	codes.DataLoss:           fault.Corrupt,
}

// kinds finds a kind by its word.
var kinds = func() map[string]fault.Kind {
	m := make(map[string]fault.Kind, len(codeOf))
	for k := range codeOf {
		m[k.String()] = k
	}
	return m
}()

// insideText is all that a caller hears of an error that nobody classified: its
// text was not written for them and may hold anything.
const insideText = "something went wrong inside; the log of the server says what"

// Fault turns what a handler answers into a gRPC status. A fault keeps its text
// and carries its kind as ErrorInfo; a status stays as it is; anything else is
// Internal and keeps its text to itself.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return withKind(status.New(codeOf[f.Kind], f.Text), f.Kind)
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return withKind(status.New(codes.DeadlineExceeded, "the call took longer than its deadline; try again with more time"), fault.Unavailable)
	case errors.Is(err, context.Canceled):
		return withKind(status.New(codes.Canceled, "the caller gave the call up"), fault.Unavailable)
	}
	return withKind(status.New(codes.Internal, insideText), fault.Unknown)
}

// withKind adds the kind, and what else there is to say.
func withKind(s *status.Status, k fault.Kind, more ...*errdetails.BadRequest) error {
	d, err := s.WithDetails(&errdetails.ErrorInfo{Reason: k.String(), Domain: domain})
	if err != nil {
		return s.Err()
	}
	for _, m := range more {
		if with, err := d.WithDetails(m); err == nil {
			d = with
		}
	}
	return d.Err()
}

// FaultOf is the way back, for clients: a status becomes a fault with its kind
// and text; any other error stays as it is. The status remains its cause.
func FaultOf(err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	kind := kindOf[s.Code()] // Unknown for the rest
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == domain {
			if k, known := kinds[info.GetReason()]; known {
				kind = k
			}
		}
	}
	return &fault.Error{Kind: kind, Text: s.Message(), Cause: err}
}
