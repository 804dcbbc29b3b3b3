#!/usr/bin/env bash
# Builds the image with buildah and runs it, as root, where no registry of images can be reached: a new Debian stands in for both
# base images, and the release binary for the compiler. Needs buildah, debootstrap and `make build`.
set -euo pipefail
cd "$(dirname "$0")/.."

name=job-failure-exporter
work=$(mktemp -d)
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
trap 'buildah rm --all >/dev/null 2>&1; rm -rf "$work"' EXIT

debootstrap --variant=minbase --include=ca-certificates bookworm "$work/debian" >"$work/debootstrap.log"
tar -C "$work/debian" -cf "$work/debian.tar" .
printf 'FROM scratch\nADD debian.tar /\n' | buildah bud -f - -t base "$work" >/dev/null
mkdir "$work/builder"
cp "target/release/$name" "$work/builder/prebuilt"
printf '#!/bin/sh\nmkdir -p target/release && cp /prebuilt target/release/%s\n' $name >"$work/builder/cargo"
printf '#!/bin/sh\necho /rust\n' >"$work/builder/rustc"
chmod +x "$work/builder/"{cargo,rustc}
printf 'FROM base\nCOPY prebuilt /prebuilt\nCOPY cargo rustc /usr/local/bin/\n' |
    buildah bud -f - -t builder "$work/builder" >/dev/null

revision=$(git rev-parse HEAD)
buildah bud --isolation chroot --format docker -f deploy/Dockerfile -t image --build-arg BUILDER=localhost/builder \
    --build-arg BASE=localhost/base --build-arg VERSION=0.0.0 --build-arg REVISION="$revision" . >"$work/build.log" 2>&1 ||
    { cat "$work/build.log" >&2 && exit 1; }
buildah inspect --type image image >"$work/image.json"
for wanted in "\"org.opencontainers.image.revision\": \"$revision\"" '"User": "10141:10141"' '"healthcheck"'; do
    grep -q -F "$wanted" "$work/image.json" || { echo "the image lacks $wanted" >&2 && exit 1; }
done
container=$(buildah from image)
buildah run --isolation chroot "$container" -- /usr/local/bin/$name --version
buildah run --isolation chroot "$container" -- /usr/local/bin/$name --project group/app --gitlab.url http://127.0.0.1:9 \
    --web.listen-address 127.0.0.1:10148 >"$work/exporter.log" 2>&1 &
exporter=$!
timeout 30 bash -c "until target/release/$name healthcheck --exporter.url http://127.0.0.1:10148 2>/dev/null; do sleep 0.1; done"
buildah run --isolation chroot "$container" -- /usr/local/bin/$name healthcheck --exporter.url http://127.0.0.1:10148
ls -ldn "$(buildah mount "$container")/var/lib/$name"
kill $exporter
wait $exporter || true
echo "The image builds and runs, without root."
