# SPDX-License-Identifier: ISC
"""OCSP responses that a peer hands over; what makes them an answer is in the zoo."""

import datetime
import warnings

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import chain_certificates, ocsp_staple
from pki.ocsp_staple import Answer, Status
from pki.revocation_lists import Revoked
from tests.pki import factory, revocations
from tests.pki.factory import DAY, NOW, Issued
from tests.pki.revocations import YESTERDAY, staple

CA = factory.authority()
GATEWAY = factory.leaf(CA, "gw.example.org")
RESPONDER = revocations.responder(CA)
STAPLE = staple(GATEWAY, CA, responder=RESPONDER)


def answer(data: bytes, of: Issued = GATEWAY, now: datetime.datetime = NOW, issuer: Issued = CA) -> Answer:
    return ocsp_staple.answer(
        data, chain_certificates.load(of.der).kept(), chain_certificates.load(issuer.der).kept(), now
    )


def test_good_revoked_and_unknown() -> None:
    assert answer(staple(GATEWAY, CA)) == Answer(Status.GOOD, until=NOW + DAY)
    revoked = answer(staple(GATEWAY, CA, status=ocsp.OCSPCertStatus.REVOKED))
    assert (revoked.status, revoked.revoked) == (Status.REVOKED, Revoked(YESTERDAY, "keyCompromise"))
    assert answer(staple(GATEWAY, CA, status=ocsp.OCSPCertStatus.UNKNOWN)).status is Status.UNKNOWN


def test_who_answered_for_the_authority_is_told() -> None:
    assert answer(STAPLE) == Answer(Status.GOOD, responder=RESPONDER.certificate.serial_number, until=NOW + DAY)


@pytest.mark.parametrize("moment", [YESTERDAY, NOW + DAY], ids=["first second", "last second"])
def test_it_holds_from_its_first_second_to_its_last(moment: datetime.datetime) -> None:
    second = datetime.timedelta(seconds=1)
    assert answer(staple(GATEWAY, CA), now=moment).status is Status.GOOD
    outside = moment - second if moment == YESTERDAY else moment + second
    assert answer(staple(GATEWAY, CA), now=outside).status is Status.NO_ANSWER


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1])
def test_an_authority_on_a_curve(curve: type[ec.EllipticCurve]) -> None:
    ca = factory.authority(key=factory.ec_key("ca", curve))
    gateway = factory.leaf(ca, "gw.example.org")
    assert answer(staple(gateway, ca, hashed=hashes.SHA384()), gateway, issuer=ca).status is Status.GOOD


def test_a_huge_response_is_not_read() -> None:
    assert "65537 bytes" in answer(bytes(65537)).why


# Invariant: any bytes are answered, and never with more than no answer.
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert quiet(data).status is Status.NO_ANSWER


changes = st.lists(st.tuples(st.integers(0, len(STAPLE) - 1), st.binary(max_size=3)), min_size=1, max_size=4)


# Invariant: nor is a response that was changed; only around the responder's certificate there is something unsigned.
@settings(max_examples=500, deadline=None)
@given(changes)
def test_changed_bytes(changes: list[tuple[int, bytes]]) -> None:
    data = STAPLE
    for at, by in changes:
        data = data[:at] + by + data[at + 1 :]
    if data != STAPLE:
        found = quiet(data)
        assert found.status is Status.NO_ANSWER or found == answer(STAPLE)
        assert found.why.isprintable()


def quiet(data: bytes) -> Answer:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return answer(data)
