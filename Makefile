# `make` alone lists the targets. All run from the repository root, where ansible.cfg counts.

PYTHON ?= python3
IMAGE ?=
SITE ?= inventories/quickstart
RELEASE ?=
FIRMWARE ?= bios
SUITE ?= trixie
PACKAGE ?= linux-image-cloud-amd64
ARGS ?=
ONLY ?=
PYTEST_ARGS ?=
# All but what `make test-full` adds.
MOLECULE_ARGS ?= --all --exclude pool_nat --exclude pool_slurm
export PYTHON IMAGE SITE RELEASE

SAMPLE := build/sample/starworker_part.img
REPORTS := build/test

# Not exported: tools/setup looks for a Python outside the environment.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup setup-test contextualize sample kernel-bundle boot pool test test-full lint unit integration molecule \
	sanity matrix bench lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-14s %s\n", $$1, $$2 }'

setup: ## Make .venv from the lock, install missing system packages (PYTHON=python3)
	@tools/setup

setup-test:
	@tools/setup test

contextualize: setup ## Fit an image to a site and publish it (IMAGE=the sample, SITE=, ARGS=)
	@tools/contextualize $(ARGS)

sample: setup ## Make the sample partition image
	@$(RUN) tools/make-sample-image $(SAMPLE)

kernel-bundle: setup ## Make a kernel bundle in build/kernel (SUITE=trixie, PACKAGE=linux-image-cloud-amd64)
	@$(RUN) SUITE=$(SUITE) PACKAGE=$(PACKAGE) tools/make-kernel-bundle build/kernel/$(SUITE)-$(PACKAGE).tar.zst

boot: setup ## Boot a release in QEMU (RELEASE=the newest, FIRMWARE=bios)
	@$(RUN) python tools/boot.py --firmware $(FIRMWARE) $${RELEASE:+"$$RELEASE"}

pool: setup-test ## Run jobs in instances of a contextualized image: a whole cluster on this machine
	$(RUN) molecule test --scenario-name pool

test: setup-test ## Run every check and test below; stop at the first that fails
	@tools/test

test-full: ## make test, with the pools behind NAT and of Slurm as well
	@MOLECULE_ARGS=--all $(MAKE) --no-print-directory test

lint: setup-test ## Style, types and documentation
	$(RUN) ruff check
	$(RUN) ruff format --check
	cd .collections && PATH="$(CURDIR)/.venv/bin:$$PATH" MYPYPATH=. \
		mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache -p ansible_collections.voc.cluster.plugins
	$(RUN) yamllint .
	$(RUN) ansible-lint
	$(RUN) ANSIBLE_COLLECTIONS_PATH=.collections \
		antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	$(RUN) antsibull-changelog lint
	git ls-files -z -co --exclude-standard -- tools .ci | xargs -0 grep -slE '^#!.*sh$$' | xargs shellcheck

unit: setup-test ## Tests without root (PYTEST_ARGS=)
	$(RUN) pytest tests/unit --numprocesses=auto --junitxml=$(REPORTS)/unit.xml $(PYTEST_ARGS)

integration: setup-test ## Tests on real images (PYTEST_ARGS=)
	$(RUN) pytest tests/integration --junitxml=$(REPORTS)/integration.xml $(PYTEST_ARGS)

molecule: setup-test ## Scenarios (MOLECULE_ARGS='-s NAME')
	$(RUN) molecule test $(MOLECULE_ARGS)

sanity: setup-test ## ansible-test sanity
	$(RUN) python tools/sanity.py

matrix: setup-test ## The short tests on every other supported Python of this machine
	@tools/matrix

bench: setup ## Measure (ONLY=NAME)
	$(RUN) python tests/bench $(ONLY)

lock: setup ## Pin requirements.in anew
	@tools/lock

clean: ## Remove all that these targets made: environments, samples, releases below build/; secrets of sites stay
	rm -rf .venv .venv-* .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -exec test -d {}/secrets ';' -exec rm -rf {} +
	[ ! -d build ] || find build -mindepth 2 -maxdepth 2 ! -name secrets -exec rm -rf {} +
