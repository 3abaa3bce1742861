#!/usr/bin/env bash
# Builds what a node runs beside Kubernetes, and kind, from Go modules at the versions of modules/go.mod, and prints
# the folder they are in on stdout.
#
#   hack/cluster/binaries.sh NAME...      of: containerd ctr containerd-shim-runc-v2 runc host-local loopback ptp
#                                         portmap coredns local-path-provisioner pause kind
#
# Each is kept on its own, by the content of the module: an interrupted run goes on where it stopped.
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

modules=$here/modules
version() { (cd "$modules" && go list -m -f '{{.Version}}' "$1"); }

compile() {
  local package=$1 output=$2
  shift 2
  cd "$modules"
  CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -p=2" nice -n 5 go build -trimpath "$@" -o "$output" "$package"
}

# Static: it runs on another Debian than the one that builds it. Without libseccomp, pods of the restricted profile
# would not start.
compile_runc() {
  cd "$modules"
  CGO_ENABLED=1 GOFLAGS="${GOFLAGS:-} -p=2" nice -n 5 go build -trimpath -tags "seccomp netgo osusergo" \
    -ldflags "-s -w -linkmode external -extldflags -static" -o "$1" github.com/opencontainers/runc
}

# The one C program of Kubernetes.
compile_pause() {
  local kubernetes
  kubernetes=$(sources "$repository/hack/controlplane" k8s.io/kubernetes)
  gcc -Os -Wall -static -DVERSION=built-from-modules -o "$1" "$kubernetes/build/pause/linux/pause.c"
}

binary() {
  local name=$1 path=$bin/$1 title="building $1"
  # shellcheck disable=SC2034 # told by a step that fails
  local blame="$1 was not built (above); if it is the network: its modules come from the Go module proxy, $proxy"
  case "$name" in
    containerd | ctr | containerd-shim-runc-v2)
      made "$path" "$title" compile_containerd "$name" ;;
    host-local)
      made "$path" "$title" compile "github.com/containernetworking/plugins/plugins/ipam/$name" ;;
    loopback | ptp)
      made "$path" "$title" compile "github.com/containernetworking/plugins/plugins/main/$name" ;;
    portmap)
      made "$path" "$title" compile "github.com/containernetworking/plugins/plugins/meta/$name" ;;
    coredns)
      made "$path" "$title" compile ./coredns ;;
    local-path-provisioner)
      made "$path" "$title" compile github.com/rancher/local-path-provisioner ;;
    kind)
      made "$path" "$title" compile sigs.k8s.io/kind ;;
    runc)
      [ -e "$path" ] || debian gcc libc6-dev libseccomp-dev pkg-config
      made "$path" "$title" compile_runc ;;
    pause)
      [ -e "$path" ] || debian gcc libc6-dev
      made "$path" "$title" compile_pause ;;
    *) echo "binaries.sh: nothing is named $name" >&2; exit 2 ;;
  esac
}

compile_containerd() {
  local package=github.com/containerd/containerd/v2
  compile "$package/cmd/$1" "$2" -tags "no_btrfs no_zfs no_devmapper no_aufs" \
    -ldflags "-s -w -X $package/version.Version=$(version $package)"
}

[ $# -gt 0 ] || { echo "usage: binaries.sh NAME..." >&2; exit 2; }
command -v go >/dev/null || die "Go is needed and was not found on PATH"
bin=$store/binaries/$(cd "$modules" && content "$(go env GOOS GOARCH)" "$(digest go.mod go.sum coredns/main.go)")
proxy=$(go env GOPROXY)
for name in "$@"; do binary "$name"; done
echo "$bin"
