#!/usr/bin/env bash
# Writes requirements/*.txt anew from pyproject.toml: names, versions and hashes, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=build/lock-tool
if ! [ -x "$tool/bin/uv" ]; then
  "${PYTHON:-python3}" -m venv "$tool"
  "$tool/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
fi

compile() {
  "$tool/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-emit-index-url --no-header "${@:2}" pyproject.toml --output-file "requirements/$1"
}
compile runtime.txt --extra postgres "$@"
compile dev.txt --extra postgres --group dev --constraint requirements/runtime.txt "$@"
echo "lock: $(grep -c '^[a-z].*==' requirements/runtime.txt) packages to run, $(grep -c '^[a-z].*==' requirements/dev.txt) to develop"
