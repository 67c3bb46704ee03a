# SPDX-License-Identifier: ISC
"""Profiles against what strongSwan documents of its app's files; no device has opened one here."""

import base64
import dataclasses
import ipaddress
import json
import uuid
from typing import Any

from cryptography import x509

from pki.bundles import android
from pki.bundles.handover import Handover
from pki.bundles.request import Request
from tests.pki.bundles.handovers import SERVER, opened, subjects, under_an_intermediate, with_small_keys


def profile(handover: Handover, request: Request = SERVER) -> dict[str, Any]:
    (file,) = android.make(handover, request).files
    found: dict[str, Any] = json.loads(file.data)
    return found


def test_the_keys_that_the_app_reads() -> None:
    it = profile(under_an_intermediate())
    assert set(it) == {"uuid", "name", "type", "remote", "local", "ike-proposal", "esp-proposal"}
    assert str(uuid.UUID(it["uuid"])) == it["uuid"]
    assert (it["name"], it["type"]) == ("vpn.example.org", "ikev2-cert")
    assert set(it["remote"]) == {"addr", "id", "cert"}
    assert it["remote"]["addr"] == it["remote"]["id"] == "vpn.example.org"
    assert set(it["local"]) == {"id", "p12"}
    assert it["local"]["id"] == "alice@example.org"


def test_its_certificates() -> None:
    it = profile(under_an_intermediate())
    anchor = x509.load_der_x509_certificate(base64.b64decode(it["remote"]["cert"], validate=True))
    assert subjects([anchor]) == ["Root CA"]
    identity = opened(base64.b64decode(it["local"]["p12"], validate=True))
    assert identity.cert is not None
    assert subjects([identity.cert.certificate]) == ["alice@example.org"]
    assert subjects([other.certificate for other in identity.additional_certs]) == ["Online CA"]


def test_networks_split_the_tunnel() -> None:
    networks = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
    it = profile(under_an_intermediate(), dataclasses.replace(SERVER, networks=networks))
    assert it["split-tunneling"] == {"subnets": ["10.0.0.0/8", "fd00::/8"]}


def test_made_again_it_replaces_itself() -> None:
    same = under_an_intermediate()
    assert profile(same)["uuid"] == profile(same)["uuid"] != profile(with_small_keys())["uuid"]


def test_with_small_keys_it_fits_a_qr_code() -> None:
    (small,) = android.make(with_small_keys(), SERVER).files
    (large,) = android.make(under_an_intermediate(), SERVER).files
    assert len(small.data) < 2953 < len(large.data)
