package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// recorded marks an error whose exception event is already on a span.
type recorded struct{ error }

func (r *recorded) Unwrap() error { return r.error }

// Fail marks span as failed by err. The exception event goes on the first span that this is called for, so an error
// that passes through several spans is recorded once, where it happened. Return the error that Fail returns.
func Fail(span trace.Span, err error, errorType string) error {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	if Recorded(err) {
		return err
	}
	span.RecordError(err, trace.WithStackTrace(true))
	return MarkRecorded(err)
}

// MarkRecorded says that a span has the exception event of err already, where another than [Fail] put it there.
func MarkRecorded(err error) error { return &recorded{err} }

// Recorded reports whether a span has the exception event of err.
func Recorded(err error) bool {
	var mark *recorded
	return errors.As(err, &mark)
}

// TypeName is the name of the error's type behind all that wraps it, as in error.type and exception.type.
func TypeName(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return semconv.ErrorType(err).Value.AsString()
}

// Untraced returns ctx without its span: work done on behalf of nobody in particular begins no spans.
func Untraced(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}
