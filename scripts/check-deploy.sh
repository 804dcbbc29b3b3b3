#!/usr/bin/env bash
# Checks the Dockerfile and the scripts with hadolint and shellcheck.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/packaging/bin
"$tools/hadolint" deploy/Dockerfile
"$tools/shellcheck" scripts/*.sh .ci/run
"$tools/shellcheck" --shell=sh deploy/packages/{deb,rpm}-*
