# Two commands matter: `make demo` and `make test`. Each sets up .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/demo

.PHONY: help demo test install lint docs bench clean tree
.DEFAULT_GOAL := help

help:  ## Show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "fairaudit needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,lint,docs]'
	touch $@

install: $(VENV)/installed  ## Make .venv and install fairaudit into it

demo: install  ## Compare three samplers on the built-in model and write the report
	$(BIN)/fairaudit compare builtin:faces64 --prompts demo --images 32 --out $(RUN)

test: install  ## Run the tests
	$(BIN)/python -m pytest

# The packages of pyproject.toml in one tree, as an installation has them, for tools that do not import.
tree:
	rm -rf build/types && mkdir -p build/types/fairaudit
	ln -s $(CURDIR)/fairaudit/* $(CURDIR)/samplers $(CURDIR)/classifiers $(CURDIR)/extractors $(CURDIR)/reports build/types/fairaudit

lint: install tree  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p fairaudit

docs: install tree  ## Build the documentation into build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo build/site/index.html

bench: install  ## Measure the loop against diffusers' pipeline, and bootstraps against pandas
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/bootstraps.py

clean:  ## Remove the environment and everything built
	rm -rf $(VENV) build dist *.egg-info
