#!/usr/bin/env bash
# Builds the container image with docker, podman or buildah. Arguments go to the builder, such as --build-arg BASE=..
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
revision=${JOB_FAILURE_EXPORTER_REVISION:-$(git rev-parse HEAD)}
date=${JOB_FAILURE_EXPORTER_COMMIT_DATE:-$(git show --no-patch --format=%cs HEAD)}
for builder in docker podman buildah; do
    if command -v "$builder" >/dev/null; then
        # OCI has no HEALTHCHECK, Docker's format has. docker writes its own anyway.
        format=()
        [ "$builder" = docker ] || format=(--format docker)
        exec "$builder" build "${format[@]}" -f deploy/Dockerfile -t "job-failure-exporter:$version" \
            --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg COMMIT_DATE="$date" "$@" .
    fi
done
echo "No builder of images was found. Install docker, podman or buildah." >&2
exit 1
