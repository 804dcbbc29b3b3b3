#!/usr/bin/env bash
# Runs `cargo test` with these arguments. Tests that failed run once more, one after the other, and are named as flaky if
# they pass then: many tests start real servers beside each other, which a loaded machine can delay beyond any patience.
# More than three failures are no flakes.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MOST_FLAKES=3

log=$(mktemp)
trap 'rm -f "$log"' EXIT

if cargo test --no-fail-fast "$@" 2>&1 | tee "$log"; then
    exit 0
fi

# Lines of "arguments of the target|name of the test". The names stand between the last "failures:" of a target and its
# result, the arguments in cargo's advice.
failed=$(awk '
    /^failures:$/ { count = 0; listed = 1; next }
    /^test result: / { listed = 0 }
    listed && /^    [^ ]+$/ { names[++count] = $1 }
    /^error: .* to rerun pass `/ {
        split($0, parts, "`")
        for (i = 1; i <= count; i++) print parts[2] "|" names[i]
        if (count == 0) print parts[2] "|"
        count = 0
    }
' "$log")

count=$(grep -c '|.' <<<"$failed" || true)
if [[ $count -eq 0 || $count -gt $MOST_FLAKES ]] || grep -q -e '|$' -e '--doc' <<<"$failed"; then
    exit 101
fi
while IFS='|' read -r target name; do
    echo "Running $name once more, alone"
    # With the features of the workspace, so that nothing is compiled again.
    [[ $target == *" --test "* ]] && target="--workspace --test ${target##* }"
    # The target is several arguments.
    # shellcheck disable=SC2086
    cargo test --locked $target -- --exact "$name" --nocapture </dev/null
done <<<"$failed"
echo "Flaky, these passed when they ran once more:"
cut -d'|' -f2 <<<"$failed" | sed 's/^/    /'
