#!/usr/bin/env bash
# Checks the shipped rules and configurations with the Prometheus and Alertmanager of newer Debian releases, and the
# simulated GitLab with their glab. Unpacks them below target/versions without installing them. Needs apt-get, but not root.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

# Debian releases. In 2026 trixie has Prometheus 2.53 and Alertmanager 0.28, sid has 3.5 and 0.33.
suites=${SUITES:-trixie sid}
# If set, the script reports a release that it cannot fetch, and skips it.
where_possible=${WHERE_POSSIBLE:-}

# The Debian mirror of this machine.
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 !~ /-/ && !found { print $3; found = 1 }'
}

# Unpacks the packages of a release, with a separate apt configuration that has only this release.
fetch() {
    local suite=$1 into=$2 mirror
    mirror=$(mirror)
    if [ -z "$mirror" ]; then
        echo "apt-get has no Debian mirror. On Debian, run 'apt-get update' once." >&2
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
    (cd "$into" && "${apt[@]}" download prometheus promtool prometheus-alertmanager glab)
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

# `other-versions.sh --prepare` only fetches.
prepare=
[ "${1:-}" != --prepare ] || prepare=1
for suite in $suites; do
    at=$PWD/target/versions/$suite
    if [ ! -x "$at/usr/bin/promtool" ] || [ ! -x "$at/usr/bin/amtool" ] || [ ! -x "$at/usr/bin/glab" ]; then
        if ! scripts/other-versions.sh --fetch "$suite" "$at"; then
            echo "Could not fetch Prometheus, Alertmanager and glab of Debian $suite." >&2
            [ -n "$where_possible" ] || exit 1
            continue
        fi
    fi
    [ -z "$prepare" ] || continue
    "$at/usr/bin/promtool" --version 2>&1 | head -1
    "$at/usr/bin/amtool" --version 2>&1 | head -1
    PROMTOOL=$at/usr/bin/promtool AMTOOL=$at/usr/bin/amtool scripts/check-rules.sh
    "$at/usr/bin/glab" version
    GLAB=$at/usr/bin/glab cargo test --locked --test suite -- --ignored --exact \
        clients::glab::glab_retries_plays_cancels_and_creates_as_on_a_real_gitlab
done
