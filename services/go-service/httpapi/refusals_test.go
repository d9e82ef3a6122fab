package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/codes"

	"tracewright/go-service/gateway"
)

func TestBadInputIsRefused(t *testing.T) {
	run := func(question string) string {
		return fmt.Sprintf(`{"tenant":"acme","agent":"researcher","question":%s}`, question)
	}
	long := strings.Repeat("é", 2001)
	for _, test := range []struct {
		name    string
		request *http.Request
		status  int
		fields  []string
	}{
		{"malformed JSON", post(`{"tenant":`), 400, nil},
		{"empty body", post(""), 400, nil},
		{"two values", post(goodRun + goodRun), 400, nil},
		{"not UTF-8", post(run("\"\xff\"")), 400, nil},
		{"an array", post(`[]`), 422, []string{"body"}},
		{"null", post(`null`), 422, []string{"body"}},
		{"nothing given", post(`{}`), 422, []string{"tenant", "agent", "question"}},
		{"a number", post(run("5")), 422, []string{"question"}},
		{"a null field", post(run("null")), 422, []string{"question"}},
		{"an empty question", post(run(`""`)), 422, []string{"question"}},
		{"a question too long", post(run(`"` + long + `"`)), 422, []string{"question"}},
		{"a question that PostgreSQL cannot store", post(run(`"\u0000"`)), 422, []string{"question"}},
		{"a field name in capitals", post(`{"TENANT":"acme","agent":"researcher","question":"?"}`), 422, []string{"tenant"}},
		{"a tenant that is a novel", post(`{"tenant":"` + long + `","agent":"researcher","question":"?"}`), 422, []string{"tenant"}},
		{"unknown tenant", post(`{"tenant":"nobody","agent":"researcher","question":"?"}`), 404, []string{"tenant"}},
		{"unknown agent", post(`{"tenant":"acme","agent":"nobody","question":"?"}`), 404, nil},
		{"too large", post(run(`"` + strings.Repeat("x", 64<<10) + `"`)), 413, nil},
		{"wrong content type", withHeader(post(goodRun), "Content-Type", "text/plain"), 415, nil},
		{"broken content type", withHeader(post(goodRun), "Content-Type", ";"), 415, nil},
		{"a body that never comes", httptest.NewRequest("POST", "/runs", failingBody{os.ErrDeadlineExceeded}), 408, nil},
		{"a body that breaks off", httptest.NewRequest("POST", "/runs", failingBody{io.ErrUnexpectedEOF}), 400, nil},
		{"wrong method", get("/runs"), 405, nil},
		{"wrong method on health", httptest.NewRequest("DELETE", "/", nil), 405, nil},
		{"unknown path", get("/nope/7?q=1"), 404, nil},
		{"a path to be cleaned", get("/runs/../data"), 404, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := setUp(t)
			got := f.send(t, test.request)
			f.wantProblem(t, got, test.status)
			var fields []string
			list, _ := got.body["errors"].([]any)
			for _, field := range list {
				fields = append(fields, field.(map[string]any)["field"].(string))
			}
			if !slices.Equal(fields, test.fields) {
				t.Errorf("fields named: %v, want %v", fields, test.fields)
			}
			if len(f.python.headers) != 0 {
				t.Error("python-service was asked")
			}
			spans := f.Spans()
			if span := spans[len(spans)-1]; span.Status().Code != codes.Unset || len(f.Exceptions()) != 0 {
				t.Errorf("a 4xx made the span an error: %v, exceptions on %v", span.Status(), f.Exceptions())
			}
		})
	}
}

func TestBodyAtTheLimitIsAccepted(t *testing.T) {
	f := setUp(t)
	padded := goodRun + strings.Repeat(" ", 64<<10-len(goodRun))
	if got := f.send(t, post(padded)); got.StatusCode != http.StatusOK {
		t.Errorf("status is %d", got.StatusCode)
	}
}

func TestUnknownFieldsAndMissingContentTypeAreAccepted(t *testing.T) {
	f := setUp(t)
	request := post(`{"tenant":"acme","agent":"researcher","question":"?","later":true}`)
	request.Header.Del("Content-Type")
	if got := f.send(t, request); got.StatusCode != http.StatusOK {
		t.Errorf("status is %d: %v", got.StatusCode, got.body)
	}
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	for path, want := range map[string]string{"/runs": "POST", "/data": "GET, HEAD", "/": "GET, HEAD"} {
		f := setUp(t)
		got := f.send(t, httptest.NewRequest("PATCH", path, nil))
		if got.Header.Get("Allow") != want {
			t.Errorf("%s: Allow is %q, want %q", path, got.Header.Get("Allow"), want)
		}
		f.Span(t, "PATCH "+path)
	}
}

func TestExhaustedBudgetIsRefused(t *testing.T) {
	f := setUp(t)
	f.db.account.SpendUSD = f.db.account.BudgetUSD
	f.wantProblem(t, f.send(t, post(goodRun)), http.StatusPaymentRequired)
}

func TestTenantOverItsLimitIsToldWhenToRetry(t *testing.T) {
	f := setUp(t) // two runs at once
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	f.python.answer = func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		w.WriteHeader(http.StatusInternalServerError)
	}
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() { f.api.ServeHTTP(httptest.NewRecorder(), post(goodRun)) })
	}
	<-arrived
	<-arrived
	got := f.send(t, post(goodRun))
	if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "1" {
		t.Errorf("status is %d, Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
	close(release)
	running.Wait()

	f.python.answer = nil
	if got := f.send(t, post(goodRun)); got.StatusCode != http.StatusOK {
		t.Errorf("status is %d after the others had finished", got.StatusCode)
	}
}

func TestDatabaseDownIsUnavailableAndRecordedOnce(t *testing.T) {
	for _, request := range []*http.Request{post(goodRun), get("/data")} {
		f := setUp(t)
		f.db.err = &gateway.Error{Code: gateway.CodeUnavailable, Detail: "no database", Cause: errors.New("password=hunter2")}
		got := f.send(t, request)
		f.wantProblem(t, got, http.StatusServiceUnavailable)
		if len(f.Exceptions()) != 1 {
			t.Errorf("exceptions on %v", f.Exceptions())
		}
		if strings.Contains(fmt.Sprint(got.body), "hunter2") {
			t.Error("the cause was sent to the client")
		}
	}
}

func TestCallerThatWentAwayIsNotAnErrorOfOurs(t *testing.T) {
	f := setUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.python.answer = func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}
	f.wantProblem(t, f.send(t, post(goodRun).WithContext(ctx)), 499)
}

func withHeader(request *http.Request, key, value string) *http.Request {
	request.Header.Set(key, value)
	return request
}

type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }
