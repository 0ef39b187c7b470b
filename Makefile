# A fresh clone needs python3 (3.11 or newer) and make, nothing else.
#
#   make run     train programs/digits.ein
#   make test    the tests
#   make lint    ruff, pyright, import-linter
#   make bench   the quick form of every benchmark
#   make clean   remove .venv and what the tools leave behind

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Where Python writes no bytecode of its own, each start would compile every module anew.
COMPILE := $(BIN)/python -m compileall -q einbatch
PYTEST_ARGS ?= -q
MADE := grammar/ein.lark $(wildcard einbatch/backends/numpy/*.[ch])
BENCHMARKS := perceptron models contractions pointwise compile peak mnist ablation

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

bench: .venv/.ready-bench
	@for name in $(BENCHMARKS); do \
	  echo "== $$name"; $(BIN)/python -m benchmarks.$$name --quick || exit 1; \
	done
	@echo "== startup"; $(BIN)/python -m benchmarks.startup

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# One stamp for each set of extras; they go stale when pyproject.toml changes.
.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("einbatch needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.ready: pyproject.toml $(MADE) | .venv/bin/python
	$(PIP) --editable .
	@$(COMPILE)
	@touch $@

.venv/.ready-test: pyproject.toml $(MADE) | .venv/bin/python
	$(PIP) --editable '.[test]'
	@$(COMPILE)
	@touch $@ .venv/.ready

.venv/.ready-bench: pyproject.toml $(MADE) | .venv/bin/python
	$(PIP) --editable '.[test,bench]'
	@$(COMPILE)
	@touch $@ .venv/.ready .venv/.ready-test

.venv/.ready-dev: pyproject.toml $(MADE) | .venv/bin/python
	$(PIP) --editable '.[test,dev]'
	@$(COMPILE)
	@touch $@ .venv/.ready .venv/.ready-test
