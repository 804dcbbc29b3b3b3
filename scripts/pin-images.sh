#!/usr/bin/env bash
# Pins the images of the Dockerfiles and of compose.yaml to the digests that their tags have now, of all architectures:
# name:tag@sha256:.. Run it again for newer digests. Needs skopeo, and access to the registries.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v skopeo >/dev/null || { echo "skopeo was not found. On Debian: apt install skopeo" >&2 && exit 1; }
files=(deploy/Dockerfile deploy/compose/Dockerfile compose.yaml)
images=$(grep -hoE '\b(docker|gcr)\.io/[a-z0-9/_-]+:[A-Za-z0-9._-]+' "${files[@]}" | sort -u)
for image in $images; do
    digest=$(skopeo inspect --no-tags --format '{{.Digest}}' "docker://$image")
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "$image: '$digest' is not a digest" >&2 && exit 1; }
    sed -E -i "s#${image//./\\.}(@sha256:[0-9a-f]+)?(\$|[^A-Za-z0-9._@-])#$image@$digest\2#" "${files[@]}"
    echo "$image@$digest"
done
