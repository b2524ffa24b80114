# make serve     the chat page on http://127.0.0.1:7860, over index/, built from seeds/ if there is none
# make check     format, lint, types, and the fast tests, in under a minute
# make test      format, lint, types, and all tests with coverage
# make bench     what is felt, timed in a few minutes, beside what was recorded last
# make pictures  draws docs/*.png anew, in Chromium
# make format    rewrites the code in the project's format

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := src app.py tests training benchmarks
# Tests that need neither the models nor a browser.
FAST := tests/text tests/search tests/answering tests/store/test_contract.py tests/test_architecture.py \
	tests/test_exports.py tests/test_filters.py tests/test_live_index.py tests/test_wrong_calls.py tests/web/views

.PHONY: serve check test bench pictures format clean

serve: $(VENV)/runtime.installed
	$(BIN)/python app.py

check: $(VENV)/test.installed
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m pytest -q $(FAST)

test: $(VENV)/test.installed
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m pytest --cov

bench: $(VENV)/runtime.installed
	$(BIN)/python benchmarks/short.py

pictures: $(VENV)/test.installed
	EPIQA_PICTURES=1 EPIQA_REQUIRE_BROWSER=1 $(BIN)/python -m pytest tests/web/test_pictures.py

format: $(VENV)/test.installed
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

# Each stamp stands for one set of packages, and is made anew when what it depends on changes.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/test.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,training]"
	touch $@ $(VENV)/runtime.installed

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .coverage
