#!/usr/bin/env bash
# Checks the dependencies with cargo-deny, which it builds below target/tools where it is missing. The database of known
# vulnerabilities comes from GitHub: where that cannot be reached, this is said, and the rest is checked.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
export PATH=$PWD/target/tools/cargo/bin:$PATH

if ! cargo deny --version 2>/dev/null | grep -q "^cargo-deny 0\.2"; then
    cargo install --locked --root target/tools/cargo "cargo-deny@^${version%.*}"
fi
cargo deny --workspace check bans licenses sources
if cargo deny --workspace fetch db >/dev/null 2>&1; then
    cargo deny --workspace check advisories
else
    echo "The database of known vulnerabilities could not be fetched: advisories were not checked." >&2
fi
