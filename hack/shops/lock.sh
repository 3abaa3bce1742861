#!/usr/bin/env bash
# Writes the lock files of the real shops anew after their package.json changed.
# The locks carry integrity hashes but no download addresses, so that they work
# behind any mirror; npm leaves an address on packages it calls extraneous, and
# those are not installed, so they are dropped.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
before=${SELARAS_NPM_BEFORE:-2026-09-15}
for shop in "${@:-vendure}"; do
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp "$root/internal/shops/$shop/package.json" "$work/"
  echo "$shop: resolving its packages as of $before (usually 10 s to 2 min)"
  (cd "$work" && npm install --package-lock-only --ignore-scripts --no-audit --no-fund \
    --omit-lockfile-registry-resolved --before "$before" >&2)
  node -e '
    const fs = require("fs");
    const [file, out] = process.argv.slice(1);
    const lock = JSON.parse(fs.readFileSync(file, "utf8"));
    for (const [name, entry] of Object.entries(lock.packages)) {
      if (entry.extraneous) delete lock.packages[name];
    }
    fs.writeFileSync(out, JSON.stringify(lock, null, 2) + "\n");
  ' "$work/package-lock.json" "$root/internal/shops/$shop/package-lock.json"
  if grep -n '"resolved"' "$root/internal/shops/$shop/package-lock.json"; then
    echo "$shop: the lock file names a download address (above): remove it" >&2
    exit 1
  fi
  rm -rf "$work"
done
