# Everything that is run by hand or in CI. Works on a fresh machine with Python 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: serve demo test check reference conformance bench lock clean

# What serving needs, and no more.
$(VENV)/serve.stamp: requirements/serve.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/serve.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/serve.stamp
	$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/awscli/stamp: requirements/awscli.txt $(VENV)/serve.stamp
	$(PYTHON) -m venv $(VENV)/awscli
	$(VENV)/awscli/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/awscli.txt
	@touch $@

$(VENV)/bench/stamp: requirements/bench.txt $(VENV)/test.stamp
	$(PYTHON) -m venv $(VENV)/bench
	$(VENV)/bench/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/bench.txt
	@touch $@

serve: $(VENV)/serve.stamp
	@exec $(BIN)/moorage serve

demo: $(VENV)/test.stamp
	@$(BIN)/python -m moorage.testing.demo

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The pages of docs/reference that are made from the code.
reference: $(VENV)/test.stamp
	@$(BIN)/python -m moorage.testing.reference

test: $(VENV)/test.stamp $(VENV)/awscli/stamp
	@$(BIN)/python tests/install_clients.py
	$(BIN)/python -m pytest -n 2 --dist loadgroup

conformance: $(VENV)/test.stamp
	@$(BIN)/python tests/conformance/run.py

bench: $(VENV)/test.stamp $(VENV)/bench/stamp
	@$(BIN)/python -m bench

# Pin anew: versions and hashes, no download addresses.
LOCK := $(VENV)/lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q \
	--custom-compile-command 'make lock'
lock: $(VENV)/serve.stamp
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip -q install uv
	$(LOCK) pyproject.toml --group build -o requirements/serve.txt
	$(LOCK) pyproject.toml --group test -c requirements/serve.txt -o requirements/test.txt
	$(LOCK) --group awscli -o requirements/awscli.txt
	$(LOCK) --group bench -o requirements/bench.txt

clean:
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
