package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/gateway"
)

// statusClientClosed is what a caller that went away would get. Nobody reads it but the telemetry.
const statusClientClosed = 499

// statusOf is the one table from code to status. CodeRefused is not in it: it brings its own.
var statusOf = map[gateway.Code]int{
	gateway.CodeMalformed:        http.StatusBadRequest,
	gateway.CodeBudget:           http.StatusPaymentRequired,
	gateway.CodeNotFound:         http.StatusNotFound,
	gateway.CodeMethod:           http.StatusMethodNotAllowed,
	gateway.CodeSlowBody:         http.StatusRequestTimeout,
	gateway.CodeTooLarge:         http.StatusRequestEntityTooLarge,
	gateway.CodeUnsupportedMedia: http.StatusUnsupportedMediaType,
	gateway.CodeInvalid:          http.StatusUnprocessableEntity,
	gateway.CodeBusy:             http.StatusTooManyRequests,
	gateway.CodeCanceled:         statusClientClosed,
	gateway.CodeInternal:         http.StatusInternalServerError,
	gateway.CodeBadGateway:       http.StatusBadGateway,
	gateway.CodeUnavailable:      http.StatusServiceUnavailable,
}

// problem is the body of every error (RFC 9457).
type problem struct {
	Type    string               `json:"type"`
	Title   string               `json:"title"`
	Status  int                  `json:"status"`
	Detail  string               `json:"detail"`
	TraceID string               `json:"trace_id,omitempty"`
	Errors  []gateway.FieldError `json:"errors,omitempty"`
}

// asError returns err as the error that clients are told about. What is not a [gateway.Error] is a defect of ours,
// and its text is not sent.
func asError(err error) *gateway.Error {
	var known *gateway.Error
	if errors.As(err, &known) {
		return known
	}
	return &gateway.Error{Code: gateway.CodeInternal, Detail: "the request could not be completed", Cause: err}
}

func status(err *gateway.Error) int {
	if err.Code == gateway.CodeRefused {
		return err.Status
	}
	return statusOf[err.Code]
}

// writeProblem is the one place that writes errors.
func writeProblem(w http.ResponseWriter, r *http.Request, err *gateway.Error) error {
	code := status(err)
	body := problem{Type: "about:blank", Title: title(code), Status: code, Detail: err.Detail, Errors: err.Fields}
	if span := trace.SpanContextFromContext(r.Context()); span.IsValid() {
		body.TraceID = span.TraceID().String()
	}
	if err.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(err.RetryAfter.Seconds()))))
	}
	return write(w, code, "application/problem+json", body)
}

func title(code int) string {
	if code == statusClientClosed {
		return "Client Closed Request"
	}
	return http.StatusText(code)
}

// writeJSON writes a successful answer.
func writeJSON(w http.ResponseWriter, code int, body any) error {
	return write(w, code, "application/json", body)
}

// write encodes before it sends, so that an answer is whole or an error.
func write(w http.ResponseWriter, code int, contentType string, body any) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// The caller may be gone; there is nobody left to tell.
	_, _ = w.Write(encoded.Bytes())
	return nil
}
