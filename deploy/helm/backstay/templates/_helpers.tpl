{{- define "backstay.fullname" -}}
{{- if contains "backstay" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-backstay" .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "backstay.selector" -}}
app.kubernetes.io/name: backstay
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The name keeps Backstay's own objects out of every capture. */}}
{{- define "backstay.labels" -}}
{{ include "backstay.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "backstay.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "backstay.scheme" -}}
{{- if .Values.tls.existingSecret -}}HTTPS{{- else -}}HTTP{{- end -}}
{{- end -}}

{{/* What would not start, or would lose work, is said before anything is installed. */}}
{{- define "backstay.check" -}}
{{- if not (or .Values.settings.oidc .Values.tokensExist) -}}
{{- fail "nobody could be known: name an issuer in settings.oidc, or make tokens with `backstay token create` against the same journal and set tokensExist" -}}
{{- end -}}
{{- if not (or .Values.tls.existingSecret .Values.settings.proxy) -}}
{{- fail "tokens could be read on the way: set tls.existingSecret, or settings.proxy.trusted where a proxy ends TLS" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.existingSecret) -}}
{{- fail "several replicas share one journal: give BACKSTAY_DATABASE_URL in existingSecret" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) .Values.persistence.enabled (not (has "ReadWriteMany" .Values.persistence.accessModes)) -}}
{{- fail "several replicas cannot mount one ReadWriteOnce volume: with journal and snapshots in PostgreSQL set persistence.enabled to false, or name ReadWriteMany" -}}
{{- end -}}
{{- if not (or .Values.stacks .Values.existingStacks) -}}
{{- fail "there is no stack: set stacks or existingStacks" -}}
{{- end -}}
{{- if not .Values.namespaces -}}
{{- fail "the stacks live nowhere: set namespaces" -}}
{{- end -}}
{{- end -}}
