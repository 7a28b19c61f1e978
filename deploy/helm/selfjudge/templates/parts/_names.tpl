{{- define "selfjudge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 characters: LeaderWorkerSet and Kubernetes append to it. */}}
{{- define "selfjudge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "selfjudge.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "selfjudge.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "selfjudge.selector" -}}
app.kubernetes.io/name: {{ include "selfjudge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What answers requests: not the workers of a replica over several nodes, and not the test pod. */}}
{{- define "selfjudge.serverSelector" -}}
{{ include "selfjudge.selector" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "selfjudge.labels" -}}
{{ include "selfjudge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "selfjudge.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default (printf "%s-%s" $.Chart.AppVersion $.Values.accelerator) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "selfjudge.modelCacheClaim" -}}
{{- .Values.modelCache.persistence.existingClaim | default (printf "%s-model-cache" (include "selfjudge.fullname" .)) -}}
{{- end -}}

{{- define "selfjudge.adaptersClaim" -}}
{{- .Values.adapters.persistence.existingClaim | default (printf "%s-adapters" (include "selfjudge.fullname" .)) -}}
{{- end -}}
