package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"

	"tracewright/go-service/internal/recording"
)

const client = "POST /executions"

func TestDependencyFailuresAreMappedAndRecordedWhereTheyHappen(t *testing.T) {
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = fmt.Fprint(w, body)
		}
	}
	for _, test := range []struct {
		name       string
		answer     http.HandlerFunc
		timeout    time.Duration
		status     int
		clientType any      // error.type of the CLIENT span
		exceptions []string // span names
	}{
		{"its own 500", status(500, `{"detail":"secret"}`), dependencyTimeout, 502, "500", nil},
		{"its own 502", status(502, `oops`), dependencyTimeout, 502, "502", nil},
		{"unavailable itself", status(503, `{}`), dependencyTimeout, 503, "503", nil},
		{"not JSON", status(200, `<html>`), dependencyTimeout, 502, nil, []string{"POST /runs"}},
		{"too long", status(200, `"`+string(make([]byte, 2<<20))+`"`), dependencyTimeout, 502, nil, []string{"POST /runs"}},
		{"another run", status(200, `{"run_id":"1"}`), dependencyTimeout, 502, nil, []string{"POST /runs"}},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, shortTimeout, 503,
			"context.deadlineExceededError", []string{client}},
		{"hangs in the middle", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, shortTimeout, 503, "context.deadlineExceededError", []string{client}},
		{"closes the connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, dependencyTimeout, 503,
			"*errors.errorString", []string{client}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := setUp(t)
			f.python.answer = test.answer
			f.build(t, f.url, 2, test.timeout)
			began := time.Now()
			f.wantProblem(t, f.send(t, post(goodRun)), test.status)
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			server, called := f.Span(t, "POST /runs"), f.Span(t, client)
			if got := recording.Attributes(called.Attributes())["error.type"]; got != test.clientType {
				t.Errorf("error.type of the CLIENT span is %v, want %v", got, test.clientType)
			}
			if got := recording.Attributes(server.Attributes())["error.type"]; got == nil || server.Status().Code != codes.Error {
				t.Errorf("the SERVER span has status %v, error.type %v", server.Status(), got)
			}
			if got := f.Exceptions(); !slices.Equal(got, test.exceptions) {
				t.Errorf("exceptions on %v, want %v", got, test.exceptions)
			}
			var logged int
			for _, line := range f.Lines(t) {
				if line["level"] == "ERROR" && line["span_id"] == server.SpanContext().SpanID().String() {
					logged++
				}
			}
			if logged != 1 {
				t.Errorf("%d errors logged inside the span, want 1", logged)
			}
		})
	}
}

func TestDependencyThatIsDownIsUnavailable(t *testing.T) {
	f := setUp(t)
	f.build(t, "http://127.0.0.1:1", 2, dependencyTimeout)
	f.wantProblem(t, f.send(t, post(goodRun)), http.StatusServiceUnavailable)
	if got := f.Exceptions(); !slices.Equal(got, []string{client}) {
		t.Errorf("exceptions on %v", got)
	}
}

func TestRefusalOfTheDependencyIsPassedOnWithOurTraceID(t *testing.T) {
	f := setUp(t)
	f.python.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprint(w, `{"detail":"question is rude","trace_id":"x","errors":[{"field":"question","message":"is rude"}]}`)
	}
	got := f.send(t, post(goodRun))
	f.wantProblem(t, got, http.StatusUnprocessableEntity)
	if got.body["detail"] != "question is rude" || fmt.Sprint(got.body["errors"]) != "[map[field:question message:is rude]]" {
		t.Errorf("the body is %v", got.body)
	}
}
