# The command line contract is in docs/architecture.md; `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
TEST_ARGS ?=

.PHONY: help setup setup-dev run test test-peers check bench bench-long requirements clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

.venv/.runtime: requirements/runtime.txt requirements/speech.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/speech.txt \
	  || { echo "SVOX Pico was not built: that needs gcc and python3-dev. Without it, the program espeak-ng speaks texts, if it is there"; test "$$CI" != "true"; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	touch $@

node_modules/.installed: package.json
	npm install --silent --no-audit --no-fund
	touch $@

setup: .venv/.runtime ## .venv with .venv/bin/chappe, from pinned packages

setup-dev: .venv/.dev node_modules/.installed

run: setup ## the server with a demo account on http://127.0.0.1:8000, data in ./var
	$(BIN)/chappe serve --demo

test: setup-dev ## all tests; with CI=true a missing peer or language is a failure
	@if [ "$$CI" = "true" ]; then tests/peers/install-debian.sh; fi
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	node_modules/.bin/pyright
	$(BIN)/python -m pytest $(TEST_ARGS)

test-peers: ## installs the independent programs that the tests drive (Debian, as root)
	tests/peers/install-debian.sh

check: setup-dev ## format, lint, types, import rules, unit tests: two to three minutes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	node_modules/.bin/pyright
	$(BIN)/python -m pytest tests/unit -q

bench: setup-dev ## 15 minutes of bounded benchmarks; exits 1 under bench/floors.toml
	$(BIN)/python -m bench

bench-long: setup-dev ## hours: long runs and crash rounds
	$(BIN)/python -m bench --long

requirements: ## compiles requirements/*.txt from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --extra speech -c requirements/runtime.txt pyproject.toml -o requirements/speech.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --extra dev --extra speech -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt

clean: ## removes what the other targets made, except ./var
	rm -rf .venv node_modules build
