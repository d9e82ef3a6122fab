package telemetry

import (
	"context"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// contextHandler adds trace id, span id and the recorded baggage of a log call's context to its record. The OTLP side
// needs none of this: the SDK and a processor do it there.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, record slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(
			slog.String("trace_id", span.TraceID().String()),
			slog.String("span_id", span.SpanID().String()),
		)
	}
	for _, member := range copiedMembers(ctx) {
		record.AddAttrs(slog.String(member.Key(), member.Value()))
	}
	return h.Handler.Handle(ctx, record)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

// newConsole writes one JSON object per line with the keys timestamp, level and message first.
func newConsole(out io.Writer) slog.Handler {
	return contextHandler{slog.NewJSONHandler(out, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return attr
			}
			switch attr.Key {
			case slog.TimeKey:
				return slog.String("timestamp", attr.Value.Time().UTC().Format(time.RFC3339Nano))
			case slog.MessageKey:
				attr.Key = "message"
			}
			return attr
		},
	})}
}
