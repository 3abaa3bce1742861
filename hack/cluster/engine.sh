#!/usr/bin/env bash
# A container engine for the cluster and for images: the docker that answers; else one from Debian, started as a
# private daemon whose socket, data, pid and log are all in the cache folder.
#
#   hack/cluster/engine.sh up [USER]     make sure that an engine answers
#   hack/cluster/engine.sh env           print what a shell needs to talk to it: eval "$(hack/cluster/engine.sh env)"
#   hack/cluster/engine.sh down [USER]   USER is done with it
#
# The private daemon is shared: it stops when the last of those who said `up` has said `down`, and undoes then what it
# changed on the host. Its images stay in the cache, so that it starts warm the next time. USER is any word, default
# `shell`; every cluster is a user of its own.
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

home=$store/engine
socket=unix://$home/docker.sock

# What the daemon, and the kubelets and proxies of nodes, set for the whole kernel.
settings=(net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.default.forwarding
  vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
  kernel.keys.root_maxkeys kernel.keys.root_maxbytes net.netfilter.nf_conntrack_max
  fs.inotify.max_user_watches fs.inotify.max_user_instances)

answers() { timeout 10 docker version >/dev/null 2>&1; }
private_answers() { DOCKER_HOST=$socket answers; }

# The pid of our daemon, and nothing when another process got its number since.
daemon() {
  local pid
  pid=$(cat "$home/docker.pid" 2>/dev/null) || return 0
  if grep -qsF -- "$socket" "/proc/$pid/cmdline"; then echo "$pid"; fi
}

up() {
  local lock
  if ! private_answers && answers; then say "using the engine that answers here"; return; fi
  [ "$(id -u)" = 0 ] ||
    die "no container engine answers, and only root can start one: start docker, or set DOCKER_HOST, or run this as root"
  locked lock engine "the engine"
  if private_answers; then
    say "the private engine runs ($socket)"
  else
    # A docker of another origin that does not run is left as it is, and its programs are used.
    command -v dockerd >/dev/null || debian docker.io containerd runc
    debian iptables iproute2 procps
    local blame="docker did not start; its log: $home/docker.log"
    may_raise_limits || say "adaptation: this host lacks CAP_SYS_RESOURCE; containers do without what only it allows"
    rm -rf "$home/users" # of a daemon that ended with its host
    step "starting a private docker" start
    room_for_watches
  fi
  mkdir -p "$home/users" && touch "$home/users/$1"
  exec {lock}>&-
}

start() {
  local flags=() front
  mkdir -p "$home"
  [ -z "$(daemon)" ] || return 0
  remember
  if ! may_raise_limits; then
    front=$(runtime)
    flags+=(--add-runtime "selaras=$front" --default-runtime selaras)
  fi
  echo '{}' >"$home/daemon.json" # else it reads the one of a daemon of the host
  # It outlives the terminal and does not hold our lock.
  setsid nohup dockerd --host "$socket" --data-root "$home/data" --exec-root "$home/exec" \
    --pidfile "$home/docker.pid" --config-file "$home/daemon.json" "${flags[@]}" \
    >"$home/docker.log" 2>&1 </dev/null {lock}>&- &
  wait_until 60 answers_or_ended $!
  private_answers || { tail -n 20 "$home/docker.log"; return 1; }
}

# The path of the runtime that stands in front of runc.
runtime() {
  local path runc
  runc=$(command -v runc)
  path=$store/ociruntime/$(content "$(digest "$here/ociruntime/main.go")" "$runc")/ociruntime
  [ -e "$path" ] || build_runtime "$path" "$runc" >&2
  echo "$path"
}

build_runtime() {
  mkdir -p "$(dirname "$1")"
  cd "$repository"
  CGO_ENABLED=0 go build -trimpath -ldflags "-X main.runc=$2" -o "$1.part" ./hack/cluster/ociruntime
  mv "$1.part" "$1"
}

# Every systemd, kubelet and proxy of a node watches files, all as one user: the usual 128 are too few for three nodes.
room_for_watches() {
  local setting least
  for setting in fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=524288; do
    least=${setting#*=}
    [ "$(sysctl -n "${setting%%=*}")" -lt "$least" ] || continue
    say "adaptation: $setting while the private docker runs (it was $(sysctl -n "${setting%%=*}"))"
    sysctl -q -w "$setting"
  done
}

wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.2
  done
}

# What the host looked like before, for `down`.
remember() {
  [ -e "$home/before.sysctl" ] && return
  sysctl "${settings[@]}" >"$home/before.sysctl.part" 2>/dev/null || true
  iptables-save | sed -n 's/^:FORWARD \([A-Z]*\).*/\1/p' | tail -n 1 >"$home/before.forward"
  mv "$home/before.sysctl.part" "$home/before.sysctl"
}

down() {
  local pid lock users
  locked lock engine "the engine"
  rm -f "$home/users/$1"
  users=$(find "$home/users" -type f -printf '%f ' 2>/dev/null || true)
  if [ -n "$users" ]; then
    say "the private engine goes on for: $users"
    return
  fi
  pid=$(daemon)
  if [ -n "$pid" ]; then step "stopping the private docker" stop "$pid"; fi
  if [ -e "$home/before.sysctl" ]; then step "undoing what docker changed on the host" restore; fi
  exec {lock}>&-
}

stop() {
  local containers networks
  export DOCKER_HOST=$socket
  containers=$(docker ps -aq)
  # shellcheck disable=SC2086 # a list
  [ -z "$containers" ] || docker rm -fv $containers
  networks=$(docker network ls -q --filter type=custom)
  # shellcheck disable=SC2086
  [ -z "$networks" ] || docker network rm $networks
  kill "$1"
  wait_until 30 gone "$1"
}

answers_or_ended() { private_answers || gone "$1"; }

gone() { ! kill -0 "$1" 2>/dev/null; }

# Its bridge, its rules of the packet filter and the settings of the kernel.
restore() {
  local table forward setting
  if ip link show docker0 >/dev/null 2>&1; then ip link delete docker0; fi
  for table in iptables ip6tables; do
    "$table-save" | sed '/DOCKER\|docker0/d' | "$table-restore"
  done
  forward=$(cat "$home/before.forward")
  iptables -P FORWARD "${forward:-ACCEPT}"
  sed 's/ = /=/' "$home/before.sysctl" | while read -r setting; do
    [ "$(sysctl -n "${setting%%=*}")" = "${setting#*=}" ] || sysctl -q -w "$setting"
  done
  rm -rf "$home"/before.* "$home/exec" "$home/docker.sock" "$home/docker.pid"
}

print_env() {
  if [ -n "$(daemon)" ]; then echo "export DOCKER_HOST=$socket"
  elif [ -n "${DOCKER_HOST:-}" ]; then echo "export DOCKER_HOST=$DOCKER_HOST"
  fi
}

case "${1:-}" in
  up) up "${2:-shell}" ;;
  down) down "${2:-shell}" ;;
  env) print_env ;;
  *) echo "usage: engine.sh up|down [USER], or engine.sh env" >&2; exit 2 ;;
esac
