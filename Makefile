# Two commands: `make run` and `make test`; each sets everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIPELINE ?= pipelines/bert_edge.yaml
READY := $(VENV)/.ready

.PHONY: run test test-slow check format setup clean help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

run: $(READY)  ## set up, then run PIPELINE (pipelines/bert_edge.yaml)
	$(BIN)/compress run $(PIPELINE)

test: $(READY)  ## set up, then all tests but the slow ones
	$(BIN)/python -m pytest

test-slow: $(READY)  ## the slow tests (tens of minutes)
	$(BIN)/python -m pytest -m slow

check: $(READY)  ## lint, format, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(READY)  ## only the environment

# Stale when what it is made from changed.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,demo,dev]'
	touch $@

clean:  ## remove the environment; runs and store stay
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
