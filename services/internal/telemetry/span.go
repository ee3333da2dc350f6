package telemetry

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/leadbaton/baton/services/internal/fault"
)

// active is where spans go; nil = nowhere. A process traces to one place, and
// the last Start names it.
var active atomic.Pointer[tracing]

type tracing struct{ tracer trace.Tracer }

// silent is the span of a process that traces nothing.
var silent trace.Span = noop.Span{}

// StartSpan begins a span and puts it into the context. Whoever begins it ends
// it, best with End. The lead of the context, if any, becomes an attribute.
func StartSpan(ctx context.Context, name string, kind trace.SpanKind, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	t := active.Load()
	if t == nil {
		return ctx, silent
	}
	return t.start(ctx, name, kind, attrs)
}

// start copies the attributes, so that those of a span that is never recorded
// stay on the caller's stack.
func (t *tracing) start(ctx context.Context, name string, kind trace.SpanKind, attrs []attribute.KeyValue) (context.Context, trace.Span) {
	own := make([]attribute.KeyValue, len(attrs), len(attrs)+1)
	copy(own, attrs)
	if id := leadOf(ctx); id != "" {
		own = append(own, KeyLead.String(id))
	}
	return t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(own...))
}

// StartSend begins the span of a publish to a stream: `send <stream>`.
func StartSend(ctx context.Context, stream string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	t := active.Load()
	if t == nil {
		return ctx, silent
	}
	return t.message(ctx, OpSend, stream, trace.SpanKindProducer, attrs)
}

// StartProcess begins the span of working on one message of a stream,
// `process <stream>`, as a child of what the message was sent under.
func StartProcess(ctx context.Context, traceparent, stream, consumer string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	ctx = Extract(ctx, traceparent)
	t := active.Load()
	if t == nil {
		return ctx, silent
	}
	ctx, span := t.message(ctx, OpProcess, stream, trace.SpanKindConsumer, attrs)
	span.SetAttributes(KeyConsumer.String(consumer))
	return ctx, span
}

func (t *tracing) message(ctx context.Context, operation, stream string, kind trace.SpanKind, attrs []attribute.KeyValue) (context.Context, trace.Span) {
	ctx, span := t.start(ctx, operation+" "+stream, kind, attrs)
	span.SetAttributes(KeySystem.String(messagingSystem), KeyOperation.String(operation), KeyDestination.String(stream))
	return ctx, span
}

// End ends a span and says how it went.
func End(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetAttributes(KeyFault.String(fault.Of(err).String()))
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// Link names another trace that a span belongs to as well: where one step works
// for many, such as a record that holds several deliveries.
func Link(span trace.Span, traceparent string) {
	if !span.IsRecording() {
		return
	}
	if sc := trace.SpanContextFromContext(Extract(context.Background(), traceparent)); sc.IsValid() {
		span.AddLink(trace.Link{SpanContext: sc})
	}
}

// w3c is the only propagation: trace context, and no baggage, which would carry
// whatever somebody put into it to everybody.
var w3c propagation.TraceContext

// hop carries the one header that we write and read.
type hop struct{ traceparent string }

const traceparentHeader = "traceparent"

func (h *hop) Get(key string) string {
	if key == traceparentHeader {
		return h.traceparent
	}
	return ""
}

func (h *hop) Set(key, value string) {
	if key == traceparentHeader {
		h.traceparent = value
	}
}

func (h *hop) Keys() []string { return []string{traceparentHeader} }

// Inject answers the traceparent of the context; empty when there is no trace.
func Inject(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	var h hop
	w3c.Inject(ctx, &h)
	return h.traceparent
}

// Extract continues a trace. A traceparent that is empty or broken changes
// nothing.
func Extract(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return w3c.Extract(ctx, &hop{traceparent: traceparent})
}

type leadKey struct{}

// WithLead says which lead the context is about: logs and spans carry its id.
func WithLead(ctx context.Context, leadID string) context.Context {
	return context.WithValue(ctx, leadKey{}, leadID)
}

func leadOf(ctx context.Context) string {
	id, _ := ctx.Value(leadKey{}).(string)
	return id
}
