# What the scripts of hack/cluster share: where things are kept, how a step is told and timed, how a result is
# stored so that an interrupted run leaves nothing that looks complete. Sourced, not run.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by those that source it
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034
repository=$(cd "$here/../.." && pwd)
store=${SELARAS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/selaras}/cluster
mkdir -p "$store"

say() { echo "cluster: $*" >&2; }
die() { say "$*"; exit 1; }

# content TEXT...: the name of a result in the cache: the first 16 digits of the SHA-256 of all it is made from.
content() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# digest FILE...: one word that changes when the content of one of the files changes, wherever the checkout is.
digest() { sha256sum "$@" | cut -c1-64 | sha256sum | cut -c1-64; }

# step TITLE COMMAND...: runs it and says how long it took. Its output goes to a log and is shown only if it fails; then
# the script ends, and says what $blame holds. Never call it as a condition: bash would go on after failed commands.
step() {
  local title=$1 began=$SECONDS log status
  shift
  mkdir -p "$store/log"
  log=$(mktemp "$store/log/step.XXXXXX")
  say "$title …"
  set +e
  (set -e; "$@") >"$log" 2>&1
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    tail -n 30 "$log" >&2
    say "$title: failed after $((SECONDS - began)) s; all of its output: $log"
    [ -z "${blame:-}" ] || say "$blame"
    exit 1
  fi
  say "$title: done in $((SECONDS - began)) s"
  rm -f "$log"
}

# made PATH TITLE COMMAND...: makes the file or folder PATH by COMMAND... PATH.part, unless it is there already. It is
# renamed into place when it is complete; two runs that want the same one do not make it twice.
made() {
  local path=$1 title=$2 lock
  shift 2
  [ ! -e "$path" ] || return 0
  mkdir -p "$(dirname "$path")"
  locked lock "$(basename "$path")" "$title"
  if [ ! -e "$path" ]; then
    rm -rf "$path.part"
    step "$title" "$@" "$path.part"
    mv "$path.part" "$path"
  fi
  exec {lock}>&-
}

# locked VARIABLE NAME TITLE: holds the lock NAME until the descriptor in VARIABLE is closed.
locked() {
  local -n descriptor=$1
  mkdir -p "$store/lock"
  exec {descriptor}>"$store/lock/$2"
  flock -n "$descriptor" || { say "another run is busy with: $3; waiting for it"; flock "$descriptor"; }
}

# Whether processes here may raise resource limits (CAP_SYS_RESOURCE).
may_raise_limits() {
  local bounding
  bounding=$(awk '$1 == "CapBnd:" {print $2}' /proc/self/status)
  (((16#$bounding >> 24) & 1))
}

# sources FOLDER MODULE: where the sources of MODULE are, at the version that the module in FOLDER asks for.
sources() {
  cd "$1"
  go mod download "$2" >&2 || die "the Go module proxy ($(go env GOPROXY)) did not give $2 (above)"
  go list -m -f '{{.Dir}}' "$2"
}

# debian PACKAGE...: installs those of them that are missing; says what to do where it may not. Services that the
# packages bring are not started: the cluster has an engine of its own.
debian() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || die "needs ${missing[*]}, which these scripts only know how to get on Debian"
  [ "$(id -u)" = 0 ] ||
    die "needs ${missing[*]} and may not install them: run 'apt-get install --no-install-recommends ${missing[*]}' as root"
  local blame="the Debian registry did not give ${missing[*]} (above); 'apt-get update' tells whether it can be reached"
  step "installing ${missing[*]} from Debian" apt_install "${missing[@]}"
}

apt_install() {
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 "$@"
}
