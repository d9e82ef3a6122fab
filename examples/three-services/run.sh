#!/usr/bin/env bash
# Starts the three services, each with the stock OpenTelemetry distro, until Ctrl-C.
#   LOSE_CONTEXT=1 ./run.sh    with the seeded defect
#   OTLP=http://127.0.0.1:4318 where the telemetry goes (the default)
set -euo pipefail
cd "$(dirname "$0")"
export OTEL_EXPORTER_OTLP_ENDPOINT="${OTLP:-http://127.0.0.1:4318}" OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_TRACES_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp OTEL_METRICS_EXPORTER=none
export OTEL_SEMCONV_STABILITY_OPT_IN=http # the stable attribute names
export OTEL_BSP_SCHEDULE_DELAY=200 OTEL_BLRP_SCHEDULE_DELAY=200 # milliseconds: in tests one waits for it
export SHOP_PORT="${SHOP_PORT:-8101}" STOCK_PORT="${STOCK_PORT:-8102}" PAYMENTS_PORT="${PAYMENTS_PORT:-8103}"
export STOCK_URL="http://127.0.0.1:$STOCK_PORT" PAYMENTS_URL="http://127.0.0.1:$PAYMENTS_PORT"

start() {
  OTEL_SERVICE_NAME=$1 \
    OTEL_RESOURCE_ATTRIBUTES="service.namespace=shop,service.version=1.0,service.instance.id=$1-1,deployment.environment.name=test" \
    opentelemetry-instrument uvicorn "$1:app" --port "$2" --log-level warning &
}

trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap exit INT TERM
start stock "$STOCK_PORT"
start payments "$PAYMENTS_PORT"
start shop "$SHOP_PORT"
wait
