# make demo: everything at http://127.0.0.1:8000/ (PORT=… HOST=… DATA_DIR=…)
# make test, make lint, make bench
# Each makes its own environment in .venv first.

PYTHON := .venv/bin/python
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
.PHONY: demo test lint bench environment

demo: environment
	@scripts/demo-pictures
	@exec $(PYTHON) labeling/embedded/child.py $$PPID 15 $(PYTHON) manage.py demo

test: environment
	@$(PYTHON) -m tests.chromium
	@$(PYTHON) -m pytest

lint: environment
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: environment
	@set -e; for script in tests/benchmarks/[a-z]*.py; do \
	    $(PYTHON) -m tests.benchmarks.$$(basename $$script .py); \
	done

environment:
	@scripts/environment
