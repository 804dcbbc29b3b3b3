{{/* The exporter's configuration, and what the chart takes from it. */}}

{{- define "jfe.stateDirectory" -}}
/var/lib/job-failure-exporter
{{- end }}

{{/* Whether the state is in a bucket: not empty if so. */}}
{{- define "jfe.onBucket" -}}
{{- if (.Values.config.store | default dict).s3 }}yes{{ end -}}
{{- end }}

{{/* What the chart adds to the configuration. Keys of `config` win. */}}
{{- define "jfe.addedConfig" -}}
{{- $secrets := .Values.secrets -}}
{{- $watch := .Values.config.watch | default dict -}}
{{- if not (or $watch.projects $watch.groups) }}
# Nothing is watched yet: set config.watch.
watch: {projects: [group/app]}
{{- end }}
{{- with $secrets.gitlabToken }}{{ if .name }}
gitlab: {token_file: {{ printf "/run/secrets/gitlab/%s" .key | quote }}}
{{- end }}{{ end }}
{{- with $secrets.webhook }}{{ if .name }}
webhooks:
  gitlab:
  {{- if .tokenKey }}
    token_file: {{ printf "/run/secrets/webhook/%s" .tokenKey | quote }}
  {{- end }}
  {{- if .signingKeyKey }}
    signing_key_file: {{ printf "/run/secrets/webhook/%s" .signingKeyKey | quote }}
  {{- end }}
{{- end }}{{ end }}
{{- with $secrets.remediationToken }}{{ if .name }}
remediation: {token_file: {{ printf "/run/secrets/remediation/%s" .key | quote }}}
{{- end }}{{ end }}
{{- with $secrets.web }}{{ if .name }}
web: {config_file: {{ printf "/run/secrets/web/%s" .key | quote }}}
{{- end }}{{ end }}
{{- if not (include "jfe.onBucket" .) }}
store: {directory: {{ include "jfe.stateDirectory" . }}/state}
{{- end }}
{{- end }}

{{- define "jfe.config" -}}
{{- $config := mergeOverwrite (include "jfe.addedConfig" . | fromYaml) (deepCopy .Values.config) -}}
{{- /* Helm reads `off` as `false`. */ -}}
{{- $remediation := $config.remediation | default dict -}}
{{- if kindIs "bool" $remediation.mode }}{{ $_ := set $remediation "mode" (ternary "on" "off" $remediation.mode) }}{{ end -}}
{{- toYaml $config -}}
{{- end }}

{{/* The port that the exporter listens on. */}}
{{- define "jfe.port" -}}
{{- (.Values.config.web | default dict).listen_address | default ":10141" | regexFind "[0-9]+$" -}}
{{- end }}

{{/* What precedes the paths of metrics and probes: `web.route_prefix`, else the path of `web.external_url`. */}}
{{- define "jfe.prefix" -}}
{{- $web := .Values.config.web | default dict -}}
{{- $prefix := $web.route_prefix | default (get (urlParse ($web.external_url | default "")) "path") -}}
{{- with trimAll "/" $prefix }}/{{ . }}{{ end -}}
{{- end }}

{{- define "jfe.scheme" -}}
{{- if and .Values.secrets.web.name .Values.secrets.web.tls }}https{{ else }}http{{ end -}}
{{- end }}

{{/* Refuses values that contradict each other. */}}
{{- define "jfe.check" -}}
{{- $config := .Values.config -}}
{{- if ($config.watch | default dict).shard -}}
{{- fail "config.watch.shard is set, but each shard needs its own number. Leave it out, and set `shards` to the number of shards." -}}
{{- end -}}
{{- $listen := ($config.web | default dict).listen_address | default "" -}}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\])" $listen -}}
{{- fail (printf "config.web.listen_address is %s, which neither Prometheus nor the probes reach. Leave the host out, such as :10141." $listen) -}}
{{- end -}}
{{- if not (include "jfe.onBucket" .) -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail (printf "replicas is %d, and the state is in a directory, which belongs to one process. Set config.store.s3.bucket to a bucket that the replicas share, or replicas to 1. To share the projects among several exporters, set `shards`." (int .Values.replicas)) -}}
{{- end -}}
{{- $directory := ($config.store | default dict).directory | default (include "jfe.stateDirectory" .) -}}
{{- if not (hasPrefix (printf "%s/" (include "jfe.stateDirectory" .)) (printf "%s/" $directory)) -}}
{{- fail (printf "config.store.directory is %s, where the pods have no volume. Leave it out, or choose a directory below %s." $directory (include "jfe.stateDirectory" .)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.secrets.web.tls (not .Values.secrets.web.name) -}}
{{- fail "secrets.web.tls is true, but secrets.web.name names no Secret with the server's TLS. Set both." -}}
{{- end -}}
{{- with .Values.secrets.webhook -}}
{{- if and .name (not (or .tokenKey .signingKeyKey)) -}}
{{- fail "secrets.webhook.name is set, but neither secrets.webhook.tokenKey nor secrets.webhook.signingKeyKey. Name at least one key of the Secret." -}}
{{- end -}}
{{- end -}}
{{- end }}
