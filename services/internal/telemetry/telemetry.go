// Package telemetry promises that one can see what the program does, and
// nothing about people. Logs, spans and metrics carry only attributes whose
// names are on a list (names.go); everything else is dropped before it leaves
// the process. Traces are off, and cost next to nothing, until an endpoint is
// set. No other package knows the OpenTelemetry SDK.
package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/leadbaton/baton/services/internal/fault"
)

// flushLimit bounds Shutdown where its context does not: a collector that is
// away must not keep the process.
const flushLimit = 5 * time.Second

// lateLimit is what Shutdown takes when its context has ended before it began.
const lateLimit = 20 * time.Millisecond

// Config says what is told, and to whom. The zero value logs to standard error,
// serves metrics and traces nothing.
type Config struct {
	// Endpoint takes traces and metrics by OTLP over gRPC: `https://host:4317`,
	// `http://host:4317`, or `host:4317` (without TLS). Empty = off. What else
	// the standard OTEL_* names say of exporting is heeded by the SDK.
	Endpoint string
	// Service names this process in logs, traces and metrics; empty = baton.
	Service string
	// Version of the program; may be empty.
	Version string
	// LogFormat is text or json; empty = text on a terminal, otherwise json.
	LogFormat string
	// LogLevel is the lowest level that is logged.
	LogLevel slog.Level
	// LogOutput takes the log; nil = standard error.
	LogOutput io.Writer
	// Exporter gets every span as it ends: for tests, see Recorder.
	Exporter sdktrace.SpanExporter
}

// Telemetry is what a process tells of itself.
type Telemetry struct {
	logger   *slog.Logger
	metrics  *Metrics
	registry *prometheus.Registry
	meters   *sdkmetric.MeterProvider
	traces   *sdktrace.TracerProvider // nil = off
	tracing  *tracing                 // nil = off
	sending  []interface{ Shutdown(context.Context) error }

	stop    sync.Once
	stopErr error
}

// Start begins to tell. It reaches out to nobody: an endpoint that is away
// costs spans, never a start.
func Start(ctx context.Context, cfg Config) (*Telemetry, error) {
	if cfg.Service == "" {
		cfg.Service = "baton"
	}
	if cfg.LogOutput == nil {
		cfg.LogOutput = os.Stderr
	}
	logger, err := newLogger(cfg)
	if err != nil {
		return nil, err
	}
	about := []attribute.KeyValue{attribute.String("service.name", cfg.Service)}
	if cfg.Version != "" {
		about = append(about, attribute.String("service.version", cfg.Version))
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv(), resource.WithAttributes(about...))
	if err != nil {
		return nil, fault.New(fault.Invalid, "telemetry: OTEL_RESOURCE_ATTRIBUTES cannot be used: %w", err)
	}
	to, err := parseEndpoint(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{logger: logger, registry: prometheus.NewRegistry()}
	if err := t.startMetrics(ctx, to, res); err != nil {
		return nil, err
	}
	if err := t.startTraces(ctx, to, cfg.Exporter, res); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

func (t *Telemetry) startMetrics(ctx context.Context, to endpoint, res *resource.Resource) error {
	page, err := promexporter.New(
		promexporter.WithRegisterer(t.registry),
		// Said outright, so that names do not change under the dashboards.
		promexporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		promexporter.WithoutScopeInfo(),
	)
	if err != nil {
		return fault.New(fault.Unknown, "telemetry: the metrics page cannot be made: %w", err)
	}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	opts := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithReader(page)}
	if to.address != "" {
		with := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpoint(to.address)}
		if to.plain {
			with = append(with, otlpmetricgrpc.WithInsecure())
		}
		exporter, err := otlpmetricgrpc.New(ctx, with...)
		if err != nil {
			return fault.New(fault.Invalid, "telemetry: metrics cannot be sent to %s: %w", to.address, err)
		}
		t.sending = append(t.sending, exporter)
		opts = append(opts, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	t.meters = sdkmetric.NewMeterProvider(opts...)
	t.metrics, err = newMetrics(t.meters.Meter(scope))
	if err != nil {
		return errors.Join(fault.New(fault.Unknown, "telemetry: the instruments cannot be made: %w", err), t.meters.Shutdown(ctx))
	}
	return nil
}

func (t *Telemetry) startTraces(ctx context.Context, to endpoint, injected sdktrace.SpanExporter, res *resource.Resource) error {
	if to.address == "" && injected == nil {
		return nil
	}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = 1024
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res), sdktrace.WithRawSpanLimits(limits)}
	if injected != nil {
		opts = append(opts, sdktrace.WithSyncer(listed{injected}))
	}
	if to.address != "" {
		with := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(to.address)}
		if to.plain {
			with = append(with, otlptracegrpc.WithInsecure())
		}
		exporter, err := otlptracegrpc.New(ctx, with...)
		if err != nil {
			return fault.New(fault.Invalid, "telemetry: traces cannot be sent to %s: %w", to.address, err)
		}
		t.sending = append(t.sending, exporter)
		opts = append(opts, sdktrace.WithBatcher(listed{exporter}))
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
			t.logger.WarnContext(ctx, "telemetry cannot be sent", "error", err)
		}))
	}
	t.traces = sdktrace.NewTracerProvider(opts...)
	t.tracing = &tracing{tracer: t.traces.Tracer(scope)}
	active.Store(t.tracing)
	return nil
}

// endpoint is where telemetry is sent; the zero value is nowhere.
type endpoint struct {
	address string
	plain   bool // without TLS
}

func parseEndpoint(text string) (endpoint, error) {
	if text == "" {
		return endpoint{}, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return endpoint{}, fault.New(fault.Invalid, "telemetry: the OTLP endpoint is no address: write http://host:4317, https://host:4317 or host:4317")
	}
	port := u.Port()
	if port == "" {
		port = "4317"
	}
	return endpoint{address: net.JoinHostPort(u.Hostname(), port), plain: u.Scheme == "http"}, nil
}

// Shutdown sends what is still held and ends. It may be called again, and then
// answers what it answered the first time.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.stop.Do(func() {
		limit := flushLimit
		if ctx.Err() != nil {
			// Out of time already: the SDK would not even begin to end.
			ctx, limit = context.WithoutCancel(ctx), lateLimit
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		var errs []error
		if t.traces != nil {
			active.CompareAndSwap(t.tracing, nil)
			errs = append(errs, t.traces.Shutdown(ctx))
		}
		if t.meters != nil {
			errs = append(errs, t.meters.Shutdown(ctx))
		}
		if err := errors.Join(errs...); err != nil {
			// The SDK goes on sending in the background for a while; end that too.
			for _, exporter := range t.sending {
				_ = exporter.Shutdown(ctx) // what it says is said above
			}
			t.stopErr = fault.New(fault.Unavailable, "telemetry: the last spans and figures could not be sent: %w", err)
		}
	})
	return t.stopErr
}

// Logger adds trace_id, span_id and lead_id from the context of a record, and
// drops attributes that are not listed.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Metrics are the instruments of this process.
func (t *Telemetry) Metrics() *Metrics { return t.metrics }

// MetricsHandler serves the figures as Prometheus reads them.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
