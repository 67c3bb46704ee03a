# SPDX-License-Identifier: ISC
"""Two real daemons whose certificates are of one authority, and in its registry."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ike_auth.demo import configurations
from ike_auth.demo.hosts import AUTHORITY, GATEWAY_A, GATEWAY_B, Host
from ike_auth.demo.logs import Daemon
from ike_auth.demo.stage import Stage
from pki import issuance, names, profiles
from pki.bundles import files, handover, isakmpd
from pki.bundles.request import Request
from pki.directory import Directory
from pki.records import Record


class Gateways:
    """B, which waits, and A, which calls it every second until it is let in."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.authority = Directory(stage.path("authority"))
        self.records: dict[str, Record] = {}
        today = datetime.now(UTC)  # as the daemons
        issuance.initialize(self.authority.path, AUTHORITY, today)
        for host in (GATEWAY_B, GATEWAY_A):
            record = issuance.issue(self.authority, profiles.GATEWAY, (names.identity(host.fqdn),), today)
            self.records[host.name] = record
            given = handover.of(self.authority.registry(), record, self.authority.signer(record).key)
            files.write(isakmpd.make(given, Request()), stage.path(host.name))

    def configure(self, host: Host, policy: str, lines: Mapping[str, str]) -> None:
        """Its policy, and its configuration with a line more in some sections."""
        calls = host == GATEWAY_A
        proof = configurations.Certificates(host.name, self.authority.registry_path)
        text = configurations.gateway(host, proof, calls=calls)
        for section, line in {**({"General": "Check-interval= 1"} if calls else {}), **lines}.items():
            header = f"[{section}]\n"
            text = text if header in text else f"{text}\n{header}"
            text = text.replace(header, f"{header}{line}\n")
        self.stage.write(f"{host.name}.conf", text)
        self.stage.write(f"{host.name}.kn", policy)

    def start(self, host: Host) -> Daemon:
        name = host.name
        return self.stage.start(host, self.stage.path(f"{name}.conf"), self.stage.path(f"{name}.kn"), f"{name}.log")
