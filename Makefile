# Everything a newcomer needs: `make demo` runs the main job, `make test` the tests.
# Both make the environment first, and again only when pyproject.toml has changed.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
FUZZ   ?= 100000
# What pytest is given: three workers, since tests wait more than they compute, and a file's tests in one of them,
# files in the order of their names: by the number of their tests the few long ones would come last.
# ARGS="-k word" runs a few without.
ARGS   ?= -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz lint format bench clean
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.12 VENV=.venv-3.12 choose another interpreter and another folder for it"

demo: $(VENV)/.ready ## record, replay at 1x and 8x, and measure a stream: the whole loop in ten seconds
	@$(BIN)/tokentape demo

test: $(VENV)/.ready ## run the tests
	$(BIN)/python -m pytest $(ARGS)

fuzz: $(VENV)/.ready ## damaged and hostile cassettes by the hundred thousand, all bodies byte by byte: for the night
	TOKENTAPE_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/cassette/test_fuzz.py
	TOKENTAPE_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/analysis/test_fuzz.py
	TOKENTAPE_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/e2e/clients/test_corpus.py -k split

lint: $(VENV)/.ready build/types ## ruff, formatting, strict types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p tokentape
	$(BIN)/lint-imports

format: $(VENV)/.ready ## let ruff mend and format what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.ready ## measure speed and precision, each as a ratio in one run
	$(BIN)/python -m benchmarks

clean: ## remove the environment and everything built
	rm -rf $(VENV) build *.egg-info

# One resolution for everything: mitmproxy pins h11 and others from above, and what is installed
# after it would not know. pip before 25.1 knows no dependency groups and its resolver gives up.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tokentape needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1). Choose one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -qq --editable '.[all]' --group dev
	@touch $@

# The folders as the installed namespace has them, for the type checker: links to whole folders,
# so that a new module is seen without installing again.
build/types: pyproject.toml
	@rm -rf $@ && mkdir -p $@/tokentape
	@for folder in analysis cassette cli dialects progress recorder replay; do ln -s ../../../$$folder $@/tokentape/$$folder; done

# Node's packages for the tests, as the lock file has them.
build/node: tests/node/package.json tests/node/package-lock.json
	@rm -rf $@ && mkdir -p $@ && cp $^ $@/
	@npm ci --prefix $@ --no-audit --no-fund --loglevel=error || { rm -rf $@; exit 1; }

# Environments of their own for clients that need other versions than the tests have: openai 2 and 3 exclude each other.
build/clients/%: tests/clients/%.txt
	@rm -rf $@ && mkdir -p $(@D) && $(PYTHON) -m venv $@
	@$@/bin/python -m pip install -qq --disable-pip-version-check --retries 1 --requirement $< || { rm -rf $@; exit 1; }
	@touch $@
