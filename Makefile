# `make help` lists the targets. Everything runs in .venv, which the first target that needs it makes.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The versions that all pinned packages have wheels for.
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13; do \
	$$name -c '$(IS_SUPPORTED)' 2>/dev/null && command -v $$name && exit; done; command -v python3)
VENV := .venv
READY := $(VENV)/.installed
CORES ?= $(shell nproc 2>/dev/null || echo 2)
PRESET ?= demo
GPU ?= none
GPUS ?= 1
SEEDS ?= 1 2 3
JOBS ?= 1

# The engines' commands say `python`, so the environment's comes first.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONUTF8 := 1
# Threads sleep while they wait, unless a stage has its cores to itself; see stages/__init__.py.
export OMP_WAIT_POLICY ?= PASSIVE
# DVC remembers digests of files as pickles, by default in a folder that every user of the machine may write to.
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.dvc/tmp/site

.PHONY: help setup repro snakemake annotate test lint format types record touch fetch report experiment experiments compare replicate reference overview preset plan check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## makes .venv and installs the pinned packages

$(READY): requirements.lock
	@$(PYTHON) -c '$(IS_SUPPORTED)' 2>/dev/null || { echo "error: Python 3.11, 3.12 or 3.13 is needed, not" \
		"$$($(PYTHON) --version 2>&1); name one: make setup PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "Installing the pinned packages into $(VENV) (a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@(while sleep 2 && kill -0 $$$$; do printf .; done 2>/dev/null) & trap "kill $$!" EXIT; \
		$(VENV)/bin/python -m pip install --disable-pip-version-check -qq -r requirements.lock; echo
	@touch $@

# Ctrl-C reaches make, too, which then ends by itself; a status of the recipe would make it print an error as well.
repro: $(READY) ## runs the whole DAG under DVC (only what changed) and prints its numbers beside the paper's
	@trap 'exit 0' INT; python -m workflow.repro

snakemake: $(READY) ## runs the whole DAG under Snakemake on CORES cores
	@trap 'echo "stopped; \`make snakemake\` goes on from there"; exit 0' INT; snakemake --cores $(CORES) --quiet all
	@python -m workflow.report.write
	@python -m workflow.report.summary

annotate: $(READY) ## the page on which a person boxes windows and chooses faces, for data without recorded truth
	@python -m workflow.annotation.annotate $(OPTIONS)

check: $(READY) ## checks params.yaml and the sources it names; no work is done
	@python -m workflow.engines.check

replicate: $(READY) ## the last commit with several seeds, as experiments: SEEDS="1 2 3" [JOBS=1]; which claims hold over them
	@python -m workflow.experiments.replicate --jobs $(JOBS) $(SEEDS)

test: $(READY) ## runs the tests
	@OMP_NUM_THREADS=1 python -m pytest tests --ignore tests/cluster -n 2 --dist loadfile --no-loadscope-reorder

slurm-test: $(READY) ## runs the DAG, and what goes wrong there, on a real Slurm cluster of this one machine (as root)
	@python -m pytest tests/cluster

lint: $(READY) ## formatting and lint
	@ruff format --check .
	@ruff check .

format: $(READY) ## formats the code and mends what lint can mend
	@ruff format .
	@ruff check --fix .

types: $(READY) ## static types, strict
	@mypy

record: $(READY) ## after Snakemake: makes DVC know the outputs; refuses when any is stale
	@python -m workflow.engines.record snakemake

touch: $(READY) ## after DVC: makes Snakemake know the outputs; refuses when any is stale
	@python -m workflow.engines.record dvc

fetch: $(READY) ## downloads CIFAR-10, SVHN and MNIST into data/raw, and says how to get the rest
	@python -m workflow.fetch

report: $(READY) ## writes results/report.html again from the results in the checkout
	@python -m workflow.report.write

experiment: $(READY) ## NAME=a SET="train.bedrooms.epochs=9 ..." [TARGET=evaluate_samples@bedrooms]: one run of the last commit with other parameters, apart
	@python -m workflow.experiments.run "$(NAME)" --set="$(SET)" --target="$(TARGET)"

experiments: $(READY) ## all experiments: claims, changed parameters, the metrics that moved most
	@python -m workflow.experiments.table

compare: $(READY) ## EXPERIMENTS="a b c" side by side in results/compare.html (without: the workspace against HEAD)
	@python -m workflow.experiments.compare $(EXPERIMENTS)

overview: $(READY) ## README's tables, drawing and index out of the reference run, its picture out of the last (needs Chromium)
	@python -m tests.readme
	@python -m tests.readme_picture

# What is given in the command line only: SIZE and the like may be in anybody's environment.
given = $(if $(filter command,$(origin $(1))),--$(2) "$$$(1)")

preset: $(READY) ## lists the presets; PRESET=NAME becomes params.yaml; PRESET=folder IMAGES=~/pictures SIZE=64: your own
	@python -m workflow.presets.merge $(if $(filter file,$(origin PRESET)),,"$(PRESET)") \
		$(call given,IMAGES,images) $(call given,SIZE,size) $(call given,NETWORK,network)

reference: $(READY) ## makes the last run of the demo, and of `make replicate`, the reference run in git [OPTIONS=--keep-seconds]
	@python -m workflow.report.reference $(OPTIONS)

plan: $(READY) ## what a run of params.yaml, or of PRESET, will take on CORES cores and GPUS of GPU=none|a100|h100, or of one that benchmark-gpu measured
	@python -m workflow.planning.plan $(if $(filter file,$(origin PRESET)),,--preset "$(PRESET)") --gpu $(GPU) --gpus $(GPUS) --cores $(CORES)

.PHONY: reliability audit benchmark-gpu

# Without .venv, as on a node without network, it takes PYTHON's own packages.
benchmark-gpu: ## ten minutes on a GPU: its tests, rates beside a peer; a table in results/, and rates that `make plan` reads
	@$(or $(wildcard $(VENV)/bin/python),$(PYTHON)) -m benchmarks.gpu $(OPTIONS)

reliability: $(READY) ## rewrites the table of docs/reliability.md out of the faults that tests declare
	@python -m tests.dag.reliability

audit: $(READY) ## looks up known weaknesses of the pinned packages (needs the internet; fails without)
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --disable-pip-version-check -qq pip-audit
	@$(VENV)/audit/bin/pip-audit --strict --disable-pip --no-deps -r requirements.lock

clean: $(READY) ## removes what the DAG made, its logs and checkpoints; raw data and DVC's cache stay
	@python -m workflow.engines.dag | git check-ignore --stdin | tr '\n' '\0' | xargs -0 rm -rf --
	@rm -rf results/report.html results/compare.html results/provenance logs .state .snakemake .pytest_cache .mypy_cache .ruff_cache
