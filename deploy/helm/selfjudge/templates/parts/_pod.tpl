{{/* The pod: `selfjudge.pod` takes a list of the chart's scope and the role, server or worker. */}}

{{- define "selfjudge.pod" -}}
{{- $ := index . 0 -}}
{{- $role := index . 1 -}}
metadata:
  labels:
    {{- include "selfjudge.labels" $ | nindent 4 }}
    app.kubernetes.io/component: {{ $role }}
    {{- with $.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/settings: {{ include (print $.Template.BasePath "/settings.yaml") $ | sha256sum }}
    {{- with $.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "selfjudge.fullname" $ }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with $.Values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $.Values.terminationGracePeriodSeconds | default (add $.Values.preStopSeconds $.Values.settings.drain_seconds 30) }}
  {{- $synced := and $.Values.adapters.enabled $.Values.adapters.objectStore.uri }}
  {{- if or (include "selfjudge.copied" $) $synced }}
  initContainers:
    {{- if include "selfjudge.copied" $ }}
    {{- include "selfjudge.copyModel" $ | nindent 4 }}
    {{- end }}
    {{- if $synced }}
    {{- include "selfjudge.copyAdapters" (list $ "copy-adapters-once" "once") | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    {{- include (printf "selfjudge.%s" $role) $ | nindent 4 }}
    {{- if $synced }}
    {{- include "selfjudge.copyAdapters" (list $ "copy-adapters" "forever") | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "selfjudge.volumes" $ | nindent 4 }}
{{- end -}}

{{- define "selfjudge.server" -}}
- name: server
  image: {{ include "selfjudge.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if gt (int .Values.nodes) 1 }}
  # vLLM waits until the workers have brought their GPUs. The shell gives way, so that the server gets SIGTERM.
  command: [tini, --, bash, -c]
  args:
    - >-
      ray start --head --port=6379 --num-gpus={{ include "selfjudge.gpusOfPod" . }} --disable-usage-stats &&
      exec selfjudge-serve "$@"
    - selfjudge-serve
    - --host=0.0.0.0
    - --port=8000
    - --distributed-executor-backend=ray
  {{- else }}
  args:
  {{- end }}
    {{- with include "selfjudge.serverArguments" . | trim }}
    {{- . | nindent 4 }}
    {{- else }} []
    {{- end }}
  envFrom:
    - configMapRef: {name: {{ include "selfjudge.fullname" . }}-settings}
  env:
    - name: POD_NAME
      valueFrom:
        fieldRef: {fieldPath: metadata.name}
    {{- include "selfjudge.environment" . | nindent 4 }}
    {{- with include "selfjudge.keys" . }}
    {{- . | nindent 4 }}
    {{- end }}
  ports:
    - {name: http, containerPort: 8000}
  # The port opens when the model is loaded.
  startupProbe:
    httpGet: {path: /live, port: http}
    periodSeconds: 5
    timeoutSeconds: 5
    failureThreshold: {{ div (add .Values.startupSeconds 4) 5 }}
  # The process only: an engine that is being rebuilt is no reason to start all over.
  livenessProbe:
    httpGet: {path: /live, port: http}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    httpGet: {path: /ready, port: http}
    periodSeconds: 5
    timeoutSeconds: 5
    failureThreshold: 2
  lifecycle:
    preStop:
      exec: {command: [sleep, {{ .Values.preStopSeconds | quote }}]}
  resources:
    {{- include "selfjudge.resources" . | nindent 4 }}
  securityContext:
    {{- include "selfjudge.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- include "selfjudge.serverMounts" . | nindent 4 }}
{{- end -}}

{{- define "selfjudge.serverArguments" -}}
{{- with include "selfjudge.modelArguments" . | trim }}
{{ . }}
{{- end }}
{{- with .Values.engine }}
{{- if gt (int .tensorParallel) 1 }}
- --tensor-parallel-size={{ .tensorParallel }}
{{- end }}
{{- if gt (int .pipelineParallel) 1 }}
- --pipeline-parallel-size={{ .pipelineParallel }}
{{- end }}
{{- if $.Values.adapters.enabled }}
- --max-lora-rank={{ $.Values.adapters.maxRank }}
{{- end }}
{{- range .extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "selfjudge.worker" -}}
- name: worker
  image: {{ include "selfjudge.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [tini, --, bash, -c]
  # The leader may be later than its workers. When it goes, LeaderWorkerSet makes the whole group anew.
  args:
    - >-
      until ray start --address="$LWS_LEADER_ADDRESS:6379" --num-gpus={{ include "selfjudge.gpusOfPod" . }} --block;
      do sleep 5; done
  # Workers are told to go together with their leader, which still needs them while it drains.
  lifecycle:
    preStop:
      exec: {command: [bash, -c, 'while (exec 3<>"/dev/tcp/$LWS_LEADER_ADDRESS/6379"); do sleep 2; done']}
  env:
    {{- include "selfjudge.environment" . | nindent 4 }}
  resources:
    {{- include "selfjudge.resources" . | nindent 4 }}
  securityContext:
    {{- include "selfjudge.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- include "selfjudge.mounts" . | nindent 4 }}
{{- end -}}
