{{/* Copies from an object store, by rclone: the model before the server starts, adapters for as long as it runs. */}}

{{- define "selfjudge.rclone" -}}
image: {{ .Values.objectStore.image }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- include "selfjudge.containerSecurity" . | nindent 2 }}
resources:
  requests: {cpu: 100m, memory: 256Mi}
  limits: {memory: 1Gi}
{{- with .Values.objectStore.existingSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}

{{- define "selfjudge.copyModel" -}}
- name: copy-model
  {{- include "selfjudge.rclone" . | nindent 2 }}
  args:
    - copy
    - --config=/tmp/rclone.conf
    - {{ include "selfjudge.remote" .Values.model.uri | quote }}
    - {{ include "selfjudge.copyFolder" . }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: model-cache, mountPath: /var/cache/selfjudge}
{{- end -}}

{{/*
A version appears in the store by one rename, as `selfjudge-train publish` makes it. Whoever fills the bucket uploads a
version's manifest.json last: a version without one is left alone. The server sees the volume's folder "store" only.
*/}}
{{- define "selfjudge.copyAdaptersScript" -}}
set -eu
volume=${VOLUME:-/var/lib/selfjudge/adapters}
mkdir -p "$volume/incoming" "$volume/store"
fetch() {
    rclone copy --config=/tmp/rclone.conf --exclude='.*/**' --compare-dest="$volume/store" "$REMOTE" "$volume/incoming" \
        || return 1
    for manifest in "$volume"/incoming/*/*/manifest.json; do
        [ -e "$manifest" ] || continue
        version=${manifest%/manifest.json}
        target=$volume/store/${version#"$volume/incoming/"}
        mkdir -p "${target%/*}"
        [ -e "$target" ] || mv "$version" "$target"
    done
}
if [ "$1" = once ]; then
    fetch
    exit
fi
trap 'exit 0' TERM
while :; do
    sleep "$POLL_SECONDS" & wait $!
    (fetch) || echo "the adapters could not be copied from $REMOTE; trying again in $POLL_SECONDS s" >&2
done
{{- end -}}

{{- define "selfjudge.copyAdapters" -}}
{{- $values := index . 0 -}}
- name: {{ index . 1 }}
  {{- include "selfjudge.rclone" $values | nindent 2 }}
  command: [/bin/sh, -c]
  args:
    - |
      {{- include "selfjudge.copyAdaptersScript" $values | nindent 6 }}
    - copy-adapters
    - {{ index . 2 }}
  env:
    - {name: REMOTE, value: {{ include "selfjudge.remote" $values.Values.adapters.objectStore.uri | quote }}}
    - {name: POLL_SECONDS, value: {{ $values.Values.adapters.objectStore.pollSeconds | quote }}}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: adapters, mountPath: /var/lib/selfjudge/adapters}
{{- end -}}
