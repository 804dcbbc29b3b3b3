#!/usr/bin/env bash
# Writes the manifests of deploy/kubernetes from the chart, into the folder that is the argument.
set -euo pipefail
cd "$(dirname "$0")/.."

to=${1:-deploy/kubernetes}
helm=target/tools/bin/helm

# Values of the manifests. deploy/kubernetes/kustomization.yaml and docs/kubernetes.md tell how to change them.
values=(
    --set 'config.watch.groups[0].path=platform'
    --set config.gitlab.url=https://gitlab.example.com
    --set secrets.gitlabToken.name=gitlab-token
    --set serviceMonitor.enabled=true
    --set prometheusRule.enabled=true
    --set alertmanagerConfig.enabled=true
    --set dashboards.enabled=true
)

# Writes a file with the objects of these templates, without what only Helm needs.
write() {
    local file=$1 template show=()
    shift
    for template in "$@"; do show+=(--show-only "templates/$template.yaml"); done
    {
        echo "# Written by \`make kubernetes\` from the chart in deploy/helm."
        "$helm" template job-failure-exporter deploy/helm "${values[@]}" "${show[@]}" 2> >(grep -v 'symbolic link' >&2) |
            sed -E '/^# Source: /d; /^ +(helm\.sh\/chart|app\.kubernetes\.io\/managed-by): /d; /^  namespace: default$/d'
    } >"$to/$file"
}

write exporter.yaml serviceaccount configmap service statefulset
write servicemonitor.yaml servicemonitor
write prometheusrule.yaml prometheusrule
write alertmanagerconfig.yaml alertmanagerconfig
write dashboards.yaml dashboards
