package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// listed passes spans on with the attributes that are listed, whoever set them.
type listed struct{ sdktrace.SpanExporter }

// ExportSpans strips and passes on.
func (l listed) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	out := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		out[i] = strip(s)
	}
	return l.SpanExporter.ExportSpans(ctx, out)
}

func unlisted(kv attribute.KeyValue) bool { return !spanKeys[kv.Key] }

func stripAttributes(attrs []attribute.KeyValue) []attribute.KeyValue {
	if !slices.ContainsFunc(attrs, unlisted) {
		return attrs
	}
	return slices.DeleteFunc(slices.Clone(attrs), unlisted)
}

func strip(s sdktrace.ReadOnlySpan) sdktrace.ReadOnlySpan {
	out := stripped{ReadOnlySpan: s, attributes: stripAttributes(s.Attributes()), events: slices.Clone(s.Events()), links: slices.Clone(s.Links())}
	for i := range out.events {
		out.events[i].Attributes = stripAttributes(out.events[i].Attributes)
	}
	for i := range out.links {
		out.links[i].Attributes = stripAttributes(out.links[i].Attributes)
	}
	return out
}

// stripped is a span without what is not listed.
type stripped struct {
	sdktrace.ReadOnlySpan
	attributes []attribute.KeyValue
	events     []sdktrace.Event
	links      []sdktrace.Link
}

func (s stripped) Attributes() []attribute.KeyValue { return s.attributes }
func (s stripped) Events() []sdktrace.Event         { return s.events }
func (s stripped) Links() []sdktrace.Link           { return s.links }
