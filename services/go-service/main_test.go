package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"tracewright/go-service/internal/recording"
	"tracewright/go-service/internal/testdb"
)

func TestSettingIsNamedWhenItIsWrong(t *testing.T) {
	good := map[string]string{"DATABASE_URL": "postgresql://u:p@h/d", "PYTHON_SERVICE_URL": "http://h:1"}
	for _, test := range []struct{ name, key, value string }{
		{"no database", "DATABASE_URL", ""},
		{"no python-service", "PYTHON_SERVICE_URL", ""},
		{"python-service without a scheme", "PYTHON_SERVICE_URL", "localhost:8001"},
		{"port is a word", "PORT", "http"},
		{"port is too high", "PORT", "65536"},
		{"timeout of nothing", "DEPENDENCY_TIMEOUT_MS", "0"},
		{"limit of nothing", "TENANT_CONCURRENCY", "0"},
		{"negative latency", "LATENCY_SCALE", "-1"},
		{"latency that is no number", "LATENCY_SCALE", "NaN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readConfig(func(key string) string {
				if key == test.key {
					return test.value
				}
				return good[key]
			})
			if err == nil || !strings.HasPrefix(err.Error(), test.key+" ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v", err)
			}
		})
	}
	if _, err := readConfig(func(key string) string { return good[key] }); err != nil {
		t.Errorf("good settings are refused: %v", err)
	}
}

func TestUnusableDatabaseURLIsNamedWithoutItsPassword(t *testing.T) {
	quiet(t)
	err := run(t.Context(), func(key string) string {
		return map[string]string{
			"DATABASE_URL": "postgresql://u:hunter2@h:notaport/d", "PYTHON_SERVICE_URL": "http://h:1",
		}[key]
	}, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "DATABASE_URL: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error is %v", err)
	}
}

func TestUnusableFlagFileIsNamed(t *testing.T) {
	quiet(t)
	err := run(t.Context(), func(key string) string {
		return map[string]string{
			"DATABASE_URL": "postgresql://u:p@h/d", "PYTHON_SERVICE_URL": "http://h:1", "FLAGS_FILE": "gone.json",
		}[key]
	}, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "FLAGS_FILE: ") || !strings.Contains(err.Error(), "gone.json") {
		t.Errorf("error is %v", err)
	}
}

// quiet turns the exporters off.
func quiet(t *testing.T) {
	t.Helper()
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		t.Setenv("OTEL_"+signal+"_EXPORTER", "none")
	}
}

// TestServiceFinishesAndFlushesWhenStopped runs the whole service: real PostgreSQL, a fake python-service, and a
// collector that keeps what it gets. It is stopped in the middle of a run.
func TestServiceFinishesAndFlushesWhenStopped(t *testing.T) {
	databaseURL, conn := testdb.New(t)
	collector := &collector{names: map[string]int{}}
	otlp := httptest.NewServer(collector)
	t.Cleanup(otlp.Close)
	arrived, release := make(chan struct{}), make(chan struct{})
	python := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			RunID string `json:"run_id"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Errorf("decode: %v", err)
		}
		close(arrived)
		<-release
		testdb.Send(t, conn, testdb.Event{
			RunID: asked.RunID, Tenant: "acme", Agent: "researcher", Team: "research", CostUSD: "0.5",
			Traceparent: r.Header.Get("traceparent"), Baggage: r.Header.Get("baggage"),
		})
		_, _ = fmt.Fprintf(w, `{"run_id":%q,"answer":"yes","tokens":{"input":1,"output":1},"cost_usd":0.5}`, asked.RunID)
	}))
	t.Cleanup(python.Close)

	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "60000") // what arrives was flushed
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "60000")
	environment := map[string]string{
		"DATABASE_URL": databaseURL, "PYTHON_SERVICE_URL": python.URL, "PORT": freePort(t),
		"DEPENDENCY_TIMEOUT_MS": "60000", // for a busy machine
	}
	getenv := func(key string) string { return environment[key] }
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	console := &recording.Buffer{}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, getenv, console) }()

	deadline := time.After(time.Minute)
	for checkHealth(ctx, getenv, io.Discard) != nil {
		select {
		case err := <-ended:
			t.Fatalf("the service ended: %v", err)
		case <-deadline:
			t.Fatal("the service is not ready within a minute")
		case <-time.After(10 * time.Millisecond):
		}
	}
	answered := make(chan string, 1)
	go func() {
		response, err := http.Post("http://127.0.0.1:"+environment["PORT"]+"/runs", "application/json",
			strings.NewReader(`{"tenant":"acme","agent":"researcher","question":"?"}`))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		answered <- response.Status
	}()
	<-arrived
	stop()
	close(release)
	if status := <-answered; status != "200 OK" {
		t.Errorf("the run that was under way got %s", status)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("run returned %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the service did not stop within a minute")
	}
	for _, name := range []string{
		"span POST /runs", "span SELECT budgets", "span POST /executions", "log run finished", "log stopping",
		"metric gateway.requests", "metric team.spend", "metric http.server.request.duration", "metric go.goroutine.count",
	} {
		if collector.count(name) == 0 {
			t.Errorf("%s was lost; the console has:\n%s", name, console)
		}
	}
}

// freePort is not one that the system would give to another connection before the service listens (from 32768).
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port from 20000 to 31999 is free")
	return ""
}

// collector takes OTLP over HTTP and counts what it got by kind and name.
type collector struct {
	mu    sync.Mutex
	names map[string]int // guarded by mu
}

func (c *collector) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names[name]
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		var request collectortraces.ExportTraceServiceRequest
		err = proto.Unmarshal(body, &request)
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					c.names["span "+span.GetName()]++
				}
			}
		}
	case "/v1/logs":
		var request collectorlogs.ExportLogsServiceRequest
		err = proto.Unmarshal(body, &request)
		for _, resource := range request.GetResourceLogs() {
			for _, scope := range resource.GetScopeLogs() {
				for _, record := range scope.GetLogRecords() {
					c.names["log "+record.GetBody().GetStringValue()]++
				}
			}
		}
	case "/v1/metrics":
		var request collectormetrics.ExportMetricsServiceRequest
		err = proto.Unmarshal(body, &request)
		for _, resource := range request.GetResourceMetrics() {
			for _, scope := range resource.GetScopeMetrics() {
				for _, metric := range scope.GetMetrics() {
					c.names["metric "+metric.GetName()]++
				}
			}
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
