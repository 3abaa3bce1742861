#!/usr/bin/env bash
# Builds the image of an earlier commit and loads it into the cluster, writes its config/default as DIR/manifests.yaml,
# and prints the image's name on stdout. CLUSTER names the cluster, DOCKER_HOST the engine.
#
#   hack/e2e/earlier.sh REF DIR
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ $# = 2 ] || { echo "usage: earlier.sh REF DIR" >&2; exit 2; }
ref=$1 dir=$2
commit=$(git -C "$repository" rev-parse --short=12 "$ref^{commit}")
image=selaras:$commit
tree=$dir/tree

git -C "$repository" worktree add --quiet --detach "$tree" "$commit"
trap 'git -C "$repository" worktree remove --force "$tree"' EXIT
if ! docker image inspect "$image" >/dev/null 2>&1; then
  make -C "$tree" build LOCALBIN="$dir/out" >&2
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/ca-certificates.crt"
  sed -n '/^FROM scratch/,$ {s/--from=build //; p}' "$repository/Dockerfile" >"$dir/Dockerfile"
  mkdir -p "$dir/context"
  mv "$dir/out" "$dir/etc" "$dir/Dockerfile" "$dir/context/"
  DOCKER_BUILDKIT=0 docker build --quiet -t "$image" "$dir/context" >&2
fi
"$repository/hack/cluster/cluster.sh" load "$image" >&2
make -C "$repository" "$repository/bin/kustomize" >&2
"$repository/bin/kustomize" build "$tree/config/default" >"$dir/manifests.yaml"
echo "$image"
