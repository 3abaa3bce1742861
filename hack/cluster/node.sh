#!/usr/bin/env bash
# Builds the image of a node from Go modules and Debian packages, and prints its name on stdout. For hosts that cannot
# pull kindest/node; needs the engine that DOCKER_HOST names.
#
#   hack/cluster/node.sh
#
# The binaries, the root filesystems and the image are each kept by the content of what they are made from.
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

node_packages=(systemd systemd-sysv dbus conntrack iptables nftables iproute2 ethtool util-linux mount kmod libseccomp2
  pigz e2fsprogs bash ca-certificates curl jq procps socat ebtables hostname)
proxy_packages=(iptables nftables kmod) # of kube-proxy, and of the shell that makes the folders of volumes
runtime_binaries=(containerd ctr containerd-shim-runc-v2)
network_plugins=(host-local loopback ptp portmap)

controlplane=$repository/hack/controlplane
kubernetes=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v/ {print $2}' "$controlplane/go.mod")
front=$(may_raise_limits && echo none || echo ociruntime)

inputs=("$here"/{node,binaries}.sh "$here"/node/* "$here"/ociruntime/main.go
  "$here"/modules/{go.mod,go.sum,coredns/main.go} "$controlplane"/{go.mod,go.sum})
image=selaras.dev/kind-node:$kubernetes-$(content "$front" "$(digest "${inputs[@]}")")

# Everything that the Dockerfile copies, with the modes it shall have: a build without BuildKit cannot change them.
node_context() {
  local files=$1/files kind_files name
  kind_files=$(sources "$here/modules" sigs.k8s.io/kind)/images/base/files
  mkdir -p "$files"/{usr/bin,usr/local/bin,usr/local/sbin,usr/local/libexec,opt/cni/bin,etc/cni/net.d,kind/manifests}
  cp -r "$kind_files"/. "$files"
  chmod -R u=rwX,go=rX "$files"
  chmod 755 "$files"/usr/local/bin/* "$files"/kind/bin/*
  for name in kubeadm kubectl kubelet; do install -m 755 "$commands/$name" "$files/usr/bin/$name"; done
  for name in "${runtime_binaries[@]}"; do install -m 755 "$binaries/$name" "$files/usr/local/bin/$name"; done
  for name in "${network_plugins[@]}"; do install -m 755 "$binaries/$name" "$files/opt/cni/bin/$name"; done
  if [ "$front" = none ]; then
    install -m 755 "$binaries/runc" "$files/usr/local/sbin/runc"
  else
    install -m 755 "$binaries/runc" "$files/usr/local/libexec/runc"
    (cd "$repository" && CGO_ENABLED=0 go build -trimpath -ldflags "-X main.runc=/usr/local/libexec/runc" \
      -o "$files/usr/local/sbin/runc" ./hack/cluster/ociruntime)
  fi
  install -m 644 "$here/node/storage.yaml" "$files/kind/manifests/default-storage.yaml"
  printf %s "$kubernetes" >"$files/kind/version"
  cp "$here/node/Dockerfile" "$1"
}

# scratch IMAGE BINARY: an image of one static binary.
scratch() {
  local name
  name=$(basename "$2")
  tar -C "$(dirname "$2")" -c "$name" | docker import --change "ENTRYPOINT [\"/$name\"]" --change "ENV PATH=/" - "$1"
}

component_images() {
  local tag
  while read -r tag; do
    case "$tag" in
      */pause:*) scratch "$tag" "$binaries/pause" ;;
      */coredns:*) scratch "$tag" "$binaries/coredns" ;;
      */kube-proxy:*) proxy_image "$tag" ;;
      */etcd:*) scratch "$tag" "$commands/etcd" ;;
      *) scratch "$tag" "$commands/$(basename "${tag%:*}")" ;;
    esac
  done < <(component_tags)
  scratch selaras.dev/local-path-provisioner:built "$binaries/local-path-provisioner"
}

# The names that kubeadm will ask for.
component_tags() { "$commands/kubeadm" config images list --kubernetes-version "$kubernetes"; }

proxy_image() {
  docker import "$proxy_root" selaras.dev/local-path-helper:built
  mkdir -p "$work/proxy/usr/local/bin"
  install -m 755 "$commands/kube-proxy" "$work/proxy/usr/local/bin/kube-proxy"
  printf 'FROM selaras.dev/local-path-helper:built\nCOPY usr /usr\n' >"$work/proxy/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -q -t "$1" "$work/proxy"
}

base_image() {
  docker import "$node_root" "$image-root"
  node_context "$work/node"
  DOCKER_BUILDKIT=0 docker build -q -t "$image-base" \
    --build-arg "ROOT=$image-root" --build-arg "PAUSE=$(component_tags | grep /pause:)" "$work/node"
}

# The images of the components go into the store of the node's containerd, so that a node starts without pulling. /var
# is no volume here, else the commit would lose it.
import_images() {
  local container
  container=$(docker run -d --privileged --entrypoint sleep "$image-base" infinity)
  # shellcheck disable=SC2064 # this container
  trap "docker rm -fv $container >/dev/null" EXIT
  docker exec -d "$container" containerd
  docker exec "$container" sh -c 'for i in $(seq 150); do ctr version >/dev/null 2>&1 && exit; sleep 0.2; done; exit 1'
  mapfile -t tags < <(component_tags)
  docker save "${tags[@]}" selaras.dev/local-path-provisioner:built selaras.dev/local-path-helper:built |
    docker exec -i "$container" ctr -n k8s.io images import --no-unpack -
  docker exec "$container" sh -c 'pkill containerd; while pgrep -x containerd; do sleep 0.1; done; rm -rf /run/containerd'
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' --change 'CMD []' "$container" "$image"
}

build() {
  work=$(mktemp -d "$store/node.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  step "building the images of Kubernetes' components" component_images
  step "building the image of a node" base_image
  step "putting the components into the node's image" import_images
  docker rmi "$image-base" "$image-root" >/dev/null
}

if ! docker image inspect "$image" >/dev/null 2>&1; then
  locked lock node "the image of a node"
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    commands=$("$controlplane/install.sh" --node --print-dir)
    binaries=$("$here/binaries.sh" runc pause coredns local-path-provisioner "${runtime_binaries[@]}" "${network_plugins[@]}")
    node_root=$("$here/rootfs.sh" "${node_packages[@]}")
    proxy_root=$("$here/rootfs.sh" "${proxy_packages[@]}")
    [ "$front" = none ] || say "adaptation: containers inside nodes do without what only CAP_SYS_RESOURCE allows"
    build
  fi
  exec {lock}>&-
fi
echo "$image"
