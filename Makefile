PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq install --disable-pip-version-check -c constraints.txt
PYTEST := $(BIN)/python -m pytest
SOURCES := $(shell find bench launch config models resource scripts src -type f -not -name '*.pyc' \
	-not -path '*.egg-info/*') package.xml setup.py setup.cfg

# The checkout's source is what runs here, whatever is installed. A ROS 2 that the shell has
# sourced stays outside: its libraries do not fit the wheels.
export PYTHONPATH := $(CURDIR)/src
export AMENT_PREFIX_PATH := $(CURDIR)/$(VENV)
# Threads of PyTorch that wait would spin, and on a busy machine take the cores from one another.
export OMP_WAIT_POLICY := PASSIVE
unexport LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE

.PHONY: help setup demo test test-slow test-gpu bench check clean

help:  ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

setup: $(VENV)/installed  ## build .venv, with everything; ros2 launch finds the package there

demo: $(VENV)/demo  ## drive an unseen road for a minute, with all nodes; report in out/demo
	@$(BIN)/python -m edge_pilot demo

test: $(VENV)/full  ## run the tests: the core's, then those that start ROS nodes
	@$(PYTEST)

test-slow: $(VENV)/full  ## run the tests that take minutes
	@$(PYTEST) -m slow || test $$? -eq 5  # 5: there is none

test-gpu: $(VENV)/full  ## run the tests that need a CUDA device, and TensorRT
	@$(PIP) '.[gpu]'
	@rm -rf build src/*.egg-info
	@$(PYTEST) test/gpu

bench: $(VENV)/full  ## measure image to command against a floor and a plain node; 45 minutes
	@$(BIN)/python -m edge_pilot bench

check: $(VENV)/full  ## check style, types and import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

clean:  ## remove all that was made
	rm -rf $(VENV) out build dist src/*.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/created: scripts/system_packages
	@scripts/system_packages $(PYTHON)
	@echo "setup: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) setuptools
	@touch $@

$(VENV)/demo: $(VENV)/created setup.py constraints.txt
	@echo "setup: installing ROS 2 and the simulator"
	@$(PIP) --no-build-isolation '.[ros,sim]'
	@rm -rf build src/*.egg-info
	@touch $@

$(VENV)/full: $(VENV)/demo
	@echo "setup: installing PyTorch and the development tools"
	@$(PIP) torch==2.13.0
	@$(PIP) --no-build-isolation '.[ros,sim,train,dev]'
	@$(PIP) --no-deps --target $(VENV)/typing --upgrade tensorrt-stubs
	@sed -i -E 's/\bin: list/in_: list/; s/channel_axis: int\)/channel_axis: int = ...)/' \
		$(VENV)/typing/tensorrt_bindings/tensorrt.pyi  # which mypy cannot parse
	@rm -rf build src/*.egg-info
	@touch $@

$(VENV)/installed: $(VENV)/full $(SOURCES)
	@echo "setup: installing edge_pilot into $(VENV)"
	@$(PIP) --no-build-isolation --no-deps .
	@rm -rf build src/*.egg-info
	@touch $@
