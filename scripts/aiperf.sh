#!/usr/bin/env bash
# Puts aiperf, the load generator of loadtests/scenarios, into build/aiperf (`make aiperf`): an environment of its own,
# since its packages clash with those of the server. PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

list=requirements/aiperf.txt
if cmp --silent "$list" build/aiperf/installed.txt; then
    exit
fi
"${PYTHON:-python3}" -m venv --clear build/aiperf
build/aiperf/bin/pip install --quiet --no-deps --no-compile --requirement "$list"
# Written last: an environment without it is made anew.
cp "$list" build/aiperf/installed.txt
