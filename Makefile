# `make run` and `make test` set everything up by themselves; nothing else is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MODEL ?= sample_models/denoiser_lstm_int8.onnx
# One more than there are cores: tests of the explorer wait for the screen now and then.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
STAMP := $(VENV)/.installed

.PHONY: run test check lint types bench samples docs reference release pictures recording clean fuzz locked coverage

run: $(STAMP)
	@$(BIN)/npuscope $(MODEL)

# Several processes run the tests, and start more: each would compile every module again where none may keep it.
test: export PYTHONDONTWRITEBYTECODE =
test: $(STAMP)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

check: lint types test

# Branches of the core that the tests reach, room by room; MISSED=--missed lists those that they do not.
coverage: export PYTHONDONTWRITEBYTECODE =
coverage: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[coverage]'
	$(BIN)/python tools/measure_coverage.py --workers $(WORKERS) $(MISSED)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# SECONDS and SEED: make fuzz SECONDS=3600 SEED=7
fuzz: $(STAMP)
	$(BIN)/python tools/fuzz.py --seconds $(or $(SECONDS),600) --seed $(or $(SEED),0)
	$(BIN)/python tools/fuzz_keys.py $(MODEL) --keys $(or $(KEYS),5000)

samples: $(STAMP)
	$(BIN)/python sample_models/make_samples.py

# The pages that are generated from the rules and the edits.
reference: $(STAMP)
	$(BIN)/npuscope rules --markdown > docs/rules.md
	$(BIN)/python -m npuscope.reports.edit_pages > docs/edits.md

# The site: generated pages, the pages of docs/, the commands' help. A link that leads nowhere is an error.
docs: reference
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@$(BIN)/python tools/docs/site.py && echo build/site/index.html

# Wheel and sdist, each tried in a clean environment of every Python from 3.11 to 3.13 that is here.
release: $(STAMP)
	@$(BIN)/python tools/release.py

pictures: $(STAMP)
	$(BIN)/python tools/pictures.py

# The film of the README, from the program itself.
recording: $(STAMP)
	$(BIN)/python tools/recording.py

# An environment of exactly the wheels that were tried, by their hashes (Linux on x86-64, Python 3.11).
locked:
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("npuscope needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV), once: it takes a minute or two."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(BIN)/python -m compileall -q npuscope tui widgets themes
	@touch $(STAMP)
