#!/usr/bin/env bash
# Checks the Dockerfile, the scripts and the workflows with hadolint, shellcheck and actionlint.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/packaging/bin
"$tools/hadolint" deploy/Dockerfile
"$tools/shellcheck" --severity=warning scripts/*.sh .ci/run
"$tools/shellcheck" --shell=sh deploy/packages/{deb,rpm}-*
PATH=$PATH:$tools actionlint -no-color .github/workflows/*.yml
