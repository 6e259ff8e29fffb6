PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?=

.PHONY: setup demo test lint bench freeze lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/mnemo demo

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m tests.benchmarks $(if $(DATA),--data $(DATA))

freeze: setup
	$(BIN)/python -m migrations.freeze $(REVISION)

lock: setup
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --no-header --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist bench-results
