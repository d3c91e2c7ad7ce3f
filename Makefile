# Everything that is run by hand or in CI. Works on a fresh clone with Python 3.11 or newer and make; each target makes what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: help serve demo test check reference conformance bench coverage soak lock clean

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# What serving needs, and no more.
$(VENV)/serve.stamp: requirements/serve.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Moorage needs Python 3.11 or newer, and \
	$(PYTHON) is %d.%d: name another one, such as make serve PYTHON=python3.12" % sys.version_info[:2])'
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

serve: $(VENV)/serve.stamp ## the server, on ./data
	@exec $(BIN)/moorage serve

demo: $(VENV)/test.stamp ## the path of getting started against a throw-away server
	@$(BIN)/python -m moorage.testing.demo

check: $(VENV)/test.stamp ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The pages of docs/reference that are made from the code.
reference: $(VENV)/test.stamp ## write the pages of docs/reference that are made from the code
	@$(BIN)/python -m moorage.testing.reference

test: $(VENV)/test.stamp $(VENV)/awscli/stamp ## all tests; as root it installs the clients that are missing
	@$(BIN)/python tests/install_clients.py
	$(BIN)/python -m pytest -n 2 --dist loadgroup

soak: $(VENV)/test.stamp ## the tests that have a long form, for as long as SOAK_SECONDS says
	@SOAK_SECONDS=$${SOAK_SECONDS:-300} $(BIN)/python -m pytest -q --timeout 0 tests/unit/operations/test_push_against_collection.py

conformance: $(VENV)/test.stamp ## the OCI conformance suite on both stacks; it takes Go once
	@$(BIN)/python tests/install_clients.py conformance
	@$(BIN)/python tests/conformance/run.py

# Servers that are killed tell nothing of what they ran, so the figures are a lower bound.
coverage: $(VENV)/test.stamp $(VENV)/awscli/stamp ## all tests, and which modules they run less than nine tenths of
	$(PIP) install --require-hashes -r requirements/coverage.txt
	@$(BIN)/python tests/install_clients.py
	@$(BIN)/python -m tests.coverage_shown $(TESTS)

bench: $(VENV)/test.stamp $(VENV)/bench/stamp ## the benchmark beside other registries
	@$(BIN)/python -m bench

# Pin anew: versions and hashes, no download addresses.
LOCK := $(VENV)/lock/bin/uv pip compile --system-certs --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q \
	--custom-compile-command 'make lock'
lock: $(VENV)/serve.stamp ## pin dependencies anew
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip -q install uv
	$(LOCK) pyproject.toml --group build -o requirements/serve.txt
	$(LOCK) pyproject.toml --group test -c requirements/serve.txt -o requirements/test.txt
	$(LOCK) --group awscli -o requirements/awscli.txt
	$(LOCK) --group bench -o requirements/bench.txt
	$(LOCK) --group coverage -o requirements/coverage.txt

clean: ## remove everything that was installed here, but no data
	rm -rf $(VENV) .tools .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
