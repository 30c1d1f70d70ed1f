# One command each on a fresh machine: `make run`, `make test`, `make lint`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run test lint check clean
.DEFAULT_GOAL := run

run: $(VENV)/.run  ## Serve on http://127.0.0.1:8080 with the embedded backend
	$(BIN)/python -m api

test: lint  ## Run all tests
	$(BIN)/python -m pytest

lint: $(VENV)/.test  ## Check style, types and structure; the pre-commit hooks are the list of checks
	$(BIN)/pre-commit run --all-files

check: $(VENV)/.run  ## Validate model_repository/
	$(BIN)/python -m serving check

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[embedded,check]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[embedded,check,export,dev]'
	touch $@

clean:  ## Remove the environments
	rm -rf $(VENV) .venvs
