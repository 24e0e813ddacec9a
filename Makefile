# Every target first creates the environment from the lock files, if they have changed: `demo` and `up` only what they
# run, all others that and the developers' tools.
PYTHON ?= python3
BIN := .venv/bin
DEMO := .venv/.demo
MADE := .venv/.made
# Wheels only: nothing is compiled.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
# The lock files contain names, versions and hashes, no hosts.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help env demo up test test-fast lint format docs audit bench bench-quick chaos soak fuzz secrets lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/:/' | awk -F: '{ printf "  make %-13s%s\n", $$1, $$2 }'

env: $(MADE)  ## Create .venv with everything from the lock files
$(MADE): $(DEMO)
	$(INSTALL) -r requirements-dev.lock
	@touch $@

$(DEMO): requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear .venv
	$(INSTALL) -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(DEMO)  ## Run everything on embedded parts, deliver 472 jobs, and exit
	@$(BIN)/lanes demo

up: $(DEMO)  ## The same, but keep running; data survive a restart
	@$(BIN)/lanes up

test: env  ## Lint, types, import rules and every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --severity-level medium --recursive lanes producers worker ops
	$(BIN)/python -m pytest -n 3 --dist loadfile

test-fast: env  ## The tests that need no workers, browsers or long simulations, in less than two minutes
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not slow"

lint: env  ## Lint only
	$(BIN)/ruff check .

format: env  ## Format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: env  ## Generate docs/settings.md and docs/openapi.json, and the figures of the documents from benchmarks/results.json
	@$(BIN)/python -m ops.settings_page
	@$(BIN)/python -m ops.openapi_document
	@$(BIN)/python -m benchmarks.documents

audit: env  ## Look up known vulnerabilities of the locked dependencies; needs an online service
	$(BIN)/uv tool run pip-audit==2.10.1 --require-hashes --requirement requirements.lock

bench: env  ## Measure all figures into benchmarks/results.json, draw charts, say what became worse, write the documents
	@$(BIN)/python -m benchmarks --into benchmarks/results.json --plots benchmarks/plots
	@$(BIN)/python -m benchmarks.documents

bench-quick: env  ## Run every benchmark small; shows that all work, measures nothing
	@$(BIN)/python -m benchmarks --quick

fuzz: env  ## Fuzz every parser for SECONDS=60 each
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	@$(BIN)/python -m tests.fuzzing --seconds $(or $(SECONDS),60)

chaos: env  ## Inject random faults and check every job (SECONDS=180 SEED=...)
	@$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),180) $(if $(SEED),--seed $(SEED))

soak: env  ## A long run with faults that checks memory, descriptors and latency (SECONDS=900 SEED=1)
	@$(BIN)/python -m tests.chaos.soak --seconds $(or $(SECONDS),900) --seed $(or $(SEED),1) --plots benchmarks/plots

secrets: $(DEMO)  ## Create the secrets of docker-compose.yml in ops/secrets
	@$(BIN)/python -m ops.make_secrets

lock: env  ## Update the lock files to the newest allowed versions
	$(LOCK) --all-extras --group build --output-file requirements.lock pyproject.toml
	$(LOCK) --all-extras --group dev --constraints requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:  ## Remove the environment and all caches
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
