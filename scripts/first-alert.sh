#!/usr/bin/env bash
# Measures what a newcomer waits for: from a clone of this commit, through `make demo`, to the first alert that arrives at the
# receiver. The tools and the sources of the crates may be on this machine already: the output says so.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
group=
trap '[ -z "$group" ] || kill -- "-$group" 2>/dev/null || true; rm -rf "$work"' EXIT

for tool in prometheus prometheus-alertmanager cc; do
    command -v $tool >/dev/null && echo "$tool was installed before"
done
[ ! -d "${CARGO_HOME:-$HOME/.cargo}/registry/src" ] || echo "sources of crates were downloaded before"
echo "load: $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores"

started=$SECONDS
git clone --quiet . "$work/clone"
mkfifo "$work/lines"
# In a group of its own, to end all of it.
env --unset=CARGO_TARGET_DIR setsid make -C "$work/clone" demo >"$work/lines" 2>&1 &
group=$!
built=
while read -r line; do
    case $line in
        *Finished*"target(s)"*) built=$((SECONDS - started)) ;;
        "=== FIRING "*)
            echo "from the clone to the first delivered alert: $((SECONDS - started)) s, of which $built s for the build"
            echo "$line"
            exit
            ;;
    esac
done <"$work/lines"
echo "make demo ended before an alert was delivered" >&2
exit 1
