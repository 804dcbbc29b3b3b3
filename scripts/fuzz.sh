#!/usr/bin/env bash
# Runs each fuzz target for FUZZ_FOR seconds (20 by default), from the seeds in fuzz/seeds and in tests/data.
# Arguments: the targets; without any, all. What a run finds lies in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_FOR:-20}
seconds=${seconds%s}
tools=$PWD/target/tools

if ! [ -x "$tools/bin/cargo-fuzz" ]; then
    cargo install --locked --root "$tools" cargo-fuzz@0.13.1
fi
export PATH=$tools/bin:$PATH
# cargo-fuzz passes options that stable compilers accept only with this.
export RUSTC_BOOTSTRAP=1

seeds() {
    case $1 in
    configuration) echo tests/data/config ;;
    hook) echo tests/data/webhooks ;;
    document | v2_import) echo tests/data/parity ;;
    job_record) echo tests/data/gitlab ;;
    log | masking) echo tests/data/logs ;;
    esac
    [ ! -d "fuzz/seeds/$1" ] || echo "fuzz/seeds/$1"
}

if [ $# = 0 ]; then
    set -- configuration hook document v2_import job_record owners log masking
fi
for target; do
    mkdir -p "fuzz/corpus/$target"
    mapfile -t corpora < <(seeds "$target")
    # Without a sanitizer: there is no unsafe code, and stable compilers bring none.
    cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "${corpora[@]}" -- \
        -max_total_time="$seconds" -timeout=10 -max_len=65536 -rss_limit_mb=2048
done
