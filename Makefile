# Set-up and checks of a checkout. Everything lands in .venv, .tools, node_modules and .state.
PYTHON ?= python3
RUN := .venv/bin/python -m
export PATH := $(PATH):$(CURDIR)/.tools/bin

.DEFAULT_GOAL := help
.PHONY: help python setup monitoring demo test slow test-kubernetes test-cluster-parts test-image chaos bench lint lock clean

help: ## Show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' $(MAKEFILE_LIST) | awk '{printf "  make %-18s", $$1; $$1=""; print}'

python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed: install Python 3.11 or newer"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11: install a newer one and name it, as in make PYTHON=python3.12"; exit 2; }

setup: python ## Install all that is needed into this folder
	@$(PYTHON) -m cluster.setup

monitoring: python ## Install Prometheus too, for `imustream up --monitoring`
	@$(PYTHON) -m cluster.setup prometheus

demo: setup ## Start everything with 20 simulated sensors; DEMO_SECONDS=30 ends by itself
	@.venv/bin/imustream demo

test: python ## Check formatting, lint, types, import layers, and run all tests
	@$(PYTHON) -m cluster.setup browser prometheus kubernetes
	@$(MAKE) --no-print-directory lint
	@$(RUN) pytest -m "not slow" --numprocesses 2 --dist loadscope --no-loadscope-reorder

slow: python ## Run the tests that `make test` leaves out for their length
	@$(PYTHON) -m cluster.setup browser prometheus kubernetes
	@$(RUN) pytest -m slow --ignore tests/cluster --ignore tests/image --ignore tests/kubernetes

test-kubernetes: setup ## Apply every overlay to a real control plane, as root: the first time a Go build of 15 minutes
	@$(PYTHON) -m cluster.setup kubernetes
	@IMUSTREAM_TEST_KUBERNETES=1 $(RUN) pytest tests/kubernetes

test-cluster-parts: python ## Prove on real servers what the Kubernetes manifests claim
	@$(PYTHON) -m cluster.setup kubernetes nginx
	@$(RUN) pytest tests/cluster

test-image: setup ## Build the image without a container engine, as root, and run the stream from it
	@$(RUN) pytest tests/image

chaos: setup ## Every fault under load, proved: CHAOS_ROUNDS=1 unless said otherwise
	@.venv/bin/imustream chaos --rounds $${CHAOS_ROUNDS:-1}

bench: setup ## Measure everything in BENCHMARKS.md on a stack of its own
	@IMUSTREAM_LOCAL__STATE_DIR=.state/bench cluster/bench/run.sh

lint: setup ## Check formatting, lint, types and import layers
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@.venv/bin/lint-imports

lock: setup ## Resolve the newest Python packages anew into requirements.lock
	@$(RUN) piptools compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
		--no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--no-emit-options --annotation-style=line --build-deps-for=editable \
		--extra=local --extra=train --extra=dev --output-file=requirements.lock pyproject.toml

clean: ## Remove all that was installed; the data in .state stay
	@rm -rf .venv .tools node_modules
