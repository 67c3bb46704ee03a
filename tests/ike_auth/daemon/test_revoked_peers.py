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

from ike_auth.demo import policies
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage, free_ports
from pki.records import Record
from tests.ike_auth.daemon.registered import Gateways


class Meeting(Gateways):
    """B looks for revocations every second."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.configure(GATEWAY_B, policies.by_certificate(GATEWAY_A), {"X509-certificates": "Recheck-interval= 1"})
        self.configure(GATEWAY_A, policies.by_certificate(GATEWAY_B), {})
        self.b, self.a = self.start(GATEWAY_B), self.start(GATEWAY_A)
        for daemon in (self.a, self.b):
            daemon.expect("TunnelUp")

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
