package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/internal/recording"
)

const (
	callerTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerSpan  = "00f067aa0ba902b7"
)

// probed adds the context that a traced caller sends, with a tenant that the body does not confirm.
func probed(request *http.Request) *http.Request {
	request.Header.Set("traceparent", "00-"+callerTrace+"-"+callerSpan+"-01")
	request.Header.Set("baggage", "tenant.id=globex,test.id=t-1,session.id=s-1,coupon=secret")
	return request
}

func TestRunIsAnsweredAndTraced(t *testing.T) {
	f := setUp(t)
	got := f.send(t, probed(post(goodRun)))
	if got.StatusCode != http.StatusOK || got.body["trace_id"] != callerTrace || got.body["answer"] != "because" ||
		got.body["cost_usd"] != 0.0025 {
		t.Fatalf("%d: %v", got.StatusCode, got.body)
	}

	server, called := f.Span(t, "POST /runs"), f.Span(t, "POST /executions")
	if server.SpanKind() != trace.SpanKindServer || server.Parent().SpanID().String() != callerSpan {
		t.Errorf("the SERVER span is %s under %s", server.SpanKind(), server.Parent().SpanID())
	}
	if called.SpanKind() != trace.SpanKindClient || called.Parent().SpanID() != server.SpanContext().SpanID() {
		t.Errorf("the CLIENT span is %s under %s", called.SpanKind(), called.Parent().SpanID())
	}
	if want := "00-" + callerTrace + "-" + server.SpanContext().SpanID().String() + "-01"; got.Header.Get("traceresponse") != want {
		t.Errorf("traceresponse is %q, want %q", got.Header.Get("traceresponse"), want)
	}
	for key, want := range map[string]any{
		"http.request.method": "POST", "http.route": "/runs", "url.path": "/runs", "url.scheme": "http",
		"server.address": "example.com", "http.response.status_code": int64(200), "error.type": nil,
		"run.id": got.body["run_id"], "http.method": nil, "http.status_code": nil, "net.peer.name": nil,
	} {
		if has := recording.Attributes(server.Attributes())[key]; has != want {
			t.Errorf("%s is %v, want %v", key, has, want)
		}
	}

	sent := f.python.headers[0]
	if !strings.Contains(sent.Get("traceparent"), called.SpanContext().SpanID().String()) {
		t.Errorf("traceparent of the next hop is %q", sent.Get("traceparent"))
	}
	members := strings.Split(sent.Get("baggage"), ",")
	slices.Sort(members)
	if want := []string{"coupon=secret", "session.id=s-1", "tenant.id=acme", "test.id=t-1"}; !slices.Equal(members, want) {
		t.Errorf("baggage of the next hop is %v, want %v", members, want)
	}
}

func TestOnlyAllowedBaggageIsRecordedAndTheBodyNamesTheTenant(t *testing.T) {
	f := setUp(t)
	f.send(t, probed(post(goodRun)))
	want := map[string]any{"tenant.id": "acme", "test.id": "t-1", "session.id": "s-1", "coupon": nil}
	check := func(what string, attributes map[string]any) {
		t.Helper()
		for key, value := range want {
			if attributes[key] != value {
				t.Errorf("%s: %s is %v, want %v", what, key, attributes[key], value)
			}
		}
	}
	for _, span := range f.Spans() {
		check(span.Name(), recording.Attributes(span.Attributes()))
	}
	for _, record := range f.Logs() {
		attributes := map[string]any{}
		record.WalkAttributes(func(kv attribute.KeyValue) bool {
			attributes[string(kv.Key)] = kv.Value.AsInterface()
			return true
		})
		check("record "+record.Body().AsString(), attributes)
		if record.TraceID().String() != callerTrace || !record.SpanID().IsValid() {
			t.Errorf("record %q has lost its trace", record.Body().AsString())
		}
	}
	var messages []string
	for _, line := range f.Lines(t) {
		check("line", line)
		if line["trace_id"] != callerTrace || line["timestamp"] == nil || line["level"] != "INFO" {
			t.Errorf("line is %v", line)
		}
		messages = append(messages, line["message"].(string))
	}
	if !slices.Equal(messages, []string{"run admitted", "run finished"}) {
		t.Errorf("lines are %q", messages)
	}
}

func TestErrorIsRecordedOnceOnTheServerSpan(t *testing.T) {
	f := setUp(t)
	got := f.send(t, get("/error"))
	f.wantProblem(t, got, http.StatusInternalServerError)
	if strings.Contains(got.body["detail"].(string), "always fails") {
		t.Error("the error's text was sent to the client")
	}
	if exceptions := f.Exceptions(); !slices.Equal(exceptions, []string{"GET /error"}) {
		t.Errorf("exceptions on %v", exceptions)
	}
	span := f.Span(t, "GET /error")
	event := recording.Attributes(span.Events()[0].Attributes)
	failure := recording.Attributes(span.Attributes())["error.type"]
	if span.Status().Code != codes.Error || failure != event["exception.type"] || failure != "tracewright/go-service/httpapi.DeliberateError" {
		t.Errorf("status %v, error.type %v, event %v", span.Status(), failure, event)
	}
	if stack, _ := event["exception.stacktrace"].(string); !strings.Contains(stack, "httpapi.(*API).fail") {
		t.Errorf("the stack does not show the place: %s", stack)
	}
	var levels []any
	for _, line := range f.Lines(t) {
		levels = append(levels, line["level"])
	}
	if !slices.Equal(levels, []any{"ERROR"}) {
		t.Errorf("levels logged: %v", levels)
	}
	var types []string
	for _, record := range f.Logs() {
		record.WalkAttributes(func(kv attribute.KeyValue) bool {
			if kv.Key == "exception.type" {
				types = append(types, kv.Value.AsString())
			}
			return true
		})
	}
	if len(types) != 1 || types[0] != failure {
		t.Errorf("exception.type on the records: %v", types)
	}
}

func TestUnknownPathsShareOneRoute(t *testing.T) {
	f := setUp(t)
	f.send(t, get("/wp-admin/17"))
	span := f.Span(t, "GET /*")
	attributes := recording.Attributes(span.Attributes())
	if attributes["http.route"] != "/*" || attributes["url.path"] != "/wp-admin/17" {
		t.Errorf("attributes are %v", attributes)
	}
	f.send(t, httptest.NewRequest("BREW", "/coffee", nil))
	f.Span(t, "HTTP /*")
}

func TestHealthIsTrueAndLeavesNoTrace(t *testing.T) {
	f := setUp(t)
	if got := f.send(t, get("/")); got.StatusCode != http.StatusOK || got.body["status"] != "ok" {
		t.Errorf("%d: %v", got.StatusCode, got.body)
	}
	f.db.err = errors.New("gone")
	got := f.send(t, get("/"))
	if got.StatusCode != http.StatusServiceUnavailable || got.body["status"] != "unavailable" ||
		got.body["checks"].(map[string]any)["postgres"] != "unavailable" {
		t.Errorf("%d: %v", got.StatusCode, got.body)
	}
	if len(f.Spans()) != 0 || len(f.Logs()) != 0 || f.Metric(t, "gateway.requests") != nil {
		t.Errorf("%d spans, %d records", len(f.Spans()), len(f.Logs()))
	}
}

func TestRequestMetricsKnowTheTenantAndNoStranger(t *testing.T) {
	f := setUp(t)
	stranger := get("/data")
	stranger.Header.Set("baggage", "tenant.id=made-up-17,test.id=t")
	f.send(t, post(goodRun))
	f.send(t, probed(get("/data")))
	f.send(t, stranger)
	f.send(t, get("/error"))
	f.send(t, post(`{"tenant":"made-up-18","agent":"researcher","question":"?"}`))

	durations := f.Metric(t, "http.server.request.duration").(metricdata.Histogram[float64])
	got := map[string]uint64{}
	for _, point := range durations.DataPoints {
		attributes := recording.Attributes(point.Attributes.ToSlice())
		if attributes["server.address"] != nil || attributes["test.id"] != nil {
			t.Errorf("a client can make series: %v", attributes)
		}
		if point.Bounds[0] != 0.005 {
			t.Errorf("bounds are not seconds: %v", point.Bounds)
		}
		tenant, _ := attributes["tenant.id"].(string)
		failure, _ := attributes["error.type"].(string)
		got[attributes["http.route"].(string)+" "+tenant+" "+failure] = point.Count
	}
	want := map[string]uint64{
		"/runs acme ": 1, "/runs unknown ": 1, "/data globex ": 1, "/data unknown ": 1,
		"/error  tracewright/go-service/httpapi.DeliberateError": 1,
	}
	for key, count := range want {
		if got[key] != count {
			t.Errorf("%q counts %d, want %d", key, got[key], count)
		}
	}
	if len(got) != len(want) {
		t.Errorf("series are %v", got)
	}

	requests := f.Metric(t, "gateway.requests").(metricdata.Sum[int64])
	counts := map[string]int64{}
	for _, point := range requests.DataPoints {
		attributes := recording.Attributes(point.Attributes.ToSlice())
		tenant, _ := attributes["tenant.id"].(string)
		counts[strings.Join([]string{
			attributes["gateway.id"].(string), attributes["method"].(string), attributes["status"].(string), tenant,
		}, " ")] += point.Value
	}
	for key, count := range map[string]int64{
		"gateway-test POST 200 acme": 1, "gateway-test POST 404 unknown": 1, "gateway-test GET 200 globex": 1,
		"gateway-test GET 200 unknown": 1, "gateway-test GET 500 ": 1,
	} {
		if counts[key] != count {
			t.Errorf("%q counts %d, want %d", key, counts[key], count)
		}
	}

	active := f.Metric(t, "gateway.active_connections").(metricdata.Sum[int64])
	for _, point := range active.DataPoints {
		if point.Value != 0 {
			t.Errorf("%v is active after all were answered: %d", recording.Attributes(point.Attributes.ToSlice()), point.Value)
		}
	}
}
