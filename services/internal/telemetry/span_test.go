package telemetry

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/leadbaton/baton/services/internal/fault"
)

func TestTraceparentRoundTrip(t *testing.T) {
	begin(t, Config{Exporter: NewRecorder()})
	ctx, span := StartSpan(t.Context(), "test", trace.SpanKindInternal)
	defer span.End()
	header := Inject(ctx)
	sc := span.SpanContext()
	if want := "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01"; header != want {
		t.Fatalf("got %s, want %s", header, want)
	}
	back := trace.SpanContextFromContext(Extract(context.Background(), header))
	if back.TraceID() != sc.TraceID() || back.SpanID() != sc.SpanID() || !back.IsRemote() || !back.IsSampled() {
		t.Errorf("comes back as %+v", back)
	}
	if again := Inject(Extract(context.Background(), header)); again != header {
		t.Errorf("is handed on as %s", again)
	}
}

func TestBrokenTraceparentChangesNothing(t *testing.T) {
	if got := Inject(context.Background()); got != "" {
		t.Errorf("no trace is written as %q", got)
	}
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if Inject(Extract(context.Background(), good)) != good {
		t.Fatal("a good one is not read")
	}
	for _, bad := range []string{"", "00", strings.ToUpper(good), good[:len(good)-1], good + "-00", "ff" + good[2:], strings.Repeat("0", 55), "\x00", strings.Repeat("a", 1<<16)} {
		if got := Inject(Extract(context.Background(), bad)); got != "" {
			t.Errorf("%.60q is read as %s", bad, got)
		}
	}
}

// A process that traces nothing still hands the trace on.
func TestTraceCrossesASilentProcess(t *testing.T) {
	const header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx, span := StartProcess(context.Background(), header, "LEDGER", "routing")
	defer End(span, errors.New("ignored"))
	ctx, send := StartSend(ctx, "LEDGER")
	defer End(send, nil)
	if got := Inject(ctx); got != header || span.IsRecording() || send.IsRecording() {
		t.Errorf("got %q", got)
	}
}

// walk plays the trace of one lead over two streams.
func walk(t *testing.T, lead string) {
	t.Helper()
	door, post := StartSpan(context.Background(), "receive INTAKE", trace.SpanKindServer, KeyDoor.String("http"))
	door, record := StartSend(door, "INTAKE")
	inRecord := Inject(door)
	End(record, nil)
	End(post, nil)

	work, intake := StartProcess(context.Background(), inRecord, "INTAKE", "intake")
	_, b := StartSpan(WithLead(work, lead), "b", trace.SpanKindInternal)
	_, a := StartSpan(WithLead(work, lead), "a", trace.SpanKindInternal, attribute.String("email", canaryMail))
	a.AddEvent("seen", trace.WithAttributes(attribute.String("phone", canaryPhone), KeyCount.Int(1)))
	End(a, nil)
	End(b, fault.New(fault.Conflict, "somebody was faster"))
	Link(intake, inRecord)
	Link(intake, "broken")
	End(intake, nil)
}

func TestTree(t *testing.T) {
	rec := NewRecorder()
	begin(t, Config{Exporter: rec})
	walk(t, "lead-1")
	walk(t, "lead-2")
	one := strings.Join([]string{
		"receive INTAKE",
		"  send INTAKE",
		"    process INTAKE",
		"      b",
		"      a",
		"",
	}, "\n")
	if got := rec.Tree(); got != one+one {
		t.Errorf("all traces:\n%s", got)
	}
	for _, lead := range []string{"lead-1", "lead-2"} {
		if got := rec.LeadTree(lead); got != one {
			t.Errorf("%s:\n%s", lead, got)
		}
	}
	if got := rec.LeadTree("lead-3"); got != "" {
		t.Errorf("a lead that was never there:\n%s", got)
	}

	by := map[string]Span{}
	for _, s := range rec.Spans() {
		by[s.Name] = s
		for k, v := range s.Attributes {
			if v == canaryMail || v == canaryPhone {
				t.Errorf("%s keeps %s", s.Name, k)
			}
		}
	}
	p := by["process INTAKE"]
	if p.Kind != "consumer" || p.Attributes["messaging.consumer.group.name"] != "intake" || p.Attributes["messaging.system"] != "nats" ||
		p.Attributes["messaging.destination.name"] != "INTAKE" || len(p.Links) != 1 || p.Links[0] != p.TraceID {
		t.Errorf("process: %+v", p)
	}
	if s := by["send INTAKE"]; s.Kind != "producer" || s.ParentID != by["receive INTAKE"].SpanID {
		t.Errorf("send: %+v", s)
	}
	if b := by["b"]; b.Error != "somebody was faster" || b.Attributes["baton.fault"] != "conflict" || b.Attributes["baton.lead.id"] != "lead-2" {
		t.Errorf("b: %+v", b)
	}

	rec.Reset()
	if got := rec.Tree(); got != "" {
		t.Errorf("after a reset:\n%s", got)
	}
}

func TestTreeOrdersByStartThenName(t *testing.T) {
	at := func(name string, start int64, id, parent string) Span {
		return Span{Name: name, TraceID: "t", SpanID: id, ParentID: parent, Start: time.Unix(start, 0)}
	}
	got := render([]Span{
		at("late", 3, "4", "1"), at("y", 2, "3", "1"), at("x", 2, "2", "1"),
		at("orphan", 5, "5", "not collected"), at("root", 1, "1", ""),
	})
	if want := "root\n  x\n  y\n  late\norphan\n"; got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestWait(t *testing.T) {
	rec := NewRecorder()
	begin(t, Config{Exporter: rec})
	go walk(t, "lead-1")
	if err := rec.Wait(t.Context(), func(s []Span) bool { return len(s) == 5 }); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rec.Wait(ended, func([]Span) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSilenceAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		_, span := StartSpan(ctx, "process LEDGER", trace.SpanKindConsumer, KeyStream.String("LEDGER"), KeySequence.Int64(7))
		End(span, nil)
	}); n != 0 {
		t.Errorf("a span that nobody hears of costs %v allocations", n)
	}
}

func BenchmarkStartSpanOff(b *testing.B) {
	ctx := WithLead(context.Background(), "lead-1")
	b.ReportAllocs()
	for b.Loop() {
		_, span := StartSpan(ctx, "process LEDGER", trace.SpanKindConsumer, KeyStream.String("LEDGER"), KeySequence.Int64(7))
		End(span, nil)
	}
}

func BenchmarkStartSpanOn(b *testing.B) {
	rec := &forgetful{}
	begin(b, Config{Exporter: rec})
	ctx := WithLead(context.Background(), "lead-1")
	b.ReportAllocs()
	for b.Loop() {
		_, span := StartSpan(ctx, "process LEDGER", trace.SpanKindConsumer, KeyStream.String("LEDGER"), KeySequence.Int64(7))
		End(span, nil)
	}
}

// forgetful is an exporter that keeps nothing.
type forgetful struct{}

func (*forgetful) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (*forgetful) Shutdown(context.Context) error                             { return nil }
