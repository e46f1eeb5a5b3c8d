# Two commands are enough: `make run` and `make test`. Each does its own set-up, once; `make help` lists the rest.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DATA ?= $(or $(TALLYMAN_DATA),data)
REGISTRY ?=
ONCE ?=
UPGRADE ?= yes
ARGS ?=
WORKERS ?= 2
IN_WORKERS := --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder
# One lock for every platform: what only some of them need carries a marker. Wheels only, except of BUILT, which has
# none on Linux aarch64 and is built there from its source.
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --quiet $(if $(UPGRADE),--upgrade)
BUILT := faust-streaming
MUTMUT := .cache/mutmut

##@ Use

.PHONY: run
run: setup  ## Load a registry and keep serving: the bundled sample, or REGISTRY=https://…; ONCE=1 stops after the load
	@exec $(BIN)/tallyman run --data '$(DATA)' --load '$(or $(REGISTRY),sample)' $(if $(ONCE),--once)

.PHONY: setup
setup: $(VENV)/.installed $(VENV)/.jars  ## Set up what `run` needs: .venv, pinned packages, the broker's jars

.PHONY: up
up: .env  ## Start Kafka, ClickHouse and the services as containers (Docker Compose)
	docker compose up --build --detach --wait

.PHONY: down
down:  ## Stop the containers; their data stays in its volumes
	docker compose down

##@ Develop

.PHONY: test
test: dev setup doctor  ## Run the whole test suite on real parts; ARGS="…" go to pytest
	@$(BIN)/python -m pytest $(IN_WORKERS) $(ARGS)

.PHONY: test-long
test-long: dev setup doctor  ## Run random tests at length, chaos and the budget; ARGS="--seed=7" repeats a run
	@$(BIN)/python -m pytest -m 'long or hypothesis' --hypothesis-profile=long $(ARGS)

.PHONY: check
check: lint  ## `lint`, then the unit and contract tests: under a minute and a half
	@$(BIN)/python -m pytest --quiet $(IN_WORKERS) tests/unit tests/contract

.PHONY: lint
lint: dev  ## Format, lint, types, import arrows: under half a minute
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: format
format: dev  ## Format the code and sort its imports
	@$(BIN)/ruff check --quiet --fix --select I .
	@$(BIN)/ruff format .

.PHONY: bench
bench: dev setup  ## Measure first and unchanged loads of a generated registry; takes minutes
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: product-costs
product-costs: dev setup doctor  ## Count what loads of each product cost; write benchmarks/product-costs.json and the README's table
	@$(BIN)/python -m benchmarks.product_costs

.PHONY: chaos
chaos: dev setup doctor  ## Kill everything at random while a registry is loaded, and judge what was told; SEED=7 KILLS=50
	@$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --kills $(or $(KILLS),50)

.PHONY: budget-proof
budget-proof: dev setup doctor  ## Count what registries see of nine processes, faults and all; takes ten minutes; ARGS="--phase alone"
	@$(BIN)/python -m tests.budget $(ARGS)

.PHONY: mutants
mutants: dev $(MUTMUT)/.installed  ## Change the core rules one operator at a time, list what no test notices; TARGET=decide; takes minutes
	@nice -n 10 $(MUTMUT)/bin/python -m tests.mutants $(TARGET)

.PHONY: doctor
doctor: dev  ## Bring what the tests need beside the pinned packages, or say how to install it
	@$(BIN)/python -m tests.support.prerequisites

.PHONY: dev
dev: $(VENV)/.dev  ## Set up what `test` and `check` need beside

.PHONY: settings-table
settings-table: dev  ## Write the README's settings table from shared/settings
	@$(BIN)/python -m tests.support.settings_table

.PHONY: event-documents
event-documents: dev  ## Write docs/events from the models: JSON Schemas and the AsyncAPI document
	@$(BIN)/python -m tests.support.event_documents

.PHONY: screenshots
screenshots: dev setup doctor  ## Take the README's pictures of the console anew, in a real browser
	@$(BIN)/python -m tests.support.screenshots

.PHONY: lock
lock: dev  ## Pin the newest allowed packages anew, by hash; UPGRADE= keeps the pins that still fit
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --group build --constraint requirements.lock --output-file requirements-build.lock
	$(COMPILE) --group mutants --output-file requirements-mutants.lock
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@for lock in requirements.lock requirements-dev.lock; do \
		sed -n '/^$(BUILT)==/d; s/^\([a-z0-9-]*\)==.*/--only-binary \1/p' $$lock | cat - $$lock > $$lock.new && \
		mv $$lock.new $$lock || exit; \
	done

.PHONY: clean
clean:  ## Remove what was set up and cached here; the data folder stays
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info

.PHONY: help
help:  ## Print this
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What is done once. A stamp is older than what it was made from only when that has changed.

$(BIN)/pip:
	@setup/venv $(VENV) $(PYTHON)

$(VENV)/.packages: requirements-build.lock requirements.lock | $(BIN)/pip
	@echo 'Installing the pinned packages (180 MB to download, once)'
	@$(PIP) install --require-hashes --only-binary :all: --requirement requirements-build.lock
	@$(PIP) install --require-hashes --no-build-isolation --requirement requirements.lock
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.packages
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.jars: shared/pipeline/jars.lock $(VENV)/.installed
	@$(BIN)/python -m shared.pipeline.jars
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.installed
	@echo 'Installing the packages of the tests'
	@$(PIP) install --require-hashes --no-build-isolation --requirement requirements-dev.lock
	@touch $@

# In an environment of its own, before the project's on the path: it needs click 8.4, which faust-streaming does not allow.
$(MUTMUT)/.installed: requirements-mutants.lock | $(BIN)/pip
	@$(BIN)/python -m venv $(MUTMUT)
	@$(MUTMUT)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: \
		--requirement requirements-mutants.lock
	@packages='import sysconfig; print(sysconfig.get_path("purelib"))'; \
		$(abspath $(BIN))/python -c "$$packages" > "$$($(MUTMUT)/bin/python -c "$$packages")/project.pth"
	@touch $@

.env:
	@umask 077 && sed \
		-e "s|^#* *TALLYMAN_SECRET_KEY=.*|TALLYMAN_SECRET_KEY=$$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')|" \
		-e "s|^#* *TALLYMAN_CLICKHOUSE_PASSWORD=.*|TALLYMAN_CLICKHOUSE_PASSWORD=$$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')|" \
		.env.example > $@
	@echo 'Wrote .env with a new secret key and a new ClickHouse password'
