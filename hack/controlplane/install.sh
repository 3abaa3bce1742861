#!/usr/bin/env bash
# Installs the control plane that `make test` and `selaras dev` run: etcd, kube-apiserver, kube-controller-manager
# and kubectl. Where release downloads work they come ready-made in seconds; elsewhere they are built from Go modules
# (3 to 8 minutes on two cores), once: the result stays in a cache outside the tree.
#
#   hack/controlplane/install.sh               install what is missing
#   hack/controlplane/install.sh --print-dir   the same, and print the directory as the last line on stdout
#   hack/controlplane/install.sh --node        also what hack/cluster needs to make nodes: kubeadm, kubelet, kube-proxy,
#                                              kube-scheduler
#   hack/controlplane/install.sh --build       never download, always build
#
# Every binary is renamed into place when it is complete, so an interrupted run goes on where it stopped.
# A download that fails half-way is completed by building what it left out, of the same minor version.
# SELARAS_CACHE moves the cache (default ${XDG_CACHE_HOME:-$HOME/.cache}/selaras).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

print_dir=no
download=yes
binaries=(etcd kube-apiserver kube-controller-manager kubectl)
for argument in "$@"; do
  case "$argument" in
    --print-dir) print_dir=yes ;;
    --node) binaries+=(kubeadm kubelet kube-proxy kube-scheduler) ;;
    --build) download=no ;;
    *) echo "install.sh: unknown argument $argument (known: --print-dir, --node, --build)" >&2; exit 2 ;;
  esac
done

version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v/ {print $2}' go.mod)
os=$(go env GOOS)
arch=$(go env GOARCH)
# Mirrors may stand in for the places of Kubernetes' releases.
releases=${SELARAS_KUBERNETES_RELEASES:-https://dl.k8s.io}
envtest_index=${SELARAS_ENVTEST_INDEX:-} # empty: setup-envtest's own

cache=${SELARAS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/selaras}
content=$({ cat go.mod go.sum; echo "$os/$arch"; } | sha256sum | cut -c1-16)
root=$cache/controlplane/$content
bin=$root/bin

say() { echo "controlplane: $*" >&2; }

missing() {
  local name
  for name in "${binaries[@]}"; do [ -x "$bin/$name" ] || echo "$name"; done
}

# Runs a step and says how long it took; its output is shown only when it fails.
step() {
  local title=$1 began=$SECONDS log=$root/step.log
  shift
  say "$title …"
  if "$@" >"$log" 2>&1 9>&-; then
    say "$title: done in $((SECONDS - began)) s"
  else
    local status=$?
    say "$title: failed after $((SECONDS - began)) s"
    tail -n 30 "$log" >&2
    return "$status"
  fi
}

# Whether one of those that download_all brings is missing.
missing_download() { missing | grep -qE '^(etcd|kube-apiserver|kube-controller-manager|kubectl)$'; }

# The three binaries that setup-envtest carries, in the newest release of this minor version that it offers, and
# kube-controller-manager of the same release, which it does not carry.
# (Steps run as a condition, where `set -e` does not reach: each command says what its failure means.)
download_all() {
  local setup=$root/setup-envtest series assets release name
  series=$(cut -d. -f1,2 <<<"${version#v}").x
  (cd ../tools && go build -o "$setup" sigs.k8s.io/controller-runtime/tools/setup-envtest) || return 1
  assets=$(timeout 300 "$setup" use "$series" ${envtest_index:+--index "$envtest_index"} \
    --bin-dir "$root/envtest" --print path) || return 1
  for name in etcd kube-apiserver kubectl; do
    install -m 755 "$assets/$name" "$bin/.$name.part" && mv "$bin/.$name.part" "$bin/$name" || return 1
  done

  release=$(basename "$assets") # 1.36.0-linux-amd64
  local url=$releases/v${release%%-*}/bin/$os/$arch/kube-controller-manager part=$bin/.kube-controller-manager.part sum
  curl -fsSL --connect-timeout 10 --max-time 300 -o "$part" "$url" || return 1
  sum=$(curl -fsSL --connect-timeout 10 --max-time 30 "$url.sha256") || return 1
  echo "$sum  $part" | sha256sum -c - || return 1
  chmod +x "$part" && mv "$part" "$bin/kube-controller-manager"
}

# Kubernetes' own release build sets the version at link time; without it kubectl and client-go misread the server.
version_flags() {
  local package number=${version#v}
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    printf -- '-X %s.gitVersion=%s -X %s.gitMajor=%s -X %s.gitMinor=%s -X %s.gitTreeState=clean ' \
      "$package" "$version" "$package" "${number%%.*}" "$package" "$(cut -d. -f2 <<<"$number")" "$package"
  done
}

build_one() {
  local name=$1 package=k8s.io/kubernetes/cmd/$1
  [ "$name" = etcd ] && package=go.etcd.io/etcd/server/v3
  rm -f "$bin/.$name.part" # a download that broke off; the linker would keep its mode
  CGO_ENABLED=0 nice -n 5 go build -trimpath -ldflags "-s -w $(version_flags)" -o "$bin/.$name.part" "$package" &&
    mv "$bin/.$name.part" "$bin/$name"
}

command -v go >/dev/null || { say "Go is needed and was not found on PATH"; exit 1; }
mkdir -p "$bin"
exec 9>"$root/lock"
flock -n 9 || { say "another run is installing into $bin, waiting for it"; flock 9; }

if missing_download && [ "$download" = yes ]; then
  step "downloading Kubernetes ${version%.*} for $os/$arch" download_all ||
    say "downloads do not work here; building from Go modules instead (once, 3 to 8 minutes on two cores)"
fi
for name in $(missing); do
  step "building $name" build_one "$name"
done
[ -z "$(missing)" ] || { say "still missing in $bin: $(missing | xargs)"; exit 1; }
rm -rf "$root/step.log" "$root/setup-envtest" "$root/envtest"

say "${binaries[*]} of Kubernetes ${version%.*} are in $bin"
if [ "$print_dir" = yes ]; then echo "$bin"; fi
