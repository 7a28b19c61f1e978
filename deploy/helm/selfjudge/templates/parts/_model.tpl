{{/* What a model URI means: to vLLM, and to the pod. */}}

{{- define "selfjudge.scheme" -}}
{{- if .Values.model.uri -}}{{- regexFind "^[a-z0-9]+" .Values.model.uri -}}{{- end -}}
{{- end -}}

{{- define "selfjudge.copied" -}}
{{- if has (include "selfjudge.scheme" .) (list "s3" "gs") -}}true{{- end -}}
{{- end -}}

{{/* Arguments that name the model. */}}
{{- define "selfjudge.modelArguments" -}}
{{- $scheme := include "selfjudge.scheme" . -}}
{{- $rest := regexReplaceAll "^[a-z0-9]+://" .Values.model.uri "" -}}
{{- if eq $scheme "hf" -}}
- {{ regexReplaceAll "@.*$" $rest "" | quote }}
{{- if contains "@" $rest }}
- --revision={{ regexReplaceAll "^.*@" $rest "" }}
{{- end }}
{{- else if eq $scheme "pvc" -}}
- {{ regexReplaceAll "^[^/]+" $rest "/models" | trimSuffix "/" | quote }}
{{- else if eq $scheme "file" -}}
- {{ $rest | quote }}
{{- else if include "selfjudge.copied" . -}}
- {{ include "selfjudge.copyFolder" . | quote }}
{{- end }}
{{- with .Values.model.servedName }}
- --served-model-name={{ . }}
{{- end }}
{{- end -}}

{{- define "selfjudge.claimOfModel" -}}
{{- regexReplaceAll "^pvc://([^/]+).*$" .Values.model.uri "${1}" -}}
{{- end -}}

{{/* One folder per URI, so that another model never meets the files of the one before. */}}
{{- define "selfjudge.copyFolder" -}}
/var/cache/selfjudge/models/{{ sha256sum .Values.model.uri | trunc 16 }}
{{- end -}}

{{/* rclone's name of a bucket, from s3:// or gs://; credentials come from the environment. */}}
{{- define "selfjudge.remote" -}}
{{- . | replace "s3://" ":s3,env_auth:" | replace "gs://" ":gcs,env_auth:" -}}
{{- end -}}
