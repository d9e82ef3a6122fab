# `make` alone prints this help. Everything that a target needs beyond Python, Go, Rust and Node it gets itself.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.8
TOOLS := .tracewright/tools
UV := $(TOOLS)/bin/uv
PYTHON := .venv/bin/python
TRACEWRIGHT := .venv/bin/tracewright
CHECKS := $(PYTHON) .ci/checks.py

# Load test: how long, and how many people at once.
DURATION ?= 60s
USERS ?= 20
SERVICE ?=
# Soak: how many runs, and how many cores something else keeps busy.
RUNS ?= 20
BURN ?= 0

# Where the end-to-end suite runs: native or compose.
STACK ?= native
RECORDS ?= 1000000

.PHONY: help up down status logs doctor build test lint unit e2e soak load load-ui bench-harness bench-store dashboards docs metrics fmt clean

help: ## show this help
	@echo 'Tracewright: a fleet, its telemetry, and a harness that proves it. Start with: make up'
	echo
	awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: .venv/.ready ## build what is out of date, start everything, prove one agent run per tenant
	@$(TRACEWRIGHT) up

down: .venv/.ready ## stop everything (VOLUMES=1 also removes the data)
	@$(TRACEWRIGHT) down $(if $(VOLUMES),--volumes)

status: .venv/.ready ## what runs, how it is, what it uses
	@$(TRACEWRIGHT) status

logs: .venv/.ready ## the logs of the stack (SERVICE=go-service for one, FOLLOW=1 to stay)
	@$(TRACEWRIGHT) logs $(SERVICE) $(if $(FOLLOW),-f)

doctor: .venv/.ready ## name what this machine lacks, and how to get it
	@$(TRACEWRIGHT) doctor

build: .venv/.ready ## only build
	@$(TRACEWRIGHT) build

test: .venv/.ready ## linters, unit tests of every language, the end-to-end suite on stacks of its own
	@$(CHECKS) lint $(if $(COMPOSE),docker) unit e2e $(if $(COMPOSE),e2e-compose)

lint: .venv/.ready ## formatters and linters, without changing a file
	@$(CHECKS) lint

unit: .venv/.ready ## unit tests of every language
	@$(CHECKS) unit

e2e: .venv/.ready ## the end-to-end suite on stacks of its own, on free ports (STACK=compose: in containers)
	@$(CHECKS) e2e$(addprefix -,$(filter-out native,$(STACK)))

soak: .venv/.ready ## the journeys and checks again and again on one stack: RUNS=100 BURN=2 (cores kept busy meanwhile)
	@$(PYTHON) -m e2e.repeat --runs $(RUNS) --burn-cores $(BURN)

load: .venv/.ready ## drive the running stack: DURATION=60s USERS=20
	@$(PYTHON) -m loadtests --duration $(DURATION) --users $(USERS)

load-ui: .venv/.ready ## the same from Locust's page, port 8089
	@$(PYTHON) -m loadtests --ui --users $(USERS)

bench-harness: .venv/.ready ## the harness alone: replay of 500 spans, request to verdict, each check (RUNS=5)
	@$(PYTHON) -m e2e.bench_harness --runs $(if $(filter file,$(origin RUNS)),5,$(RUNS))

bench-store: ## the store alone: ingest, time to searchable, searches, memory, start-up (RECORDS=1000000)
	@cargo build --release --quiet --package tracewright-store --bins --example bench_store
	target/release/examples/bench_store --records $(RECORDS)

dashboards: .venv/.ready ## write Grafana's dashboards anew from grafana/dashboards
	@$(PYTHON) -m grafana.dashboards

docs: .venv/.ready ## write the checks' pages in docs/checks anew from their docstrings
	@$(PYTHON) -m tracewright.contracts.pages docs/checks

metrics: .venv/.ready ## learn e2e/metrics.yaml anew from a run of the contracts
	@$(PYTHON) -m pytest -q e2e/contracts || echo 'The contracts are red; what was exported is learned all the same.'
	$(PYTHON) -m e2e.metric_catalog .tracewright/stacks/e2e/tee

fmt: .venv/.ready ## format every language
	@$(CHECKS) fmt

clean: ## stop everything; remove builds, data and environments
	@[ ! -x $(TRACEWRIGHT) ] || $(TRACEWRIGHT) down --all --volumes
	rm -rf .tracewright .venv target test-results frontend/node_modules frontend/.next

$(UV):
	@command -v python3 >/dev/null || { echo 'make: python3 is missing. Debian/Ubuntu: apt-get install python3 python3-venv; macOS: brew install python'; exit 1; }
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed, this is $$(python3 --version)"; exit 1; }
	echo 'Getting uv $(UV_VERSION) …'
	python3 -m venv $(TOOLS) || { echo 'make: python3 cannot make environments. Debian/Ubuntu: apt-get install python3-venv'; exit 1; }
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# One environment for the launcher, the harness, the Python service and the linters, just as locked.
.venv/.ready: uv.lock pyproject.toml services/python-service/pyproject.toml | $(UV)
	@echo 'Preparing the Python environment …'
	$(UV) sync --frozen --quiet --compile-bytecode --all-packages --all-extras --all-groups
	touch $@
