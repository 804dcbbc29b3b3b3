#!/usr/bin/env bash
# Checks the shipped rules and configurations with promtool and amtool. PROMTOOL and AMTOOL override those in PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

alertmanager=deploy/alertmanager/alertmanager.yml
promtool=${PROMTOOL:-promtool}
amtool=${AMTOOL:-amtool}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for tool in "$promtool" "$amtool"; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "$tool was not found in PATH; run: make install-tools" >&2
        exit 1
    fi
done

"$promtool" check rules --lint=all --lint-fatal alert-rules/*.yml deploy/prometheus/history.yml
# Prints only what fails. The exit code of xargs tells that something did.
printf '%s\0' alert-rules/tests/*.yml |
    xargs -0 -n 1 -P "$(nproc)" bash -c '"$1" test rules "$2" >"$0/out.$$" 2>&1 || { cat "$0/out.$$"; exit 1; }' "$scratch" "$promtool" ||
    {
        echo "Tests of alert-rules/tests fail." >&2
        exit 1
    }
echo "All tests of alert-rules/tests pass."
"$promtool" check config deploy/prometheus/prometheus.yml
"$amtool" check-config "$alertmanager"
"$amtool" check-config deploy/alertmanager/receivers.example.yml
# Alertmanager before 0.28 does not support this configuration of Microsoft Teams.
case $("$amtool" --version 2>&1 | head -1) in
    *\ 0.2[0-7].*) ;;
    *) "$amtool" check-config deploy/alertmanager/receivers.msteams.example.yml ;;
esac

while read -r receivers labels; do
    case $receivers in '#'* | '') continue ;; esac
    read -r -a labels <<<"$labels"
    # The labels are arguments. Without the redirection amtool would read routes.txt.
    "$amtool" config routes test --config.file="$alertmanager" --verify.receivers="$receivers" "${labels[@]}" \
        </dev/null >/dev/null 2>&1 || {
        echo "An alert with ${labels[*]} does not go to $receivers but to:" >&2
        "$amtool" config routes test --config.file="$alertmanager" "${labels[@]}" </dev/null >&2
        exit 1
    }
done <deploy/alertmanager/routes.txt
echo "All routes match deploy/alertmanager/routes.txt."
