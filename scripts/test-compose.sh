#!/usr/bin/env bash
# Starts compose.yaml and checks it: every service is healthy, Prometheus scrapes and evaluates, an alert arrives at the receiver, and
# Grafana has the data source and the dashboards. Needs docker compose or podman-compose, and the ports of compose.yaml.
# test-compose.sh FOLDER, where no registry of images can be reached, as root with podman and debootstrap: a new Debian stands in
# for the images, a script for Grafana, and job-failure-exporter and gitlab-simulator in FOLDER for what the images compile.
set -euo pipefail
cd "$(dirname "$0")/.."

programs=${1:+$(realpath "$1")}
if [ -z "$programs" ] && docker compose version >/dev/null 2>&1; then
    engine=docker compose=(docker compose)
else
    # One build at a time: two services share an image, and the second build finds the layers of the first.
    engine=podman compose=(podman-compose --parallel 1)
fi
# Apart from a demo of the user.
project=job-failure-exporter-test
compose+=(-p "$project")
work=$(mktemp -d)
stop() {
    "${compose[@]}" down --volumes >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
    rm -rf "$work"
}
trap stop EXIT

fail() {
    printf 'test-compose: %s\n' "$*" >&2
    "$engine" ps --all >&2
    "${compose[@]}" logs --tail=20 >&2
    exit 1
}
# Waits for a condition: a function or command that succeeds.
await() {
    printf '== %s\n' "$*"
    local until=$((SECONDS + 600))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || fail "not within ten minutes: $*"
        sleep 1
    done
}

# image NAME [INSTRUCTION..]: an image of the new Debian.
image() {
    local name=$1
    shift
    printf '%s\n' "FROM $base" "$@" | podman build --quiet --isolation chroot -f - -t "$name" "$work/context" >/dev/null
}

stand_ins() {
    local base=localhost/stand-in rust
    # The stand-ins have other digests: a copy of the repository names none.
    mkdir "$work/tree"
    git ls-files -z | xargs -0 cp --no-dereference --parents --target-directory "$work/tree"
    cd "$work/tree"
    sed -i 's/@sha256:[0-9a-f]*//' compose.yaml deploy/Dockerfile deploy/compose/Dockerfile
    debootstrap --variant=minbase --include=ca-certificates,wget,python3-yaml,prometheus,prometheus-alertmanager bookworm \
        "$work/debian" >"$work/debootstrap.log" || { tail "$work/debootstrap.log" >&2 && exit 1; }
    tar -C "$work/debian" -c . | podman import --quiet - $base >/dev/null
    mkdir "$work/context"
    cp "$programs/"{job-failure-exporter,gitlab-simulator} scripts/compose-stand-in.py "$work/context"
    printf '#!/bin/sh\nmkdir -p target/release target/debug && cp /prebuilt/* target/release && cp /prebuilt/* target/debug\n' \
        >"$work/context/cargo"
    printf '#!/bin/sh\necho /rust\n' >"$work/context/rustc"
    chmod +x "$work/context/"{cargo,rustc}
    rust=$(sed -n 's/^ARG BUILDER=//p' deploy/Dockerfile)
    image "$rust" 'COPY job-failure-exporter gitlab-simulator /prebuilt/' 'COPY cargo rustc /usr/local/bin/'
    image "$(sed -n 's/^ARG BASE=//p' deploy/Dockerfile)"
    image "$(sed -n '/ AS build/d; s/^FROM //p' deploy/compose/Dockerfile)"
    image "$(wanted prometheus)" 'WORKDIR /prometheus' 'RUN chown nobody .' 'USER nobody' 'ENTRYPOINT ["prometheus"]'
    image "$(wanted alertmanager)" 'WORKDIR /alertmanager' 'RUN chown nobody .' 'USER nobody' 'ENTRYPOINT ["prometheus-alertmanager"]'
    image "$(wanted grafana)" 'COPY compose-stand-in.py /' 'USER 472' 'ENTRYPOINT ["/compose-stand-in.py", "grafana"]'
    image "$(wanted http-https-echo)" 'COPY compose-stand-in.py /' 'USER nobody' 'ENTRYPOINT ["/compose-stand-in.py", "receiver"]'
}
# The name of an image in compose.yaml.
wanted() { sed -n "s|^ *image: \(.*/$1:.*\)|\1|p" compose.yaml; }

# podman checks health with timers of systemd, which may be missing.
healthy() {
    local container
    for container in $("$engine" ps --quiet --filter "label=com.docker.compose.project=$project"); do
        [ "$("$engine" inspect --format '{{if .Config.Healthcheck}}yes{{end}}' "$container")" = yes ] || continue
        if [ "$engine" = podman ]; then
            podman healthcheck run "$container"
        else
            [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy ]
        fi || return 1
    done
}
running() { [ "$("$engine" ps --quiet --filter "label=com.docker.compose.project=$project" | wc -l)" = 6 ]; }
# query EXPRESSION VALUE
query() { curl -sf --data-urlencode "query=$1" localhost:9090/api/v1/query | grep ",\"$2\"\]" >/dev/null; }
received() { "${compose[@]}" logs receiver 2>&1 | grep "$1" >/dev/null; }
grafana() { curl -sf "http://admin:admin@localhost:3000/api/$1"; }
dashboards() { [ "$(grafana 'search?type=dash-db' | grep -o '"folderTitle": *"CI job failures"' | wc -l)" = "$(find dashboards -name "*.json" | wc -l)" ]; }
source_works() { grafana datasources/uid/prometheus/health | grep '"status": *"OK"' >/dev/null; }

[ -z "$programs" ] || stand_ins
"${compose[@]}" up --build --detach >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2 && exit 1; }
await running
await healthy
await query 'count(up == 1)' 2
await query 'sum(prometheus_rule_evaluation_failures_total) or vector(0)' 0
await received CIWatchdog
await source_works
await dashboards
await query 'count(job_consecutive_failures >= 3) > bool 0' 1
await received CIJob
echo "compose.yaml works, up to the delivered alert of a job."
