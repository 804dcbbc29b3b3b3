#!/usr/bin/env bash
# Runs each fuzz target for FUZZ_FOR seconds (20 by default), from the seeds in fuzz/seeds and in tests/data.
# Arguments: the targets; without any, all. The script installs cargo-fuzz below target/tools and builds below target/fuzz.
# Inputs that were found interesting stay in fuzz/corpus, failing ones in fuzz/artifacts. To repeat a failure:
# `target/fuzz/<triple>/debug/<target> fuzz/artifacts/<target>/<file>`.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_FOR:-20}
case $seconds in
*m) seconds=$((${seconds%m} * 60)) ;;
*h) seconds=$((${seconds%h} * 3600)) ;;
*) seconds=${seconds%s} ;;
esac
tools=$PWD/target/tools/cargo
version=0.13.2

if ! command -v c++ >/dev/null; then
    echo "c++ was not found. libFuzzer is built with it: apt-get install g++" >&2
    exit 1
fi
if ! "$tools/bin/cargo-fuzz" --version 2>/dev/null | grep -x "cargo-fuzz $version" >/dev/null; then
    cargo install --locked --root "$tools" "cargo-fuzz@$version"
fi
export PATH=$tools/bin:$PATH
# cargo-fuzz passes options that stable compilers accept only with this.
export RUSTC_BOOTSTRAP=1

seeds() {
    case $1 in
    configuration) echo tests/data/config ;;
    hook) echo tests/data/webhooks ;;
    job_record) echo tests/data/gitlab ;;
    log | masking) echo tests/data/logs ;;
    esac
    [ ! -d "fuzz/seeds/$1" ] || echo "fuzz/seeds/$1"
}

if [ $# = 0 ]; then
    set -- configuration hook document v2_import job_record owners log masking
fi
cargo fetch --locked --manifest-path fuzz/Cargo.toml
# Without a sanitizer: there is no unsafe code, and stable compilers bring none. `--dev`, because the whole exporter takes
# long to optimize: the profile optimizes only what runs often.
options=(--dev --sanitizer none --target-dir target/fuzz)
# One command for all, or the next one would build again.
if [ $# = 1 ]; then
    cargo fuzz build "${options[@]}" "$1"
else
    cargo fuzz build "${options[@]}"
fi
for target; do
    mkdir -p "fuzz/corpus/$target"
    [ "$target" != configuration ] || cp deploy/config.example.yml "fuzz/corpus/$target/"
    mapfile -t corpora < <(seeds "$target")
    echo "Fuzzing $target for $seconds s"
    cargo fuzz run "${options[@]}" "$target" "fuzz/corpus/$target" "${corpora[@]}" -- \
        -max_total_time="$seconds" -timeout=10 -max_len=65536 -len_control=20 -rss_limit_mb=2048 -print_final_stats=1
done
