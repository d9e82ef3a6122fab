package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"tracewright/go-service/gateway"
)

const (
	maxBodyBytes     = 64 << 10
	maxQuestionChars = 2000
	maxNameChars     = 64
)

// decodeRun reads a run request. All wrong fields are named at once. Field names are matched exactly; unknown fields
// are ignored, so that a newer caller can talk to an older gateway. CodeUnsupportedMedia, CodeTooLarge, CodeSlowBody,
// CodeMalformed, CodeInvalid, CodeCanceled.
func decodeRun(w http.ResponseWriter, r *http.Request) (gateway.RunRequest, error) {
	if sent := r.Header.Get("Content-Type"); sent != "" {
		if media, _, err := mime.ParseMediaType(sent); err != nil || media != "application/json" {
			return gateway.RunRequest{}, &gateway.Error{
				Code: gateway.CodeUnsupportedMedia, Detail: "the body must be application/json",
			}
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		return gateway.RunRequest{}, unreadable(r, err)
	}
	fields, err := parseObject(body)
	if err != nil {
		return gateway.RunRequest{}, err
	}
	var wrong []gateway.FieldError
	text := func(name string, maxChars int) string {
		value, message := parseText(fields[name], maxChars)
		if message != "" {
			wrong = append(wrong, gateway.FieldError{Field: name, Message: message})
		}
		return value
	}
	request := gateway.RunRequest{
		Tenant:   text("tenant", maxNameChars),
		Agent:    text("agent", maxNameChars),
		Question: text("question", maxQuestionChars),
	}
	if len(wrong) > 0 {
		return gateway.RunRequest{}, invalid(wrong...)
	}
	return request, nil
}

func unreadable(r *http.Request, err error) error {
	var tooLarge *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &tooLarge):
		return &gateway.Error{
			Code: gateway.CodeTooLarge, Detail: fmt.Sprintf("the body must be at most %d bytes", maxBodyBytes),
		}
	case errors.As(err, &network) && network.Timeout():
		return &gateway.Error{Code: gateway.CodeSlowBody, Detail: "the body did not arrive in time", Cause: err}
	case r.Context().Err() != nil:
		return &gateway.Error{Code: gateway.CodeCanceled, Detail: "the caller went away", Cause: err}
	}
	return &gateway.Error{Code: gateway.CodeMalformed, Detail: "the body could not be read", Cause: err}
}

// parseObject takes a JSON object apart, without looking into its values.
func parseObject(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, &gateway.Error{Code: gateway.CodeMalformed, Detail: "the body is not UTF-8"}
	}
	if !json.Valid(body) {
		return nil, &gateway.Error{Code: gateway.CodeMalformed, Detail: "the body is not one JSON value"}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, invalid(gateway.FieldError{Field: "body", Message: "must be an object"})
	}
	return fields, nil
}

// parseText returns the string in raw, or what is wrong with it.
func parseText(raw json.RawMessage, maxChars int) (value, message string) {
	if raw == nil {
		return "", "is required"
	}
	if raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return "", "must be a string"
	}
	if chars := utf8.RuneCountInString(value); chars < 1 || chars > maxChars {
		return "", fmt.Sprintf("must have 1 to %d characters, has %d", maxChars, chars)
	}
	if strings.ContainsRune(value, 0) {
		return "", "must not contain U+0000" // PostgreSQL cannot store it
	}
	return value, ""
}

func invalid(wrong ...gateway.FieldError) error {
	names := make([]string, len(wrong))
	for i, field := range wrong {
		names[i] = field.Field + " " + field.Message
	}
	return &gateway.Error{Code: gateway.CodeInvalid, Detail: strings.Join(names, "; "), Fields: wrong}
}
