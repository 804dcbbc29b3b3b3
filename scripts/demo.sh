#!/usr/bin/env bash
# Builds the exporter and runs its demo. It ends after DEMO_FOR (for example 60s) or at Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

# A debug build takes half the time, and the demo needs no speed.
echo "Building (the first time takes some minutes)"
cargo build --locked --package job-failure-exporter --package demo --bins
exec "${CARGO_TARGET_DIR:-target}/debug/demo"
