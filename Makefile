# SPDX-License-Identifier: ISC
# Everything runs in .venv, made from the locked requirements; nothing is installed outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench fuzz lock clean

demo: $(VENV)/.run
	$(BIN)/ike-auth demo

# One process more than there are processors: those with daemons wait for them most of the time.
test: $(VENV)/.dev
	$(BIN)/pytest --numprocesses=$(shell expr $$(nproc) + 1)
	$(BIN)/keynote test policies

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_imports.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# Linux on x86-64. What is found is in fuzz/found, and `python -m fuzz FILE` tries it again.
SECONDS ?= 600
fuzz: $(VENV)/.fuzz
	$(BIN)/python -m fuzz --seconds $(SECONDS)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("keynote-ike needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

$(VENV)/.fuzz: requirements/fuzz.txt $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	touch $@

# Needs uv; run it when a dependency in pyproject.toml changes.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --group build pyproject.toml -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --group dev -c requirements/run.txt -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --group fuzz -c requirements/run.txt -o requirements/fuzz.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis fuzz/found fuzz/grown demo build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
