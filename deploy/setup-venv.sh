#!/usr/bin/env bash
# Makes .venv with the pinned dependencies and the product in it; silent when it is up to date.
#
# A stamp inside .venv names what it was made from (lock file, pyproject.toml, interpreter). The stamp is written
# last, so an environment whose making was interrupted is made again.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "setup: $*" >&2
  exit 1
}

python_is_new_enough() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info)' >/dev/null 2>&1
}

venv=.venv
lock=requirements/dev.txt
digest() { cat "$@" | sha256sum | cut -c1-32; }
stamp_of_environment() {
  local version
  version=$("$venv/bin/python" -c 'import platform, sys; print(platform.python_version(), sys.prefix)' 2>/dev/null) || return 0
  echo "$(digest "$lock") $version"
}
stamp_of_product() { digest pyproject.toml; }
stamped() { [ -f "$venv/.$1" ] && [ "$(cat "$venv/.$1")" = "$2" ]; }

environment=$(stamp_of_environment)
if [ -n "$environment" ] && stamped dependencies "$environment" && stamped product "$(stamp_of_product)" \
  && [ -x "$venv/bin/xinyin" ]; then
  exit 0
fi

# Two makes at once (an editor and a shell) must not build one environment together.
exec 9>.venv.lock
flock 9

install_dependencies() {
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --retries 5 --timeout 60 \
    --require-hashes -r "$lock"
}

environment=$(stamp_of_environment)
if [ -n "$environment" ] && [ -f "$venv/.dependencies" ] && ! stamped dependencies "$environment"; then
  echo "setup: bringing $venv up to $lock"
  rm -f "$venv/.product"
  if install_dependencies; then
    echo "$environment" >"$venv/.dependencies"
  else
    echo "setup: that did not work; making $venv anew" >&2
  fi
fi
if [ -z "$environment" ] || ! stamped dependencies "$environment"; then
  python=
  for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 /usr/bin/python3; do
    if python_is_new_enough "$candidate"; then
      python=$candidate
      break
    fi
  done
  [ -n "$python" ] || fail "no Python 3.11 or newer with the venv module was found; set PYTHON to one."
  echo "setup: making $venv with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv" || fail "$python could not make a virtual environment."
  echo "setup: installing the pinned dependencies of $lock (about a minute)"
  install_dependencies || fail "pip could not install the pinned dependencies; is the package index reachable?"
  stamp_of_environment >"$venv/.dependencies"
fi

echo "setup: installing xinyin into $venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-build-isolation --no-deps --editable . \
  || fail "pip could not install xinyin into $venv."
stamp_of_product >"$venv/.product"
