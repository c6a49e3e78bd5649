# Every target makes the environment that it needs: .venv with the versions of requirements.lock.
# On a fresh Debian or Ubuntu: Python 3.11 or newer, git and make are enough.

STUNITY := .venv/bin/stunity
PYTEST  := .venv/bin/pytest
READY   := .venv/.ready

.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(READY) ## The whole pipeline in a guided scenario; DEMO_KEEP=1 leaves it running
	@$(STUNITY) demo

.PHONY: test
test: $(READY) ## All tests that need no root, on real servers
	@$(PYTEST) -m "not timescale" --numprocesses 2 --dist loadscope

.PHONY: torture
torture: $(READY) ## The real relay killed 500 times per mode under a random workload; ARGS="--seed N" and others
	@.venv/bin/python -m tests.torture $(ARGS)

.PHONY: torture-views
torture-views: $(READY) ## Random writes and misfortunes until a view differs from the truth; ARGS="--minutes 60"
	@.venv/bin/python -m tests.torture.views $(ARGS)

.PHONY: faults
faults: $(READY) ## One fault of a store or a relay after the other: what holds, and how long until it is over
	@.venv/bin/python -m tests.torture.fault_table

.PHONY: mutants
mutants: $(READY) ## Break each promise by a small patch: the tests must notice; ARGS="--machine"
	@.venv/bin/python -m tests.mutants $(ARGS)

.PHONY: test-timescale
test-timescale: $(READY) ## The analytics tests on TimescaleDB of each licence; needs root on Debian
	@tests/timescale/run

.PHONY: check
check: $(READY) ## Format, lint, types, import contracts, freshness of the docs, security advisories
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	@.venv/bin/lint-imports
	$(STUNITY) docs --check
	@.venv/bin/python deploy/audit

.PHONY: bench
bench: $(READY) ## The main benchmarks, each against its ceiling on this machine (20 minutes); JSON in bench-results/
	@$(STUNITY) bench relay --rounds 3
	@$(STUNITY) bench latency
	@$(STUNITY) bench capture --rounds 1
	@$(STUNITY) bench search --posts 20000
	@$(STUNITY) bench rebuild --posts 10000,30000

.PHONY: up
up: $(READY) ## The stack in the background
	@$(STUNITY) up --detach

.PHONY: down
down: $(READY) ## Stop it
	@$(STUNITY) down

.PHONY: install
install: $(READY) ## Only make the environment

.PHONY: format
format: $(READY) ## Format the code and mend what can be mended
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

.PHONY: lock
lock: $(READY) ## Choose the newest versions that pyproject.toml allows
	@deploy/lock .venv/bin/pip-compile

.PHONY: clean
clean: ## Remove the environment and caches (not the data of the stack in .stunity)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements.lock pyproject.toml deploy/make-environment
	@deploy/make-environment .venv
	@touch $@
