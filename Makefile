# Two commands do everything on a fresh machine: `make run` and `make test`.
# Needed beforehand: a Rust toolchain (rustup), Node, Go, Python 3 with venv, a C compiler, git.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE ?= $(HOME)/.cache/coditect
export CARGO_TARGET_DIR ?= $(CACHE)/target
export CODITECT_CACHE := $(CACHE)
DATA ?= .coditect
LISTEN ?= 127.0.0.1:8080

.PHONY: help run schemathesis frontend frontend-check frontend-test theia theia-test journey hostile-test test e2e e2e-full bench fmt lint deny manifests golden openapi schemas tools clean-data

help: ## Lists what can be done.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: frontend ## Starts the product on $(LISTEN) with its data in $(DATA).
	cargo run --quiet --bin coditect -- dev --data $(DATA) --listen $(LISTEN) \
	  --web-app-folder "$$(scripts/frontend --where)" --ide "$$(scripts/theia --where)"

frontend: ## Builds the web app into the cache.
	scripts/frontend

frontend-check: ## Types, lints, tests and size of the web app, without a browser.
	scripts/frontend --check

frontend-test: ## Types, lints, tests, size and every page of the web app, in a real browser too.
	scripts/frontend --test

hostile-test: ## Hostile workspaces against people who use them, over HTTPS in a real browser.
	scripts/hostile-test

theia: ## Builds the IDE into the cache; `make run` then has it.
	scripts/theia

theia-test: ## The tests of the IDE's extension, its image's programs and its licences.
	scripts/theia --test

# The program is built first, unless one is named.
export CODITECT_PROGRAM
journey: ## A person's whole day with the product, in a real browser: sign-up to erasure (2 minutes once all is built).
	scripts/journey

# After the tests their own build is gone on with (`--tests`): one of other targets has other features of the libraries,
# and nearly everything would be compiled once more.
test: tools lint deny manifests ## Everything that proves the product.
	cargo test --workspace --no-fail-fast
	$(MAKE) --no-print-directory frontend-test theia-test
	CODITECT_PROGRAM=$(CARGO_TARGET_DIR)/debug/coditect scripts/openid-test
	CODITECT_PROGRAM=$(CARGO_TARGET_DIR)/debug/coditect scripts/schemathesis --short
	$(MAKE) --no-print-directory journey hostile-test CODITECT_PROGRAM=$(CARGO_TARGET_DIR)/debug/coditect
	$(MAKE) --no-print-directory e2e E2E_TARGETS='--bins --tests'

# The program is built first, unless one is named.
schemathesis: ## The running API against its own document: every operation, and 20,000 requests of all kinds.
	scripts/schemathesis

E2E_TARGETS ?= --bins
e2e: tools ## The product on a real control plane: the quick scenarios; ONLY=name runs some.
	scripts/e2e-stack
	cargo build --quiet --workspace $(E2E_TARGETS)
	$(CARGO_TARGET_DIR)/debug/coditect-e2e $(ONLY)

# Figures are those of an optimised program; the profile is that of `make bench`.
e2e-full: tools ## The same with the long scenarios, and at full size.
	scripts/e2e-stack
	cargo build --quiet --workspace --bins --profile bench
	$(CARGO_TARGET_DIR)/release/coditect-e2e --full --program $(CARGO_TARGET_DIR)/release/coditect $(ONLY)

# With what needs FoundationDB's client library, which lints do not link; and what the default build has instead of it.
lint: tools ## Formatting and lints, warnings denied.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features fdb -- -D warnings
	cargo clippy --package coditect-registry --all-targets -- -D warnings

deny: tools ## Licences, sources and bans of dependencies.
	$(CACHE)/bin/cargo-deny --workspace check licenses bans sources

manifests: tools ## The golden manifests, by a validator that is not ours.
	$(CACHE)/manifests/bin/python -m unittest -q tests/manifests/test_validate.py
	scripts/validate-manifests tests/golden/*/expected $(filter-out %/kustomization.yaml,$(wildcard deploy/*/*.yaml))

# The sidecar is measured as it is delivered: its size and what a request costs are those of the whole optimisation.
bench: tools ## Measures against peers in one run; prints tables.
	cargo bench --bench spine --bench registry --bench api
	cargo bench --package coditect-renderer --bench plan --bench commits
	cargo bench --profile release --package coditect-sidecar --bench sidecar

fmt: ## Formats the code.
	cargo fmt --all

golden: ## Writes the golden manifests anew; review the difference.
	UPDATE_GOLDEN=1 cargo test -p coditect-renderer --test golden

openapi: ## Writes the OpenAPI snapshot anew; review the difference.
	UPDATE_OPENAPI=1 cargo test -p coditect-api

schemas: ## Writes the JSON Schemas of the policy and of the socket anew.
	UPDATE_SCHEMAS=1 cargo test -p coditect-renderer --test policy_errors schemas
	UPDATE_SCHEMAS=1 cargo test -p coditect-sidecar --test gateway schema

tools: ## Installs what tests and benchmarks need beside the compilers.
	@scripts/tools

clean-data: ## Removes the data of `make run`.
	rm -rf $(DATA)
