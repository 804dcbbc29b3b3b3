#!/usr/bin/env bash
# Packs the Helm chart into a directory, target/dist by default. Equal input gives equal bytes. Needs helm, which
# `scripts/install-tools.sh test` installs.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-target/dist}
export PATH=$PATH:$PWD/target/tools/bin
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Rules, dashboards and templates are links into the repository.
cp -rL deploy/helm "$work/chart"
find "$work/chart" -exec touch --date="@$epoch" {} +
mkdir -p "$out"
helm package "$work/chart" --destination "$out"
