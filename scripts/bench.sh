#!/usr/bin/env bash
# Measures everything that has a budget, and writes one table: target/bench.md. SCALE_BEFORE=/path measures another exporter
# in turn with this one, SCALE_JOBS=20000 sets the number of jobs (default 200,000), BENCH_SOAKS='scale attack' runs these
# soaks only.
set -euo pipefail
cd "$(dirname "$0")/.."

log=target/bench.log
table=target/bench.md
mkdir -p target

measure() {
    echo "== $*" >>"$log"
    echo "$*"
    if ! "$@" >>"$log" 2>&1; then
        echo "failed: $*; see $log" >&2
        failed=yes
    fi
}

failed=
: >"$log"
began=$(date -u +%F)
cargo build --locked --release --bin job-failure-exporter --test soak
for bench in changes counting decoding exposition; do
    measure cargo bench --locked --bench "$bench"
done
for soak in ${BENCH_SOAKS:-scale attack webhooks shards requests}; do
    measure cargo test --locked --release --test soak -- "$soak"
done

{
    processor=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)
    memory=$(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo)
    echo "Measured on $began at commit $(git rev-parse --short HEAD) with $(rustc --version | cut -d' ' -f1,2): $(nproc) cores" \
        "($processor), $memory GiB."
    echo
    echo "| what | exporter | measured | budget |"
    echo "| --- | --- | --- | --- |"
    sed -n 's/^figure: //p' "$log"
} >"$table"
cat "$table"
[ -z "$failed" ]
