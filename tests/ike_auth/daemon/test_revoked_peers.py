# SPDX-License-Identifier: ISC
"""Two real daemons with a tunnel, and the certificate of one of them is revoked."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ike_auth.demo import configurations, policies
from ike_auth.demo.hosts import AUTHORITY, GATEWAY_A, GATEWAY_B
from ike_auth.demo.logs import Daemon
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage, free_ports
from pki import issuance, names, profiles
from pki.bundles import files, handover, isakmpd
from pki.bundles.request import Request
from pki.directory import Directory
from pki.records import Record


class Meeting:
    """B, which looks for revocations every second, and A, which calls it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.authority = Directory(stage.path("authority"))
        self.records: dict[str, Record] = {}
        today = datetime.now(UTC)  # as the daemons
        issuance.initialize(self.authority.path, AUTHORITY, today)
        for host, other, calls in ((GATEWAY_B, GATEWAY_A, False), (GATEWAY_A, GATEWAY_B, True)):
            record = issuance.issue(self.authority, profiles.GATEWAY, (names.identity(host.fqdn),), today)
            self.records[host.name] = record
            given = handover.of(self.authority.registry(), record, self.authority.signer(record).key)
            files.write(isakmpd.make(given, Request()), stage.path(host.name))
            proof = configurations.Certificates(host.name, self.authority.registry_path)
            text = configurations.gateway(host, proof, calls=calls)
            looking = text.replace("[X509-certificates]\n", "[X509-certificates]\nRecheck-interval= 1\n")
            calling = text.replace("[General]\n", "[General]\nCheck-interval= 1\n")
            stage.write(f"{host.name}.conf", calling if calls else looking)
            stage.write(f"{host.name}.kn", policies.by_certificate(other))
        self.b, self.a = self._start(GATEWAY_B.name), self._start(GATEWAY_A.name)
        for daemon in (self.a, self.b):
            daemon.expect("TunnelUp")

    def _start(self, name: str) -> Daemon:
        host = GATEWAY_A if name == GATEWAY_A.name else GATEWAY_B
        return self.stage.start(host, self.stage.path(f"{name}.conf"), self.stage.path(f"{name}.kn"), f"{name}.log")

    def publish(self, *revoked: Record) -> None:
        """Give B a list, as a file that takes another's place."""
        registry = self.authority.registry()
        own = self.authority.authority(registry).certificate
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(
            own.certificate.subject, now - timedelta(hours=1), now + timedelta(days=1)
        )
        for record in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(int(record.serial, 16), now - timedelta(minutes=1)).build()
            )
        key = self.authority.signer(own).key
        assert isinstance(key, rsa.RSAPrivateKey)
        new = Path(f"{self.stage.path(GATEWAY_B.name)}/new")
        new.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
        os.replace(new, self.stage.path(GATEWAY_B.name) / "crls" / "ca.crl")


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    with free_ports() as ports, Stage(tmp_path, Narrator(), ports) as stage:
        yield Meeting(stage)


def test_what_is_up_by_a_revoked_certificate_goes_and_does_not_come_again(meeting: Meeting) -> None:
    meeting.publish(meeting.records[GATEWAY_B.name])  # our own: that is for others to judge
    meeting.publish(meeting.records[GATEWAY_A.name])
    down = meeting.b.expect("TunnelDown").event
    assert "no longer authorized: certificate `/CN=gw-a.example.org` was revoked on " in down
    meeting.a.expect("TunnelDown")
    # A calls again, and is refused for the same reason.
    assert "was revoked on" in meeting.b.expect("PeerRefused").event


def test_a_certificate_that_the_registry_revokes_is_noticed_without_a_list(meeting: Meeting) -> None:
    record = meeting.records[GATEWAY_A.name]
    meeting.authority.registry().revoke(record.authority_id, record.serial, "keyCompromise", datetime.now(UTC))
    down = meeting.b.expect("TunnelDown").event
    assert "no longer authorized: certificate `/CN=gw-a.example.org` is revoked to the registry of " in down
    assert "is revoked to the registry of " in meeting.b.expect("PeerRefused").event
