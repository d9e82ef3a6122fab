package pythonservice

import (
	"errors"
	"io"
	"net/http"

	"go.opentelemetry.io/otel/trace"
)

// recordingTransport puts the exception event of a failed round trip on its CLIENT span. It sits inside otelhttp's
// transport, which begins and ends that span and sets its status, but records no exceptions.
type recordingTransport struct{ http.RoundTripper }

func (t recordingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	span := trace.SpanFromContext(request.Context())
	response, err := t.RoundTripper.RoundTrip(request)
	if err != nil {
		span.RecordError(err)
		return nil, err
	}
	response.Body = &recordingBody{ReadCloser: response.Body, span: span}
	return response, nil
}

// recordingBody does the same for an answer that breaks off. The span lives until the body is closed.
type recordingBody struct {
	io.ReadCloser
	span trace.Span
	done bool
}

func (b *recordingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !b.done {
		b.done = true
		b.span.RecordError(err)
	}
	return n, err
}
