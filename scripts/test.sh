#!/usr/bin/env bash
# Runs everything that CI checks, and prints the seconds of each part. What mostly waits runs beside what computes: downloads
# beside the compiler, and checks of rules and packages beside the demo's tests, which come early among the tests.
#
# All commands of cargo take the features of the whole workspace with its tests. With others it would compile some dozens of
# crates a second time: `cargo test --package demo` for example, or `cargo doc` without `--examples`.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
beside=
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null || true; rm -rf "$scratch"' EXIT

# Runs a command and notes its time.
part() {
    local name=$1 before=$SECONDS
    shift
    "$@"
    printf '%5d s  %s\n' $((SECONDS - before)) "$name" >>"$scratch/times"
}

# Starts a function in the background, which `meet` waits for.
start() {
    "$1" >"$scratch/beside.log" 2>&1 &
    beside=$!
}

# Prints what the function in the background said, and fails if it failed.
meet() {
    local failed=
    wait "$beside" || failed=1
    beside=
    cat "$scratch/beside.log"
    [ -z "$failed" ] || { echo "$1 failed, see above." >&2 && exit 1; }
}

fetch() {
    part "(beside) tools" scripts/install-tools.sh test
    part "(beside) newer versions, download" scripts/other-versions.sh --prepare
}

check() {
    part "(beside) rules" scripts/check-rules.sh
    part "(beside) packages" scripts/test-packages.sh target/debug/job-failure-exporter
    part "(beside) newer versions" scripts/other-versions.sh
}

lint() {
    cargo clippy --locked --workspace --lib --bins --tests --benches --test soak -- -D warnings
}

document() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --lib --examples
}

# Half of the time a test waits, for a poll or a server. With twice as many as cores, a few ran out of patience.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) + 1))}
# Nothing is built a second time there.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
# The newest release is enough here: `make other-versions` checks all.
export SUITES=${SUITES:-sid} WHERE_POSSIBLE=1

part "Debian packages" scripts/install-tools.sh test --debian
cargo fmt --check
start fetch
part "clippy" lint
part "documentation" document
part "building" cargo test --locked --workspace --no-run
meet "Downloading the tools"
scripts/check-deploy.sh
start check
part "tests" scripts/cargo-test.sh --locked --workspace
meet "A check beside the tests"
cat "$scratch/times"
