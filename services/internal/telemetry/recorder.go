package telemetry

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Span is a span that a Recorder has seen end.
type Span struct {
	Name, Kind                string
	TraceID, SpanID, ParentID string // ParentID is empty for the first of a trace
	Start, End                time.Time
	Attributes                map[string]string
	Links                     []string // trace ids
	Error                     string   // empty = went well
}

// Recorder collects spans for tests: give it to Config.Exporter and compare
// what it saw with the tree that should be.
type Recorder struct {
	mu      sync.Mutex
	spans   []Span
	changed chan struct{} // closed at the next span
}

// NewRecorder makes an empty recorder.
func NewRecorder() *Recorder { return &Recorder{changed: make(chan struct{})} }

// ExportSpans collects.
func (r *Recorder) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range spans {
		one := Span{
			Name: s.Name(), Kind: s.SpanKind().String(), Start: s.StartTime(), End: s.EndTime(),
			TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
			Attributes: map[string]string{}, Error: s.Status().Description,
		}
		if s.Parent().SpanID().IsValid() {
			one.ParentID = s.Parent().SpanID().String()
		}
		for _, a := range s.Attributes() {
			one.Attributes[string(a.Key)] = a.Value.String()
		}
		for _, l := range s.Links() {
			one.Links = append(one.Links, l.SpanContext.TraceID().String())
		}
		r.spans = append(r.spans, one)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// Shutdown keeps what was collected.
func (r *Recorder) Shutdown(context.Context) error { return nil }

// Spans answers what was collected, in the order in which it ended.
func (r *Recorder) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Reset forgets what was collected.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = nil
}

// Wait waits until what was collected is enough, or the context ends.
func (r *Recorder) Wait(ctx context.Context, enough func([]Span) bool) error {
	for {
		r.mu.Lock()
		spans, changed := slices.Clone(r.spans), r.changed
		r.mu.Unlock()
		if enough(spans) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Tree writes all traces: a line for each span, its name under that of its
// parent, two spaces deeper; siblings by start, then by name.
func (r *Recorder) Tree() string { return render(r.Spans()) }

// LeadTree writes the one trace that first names a lead; empty when none does.
func (r *Recorder) LeadTree(leadID string) string {
	spans := inOrder(r.Spans())
	i := slices.IndexFunc(spans, func(s Span) bool { return s.Attributes[string(KeyLead)] == leadID })
	if i < 0 {
		return ""
	}
	id := spans[i].TraceID
	return render(slices.DeleteFunc(spans, func(s Span) bool { return s.TraceID != id }))
}

func inOrder(spans []Span) []Span {
	slices.SortStableFunc(spans, func(a, b Span) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Name, b.Name))
	})
	return spans
}

// render takes a span whose parent was not collected for a root.
func render(spans []Span) string {
	spans = inOrder(spans)
	type id struct{ trace, span string }
	seen := map[id]bool{}
	for _, s := range spans {
		seen[id{s.TraceID, s.SpanID}] = true
	}
	children := map[id][]Span{}
	for _, s := range spans {
		parent := id{s.TraceID, s.ParentID}
		if !seen[parent] {
			parent = id{}
		}
		children[parent] = append(children[parent], s)
	}
	var b strings.Builder
	var write func(of id, depth int)
	write = func(of id, depth int) {
		for _, s := range children[of] {
			b.WriteString(strings.Repeat("  ", depth) + s.Name + "\n")
			write(id{s.TraceID, s.SpanID}, depth+1)
		}
	}
	write(id{}, 0)
	return b.String()
}
