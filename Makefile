# Two commands matter: `make demo` and `make test`. Each sets up .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/demo

.PHONY: help demo test install lint bench clean
.DEFAULT_GOAL := help

help:  ## Show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "fairaudit needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	touch $@

install: $(VENV)/installed  ## Make .venv and install fairaudit into it

demo: install  ## Compare three samplers on the built-in model and write the report
	$(BIN)/fairaudit compare builtin:faces64 --prompts demo --images 32 --out $(RUN)

test: install  ## Run the tests
	$(BIN)/python -m pytest

# mypy sees the packages of pyproject.toml in one tree, as an installation has them.
lint: install  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/types && mkdir -p build/types/fairaudit
	ln -s $(CURDIR)/fairaudit/* $(CURDIR)/samplers $(CURDIR)/classifiers $(CURDIR)/reports build/types/fairaudit
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p fairaudit

bench: install  ## Measure the loop against diffusers' pipeline, and bootstraps against pandas
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/bootstraps.py

clean:  ## Remove the environment and everything built
	rm -rf $(VENV) build dist *.egg-info
