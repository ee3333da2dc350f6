package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/leadbaton/baton/services/internal/fault"
)

func newLogger(cfg Config) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: inUTC}
	var to slog.Handler
	switch cfg.LogFormat {
	case "":
		if terminal(cfg.LogOutput) {
			to = slog.NewTextHandler(cfg.LogOutput, opts)
		} else {
			to = slog.NewJSONHandler(cfg.LogOutput, opts)
		}
	case "text":
		to = slog.NewTextHandler(cfg.LogOutput, opts)
	case "json":
		to = slog.NewJSONHandler(cfg.LogOutput, opts)
	default:
		return nil, fault.New(fault.Invalid, "telemetry: the log format %q is not known: write text or json, or nothing", cfg.LogFormat)
	}
	return slog.New(&handler{to: to, with: []slog.Attr{slog.String(logService, cfg.Service)}}), nil
}

// inUTC writes the time of a record as the log of leads does.
func inUTC(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// handler keeps what is listed and drops the rest. Groups are written flat: the
// list is of names, and one name means one thing everywhere. Of two attributes
// with one name the later counts, so that no record holds a name twice.
type handler struct {
	to       slog.Handler
	with     []slog.Attr
	withheld int // attributes of With that were dropped
}

// Enabled asks the handler behind.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level)
}

// Handle writes what is listed, and whose trace and lead it is. How many
// attributes were dropped is told, so that a missing one is noticed.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	k := h.keeper(r.NumAttrs() + 4)
	r.Attrs(func(a slog.Attr) bool {
		k.take(a)
		return true
	})
	if id := leadOf(ctx); id != "" && k.index(logLead) < 0 {
		k.take(slog.String(logLead, id))
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		k.take(slog.String(logTrace, sc.TraceID().String()))
		k.take(slog.String(logSpan, sc.SpanID().String()))
	}
	if k.withheld > 0 {
		k.kept = append(k.kept, slog.Int(logWithheld, k.withheld))
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(k.kept...)
	return h.to.Handle(ctx, out)
}

// WithAttrs keeps what is listed.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	k := h.keeper(len(attrs))
	for _, a := range attrs {
		k.take(a)
	}
	return &handler{to: h.to, with: k.kept, withheld: k.withheld}
}

// WithGroup writes flat.
func (h *handler) WithGroup(string) slog.Handler { return h }

// keeper sorts attributes into kept and withheld.
type keeper struct {
	kept     []slog.Attr
	withheld int
}

// keeper begins with what With has said, and room for more.
func (h *handler) keeper(more int) keeper {
	return keeper{kept: append(make([]slog.Attr, 0, len(h.with)+more), h.with...), withheld: h.withheld}
}

func (k *keeper) index(key string) int {
	return slices.IndexFunc(k.kept, func(a slog.Attr) bool { return a.Key == key })
}

func (k *keeper) take(a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, member := range v.Group() {
			k.take(member)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	if !logKeys[a.Key] {
		k.withheld++
		return
	}
	a.Value = plain(v)
	if i := k.index(a.Key); i >= 0 {
		k.kept[i] = a
		return
	}
	k.kept = append(k.kept, a)
}

// plain lets through values that can be read at a glance. A struct or a message
// under a listed name could hold anything, so only its type is told.
func plain(v slog.Value) slog.Value {
	if v.Kind() != slog.KindAny {
		return v
	}
	switch x := v.Any().(type) {
	case nil:
		return v
	case error:
		return slog.StringValue(textOf(x.Error, x))
	case net.Addr:
		return slog.StringValue(textOf(x.String, x))
	case fault.Kind:
		return slog.StringValue(x.String())
	case []string:
		return v
	default:
		return slog.StringValue(fmt.Sprintf("(%T)", x))
	}
}

// textOf asks a value for its text; a nil inside an interface has none.
func textOf(text func() string, of any) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("(%T without a text)", of)
		}
	}()
	return text()
}
