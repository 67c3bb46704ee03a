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
libreswan=/opt/interop-libreswan  # where its package is unpacked

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    [[ $status == ?i* ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)) && [[ -x $libreswan/usr/libexec/ipsec/pluto ]]; then exit 0; fi

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
if ((${#missing[@]})); then
    apt-get "${wait_for_lock[@]}" install -qq --no-install-recommends "${missing[@]}" </dev/null
fi
if [[ ! -x $libreswan/usr/libexec/ipsec/pluto ]]; then
    fetched=$(mktemp -d) && chmod 755 "$fetched"
    (cd "$fetched" && apt-get download -qq libreswan)
    dpkg --extract "$fetched"/libreswan_*.deb "$libreswan"
    rm -r "$fetched"
fi
