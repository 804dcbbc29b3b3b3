#!/usr/bin/env bash
# Boots a new Debian with systemd in a container, installs the .deb there, and runs the service and every command of
# docs/systemd.md beside it, on a simulated GitLab. As root or with sudo. Needs debootstrap and systemd-nspawn.
# test-systemd.sh [DEB]: target/dist/*.deb without it.
set -euo pipefail
cd "$(dirname "$0")/.."

deb=$(realpath "${1:-$(echo target/dist/*.deb)}")
[ -x target/debug/gitlab-simulator ] || cargo build --locked --package gitlab-simulator
if [ "$(id -u)" -ne 0 ]; then exec sudo --preserve-env "$(realpath "$0")" "$deb"; fi

# A port that nobody listens on.
free_port() {
    local port
    while port=$((RANDOM % 20000 + 10000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo $port
}

name=job-failure-exporter
config=/etc/$name/config.yml
state=/var/lib/private/$name
gitlab=127.0.0.1:$(free_port)
exporter=127.0.0.1:$(free_port)
work=$(mktemp -d)
root=$work/root
stop() {
    # The first process of the container takes all others with it, and systemd-nspawn ends after it.
    [ -z "${leader:-}" ] || kill -KILL "$leader" 2>/dev/null || true
    [ -z "${simulator:-}" ] || kill "$simulator" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap stop EXIT

fail() { printf 'test-systemd: %s\n' "$*" >&2 && inside journalctl --no-pager -n 40 >&2 && exit 1; }
step() { printf '== %s\n' "$*"; }
# Runs a command in the container.
inside() { nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wdns=/ "$@"; }
property() { inside systemctl show --value --property "$1" $name; }
metric() { curl -sf "http://$exporter/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
# Waits for a condition: a command that succeeds.
await() { timeout 60 bash -c "until $1; do sleep 0.2; done" || fail "not within a minute: $1"; }
export -f inside
export leader

# The state belongs to the user of the service, whoever wrote it, and nobody else reads it.
check_owners() {
    local others
    inside test -d "$state/state" || fail "no state"
    others=$(inside find -L "$state" ! -user $name -o ! -group $name)
    [ -z "$others" ] || fail "files of other users after $1: $others"
    others=$(inside find -L "$state" -perm /077)
    [ -z "$others" ] || fail "files that others may read after $1: $others"
}

boot() {
    step "boot Debian with systemd"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,libgcc-s1 bookworm "$root" \
        >"$work/debootstrap.log" || { tail "$work/debootstrap.log" >&2 && exit 1; }
    cp "$deb" "$root/root/package.deb"
    systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --console=pipe \
        </dev/null >"$work/console.log" 2>&1 &
    container=$!
    timeout 60 bash -c "until pgrep -P $container >/dev/null; do sleep 0.1; done" || { cat "$work/console.log" >&2 && exit 1; }
    leader=$(pgrep -P $container)
    await "inside test -S /run/dbus/system_bus_socket"
    inside systemctl is-system-running --wait || [ "$(inside systemctl is-system-running)" = degraded ]
    inside cat /proc/1/comm
}

check_install() {
    step "install: nothing starts, and without a token the service stays down"
    inside apt-get -qq -y --no-install-recommends install /root/package.deb >"$work/apt.log" 2>&1 || fail "$(cat "$work/apt.log")"
    [ "$(property ActiveState) $(property UnitFileState)" = "inactive disabled" ] || fail "the package started the service"
    inside systemctl start $name
    [ "$(property ActiveState) $(property ConditionResult)" = "inactive no" ] || fail "it started without a token"
}

check_service() {
    step "start, notify, reload"
    printf 'gitlab: {url: "http://%s", requests_per_second: 1000}\nwatch: {groups: [{path: acme}], interval: 5s}\nstore: {directory: /var/lib/%s/state}\n' \
        "$gitlab" $name >"$root$config"
    echo "ARGS=\"--web.listen-address=$exporter\"" >"$root/etc/default/$name"
    echo glpat-simulated | inside install -m 600 /dev/stdin /etc/$name/gitlab-token
    inside $name check-config $config
    inside systemctl enable --now $name || fail "it does not start"
    [ "$(property ActiveState) $(property Type) $(property WatchdogUSec)" = "active notify 1min" ] || fail "not active"
    curl -sf "http://$exporter/-/healthy" >/dev/null || fail "started, but not healthy"
    await "curl -sf http://$exporter/-/ready >/dev/null"
    await "curl -sf http://$exporter/metrics | grep -q '^job_consecutive_failures{'"
    await "inside ls $state/state | grep -q '[0-9]'"
    check_owners "the start"
    inside sed -i 's/interval: 5s/interval: 6s/' $config
    inside systemctl reload $name || fail "it does not reload"
    await "inside journalctl --unit=$name --grep='configuration was loaded again' --quiet >/dev/null"
    await "[ \$(inside systemctl show --value --property ActiveState $name) = active ]"
    [ "$(metric job_failure_exporter_config_last_load_successful)" = 1 ] || fail "the reload did not succeed"
}

check_watchdog() {
    step "the watchdog restarts an exporter that hangs, and it writes no dump"
    local before
    inside mkdir -p /run/systemd/system/$name.service.d
    printf '[Service]\nWatchdogSec=2s\nRestartSec=0\n' >"$work/quick.conf"
    inside tee /run/systemd/system/$name.service.d/quick.conf <"$work/quick.conf" >/dev/null
    inside systemctl daemon-reload
    inside systemctl restart $name
    before=$(property MainPID)
    inside sh -c "kill -STOP $before"
    await "[ \$(inside systemctl show --value --property NRestarts $name) -ge 1 ]"
    await "inside systemctl is-active --quiet $name"
    [ "$(property MainPID)" != "$before" ] || fail "the same process"
    inside rm /run/systemd/system/$name.service.d/quick.conf
    inside systemctl daemon-reload
    inside systemctl restart $name
}

# docs/systemd.md, "Commands beside the service".
check_commands() {
    step "read beside the service"
    inside $name state show --config.file $config >"$work/shown"
    head -5 "$work/shown"
    inside $name state export --config.file $config --project acme/api --ref main >"$work/export.json"
    inside $name explain --config.file $config acme/api publish >"$work/explained"
    head -5 "$work/explained"
    check_owners "reading"
    step "write beside the service: refused"
    ! inside env CREDENTIALS_DIRECTORY=/etc/$name $name backfill --since 1h --config.file $config >"$work/refused" 2>&1 ||
        fail "backfill wrote beside the service"
    cat "$work/refused"
    step "write instead of the service"
    inside systemctl stop $name
    inside env CREDENTIALS_DIRECTORY=/etc/$name $name backfill --since 1h --config.file $config 2>&1 | tail -1
    check_owners "backfill"
    cp "$work/export.json" "$root/root/export.json"
    inside env CREDENTIALS_DIRECTORY=/etc/$name $name state import /root/export.json --force --config.file $config
    check_owners "import"
    (! inside $name state restore --config.file $config) 2>&1 | grep 'nothing is in the attic'
    inside env CREDENTIALS_DIRECTORY=/etc/$name $name state adopt --config.file $config
    check_owners "adopt"
    inside script -qec "systemd-run --pty --wait --collect -p DynamicUser=yes -p User=$name -p StateDirectory=$name \
        -p StateDirectoryMode=0700 -p WorkingDirectory=/var/lib/$name \
        -p LoadCredential=gitlab-token:/etc/$name/gitlab-token \
        $name backfill --since 1h --config.file $config" /dev/null | tail -1
    check_owners "systemd-run"
    inside systemctl start $name
    check_owners "the start after all"
}

check_going() {
    step "an upgrade restarts the service, removing stops it, purging deletes all"
    local before
    before=$(property MainPID)
    inside dpkg --install /root/package.deb >"$work/apt.log" 2>&1 || fail "$(cat "$work/apt.log")"
    inside systemctl is-active --quiet $name
    [ "$(property MainPID)" != "$before" ] || fail "an upgrade leaves the old program running"
    inside apt-get -qq -y remove $name >"$work/apt.log" 2>&1
    ! curl -sf "http://$exporter/-/healthy" || fail "it still runs"
    inside test -d "$state/state"
    inside apt-get -qq -y purge $name >"$work/apt.log" 2>&1
    ! inside test -e "$state" || fail "purging leaves the state"
}

target/debug/gitlab-simulator --listen-address "$gitlab" --behind 2h --speed 600 >"$work/gitlab.log" 2>&1 &
simulator=$!
boot
check_install
check_service
check_watchdog
check_commands
check_going
echo "The service and the commands beside it work as docs/systemd.md says."
