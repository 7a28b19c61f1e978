#!/usr/bin/env bash
# Puts promtool and Prometheus into build/tools, where the tests of alerts and dashboard find them (`make tools`).
# Taken out of Debian's package, not installed: installed, Prometheus would come with a dozen packages and a service.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v promtool prometheus >/dev/null || [[ -x build/tools/promtool && -x build/tools/prometheus ]]; then
    exit
fi
if ! command -v apt-get >/dev/null; then
    echo "promtool and prometheus are missing: put them on PATH (https://prometheus.io/download)" >&2
    exit 1
fi
mkdir -p build/tools
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
(cd "$folder" && apt-get -o APT::Sandbox::User=root download -qq prometheus)
dpkg --fsys-tarfile "$folder"/prometheus_*.deb | tar --extract --directory build/tools --strip-components 3 \
    ./usr/bin/promtool ./usr/bin/prometheus
