# Everything a contributor types. On Windows, without make: see the README.

BIN := .venv/bin
PINS := pyproject.toml constraints.txt overrides.txt
# Holds the folder that .venv was made in: an environment that was moved or copied does not work.
STAMP := .venv/.pay88kit
PIP_QUIET := --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup environment lab test report bench drill format notebooks docs site pins

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

lab: setup ## open the guide in JupyterLab (PORT=8899 LAB_ARGS=--no-browser)
	@$(BIN)/pay88 lab $(if $(PORT),--port $(PORT)) $(if $(LAB_ARGS),-- $(LAB_ARGS))

test: setup ## run every test: lint, units, notebooks, browser
	@$(BIN)/python tests/run_all.py

report: setup ## run the daily balance report on seeded data
	@$(BIN)/pay88 report run daily_balance

bench: setup ## measure: import, calls, the sandbox
	@$(BIN)/python -m tests.bench

drill: setup ## 2,000 orders under faults and SIGKILL, beside httpx-retries (DRILL_ARGS="--seeds 10")
	@$(BIN)/python -m tests.drill $(DRILL_ARGS)

format: setup ## format the code and mend what ruff can mend
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

notebooks: setup ## write what is generated in the notebooks, run them, and save their outputs
	@$(BIN)/python tests/tools/write_exercises.py
	@$(BIN)/python tests/tools/write_navigation.py
	@$(BIN)/python tests/tools/run_notebooks.py

docs: setup ## write what comes from the code: pages in docs/ and the guide, the Spanish catalogue
	@$(BIN)/python tests/tools/write_docs.py
	@$(BIN)/python tests/tools/write_catalogue.py

site: setup ## write the guide as web pages to read, into site/
	@$(BIN)/python tests/tools/make_site.py

pins: setup ## write constraints.txt anew, with the newest versions for every platform
	@{ sed -n '/^#/p' constraints.txt; \
	   $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
	     --no-header --no-annotate pyproject.toml; \
	} > constraints.txt.new && mv constraints.txt.new constraints.txt

setup: ## prepare .venv with every extra (the other targets do this first)
	@test "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" \
	  && $(BIN)/python -c '' 2>/dev/null \
	  && test -z "$$(find $(PINS) -newer $(STAMP))" \
	  || $(MAKE) --no-print-directory environment

# uv installs in seconds what takes pip half a minute; pip, which is always there, brings uv.
environment:
	@if ! { test "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" && $(BIN)/python -c '' 2>/dev/null; }; then \
	  for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    python=; \
	  done; \
	  if test -z "$$python"; then \
	    echo 'pay88kit needs Python 3.11 or newer. Install it, or name it: make setup PYTHON=/where/it/is' >&2; \
	    exit 1; \
	  fi; \
	  if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making .venv with $$($$python --version)"; \
	  rm -rf .venv && $$python -m venv .venv || exit 1; \
	fi
	@echo 'Installing pay88kit and its extras into .venv'
	@$(BIN)/python -m pip install $(PIP_QUIET) -c constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt --overrides overrides.txt \
	  -e '.[guide,cluster,test]'
	@echo '$(CURDIR)' > $(STAMP)
