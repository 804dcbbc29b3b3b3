#!/usr/bin/env bash
# Checks the shipped rules and configurations with newer versions of Prometheus and Alertmanager than the installed ones: those
# of Debian's later releases, unpacked below target/versions and not installed. Needs apt-get, and no root.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

# Releases of Debian: in 2026 trixie has 2.53 and 0.28, sid 3.5 and 0.33.
suites=${SUITES:-trixie sid}
# With this set, a release that cannot be fetched is said and left out.
where_possible=${WHERE_POSSIBLE:-}

# The mirror that this machine installs from.
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 !~ /-/ && !found { print $3; found = 1 }'
}

# Unpacks a release's packages, by an apt of its own, which knows no other release.
fetch() {
    local suite=$1 into=$2 mirror
    mirror=$(mirror)
    if [ -z "$mirror" ]; then
        echo "apt-get knows no mirror of Debian; on Debian, run 'apt-get update' once." >&2
        exit 1
    fi
    rm -rf "$into"
    mkdir -p "$into"/apt/{lists/partial,cache/archives/partial}
    touch "$into/apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$into/apt/sources.list"
    local apt=(apt-get -q -q -o Dir::State::lists="$into/apt/lists" -o Dir::State::status="$into/apt/status"
        -o Dir::Cache="$into/apt/cache" -o Dir::Etc::sourcelist="$into/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none)
    "${apt[@]}" update
    (cd "$into" && "${apt[@]}" download prometheus promtool prometheus-alertmanager)
    local package
    for package in "$into"/*.deb; do
        dpkg -x "$package" "$into"
        rm "$package"
    done
    rm -rf "$into/apt"
}

if [ "${1:-}" = --fetch ]; then
    fetch "$2" "$3"
    exit
fi

for suite in $suites; do
    at=$PWD/target/versions/$suite
    if [ ! -x "$at/usr/bin/promtool" ] || [ ! -x "$at/usr/bin/amtool" ]; then
        if ! scripts/other-versions.sh --fetch "$suite" "$at"; then
            echo "Prometheus and Alertmanager of Debian $suite could not be fetched." >&2
            [ -n "$where_possible" ] || exit 1
            continue
        fi
    fi
    "$at/usr/bin/promtool" --version 2>&1 | head -1
    "$at/usr/bin/amtool" --version 2>&1 | head -1
    PROMTOOL=$at/usr/bin/promtool AMTOOL=$at/usr/bin/amtool scripts/check-rules.sh
done
