# Every CI step is a target here. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The directory where rustup installs cargo, for shells that have not loaded its settings yet.
export PATH := $(PATH):$(HOME)/.cargo/bin
# check-rules: paths of other tools than those in PATH.
export PROMTOOL
export AMTOOL
# demo: duration, for example 60s. Default: until Ctrl-C.
export DEMO_FOR
# chaos: duration and random seed. Default: 120s and a random seed.
export CHAOS_FOR
# Duration and random seed of the soak of remediation. Default: 60s and a random seed.
export REMEDIATION_FOR
export REMEDIATION_SEED
export CHAOS_SEED
# bench, attack, scale: number of jobs, and another exporter to measure in turn with this one.
export SCALE_JOBS
export SCALE_BEFORE
export SHARDS_PROJECTS
# bench-rules: CONTRIBUTING.md describes them.
export BENCH_JOBS
export BENCH_RULES
export BENCH_DASHBOARDS
export BENCH_PROMETHEUS
export BENCH_REPLICAS
export BENCH_FOR
export BENCH_ONLY
# screenshots: folder of the pictures.
screenshots: SCREENSHOTS ?= target/screenshots
# fuzz: duration of each target. Default: 20s.
export FUZZ_FOR

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: demo
demo: ## Run simulated GitLab, exporter, Prometheus and Alertmanager (DEMO_FOR=60s: stop after 60s)
	@scripts/install-tools.sh demo
	@exec scripts/demo.sh

.PHONY: test
test: ## Run all CI checks: formatting, lints, docs, tests, rules
	scripts/test.sh

.PHONY: soak
soak: chaos fuzz ## Run the long tests: chaos, fuzzing, and the budgets of requests, retention and webhooks
	cargo test --locked --test soak -- remediation
	cargo test --locked --test soak -- requests
	cargo test --locked --test soak -- retention
	cargo test --locked --release --test soak -- webhooks
	cargo test --locked --release --test soak -- attack
	cargo test --locked --release --test soak -- scale
	cargo test --locked --release --test soak -- shards

.PHONY: fuzz
fuzz: ## Run each fuzz target for some seconds (FUZZ_FOR=20s)
	scripts/fuzz.sh

.PHONY: chaos
chaos: ## Kill exporters, break GitLab, S3 and the disk at random, check that nothing is lost (CHAOS_FOR=120s CHAOS_SEED=..)
	@scripts/install-tools.sh test
	cargo test --locked --test soak -- chaos

.PHONY: bench
bench: ## Measure what has a budget, into one table: target/bench.md (SCALE_JOBS=20000, SCALE_BEFORE=/old/job-failure-exporter)
	@scripts/install-tools.sh test
	scripts/bench.sh

.PHONY: bench-rules
bench-rules: ## Measure what the rules and the dashboards cost Prometheus (BENCH_JOBS=2000,20000 BENCH_RULES=/old/alert-rules,alert-rules)
	@scripts/install-tools.sh test
	cargo test --locked --test soak -- rules

.PHONY: deny
deny: ## Check dependencies: known vulnerabilities (if the database can be fetched), licences, sources
	scripts/deny.sh

.PHONY: build
build: ## Build the release binary
	scripts/build-release.sh

.PHONY: dist
dist: ## Build the files of a release into target/dist: tar.gz, .deb, .rpm, SBOM, checksums
	@scripts/install-tools.sh dist
	scripts/dist.sh

.PHONY: test-packages
test-packages: ## Install, run and purge the packages of the release binary, also in a new Debian (as root, after make build)
	@scripts/install-tools.sh test
	scripts/test-packages.sh --chroot

.PHONY: reproducible
reproducible: ## Build two checkouts with different paths, and compare the binaries and packages byte for byte
	@scripts/install-tools.sh dist
	scripts/reproducible.sh

.PHONY: test-systemd
test-systemd: ## Install the .deb in a new Debian with systemd, run the service and the commands beside it (after make dist)
	scripts/test-systemd.sh

.PHONY: package-chart
package-chart: ## Pack the Helm chart into target/dist (needs helm)
	scripts/package-chart.sh

.PHONY: crates
crates: ## Pack the crates for crates.io, and build them from the packages
	cargo package --locked --package ci-history --package job-failure-exporter

.PHONY: publish-crates
publish-crates: ## Publish the crates on crates.io (with CARGO_REGISTRY_TOKEN; the release workflow calls it)
	cargo publish --locked --package ci-history --package job-failure-exporter

.PHONY: first-alert
first-alert: ## Measure the time from a clone of this commit to the first delivered alert
	scripts/first-alert.sh

.PHONY: image
image: ## Build the container image with docker, podman or buildah
	scripts/image.sh

.PHONY: test-image
test-image: ## Build the image with stand-ins for its base images, and run it (as root, with buildah, after make build)
	scripts/test-image.sh

.PHONY: test-compose
test-compose: ## Start compose.yaml and await an alert at its receiver (PROGRAMS=target/debug: with stand-ins for its images, as root)
	scripts/test-compose.sh $(PROGRAMS)

.PHONY: check-rules
check-rules: ## Check and test the alert rules and the example configurations (PROMTOOL=/path, AMTOOL=/path: other tools)
	scripts/check-rules.sh

.PHONY: other-versions
other-versions: ## Run check-rules with Prometheus and Alertmanager of newer Debian releases, and glab on the simulated GitLab
	scripts/other-versions.sh

.PHONY: chart
chart: ## Write what the Helm chart in deploy/helm needs: routes, values.schema.json and README.md
	@scripts/install-tools.sh test
	cargo build --locked --package job-failure-exporter
	target/debug/job-failure-exporter assets alertmanagerconfig >deploy/helm/files/alertmanagerconfig.yaml
	target/tools/bin/python scripts/chart-docs.py deploy/helm/values.yaml deploy/helm

.PHONY: mixin
mixin: ## Write what the jsonnet mixin in deploy/mixin imports, from the rules and the dashboards
	@scripts/install-tools.sh test
	target/tools/bin/python scripts/mixin.py deploy/mixin/generated

.PHONY: book
book: ## Build the documentation as a book into target/book, and check its links (compiles mdbook once)
	scripts/book.sh

.PHONY: kubernetes
kubernetes: chart mixin ## Write the files of the chart and the mixin, and deploy/kubernetes/ from the chart
	scripts/kubernetes.sh deploy/kubernetes

.PHONY: schema
schema: ## Write the JSON Schema of the configuration: deploy/config.schema.json
	cargo run --locked --quiet --package job-failure-exporter -- config-schema >target/config.schema.json
	mv target/config.schema.json deploy/config.schema.json

.PHONY: messages
messages: ## Write the messages that docs/alerting.md shows, sent by a real Alertmanager
	WRITE_MESSAGES=1 cargo test --locked --test suite notifications::examples

.PHONY: screenshots
screenshots: ## Write pictures of every page into target/screenshots (SCREENSHOTS=/folder: elsewhere)
	@scripts/install-tools.sh test
	@mkdir -p "$(SCREENSHOTS)"
	SCREENSHOTS="$$(realpath "$(SCREENSHOTS)")" cargo test --locked --test suite browser::pages

.PHONY: install-tools
install-tools: ## Install the tools that the tests run: Prometheus, Alertmanager, a C compiler, S3 servers
	@scripts/install-tools.sh test

.PHONY: clean
clean: ## Remove build results
	cargo clean
