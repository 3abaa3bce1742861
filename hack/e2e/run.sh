#!/usr/bin/env bash
# Runs the end-to-end suite: a cluster, the images on it, the cases, and tells how long each took.
#
#   hack/e2e/run.sh             all of it; the cluster is removed if this run made it, unless KEEP=1
#
# RUN and COUNT choose cases as go test's -run and -count do. CLUSTER and NODES are those of hack/cluster/cluster.sh; here
# NODES is 3 unless it is given.
# SELARAS_E2E_ARTIFACTS names the folder for what is kept of failed cases.
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib.sh"

cluster=$repository/hack/cluster/cluster.sh
figures=()

# timed TITLE COMMAND...: runs it and remembers how long it took.
timed() {
  local title=$1 began=$SECONDS status=0
  shift
  "$@" || status=$?
  figures+=("$(printf '%7d s  %s' $((SECONDS - began)) "$title")")
  return $status
}

# images builds Selaras under two names, as two versions, and the shops. What is there already is not built again.
images() {
  SELARAS_IMAGE=$(named v1) SELARAS_NEXT_IMAGE=$(named v2) SELARAS_SHOPS_IMAGE=$("$repository/hack/e2e/shops-image.sh")
  export SELARAS_IMAGE SELARAS_NEXT_IMAGE SELARAS_SHOPS_IMAGE
}

# named VERSION: builds Selaras and prints a name of the image that tells its content, so that pods on a cluster that
# was kept take what is new.
named() {
  local id
  "$repository/hack/cluster/image.sh" "selaras:e2e-$1" "$1" >&2
  id=$(docker image inspect --format '{{.Id}}' "selaras:e2e-$1")
  id=${id#sha256:}
  docker tag "selaras:e2e-$1" "selaras:$1-${id:0:12}"
  echo "selaras:$1-${id:0:12}"
}

load() {
  local image
  for image in "$SELARAS_IMAGE" "$SELARAS_NEXT_IMAGE" "$SELARAS_SHOPS_IMAGE"; do "$cluster" load "$image"; done
}

suite() {
  (cd "$repository" &&
    go test -tags e2e -count "${COUNT:-1}" -run "${RUN:-.}" -timeout 40m -parallel 3 -v ./test/e2e)
}

finish() {
  local status=$?
  [ -n "$kept" ] || "$cluster" down || true
  if [ "$status" -eq 0 ]; then say "the suite is green"; else say "the suite is not green"; fi
  printf '%s\n' "${figures[@]}" >&2
  exit "$status"
}

export NODES=${NODES:-3} # a drained node's pods need another to go to
kept=${KEEP:-}
"$cluster" env >/dev/null 2>&1 && kept=1 # somebody else's, or an earlier run's
trap finish EXIT
timed "cluster up" "$cluster" up
eval "$("$cluster" env)"
timed "images" images
timed "images to the nodes" load
timed "suite" suite
