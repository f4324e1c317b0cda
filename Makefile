# The targets set everything up by themselves: Python 3.11 or newer, make and a package index are all they need.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: bench clean demo docs paper quick soak test

demo: .venv/demo.done  ## train on line drawings and show colored pictures
	$(BIN)/python -m pix2pix fit --config configs/pix2pix/emoji.yaml

test: .venv/dev.done  ## format, lint, types, tests and coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal --cov --cov-report=term --cov-fail-under=95

quick: .venv/dev.done  ## the tests that take no long training, in under two minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not slow"

docs: .venv/docs.done  ## the site of docs/, with the API reference, into docs/_build; fails on a broken link or reference
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build
	@echo docs/_build/index.html

bench: .venv/dev.done  ## measure this project beside others, in some forty minutes of an idle machine: docs/benchmarks.md
	$(BIN)/python -m benchmarks

soak: .venv/dev.done  ## faults of all kinds on small runs, in some twenty minutes: the table of docs/reliability.md; and damaged files
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak
	OMP_NUM_THREADS=1 MUTATIONS=1000 $(BIN)/python -m pytest -q tests/errors/test_mutations.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/%.done: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --editable '.[$*]'
	touch $@

paper: .venv/demo.done  ## the ablations of the pix2pix paper, in an hour on two cores: docs/paper.md
	$(BIN)/python -m pix2pix ablate --config configs/pix2pix/paper.yaml --jobs 2 --write docs/paper.md

clean:  ## remove what can be made again; runs and data sets stay
	rm -rf .venv build dist docs/_build *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
