// Package recording gives tests the service's own telemetry with in-memory ends.
package recording

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"tracewright/go-service/faults"
	"tracewright/go-service/flagfile"
	"tracewright/go-service/telemetry"
)

// Recording is telemetry that can be read back.
type Recording struct {
	*telemetry.Telemetry
	spans  *tracetest.SpanRecorder
	reader *sdkmetric.ManualReader
	logs   *logRecorder
	lines  *Buffer
}

// New records until the test ends.
func New(t *testing.T) *Recording {
	t.Helper()
	return record(t, nil)
}

// NewWith records with one fault that is on for whose test.id in baggage is "broken".
func NewWith(t *testing.T, fault faults.Fault) *Recording {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.json")
	text := fmt.Sprintf(`{"flags": {%q: {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
		"targeting": {"if": [{"in": [{"var": "test"}, ["broken"]]}, "on", "off"]}}}}`, fault)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	provider, err := flagfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	on, err := faults.New(t.Context(), provider)
	if err != nil {
		t.Fatal(err)
	}
	return record(t, on)
}

func record(t *testing.T, on *faults.Faults) *Recording {
	t.Helper()
	t.Setenv("OTEL_PROPAGATORS", "tracecontext,baggage")
	r := &Recording{
		spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader(), logs: &logRecorder{}, lines: &Buffer{},
	}
	made, err := telemetry.New(t.Context(), "go-service", "0.0.0-test", telemetry.Pipeline{
		Spans: r.spans, Metrics: r.reader, Logs: r.logs, Console: r.lines, Faults: on,
	})
	if err != nil {
		t.Fatalf("make telemetry: %v", err)
	}
	r.Telemetry = made
	t.Cleanup(func() {
		if err := made.Shutdown(context.Background()); err != nil {
			t.Errorf("shut telemetry down: %v", err)
		}
	})
	return r
}

// Spans returns the spans that have ended, in that order.
func (r *Recording) Spans() []sdktrace.ReadOnlySpan { return r.spans.Ended() }

// Span returns the one ended span of that name.
func (r *Recording) Span(t *testing.T, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	var found []sdktrace.ReadOnlySpan
	var names []string
	for _, span := range r.Spans() {
		names = append(names, span.Name())
		if span.Name() == name {
			found = append(found, span)
		}
	}
	if len(found) != 1 {
		t.Fatalf("want one span %q, have %q", name, names)
	}
	return found[0]
}

// Exceptions returns the names of the spans that carry an exception event, once per event.
func (r *Recording) Exceptions() []string {
	names := []string{}
	for _, span := range r.Spans() {
		for _, event := range span.Events() {
			if event.Name == "exception" {
				names = append(names, span.Name())
			}
		}
	}
	return names
}

// Attributes turns attributes into a map of what they hold.
func Attributes(list []attribute.KeyValue) map[string]any {
	attributes := map[string]any{}
	for _, kv := range list {
		attributes[string(kv.Key)] = kv.Value.AsInterface()
	}
	return attributes
}

// Logs returns the records that went to OTLP.
func (r *Recording) Logs() []sdklog.Record {
	r.logs.mu.Lock()
	defer r.logs.mu.Unlock()
	return append([]sdklog.Record{}, r.logs.records...)
}

// Lines returns the records that went to the console.
func (r *Recording) Lines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for raw := range strings.Lines(r.lines.String()) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(raw), &line); err != nil {
			t.Fatalf("the console has a line that is not JSON: %s", raw)
		}
		lines = append(lines, line)
	}
	return lines
}

// Metric collects and returns one instrument's data, or nil.
func (r *Recording) Metric(t *testing.T, name string) metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		t.Fatalf("collect metrics: %v", err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, metric := range scope.Metrics {
			if metric.Name == name {
				return metric.Data
			}
		}
	}
	return nil
}

type logRecorder struct {
	mu      sync.Mutex
	records []sdklog.Record // guarded by mu
}

func (l *logRecorder) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (l *logRecorder) OnEmit(_ context.Context, record *sdklog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, record.Clone())
	return nil
}

func (l *logRecorder) Shutdown(context.Context) error { return nil }

func (l *logRecorder) ForceFlush(context.Context) error { return nil }
