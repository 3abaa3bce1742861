#!/usr/bin/env bash
# Makes a Debian root filesystem with the given packages, for images that are built where no container registry can
# be reached, and prints the path of its tar on stdout.
#
#   hack/cluster/rootfs.sh PACKAGE...        docker import "$(hack/cluster/rootfs.sh postgresql nodejs)" shops-base
#
# Cached by the list of packages: the second call takes no time. SELARAS_DEBIAN_SUITE names another suite.
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

suite=${SELARAS_DEBIAN_SUITE:-bookworm}

# Documentation and caches are left out: no image needs them.
bootstrap() {
  mmdebstrap --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --format=tar "$suite" "$1"
}

[ $# -gt 0 ] || { echo "usage: rootfs.sh PACKAGE..." >&2; exit 2; }
packages=$(printf '%s\n' "$@" | sort -u | paste -sd,)
tar=$store/rootfs/$(content "$suite" "$packages" "$(declare -f bootstrap)").tar

if [ ! -e "$tar" ]; then
  debian mmdebstrap
  # shellcheck disable=SC2034 # told by a step that fails
  blame="not built (above); if it is the network: the Debian registry was asked for $packages"
  [ "$(id -u)" = 0 ] || blame="not built (above): it needs root, or a host that lets $(id -un) make user namespaces"
  made "$tar" "building a root filesystem of Debian's $suite with $# packages" bootstrap
fi
echo "$tar"
