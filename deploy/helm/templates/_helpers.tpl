{{/* Names and labels. */}}

{{- define "jfe.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Short enough for the suffix of a shard: Kubernetes derives labels of 63 characters from it. */}}
{{- define "jfe.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trimSuffix "-" -}}
{{- else if contains (include "jfe.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "jfe.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* The labels that select the exporter's pods. */}}
{{- define "jfe.selector" -}}
app.kubernetes.io/name: {{ include "jfe.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: exporter
{{- end }}

{{/* The labels of every object, without those that select pods. */}}
{{- define "jfe.commonLabels" -}}
{{- $labels := dict
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite (omit .Values.commonLabels "app.kubernetes.io/name" "app.kubernetes.io/component") $labels | toYaml -}}
{{- end }}

{{- define "jfe.labels" -}}
{{- mergeOverwrite (include "jfe.commonLabels" . | fromYaml) (include "jfe.selector" . | fromYaml) | toYaml -}}
{{- end }}

{{/* The labels of an object, with further ones, which win: list of the context and these. */}}
{{- define "jfe.labelsWith" -}}
{{- mergeOverwrite (include "jfe.labels" (index . 0) | fromYaml) (deepCopy (index . 1)) | toYaml -}}
{{- end }}

{{- define "jfe.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "jfe.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{- define "jfe.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The name of a shard's StatefulSet: list of the context and the shard's number. The first keeps the name of a single
exporter, so that it keeps its volume when shards are added. */}}
{{- define "jfe.shardName" -}}
{{- $name := include "jfe.fullname" (index . 0) -}}
{{- if gt (int (index . 1)) 1 }}{{ printf "%s-shard-%d" $name (int (index . 1)) }}{{ else }}{{ $name }}{{ end -}}
{{- end }}
