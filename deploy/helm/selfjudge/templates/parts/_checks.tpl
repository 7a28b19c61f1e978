{{/* Values that are each allowed but contradict each other. Refused with what to do; all of them at once. */}}

{{- define "selfjudge.checks" -}}
{{- $problems := list -}}
{{- $v := .Values -}}
{{- $scaled := or $v.autoscaling.keda.enabled $v.autoscaling.hpa.enabled -}}
{{- $most := int (ternary $v.autoscaling.maxReplicas $v.replicas $scaled) -}}
{{- $gpus := mul $v.engine.tensorParallel $v.engine.pipelineParallel | int -}}
{{- $nodes := int $v.nodes -}}
{{- $scheme := include "selfjudge.scheme" . -}}
{{- $surges := and (eq $v.strategy.type "RollingUpdate") (ne (toString $v.strategy.maxSurge) "0") (eq $nodes 1) -}}

{{- if and $v.autoscaling.keda.enabled $v.autoscaling.hpa.enabled -}}
{{- $problems = append $problems "autoscaling.keda and autoscaling.hpa are both enabled, and would fight over the replicas: enable one" -}}
{{- end -}}
{{- if and $v.autoscaling.keda.enabled (not $v.autoscaling.keda.prometheusAddress) -}}
{{- $problems = append $problems "autoscaling.keda needs autoscaling.keda.prometheusAddress, where our queue is read from" -}}
{{- end -}}
{{- if and $scaled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- $problems = append $problems "autoscaling.minReplicas exceeds autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and $scaled (le (int $v.autoscaling.cooldownSeconds) (int $v.startupSeconds)) -}}
{{- $problems = append $problems "autoscaling.cooldownSeconds must exceed startupSeconds: else a replica goes while its successor loads the model" -}}
{{- end -}}

{{- if $v.modelCache.persistence.enabled -}}
{{- if and (has "ReadWriteOnce" $v.modelCache.persistence.accessModes) (gt (mul $most $nodes) 1) -}}
{{- $problems = append $problems "modelCache.persistence.accessModes has ReadWriteOnce, and several pods would mount it: use ReadWriteMany, or switch its persistence off" -}}
{{- end -}}
{{- if and (has "ReadWriteOnce" $v.modelCache.persistence.accessModes) $surges -}}
{{- $problems = append $problems "modelCache.persistence.accessModes has ReadWriteOnce, and strategy.maxSurge starts a second pod at each update: set maxSurge to 0" -}}
{{- end -}}
{{- end -}}

{{- if and (eq $v.accelerator "cpu") (gt $gpus 1) -}}
{{- $problems = append $problems "accelerator is cpu: engine.tensorParallel and engine.pipelineParallel must be 1" -}}
{{- end -}}
{{- if and (eq $v.accelerator "cpu") (or $v.runtimeClassName (gt $nodes 1)) -}}
{{- $problems = append $problems "accelerator is cpu: runtimeClassName must be empty and nodes 1" -}}
{{- end -}}
{{- if and (eq $v.accelerator "cpu") $v.model.uri (not (contains "--kv-cache-memory-bytes" (join " " $v.engine.extraArgs))) -}}
{{- $problems = append $problems "accelerator is cpu: name --kv-cache-memory-bytes in engine.extraArgs, since the default is a quarter of the node's free memory, not of the container's" -}}
{{- end -}}
{{- if ne (mod $gpus $nodes) 0 -}}
{{- $problems = append $problems (printf "engine.tensorParallel times engine.pipelineParallel is %d GPUs, which nodes=%d does not divide" $gpus $nodes) -}}
{{- end -}}

{{- if and $v.terminationGracePeriodSeconds (le (int $v.terminationGracePeriodSeconds) (add $v.preStopSeconds $v.settings.drain_seconds | int)) -}}
{{- $problems = append $problems "terminationGracePeriodSeconds must exceed preStopSeconds plus settings.drain_seconds: else tournaments are killed while they finish" -}}
{{- end -}}
{{- if and (eq $v.strategy.type "RollingUpdate") (eq (toString $v.strategy.maxSurge) "0") (eq (toString $v.strategy.maxUnavailable) "0") -}}
{{- $problems = append $problems "strategy.maxSurge and strategy.maxUnavailable are both 0: no update could ever begin" -}}
{{- end -}}

{{- with $v.adapters -}}
{{- if .enabled -}}
{{- if eq $scheme "hf" -}}
{{- $problems = append $problems "adapters are checked against the model's files: model.uri must be empty, pvc://, s3://, gs:// or file://, not hf://" -}}
{{- end -}}
{{- if gt $nodes 1 -}}
{{- $problems = append $problems "adapters are loaded from a private copy in the server's /tmp, which the other nodes of a replica can't read: nodes must be 1" -}}
{{- end -}}
{{- if and .readOnly .watch -}}
{{- $problems = append $problems "adapters.watch writes to the store what it activates: adapters.readOnly must be false" -}}
{{- end -}}
{{- if and .readOnly $v.auth.adminKeysKey -}}
{{- $problems = append $problems "auth.adminKeysKey opens routes that write to the store: adapters.readOnly must be false, or auth.adminKeysKey empty" -}}
{{- end -}}
{{- if not (or .watch .readOnly $v.auth.adminKeysKey) -}}
{{- $problems = append $problems "nobody could activate an adapter: set adapters.watch, or auth.adminKeysKey, or adapters.readOnly to follow another release" -}}
{{- end -}}
{{- if and .objectStore.uri .persistence.existingClaim -}}
{{- $problems = append $problems "adapters.objectStore.uri and adapters.persistence.existingClaim are two stores: name one" -}}
{{- end -}}
{{- if and .objectStore.uri (not .watch) -}}
{{- $problems = append $problems "with adapters.objectStore.uri each pod has a store of its own, which one call can't activate for all: set adapters.watch" -}}
{{- end -}}
{{- if and (not .objectStore.uri) (has "ReadWriteOnce" .persistence.accessModes) (or (gt (mul $most $nodes) 1) $surges) -}}
{{- $problems = append $problems "adapters.persistence.accessModes has ReadWriteOnce, and several pods would mount it: use ReadWriteMany or adapters.objectStore.uri" -}}
{{- end -}}
{{- else if or .watch .readOnly .objectStore.uri .persistence.existingClaim -}}
{{- $problems = append $problems "adapters has a store or a way to follow it, and adapters.enabled is false" -}}
{{- end -}}
{{- end -}}

{{- if and (not $v.adapters.enabled) (or $v.settings.gate_pairs $v.settings.gate_prompts) -}}
{{- $problems = append $problems "settings.gate_pairs and settings.gate_prompts are the gate of versions from a store, and adapters.enabled is false" -}}
{{- end -}}

{{- if and $v.auth.adminKeysKey (not $v.auth.existingSecret) -}}
{{- $problems = append $problems "auth.adminKeysKey names a key of auth.existingSecret, which is empty" -}}
{{- end -}}
{{- if and (gt $nodes 1) $scaled -}}
{{- if $v.autoscaling.hpa.enabled -}}
{{- $problems = append $problems "autoscaling.hpa reads metrics of all pods, and the workers of a replica over several nodes have none: use autoscaling.keda" -}}
{{- end -}}
{{- end -}}

{{- if $problems -}}
{{- fail (printf "\n\nselfjudge: these values contradict each other:\n  * %s\n" (join "\n  * " $problems)) -}}
{{- end -}}
{{- end -}}
