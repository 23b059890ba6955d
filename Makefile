# `make run`, `make test`, `make serve`; each sets everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIPELINE ?= pipelines/bert_edge.yaml
MADE_SET := runs/adapters/set
SET ?= $(MADE_SET)
JOBS ?= 2
READY := $(VENV)/.ready

.PHONY: run serve test test-slow check format setup clean help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

run: $(READY)  ## set up, then run PIPELINE (pipelines/bert_edge.yaml)
	$(BIN)/compress run $(PIPELINE)

serve: $(READY) $(if $(filter $(MADE_SET) $(MADE_SET)/,$(SET)),$(MADE_SET)/adapter_set.json)  ## set up, then serve SET (runs/adapters/set, made first); ARGS=--port=9000 …
	$(BIN)/compress serve "$(SET)" $(ARGS)

$(MADE_SET)/adapter_set.json: | $(READY)
	$(BIN)/compress run pipelines/adapters.yaml

test: $(READY)  ## set up, then all tests but the slow ones, in JOBS processes (2)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

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
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,demo,serve,search,dev]'
	touch $@

clean:  ## remove the environment; runs and store stay
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
