# Needs python3 (3.11 or newer, with venv) and make; everything else is installed into .venv.
# Another Python: `make test PYTHON=python3.13 VENV=.venv-3.13`. Some tests only: `make test ARGS="-k codec"`.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
PYVER := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
MADE := $(VENV)/.made-with-$(PYVER)
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.SILENT:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format chaos bench lock venv clean

help:
	echo 'make demo       a gateway with every channel, its providers simulated, in the browser'
	echo 'make test       everything that this machine can run: style, types, import rules, tests'
	echo 'make check      the static half of it'
	echo 'make format     put the sources into the one format'
	echo 'make test-slow  the tests that take minutes'
	echo 'make chaos      kill the process under load, then count what was lost'
	echo 'make bench      measure, and write docs/benchmarks.md'
	echo 'make venv       install the development tools into $(VENV)'
	echo 'make lock       renew requirements/*.txt'
	echo 'make clean      remove $(VENV) and the caches'

demo: $(RUN)
	exec $(BIN)/throughline demo $(ARGS)

# Skipped tests are listed at the end. THROUGHLINE_REQUIRE_SERVERS=1 makes them failures where only a server is missing.
# A process for each core, each with servers and folders of its own; `make test ARGS=-n0` runs all tests in one.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist worksteal
test: check
	echo '== pytest'
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow and not chaos' $(ARGS)

test-slow: $(DEV)
	$(BIN)/python -m pytest -m 'slow or chaos' $(ARGS)

check: $(DEV)
	echo '== ruff check'
	$(BIN)/ruff check --quiet .
	echo '== ruff format'
	$(BIN)/ruff format --quiet --check . || { echo 'Not in the one format: run `make format`.' >&2; exit 1; }
	echo '== mypy'
	$(BIN)/mypy --no-error-summary
	echo '== import rules'
	$(BIN)/lint-imports --no-logo >$(VENV)/.imports.log 2>&1 || { cat $(VENV)/.imports.log; exit 1; }

format: $(DEV)
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

chaos: $(DEV)
	exec $(BIN)/python -m tests.chaos $(ARGS)

bench: $(DEV)
	exec $(BIN)/python -m tests.bench $(ARGS)

venv: $(DEV)

# The name of this stamp holds the version of Python: another PYTHON makes another .venv.
$(MADE):
	$(PYTHON) -c '' 2>/dev/null || { \
	  echo 'make: $(PYTHON) does not start. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'make: $(PYTHON) is Python $(PYVER); throughline needs 3.11 or newer. Name another: make PYTHON=python3.11' >&2; exit 1; }
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'make: $(PYTHON) lacks the venv module. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	echo 'Creating $(VENV) with Python $(PYVER)'
	$(PYTHON) -m venv --clear $(VENV)
	touch $@

$(RUN): $(MADE) requirements/run.txt pyproject.toml
	echo 'Installing throughline into $(VENV) (the first time takes up to a minute)'
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(DEV): $(MADE) requirements/dev.txt pyproject.toml
	echo 'Installing throughline and its development tools into $(VENV) (the first time takes a minute or two)'
	$(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

# One lock for every supported Python. run.txt takes its versions from dev.txt, so that both fit into one .venv.
# uv is the one tool that is not in the lock: it writes it.
LOCK_VENV := $(VENV)-lock
LOCK := $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --upgrade \
  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links
lock:
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --upgrade uv
	$(LOCK) pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --extra sandbox --group build --constraints requirements/dev.txt --output-file requirements/run.txt

clean:
	rm -rf $(VENV) $(LOCK_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
