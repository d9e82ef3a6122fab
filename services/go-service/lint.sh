#!/bin/sh
# Checks that the code is formatted, vetted, and that every log call has a context: run from anywhere.
set -eu
cd "$(dirname "$0")"

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
  echo "not formatted (gofmt -w fixes it): $unformatted" >&2
  exit 1
fi
go vet ./...
# A log call without context loses its trace id: --ctx-only=all refuses it; so is a logger that nobody passed along.
go tool -modfile=tools/go.mod sloglint -ctx-only=all -no-global=all -static-msg ./...
