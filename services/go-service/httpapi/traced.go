package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/faults"
	"tracewright/go-service/gateway"
	"tracewright/go-service/telemetry"
)

// unknownTenant stands on metrics for every tenant that does not exist, so that callers cannot make series.
const unknownTenant = "unknown"

// traced serves one route under a SERVER span "{METHOD} {route}": traceresponse header, metrics, panics, errors.
func (a *API) traced(route string, handle handler) http.Handler {
	inside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		span := trace.SpanContextFromContext(ctx)
		w.Header().Set("traceresponse", fmt.Sprintf("00-%s-%s-%s", span.TraceID(), span.SpanID(), span.TraceFlags()))

		labels := &requestLabels{api: a}
		labels.begin(ctx)
		ctx = context.WithValue(ctx, labelsKey{}, labels)
		a.labelBaggageTenant(ctx)

		code := a.answer(w, r.WithContext(ctx), handle)
		labels.end(ctx, r.Method, code)
	})
	spanned := otelhttp.NewHandler(inside, "",
		otelhttp.WithTracerProvider(a.tracers),
		otelhttp.WithMeterProvider(a.meters),
		otelhttp.WithPropagators(a.propagator),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Pattern = route // what otelhttp names span and metrics by
		spanned.ServeHTTP(w, r)
	})
}

// answer runs the handler and returns the status that was sent.
func (a *API) answer(w http.ResponseWriter, r *http.Request, handle handler) int {
	err := protected(handle, w, r)
	if err == nil {
		return http.StatusOK
	}
	known := asError(err)
	code := status(known)
	ctx := r.Context()
	if code < http.StatusInternalServerError {
		a.log.InfoContext(ctx, "request refused",
			"http.response.status_code", code, "problem.code", string(known.Code), "problem.detail", known.Detail)
	} else {
		telemetry.Fail(trace.SpanFromContext(ctx), err, failureType(known, code))
		if a.faults.On(ctx, faults.ExceptionTwice) {
			trace.SpanFromContext(ctx).RecordError(err)
		}
		if labeler, found := otelhttp.LabelerFromContext(ctx); found {
			labeler.Add(semconv.ErrorTypeKey.String(failureType(known, code)))
		}
		a.log.ErrorContext(ctx, "request failed",
			"http.response.status_code", code, "problem.code", string(known.Code),
			"exception.type", telemetry.TypeName(err), "error", err)
	}
	if err := writeProblem(w, r, known); err != nil {
		a.log.ErrorContext(ctx, "problem not written", "error", err)
	}
	return code
}

// protected turns a panic of the handler into an error. [http.ErrAbortHandler] goes on to the server.
func protected(handle handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case error:
			if errors.Is(cause, http.ErrAbortHandler) {
				panic(cause)
			}
			// Recorded here, where the stack still shows the place.
			err = telemetry.Fail(trace.SpanFromContext(r.Context()), cause, telemetry.TypeName(cause))
		default:
			cause = fmt.Errorf("panic: %v", cause)
			err = telemetry.Fail(trace.SpanFromContext(r.Context()), cause.(error), "panic")
		}
	}()
	return handle(w, r)
}

// failureType is error.type on the SERVER span: the type of our own failure, or the status that a dependency's became.
func failureType(err *gateway.Error, code int) string {
	if err.Code == gateway.CodeInternal && err.Cause != nil {
		return telemetry.TypeName(err.Cause)
	}
	return strconv.Itoa(code)
}

type labelsKey struct{}

// requestLabels keeps what the metrics of one request are labelled by. One goroutine uses it: the request's.
type requestLabels struct {
	api    *API
	tenant []attribute.KeyValue // empty while the request names none
}

func (l *requestLabels) begin(ctx context.Context) { l.api.active.Add(ctx, 1, l.activeSet()) }

// setTenant moves the request to the tenant.
func (l *requestLabels) setTenant(ctx context.Context, tenant string) {
	l.api.active.Add(ctx, -1, l.activeSet())
	l.tenant = []attribute.KeyValue{attribute.String(telemetry.TenantKey, tenant)}
	l.api.active.Add(ctx, 1, l.activeSet())
}

func (l *requestLabels) end(ctx context.Context, method string, code int) {
	l.api.active.Add(ctx, -1, l.activeSet())
	l.api.requests.Add(ctx, 1, metric.WithAttributes(append(l.tenant,
		attribute.String("gateway.id", l.api.settings.GatewayID),
		attribute.String("method", knownMethod(method)),
		attribute.String("status", strconv.Itoa(code)),
	)...))
	if labeler, found := otelhttp.LabelerFromContext(ctx); found {
		labeler.Add(l.tenant...)
	}
}

func (l *requestLabels) activeSet() metric.AddOption {
	return metric.WithAttributes(append(l.tenant, attribute.String("gateway.id", l.api.settings.GatewayID))...)
}

// labelBaggageTenant labels the request by the tenant that its caller sent along, if any.
func (a *API) labelBaggageTenant(ctx context.Context) {
	tenant := telemetry.Tenant(ctx)
	if tenant == "" {
		return
	}
	exists, err := a.tenants.Exists(ctx, tenant)
	if err != nil {
		a.log.WarnContext(ctx, "tenant not looked up", "error", err)
	}
	if !exists {
		tenant = unknownTenant
	}
	label(ctx, tenant)
}

// label puts the request's metrics under the tenant.
func label(ctx context.Context, tenant string) {
	if labels, found := ctx.Value(labelsKey{}).(*requestLabels); found {
		labels.setTenant(ctx, tenant)
	}
}

// knownMethod bounds the method label, in the way of the semantic conventions.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}
