#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that Xinyin needs and that are missing; silent when nothing is.
#
#   deploy/setup-debian.sh            what `make demo`, `make test` and `make serve` need
#   deploy/setup-debian.sh --judges   also the independent programs behind `make interop`
set -euo pipefail

fail() {
  echo "setup: $*" >&2
  exit 1
}

judges=false
case "${1:-}" in
  "") ;;
  --judges) judges=true ;;
  *) fail "unknown option '$1'; the only one is --judges." ;;
esac

installed() {
  dpkg-query -W -f '${db:Status-Abbrev}\n' "$1" 2>/dev/null | grep -q '^[hi]i'
}

has_command() { command -v "$1" >/dev/null 2>&1; }
python_is_new_enough() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}
# The first of these that this system's archive has; fonts go by several names.
first_known_package() {
  local name
  for name in "$@"; do
    if apt-cache show "$name" >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  echo "$1"
}

missing=()
want() {
  local package
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
}

if ! has_command dpkg-query || ! has_command apt-get; then
  needed=()
  for tool in softhsm2-util openssl cc pdftoppm; do
    has_command "$tool" || needed+=("$tool")
  done
  [ ${#needed[@]} -eq 0 ] && exit 0
  fail "this system has no apt; install what provides ${needed[*]} (and the headers of OpenSSL 3 and p11-kit) yourself, then try again."
fi

python_is_new_enough python3 || python_is_new_enough /usr/bin/python3 || want python3 python3-venv
has_command cc || want gcc
want softhsm2 libc6-dev libssl-dev libp11-kit-dev p11-kit openssl ca-certificates poppler-utils fonts-hanazono valgrind
want fonts-lxgw-wenkai

if $judges; then
  has_command javac || want default-jdk-headless
  has_command mvn || want maven
  has_command node || want nodejs
  has_command npm || want npm
  has_command chromium || has_command google-chrome || want chromium
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || want postgresql
  want libbcprov-java libbcpkix-java libbcutil-java libnss3-tools zbar-tools opensc gnutls-bin
  has_command nginx || want nginx-light
fi

[ ${#missing[@]} -eq 0 ] && exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then
  has_command sudo || fail "these packages are missing and only root can install them: ${missing[*]}"
  if [ -t 0 ]; then run=(sudo); else run=(sudo -n); fi
  "${run[@]}" true 2>/dev/null || fail "sudo refused; as root, run: apt-get install ${missing[*]}"
fi

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
no_services=false
clean_up() {
  rm -f "$log"
  if $no_services; then "${run[@]}" rm -f "$policy"; fi
}
trap clean_up EXIT
apt() {
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
    apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1
}
say_why_and_fail() {
  grep -E '^(E|W|Err):?' "$log" | tail -n 5 >&2 || tail -n 5 "$log" >&2
  fail "$1"
}

# The judges are programs that tests start by themselves; their packages are not to start services.
if $judges && [ ! -e "$policy" ]; then
  no_services=true
  printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee "$policy" >/dev/null
  "${run[@]}" chmod 755 "$policy"
fi

# dpkg that was interrupted refuses everything until it is told to finish.
"${run[@]}" dpkg --configure -a >/dev/null 2>&1 </dev/null || true

echo "setup: reading the package lists"
apt update || echo "setup: the package lists could not be refreshed; going on with the ones there are" >&2
for index in "${!missing[@]}"; do
  if [ "${missing[$index]}" = fonts-lxgw-wenkai ]; then
    missing[index]=$(first_known_package fonts-lxgw-wenkai fonts-lxgw-wenkai-lite fonts-arphic-uming)
  fi
done
echo "setup: installing ${missing[*]}"
apt install --no-install-recommends "${missing[@]}" </dev/null \
  || apt install --no-install-recommends --fix-missing "${missing[@]}" </dev/null \
  || say_why_and_fail "apt-get could not install: ${missing[*]}"
