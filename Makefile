# Everything runs in virtual environments that are made here; nothing is needed but Python 3.11 or newer, pip and make.
PYTHON ?= python3
VENV := .venv
EMULATORS := .venv-emulators
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test lint unit bench docs clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/.lab  ## Watch a day of a synthetic organisation being packed, verified and deleted, on this machine only (KEEP=1 leaves the server up)
	@$(BIN)/log-aggregator demo $(if $(KEEP),--keep,)

test: lint unit  ## All checks and tests

unit: $(VENV)/.dev $(EMULATORS)/.installed  ## The tests without the linters
	$(PYTEST) -n 2 --dist loadfile

lint: $(VENV)/.dev  ## Style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## Benchmarks; each prints a ratio measured side by side in one run
	$(BIN)/python benchmarks/run.py

docs: $(VENV)/.dev  ## Make the pages of docs/reference from the code
	$(BIN)/python docs/make_reference.py

clean:  ## Remove what was made here
	rm -rf $(VENV) $(EMULATORS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.lab: $(VENV)/.python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab]'
	@touch $@

$(VENV)/.dev: $(VENV)/.lab
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,dev]'
	@touch $@

$(EMULATORS)/.installed: tests/conformance/requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(EMULATORS)
	$(EMULATORS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
