# sage-select: `make demo` runs the main job end to end, `make test` runs the tests. Both set up what is missing.

# Without byte code every import is compiled again: seconds for torch, half a minute for trl.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
# Another torch: TORCH="torch==2.12.1", or TORCH=path/to/torch.whl
TORCH ?= torch==2.15.0
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# Test processes side by side: one a core, at most 8, since each comes to hold 2 GB. Others: make test WORKERS=4.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, os.cpu_count() or 1))')
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

.PHONY: help setup demo test test-rust test-python torture check asan fmt bench bench-large bench-quality \
  bench-quality-lm bench-methods bench-continual compare generate lock wheel wheel-test clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(UV):
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sage-select needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 5; }
	@command -v cargo >/dev/null || { echo "sage-select needs Rust (cargo, 1.89 or newer) to build its extension" >&2; exit 5; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet uv

# constraints.txt leaves torch and what comes with it to TORCH, so that another build of it can be named.
$(VENV)/.packages: pyproject.toml constraints.txt $(UV) $(VENV)/.torch-$(shell printf '%s' '$(TORCH)' | cksum | cut -d' ' -f1)
	@echo "Installing the packages of pyproject.toml into $(VENV)"
	@$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt "$(TORCH)" \
	  --requirement pyproject.toml --extra train --extra embed --extra report --extra test --extra bench --extra dev
	@touch $@

$(VENV)/.torch-%: $(UV)
	@rm -f $(VENV)/.torch-*
	@touch $@

$(VENV)/.extension: $(VENV)/.packages $(RUST_SOURCES)
	@echo "Building the Rust extension"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --uv --release --quiet
	@touch $@

setup: $(VENV)/.extension  ## make .venv, install everything, build the extension

# --force: whatever an earlier run, or an earlier version, left in demo/ is replaced.
demo: setup  ## run the main job on the built-in data and model, offline: select, train, measure
	@mkdir -p demo
	@rm -f demo/result.json
	@echo "Selecting the rows worth training on: sage-select build --strategy hybrid"
	@cd demo && ../$(BIN)/sage-select build --strategy hybrid --force
	@echo "Training an adapter on them and measuring it: sage-train --selection out.arrow"
	@cd demo && ../$(BIN)/sage-train --selection out.arrow --output-dir run --eval-result result.json --force
	@echo "Wrote demo/out.arrow, demo/run and demo/result.json"

# Called again it goes on where it was; into a folder that git ignores.
compare: setup  ## compare methods on the built-in data and model, offline: which selection is worth its rows, in a quarter of an hour
	@mkdir -p .benchmarks
	@$(BIN)/sage-train compare --quick --output-dir .benchmarks/compare
	@echo "Wrote .benchmarks/compare/comparison.md"

test: test-rust test-python  ## run the Rust and the Python tests, the examples of the docs included

# Rests on no package: .ci/run builds it while they are installed. The crate of rows is tested as it is released: the
# extension has built half of it then.
test-rust:
	@echo "Running the Rust tests"
	@cargo test --package sage-select-core --lib --locked --quiet
	@cargo test --package sage-select-rows --release --locked --quiet

# SAGE_DEMO=demo: the tests look at what `make demo` left there, rather than make it once more.
test-python: setup
	@echo "Running the Python tests in $(WORKERS) processes"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

# Other mutants: SAGE_TORTURE_SEED=1. The files of what is found: SAGE_TORTURE_KEEP=FOLDER.
torture: setup  ## meet 3,000 damaged files by every program, and kill 300 builds and writers of buffers: no crash, nothing lost, no silent difference
	@SAGE_TORTURE=$${SAGE_TORTURE:-3000} SAGE_KILLS=$${SAGE_KILLS:-300} \
	  $(BIN)/python -m pytest -q tests/e2e/test_torture.py tests/e2e/test_kill_build.py tests/e2e/test_kill_train.py \
	    tests/e2e/test_replay_durability.py

check: setup  ## format, lint, types, then all tests
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	@$(BIN)/ruff format --check python tests benches scripts examples
	@$(BIN)/ruff check python tests benches scripts examples
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test wheel-test

# The sanitizer is in stable Rust too, behind the switch that RUSTC_BOOTSTRAP opens. Tests that ask for more memory than
# there is get a refusal, as they would without it; threads that are still ending when the tests have ended are no leak.
asan:  ## run the Rust tests under AddressSanitizer, on every instruction set: memory errors of the unsafe code
	@echo "Running the Rust tests under AddressSanitizer"
	@RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0 \
	  cargo test --package sage-select-core --lib --locked --quiet --target-dir target/asan \
	  --target "$$(rustc -vV | sed -n 's/^host: //p')"

fmt: setup  ## format the code
	@cargo fmt --all
	@$(BIN)/ruff format --quiet python tests benches scripts examples
	@$(BIN)/ruff check --quiet --fix python tests benches scripts examples

# Only the benchmarks need these; where one cannot be installed its rows are skipped, with the reason in RESULTS.md.
$(VENV)/.rivals: $(VENV)/.packages
	@echo "Installing the rivals that the benchmarks compare with"
	@$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --requirement pyproject.toml --extra rivals \
	  && touch $@ || echo "Some rivals cannot be installed here"

bench: setup $(VENV)/.rivals  ## how fast selection is, beside what people use today: benches/RESULTS.md
	@$(BIN)/python -m pytest benches --benchmark-only

bench-large: setup $(VENV)/.rivals  ## the same on a million rows
	@$(BIN)/python -m pytest benches --benchmark-only --large

# A part of it, in a minute: QUALITY="--seeds 1 --sizes 2 --cases CLINC150"
bench-quality: setup  ## whether selections help: a classifier on the picks of every rule: benches/QUALITY.md
	@$(BIN)/python -m benches.quality $(QUALITY)

bench-quality-lm: setup  ## whether selections help a small language model, pre-trained here: benches/QUALITY_LM.md
	@$(BIN)/python -m benches.quality_lm $(QUALITY_LM)

bench-methods: setup  ## which methods are worth their rows, on a small language model: docs/results.md
	@$(BIN)/python -m benches.methods $(METHODS)

bench-continual: setup  ## whether replay helps: ten domains one after the other: benches/CONTINUAL.md
	@$(BIN)/python -m benches.continual $(CONTINUAL)

wheel: setup  ## build the wheel and the source distribution into dist
	@$(BIN)/maturin build --release --quiet --sdist --out dist
	@ls dist

wheel-test: setup  ## build the wheel from the source distribution, install it alone into a clean environment, select with it
	@PYTHON=$(BIN)/python scripts/wheel_test.sh

generate: setup  ## write anew what is derived from the declarations: options, schema, tables of the docs
	@$(BIN)/python scripts/generate.py

lock: $(UV)  ## write constraints.txt anew from pyproject.toml
	@$(UV) pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links pyproject.toml \
	  | grep -vE '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)(\[|=| )' > constraints.new
	@mv constraints.new constraints.txt

clean:  ## remove what was built here
	@rm -rf $(VENV) target demo dist python/sage_select/*.so
