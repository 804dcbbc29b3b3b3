#!/usr/bin/env bash
# Builds the release binary. It contains no path of this machine, so that two directories give equal bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

sysroot=$(rustc --print sysroot)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# Assertions of C and Rust code name their source files. The last fitting prefix counts.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$sysroot=/rust --remap-path-prefix=$PWD=/src"
export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/src"
exec cargo build --locked --release --package job-failure-exporter
