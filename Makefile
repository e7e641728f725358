# Everything here sets up what it needs first; on a fresh machine Python 3.11 or later and make are enough.

PYTHON ?= python3
RUN := .venv/bin/python
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-reset test faults faults-planted check format lock bench real-containers clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv with exactly what locks/dev.txt names
	@deploy/local/setup "$(PYTHON)"

demo: setup ## run the whole system and place orders: DATA=<folder with CSV files>, CHAOS=0.05, ARGS="--once", "--orders 500 --seed 7"
	@$(RUN) -m deploy.local.demo $(if $(DATA),--data "$(DATA)") $(if $(CHAOS),--chaos $(CHAOS)) $(ARGS)

demo-reset: setup ## forget the demo's data, mails and logs
	@$(RUN) -m deploy.local reset

test: setup ## run the tests, on real servers: ARGS="tests/unit" or any arguments of pytest, WORKERS=0 for one process
	@command -v kcat >/dev/null && command -v chromium >/dev/null || $(RUN) -m deploy.local test-tools
	@$(RUN) -m pytest $(if $(filter-out 0,$(WORKERS)),-n $(WORKERS)) $(ARGS)

faults: setup ## kill, halt and restart everything under load, half an hour: ARGS="kill --orders 500 --kills 20 --seed 1"
	@$(RUN) -m tests.faults $(or $(ARGS),all)

faults-planted: setup ## plant twelve bugs, one at a time, and see that the run under fire names each: ARGS="3,7"
	@$(RUN) -m tests.faults planted $(ARGS)

check: setup ## lint, types, who may import whom, contracts, requirements
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	.venv/bin/lint-imports
	$(RUN) -m shared.ops contracts check
	$(RUN) -m tests.plugins.requirements

format: setup ## let ruff put the code into shape
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format

lock: setup ## write locks/*.txt anew from pyproject.toml
	@deploy/local/lock

bench: setup ## measure, each figure beside its bare reference: ARGS for one of them
	@$(RUN) -m benchmarks $(ARGS)

real-containers: setup ## build the image, run docker-compose.yml and the tests on containers; installs an engine where there is none
	@$(RUN) -m deploy.local.real_containers

clean: ## delete .venv and what tools leave behind; the demo's data stay
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
