# What a newcomer types. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
BENCH ?=
JOBS ?= 2
T ?= tests
PACKAGES := trustcore hsm ofd ca seal_service licence_service sso trustapp

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is missing: system packages, .venv, pinned dependencies
	@bash deploy/setup-debian.sh
	@bash deploy/setup-venv.sh

.PHONY: demo
demo: setup ## Run the main job: issue, seal and verify sample licences into demo/ (OUT=…)
	@$(BIN)/xinyin demo --out "$(OUT)"

.PHONY: serve
serve: setup ## Start every service at http://localhost:8000
	@$(BIN)/xinyin serve

.PHONY: test
test: setup lint types contracts unit ## Lint, types, import contracts, unit and integration tests

.PHONY: lint
lint: setup ## Check style and the list of dependencies
	@echo "— ruff check"; $(BIN)/ruff check .
	@echo "— ruff format"; $(BIN)/ruff format --check .
	@echo "— deptry"; $(BIN)/deptry .

.PHONY: fmt
fmt: setup ## Format the code and repair what can be repaired
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: types
types: setup ## Check types (mypy, strict)
	@echo "— mypy"; $(BIN)/mypy

.PHONY: contracts
contracts: setup ## Check who imports whom
	@echo "— import-linter"; $(BIN)/lint-imports

.PHONY: unit
unit: setup ## Run the tests that need nothing but this machine (T=tests/ofd for a part)
	@echo "— pytest"; $(BIN)/pytest -n $(JOBS) --dist loadgroup -m "not interop and not browser and not postgres and not slow" $(T)

.PHONY: test-all
test-all: setup ## Run the tests that need more: PostgreSQL, Chromium, Java, Node.js, time
	@echo "— pytest"; $(BIN)/pytest -n $(JOBS) --dist loadgroup -m "interop or browser or postgres or slow" $(T)

.PHONY: interop
interop: setup ## Let software that is not ours judge demo/; writes docs/conformance.md
	@$(BIN)/python tests/interop/run.py --demo "$(OUT)"

.PHONY: perf
perf: setup ## Measure beside the floor and a peer (BENCH=licences for one)
	@$(BIN)/python perf/run.py $(BENCH)

.PHONY: wheel
wheel: setup ## Build the wheel into dist/
	@rm -rf dist && $(BIN)/hatchling build -t wheel -d dist

.PHONY: lock
lock: ## Pin every dependency by name, version and hash again (UPGRADE=1 for newer ones)
	@bash deploy/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove what was built; keeps var/ (keys and database)
	@rm -rf $(VENV) build dist "$(OUT)" perf/out tests/interop/ofdrw/target .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find $(PACKAGES) tests perf -name __pycache__ -prune -exec rm -rf {} +
