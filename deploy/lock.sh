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
# Every line repeats the markers of [tool.uv] environments; one that says more would need thought, and is refused.
drop_known_markers() {
  sed -E -i "/ ; /{
    s/python_full_version < '3\.14'//; s/platform_python_implementation == 'CPython'//; s/sys_platform == 'linux'//
    s/implementation_name != '(pypy|PyPy)'//; s/ and / /g; s/ ; +\\\\$/ \\\\/
  }" "$1"
  if grep -n ' ; ' "$1" >&2; then
    echo "lock: $1 depends on more than the environments of pyproject.toml" >&2
    exit 1
  fi
}
compile runtime.txt --extra postgres "$@"
compile dev.txt --extra postgres --group dev --constraint requirements/runtime.txt "$@"
drop_known_markers requirements/runtime.txt
drop_known_markers requirements/dev.txt
echo "lock: $(grep -c '^[a-z].*==' requirements/runtime.txt) packages to run, $(grep -c '^[a-z].*==' requirements/dev.txt) to develop"
