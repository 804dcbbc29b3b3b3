#!/usr/bin/env bash
# Makes the files of a release in a directory: a tree as tar.gz, .deb, .rpm, SBOM and SHA256SUMS. Equal input gives equal bytes.
# dist.sh [BINARY [DIRECTORY]]: without BINARY it builds the release binary. DIRECTORY is target/dist by default.
set -euo pipefail
cd "$(dirname "$0")/.."

name=job-failure-exporter
binary=${1:-target/release/$name}
out=${2:-target/dist}
tools=$PWD/target/packaging/bin

[ $# -ge 1 ] || scripts/build-release.sh
told=$("$binary" --version)
of_version() { sed -n "s/^$1: //p" <<<"$told"; }
version=$(sed -n "1s/^$name //p" <<<"$told")
target=$(of_version target)
case $target in
    x86_64-*) arch=amd64 ;;
    aarch64-*) arch=arm64 ;;
    *) echo "The packages know no name for the platform $target: add it to scripts/dist.sh" >&2 && exit 1 ;;
esac
if [ -z "${SOURCE_DATE_EPOCH:-}" ] && ! SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null); then
    echo "Outside a git checkout, set SOURCE_DATE_EPOCH, the time of the files in the packages" >&2
    exit 1
fi
export SOURCE_DATE_EPOCH
umask 022

rm -rf "$out"
tree=$out/$name-$version-$target
mkdir -p "$tree"/{bin,etc,systemd,completions,assets,docs,share/man/man1}

install -m 755 "$binary" "$tree/bin/$name"
strip --strip-all "$tree/bin/$name"
exporter=$tree/bin/$name
"$exporter" man "$tree/share/man/man1"
gzip -n9 "$tree"/share/man/man1/*.1
"$exporter" completions bash >"$tree/completions/$name.bash"
"$exporter" completions zsh >"$tree/completions/_$name"
"$exporter" completions fish >"$tree/completions/$name.fish"
"$exporter" assets all --to "$tree/assets" >/dev/null 2>&1
cp -r alert-rules/runbooks "$tree/runbooks"
cp docs/*.md docs/openapi.yml "$tree/docs"
cp deploy/systemd/$name.{service,sysusers} "$tree/systemd"
cp deploy/packages/config.yml deploy/packages/environment deploy/config.example.yml deploy/config.schema.json deploy/web-config.example.yml "$tree/etc"
cp README.md CHANGELOG.md SECURITY.md LICENSE "$tree"
"$tools/python3" scripts/notices.py "$target" "$tree"

# The files differ from the repository's in the path of the binary, and in the form that Debian wants.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|/usr/local/bin/|/usr/bin/|" "$tree/systemd/$name.service" >"$work/$name.service"
{
    echo "job-failure-exporter is licensed under the Apache License 2.0, see /usr/share/common-licenses/Apache-2.0."
    echo "THIRD-PARTY-NOTICES.txt beside this file has the licences of the crates that it contains."
} >"$work/copyright"
glibc=$(readelf -V "$exporter" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -1)
sed -e "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@GLIBC@|$glibc|; s|@REVISION@|$(of_version revision)|" \
    -e "s|@WORK@|$work|; s|@SCRIPTS@|$PWD/deploy/packages|" \
    -e "s|@MTIME@|$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)|" deploy/packages/nfpm.yaml >"$work/nfpm.yaml"
find "$tree" "$work" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
files=$(realpath "$out")
for packager in deb rpm; do
    (cd "$tree" && "$tools/nfpm" package --config "$work/nfpm.yaml" --packager $packager --target "$files" >/dev/null)
done

tar --create --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    --directory "$out" "$(basename "$tree")" | gzip -n9 >"$tree.tar.gz"
cp "$tree/sbom.cdx.json" "$tree.cdx.json"
(cd "$out" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%f\n' | sort | xargs sha256sum >SHA256SUMS)
cat "$out/SHA256SUMS"
