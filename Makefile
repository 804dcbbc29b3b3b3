# Everything CI does is a target here; `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Where rustup puts cargo, for shells that have not read its settings yet.
export PATH := $(PATH):$(HOME)/.cargo/bin
# For check-rules: other versions of the tools than those in PATH.
export PROMTOOL
export AMTOOL
# For the demo: how long it runs, such as 60s. Empty: until Ctrl-C.
export DEMO_FOR
# For the chaos: how long it goes on, and the number that decides what happens. Empty: 120s, and any.
export CHAOS_FOR
export CHAOS_SEED

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: demo
demo: ## See it work: simulated GitLab, exporter, Prometheus, Alertmanager (DEMO_FOR=60s ends by itself)
	@scripts/install-tools.sh demo
	@exec scripts/demo.sh

.PHONY: test
test: ## Everything CI checks: formatting, lints, docs, tests, rules
	@scripts/install-tools.sh test
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --test soak -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	cargo test --locked --workspace
	scripts/check-rules.sh
	SUITES=sid WHERE_POSSIBLE=1 scripts/other-versions.sh

.PHONY: soak
soak: chaos ## Everything that takes long: chaos, and the budgets of requests, retention and webhooks
	cargo test --locked --test soak -- requests
	cargo test --locked --test soak -- retention
	cargo test --locked --release --test soak -- webhooks

.PHONY: chaos
chaos: ## Kill exporters, break GitLab, S3 and the disk at random; nothing may be lost (CHAOS_FOR=120s CHAOS_SEED=..)
	@scripts/install-tools.sh test
	cargo test --locked --test soak -- chaos

.PHONY: bench
bench: ## Measure counting, loading and scraping against their budgets
	cargo bench --locked --bench counting
	cargo bench --locked --bench exposition

.PHONY: deny
deny: ## Check dependencies: known vulnerabilities (where the database can be had), licences, sources
	scripts/deny.sh

.PHONY: build
build: ## Build the release binary
	cargo build --locked --release --package job-failure-exporter

.PHONY: check-rules
check-rules: ## Check and test the alert rules and the example configurations (PROMTOOL=/path, AMTOOL=/path: with others)
	scripts/check-rules.sh

.PHONY: other-versions
other-versions: ## The same with the Prometheus and Alertmanager of Debian's newer releases
	scripts/other-versions.sh

.PHONY: kubernetes
kubernetes: ## Write deploy/kubernetes/ anew from the rules and the configurations
	WRITE_KUBERNETES=1 cargo test --locked --test suite kubernetes::the_files_are

.PHONY: install-tools
install-tools: ## Install what the tests run: Prometheus, Alertmanager, a C compiler, S3 servers
	@scripts/install-tools.sh test

.PHONY: clean
clean: ## Remove what was built
	cargo clean
