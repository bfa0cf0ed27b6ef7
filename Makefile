# All commands of development. Each target first installs what it needs, once.
#
#   make demo             shows the whole path against a simulated Genesys Cloud, until Ctrl-C (ARGS=--once: ends itself;
#                         ARGS=--traffic: a contact centre at work, with faults in turn, to look at in the dashboard)
#   make test             runs the tests in several processes (ARGS=…: arguments of pytest, in one process)
#   make test-sdk         runs the official SDK and another client against the simulator, each in a venv of its own
#   make acceptance       tests the promises with real processes (ARGS=--list; ARGS="--fast burst"); make proof is the same
#   make chaos            breaks everything by a seeded script, then compares the balance (SEED= MINUTES= DATABASE= INSTANCES=)
#   make kill-points      kills the process at every kill point (ARGS="posted --database sqlite")
#   make kills            sends SIGKILL 200 times under load, with two kinds of receivers (ARGS="--seed 1 --kills 20")
#   make syscalls         lets the n-th write or fsync of SQLite fail (needs strace)
#   make mutants          changes the pure rules, one place at a time, and counts changes that no unit test notices
#   make model            explores the protocol between instances in each state that a fault can lead to (ARGS="--traces fence")
#   make tracing          installs what exports traces (OpenTelemetry), for OTEL_EXPORTER_OTLP_ENDPOINT
#   make check            lint, format, types, imports between layers
#   make audit            looks for known vulnerabilities of what is installed (fails if PyPI's advisories can't be reached)
#   make run              runs the gateway alone, with the settings of the environment
#   make simulator        runs the simulator alone (ARGS=--help)
#   make bench            compares the speed with that of rivals (ARGS="speed --quick"); other benchmarks by name (ARGS=motion)
#   make pictures         takes the pictures of the dashboard for the documents, with Debian's Chromium
#   make references       writes the documents that are made from the code: settings, HTTP, metrics … (ARGS=settings: that one)
#   make docs             builds the documents as a site and serves it at 127.0.0.1:8000; make site only builds it into build/site
#   make doc-commands     lists the commands in the documents: run by a test, or not and why (ARGS=docs/simulator.md: runs them)
#   make package          builds the wheel and the source archive into build/dist, and checks them
#   make image            builds the container image (CONTAINER=podman; ARGS="--build-arg TRACING=1")
#   make image-steps      builds and tries the image where no registry is reached: as root on Debian, with buildah and podman
#   make sbom             writes build/sbom.cdx.json: what requirements.txt locks, in CycloneDX
#   make lock             writes requirements*.txt from pyproject.toml and requirements-dev.in
#   make clean            removes .venv and all caches

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
CONTAINER ?= docker

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' genesys_gateway/runtime/version.py)
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# An empty file in .venv for each list that was installed. It is older than its list if the list has changed since.
RUNTIME := $(VENV)/.runtime-installed
TOOLS := $(VENV)/.tools-installed
DOCS := $(VENV)/.docs-installed

.PHONY: demo test test-sdk acceptance proof chaos kill-points kills syscalls mutants model check audit run tracing simulator bench pictures references docs site doc-commands package image image-steps sbom lock clean
.DELETE_ON_ERROR:

demo: $(RUNTIME)
	@$(BIN)/python -m genesys_gateway demo $(ARGS)

test: $(TOOLS)
	@$(BIN)/python -m tests.run_parallel $(ARGS)

test-sdk: $(RUNTIME)
	@$(BIN)/python -m tests.sdk.run

acceptance proof: $(TOOLS)
	@$(BIN)/python -m tests.acceptance $(ARGS)

chaos: $(RUNTIME)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(DATABASE),--database $(DATABASE)) $(if $(INSTANCES),--instances $(INSTANCES)) $(ARGS)

kill-points: $(RUNTIME)
	@$(BIN)/python -m tests.chaos.kill_points $(ARGS)

kills: $(RUNTIME)
	@$(BIN)/python -m tests.chaos.kills $(ARGS)

syscalls: $(RUNTIME)
	@$(BIN)/python -m tests.chaos.syscalls

mutants: $(TOOLS)
	@$(BIN)/python -m tests.mutants

model: $(RUNTIME)
	@$(BIN)/python -m tests.model $(ARGS)

check: $(TOOLS)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Not part of check: it needs PyPI, and can fail without a change of ours. Nothing is installed or resolved for it.
audit: $(TOOLS)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.txt \
		|| { echo "Upgrade what is named above. If nothing is named, PyPI's advisories can't be reached from here." >&2; exit 1; }

run: $(RUNTIME)
	@exec $(BIN)/gunicorn -c gunicorn.conf.py wsgi:app

tracing: $(RUNTIME)
	@$(INSTALL) -r requirements-tracing.txt

simulator: $(RUNTIME)
	@exec $(BIN)/python -m genesys_gateway simulator $(ARGS)

bench: $(TOOLS)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

pictures: $(TOOLS)
	@$(BIN)/python -m tests.pictures

references: $(TOOLS)
	@$(BIN)/python -m tests.documents.references $(ARGS)

# The variable silences what the theme says about another program's next version.
docs: $(DOCS)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs $(if $(filter --build,$(ARGS)),build,serve) --strict

site: $(DOCS)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

doc-commands: $(TOOLS)
	@$(BIN)/python -m tests.documents $(or $(ARGS),--list)

package: $(TOOLS)
	@rm -rf build/dist && mkdir -p build
	@$(BIN)/python -m build --no-isolation --outdir build/dist . >build/package.log 2>&1 || { cat build/package.log; exit 1; }
	@$(BIN)/twine check --strict build/dist/*

# podman leaves out the health check unless it is told to write Docker's format.
image:
	@$(CONTAINER) build $(if $(findstring podman,$(CONTAINER)),--format docker) --tag genesys-gateway:$(VERSION) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude "*") $(ARGS) .

image-steps: $(TOOLS)
	@bash deploy/container/image_steps.sh
	@$(BIN)/python -m tests.deploy.run_image $(ARGS)

sbom: $(TOOLS)
	@mkdir -p build
	@sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml > build/named.toml
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject build/named.toml --mc-type application --output-reproducible \
		--output-file build/sbom.cdx.json requirements.txt

lock: $(TOOLS)
	$(LOCK) --extra=postgresql --output-file=requirements.txt pyproject.toml
	$(LOCK) --extra=tracing --constraint=requirements.txt --output-file=requirements-tracing.txt pyproject.toml
	$(LOCK) --output-file=requirements-dev.txt requirements-dev.in
	$(LOCK) --output-file=requirements-docs.txt requirements-docs.in
	$(LOCK) --output-file=deploy/container/build.txt deploy/container/build.in

clean:
	rm -rf $(VENV) build mutants mutants.log .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed. Give its path: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt | $(BIN)/python
	@echo "Installing what the service needs …"
	@$(INSTALL) -r requirements.txt
	@touch $@

$(TOOLS): requirements-dev.txt $(RUNTIME)
	@echo "Installing what tests and checks need …"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

$(DOCS): requirements-docs.txt $(TOOLS)
	@echo "Installing what the site of the documents needs …"
	@$(INSTALL) -r requirements-docs.txt
	@touch $@
