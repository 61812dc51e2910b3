# Every target sets up what it needs; the only thing to bring is Python 3.11, 3.12 or 3.13.
#
# .venv holds the environment. `make demo` puts the light install there; `make setup`, `make test`
# and `make check` add the rest to it. Stamps below .venv make a second run quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
ifndef PYTHON
PYTHON := $(shell for python in python3.11 python3 python3.12 python3.13; do \
	"$$python" -c '$(IN_RANGE)' 2>/dev/null && echo "$$python" && break; done)
endif

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUN := .venv/.run-installed
DEV := .venv/.dev-installed

SAMPLE := data/samples/talk.mp4
RESULT := data/output/talk.finecut.mp4

.PHONY: help setup demo test check bench soak lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

setup: $(DEV) ## everything for development: environment, extras, models
	$(BIN)/finecut models fetch

demo: $(RUN) ## edit the sample with the light install
	$(BIN)/finecut models fetch
	$(BIN)/finecut edit $(SAMPLE) -o $(RESULT)
	@echo "The edited video: $(RESULT)"

test: $(DEV) ## run all tests
	$(BIN)/finecut models fetch --all
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(DEV) ## lint, format, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV) ## measure speed and memory
	$(BIN)/finecut models fetch
	$(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' -o python_functions='bench_*' -o timeout=0 -s $(PYTEST_ARGS)

soak: $(DEV) ## kill twenty runs at random instants: takes a quarter of an hour
	$(BIN)/finecut models fetch --all
	$(BIN)/python -m pytest tests/soak -o python_files='soak_*.py' -o python_functions='soak_*' -s $(PYTEST_ARGS)

lock: $(DEV) ## make the locks again; UPGRADE=--upgrade draws newer versions
	$(BIN)/python requirements/lock.py $(UPGRADE)

clean: ## remove what tools leave behind; .venv and data/ stay
	rm -rf build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find flows tasks deployments tests requirements -name __pycache__ -type d -prune -exec rm -rf {} +

# The light install. The packages come hashed from the lock, setuptools among them, so the project
# itself is installed with nothing more fetched.
$(RUN): requirements/run.lock pyproject.toml
	@"$(PYTHON)" -c '$(IN_RANGE)' 2>/dev/null || { \
		echo "finecut needs Python 3.11, 3.12 or 3.13: install one, or say where: make PYTHON=..." >&2; \
		exit 1; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	$(PIP) install --require-hashes -r requirements/run.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# --no-deps: the lock is complete but for triton, which nothing here runs (see requirements/lock.py).
# The last line is for Linux without torch's CPU build: the registry's build does not load without
# CUDA's libraries, and this fetches them.
$(DEV): $(RUN) requirements/dev.lock requirements/torch-cpu.lock
	$(PIP) install --no-deps --require-hashes -r requirements/torch-cpu.lock 2>/dev/null || \
		echo "torch's CPU build is not at hand: the registry's build takes its place"
	$(PIP) install --no-deps --no-build-isolation --require-hashes -r requirements/dev.lock
	$(BIN)/python -c 'import torch' 2>/dev/null || $(PIP) install --no-build-isolation -e '.[whisper]'
	touch $@
