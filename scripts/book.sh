#!/usr/bin/env bash
# Builds the book of the documentation into target/book, and checks its links. Compiles mdbook below target once, if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.4
export PATH=$PWD/target/mdbook/bin:$PATH
if ! command -v mdbook >/dev/null; then
    echo "Installing mdbook $version into target/mdbook" >&2
    cargo install --locked --root target/mdbook --version "$version" mdbook
fi
mdbook build
python3 scripts/book-check.py target/book
