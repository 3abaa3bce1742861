#!/usr/bin/env bash
# Installs the real third-party servers that the demo and the tests run.
#
#   hack/shops/install.sh [vendure|medusa|shopify|postgres|nginx|all]... [--print-dir|--print-app-dir]
#
# Shops go to ${SELARAS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/selaras}/shops, one
# directory for each content of their pinned packages, shared by every checkout;
# PostgreSQL and nginx come from Debian. What is there already is left alone, and
# an install that was interrupted is repeated. --print-dir only prints where
# the named shop is or would be, --print-app-dir where its scripts and databases
# are. internal/shops computes the same directories.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SELARAS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/selaras}/shops

say() { echo "shops: $*" >&2; }
die() { say "$*"; exit 1; }

# content FILE...: the first 12 digits of the SHA-256 of the files joined.
content() {
  if command -v sha256sum >/dev/null; then cat "$@" | sha256sum | cut -c1-12
  else cat "$@" | shasum -a 256 | cut -c1-12; fi
}

vendure_src=$root/internal/shops/vendure
vendure_dir() {
  echo "$cache/vendure-$(content "$vendure_src"/{package.json,package-lock.json,sample.json})"
}
vendure_app() {
  echo "$(vendure_dir)/app-$(content "$vendure_src"/{config.js,hook.js,populate.js,server.js,../webhook.js})"
}

medusa_src=$root/internal/shops/medusa
medusa_dir() {
  echo "$cache/medusa-$(content "$medusa_src"/{package.json,package-lock.json})"
}
medusa_app() {
  echo "$(medusa_dir)/app-$(content "$medusa_src"/{medusa-config.js,hooks.js,../webhook.js})"
}

# Medusa and Vendure want Node.js 20; Debian 12 has 18, which is enough to get a newer one from npm.
node_release=22

need_node() {
  node_works && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "needs Node.js 20 or newer with npm, found $(node --version 2>/dev/null || echo none): install it; on Debian this script does as root"
  fi
  command -v npm >/dev/null || debian "nodejs npm" "1 min"
  node_works && return
  say "installing Node.js $node_release from npm (usually 10 s)"
  npm install --global --no-audit --no-fund --loglevel=error "node@$node_release" >/dev/null ||
    die "npm install --global node@$node_release failed (above)"
  hash -r
  node_works || die "installed Node.js $node_release, but node on PATH is $(node --version 2>/dev/null || echo none)"
}

node_works() {
  command -v npm >/dev/null && node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null
}

# once DIR FUNCTION: fills DIR with FUNCTION STAGING, whole or not at all, one
# process at a time.
once() {
  local dir=$1 fill=$2
  [ -d "$dir" ] && return
  mkdir -p "$(dirname "$dir")"
  (
    if command -v flock >/dev/null; then flock 9; fi
    [ -d "$dir" ] && exit 0
    rm -rf "$dir.staging"
    mkdir "$dir.staging"
    "$fill" "$dir.staging"
    mv "$dir.staging" "$dir"
  ) 9>"$dir.lock"
}

npm_ci() {
  (cd "$1" && nice -n 5 npm ci --ignore-scripts --prefer-offline --no-audit --no-fund \
    --loglevel=error >npm.log 2>&1) || { tail -n 20 "$1/npm.log" >&2; die "npm ci failed (above); run it again"; }
}

fill_vendure() {
  cp "$vendure_src"/{package.json,package-lock.json,sample.json} "$1/"
  say "installing Vendure from npm (432 packages, 150 MB; usually 10 s to 2 min)"
  npm_ci "$1"
  say "reading Vendure's sample catalogue from npm (5.6 MB; usually 5 s)"
  mkdir "$1/sample"
  fetch_package "$1/sample.json" "$1/sample" 2 package/assets/products.csv package/assets/initial-data.json
}

# fetch_package MANIFEST DIR STRIP FILE...: extracts files of the npm package that
# the manifest names, whose content it pins, without what it depends on.
fetch_package() {
  local manifest=$1 dir=$2 strip=$3 name version integrity packed file
  shift 3
  name=$(node -p 'require(process.argv[1]).package' "$manifest")
  version=$(node -p 'require(process.argv[1]).version' "$manifest")
  integrity=$(node -p 'require(process.argv[1]).integrity' "$manifest")
  (cd "$dir" && npm pack "$name@$version" --silent >/dev/null) || die "npm pack $name@$version failed; run it again"
  file=$(ls "$dir"/*.tgz)
  packed=sha512-$(node -p 'require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64")' "$file")
  [ "$packed" = "$integrity" ] || die "$name@$version has integrity $packed, expected $integrity"
  tar -xzf "$file" -C "$dir" --strip-components="$strip" "$@"
  rm "$file"
}

# Shopify cannot be run; what it publishes of its API can be read.
shopify_src=$root/internal/shops/shopify
shopify_dir() {
  echo "$cache/shopify-$(content "$shopify_src/schema.json")"
}

fill_shopify() {
  cp "$shopify_src/schema.json" "$1/"
  say "reading Shopify's published schema from npm (14 MB; usually 5 s)"
  fetch_package "$1/schema.json" "$1" 3 package/dist/data/admin_2026-10.json.gz
}

install_shopify() {
  need_node
  once "$(shopify_dir)" fill_shopify
}

fill_vendure_app() {
  local catalogue
  cp "$vendure_src"/*.js "$root/internal/shops/webhook.js" "$1/"
  for catalogue in full empty large; do
    say "filling Vendure's $catalogue database (usually 6 to 20 s)"
    SUPERADMIN_USERNAME=superadmin SUPERADMIN_PASSWORD=superadmin SQLJS_FILE=$1/$catalogue.sqlite \
      nice -n 5 node "$1/populate.js" "$catalogue" "$(vendure_dir)/sample" >"$1/$catalogue.log" 2>&1 ||
      { tail -n 20 "$1/$catalogue.log" >&2; die "filling the $catalogue database failed (above)"; }
  done
}

install_vendure() {
  need_node
  once "$(vendure_dir)" fill_vendure
  once "$(vendure_app)" fill_vendure_app
}

fill_medusa() {
  cp "$medusa_src"/{package.json,package-lock.json} "$1/"
  say "installing Medusa from npm (1,064 packages, 700 MB; usually 1 to 3 min)"
  npm_ci "$1"
}

fill_medusa_app() {
  mkdir -p "$1/src/subscribers"
  cp "$medusa_src/medusa-config.js" "$root/internal/shops/webhook.js" "$1/"
  cp "$medusa_src/hooks.js" "$1/src/subscribers/"
  cp "$medusa_src/package.json" "$1/"
  ln -s ../node_modules "$1/node_modules"
}

install_medusa() {
  need_node
  install_postgres
  once "$(medusa_dir)" fill_medusa
  once "$(medusa_app)" fill_medusa_app
}

# debian PACKAGES TIME: installs them when root, else says what to run.
debian() {
  local packages
  read -ra packages <<<"$1"
  command -v apt-get >/dev/null || die "needs $1, which this script only knows how to get on Debian"
  [ "$(id -u)" = 0 ] || die "needs $1: run 'apt-get install --no-install-recommends $1' as root"
  say "installing Debian's $1 (usually $2)"
  if ! apt-cache show "${packages[@]}" >/dev/null 2>&1; then apt-get update -qq; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

install_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && return
  # The tests start servers of their own: Debian's should not create one.
  if [ "$(id -u)" = 0 ] && [ ! -d /etc/postgresql-common ]; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/selaras.conf
  fi
  debian postgresql "20 s"
}

install_nginx() {
  [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || debian nginx-light "5 s"
}

what=()
print=
for arg; do
  case $arg in
    vendure | medusa | shopify | postgres | nginx) what+=("$arg") ;;
    all) what+=(vendure shopify postgres nginx medusa) ;;
    --print-dir) print=dir ;;
    --print-app-dir) print=app ;;
    *) die "unknown argument $arg: use vendure, medusa, shopify, postgres, nginx, all, --print-dir or --print-app-dir" ;;
  esac
done
[ ${#what[@]} -gt 0 ] || what=(vendure)

for name in "${what[@]}"; do
  if [ -n "$print" ]; then
    case $name in vendure | medusa) "${name}_$print" ;; esac
  else
    "install_$name"
  fi
done
