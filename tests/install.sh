#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# Installs the Debian packages that are named, as root. Silent and quick when everything is there. Starts no service:
# the tests run what they need themselves.
set -euo pipefail

missing=()
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    [[ $status == ?i* ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then exit 0; fi

# Maintainer scripts ask this file before they start a service.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
wait_for_lock=(-o DPkg::Lock::Timeout=120)
apt-get "${wait_for_lock[@]}" update -qq
apt-get "${wait_for_lock[@]}" install -qq --no-install-recommends "${missing[@]}" </dev/null
