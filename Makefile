# Two commands on a fresh machine: `make demo` and `make test`. Both set up first.

PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.8
export UV_PYTHON_DOWNLOADS := never
# Without its bytecode a command takes nearly twice as long (1.3 s, not 0.8).
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup ui demo demo-s3 test test-long test-cloud lint bench bench-full docs lock clean

help:            ## Show what there is to make.
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready ui   ## Make .venv from the lock file; nothing global.

ui: .venv/.ready        ## Build what the pages load, where npm is.
	@$(BIN)/python hatch_build.py

.venv/.ready: requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" sh scripts/check-python.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup      ## Files land, gold appears, until Ctrl-C. TEMPLATE=storefront: of that.
	@$(BIN)/python scripts/demo.py $(TEMPLATE)

demo-s3: setup   ## The same through a bucket and its queue, on a server made for it.
	@$(BIN)/python scripts/demo_s3.py

lint: setup      ## Style, types, and the rules of the house.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint       ## Everything that must hold, in minutes.
	@sh scripts/chromium.sh
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not long and not cloud"

test-long: lint  ## The long forms: more kills, more random histories.
	@sh scripts/chromium.sh
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not cloud" --timeout 900

.venv-cloud/.ready: tests/cloud/requirements.lock | .venv/.ready
	@test -x .venv-cloud/bin/python || $(PYTHON) -m venv .venv-cloud
	@$(BIN)/uv pip install --quiet --python .venv-cloud/bin/python --require-hashes -r tests/cloud/requirements.lock
	@touch $@

.venv-airflow/.ready: tests/orchestrators/airflow.lock pyproject.toml | .venv/.ready
	@$(call beside,.venv-airflow,tests/orchestrators/airflow.lock)

.venv-dagster/.ready: tests/orchestrators/dagster.lock pyproject.toml | .venv/.ready
	@$(call beside,.venv-dagster,tests/orchestrators/dagster.lock)

# An environment of an orchestrator: its own libraries, and Snowmelt without any of ours.
define beside
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1); \
	$(BIN)/uv pip install --quiet --python $(1)/bin/python --require-hashes -r $(2) && \
	$(BIN)/uv pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation -e . && \
	touch $(1)/.ready
endef

test-cloud: setup .venv-cloud/.ready .venv-airflow/.ready .venv-dagster/.ready  ## Snowflake's double, Airflow, Dagster: in their own environments.
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m cloud

bench: setup     ## Speed, as ratios against raw DuckDB in the same run.
	@$(BIN)/python -m bench

bench-full: setup  ## All of it: 10 GB, live, at full size; hours, and 60 GB of disk.
	@missed=0; \
	for each in "" "huge peers" freshness tasks viewers "batch-growth --small 1000000 --large 10000000" \
	  rebuild "retail --small-scale 0.1" retail-peers soak; \
	do $(BIN)/python -m bench $$each || missed=$$?; done; exit $$missed

docs: setup      ## Write docs/reference anew from the code.
	@$(BIN)/python scripts/reference.py

lock: setup      ## Resolve the dependencies anew.
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --python-version 3.11 --extra dev -o requirements.lock pyproject.toml

clean:           ## Remove everything that was made here.
	@rm -rf .venv .venv-cloud .venv-airflow .venv-dagster .demo node_modules src/snowmelt/serve/static .mypy_cache .pytest_cache .ruff_cache .hypothesis bench/.data
