# The verbs of this repository; `make help` prints them.

SHELL := /bin/bash
PY := .venv/bin/python
RUNTIME := .venv/.runtime-installed
DEMO := .venv/.demo-installed
DEV := .venv/.dev-installed
LOCKS := requirements-build.lock requirements.lock pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help up demo test check fix bench lock clean
# A verb builds what it needs in the order written.
.NOTPARALLEL:

help: ## print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z%-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(RUNTIME) ## run Mooring on this machine until Ctrl-C
	@exec .venv/bin/mooring up

demo: $(DEMO) ## the whole story in one terminal, without root and without a mailbox
	@exec .venv/bin/mooring demo

test: check ## all checks, then every floor of tests; installs what is missing
	@scripts/install-test-tools
	@scripts/test-floors

test-%: $(DEV) ## one floor: make test-unit, make test-servers, …
	@scripts/test-floors $*

check: $(DEV) ## style, types, floors and the house's own rules; changes nothing
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/basedpyright
	.venv/bin/lint-imports --no-logo
	$(PY) -m scripts.lints

fix: $(DEV) ## repair what ruff can repair
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: $(DEV) ## measure against mbsync, plain asyncio and the bare query; prints ratios
	@scripts/install-test-tools
	@scripts/in-namespace $(PY) -m bench

lock: $(DEV) ## resolve the dependencies anew and write the lock files
	@scripts/lock

clean: ## remove the virtual environment and every cache
	rm -rf .venv .venv-nylas5 .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): $(LOCKS)
	@scripts/make-venv requirements.lock
	@touch $@

$(DEMO): requirements-demo.lock $(LOCKS)
	@scripts/make-venv requirements-demo.lock
	@touch $@ $(RUNTIME)

$(DEV): requirements-dev.lock $(LOCKS)
	@scripts/make-venv requirements-dev.lock
	@touch $@ $(RUNTIME) $(DEMO)
