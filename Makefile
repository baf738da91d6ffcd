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

.PHONY: help run test bench fmt lint deny golden openapi schemas fuzz tools clean-data

help: ## Lists what can be done.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: ## Starts the product on $(LISTEN) with its data in $(DATA).
	cargo run --quiet --bin coditect -- dev --data $(DATA) --listen $(LISTEN)

test: tools lint deny ## Everything that proves the product.
	cargo test --workspace --no-fail-fast

lint: ## Formatting and lints, warnings denied.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

deny: tools ## Licences, sources and bans of dependencies.
	$(CACHE)/bin/cargo-deny --workspace check licenses bans sources

bench: tools ## Measures against peers in one run; prints tables.
	cargo bench --bench spine

fmt: ## Formats the code.
	cargo fmt --all

golden: ## Writes the golden manifests anew; review the difference.
	UPDATE_GOLDEN=1 cargo test -p coditect-renderer --test golden

openapi: ## Writes the OpenAPI snapshot anew; review the difference.
	UPDATE_OPENAPI=1 cargo test -p coditect-api --test openapi

tools: ## Installs what tests and benchmarks need beside the compilers.
	@scripts/tools

clean-data: ## Removes the data of `make run`.
	rm -rf $(DATA)
