#!/usr/bin/env bash
# Builds this commit in two new checkouts whose paths differ, makes the packages of both, and compares all bytes. It takes twice
# as long as `make build`. To compare with less optimisation in a third of the time:
#   CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 make reproducible
set -euo pipefail
cd "$(dirname "$0")/.."

packaging=$PWD/target/packaging
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CARGO_TARGET_DIR

# The second one has its build results elsewhere.
first=$work/first
second=$work/with/a/longer/path/second
build() {
    git clone --quiet . "$1"
    mkdir -p "$1/target" "$2"
    ln -s "$packaging" "$1/target/packaging"
    (
        export CARGO_TARGET_DIR=$2
        cd "$1"
        scripts/build-release.sh
        scripts/dist.sh "$2/release/job-failure-exporter" "$work/dist-$3" >/dev/null
    )
}
build "$first" "$first/target" 1
build "$second" "$work/results" 2
cmp "$first/target/release/job-failure-exporter" "$work/results/release/job-failure-exporter"
diff "$work/dist-1/SHA256SUMS" "$work/dist-2/SHA256SUMS"
cat "$work/dist-1/SHA256SUMS"
echo "Two directories give equal bytes."
