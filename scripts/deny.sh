#!/usr/bin/env bash
# Checks the dependencies with cargo-deny. If cargo-deny is missing, the script builds it below target/tools. The database of
# known vulnerabilities comes from GitHub. If GitHub is unreachable, the script says so and checks the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
export PATH=$PWD/target/tools/cargo/bin:$PATH

if ! cargo deny --version 2>/dev/null | grep "^cargo-deny 0\.2" >/dev/null; then
    cargo install --locked --root target/tools/cargo "cargo-deny@^${version%.*}"
fi
cargo deny --workspace check bans licenses sources
if cargo deny --workspace fetch db >/dev/null 2>&1; then
    cargo deny --workspace check advisories
else
    echo "Could not fetch the database of known vulnerabilities: advisories were not checked." >&2
fi
