# The one entry. `make` alone lists the targets.
SHELL := bash
BIN := backend/.venv/bin
PYTEST := .venv/bin/python -m pytest
.DEFAULT_GOAL := help
.PHONY: help setup run demo check lint unit audit test sim chaos rolling mutations bench dist installed shape migrate format lock screenshots reference docs units proxied containers composed alerts dashboard

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 14

setup: ## build backend/.venv with everything in it
	@PYTHON='$(PYTHON)' backend/setup.sh

run: setup ## run the server against the real YCLIENTS, with the settings of .env
	@exec $(BIN)/zerkalo serve

demo: setup ## run everything on a made-up salon, http://localhost:8000; Ctrl-C stops it
	@exec $(BIN)/zerkalo demo --with-parent

check: setup ## the fast checks, beside each other: format, lint, types, imports, unit and property tests
	@$(MAKE) --no-print-directory --jobs --output-sync=line lint unit audit

unit: setup ## only the unit and property tests
	cd backend && $(PYTEST) -q -n 2 tests/unit tests/property

lint: setup ## only the checks that read the source
	cd backend && .venv/bin/ruff format --check . && .venv/bin/ruff check .
	cd backend && .venv/bin/pyright
	cd backend && .venv/bin/lint-imports --no-logo

audit: setup ## ask for known holes in what we depend on, where that can be asked
	@cd backend && .venv/bin/python audit.py

test: setup ## everything that must hold: the checks and all the tests, in Chromium too
	@backend/setup.sh tests
	@$(MAKE) --no-print-directory lint
	cd backend && $(PYTEST) -n 2 --dist loadgroup -p tests.support.spreading tests

sim: setup ## the simulation with faults; SEED=n replays one, RUNS=n makes that many
	cd backend && .venv/bin/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))

chaos: setup ## kill real processes under load and count what got lost; SECONDS=n goes on that long
	cd backend && .venv/bin/python -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

rolling: setup ## restart two servers behind HAProxy under load, lose nothing; MINUTES=n keeps half of it up afterwards
	cd backend && .venv/bin/python -m tests.chaos.rolling $(if $(MINUTES),--minutes $(MINUTES))

mutations: setup ## make deliberate wrongs in a copy and see that the tests notice each
	cd backend && .venv/bin/python -m tests.mutations

bench: setup ## the benchmark, beside pgbench on the same database; QUICK=1 takes two minutes
	cd backend && .venv/bin/python -m tests.benchmark $(if $(QUICK),--quick)

dist: setup ## build the wheel and the sdist, which run anywhere, into dist/
	cd backend && .venv/bin/python -c "from setuptools import build_meta as b; b.build_sdist('../dist'); b.build_wheel('../dist')" >/dev/null
	@ls -l dist

installed: setup ## try the wheel in a virtual environment of its own, outside the clone
	cd backend && .venv/bin/python -m tests.installed

shape: setup ## print how much code there is and how it is parted
	@cd backend && .venv/bin/python shape.py
	@cd backend && .venv/bin/python -m pytest -q -s -n 0 --no-header --no-summary tests/integration/webhook/test_path.py

migrate: setup ## bring the database's tables up to date
	@$(BIN)/zerkalo migrate

format: setup ## format the source and mend what the linter can
	cd backend && .venv/bin/ruff check --fix . ; .venv/bin/ruff format .

lock: setup ## lock the newest versions of all dependencies
	backend/lock.sh

screenshots: setup ## make the pictures of the README
	@backend/setup.sh tests
	cd backend && .venv/bin/python -m tests.e2e.screenshots

reference: setup ## make the pages of the documentation that are made from the code
	@cd backend && .venv/bin/python reference.py

docs: reference ## build the documentation as a site into site/, with every link checked
	@test -x backend/.venv-docs/bin/mkdocs -a ! backend/requirements-docs.lock -nt backend/.venv-docs/bin/mkdocs || \
	  { $(BIN)/python -m venv --clear backend/.venv-docs && \
	  backend/.venv-docs/bin/pip install -q --require-hashes -r backend/requirements-docs.lock && touch backend/.venv-docs/bin/mkdocs; }
	@NO_MKDOCS_2_WARNING=1 backend/.venv-docs/bin/mkdocs build -q && echo "the site stands in site/index.html"

units: setup ## let systemd judge the units of packaging/systemd; needs systemd-analyze
	cd backend && .venv/bin/python -m tests.packaged.units

proxied: setup ## restart two servers behind nginx, then Caddy, under load; needs both, curl and openssl
	cd backend && .venv/bin/python -m tests.packaged.proxied

containers: setup ## build the image and run it as compose.yaml does; needs docker or podman
	cd backend && .venv/bin/python -m tests.packaged.containers

composed: setup ## bring compose.yaml and the demo's up whole; needs docker with compose
	cd backend && .venv/bin/python -m tests.packaged.composed

alerts: setup ## let every alert of packaging/prometheus fire on made-up figures; needs promtool
	cd backend && .venv/bin/python -m tests.packaged.alerts

dashboard: setup ## ask a Prometheus that watches a demo everything that packaging/grafana asks; needs prometheus
	cd backend && .venv/bin/python -m tests.packaged.dashboard
