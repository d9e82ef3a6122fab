package telemetry

import (
	"context"
	"errors"
	"net/url"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// HoldFor is how long a batch is kept while no collector can be reached; behind it the queue fills up. The
// exporters themselves try again what a collector refuses for now, but give up at once when there is none.
const HoldFor = 2 * time.Minute

// holdPause is the time between two tries: a fleet that waits is no load, and a collector that is back hears soon.
const holdPause = time.Second

// HoldSpans wraps an exporter: a batch that reaches no collector is tried again until HoldFor has passed, or ctx
// ends, which then is the error.
func HoldSpans(exporter sdktrace.SpanExporter) sdktrace.SpanExporter { return heldSpans{exporter} }

// HoldLogs is HoldSpans for log records.
func HoldLogs(exporter sdklog.Exporter) sdklog.Exporter { return heldLogs{exporter} }

type heldSpans struct{ sdktrace.SpanExporter }

func (h heldSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return hold(ctx, func() error { return h.SpanExporter.ExportSpans(ctx, spans) })
}

type heldLogs struct{ sdklog.Exporter }

func (h heldLogs) Export(ctx context.Context, records []sdklog.Record) error {
	return hold(ctx, func() error { return h.Exporter.Export(ctx, records) })
}

func hold(ctx context.Context, export func() error) error {
	began := time.Now()
	for {
		err := export()
		// What the HTTP client itself reports: no connection, no such host, one that broke. An answer is none of it.
		var unreached *url.Error
		if !errors.As(err, &unreached) || time.Since(began) > HoldFor {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(holdPause):
		}
	}
}
