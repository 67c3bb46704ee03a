#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# Installs what tests/interop needs on Debian 12, as root: strongSwan's charon with its userspace ESP, and ip(8).
# Silent and quick when everything is there. Starts no service: the tests run charon themselves.
set -euo pipefail

packages=(
    iproute2                        # ip netns
    iputils-ping                    # traffic through tunnels
    nftables                        # losing and translating datagrams
    strongswan-charon               # the daemon
    strongswan-swanctl              # its vici plugin, by which the tests configure and ask it
    libcharon-extra-plugins         # kernel-libipsec: ESP without the kernel's
    libstrongswan-standard-plugins  # openssl: ECP groups, AES-GCM
)

missing=()
for package in "${packages[@]}"; do
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
