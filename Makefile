# Every target makes the environment first, from the lock; nothing is done twice.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.made
# Names, versions and hashes; never a host.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help env demo up test test-fast lint format docs audit bench bench-quick chaos soak fuzz secrets lock clean

help:  ## What there is to type
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/:/' | awk -F: '{ printf "  make %-13s%s\n", $$1, $$2 }'

env: $(STAMP)  ## Make .venv with everything, from the lock
$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: env  ## Everything from nothing, on embedded parts; ends by itself
	@$(BIN)/lanes demo

up: env  ## The same, staying up on data that survive a restart
	@$(BIN)/lanes up

test: env  ## Lint, types, walls and every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --severity-level medium --recursive lanes producers worker ops
	$(BIN)/python -m pytest -n 3 --dist loadfile

test-fast: env  ## The tests that take no workers, browsers or long simulations, in less than two minutes
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not slow"

lint: env  ## Lint alone
	$(BIN)/ruff check .

format: env  ## Lay the code out and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: env  ## Write docs/settings.md from the settings
	@$(BIN)/python -m ops.settings_page

audit: env  ## Ask for known holes in what is locked; needs a service that not every machine reaches
	$(BIN)/uv tool run pip-audit==2.10.1 --require-hashes --requirement requirements.lock

bench: env  ## Measure what the README claims, and draw it
	@$(BIN)/python -m benchmarks --plots benchmarks/plots

bench-quick: env  ## Run every benchmark small; it shows that all works and measures nothing
	@$(BIN)/python -m benchmarks --quick

fuzz: env  ## Feed every parser with bytes, SECONDS=60 each, and tell how many
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	@$(BIN)/python -m tests.fuzzing --seconds $(or $(SECONDS),60)

chaos: env  ## Break everything at random and account for every job (SECONDS=180 SEED=...)
	@$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),180) $(if $(SEED),--seed $(SEED))

soak: env  ## A long run with faults, judged by memory, descriptors and latency (SECONDS=900 SEED=1)
	@$(BIN)/python -m tests.chaos.soak --seconds $(or $(SECONDS),900) --seed $(or $(SEED),1) --plots benchmarks/plots

secrets: env  ## Make the passwords that docker-compose.yml names, in ops/secrets
	@$(BIN)/python -m ops.make_secrets

lock: env  ## Choose the newest versions that pyproject.toml allows
	$(LOCK) --all-extras --output-file requirements.lock pyproject.toml
	$(LOCK) --all-extras --group dev --constraints requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:  ## Remove the environment and every cache
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
