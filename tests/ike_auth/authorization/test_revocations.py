# SPDX-License-Identifier: ISC
"""Lists of revocations in a directory, and what the gate makes of them."""

import errno
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ike_auth.authorization.gate import Gate
from ike_auth.authorization.revocations import Revocations
from ike_auth.config.model import Peer
from ike_auth.crypto.legacy import CERTIFICATES
from ike_auth.wire.identities import Identity
from pki.chain import RevocationPolicy, TrustAnchors
from pki.revocation_lists import read
from tests.ike_auth.authorization.requests import identify, peer
from tests.ike_auth.authorization.test_gate import Fake
from tests.pki import factory
from tests.pki.factory import NOW, Issued
from tests.pki.revocations import revocation_list

CA = factory.authority()
OTHER_CA = factory.authority("Other CA", key="other")
GATEWAY = factory.leaf(CA, "gw.example.com")
NAME = Identity.fqdn("gw.example.com")
EMPTY = revocation_list(CA, number=1)
REVOKED = revocation_list(CA, GATEWAY, number=2)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def revocations(tmp_path: Path, told: list[str]) -> Revocations:
    return Revocations(tmp_path, tell=told.append)


def put(path: Path, content: bytes) -> None:
    """In the place of what is there, as one file takes another's."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


def reason(revocations: Revocations, of: Peer | None = None, issued: Issued = GATEWAY, authority: Issued = CA) -> str:
    """Why the gate refuses the peer; "" if it lets it in."""
    gate = Gate(Fake(), TrustAnchors([authority.certificate]), lambda _: False, revocations=revocations)
    answer = gate.identify(identify(NAME, (issued.der,), of), NOW)
    return "" if answer.decision.allowed else answer.decision.because


# --- files


def test_what_is_put_there_holds_from_the_next_question_on(revocations: Revocations, tmp_path: Path) -> None:
    assert reason(revocations) == ""
    put(tmp_path / "ca.crl", EMPTY)
    assert reason(revocations) == ""
    put(tmp_path / "ca.crl", REVOKED)
    assert "was revoked on 2026-10-31 12:00:00Z: keyCompromise (list 2 of" in reason(revocations)
    (tmp_path / "ca.crl").unlink()
    assert reason(revocations) == ""


def test_looking_at_what_is_known_hides_no_news_from_the_gate(revocations: Revocations, tmp_path: Path) -> None:
    assert reason(revocations) == ""
    put(tmp_path / "ca.crl", REVOKED)
    assert len(revocations.known()) == 1
    assert reason(revocations) != ""


def test_pem_and_der_and_several_in_one_file(revocations: Revocations, tmp_path: Path) -> None:
    pem = [x509.load_der_x509_crl(der).public_bytes(Encoding.PEM) for der in (REVOKED, revocation_list(OTHER_CA))]
    (tmp_path / "both.pem").write_bytes(b"comment\n" + b"between\n".join(pem))
    (tmp_path / "ca.der").write_bytes(EMPTY)
    assert {one.number for one in revocations.known()} == {1, 2, 5}
    assert reason(revocations) != ""


@pytest.mark.parametrize("broken", [REVOKED[:100], b"-----BEGIN X509 CRL-----\nAAAA\n", b"\x30" + bytes(50)])
def test_a_list_that_cannot_be_read_leaves_the_one_from_before(
    broken: bytes, revocations: Revocations, tmp_path: Path, told: list[str]
) -> None:
    put(tmp_path / "ca.crl", REVOKED)
    revocations.check()
    put(tmp_path / "ca.crl", broken)
    for _ in range(3):
        assert reason(revocations) != ""
    (line,) = told
    assert line.startswith(f"revocation list: `{tmp_path}/ca.crl`: ")
    assert line.endswith("; what was read of it before still holds")
    put(tmp_path / "ca.crl", EMPTY)
    assert reason(revocations) == ""


def test_other_files_are_passed_over_and_told_of_once(
    revocations: Revocations, tmp_path: Path, told: list[str]
) -> None:
    (tmp_path / "README").write_text("lists\n")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    assert revocations.known() == revocations.known() == ()
    assert told == [f"`{tmp_path}/README` is passed over: it holds no revocation list"]


def test_a_directory_that_is_closed_leaves_what_was_read(
    revocations: Revocations, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    put(tmp_path / "ca.crl", REVOKED)
    assert reason(revocations) != ""
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", closed)
        assert reason(revocations) != ""
        assert reason(revocations) != ""
    assert told == [f"cannot read `{tmp_path}`: permission denied"]
    put(tmp_path / "ca.crl", EMPTY)
    assert reason(revocations) == ""


def test_no_directory() -> None:
    assert Revocations(Path("/nowhere")).known() == Revocations().known() == ()


# --- what was fetched


def test_fetched_lists_count_beside_files(revocations: Revocations, tmp_path: Path) -> None:
    put(tmp_path / "ca.crl", EMPTY)
    assert reason(revocations) == ""
    revocations.fetched({"http://x": read(REVOKED)})
    assert reason(revocations) != ""
    assert len(revocations.known()) == 2


def test_the_state_tells_of_news_and_of_lists_that_grew_stale(revocations: Revocations, tmp_path: Path) -> None:
    empty = revocations.state(NOW)
    put(tmp_path / "ca.crl", EMPTY)
    fresh = revocations.state(NOW)
    assert empty != fresh == revocations.state(NOW + factory.DAY / 2)
    assert fresh != revocations.state(NOW + 2 * factory.DAY)
    revocations.fetched({"http://x": read(EMPTY)})
    assert revocations.state(NOW) == fresh


# --- policy, role and legacy


def test_lists_may_be_required(tmp_path: Path) -> None:
    required = Revocations(tmp_path, RevocationPolicy.REQUIRE)
    assert "no revocation list is there" in reason(required)
    put(tmp_path / "ca.crl", EMPTY)
    assert reason(required) == ""
    put(tmp_path / "ca.crl", revocation_list(CA, next_update=NOW - factory.DAY / 2))
    assert "is stale" in reason(required)
    assert reason(Revocations(tmp_path)) == ""


def test_a_list_of_a_foreign_authority_counts(revocations: Revocations, tmp_path: Path) -> None:
    foreign = factory.leaf(OTHER_CA, "gw.example.com")
    assert reason(revocations, issued=foreign, authority=OTHER_CA) == ""
    put(tmp_path / "other.crl", revocation_list(OTHER_CA, foreign))
    assert "was revoked" in reason(revocations, issued=foreign, authority=OTHER_CA)
    assert reason(revocations) == ""


@pytest.mark.parametrize(
    ("usage", "is_default", "good"),
    [
        (ExtendedKeyUsageOID.SERVER_AUTH, False, True),
        (ExtendedKeyUsageOID.SERVER_AUTH, True, False),
        (ExtendedKeyUsageOID.CLIENT_AUTH, False, False),
        (ExtendedKeyUsageOID.CLIENT_AUTH, True, True),
    ],
)
def test_certificates_for_tls_by_what_the_peer_is_to_us(
    usage: x509.ObjectIdentifier, is_default: bool, good: bool, revocations: Revocations
) -> None:
    """Whoever has an address in the configuration is a gateway, and who comes by `Default=` a client."""
    issued = factory.leaf(CA, "gw.example.com", usages=(usage,))
    found = reason(revocations, peer(is_default=is_default), issued)
    assert (found == "") is good
    assert good or "for other uses than IKE" in found


def test_sha1_certificates_for_the_peer_that_may_have_them(revocations: Revocations) -> None:
    plain = factory.leaf(CA, "gw.example.com")
    der = factory.resigned(plain, CA, algorithm=factory.SHA1_WITH_RSA)
    old = Issued(x509.load_der_x509_certificate(der), plain.key)
    assert "sha1" in reason(revocations, peer(), old)
    assert reason(revocations, peer(allow_legacy=frozenset({CERTIFICATES})), old) == ""
