#!/usr/bin/env bash
# Makes the packages of a binary twice, compares them, installs them into directories, runs the exporter from there, and
# removes them. test-packages.sh [BINARY]: without it, of the release binary. `--chroot` before it also installs the .deb with apt
# in a new Debian, as root, and scrapes the exporter there.
set -euo pipefail
cd "$(dirname "$0")/.."

in_chroot=
if [ "${1:-}" = --chroot ]; then in_chroot=1 && shift; fi
name=job-failure-exporter
binary=${1:-target/release/$name}
export PATH=$PATH:/usr/sbin:/sbin
base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT

# Behind a pipe, grep reads everything: with -q it would close the pipe, which ends the program before it.
fail() { printf 'test-packages: %s\n' "$*" >&2 && exit 1; }
must_exist() { local path; for path in "$@"; do [ -e "$path" ] || fail "missing: $path"; done; }
must_be_gone() { local path; for path in "$@"; do [ ! -e "$path" ] || fail "still there: $path"; done; }

# The program, its configuration and its page of the manual, as the package in directory $1 has them.
check_program() {
    local root=$1
    "$root/usr/bin/$name" --version | grep '^revision: ' >/dev/null
    "$root/usr/bin/$name" check-config "$root/etc/$name/config.yml" | grep 'can be used' >/dev/null
    must_exist "$root/usr/share/man/man1/$name.1.gz" "$root/usr/share/bash-completion/completions/$name" \
        "$root/usr/share/$name"/{rules/jobs.yml,dashboards/main.json,alertmanager/alertmanager.yml,kubernetes} \
        "$root/usr/share/doc/$name"/{THIRD-PARTY-NOTICES.txt,sbom.cdx.json,runbooks/CIJobStuck.md}
    if find "$root" -name gitlab-token | grep . >/dev/null; then fail "a package has a token"; fi
    check_unit "$root"
}

check_unit() {
    local root=$1 unit=usr/lib/systemd/system/$name.service
    # systemd-analyze looks for the program below /, so the check names the one of the package.
    sed "s|^ExecStart=|ExecStart=$root|" "$root/$unit" >"$base/$name.service"
    SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no --recursive-errors=no "$base/$name.service" 2>&1 |
        (! grep "$name")
    systemd-analyze security --offline=yes --threshold=15 "$base/$name.service" | tail -1
}

# dpkg runs the scripts of the package with DPKG_ROOT in place of a chroot.
check_deb() {
    local root=$base/deb dpkg
    mkdir -p "$root"/{etc,var/lib/dpkg/{info,updates,triggers}}
    touch "$root/var/lib/dpkg/status"
    dpkg=(dpkg --root="$root" --log=/dev/null --force-not-root --force-depends --force-script-chrootless)
    "${dpkg[@]}" --install "$1" >"$base/dpkg.log" 2>&1 || { cat "$base/dpkg.log" >&2 && fail "dpkg refuses $1"; }
    # apt compares this version with that of the package.
    [ "$(dpkg-query --admindir="$root/var/lib/dpkg" --show --showformat='${Version}' $name)" = "$(dpkg-deb --field "$1" Version)" ] ||
        fail "dpkg installed another version than $1 names"
    check_program "$root"
    grep -q "^$name:" "$root/etc/passwd" || fail "no user $name"
    must_be_gone "$root/etc/systemd/system/multi-user.target.wants/$name.service"
    # What the administrator and the service add.
    echo "# changed" >>"$root/etc/$name/config.yml"
    echo secret >"$root/etc/$name/gitlab-token"
    mkdir -p "$root/var/lib/private/$name/state"
    "${dpkg[@]}" --install "$1" >"$base/dpkg.log" 2>&1
    grep -q "# changed" "$root/etc/$name/config.yml" || fail "an upgrade overwrites the configuration"
    "${dpkg[@]}" --remove $name >"$base/dpkg.log" 2>&1
    must_be_gone "$root/usr/bin/$name"
    must_exist "$root/etc/$name/"{config.yml,gitlab-token} "$root/var/lib/private/$name/state"
    "${dpkg[@]}" --purge $name >"$base/dpkg.log" 2>&1
    must_be_gone "$root/etc/$name" "$root/etc/default/$name" "$root/var/lib/private/$name" "$root/usr/share/$name"
}

check_rpm() {
    local root=$base/rpm rpm
    rpm -qp --requires "$1" | grep '^glibc >= ' >/dev/null || fail "the .rpm does not require glibc"
    rpm -qp --scripts "$1" | grep systemd-sysusers >/dev/null || fail "the .rpm creates no user"
    rpm -qpc "$1" | grep -x "/etc/$name/config.yml" >/dev/null || fail "the .rpm would overwrite the configuration"
    mkdir -p "$root"
    rpm=(rpm --root "$root" --dbpath /var/lib/rpm --nodeps --noscripts)
    "${rpm[@]}" --install --ignoreos --ignorearch "$1"
    check_program "$root"
    "${rpm[@]}" --verify $name
    "${rpm[@]}" --erase $name
    must_be_gone "$root/usr/bin/$name" "$root/etc/$name"
    mkdir "$base/cpio"
    rpm2cpio "$1" | (cd "$base/cpio" && cpio --quiet -id)
    check_program "$base/cpio"
}

check_archive() {
    local root=$base/archive
    mkdir "$root"
    tar -xzf "$1" -C "$root" --strip-components 1
    "$root/bin/$name" check-config "$root/etc/config.yml" >/dev/null
    must_exist "$root"/{LICENSE,THIRD-PARTY-NOTICES.txt,sbom.cdx.json,systemd/$name.service}
    local path
    for path in "$HOME/.cargo" "$PWD"; do
        # The debug binary names the files of its sources.
        [ "$binary" != "target/release/$name" ] || ! grep -q -a -F "$path" "$root/bin/$name" || fail "the binary contains $path"
    done
}

check_chroot() {
    local root=$base/chroot started
    debootstrap --variant=minbase bookworm "$root" >"$base/debootstrap.log"
    cp "$1" "$root/tmp/package.deb"
    started=$(date +%s)
    chroot "$root" apt-get -qq -y --no-install-recommends install /tmp/package.deb >"$base/apt.log" 2>&1
    chroot "$root" getent passwd $name
    chroot "$root" $name --project group/app --gitlab.url http://127.0.0.1:9 --web.listen-address 127.0.0.1:10149 \
        --store.directory /tmp/state >"$base/exporter.log" 2>&1 &
    local exporter=$!
    timeout 30 bash -c "until chroot '$root' $name healthcheck --exporter.url http://127.0.0.1:10149 >/dev/null 2>&1; do sleep 0.1; done"
    curl -sf http://127.0.0.1:10149/metrics | grep "^${name//-/_}_build_info"
    echo "from apt install to the first scrape: $(($(date +%s) - started)) s"
    kill $exporter && wait $exporter
    chroot "$root" apt-get -qq -y purge $name >"$base/apt.log" 2>&1
    must_be_gone "$root/usr/bin/$name" "$root/etc/$name"
}

scripts/dist.sh "$binary" "$base/dist" >"$base/first.log" 2>&1 & first=$!
scripts/dist.sh "$binary" "$base/again" >"$base/second.log" 2>&1 || { cat "$base/second.log" >&2 && fail "dist.sh failed"; }
wait $first || { cat "$base/first.log" >&2 && fail "dist.sh failed"; }
diff "$base/dist/SHA256SUMS" "$base/again/SHA256SUMS" || fail "two runs differ"
(cd "$base/dist" && sha256sum --quiet --check SHA256SUMS)
check_archive "$base"/dist/*.tar.gz
check_deb "$base"/dist/*.deb
check_rpm "$base"/dist/*.rpm
[ -z "$in_chroot" ] || check_chroot "$base"/dist/*.deb
echo "The packages install, run and go, and two runs give equal bytes."
