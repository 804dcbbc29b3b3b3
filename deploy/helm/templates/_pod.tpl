{{/* The parts of the pods. */}}

{{/* A probe of this path: list of the context and the path. */}}
{{- define "jfe.probe" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.probes.tcp -}}
tcpSocket: {port: metrics}
{{- else -}}
httpGet:
  path: {{ include "jfe.prefix" $root }}{{ index . 1 }}
  port: metrics
  scheme: {{ include "jfe.scheme" $root | upper }}
  {{- with $root.Values.probes.httpHeaders }}
  httpHeaders:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Folders below /run/secrets with the values that name their Secrets. */}}
{{- define "jfe.secretFolders" -}}
gitlab: gitlabToken
webhook: webhook
remediation: remediationToken
callers: callers
web: web
{{- end }}

{{- define "jfe.secretMounts" -}}
{{- range $folder, $secret := include "jfe.secretFolders" . | fromYaml }}
{{- if (get $.Values.secrets $secret).name }}
- name: secret-{{ $folder }}
  mountPath: /run/secrets/{{ $folder }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{/* 288 is 0440: the group of the pod reads. */}}
{{- define "jfe.secretVolumes" -}}
{{- range $folder, $secret := include "jfe.secretFolders" . | fromYaml }}
{{- with (get $.Values.secrets $secret).name }}
- name: secret-{{ $folder }}
  secret:
    secretName: {{ . }}
    defaultMode: 288
{{- end }}
{{- end }}
{{- end }}

{{/* Spreads the replicas of a shard: list of the context and the labels that select the shard's pods. */}}
{{- define "jfe.topologySpread" -}}
{{- $root := index . 0 -}}
{{- $selector := dict "matchLabels" (index . 1) -}}
{{- $constraints := list -}}
{{- range $root.Values.topologySpreadConstraints -}}
{{- $constraints = append $constraints (merge (deepCopy .) (dict "labelSelector" $selector)) -}}
{{- else -}}
{{- if gt (int $root.Values.replicas) 1 -}}
{{- $constraints = list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" "labelSelector" $selector) -}}
{{- end -}}
{{- end -}}
{{- if $constraints }}{{ toYaml $constraints }}{{ end -}}
{{- end }}

{{- define "jfe.container" -}}
{{- $root := index . 0 -}}
{{- $shard := index . 1 -}}
{{- with $root.Values -}}
name: exporter
image: {{ include "jfe.image" $root | quote }}
imagePullPolicy: {{ .image.pullPolicy }}
args:
  - --config.file=/etc/job-failure-exporter/config.yml
  - --log.level={{ .logLevel }}
  - --log.format={{ .logFormat }}
  {{- if gt (int .shards) 1 }}
  - --shard={{ $shard }}/{{ int .shards }}
  {{- end }}
  {{- with .extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: metrics
    containerPort: {{ include "jfe.port" $root }}
# Answers from the first second on, also while the saved state is read.
startupProbe:
  {{- include "jfe.probe" (list $root "/-/healthy") | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ .probes.startupFailureThreshold }}
livenessProbe:
  {{- include "jfe.probe" (list $root "/-/healthy") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# After the first round of polling. Until then its answer says what is missing.
readinessProbe:
  {{- include "jfe.probe" (list $root "/-/ready") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
{{- with .resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/job-failure-exporter
    readOnly: true
  {{- if not (include "jfe.onBucket" $root) }}
  - name: state
    mountPath: {{ include "jfe.stateDirectory" $root }}
  {{- end }}
  {{- with include "jfe.secretMounts" $root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
