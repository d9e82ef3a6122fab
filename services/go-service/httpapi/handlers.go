package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/gateway"
	"tracewright/go-service/telemetry"
)

// dataLatency is what GET /data waits at latency scale 1.
const dataLatency = 15 * time.Millisecond

// runAnswer is the body of a successful POST /runs.
type runAnswer struct {
	gateway.Execution
	TraceID string `json:"trace_id"`
}

// run answers POST /runs.
func (a *API) run(w http.ResponseWriter, r *http.Request) error {
	request, err := decodeRun(w, r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	exists, err := a.tenants.Exists(ctx, request.Tenant)
	if err != nil {
		return err
	}
	if !exists {
		label(ctx, unknownTenant)
		return &gateway.Error{
			Code:   gateway.CodeNotFound,
			Detail: fmt.Sprintf("tenant %q does not exist", request.Tenant),
			Fields: []gateway.FieldError{{Field: "tenant", Message: "does not exist"}},
		}
	}
	label(ctx, request.Tenant)
	ctx = telemetry.WithTenant(ctx, request.Tenant)

	admitted, done, err := a.admission.Admit(ctx, request)
	if err != nil {
		return err
	}
	defer done()
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("run.id", admitted.ID))
	a.log.InfoContext(ctx, "run admitted", "run_id", admitted.ID, "agent", admitted.Agent)

	execution, err := a.runtime.Execute(ctx, admitted)
	if err != nil {
		return err
	}
	a.log.InfoContext(ctx, "run finished", "run_id", admitted.ID, "agent", admitted.Agent,
		"input_tokens", execution.Tokens.Input, "output_tokens", execution.Tokens.Output, "cost_usd", execution.CostUSD)
	return writeJSON(w, http.StatusOK, runAnswer{execution, span.SpanContext().TraceID().String()})
}

// data answers GET /data with the agents, after a little simulated latency.
func (a *API) data(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	agents, err := a.catalog.Agents(ctx)
	if err != nil {
		return err
	}
	wait := time.NewTimer(time.Duration(float64(dataLatency) * a.settings.LatencyScale))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return &gateway.Error{Code: gateway.CodeCanceled, Detail: "the caller went away", Cause: ctx.Err()}
	}
	a.log.InfoContext(ctx, "data listed", "count", len(agents))
	return writeJSON(w, http.StatusOK, map[string]any{
		"service": a.settings.Service, "items": agents, "count": len(agents),
	})
}

// DeliberateError is what GET /error fails with.
type DeliberateError struct{}

func (DeliberateError) Error() string { return "this endpoint always fails" }

// fail answers GET /error. It panics, as a defect would, so that the whole way from there to the trace is exercised.
func (a *API) fail(http.ResponseWriter, *http.Request) error {
	panic(DeliberateError{})
}

// status answers GET /. It is asked every few seconds, so it is neither traced nor logged.
func (a *API) status(w http.ResponseWriter, r *http.Request) {
	state, check, code := "ok", "ok", http.StatusOK
	if err := a.health.Ping(r.Context()); err != nil {
		state, check, code = "unavailable", "unavailable", http.StatusServiceUnavailable
	}
	// The body is made of strings, which always encode.
	_ = writeJSON(w, code, map[string]any{
		"service": a.settings.Service, "version": a.settings.Version, "status": state,
		"checks": map[string]string{"postgres": check},
	})
}
