# Two commands do all the set-up: `make run` (core dependencies only) and `make test` (all extras).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
# the interpreter's own pip, where it can install elsewhere: a new environment with a pip of its own takes two seconds
OWN_PIP = $(shell $(PYTHON) -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (22, 3))' \
	2> /dev/null && echo $(PYTHON) -m pip --python $(BIN)/python)
# modules are compiled when they are imported, which most of them never are
PIP_INSTALL = $(or $(OWN_PIP),$(BIN)/python -m pip) install --disable-pip-version-check --no-compile -c constraints.txt

MAKEFLAGS += --no-print-directory

.PHONY: run test test-all test-hgq test-torch lint bench docs clean

run: $(VENV)/.core
	$(BIN)/l1emu run

# two processes: each test file is run by one of them, whole, so that what its tests share is made once
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

test: $(VENV)/.all lint
	$(PYTEST)

test-all: $(VENV)/.all lint
	$(PYTEST) -m "not hgq and not torch" --hypothesis-profile drawn

# HGQ2 and Keras 3 do not go with QKeras: an environment of its own
test-hgq: $(VENV)-hgq/.hgq
	$(VENV)-hgq/bin/python -m pytest -m hgq tests/training/test_hgq.py

# PyTorch, which makes what is translated, alone in an environment of its own
test-torch: $(VENV)/.all $(VENV)-torch/.torch
	L1EMU_TORCH_PYTHON=$(abspath $(VENV))-torch/bin/python $(BIN)/python -m pytest -m torch tests/training/test_part.py

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.all
	$(BIN)/python benchmarks/emulator.py
	$(BIN)/python benchmarks/stream.py

# the site, into build/site: notebooks are run, and a broken link or an unknown name ends it
docs: $(VENV)/.all
	NO_MKDOCS_2_WARNING=1 MPLBACKEND=Agg $(BIN)/mkdocs build --strict

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v[:2] >= (3, 11) else f"l1emu needs Python 3.11, this is {v[0]}.{v[1]}: set PYTHON=")'
	$(PYTHON) -m venv $(if $(OWN_PIP),--without-pip) $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) pip -e .
	touch $@

$(VENV)/.all: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) pip -e '.[train,generate,sources,batch,docs,test]'
	-$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib # once, for many processes
	touch $@ $(VENV)/.core

$(VENV)-hgq/.hgq: pyproject.toml constraints-hgq.txt
	$(PYTHON) -m venv $(VENV)-hgq
	$(VENV)-hgq/bin/python -m pip install --disable-pip-version-check -c constraints-hgq.txt -e '.[hgq]' 'pytest>=8' 'hypothesis>=6.100'
	touch $@

$(VENV)-torch/.torch:
	$(PYTHON) -m venv $(VENV)-torch
	$(VENV)-torch/bin/python -m pip install --disable-pip-version-check torch==2.13.0 'numpy>=1.26'
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-hgq $(VENV)-torch results build dist .pytest_cache .mypy_cache .ruff_cache
