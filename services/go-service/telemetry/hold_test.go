package telemetry_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectortraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"tracewright/go-service/internal/recording"
	"tracewright/go-service/telemetry"
)

const patience = time.Minute

// collector takes OTLP over HTTP, when it is not away: then it breaks each connection and answers nothing.
type collector struct {
	status int
	mutex  sync.Mutex
	away   bool
	broken map[string]int // requests without an answer, by path
	taken  map[string]int // by the names of spans and of log records
}

// startCollector starts one that answers with this status, and points the environment to it.
func startCollector(t *testing.T, status int) *collector {
	t.Helper()
	c := &collector{status: status, broken: map[string]int{}, taken: map[string]int{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "10")
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.away {
		c.broken[r.URL.Path]++
		panic(http.ErrAbortHandler)
	}
	var traces collectortraces.ExportTraceServiceRequest
	var logs collectorlogs.ExportLogsServiceRequest
	if r.URL.Path == "/v1/traces" && proto.Unmarshal(body, &traces) == nil {
		for _, span := range traces.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans() {
			c.taken[span.GetName()]++
		}
	}
	if r.URL.Path == "/v1/logs" && proto.Unmarshal(body, &logs) == nil {
		for _, record := range logs.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords() {
			c.taken[record.GetAttributes()[0].GetValue().GetStringValue()]++
		}
	}
	w.WriteHeader(c.status)
}

func (c *collector) goAway(away bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.away = away
}

// until waits until the collector has seen what holds asks for.
func (c *collector) until(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c.mutex.Lock()
		met, seen := holds(), [2]map[string]int{maps.Clone(c.broken), maps.Clone(c.taken)}
		c.mutex.Unlock()
		if met {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("broken and taken after %s: %v", patience, seen)
		}
	}
}

func fromEnvironment(t *testing.T) (*telemetry.Telemetry, *recording.Buffer) {
	t.Helper()
	console := &recording.Buffer{}
	pipeline, err := telemetry.FromEnvironment(t.Context(), console)
	if err != nil {
		t.Fatal(err)
	}
	started, err := telemetry.New(t.Context(), "test", "0", pipeline)
	if err != nil {
		t.Fatal(err)
	}
	return started, console
}

// record makes one span and one log record of that name.
func record(t *testing.T, to *telemetry.Telemetry, name string) {
	t.Helper()
	ctx, span := to.Tracers.Tracer("test").Start(t.Context(), name)
	to.Log.InfoContext(ctx, "recorded", "name", "log of "+name)
	span.End()
}

func TestSpansAndLogsWaitForACollectorThatIsAwayAndArriveOnce(t *testing.T) {
	c := startCollector(t, http.StatusOK)
	c.goAway(true)
	service, _ := fromEnvironment(t)
	record(t, service, "first")
	c.until(t, func() bool { return c.broken["/v1/traces"] > 1 && c.broken["/v1/logs"] > 1 })
	record(t, service, "second") // waits behind the batch that is being tried
	c.goAway(false)
	names := []string{"first", "second", "log of first", "log of second"}
	c.until(t, func() bool {
		for _, name := range names {
			if c.taken[name] == 0 {
				return false
			}
		}
		return true
	})
	if err := service.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if c.taken[name] != 1 {
			t.Errorf("%s arrived %d times", name, c.taken[name])
		}
	}
}

func TestWhatACollectorRefusesForGoodIsGivenUpAtOnce(t *testing.T) {
	c := startCollector(t, http.StatusBadRequest)
	service, console := fromEnvironment(t)
	record(t, service, "refused")
	c.until(t, func() bool { return strings.Count(console.String(), "400 Bad Request") == 2 })
	if err := service.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if c.taken["refused"] != 1 || c.taken["log of refused"] != 1 {
		t.Errorf("it was sent again: %v", c.taken)
	}
}

func TestShutdownDoesNotWaitForACollectorLongerThanItMay(t *testing.T) {
	c := startCollector(t, http.StatusOK)
	c.goAway(true)
	service, _ := fromEnvironment(t)
	record(t, service, "lost")
	c.until(t, func() bool { return c.broken["/v1/traces"] > 0 && c.broken["/v1/logs"] > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := service.Shutdown(ctx); err == nil {
		t.Error("the shutdown does not say that something was lost")
	}
	if took := time.Since(began); took > telemetry.HoldFor/2 {
		t.Errorf("the shutdown took %s", took)
	}
}
