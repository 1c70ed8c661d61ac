# `make demo` and `make test` do all the set-up: a virtual environment, the package, its extras.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: demo experiments test lint benchmark clean

demo: $(READY)
	$(BIN)/python examples/quickstart.py $(DEMO_ARGS)

# The paper reproduced, the best configuration, the fair comparison; --quick: their direction only.
experiments: $(READY)
	$(BIN)/python -m examples.reproduce_paper $(EXPERIMENT_ARGS)
	$(BIN)/python -m examples.spiked $(EXPERIMENT_ARGS)
	$(BIN)/python -m examples.fair_comparison $(EXPERIMENT_ARGS)

test: $(READY)
	$(BIN)/python -m pytest -n auto --cov --cov-report=term-missing:skip-covered --cov-fail-under=90

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Peers that are installed in $(VENV) take part; see docs/performance.md.
benchmark: $(READY)
	$(BIN)/python -m tests.benchmarks all $(BENCHMARK_ARGS)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all,test]"
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage
