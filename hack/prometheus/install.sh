#!/usr/bin/env bash
# Makes sure that promtool is there, with which the alerts are tried. As root on Debian or Ubuntu it is installed with
# the package prometheus (whose server is not started); else the person is told.
set -euo pipefail

command -v promtool >/dev/null && exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "promtool is missing, which tries the alerts. Debian, Ubuntu, as root:" >&2
  echo "  apt-get update && apt-get install --no-install-recommends prometheus" >&2
  echo "Elsewhere: put promtool of https://github.com/prometheus/prometheus/releases, 2.42 or later, on PATH." >&2
  exit 1
fi

echo "prometheus: installing Debian's package for promtool (about 100 MB, under a minute)"
# Installing must not start a server on this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
command -v promtool >/dev/null || { echo "the package prometheus is installed and has no promtool on PATH" >&2; exit 1; }
