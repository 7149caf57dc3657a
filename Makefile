# make demo | pictures | test | test-all | lint | docs | test-oldest | test-newest | build | benchmarks; each sets
# up what it needs from a bare Python.
PYTHON ?= python3
BIN := .venv/bin
OLDEST := .venv-oldest/bin
NEWEST := .venv-newest/bin
# The tests compare with this one; CPU is enough.
TORCH := torch==2.13.0
UV := $(BIN)/uv pip install --quiet

demo: .venv/examples
	$(BIN)/python -m examples quickstart

# The studies' pictures in docs/, light and dark. A study that has written its results into out/ is not run
# again, so that a change of style costs a minute; remove its folder to have it measured anew (all: hours).
STUDIES := $(patsubst examples/studies/%/study.py,%,$(wildcard examples/studies/*/study.py))

pictures: $(STUDIES:%=out/%/summary.json)
	$(BIN)/python -m examples pictures

out/%/summary.json: | .venv/examples
	$(BIN)/python -m examples $*

# The quick form of the library's tests, everything there is, and what the quick form leaves out of it. Each
# ends with the CPU-seconds that it took.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
# Or each of the processes compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

test: .venv/test
	$(PYTEST) -m "not full" tests/library tests/docs

test-all: .venv/test
	$(PYTEST)

test-rest: .venv/test
	$(PYTEST) -m full

lint: .venv/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	PYTHONPATH=. $(BIN)/pyright --pythonpath $(BIN)/python --verifytypes radam_optax --ignoreexternal
	$(BIN)/python -m pytest -q tests/docs/test_architecture.py tests/docs/test_notebooks_are_stripped.py

# The oldest versions that pyproject.toml allows, and the newest that there are, on another Python too:
# make test-newest PYTHON=python3.13. The tests are those that cross the most of their APIs.
CROSSING := -n 2 -m "not full" $(addprefix tests/,\
	library/algebra/test_algorithms.py library/algebra/test_call.py library/algebra/test_monitor.py library/checkpoint/test_checkpoint.py \
	library/migrate library/clients library/properties/test_trees.py docs)

test-oldest: .venv-oldest/test
	$(OLDEST)/python -m pytest $(CROSSING)

test-newest: .venv-newest/test
	$(NEWEST)/python -m pytest $(CROSSING)

# The site, into build/site: whatever Sphinx warns of is an error, and nothing is fetched.
docs: .venv/docs
	$(BIN)/python -m sphinx -q -W --keep-going -d build/doctrees docs build/site

# What goes to an index, in dist/: its README renders there, its extras can be had, its citation is valid.
build: .venv/lint
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/uvx --quiet cffconvert==2.0.0 --validate
	$(BIN)/python -m pytest -q tests/docs/test_release.py

# Hours, on a machine where nothing else runs; the results go into benchmarks/README.md.
benchmarks: .venv/test
	$(BIN)/python -m benchmarks numerics
	$(BIN)/python -m benchmarks memory
	$(BIN)/python -m benchmarks compile
	$(BIN)/python -m benchmarks end_to_end
	$(BIN)/python -m benchmarks step --multi-output-fusion
	$(BIN)/python -m benchmarks quality
	$(BIN)/python -m benchmarks report

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(BIN)/uv: | $(BIN)/python
	$(BIN)/python -m pip install --quiet uv

.venv/examples: pyproject.toml examples/pyproject.toml | $(BIN)/uv
	$(UV) --python $(BIN)/python --editable . ./examples
	touch $@

.venv/test: pyproject.toml examples/pyproject.toml | $(BIN)/uv
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(UV) --python $(BIN)/python --editable '.[parity]' ./examples --group test --group clients --group peers --group benchmarks --group docs --group notebooks
	touch $@ .venv/examples .venv/docs

.venv/docs: pyproject.toml examples/pyproject.toml | $(BIN)/uv
	$(UV) --python $(BIN)/python --editable '.[checkpoint]' ./examples --group docs
	touch $@ .venv/examples

.venv/lint: pyproject.toml .venv/test | $(BIN)/uv
	$(UV) --python $(BIN)/python --group lint
	touch $@

.venv-oldest/test: pyproject.toml | $(BIN)/uv
	$(PYTHON) -m venv .venv-oldest
	$(UV) --python $(OLDEST)/python --resolution lowest-direct --editable '.[checkpoint]' --group test
	touch $@

.venv-newest/test: pyproject.toml | $(BIN)/uv
	$(PYTHON) -m venv .venv-newest
	$(UV) --python $(NEWEST)/python --editable '.[checkpoint]' --group test
	touch $@

clean:
	rm -rf .venv .venv-oldest .venv-newest .jax_cache dist build out *.egg-info

.PHONY: demo pictures test test-all test-rest lint docs test-oldest test-newest build benchmarks clean
