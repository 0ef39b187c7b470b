# A fresh clone needs python3 (3.11 or newer) and make, nothing else.
#
#   make run     train programs/digits.ein
#   make test    the tests
#   make lint    ruff, pyright, import-linter
#   make bench   the benchmarks
#   make clean   remove .venv and what the tools leave behind

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?= -q
NATIVE := $(wildcard einbatch/backends/numpy/*.[ch])

.PHONY: run test lint format bench clean

run: .venv/.ready
	$(BIN)/einbatch run programs/digits.ein

test: .venv/.ready-test
	$(BIN)/pytest $(PYTEST_ARGS)

lint: .venv/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: .venv/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.ready-test
	@for script in benchmarks/*.py; do \
	  echo "== $$script"; $(BIN)/python $$script || exit 1; \
	done

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# One stamp for each set of extras; they go stale when pyproject.toml changes.
.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("einbatch needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.ready: pyproject.toml $(NATIVE) | .venv/bin/python
	$(PIP) --editable .
	@touch $@

.venv/.ready-test: pyproject.toml $(NATIVE) | .venv/bin/python
	$(PIP) --editable '.[test]'
	@touch $@ .venv/.ready

.venv/.ready-dev: pyproject.toml $(NATIVE) | .venv/bin/python
	$(PIP) --editable '.[test,dev]'
	@touch $@ .venv/.ready .venv/.ready-test
