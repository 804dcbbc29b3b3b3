#!/usr/bin/env bash
# Builds the exporter and runs its demo. DEMO_FOR=60s ends it by itself; Ctrl-C does at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

# Unoptimised: it builds in half of the time, and the demo needs no speed.
echo "Building (the first time takes some minutes)"
cargo build --locked --package job-failure-exporter --package demo --bins
exec "${CARGO_TARGET_DIR:-target}/debug/demo"
