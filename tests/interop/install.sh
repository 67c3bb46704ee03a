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
exec bash "$(dirname "$0")/../install.sh" "${packages[@]}"
