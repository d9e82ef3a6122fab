// Package pythonservice runs agents on python-service over HTTP.
package pythonservice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"tracewright/go-service/gateway"
	"tracewright/go-service/telemetry"
)

const (
	// maxAnswerBytes is far above any answer; a longer one is a broken dependency.
	maxAnswerBytes = 1 << 20
	// maxIdle keeps connections for as many concurrent runs as a busy gateway has.
	maxIdle = 64
)

// Client implements [gateway.AgentRuntime].
type Client struct {
	http       *http.Client
	executions string
	timeout    time.Duration
}

// New returns a client of the service at base. Each execution, body included, has the timeout.
func New(base *url.URL, timeout time.Duration, t *telemetry.Telemetry) *Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     30 * time.Second,
	}
	return &Client{
		http: &http.Client{Transport: otelhttp.NewTransport(recordingTransport{transport},
			otelhttp.WithTracerProvider(t.Tracers),
			otelhttp.WithMeterProvider(t.Meters),
			otelhttp.WithPropagators(t.Propagator),
			otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
				return r.Method + " " + r.URL.Path // a constant path
			}),
		)},
		executions: base.JoinPath("executions").String(),
		timeout:    timeout,
	}
}

// Close gives the idle connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Execute implements [gateway.AgentRuntime].
func (c *Client) Execute(ctx context.Context, run gateway.Run) (gateway.Execution, error) {
	body, err := json.Marshal(map[string]string{
		"run_id": run.ID, "tenant": run.Tenant, "agent": run.Agent, "question": run.Question,
	})
	if err != nil {
		return gateway.Execution{}, fmt.Errorf("encode execution: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodPost, c.executions, bytes.NewReader(body))
	if err != nil {
		return gateway.Execution{}, fmt.Errorf("make execution request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")

	response, err := c.http.Do(request)
	if err != nil {
		return gateway.Execution{}, unanswered(ctx, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return gateway.Execution{}, unanswered(ctx, err)
	}
	if response.StatusCode != http.StatusOK {
		return gateway.Execution{}, refused(response.StatusCode, answer)
	}
	var execution gateway.Execution
	if len(answer) > maxAnswerBytes {
		return gateway.Execution{}, nonsense(fmt.Errorf("answer is over %d bytes", maxAnswerBytes))
	}
	if err := json.Unmarshal(answer, &execution); err != nil {
		return gateway.Execution{}, nonsense(fmt.Errorf("decode execution: %w", err))
	}
	if execution.RunID != run.ID {
		return gateway.Execution{}, nonsense(fmt.Errorf("asked for run %s, got run %q", run.ID, execution.RunID))
	}
	if execution.Sources == nil {
		execution.Sources = []gateway.Source{}
	}
	return execution, nil
}

// unanswered is for a request without an answer. The CLIENT span has the exception. ctx is the caller's own.
func unanswered(ctx context.Context, err error) error {
	cause := telemetry.MarkRecorded(fmt.Errorf("call python-service: %w", err))
	if errors.Is(ctx.Err(), context.Canceled) {
		return &gateway.Error{Code: gateway.CodeCanceled, Detail: "the caller went away", Cause: cause}
	}
	return &gateway.Error{Code: gateway.CodeUnavailable, Detail: "python-service is not available", Cause: cause}
}

// nonsense is for a 200 that cannot be used. No span has an exception yet: on the wire all was well.
func nonsense(cause error) error {
	return &gateway.Error{Code: gateway.CodeBadGateway, Detail: "python-service gave an unusable answer", Cause: cause}
}

// refused maps an error status: a 4xx is passed on in the dependency's words, 503 stays what it is, the rest is 502.
// python-service has the exception of a 5xx; here it is an answer like any other.
func refused(status int, answer []byte) error {
	if status >= 400 && status < 500 {
		var problem struct {
			Detail string               `json:"detail"`
			Errors []gateway.FieldError `json:"errors"`
		}
		if json.Unmarshal(answer, &problem) != nil || problem.Detail == "" {
			problem.Detail = "python-service refused the request"
		}
		return &gateway.Error{
			Code: gateway.CodeRefused, Status: status, Detail: problem.Detail, Fields: problem.Errors,
		}
	}
	cause := telemetry.MarkRecorded(fmt.Errorf("python-service answered %d", status))
	if status == http.StatusServiceUnavailable {
		return &gateway.Error{Code: gateway.CodeUnavailable, Detail: "python-service is not available", Cause: cause}
	}
	return &gateway.Error{Code: gateway.CodeBadGateway, Detail: "python-service failed", Cause: cause}
}
