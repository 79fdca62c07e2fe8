# `make demo` runs everything with simulated traffic; `make test` tests everything; `make bench-ingest`,
# `make bench-router` and `make bench-sla` measure. All set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := shared services/ingest services/router services/sla-monitor deploy/local
SET_UP := $(VENV)/.set-up

.PHONY: demo up down test bench-ingest bench-router bench-sla lint lock set-up clean prerequisites

demo: prerequisites $(SET_UP)
	$(BIN)/relance-local demo $(ARGS)

up: prerequisites $(SET_UP)
	$(BIN)/relance-local up

down: $(SET_UP)
	$(BIN)/relance-local down

test: NEEDED_FOR = tests
test: prerequisites $(SET_UP)
	$(BIN)/pytest $(ARGS)

bench-ingest: prerequisites $(SET_UP)
	$(BIN)/python -m tests.bench.ingest $(ARGS)

bench-router: prerequisites $(SET_UP)
	$(BIN)/python -m tests.bench.router $(ARGS)

bench-sla: prerequisites $(SET_UP)
	$(BIN)/python -m tests.bench.sla $(ARGS)

lint: $(SET_UP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES) tests
	$(BIN)/lint-imports

set-up: prerequisites $(SET_UP)

prerequisites:
	@sh deploy/local/prerequisites.sh "$(PYTHON)" $(NEEDED_FOR)

$(SET_UP): requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix --editable ,$(PACKAGES))
	@touch $@

# Resolves anew, to the newest versions; one resolution, exported for developers and for each image.
LOCK := $(BIN)/uv export --quiet --frozen --no-emit-workspace --no-header --no-annotate --format requirements.txt
lock:
	rm -f uv.lock
	$(BIN)/uv lock --quiet
	$(LOCK) --all-groups --output-file requirements.lock > /dev/null
	$(LOCK) --only-group build --output-file deploy/containers/locks/build.lock > /dev/null
	$(LOCK) --package relance-ingest --no-default-groups --output-file deploy/containers/locks/ingest.lock > /dev/null
	$(LOCK) --package relance-router --no-default-groups --output-file deploy/containers/locks/router.lock > /dev/null
	$(LOCK) --package relance-sla-monitor --no-default-groups --output-file deploy/containers/locks/sla-monitor.lock > /dev/null
	rm -f uv.lock

clean:
	rm -rf $(VENV) .local
