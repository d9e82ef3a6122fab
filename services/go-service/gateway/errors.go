package gateway

import (
	"fmt"
	"time"
)

// Code says what kind of failure an [Error] is. The HTTP layer has the one table from code to status.
type Code string

// The codes that functions of this package and implementations of its interfaces return.
const (
	// CodeMalformed: the request is not what its content type says.
	CodeMalformed Code = "malformed"
	// CodeInvalid: the request is well formed, but a field is missing or wrong; Fields names them.
	CodeInvalid Code = "invalid"
	// CodeTooLarge: the request's body is over the limit.
	CodeTooLarge Code = "too_large"
	// CodeUnsupportedMedia: the body is not application/json.
	CodeUnsupportedMedia Code = "unsupported_media"
	// CodeSlowBody: the body did not arrive within the server's read timeout.
	CodeSlowBody Code = "slow_body"
	// CodeNotFound: the path, tenant or agent does not exist.
	CodeNotFound Code = "not_found"
	// CodeMethod: the path exists, the method does not.
	CodeMethod Code = "method"
	// CodeBudget: the team has spent its budget; trying again does not help.
	CodeBudget Code = "budget_exhausted"
	// CodeBusy: the tenant runs as many agents as it may; RetryAfter says when to try again.
	CodeBusy Code = "busy"
	// CodeCanceled: the caller went away before there was an answer.
	CodeCanceled Code = "canceled"
	// CodeRefused: a dependency refused the request with a 4xx, which Status passes on.
	CodeRefused Code = "refused"
	// CodeBadGateway: a dependency failed or answered nonsense.
	CodeBadGateway Code = "bad_gateway"
	// CodeUnavailable: a dependency is down, or hangs.
	CodeUnavailable Code = "unavailable"
	// CodeInternal: a defect of ours.
	CodeInternal Code = "internal"
)

// FieldError names one field of a request and what is wrong with it.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is a failure that a caller can be told about. Detail and Fields are sent to clients; Cause is for logs and
// spans alone.
type Error struct {
	Code   Code
	Detail string
	Fields []FieldError
	// RetryAfter is zero unless Code is CodeBusy.
	RetryAfter time.Duration
	// Status is zero unless Code is CodeRefused: then it is the dependency's own 4xx.
	Status int
	Cause  error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s: %s", e.Code, e.Detail)
	}
	return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Cause)
}

// Unwrap returns the cause, so that [errors.Is] and [errors.As] see it.
func (e *Error) Unwrap() error { return e.Cause }
