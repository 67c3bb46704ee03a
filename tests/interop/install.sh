#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# Installs what tests/interop needs on Debian 12, as root: strongSwan's charon with its userspace ESP, libreswan, ip(8).
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
    libnss3-tools                   # certutil and pk12util, for libreswan's import
    # What libreswan is linked with; the package itself conflicts with strongSwan's.
    libaudit1 libcap-ng0 libcurl3-nss libevent-core-2.1-7 libevent-pthreads-2.1-7
    libldap-2.5-0 libldns3 libselinux1 libunbound8
)
bash "$(dirname "$0")/../install.sh" "${packages[@]}"

libreswan=/opt/interop-libreswan  # where its package is unpacked
if [[ ! -x $libreswan/usr/libexec/ipsec/pluto ]]; then
    fetched=$(mktemp -d) && chmod 755 "$fetched"
    (cd "$fetched" && apt-get -o DPkg::Lock::Timeout=120 download -qq libreswan)
    dpkg --extract "$fetched"/libreswan_*.deb "$libreswan"
    rm -r "$fetched"
fi
