# What there is to do here. Every target makes or renews .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Tests wait for brokers and processes more than they compute; each process has a Kafka of its own.
TEST_PROCESSES ?= 4

# Everything ruff reads; what mypy reads stands in pyproject.toml.
SOURCES := receiver processors schemas deploy tests benchmarks

# uv keeps the versions that its output file has already: the lock changes only where it must.
COMPILE := $(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 --quiet

.DEFAULT_GOAL := help
.PHONY: help run test check bench soak broker broker-stop lock lock-check schemas clean distclean

help:
	@echo "make run          everything, with a simulated USPS (ONCE=1, RATE=n, SEED=n)"
	@echo "make test         all tests, with a real Kafka (ARGS='-k name' for some)"
	@echo "make check        format, lint, types, import contracts, generated files, lock"
	@echo "make bench        the benchmarks (ARGS=...)"
	@echo "make soak         long fault and chaos runs"
	@echo "make broker       a real Kafka at 127.0.0.1:9092; make broker-stop keeps its data"
	@echo "make schemas      writes schemas/json anew;  make lock  writes requirements.lock anew"
	@echo "make clean        removes caches;  make distclean  also .venv, Kafka and its data"

# A .venv whose Python is gone (an upgrade, a moved directory) counts as absent.
ifneq ($(shell $(BIN)/python -c 'print("works")' 2>/dev/null),works)
.PHONY: $(INSTALLED)
endif

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "scanwire needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true). Install one and name it: make PYTHON=python3.12." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv. Then run this again." >&2; exit 1; }
	@echo "Installing the locked dependencies into $(VENV)."
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(INSTALLED)
	@$(BIN)/python -m deploy.demo$(if $(filter-out 0,$(ONCE)), --once)$(if $(RATE), --rate $(RATE))$(if $(SEED), --seed $(SEED))

# Kafka is fetched before the tests, so that no test's time limit pays for it.
test: $(INSTALLED)
	@$(BIN)/python -m deploy.broker install
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(ARGS)

soak: $(INSTALLED)
	@$(BIN)/python -m deploy.broker install
	@$(BIN)/python -m pytest -m soak $(ARGS)

bench: $(INSTALLED)
	@$(BIN)/python -m deploy.broker install
	@$(BIN)/python -m benchmarks $(ARGS)

check: $(INSTALLED)
	@echo "Format:"
	@$(BIN)/ruff format --check --quiet --diff $(SOURCES)
	@echo "Lint:"
	@$(BIN)/ruff check --quiet $(SOURCES)
	@echo "Types:"
	@$(BIN)/mypy --no-error-summary
	@echo "Imports:"
	@$(BIN)/lint-imports --no-cache > $(VENV)/lint-imports.txt || { cat $(VENV)/lint-imports.txt; exit 1; }
	@echo "Generated schemas:"
	@$(BIN)/python -m schemas.json_schema --check
	@$(MAKE) --no-print-directory lock-check
	@echo "All checks passed."

lock-check: $(INSTALLED)
	@echo "Lock:"
	@cp requirements.lock $(VENV)/requirements.lock
	@$(COMPILE) --output-file $(VENV)/requirements.lock > /dev/null
	@diff -u requirements.lock $(VENV)/requirements.lock || { \
		echo "requirements.lock does not fit pyproject.toml: make lock." >&2; exit 1; }

lock: $(INSTALLED)
	@$(COMPILE) --output-file requirements.lock > /dev/null
	@echo "requirements.lock fits pyproject.toml."

schemas: $(INSTALLED)
	@$(BIN)/python -m schemas.json_schema

broker: $(INSTALLED)
	@$(BIN)/python -m deploy.broker start

broker-stop: $(INSTALLED)
	@$(BIN)/python -m deploy.broker stop

clean:
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
	@echo "Caches removed. Kafka, its data and $(VENV) stay; make distclean removes them too."

distclean: clean
	@test ! -x $(BIN)/python || $(BIN)/python -m deploy.broker stop
	@rm -rf .scanwire $(VENV)
	@echo "Kafka, its data and $(VENV) removed."
