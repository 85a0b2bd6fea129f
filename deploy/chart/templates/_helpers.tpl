{{/*
The names of all objects begin with it. A CronJob's has at most 52 characters, and 9 of them are for a namespace's hash.
*/}}
{{- define "jobclean.name" -}}
{{- $name := .Release.Name | replace "." "-" | trunc 43 -}}
{{- if ne $name .Release.Name -}}
{{- /* Two releases that look alike now still differ in the hash. */ -}}
{{- $name = printf "%s-%s" ($name | trunc 34) (.Release.Name | sha256sum | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "jobclean.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "jobclean.name" .) -}}
{{- end }}

{{/* The ConfigMap with the policy. */}}
{{- define "jobclean.policy" -}}
{{- include "jobclean.name" . }}-policy
{{- end }}

{{- define "jobclean.labels" -}}
{{- $own := dict
  "app.kubernetes.io/name" "jobclean"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version) -}}
{{- range $key, $value := .Values.labels -}}
{{- if hasKey $own $key -}}
{{- fail (printf "labels: the chart sets %s itself; leave it out" $key) -}}
{{- end -}}
{{- end -}}
{{- merge $own (.Values.labels | default dict) | toYaml -}}
{{- end }}

{{/* The metadata of an object: (list $ name namespace); an empty namespace for an object that is in none. */}}
{{- define "jobclean.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 | quote }}
{{- with index . 2 }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- include "jobclean.labels" $root | nindent 2 }}
{{- with $root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Refuses values that contradict each other, which the schema cannot say well. */}}
{{- define "jobclean.check" -}}
{{- if and .Values.label (ne .Values.groupBy "application") -}}
{{- fail "label and groupBy cannot be set together: groupBy: label:KEY says the same" -}}
{{- end -}}
{{- if and .Values.gitopsNamespaces (eq .Values.gitops "ignore") -}}
{{- fail "gitops is ignore: leave gitopsNamespaces out" -}}
{{- end -}}
{{- if and (ne .Values.gitops "auto") (hasKey (dig "defaults" dict (.Values.policy | default dict) | default dict) "gitops") -}}
{{- fail "gitops and policy.defaults.gitops cannot be set together: leave the first out" -}}
{{- end -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false: set serviceAccount.name to an account that is there" -}}
{{- end -}}
{{- /* One letter may stand behind others that take no value: -qA. */ -}}
{{- $taken := dict
  "^(--(all-namespaces|namespace)(=|$)|-[iqvAy]*[An])" "namespaces"
  "^(--label(=|$)|-[iqvAy]*L)" "label"
  "^--group-by(=|$)" "groupBy"
  "^--gitops(=|$)" "gitops"
  "^--gitops-namespace(=|$)" "gitopsNamespaces"
  "^--policy(=|$)" "policy"
  "^(--(dry-run|yes)(=|$)|-[iqvAy]*y)" "dryRun" -}}
{{- range $flag := .Values.flags -}}
{{- range $pattern, $value := $taken -}}
{{- if regexMatch $pattern $flag -}}
{{- fail (printf "flags: leave %s out, the value %s sets it" $flag $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
