// Package telemetry sets up traces, metrics and logs, and says which baggage is recorded on them. Exporters,
// intervals, the sampler and propagators follow the OTEL_* environment. Nothing is installed globally but the SDK's
// own error handler.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/google/uuid"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/contrib/processors/baggagecopy"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/faults"
)

// Telemetry is what the service records with. Shutdown flushes it.
type Telemetry struct {
	Tracers    trace.TracerProvider
	Meters     metric.MeterProvider
	Propagator propagation.TextMapPropagator
	Log        *slog.Logger
	// Faults are the deliberate defects; nil without a flag file.
	Faults *faults.Faults

	shutdown []func(context.Context) error
}

// Pipeline is where telemetry goes; tests put in-memory ends here.
type Pipeline struct {
	Spans   sdktrace.SpanProcessor
	Metrics sdkmetric.Reader
	Logs    sdklog.Processor
	Console io.Writer
	// Faults may be nil: then nothing is broken on purpose.
	Faults *faults.Faults
}

// FromEnvironment returns the pipeline that the OTEL_* variables describe.
func FromEnvironment(ctx context.Context, console io.Writer) (Pipeline, error) {
	spans, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return Pipeline{}, fmt.Errorf("make span exporter: %w", err)
	}
	metrics, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return Pipeline{}, fmt.Errorf("make metric reader: %w", err)
	}
	logs, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return Pipeline{}, fmt.Errorf("make log exporter: %w", err)
	}
	return Pipeline{
		// Their own limit on an export is 30 s. Metrics need no holding: the next export has the same counters.
		Spans:   sdktrace.NewBatchSpanProcessor(HoldSpans(spans), sdktrace.WithExportTimeout(HoldFor)),
		Metrics: metrics,
		Logs:    sdklog.NewBatchProcessor(HoldLogs(logs), sdklog.WithExportTimeout(HoldFor)),
		Console: console,
	}, nil
}

// New starts the providers on the pipeline. What goes wrong inside the SDK is logged on the console only: an exporter
// that cannot export must not feed itself.
func New(ctx context.Context, service, version string, pipeline Pipeline) (*Telemetry, error) {
	identity, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			semconv.ServiceName(service),
			semconv.ServiceNamespace("tracewright"),
			semconv.ServiceVersion(version),
			semconv.ServiceInstanceID(uuid.NewString()),
		),
		resource.WithFromEnv(), // last, so that it wins
	)
	if err != nil {
		return nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}

	console := newConsole(pipeline.Console)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		slog.New(console).WarnContext(context.WithoutCancel(ctx), "telemetry failed", "error", err)
	}))

	tracers := sdktrace.NewTracerProvider(
		sdktrace.WithResource(identity),
		sdktrace.WithSpanProcessor(baggagecopy.NewSpanProcessor(copied)),
		sdktrace.WithSpanProcessor(faults.Spans{SpanProcessor: pipeline.Spans, Faults: pipeline.Faults}),
	)
	meters := sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(identity),
		sdkmetric.WithReader(pipeline.Metrics),
		sdkmetric.WithView(boundedServerMetrics()),
	)
	logs := sdklog.NewLoggerProvider(
		sdklog.WithResource(identity),
		sdklog.WithProcessor(baggagecopy.NewLogProcessor(copied)),
		sdklog.WithProcessor(faults.Logs{Processor: pipeline.Logs, Faults: pipeline.Faults}),
	)
	if err := runtime.Start(runtime.WithMeterProvider(meters)); err != nil {
		return nil, fmt.Errorf("start runtime metrics: %w", err)
	}
	return &Telemetry{
		Tracers:    tracers,
		Meters:     meters,
		Propagator: faults.Propagator{TextMapPropagator: autoprop.NewTextMapPropagator(), Faults: pipeline.Faults},
		Log:        slog.New(slog.NewMultiHandler(console, otelslog.NewHandler(service, otelslog.WithLoggerProvider(logs)))),
		Faults:     pipeline.Faults,
		shutdown:   []func(context.Context) error{tracers.Shutdown, meters.Shutdown, logs.Shutdown},
	}, nil
}

// Shutdown exports everything that was recorded, and stops. Traces, metrics and logs in this order, each whether or
// not the one before failed.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var failures []error
	for _, stop := range t.shutdown {
		failures = append(failures, stop(ctx))
	}
	return errors.Join(failures...)
}

// boundedServerMetrics drops the attributes of server metrics that a client chooses by its Host header.
func boundedServerMetrics() sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Name: "http.server.*"},
		sdkmetric.Stream{AttributeFilter: attribute.NewDenyKeysFilter(semconv.ServerAddressKey, semconv.ServerPortKey)},
	)
}
