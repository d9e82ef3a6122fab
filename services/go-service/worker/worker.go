// Package worker consumes usage events and keeps each team's spend. Every event is counted once: it is charged and
// marked as consumed in one transaction.
package worker

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/faults"
	"tracewright/go-service/gateway"
	"tracewright/go-service/telemetry"
)

const (
	// pollInterval is the safety net under notifications.
	pollInterval = 5 * time.Second
	// retryDelay keeps a broken database from being asked in a tight loop.
	retryDelay = time.Second
	// eventTimeout bounds one event, which goes on when the worker is told to stop.
	eventTimeout = 4 * time.Second

	destination = "usage_events"
)

// Notifier wakes the worker.
type Notifier interface {
	// Wait returns nil when it is time to look at the queue, at the latest after the timeout.
	Wait(ctx context.Context, timeout time.Duration) error
	Close(ctx context.Context)
}

// Worker consumes usage events in one goroutine, that of Run.
type Worker struct {
	queue      gateway.Queue
	notifier   Notifier
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	log        *slog.Logger
	faults     *faults.Faults
}

// New returns a worker that has not begun.
func New(queue gateway.Queue, notifier Notifier, t *telemetry.Telemetry) *Worker {
	return &Worker{
		queue:      queue,
		notifier:   notifier,
		tracer:     t.Tracers.Tracer("tracewright/go-service/worker"),
		propagator: t.Propagator,
		log:        t.Log,
		faults:     t.Faults,
	}
}

// Run consumes until ctx ends. The event that is being processed then is finished first.
func (w *Worker) Run(ctx context.Context) {
	defer w.notifier.Close(ctx)
	for ctx.Err() == nil {
		if w.drain(ctx) && w.wait(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryDelay):
		}
	}
}

// drain processes events until none waits, and returns true, or until one fails, and returns false. That event stays
// in the queue.
func (w *Worker) drain(ctx context.Context) bool {
	for ctx.Err() == nil {
		delivery, err := w.queue.Receive(ctx)
		if err != nil {
			return w.interrupted(ctx, err)
		}
		if delivery == nil {
			return true
		}
		if !w.process(context.WithoutCancel(ctx), delivery) {
			return false
		}
	}
	return true
}

// wait returns true when it is time to look at the queue, false when that cannot be known.
func (w *Worker) wait(ctx context.Context) bool {
	if err := w.notifier.Wait(ctx, pollInterval); err != nil {
		return w.interrupted(ctx, err)
	}
	return true
}

func (w *Worker) interrupted(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		w.log.WarnContext(ctx, "usage events wait", "error", err, "retry_s", retryDelay.Seconds())
	}
	return false
}

// process counts one event under a CONSUMER span, and returns whether it did. The span begins a trace of its own, because the producer's is long
// over by then, and links to the producer's span.
func (w *Worker) process(ctx context.Context, delivery gateway.Delivery) bool {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	defer delivery.Release(ctx)
	event := delivery.Event()
	ctx = w.propagator.Extract(ctx, propagation.MapCarrier{"traceparent": event.Traceparent, "baggage": event.Baggage})

	options := []trace.SpanStartOption{
		trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			semconv.MessagingSystemKey.String("postgresql"),
			semconv.MessagingDestinationName(destination),
			semconv.MessagingOperationName("process"),
			semconv.MessagingOperationTypeProcess,
			semconv.MessagingMessageID(strconv.FormatInt(event.ID, 10)),
			attribute.String("run.id", event.RunID),
		),
	}
	if producer := trace.SpanContextFromContext(ctx); producer.IsValid() && !w.faults.On(ctx, faults.LinkMissing) {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: producer}))
	}
	ctx, span := w.tracer.Start(ctx, "process "+destination, options...)
	defer span.End()
	ctx = telemetry.WithTenant(ctx, event.Tenant) // the table's word goes before the baggage's

	err := delivery.Charge(ctx)
	if err == nil {
		err = delivery.Ack(ctx)
	}
	if err != nil {
		err = telemetry.Fail(span, err, "not_counted")
		w.log.ErrorContext(ctx, "usage event not counted", "run_id", event.RunID, "team", event.Team,
			"exception.type", telemetry.TypeName(err), "error", err)
		return false
	}
	w.log.InfoContext(ctx, "usage event counted",
		"run_id", event.RunID, "team", event.Team, "model", event.Model, "cost_usd", event.CostUSD,
		"waited_s", time.Since(event.CreatedAt).Seconds())
	return true
}
