#!/usr/bin/env bash
# Builds the image of Selaras with this machine's Go: what the Dockerfile makes, on a host that cannot pull the image of
# Go that the Dockerfile starts from. Needs the engine that DOCKER_HOST names.
#
#   hack/cluster/image.sh TAG [VERSION]      VERSION is what `selaras --version` tells, default dev; two
#                                            versions of one tree are two images
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -ge 1 ] || { echo "usage: image.sh TAG [VERSION]" >&2; exit 2; }
tag=$1
version=${2:-dev}

# The last stage of the Dockerfile, with what it takes from the stage before laid out beside it.
build() {
  make -C "$repository" build LOCALBIN="$work/out" VERSION="$version"
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$work/etc/ssl/certs/ca-certificates.crt"
  sed -n '/^FROM scratch/,$ {s/--from=build //; p}' "$repository/Dockerfile" >"$work/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -t "$tag" "$work"
}

command -v go >/dev/null || die "Go is needed and was not found on PATH"
timeout 10 docker version >/dev/null 2>&1 ||
  die "no container engine answers; hack/cluster/engine.sh up starts one, hack/cluster/engine.sh env tells where"
[ -e /etc/ssl/certs/ca-certificates.crt ] || debian ca-certificates
work=$(mktemp -d "$store/image.XXXXXX")
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2034 # told by a step that fails
blame="$tag was not built (above); if it is the network: its modules come from the Go module proxy, $(go env GOPROXY)"
step "building $tag ($version) with this machine's Go" build
