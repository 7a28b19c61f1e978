{{/* What the containers of server and worker have in common. */}}

{{- define "selfjudge.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "selfjudge.gpusOfPod" -}}
{{- if eq .Values.accelerator "cuda" -}}
{{- div (mul .Values.engine.tensorParallel .Values.engine.pipelineParallel) .Values.nodes -}}
{{- else -}}0{{- end -}}
{{- end -}}

{{/* GPUs are asked for as they are limited: Kubernetes shares none. */}}
{{- define "selfjudge.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- if eq .Values.accelerator "cuda" -}}
{{- range list "requests" "limits" -}}
{{- $_ := set $resources . (merge (dict $.Values.gpu.resourceName (include "selfjudge.gpusOfPod" $)) (get $resources . | default dict)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{- define "selfjudge.environment" -}}
- name: HF_HOME
  value: /var/cache/selfjudge/huggingface
- name: VLLM_CACHE_ROOT
  value: /var/cache/selfjudge/vllm
{{- with .Values.huggingFace }}
{{- if .existingSecret }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret }}, key: {{ .tokenKey }}}
{{- end }}
{{- end }}
{{- if gt (int .Values.nodes) 1 }}
- name: VLLM_HOST_IP
  valueFrom:
    fieldRef: {fieldPath: status.podIP}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "selfjudge.keys" -}}
{{- with .Values.auth }}
{{- if .existingSecret -}}
- name: SELFJUDGE_API_KEYS
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret }}, key: {{ .apiKeysKey }}}
{{- if .adminKeysKey }}
- name: SELFJUDGE_ADMIN_KEYS
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret }}, key: {{ .adminKeysKey }}}
{{- end }}
{{- end -}}
{{- end }}
{{- end -}}

{{- define "selfjudge.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: shm, mountPath: /dev/shm}
- {name: model-cache, mountPath: /var/cache/selfjudge}
{{- if eq (include "selfjudge.scheme" .) "pvc" }}
- {name: model, mountPath: /models, readOnly: true}
{{- end }}
{{- end -}}

{{- define "selfjudge.serverMounts" -}}
{{ include "selfjudge.mounts" . }}
{{- if .Values.adapters.enabled }}
- {name: adapters, mountPath: /var/lib/selfjudge/adapters, readOnly: {{ .Values.adapters.readOnly }}{{ if .Values.adapters.objectStore.uri }}, subPath: store{{ end }}}
{{- end }}
{{- if .Values.brackets.enabled }}
- {name: brackets, mountPath: /var/lib/selfjudge/brackets, subPathExpr: $(POD_NAME)}
{{- end }}
{{- if .Values.templates }}
- {name: templates, mountPath: /etc/selfjudge/templates, readOnly: true}
{{- end }}
{{- end -}}

{{- define "selfjudge.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.tmpSizeLimit }}}
- name: shm
  emptyDir: {medium: Memory, sizeLimit: {{ .Values.sharedMemory }}}
- name: model-cache
  {{- if .Values.modelCache.persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ include "selfjudge.modelCacheClaim" . }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ .Values.modelCache.sizeLimit }}}
  {{- end }}
{{- if eq (include "selfjudge.scheme" .) "pvc" }}
- name: model
  persistentVolumeClaim: {claimName: {{ include "selfjudge.claimOfModel" . }}, readOnly: true}
{{- end }}
{{- with .Values.adapters }}
{{- if .enabled }}
- name: adapters
  {{- if .objectStore.uri }}
  emptyDir: {sizeLimit: {{ .persistence.size }}}
  {{- else }}
  persistentVolumeClaim: {claimName: {{ include "selfjudge.adaptersClaim" $ }}}
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.brackets }}
{{- if .enabled }}
- name: brackets
  {{- if .existingClaim }}
  persistentVolumeClaim: {claimName: {{ .existingClaim }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ .sizeLimit }}}
  {{- end }}
{{- end }}
{{- end }}
{{- if .Values.templates }}
- name: templates
  configMap: {name: {{ include "selfjudge.fullname" . }}-templates}
{{- end }}
{{- end -}}
