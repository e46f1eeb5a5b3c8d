# Two commands are enough: `make run` and `make test`. Each does its own set-up, once; `make help` lists the rest.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DATA ?= $(or $(TALLYMAN_DATA),data)
REGISTRY ?=
ONCE ?=
ARGS ?=
LOCK_TOOLS := .cache/lock-tools
MUTMUT := .cache/mutmut
PIP_COMPILE := $(LOCK_TOOLS)/bin/pip-compile --generate-hashes --allow-unsafe --strip-extras --no-header --quiet \
	--no-emit-options

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
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: check
check: lint  ## `lint`, then the unit and contract tests: a few minutes
	@$(BIN)/python -m pytest --quiet tests/unit tests/contract

.PHONY: lint
lint: dev  ## Format, lint, types, import arrows: under a minute
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
doctor: dev  ## Say which parts the tests need that are not here, and how to install them
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
lock: $(LOCK_TOOLS)/bin/pip-compile  ## Pin the newest allowed packages anew, with hashes and no addresses
	$(PIP_COMPILE) --upgrade --extra setup --output-file requirements.lock pyproject.toml
	$(PIP_COMPILE) --upgrade --extra setup --extra dev --constraint requirements.lock \
		--output-file requirements-dev.lock pyproject.toml

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
	@for python in $(PYTHON) python3.11 python3; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'Tallyman needs Python 3.11 or newer, and found none as python3.11 or python3.' \
			'Install it, or name it: make PYTHON=/path/to/python3 …' >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV) || { \
		echo 'This Python cannot make virtual environments.' \
			'On Debian and Ubuntu: apt-get install python3-venv. Then start over.' >&2; \
		exit 1; \
	}

$(VENV)/.packages: requirements.lock | $(BIN)/pip
	@echo 'Installing the pinned packages (180 MB to download, once)'
	@$(PIP) install --require-hashes --only-binary :all: --requirement requirements.lock
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.packages
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.jars: shared/pipeline/jars.lock $(VENV)/.installed
	@$(BIN)/python -m shared.pipeline.jars
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.installed
	@echo 'Installing the packages of the tests'
	@$(PIP) install --require-hashes --only-binary :all: --requirement requirements-dev.lock
	@touch $@

$(LOCK_TOOLS)/bin/pip-compile: | $(BIN)/pip
	@$(BIN)/python -m venv $(LOCK_TOOLS)
	@$(LOCK_TOOLS)/bin/python -m pip --quiet install pip-tools==7.6.2

# In an environment of its own, before the project's on the path: it needs click 8.4, which faust-streaming does not allow.
$(MUTMUT)/.installed: | $(BIN)/pip
	@$(BIN)/python -m venv $(MUTMUT)
	@$(MUTMUT)/bin/python -m pip --disable-pip-version-check --quiet install mutmut==3.8.1
	@packages='import sysconfig; print(sysconfig.get_path("purelib"))'; \
		$(abspath $(BIN))/python -c "$$packages" > "$$($(MUTMUT)/bin/python -c "$$packages")/project.pth"
	@touch $@

.env:
	@umask 077 && sed \
		-e "s|^#* *TALLYMAN_SECRET_KEY=.*|TALLYMAN_SECRET_KEY=$$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')|" \
		-e "s|^#* *TALLYMAN_CLICKHOUSE_PASSWORD=.*|TALLYMAN_CLICKHOUSE_PASSWORD=$$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')|" \
		.env.example > $@
	@echo 'Wrote .env with a new secret key and a new ClickHouse password'
