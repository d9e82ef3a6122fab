package faults

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// ahead is how far a skewed clock goes wrong: more than any tolerance for two clocks that are set by NTP.
const ahead = 2 * time.Second

// Propagator sends on what next does, unless [ContextLost] or [BaggageLost] is on.
type Propagator struct {
	propagation.TextMapPropagator
	Faults *Faults
}

// Inject implements [propagation.TextMapPropagator].
func (p Propagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if p.Faults.On(ctx, ContextLost) {
		return
	}
	if p.Faults.On(ctx, BaggageLost) {
		ctx = baggage.ContextWithoutBaggage(ctx)
	}
	p.TextMapPropagator.Inject(ctx, carrier)
}

// Spans hands spans to next as they are, unless [ClockSkew] or [ResourceDiffers] is on for the request of a span. By
// then the span's context is gone: its attributes, copied from baggage, say whose it was.
type Spans struct {
	sdktrace.SpanProcessor
	Faults *Faults
}

// OnEnd implements [sdktrace.SpanProcessor].
func (s Spans) OnEnd(span sdktrace.ReadOnlySpan) {
	attributes := attribute.NewSet(span.Attributes()...)
	value := func(key string) string {
		found, _ := attributes.Value(attribute.Key(key))
		return found.AsString()
	}
	if s.Faults.onFor(context.Background(), ClockSkew, value) {
		span = skewed{span}
	}
	if s.Faults.onFor(context.Background(), ResourceDiffers, value) {
		span = misbuilt{span}
	}
	s.SpanProcessor.OnEnd(span)
}

type skewed struct{ sdktrace.ReadOnlySpan }

func (s skewed) StartTime() time.Time { return s.ReadOnlySpan.StartTime().Add(ahead) }

func (s skewed) EndTime() time.Time { return s.ReadOnlySpan.EndTime().Add(ahead) }

func (s skewed) Events() []sdktrace.Event {
	events := append([]sdktrace.Event{}, s.ReadOnlySpan.Events()...)
	for i := range events {
		events[i].Time = events[i].Time.Add(ahead)
	}
	return events
}

type misbuilt struct{ sdktrace.ReadOnlySpan }

func (m misbuilt) Resource() *resource.Resource {
	right := m.ReadOnlySpan.Resource()
	wrong, err := resource.Merge(right, resource.NewSchemaless(semconv.ServiceVersion("dev")))
	if err != nil {
		return right // schemaless merges do not fail
	}
	return wrong
}

// Logs hands log records to next as they are, unless [ClockSkew] is on: a clock is wrong for all signals.
type Logs struct {
	sdklog.Processor
	Faults *Faults
}

// OnEmit implements [sdklog.Processor].
func (l Logs) OnEmit(ctx context.Context, record *sdklog.Record) error {
	if l.Faults.On(ctx, ClockSkew) {
		record.SetTimestamp(record.Timestamp().Add(ahead))
		record.SetObservedTimestamp(record.ObservedTimestamp().Add(ahead))
	}
	return l.Processor.OnEmit(ctx, record)
}
