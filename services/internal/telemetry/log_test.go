package telemetry

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/leadbaton/baton/services/internal/fault"
)

// contact stands for a message that somebody logs whole.
type contact struct{ Email, Phone string }

func (c contact) String() string { return c.Email + " " + c.Phone }

// revealing resolves to what it should not.
type revealing struct{}

func (revealing) LogValue() slog.Value {
	return slog.GroupValue(slog.String("email", canaryMail), slog.String("code", "404"))
}

func TestLogDropsWhatIsNotListed(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log := begin(t, Config{LogOutput: &out, LogFormat: format}).Logger()
		everybody := contact{Email: canaryMail, Phone: canaryPhone}

		log.Info("plain", "email", canaryMail, "phone", canaryPhone, "body", []byte(canaryMail))
		log.Info("whole values under listed names", "count", everybody, "code", &everybody, "stage", map[string]string{"a": canaryMail}, "bytes", []byte(canaryMail))
		log.Info("groups", slog.Group("person", "email", canaryMail, slog.Group("", "phone", canaryPhone)), slog.Group(canaryMail, "count", 1))
		log.Info("values that explain themselves", "lead", revealing{}, "code", revealing{})
		log.With("email", canaryMail).Info("with")
		log.WithGroup(canaryMail).With("name", canaryPhone).Info("with a group", "count", 1)
		log.Info("names", slog.Int(canaryMail, 1), slog.Any(canaryPhone, 2))
		log.Info("odd", []any{"count", 1, canaryMail}...) // an argument without a value

		got := out.String()
		for _, canary := range []string{canaryMail, canaryPhone, "5550199", "person.example", base64.StdEncoding.EncodeToString([]byte(canaryMail))} {
			if strings.Contains(got, canary) {
				t.Errorf("%s: the log holds %s:\n%s", format, canary, got)
			}
		}
		if n := strings.Count(got, "\n"); n != 8 {
			t.Errorf("%s: %d lines", format, n)
		}
	}
}

func lines(t *testing.T, out *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	d := json.NewDecoder(out)
	for d.More() {
		m := map[string]any{}
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		when, err := time.Parse(time.RFC3339Nano, m["time"].(string))
		if err != nil || when.Location() != time.UTC {
			t.Errorf("time %v, %v", m["time"], err)
		}
		delete(m, "time")
		all = append(all, m)
	}
	return all
}

func TestLogKeepsWhatIsListed(t *testing.T) {
	var out bytes.Buffer
	tel := begin(t, Config{LogOutput: &out, Service: "intake", LogLevel: slog.LevelWarn, Exporter: NewRecorder()})
	log := tel.Logger()
	ctx, span := StartSpan(WithLead(t.Context(), "lead-1"), "test", trace.SpanKindInternal)
	defer span.End()

	log.Info("below the level")
	log.WarnContext(ctx, "in a trace", "sequence", uint64(7), "duration_ms", 1.5, "error", fault.New(fault.Full, "intake: the disk is full"),
		"fault", fault.Full, "addr", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, "services", []string{"intake", "routing"}, "email", canaryMail)
	log.With("lead_id", "lead-2", "secret", "x").WarnContext(ctx, "says itself which lead")
	var none *fault.Error
	log.Warn("nothing behind", "error", error(none), "code", nil)
	log.With("count", 1).With("count", 2).Warn("twice", "service", "routing", "sequence", 1, "sequence", 2)
	log.Warn("foreign", "error", fmt.Errorf("a: %w", errors.New("b")), slog.Group("g", "count", 1))

	sc := span.SpanContext()
	ids := func(m map[string]any) map[string]any {
		m["service"], m["trace_id"], m["span_id"] = "intake", sc.TraceID().String(), sc.SpanID().String()
		return m
	}
	want := []map[string]any{
		ids(map[string]any{
			"level": "WARN", "msg": "in a trace", "sequence": 7.0, "duration_ms": 1.5, "error": "intake: the disk is full", "fault": "full",
			"addr": "127.0.0.1:8080", "services": []any{"intake", "routing"}, "lead_id": "lead-1", "withheld": 1.0,
		}),
		ids(map[string]any{"level": "WARN", "msg": "says itself which lead", "lead_id": "lead-2", "withheld": 1.0}),
		{"level": "WARN", "msg": "nothing behind", "service": "intake", "error": "(*fault.Error without a text)", "code": nil},
		{"level": "WARN", "msg": "twice", "service": "routing", "count": 2.0, "sequence": 2.0},
		{"level": "WARN", "msg": "foreign", "service": "intake", "error": "a: b", "count": 1.0},
	}
	for _, name := range []string{`"service":`, `"count":`, `"sequence":`, `"lead_id":`} {
		for line := range strings.Lines(out.String()) {
			if strings.Count(line, name) > 1 {
				t.Errorf("a record holds %s twice: %s", name, line)
			}
		}
	}
	if diff := cmp.Diff(want, lines(t, &out)); diff != "" {
		t.Error(diff)
	}
}

func TestSubjectKind(t *testing.T) {
	for subject, want := range map[string]string{"lead.abc": "lead", "org.member.ana": "org", "checkpoint": "checkpoint", "": ""} {
		if got := SubjectKind(subject); got != want {
			t.Errorf("%q: %q", subject, got)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	log := begin(b, Config{LogFormat: "json"}).Logger()
	ctx := WithLead(context.Background(), "lead-1")
	b.ReportAllocs()
	for b.Loop() {
		log.InfoContext(ctx, "a message", "stream", "LEDGER", "sequence", 7, "email", canaryMail)
	}
}
