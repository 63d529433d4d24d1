# SmartBox: make env | demo | test | lint | bench | fault | screenshots | conformance | matrix | deb | appliance
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
TEST_PACKAGES := orthanc orthanc-dicomweb dcmtk dicom3tools ffmpeg tmux screen mount dosfstools e2fsprogs libc6-dev
APPLIANCE_PACKAGES := qemu-system-x86 qemu-utils mmdebstrap openssh-client
APPLIANCE_TESTS := tests/appliance
DEB = $$(ls -t dist/smartbox_*_$$(dpkg --print-architecture).deb | head -1)
PO := $(wildcard smartbox_tui/ui/locale/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)
ARGS ?=
# The tests mostly wait for peers and clocks: one process more than there are cores.
JOBS ?= $(shell expr $$(nproc) + 1)

.PHONY: env demo test lint bench fault screenshots conformance matrix lock system-venv system-test clean
.PHONY: appliance appliance-smoke appliance-ci appliance-bench appliance-needs deb

env: .venv/.stamp $(MO)

.venv/.stamp: requirements.lock pyproject.toml
	@$(MAKE) --no-print-directory system-venv
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

%.mo: %.po .venv/.stamp
	$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

# Debian's python3 comes without ensurepip: venv needs its package.
system-venv:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/packages python3-venv

system-test:
	@.ci/packages $(TEST_PACKAGES)

demo: env
	$(BIN)/smartbox demo $(ARGS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: env system-test lint
	$(BIN)/python -m tests.run $(JOBS) $(ARGS)

bench: env system-test
	$(BIN)/python -m tests.bench $(ARGS)

# The schedule of a seed again: make fault SMARTBOX_FAULT_SEED=…
fault: env system-test
	SMARTBOX_FAULT_COUNT=$${SMARTBOX_FAULT_COUNT:-2000} $(BIN)/python -m pytest -q -s tests/fault $(ARGS)

screenshots: env
	$(BIN)/python -m tests.ui.screenshots docs/screens

conformance: env
	$(BIN)/python -m smartbox_tui.cli conformance > docs/conformance.md.new
	mv docs/conformance.md.new docs/conformance.md

matrix: env system-test
	SMARTBOX_MATRIX=docs/matrix.md $(BIN)/python -m pytest -q tests/dicom/test_matrix.py

# Versions and hashes, no registry's address.
lock:
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev \
	  --python-version 3.11 --universal pyproject.toml --output-file requirements.lock

# dist/smartbox_VERSION_ARCHITECTURE.deb, for the architecture and the Python of this machine.
deb: env
	$(BIN)/python deb/build.py dist

# The package in a virtual box; what the panel showed lies in build/appliance/shots. SMARTBOX_IMAGES names a folder
# that is kept between runs: the box's disk is in it.
appliance appliance-smoke appliance-ci: appliance-needs
	SMARTBOX_DEB=$$(realpath $(DEB)) $(BIN)/python -m pytest -q -s $(APPLIANCE_TESTS) $(ARGS)

appliance-smoke: APPLIANCE_TESTS := tests/appliance/test_smoke.py

# The shortest way through a box's life: installed, console, a still delivered, the power cut, everything there once.
appliance-ci: APPLIANCE_TESTS := --durations 0 tests/appliance/test_smoke.py -k "starts_all or delivers or still or power"

# Boot time, idle memory, live picture, touch: JSON.
appliance-bench: appliance-needs
	SMARTBOX_DEB=$$(realpath $(DEB)) $(BIN)/python -m tests.bench.appliance_bench $(ARGS)

appliance-needs: deb
	@.ci/packages $(TEST_PACKAGES) $(APPLIANCE_PACKAGES)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
