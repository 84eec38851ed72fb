# Needs Python 3.11 or newer and make; everything else is fetched and built on first use.
# Another interpreter: make PYTHON=/path/to/python3.12 test

.DEFAULT_GOAL := help
BIN := .venv/bin
# folders too: a deleted file changes its folder
PROTOS := $(shell find protos -name __pycache__ -prune -o -print)
CODE := kernel chenu_gate chenu_witness services cli deploy tests
READY := .venv/.ready gen/.ready
# Dozens of processes import the same modules: compiling them each time costs two seconds each.
unexport PYTHONDONTWRITEBYTECODE
WORKERS := 3

.PHONY: help demo up down test torture mutants check bench gen format lock upgrade clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Play the whole story once: request, block, approval, run, proof
	$(BIN)/chenu demo

up: $(READY) ## Start the fleet on this machine and print where things are
	$(BIN)/chenu up

down: $(READY) ## Stop what `make up` left running
	$(BIN)/chenu down

test: $(READY) ## Run every test, on real PostgreSQL and NATS (WORKERS=4 for as many processes)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

torture: $(READY) ## Cut power, fill disks, kill and restore under load; count what is lost
	$(BIN)/python -m tests.torture

mutants: $(READY) ## Plant known faults one by one; show that the tests notice each
	$(BIN)/python -m tests.mutants

check: $(READY) ## Formatting, lint, types, contracts, import rules, file sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tests.contract.check_sizes
	$(BIN)/buf lint gen/chenu.binpb --config buf.yaml
	$(BIN)/lint-imports
	$(BIN)/mypy $(CODE)

bench: $(READY) ## Measure the fleet on this machine; prints, never judges
	$(BIN)/python -m tests.performance

gen: $(READY) ## Build the stubs in gen/ from protos/

format: .venv/.ready ## Put the code in its one shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.ready ## Add to the lock files what is new in pyproject.toml
	sh deploy/lock.sh

upgrade: .venv/.ready ## Choose newer versions of everything that is installed
	sh deploy/lock.sh --upgrade

clean: ## Remove what make built (a stack's state in .chenu/ stays)
	rm -rf .venv gen build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.venv/.ready: pyproject.toml requirements-dev.lock requirements-uv.lock deploy/install.sh
	@PYTHON="$(PYTHON)" sh deploy/install.sh

gen/.ready: $(PROTOS) .venv/.ready
	@$(BIN)/python -B protos/generate.py
