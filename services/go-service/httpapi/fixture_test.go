package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tracewright/go-service/faults"
	"tracewright/go-service/gateway"
	"tracewright/go-service/httpapi"
	"tracewright/go-service/internal/recording"
	"tracewright/go-service/pythonservice"
)

const goodRun = `{"tenant":"acme","agent":"researcher","question":"why?"}`

// database is what the API needs of PostgreSQL, in memory.
type database struct {
	err     error // returned by everything, when set
	account gateway.Account
}

func (d *database) Exists(_ context.Context, tenant string) (bool, error) {
	return tenant == "acme" || tenant == "globex", d.err
}

func (d *database) Account(_ context.Context, _, agent string) (gateway.Account, error) {
	if d.err == nil && agent != "researcher" {
		return gateway.Account{}, &gateway.Error{Code: gateway.CodeNotFound, Detail: "no such agent"}
	}
	return d.account, d.err
}

func (d *database) Agents(context.Context) ([]gateway.Agent, error) {
	return []gateway.Agent{{ID: "researcher", Name: "Researcher", Team: "research", Model: "sim-large"}}, d.err
}

func (d *database) Ping(context.Context) error { return d.err }

// fixture is the API before a fake python-service, with its telemetry.
type fixture struct {
	*recording.Recording
	api    http.Handler
	db     *database
	python *python
	url    string // of python
}

// python is a fake python-service. It answers as told, or like the real one.
type python struct {
	mu      sync.Mutex
	headers []http.Header // of the requests that came; guarded by mu
	// answer is set before the first request.
	answer http.HandlerFunc
}

func (p *python) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.headers = append(p.headers, r.Header.Clone())
	p.mu.Unlock()
	// Only a body that was read lets the server see that the caller went away.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if p.answer != nil {
		p.answer(w, r)
		return
	}
	var run map[string]string
	if err := json.Unmarshal(body, &run); err != nil || r.URL.Path != "/executions" {
		http.Error(w, "not what was agreed", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"run_id": run["run_id"], "answer": "because", "sources": []any{map[string]any{"id": "span", "title": "A span", "score": 0.5}},
		"tokens": map[string]int{"input": 11, "output": 7}, "cost_usd": 0.0025,
	})
}

const (
	// dependencyTimeout is not reached by a python-service that answers, however busy the machine is.
	dependencyTimeout = time.Minute
	// shortTimeout is for one that does not answer.
	shortTimeout = 300 * time.Millisecond
)

func setUp(t *testing.T) *fixture {
	t.Helper()
	return setUpOn(t, recording.New(t))
}

// setUpWith has one fault on, for the test "broken".
func setUpWith(t *testing.T, fault faults.Fault) *fixture {
	t.Helper()
	return setUpOn(t, recording.NewWith(t, fault))
}

func setUpOn(t *testing.T, recorded *recording.Recording) *fixture {
	t.Helper()
	f := &fixture{
		Recording: recorded,
		db:        &database{account: gateway.Account{Tenant: "acme", Team: "research", BudgetUSD: 10}},
		python:    &python{},
	}
	server := httptest.NewServer(f.python)
	t.Cleanup(server.Close)
	f.url = server.URL
	f.build(t, f.url, 2, dependencyTimeout)
	return f
}

// build makes the API anew, with python-service at the address, a limit of concurrent runs and a time limit for each.
func (f *fixture) build(t *testing.T, pythonURL string, limit int, timeout time.Duration) {
	t.Helper()
	base, err := url.Parse(pythonURL)
	if err != nil {
		t.Fatal(err)
	}
	client := pythonservice.New(base, timeout, f.Telemetry)
	t.Cleanup(client.Close)
	api, err := httpapi.New(httpapi.Parts{
		Settings:  httpapi.Settings{Service: "go-service", Version: "0.0.0-test", GatewayID: "gateway-test"},
		Tenants:   f.db,
		Admission: gateway.NewAdmission(f.db, limit),
		Runtime:   client,
		Catalog:   f.db,
		Health:    f.db,
		Scrape:    http.NotFoundHandler(),
		Telemetry: f.Telemetry,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.api = api.Handler()
}

// answer is a response, with its body read as JSON.
type answer struct {
	*http.Response
	body map[string]any
}

func (f *fixture) send(t *testing.T, request *http.Request) answer {
	t.Helper()
	recorder := httptest.NewRecorder()
	f.api.ServeHTTP(recorder, request)
	response := recorder.Result()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{Response: response, body: map[string]any{}}
	if request.Method != http.MethodHead {
		if err := json.Unmarshal(raw, &got.body); err != nil {
			t.Fatalf("the body is not JSON: %s", raw)
		}
	}
	return got
}

func post(body string) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/runs", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	return request
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

// wantProblem checks the shape that every error has.
func (f *fixture) wantProblem(t *testing.T, got answer, status int) {
	t.Helper()
	if got.StatusCode != status || got.body["status"] != float64(status) {
		t.Errorf("status is %d, in the body %v, want %d", got.StatusCode, got.body["status"], status)
	}
	if kind := got.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("content type is %q", kind)
	}
	for _, key := range []string{"title", "detail"} {
		if text, _ := got.body[key].(string); text == "" {
			t.Errorf("%s is missing", key)
		}
	}
	if got.body["type"] != "about:blank" {
		t.Errorf("type is %v", got.body["type"])
	}
	spans := f.Spans()
	span := spans[len(spans)-1].SpanContext() // the SERVER span ends last
	if got.body["trace_id"] != span.TraceID().String() {
		t.Errorf("trace_id is %v, the trace is %s", got.body["trace_id"], span.TraceID())
	}
	if want := "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-01"; got.Header.Get("traceresponse") != want {
		t.Errorf("traceresponse is %q, want %q", got.Header.Get("traceresponse"), want)
	}
}
