# Everything needs Python 3.11 or newer and a connection to the package registries; nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: distill test check bench pictures format lock clean

distill: .venv/installed
	$(BIN)/kg distill

test: .venv/installed
	$(BIN)/pytest

check: .venv/installed
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/pytest -q tests/test_documents.py

bench: .venv/installed
	$(BIN)/python -m tests.benchmarks.dedupe
	$(BIN)/python -m tests.benchmarks.teacher
	$(BIN)/python -m tests.benchmarks.rdf
	$(BIN)/python -m tests.benchmarks.graph
	$(BIN)/python -m tests.benchmarks.busy

# graph.svg and report.svg of the README, from what make distill left in .kg/
pictures: .venv/installed
	$(BIN)/python -m tests.pictures

format: .venv/installed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# The lock has versions and hashes, and no address.
lock: .venv/installed
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --all-extras --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv

.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv pip install --quiet --compile-bytecode --python .venv --require-hashes -r requirements.lock
	$(BIN)/python -m uv pip install --quiet --python .venv --no-deps -e .
	touch .venv/installed
