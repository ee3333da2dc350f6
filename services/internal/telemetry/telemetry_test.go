package telemetry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/leadbaton/baton/services/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Strings that stand for what must never leave the process.
const (
	canaryMail  = "canary@person.example"
	canaryPhone = "+49 170 5550199"
)

func begin(t testing.TB, cfg Config) *Telemetry {
	t.Helper()
	if cfg.LogOutput == nil {
		cfg.LogOutput = io.Discard
	}
	tel, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel
}

func TestShutdownMayBeCalledAgain(t *testing.T) {
	rec := NewRecorder()
	first := begin(t, Config{Exporter: rec})
	second := begin(t, Config{Exporter: rec})
	for range 3 {
		if err := first.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// The end of the first is not the end of the second.
	_, span := StartSpan(t.Context(), "still told", trace.SpanKindInternal)
	End(span, nil)
	if err := second.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, span = StartSpan(t.Context(), "told to nobody", trace.SpanKindInternal)
	End(span, nil)
	if got := rec.Tree(); got != "still told\n" {
		t.Errorf("recorded:\n%s", got)
	}
}

func TestStartRefusesWhatItCannotUse(t *testing.T) {
	for _, cfg := range []Config{
		{LogFormat: "xml"},
		{Endpoint: "ftp://collector:4317"},
		{Endpoint: "http://"},
		{Endpoint: "http://[::1"},
	} {
		if _, err := Start(t.Context(), cfg); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	for text, want := range map[string]endpoint{
		"":                       {},
		"localhost:4317":         {"localhost:4317", true},
		"http://collector":       {"collector:4317", true},
		"https://collector:1234": {"collector:1234", false},
		"http://[::1]:4317/":     {"[::1]:4317", true},
	} {
		if got, err := parseEndpoint(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// collector is what OTLP is sent to.
type collector struct {
	tracepb.UnimplementedTraceServiceServer
	mu   sync.Mutex
	seen string
}

func (c *collector) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen += text
}

func (c *collector) Export(_ context.Context, r *tracepb.ExportTraceServiceRequest) (*tracepb.ExportTraceServiceResponse, error) {
	c.add(r.String())
	return &tracepb.ExportTraceServiceResponse{}, nil
}

type metricCollector struct {
	metricspb.UnimplementedMetricsServiceServer
	to *collector
}

func (c metricCollector) Export(_ context.Context, r *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	c.to.add(r.String())
	return &metricspb.ExportMetricsServiceResponse{}, nil
}

func TestEndpointGetsTracesAndMetrics(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	server := grpc.NewServer()
	tracepb.RegisterTraceServiceServer(server, c)
	metricspb.RegisterMetricsServiceServer(server, metricCollector{to: c})
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	tel := begin(t, Config{Endpoint: listener.Addr().String(), Service: "intake"})
	ctx := WithLead(t.Context(), "lead-1")
	_, span := StartSend(ctx, "INTAKE", attribute.String("net.peer.address", canaryMail))
	End(span, nil)
	tel.Metrics().Delivery("accepted")
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, want := range []string{"send INTAKE", "lead-1", "baton.deliveries", "accepted", "intake"} {
		if !strings.Contains(c.seen, want) {
			t.Errorf("%q did not arrive", want)
		}
	}
	if strings.Contains(c.seen, canaryMail) {
		t.Error("an attribute that is not listed arrived")
	}
}

func TestEndpointThatIsAwayCostsNoStart(t *testing.T) {
	// A port that was free a moment ago, and nobody listens on.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	tel, err := Start(t.Context(), Config{Endpoint: address, LogOutput: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the start took %v", took)
	}
	_, span := StartSpan(t.Context(), "lost", trace.SpanKindInternal)
	End(span, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	first := tel.Shutdown(ctx)
	if !fault.Is(first, fault.Unavailable) {
		t.Errorf("the end answers %v", first)
	}
	if again := tel.Shutdown(t.Context()); !errors.Is(again, first) {
		t.Errorf("the second end answers %v", again)
	}

	// Out of time before it begins to end: nothing may be left running (TestMain
	// looks).
	late, err := Start(t.Context(), Config{Endpoint: address, LogOutput: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := late.Shutdown(ctx); ctx.Err() == nil || (err != nil && !fault.Is(err, fault.Unavailable)) {
		t.Errorf("the late end answers %v", err)
	}
}

func TestMetricsPage(t *testing.T) {
	tel := begin(t, Config{})
	m := tel.Metrics()
	m.Delivery("accepted")
	m.Delivery("accepted")
	m.Delivery(canaryMail)
	m.EventsWritten("baton.lead.v1.LeadOffered", 3)
	m.Conflict("routing")
	m.LimitUnknown()
	m.DeadLetter("qualification", fault.Invalid.String())
	m.DoorAck(3 * time.Millisecond)
	m.Assigned(40 * time.Millisecond)
	m.OnConsumerLag("LEDGER", "routing", func() int64 { return 7 })
	m.OnOldestUnworked(func() (time.Duration, bool) { return 90 * time.Second, true })
	stop := m.OnReadOnly(func() bool { return true })
	page := func() string {
		w := httptest.NewRecorder()
		tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != 200 {
			t.Fatalf("status %d:\n%s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	got := page()
	for _, want := range []string{
		`baton_deliveries_total{outcome="accepted"} 2`,
		`baton_deliveries_total{outcome="other"} 1`,
		`baton_events_written_total{type="baton.lead.v1.LeadOffered"} 3`,
		`baton_conflicts_total{service="routing"} 1`,
		`baton_limits_unknown_total 1`,
		`baton_dead_letters_total{fault="invalid",service="qualification"} 1`,
		`baton_door_ack_seconds_bucket{le="0.005"} 1`,
		`baton_lead_received_to_assigned_seconds_count 1`,
		`baton_consumer_lag{consumer="routing",stream="LEDGER"} 7`,
		`baton_delivery_oldest_unworked_seconds 90`,
		`baton_read_only 1`,
		`target_info{`,
		`go_goroutines `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(got, canaryMail) {
		t.Error("a label holds what is no word")
	}
	stop()
	stop()
	if strings.Contains(page(), "\nbaton_read_only ") {
		t.Error("a figure is shown after its end")
	}
}

func TestLabelsAreBounded(t *testing.T) {
	tel := begin(t, Config{})
	for i := range 10 * maxSeries {
		tel.Metrics().Delivery("outcome-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26))
	}
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if n := strings.Count(w.Body.String(), "\nbaton_deliveries_total{"); n > maxSeries+1 || n < maxSeries/2 {
		t.Errorf("%d series", n)
	}
}

func TestNobodyNeedListen(t *testing.T) {
	var m *Metrics
	m.Delivery("accepted")
	m.EventsWritten("a", 1)
	m.Conflict("a")
	m.DeadLetter("a", "b")
	m.DoorAck(time.Second)
	m.Assigned(time.Second)
	for _, stop := range []func(){
		m.OnConsumerLag("a", "b", func() int64 { t.Error("asked"); return 0 }),
		m.OnOldestUnworked(func() (time.Duration, bool) { t.Error("asked"); return 0, false }),
		m.OnReadOnly(func() bool { t.Error("asked"); return false }),
	} {
		stop()
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		tel, err := Start(b.Context(), Config{LogOutput: io.Discard, Endpoint: "127.0.0.1:1"})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		ended, cancel := context.WithCancel(b.Context())
		cancel() // nobody is there to be told
		if err := tel.Shutdown(ended); err != nil && !fault.Is(err, fault.Unavailable) {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkDelivery(b *testing.B) {
	m := begin(b, Config{}).Metrics()
	b.ReportAllocs()
	for b.Loop() {
		m.Delivery("accepted")
	}
}
