#!/usr/bin/env bash
# A Kubernetes cluster of real nodes (kind) on this machine.
#
#   hack/cluster/cluster.sh up            make it; does nothing when it is up
#   hack/cluster/cluster.sh load IMAGE    bring an image of the engine to every node
#   hack/cluster/cluster.sh env           print what a shell needs to use it: eval "$(hack/cluster/cluster.sh env)"
#   hack/cluster/cluster.sh kubeconfig    print the path of its kubeconfig
#   hack/cluster/cluster.sh down          remove it, and the private engine when it was its last user
#
# CLUSTER names it (default selaras): two of different names live side by side. NODES is 1 (default) or 3.
# SELARAS_NODE_IMAGE names an image of a node to use instead of kind's, or of the one that is built where kind's
# cannot be pulled.
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster=${CLUSTER:-selaras}
nodes=${NODES:-1}
home=$store/clusters/$cluster
kubeconfig=$home/kubeconfig
pods=10.244.0.0/16

check() {
  [[ $cluster =~ ^[a-z0-9][a-z0-9.-]{0,40}$ ]] || die "CLUSTER=$cluster: lower case letters, digits, - and ., 41 at most"
  [[ $nodes =~ ^(1|3)$ ]] || die "NODES=$nodes: 1 or 3"
  command -v go >/dev/null || die "Go is needed and was not found on PATH"
}

up() {
  local lock image
  check
  "$here/engine.sh" up "cluster-$cluster"
  eval "$("$here/engine.sh" env)"
  locked lock "cluster-$cluster" "cluster $cluster"
  tools
  if works; then
    say "$cluster is up with $nodes node(s); kubeconfig: $kubeconfig"
    return
  fi
  image=$(node_image)
  mkdir -p "$home/volumes"
  configuration "$image" >"$home/kind.yaml"
  step "creating $cluster with $nodes node(s)" create "$image" {lock}>&-
  if built "$image"; then
    step "connecting pods" connect
    say "adaptation: no enforcement of NetworkPolicies here (ptp has none)"
  fi
  step "waiting until $cluster is ready" ready
  { built "$image" && echo none || echo enforced; } >"$home/network-policy"
  echo "$nodes" >"$home/complete"
  say "$cluster is up in $SECONDS s; kubeconfig: $kubeconfig"
}

tools() {
  kind=$("$here/binaries.sh" kind)/kind
  kubectl=$("$repository/hack/controlplane/install.sh" --print-dir)/kubectl
  echo "$kubectl" >"$store/kubectl"
}

# Whether it is there, whole and answers. What an interrupted run left is removed by `create`.
works() {
  [ -e "$home/complete" ] || return 1
  if ! k get --raw /readyz >/dev/null 2>&1; then say "$cluster does not answer; making it again"; return 1; fi
  [ "$(cat "$home/complete")" = "$nodes" ] ||
    die "$cluster is up with $(cat "$home/complete") node(s), not $nodes: make cluster-down first, or choose another CLUSTER"
}

k() { "$kubectl" --kubeconfig "$kubeconfig" --request-timeout 10s "$@"; }

# kind's own image where it can be had and can work, else one that is built.
node_image() {
  local published kind_sources
  if [ -n "${SELARAS_NODE_IMAGE:-}" ]; then echo "$SELARAS_NODE_IMAGE"; return; fi
  kind_sources=$(sources "$here/modules" sigs.k8s.io/kind)
  published=$(sed -n 's/^const Image = "\(.*\)"/\1/p' "$kind_sources/pkg/apis/config/defaults/image.go")
  if docker image inspect "$published" >/dev/null 2>&1; then echo "$published"; return; fi
  if ! may_raise_limits; then
    say "adaptation: ${published%@*} cannot start containers without CAP_SYS_RESOURCE; the image of a node is built"
  elif ! curl -s -o /dev/null --connect-timeout 5 --max-time 10 https://registry-1.docker.io/v2/; then
    say "${published%@*} cannot be had: the container registry docker.io does not answer; the image of a node is built"
  else
    step "pulling ${published%@*} from docker.io" docker pull -q "$published"
    echo "$published"
    return
  fi
  "$here/node.sh"
}

# Whether the image brings no network of its own, as those do not that node.sh builds.
built() { [[ $1 == selaras.dev/kind-node:* ]]; }

configuration() {
  local role roles=(control-plane)
  [ "$nodes" = 1 ] || roles+=(worker worker)
  echo "kind: Cluster"
  echo "apiVersion: kind.x-k8s.io/v1alpha4"
  echo "networking: {podSubnet: $pods, disableDefaultCNI: $(built "$1" && echo true || echo false)}"
  if ! may_raise_limits; then
    say "adaptation: kubelets take this host for a user namespace (KubeletInUserNamespace): they may not set what they want"
    echo "featureGates: {KubeletInUserNamespace: true}"
  fi
  if [ "$(docker info -f '{{.CgroupVersion}}')" = 1 ]; then
    say "adaptation: kubelets accept the cgroup v1 of this host"
    printf 'kubeadmConfigPatches:\n- |\n  kind: KubeletConfiguration\n  failCgroupV1: false\n'
  fi
  echo "nodes:"
  for role in "${roles[@]}"; do
    printf -- '- role: %s\n  extraMounts: [{hostPath: "%s/volumes", containerPath: /volumes}]\n' "$role" "$home"
  done
}

create() {
  rm -f "$home/complete" "$home/network-policy"
  "$kind" delete cluster --name "$cluster" --kubeconfig "$kubeconfig"
  "$kind" create cluster --name "$cluster" --kubeconfig "$kubeconfig" --image "$1" --config "$home/kind.yaml"
}

# A link from each pod to its node, a route from each node to the pods of the others, and the node's address for what
# leaves the cluster.
connect() {
  local node other
  declare -A range address
  for node in $("$kind" get nodes --name "$cluster"); do
    k wait --for=jsonpath='{.spec.podCIDR}' "node/$node" --timeout 60s --request-timeout 0
    range[$node]=$(k get node "$node" -o jsonpath='{.spec.podCIDR}')
    address[$node]=$(k get node "$node" -o jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}')
  done
  for node in "${!range[@]}"; do
    for other in "${!range[@]}"; do
      [ "$node" = "$other" ] || docker exec "$node" ip route replace "${range[$other]}" via "${address[$other]}"
    done
    docker exec "$node" iptables -t nat -A POSTROUTING -s "$pods" ! -d "$pods" -j MASQUERADE
    conflist "${range[$node]}" | docker exec -i "$node" sh -c 'cat >/tmp/net && mv /tmp/net /etc/cni/net.d/10-ptp.conflist'
  done
}

conflist() {
  cat <<EOF_CONFLIST
{"cniVersion": "1.0.0", "name": "ptp", "plugins": [
  {"type": "ptp", "ipMasq": false, "ipam": {
    "type": "host-local", "ranges": [[{"subnet": "$1"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF_CONFLIST
}

ready() {
  k wait --for=condition=Ready nodes --all --timeout 120s --request-timeout 0
  k -n kube-system rollout status deployment/coredns --timeout 120s --request-timeout 0
  k -n local-path-storage rollout status deployment/local-path-provisioner --timeout 120s --request-timeout 0
}

load() {
  [ -n "${1:-}" ] || die "which image? make cluster-load IMAGE=..., or cluster.sh load IMAGE"
  [ -e "$home/complete" ] || die "there is no cluster $cluster; make cluster-up makes it"
  eval "$("$here/engine.sh" env)"
  docker image inspect "$1" >/dev/null 2>&1 || die "the engine has no image $1; hack/cluster/image.sh builds that of Selaras"
  step "loading $1 into $cluster" "$("$here/binaries.sh" kind)/kind" load docker-image "$1" --name "$cluster"
}

print_env() {
  [ -e "$home/complete" ] || die "there is no cluster $cluster; make cluster-up makes it"
  "$here/engine.sh" env
  echo "export KUBECONFIG=$kubeconfig"
  echo "export KUBECTL=$(cat "$store/kubectl")"
  echo "export SELARAS_NETWORK_POLICY=$(cat "$home/network-policy")"
}

down() {
  if [ -d "$home" ]; then
    "$here/engine.sh" up "cluster-$cluster" # also to remove what an engine that was killed has left
    eval "$("$here/engine.sh" env)"
    step "removing $cluster" remove
  fi
  "$here/engine.sh" down "cluster-$cluster"
}

# The containers, with them what pods of any user left in volumes, and the network of kind after its last cluster.
remove() {
  local containers
  docker exec "$cluster-control-plane" find /volumes -mindepth 1 -delete || true # a user other than root may not
  containers=$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$cluster")
  # shellcheck disable=SC2086 # a list
  [ -z "$containers" ] || docker rm -fv $containers
  rm -rf "$home"
  [ -n "$(docker ps -aq --filter label=io.x-k8s.kind.cluster)" ] || docker network rm kind || true
}

case "${1:-}" in
  up) up ;;
  load) load "${2:-}" ;;
  env) print_env ;;
  kubeconfig) echo "$kubeconfig" ;;
  down) down ;;
  *) echo "usage: cluster.sh up|load IMAGE|env|kubeconfig|down" >&2; exit 2 ;;
esac
