// Package httpapi is the gateway's HTTP side: the route list, the handlers, and what happens around every request.
package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/faults"
	"tracewright/go-service/gateway"
	"tracewright/go-service/telemetry"
)

// Settings is what the API shows of the service, and how it behaves.
type Settings struct {
	Service   string
	Version   string
	GatewayID string
	// LatencyScale multiplies simulated latency; 0 is none.
	LatencyScale float64
}

// Health checks what the service cannot work without.
type Health interface {
	// Ping returns within a few seconds.
	Ping(ctx context.Context) error
}

// API serves the gateway. Its fields are set once, by New.
type API struct {
	settings   Settings
	tenants    gateway.Tenants
	admission  *gateway.Admission
	runtime    gateway.AgentRuntime
	catalog    gateway.AgentCatalog
	health     Health
	scrape     http.Handler
	log        *slog.Logger
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	requests   metric.Int64Counter
	active     metric.Int64UpDownCounter
	faults     *faults.Faults
}

// Parts are what the API is made of. All are required.
type Parts struct {
	Settings  Settings
	Tenants   gateway.Tenants
	Admission *gateway.Admission
	Runtime   gateway.AgentRuntime
	Catalog   gateway.AgentCatalog
	Health    Health
	// Scrape answers GET /metrics.
	Scrape    http.Handler
	Telemetry *telemetry.Telemetry
}

// New returns the API; Handler serves it.
func New(parts Parts) (*API, error) {
	meter := parts.Telemetry.Meters.Meter("tracewright/go-service/httpapi")
	requests, err := meter.Int64Counter("gateway.requests",
		metric.WithUnit("{request}"), metric.WithDescription("Requests answered, without health checks and scrapes"))
	if err != nil {
		return nil, fmt.Errorf("make gateway.requests: %w", err)
	}
	active, err := meter.Int64UpDownCounter("gateway.active_connections",
		metric.WithUnit("{connection}"), metric.WithDescription("Callers that wait for an answer"))
	if err != nil {
		return nil, fmt.Errorf("make gateway.active_connections: %w", err)
	}
	return &API{
		settings: parts.Settings, tenants: parts.Tenants, admission: parts.Admission, runtime: parts.Runtime,
		catalog: parts.Catalog, health: parts.Health, scrape: parts.Scrape, log: parts.Telemetry.Log,
		tracers: parts.Telemetry.Tracers, meters: parts.Telemetry.Meters, propagator: parts.Telemetry.Propagator,
		requests: requests, active: active, faults: parts.Telemetry.Faults,
	}, nil
}

// handler answers a request, or returns why not: the error becomes the answer in one place.
type handler func(w http.ResponseWriter, r *http.Request) error

// Handler returns the routes. A GET also answers HEAD. A known path with another method is 405, an unknown path 404;
// both are traced under a bounded route.
func (a *API) Handler() http.Handler {
	routes := []struct {
		method string
		path   string
		serve  http.Handler
	}{
		{http.MethodPost, "/runs", a.traced("/runs", a.run)},
		{http.MethodGet, "/data", a.traced("/data", a.data)},
		{http.MethodGet, "/error", a.traced("/error", a.fail)},
		{http.MethodGet, "/", http.HandlerFunc(a.status)},
		{http.MethodGet, "/metrics", a.scrape},
	}

	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, route := range routes {
		mux.Handle(route.method+" "+exactly(route.path), route.serve)
		allowed[route.path] = append(allowed[route.path], route.method)
		if route.method == http.MethodGet {
			allowed[route.path] = append(allowed[route.path], http.MethodHead)
		}
	}
	for path, methods := range allowed {
		slices.Sort(methods)
		mux.Handle(exactly(path), a.traced(path, methodNotAllowed(strings.Join(methods, ", "))))
	}
	unknown := a.traced("/*", notFound)
	mux.Handle("/", unknown)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect these, outside of every trace.
		if r.URL.Path != path.Clean(r.URL.Path) {
			unknown.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// exactly returns the mux pattern for one path, which "/" alone is not.
func exactly(path string) string {
	if path == "/" {
		return "/{$}"
	}
	return path
}

func notFound(http.ResponseWriter, *http.Request) error {
	return &gateway.Error{Code: gateway.CodeNotFound, Detail: "there is nothing at this path"}
}

func methodNotAllowed(allow string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", allow)
		return &gateway.Error{Code: gateway.CodeMethod, Detail: "allowed here: " + allow}
	}
}
