{{/* Alert rules with addresses, thresholds and labels. */}}

{{/* A text with the addresses of `links` in place of the shipped ones. */}}
{{- define "jfe.linked" -}}
{{- $links := (index . 0).Values.links -}}
{{- index . 1
  | replace "https://github.com/example/job-failure-exporter/blob/main/alert-rules/runbooks/" $links.runbooks
  | replace "https://grafana.example.com/" $links.grafana
  | replace "https://alertmanager.example.com/" $links.alertmanager -}}
{{- end }}

{{/* A threshold as an expression, `off` as a value that nothing reaches: list of the measure and the value. */}}
{{- define "jfe.threshold" -}}
{{- $value := index . 1 | toString -}}
{{- if or (eq $value "off") (eq $value "false") }}Inf{{ else if regexMatch "^[0-9]+(\\.[0-9]+)?$" $value }}{{ $value }}{{ else -}}
{{- fail (printf "prometheusRule.thresholds.%s: `%s` is no threshold; wanted a number (seconds, shares such as 0.5) or `off`. Write times such as 4h as seconds." (index . 0) $value) -}}
{{- end -}}
{{- end }}

{{/* Adds what `prometheusRule` gives to the groups of thresholds.yml: the shipped default of a measure and severity changes in
place, everything else follows as a group of its own. List of the context and the spec. */}}
{{- define "jfe.setThresholds" -}}
{{- $values := (index . 0).Values.prometheusRule -}}
{{- $spec := index . 1 -}}
{{- $shipped := dict -}}
{{- range $spec.groups -}}
{{- range $rule := .rules -}}
{{- $rules := get $shipped $rule.record | default dict -}}
{{- $_ := set $rules (($rule.labels | default dict).severity | default "none") $rule -}}
{{- $_ := set $shipped $rule.record $rules -}}
{{- end -}}
{{- end -}}
{{- $added := list -}}
{{- range $measure, $given := $values.thresholds -}}
{{- $record := printf "ci_default:%s:threshold" $measure -}}
{{- $rules := get $shipped $record -}}
{{- if not $rules -}}
{{- $known := list -}}
{{- range keys $shipped | sortAlpha }}{{ $known = append $known (. | trimPrefix "ci_default:" | trimSuffix ":threshold") }}{{ end -}}
{{- fail (printf "prometheusRule.thresholds.%s: no alert has this threshold. There are: %s" $measure (join ", " $known)) -}}
{{- end -}}
{{- if not (kindIs "map" $given) -}}
{{- if ne (len $rules) 1 -}}
{{- fail (printf "prometheusRule.thresholds.%s has a default for each of the severities %s: give values by severity, such as {warning: 5}" $measure (keys $rules | sortAlpha | join " and ")) -}}
{{- end -}}
{{- $given = dict (keys $rules | first) $given -}}
{{- end -}}
{{- range $severity, $value := $given -}}
{{- $expr := include "jfe.threshold" (list $measure $value) -}}
{{- $rule := get $rules $severity -}}
{{- if $rule -}}
{{- $_ := set $rule "expr" $expr -}}
{{- else if or (hasKey $rules "none") (not (has $severity (list "warning" "critical"))) -}}
{{- fail (printf "prometheusRule.thresholds.%s.%s: this threshold has no such severity" $measure $severity) -}}
{{- else -}}
{{- $added = append $added (dict "record" $record "expr" $expr "labels" (dict "severity" $severity)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with concat $added $values.overrides -}}
{{- $_ := set $spec "groups" (append $spec.groups (dict "name" "ci-thresholds-given" "rules" .)) -}}
{{- end -}}
{{- end }}

{{/* The spec of a rule file: list of the context, the path and the text. The text as it is, unless values change it. */}}
{{- define "jfe.ruleSpec" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values.prometheusRule -}}
{{- $text := include "jfe.linked" (list $root (index . 2)) -}}
{{- if or $values.alertLabels $values.thresholds $values.overrides -}}
{{- $spec := fromYaml $text -}}
{{- if eq (base (index . 1)) "thresholds.yml" -}}
{{- include "jfe.setThresholds" (list $root $spec) -}}
{{- end -}}
{{- range $spec.groups -}}
{{- range $rule := .rules -}}
{{- if .alert }}{{ $_ := set $rule "labels" (mergeOverwrite (deepCopy $values.alertLabels) (.labels | default dict)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml $spec -}}
{{- else -}}
{{- $text | trim -}}
{{- end -}}
{{- end }}
