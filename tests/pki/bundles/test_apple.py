# SPDX-License-Identifier: ISC
"""Profiles against the keys that Apple documents; no device has opened one here."""

import dataclasses
import plistlib
import uuid
from typing import Any

import pytest

from pki.bundles import apple
from pki.bundles.handover import Handover
from pki.bundles.request import Request
from pki.names import Identity
from tests.pki.bundles.handovers import (
    PASSWORD,
    SERVER,
    opened,
    subjects,
    under_an_intermediate,
    with_small_keys,
)

# Of the payload com.apple.vpn.managed: what has to be there, and the words that these keys may have.
REQUIRED = {"RemoteAddress", "LocalIdentifier", "RemoteIdentifier", "AuthenticationMethod"}
OPTIONAL: dict[str, set[Any]] = {
    "CertificateType": {"RSA", "ECDSA256", "ECDSA384", "ECDSA521", "RSA-PSS"},
    "AuthenticationMethod": {"None", "SharedSecret", "Certificate"},
    "ExtendedAuthEnabled": {0, 1},
    "EnablePFS": {0, 1},
}
ALGORITHMS: dict[str, set[Any]] = {
    "EncryptionAlgorithm": {"AES-128", "AES-256", "AES-128-GCM", "AES-256-GCM", "ChaCha20Poly1305"},
    "IntegrityAlgorithm": {"SHA2-256", "SHA2-384", "SHA2-512"},
    "DiffieHellmanGroup": {14, 15, 16, 17, 18, 19, 20, 21, 31, 32},
}


def profile(handover: Handover, request: Request = SERVER) -> dict[str, Any]:
    (file,) = apple.make(handover, request).files
    found: dict[str, Any] = plistlib.loads(file.data)
    return found


def vpn(handover: Handover, request: Request = SERVER) -> dict[str, Any]:
    payload: dict[str, Any] = profile(handover, request)["PayloadContent"][-1]
    return payload


def test_every_payload_has_what_payloads_need() -> None:
    it = profile(under_an_intermediate())
    assert it["PayloadType"] == "Configuration"
    assert [payload["PayloadType"] for payload in it["PayloadContent"]] == [
        "com.apple.security.root",
        "com.apple.security.pkcs1",
        "com.apple.security.pkcs12",
        "com.apple.vpn.managed",
    ]
    every = [it, *it["PayloadContent"]]
    for payload in every:
        assert payload["PayloadVersion"] == 1
        assert payload["PayloadDisplayName"]
        assert str(uuid.UUID(payload["PayloadUUID"])).upper() == payload["PayloadUUID"]
        assert payload["PayloadIdentifier"].startswith("keynote-pki.")
    assert len({payload["PayloadUUID"] for payload in every}) == len(every)
    assert len({payload["PayloadIdentifier"] for payload in every}) == len(every)


def test_the_connection() -> None:
    it = profile(under_an_intermediate(), dataclasses.replace(SERVER, title="Office & <home>"))
    payload = it["PayloadContent"][-1]
    assert (payload["VPNType"], payload["UserDefinedName"]) == ("IKEv2", "Office & <home>")
    ikev2 = payload["IKEv2"]
    assert set(ikev2) > REQUIRED
    assert ikev2["RemoteAddress"] == ikev2["RemoteIdentifier"] == "vpn.example.org"
    assert ikev2["LocalIdentifier"] == "alice@example.org"
    assert ikev2["AuthenticationMethod"] == "Certificate"
    assert ikev2["ServerCertificateIssuerCommonName"] == "Online CA"
    assert ikev2["PayloadCertificateUUID"] == it["PayloadContent"][-2]["PayloadUUID"]
    assert all(ikev2[key] in words for key, words in OPTIONAL.items())
    for key in ("IKESecurityAssociationParameters", "ChildSecurityAssociationParameters"):
        assert set(ikev2[key]) == set(ALGORITHMS)
        assert all(ikev2[key][name] in words for name, words in ALGORITHMS.items())


def test_a_server_may_call_itself_otherwise() -> None:
    request = dataclasses.replace(SERVER, remote_id=Identity("IPV4_ADDR", "192.0.2.1"))
    assert vpn(under_an_intermediate(), request)["IKEv2"]["RemoteIdentifier"] == "192.0.2.1"


@pytest.mark.parametrize(("handover", "kind"), [(under_an_intermediate, "RSA"), (with_small_keys, "ECDSA256")])
def test_the_kind_of_key_is_told(handover: Any, kind: str) -> None:
    assert vpn(handover())["IKEv2"]["CertificateType"] == kind


def test_the_identity_has_one_certificate_and_no_password() -> None:
    payload = profile(under_an_intermediate())["PayloadContent"][-2]
    it = opened(payload["PayloadContent"])
    assert it.cert is not None
    assert subjects([it.cert.certificate]) == ["alice@example.org"]
    assert it.additional_certs == []
    assert "Password" not in payload
    assert PASSWORD not in str(payload)


def test_made_again_it_replaces_itself() -> None:
    def ids(it: dict[str, Any]) -> list[str]:
        return [payload["PayloadUUID"] for payload in (it, *it["PayloadContent"])]

    same = under_an_intermediate()
    assert ids(profile(same)) == ids(profile(same))
    assert not set(ids(profile(same))) & set(ids(profile(with_small_keys())))
