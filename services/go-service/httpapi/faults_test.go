package httpapi_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"tracewright/go-service/faults"
	"tracewright/go-service/internal/recording"
)

// as returns the request with the baggage of a test. Faults in these tests are on for "broken" alone.
func as(test string, request *http.Request) *http.Request {
	request.Header.Set("Baggage", "test.id="+test)
	return request
}

func TestContextIsLostForWhomTheFaultIsOn(t *testing.T) {
	f := setUpWith(t, faults.ContextLost)
	f.send(t, as("broken", post(goodRun)))
	f.send(t, as("whole", post(goodRun)))
	broken, whole := f.python.headers[0], f.python.headers[1]
	if broken.Get("Traceparent") != "" || broken.Get("Baggage") != "" {
		t.Errorf("sent on: %v", broken)
	}
	if whole.Get("Traceparent") == "" || whole.Get("Baggage") == "" {
		t.Errorf("not sent on: %v", whole)
	}
}

func TestBaggageIsLostForWhomTheFaultIsOn(t *testing.T) {
	f := setUpWith(t, faults.BaggageLost)
	f.send(t, as("broken", post(goodRun)))
	f.send(t, as("whole", post(goodRun)))
	broken, whole := f.python.headers[0], f.python.headers[1]
	if broken.Get("Traceparent") == "" || broken.Get("Baggage") != "" {
		t.Errorf("sent on: %v", broken)
	}
	if whole.Get("Traceparent") == "" || whole.Get("Baggage") == "" {
		t.Errorf("not sent on: %v", whole)
	}
}

func TestExceptionIsRecordedTwiceForWhomTheFaultIsOn(t *testing.T) {
	for test, want := range map[string][]string{"broken": {"GET /error", "GET /error"}, "whole": {"GET /error"}} {
		f := setUpWith(t, faults.ExceptionTwice)
		f.send(t, as(test, get("/error")))
		if got := f.Exceptions(); !slices.Equal(got, want) {
			t.Errorf("%s: exceptions on %v", test, got)
		}
	}
}

func TestClockRunsAheadOnSpansAndLogsForWhomTheFaultIsOn(t *testing.T) {
	for test, want := range map[string]time.Duration{"broken": 2 * time.Second, "whole": 0} {
		f := setUpWith(t, faults.ClockSkew)
		before := time.Now()
		f.send(t, as(test, get("/error")))
		span := f.Span(t, "GET /error")
		moments := []time.Time{span.StartTime(), span.EndTime(), span.Events()[0].Time, f.Logs()[0].Timestamp()}
		for i, moment := range moments {
			if ahead := moment.Sub(before); ahead < want || ahead > want+time.Second {
				t.Errorf("%s: moment %d is %s ahead, want %s", test, i, ahead, want)
			}
		}
	}
}

func TestSpansNameAnotherVersionForWhomTheFaultIsOn(t *testing.T) {
	for test, want := range map[string]string{"broken": "dev", "whole": "0.0.0-test"} {
		f := setUpWith(t, faults.ResourceDiffers)
		f.send(t, as(test, get("/data")))
		spans := recording.Attributes(f.Span(t, "GET /data").Resource().Attributes())
		record := f.Logs()[0].Resource()
		logs := recording.Attributes(record.Attributes())
		if spans["service.version"] != want || logs["service.version"] != "0.0.0-test" || spans["service.name"] != "go-service" {
			t.Errorf("%s: spans say %v, logs %v", test, spans, logs)
		}
	}
}
