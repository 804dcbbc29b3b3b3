#!/usr/bin/env bash
# Makes an apt repository of the .deb files in a directory, signed with your key: apt-repository.sh DIRECTORY [KEY]. Any web server
# can serve the directory. Needs apt-ftparchive (Debian package apt-utils) and gpg. Run it again after adding a package.
set -euo pipefail

if [ $# -eq 0 ] || ! compgen -G "$1/*.deb" >/dev/null; then
    echo "usage: apt-repository.sh DIRECTORY [KEY], where DIRECTORY has .deb files" >&2
    exit 2
fi
for tool in apt-ftparchive gpg; do
    command -v $tool >/dev/null || { echo "$tool was not found. On Debian: apt install apt-utils gpg" >&2 && exit 1; }
done
cd "$1"
key=(${2:+--local-user "$2"})
rm -f Release InRelease
apt-ftparchive packages . >Packages
release=$(apt-ftparchive release .)
printf '%s\n' "$release" >Release
gpg --yes "${key[@]}" --clearsign --output InRelease Release
gpg --yes --armor --output job-failure-exporter.asc --export ${2:+"$2"}
