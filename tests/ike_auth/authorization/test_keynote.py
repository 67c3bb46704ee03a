# SPDX-License-Identifier: ISC
"""The KeyNote authorizer: principals, pseudo-credentials, the interval query of Phase 1, and strict rule 3."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import keynote
from ike_auth.authorization import attributes
from ike_auth.authorization.keynote import KeyNoteAuthorizer, certificate_principals, passphrase_principals
from ike_auth.authorization.requests import PresharedKey, ProtocolParameters
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import AuthenticationAlgorithm, EncapsulationMode, EspTransform, ProtocolId
from keynote.cli.main import main
from pki.chain import TrustAnchors
from tests.ike_auth.authorization.requests import NOW, certified, identity_request, tunnel_request
from tests.pki import factory

CA = factory.authority("Test CA")
GATEWAY = factory.leaf(CA, "gw.example.com")
PROOF = certified(GATEWAY, CA)
NAME = Identity.fqdn("gw.example.com")
CA_NAME = "DN:/C=XX/O=Test/CN=Test CA"


def authorizer(text: str) -> KeyNoteAuthorizer:
    return KeyNoteAuthorizer(keynote.Session(keynote.parse_policy(text, name="policy.kn")))


def policy(licensee: str, conditions: str) -> str:
    return f'Authorizer: "POLICY"\nLicensees: "{licensee}"\nConditions: {conditions} -> "true";\n'


BOUND = policy(CA_NAME, 'remote_id_type == "FQDN" && remote_id == "gw.example.com" && esp_enc_alg == "aes"')


# --- principals


def test_a_pre_shared_key_has_the_three_forms_of_isakmpd() -> None:
    assert passphrase_principals(Secret(b"mekmitasdigoat")) == (
        "passphrase:mekmitasdigoat",
        "passphrase-md5-hex:227f500abfe58f5f5d61e7f6053d8d85",
        "passphrase-sha1-hex:bf1091800d1221f9a35ec087a67e2d6209d6478e",
    )


@pytest.mark.parametrize("form", [0, 1, 2])
def test_policy_may_name_the_key_in_each_of_them(form: int) -> None:
    key = Secret(b"mekmitasdigoat")
    decide = authorizer(policy(passphrase_principals(key)[form], 'esp_present == "yes"'))
    request = identity_request(NAME, PresharedKey(key, shared=False))
    assert decide.tunnel(tunnel_request(request), NOW).allowed
    other = identity_request(NAME, PresharedKey(Secret(b"another"), shared=False))
    assert not decide.tunnel(tunnel_request(other), NOW).allowed


def test_the_reasons_do_not_show_the_key() -> None:
    decide = authorizer(policy("passphrase:mekmitasdigoat", 'esp_present == "no"'))
    request = identity_request(NAME, PresharedKey(Secret(b"mekmitasdigoat"), shared=False))
    decision = decide.tunnel(tunnel_request(request), NOW)
    assert "esp_present" in decision.because
    assert "mekmitasdigoat" not in repr(decision)


def test_policy_may_name_the_authority_the_name_or_the_key() -> None:
    request = identity_request(NAME, PROOF)
    key, subject = certificate_principals(PROOF.chain.leaf)
    for licensee in (CA_NAME, subject, key, certificate_principals(PROOF.chain.certificates[1])[0]):
        assert authorizer(policy(licensee, "true")).identity(request, NOW).allowed, licensee
    assert not authorizer(policy("DN:/CN=somebody else", "true")).identity(request, NOW).allowed


def test_keys_of_other_kinds_are_principals_too() -> None:
    """An authority may have a key of another kind than the gateway that it certifies."""
    of_curve = factory.authority("EC CA", key=ec.generate_private_key(ec.SECP256R1()))
    proof = certified(factory.leaf(of_curve, "gw.example.com"), of_curve)
    request = identity_request(NAME, proof)
    key, name = certificate_principals(proof.chain.certificates[1])
    assert key.startswith("ec-hex:3059")
    for licensee in (key, name, f"ec-base64:{b64encode(bytes.fromhex(key.removeprefix('ec-hex:'))).decode()}"):
        assert authorizer(policy(licensee, "true")).identity(request, NOW).allowed


def test_a_policy_may_name_a_key_by_its_certificate() -> None:
    request = identity_request(NAME, PROOF)
    for issued, allowed in ((CA, True), (GATEWAY, True), (factory.authority("Other", key="other"), False)):
        decide = authorizer(policy(f"x509-hex:{issued.der.hex()}", "true"))
        assert decide.identity(request, NOW).allowed is allowed


def test_certificates_hold_within_their_validity_only() -> None:
    request = identity_request(NAME, PROOF)
    decide = authorizer(policy(CA_NAME, "true"))
    assert decide.identity(request, NOW).allowed
    assert not decide.identity(request, datetime(2050, 1, 1, tzinfo=UTC)).allowed


def test_one_peers_certificates_are_not_in_anothers_queries() -> None:
    decide = authorizer(policy("DN:/C=XX/O=Test/CN=gw.example.com", "true"))
    assert decide.identity(identity_request(NAME, PROOF), NOW).allowed
    other = certified(factory.leaf(CA, "other.example.com"), CA)
    assert not decide.identity(identity_request(Identity.fqdn("other.example.com"), other), NOW).allowed


# --- Phase 1: an interval query (strict rule 4)


def test_phase_1_asks_whether_any_tunnel_could_be_had() -> None:
    decide = authorizer(BOUND)
    assert decide.identity(identity_request(NAME, PROOF), NOW).allowed
    refused = decide.identity(identity_request(Identity.fqdn("other.example.com"), PROOF), NOW)
    assert not refused.allowed
    assert "remote_id" in refused.because
    assert "policy.kn:3" in refused.because


def test_phase_2_decides_by_the_proposal() -> None:
    decide = authorizer(BOUND)
    request = identity_request(NAME, PROOF)
    allowed = decide.tunnel(tunnel_request(request), NOW)
    assert allowed.allowed
    assert "policy.kn" in allowed.because
    null = ProtocolParameters(
        ProtocolId.ESP, EspTransform.NULL, EncapsulationMode.TUNNEL, AuthenticationAlgorithm.HMAC_SHA2_256
    )
    denied = decide.tunnel(tunnel_request(request, null), NOW)
    assert not denied.allowed
    assert "esp_enc_alg" in denied.because
    assert "null" in denied.because


@pytest.mark.parametrize("key", ["mekmitasdigoat", "guess"])
def test_a_denial_is_told_as_the_command_tells_it(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator who asks `keynote why` with the attributes that the daemon had reads the daemon's own words."""
    text = policy("passphrase:mekmitasdigoat", 'esp_enc_alg == "3des" || pfs == "maybe" && esp_present == "yes"')
    text += "\n" + policy("passphrase:mekmitasdigoat", 'esp_enc_alg == "cast" && remote_id == "other"')
    decide = authorizer(text)
    request = tunnel_request(identity_request(NAME, PresharedKey(Secret(key.encode()), shared=False)))
    denied = decide.tunnel(request, NOW)
    assert not denied.allowed

    monkeypatch.chdir(tmp_path)
    Path("policy.kn").write_text(text)
    Path("policy.kn").chmod(0o600)
    Path("keys").write_text("\n".join(passphrase_principals(Secret(key.encode()))))
    Path("action").write_text("".join(f"{name}={value}\n" for name, value in attributes.phase2(request, NOW).items()))
    with pytest.raises(SystemExit) as exit:
        main(["why", "-p", "policy.kn", "-k", "@keys", "--action", "action", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert exit.value.code == 2
    assert told["because"] == denied.because
    places = [f"{reason['where']['file']}:{reason['where']['line']}" for reason in told["reasons"]]
    assert [f"{place}: {reason['text']}" for place, reason in zip(places, told["reasons"], strict=True)] == list(
        denied.details
    )


# --- strict rule 3: policy binds the name


@pytest.mark.parametrize(
    ("conditions", "bound"),
    [
        ('remote_id == "gw.example.com"', True),
        ('remote_id ~= "@example\\\\.com$" && remote_id_type == "User FQDN"', True),
        ('remote_id_type == "FQDN" && (remote_id == "a" || remote_id == "b")', True),
        (
            'remote_id_addr_lower >= "192.000.002.000" && remote_id == "192.000.002.001"',
            True,
        ),
        ('app_domain == "IPsec policy"', False),
        ('remote_id ~= ".*"', False),
        ('remote_id ~= "@"', False),
        ('remote_id != "x"', False),
        ('remote_id == "gw.example.com" || true', False),
        ('remote_id == "gw.example.com" || esp_enc_alg == "aes"', False),
        ('remote_id_type == "FQDN"', False),
        ('remote_id_type == "User FQDN"', False),
        ('remote_id_type == "ASN1 DN"', False),
        ('remote_id_type == "Key ID"', False),
        ('remote_id_type == "IPv4 address"', False),
        ('remote_id_type == "IPv6 address"', False),
        ('remote_id_type == "IPv4 address" && remote_id < "200"', False),
        ('remote_id_type == "IPv6 address" && remote_id > "fff0"', False),
        ('remote_id < "9"', False),
        ('remote_id > "y"', False),
        ('remote_id ~= "/O="', False),
        ('remote_id ~= "^/C=.*/CN="', False),
        ('remote_id ~= "\\\\.(org|com|net)$"', False),
        ('remote_id ~= "@.*\\\\.org$"', False),
        ('remote_id_type == "IPv6 address" && remote_id == "2001:0db8:0000:0000:0000:0000:0000:0001"', True),
        ('remote_id ~= "\\\\.example\\\\.org$"', True),
        ('remote_id ~= "^/C=DE/O=Example/"', True),
        ('remote_id_type == "FQDN" && remote_id ~= "^[a-z]+\\\\.[a-z]+\\\\.[a-z]+$"', False),
        ("_ACTION_AUTHORIZERS ~= remote_id", False),
        ('"gw.example.org" ~= remote_id', False),
        ('remote_id_type == "IPv6 range"', False),
        ('$("remote" . "_id") == "gw.example.com"', True),
        ('remote_id . "" == "gw.example.com" && !(remote_id == "x")', True),
    ],
)
def test_rule_3_is_not_fooled_by_syntax(conditions: str, bound: bool) -> None:
    decide = authorizer(policy(CA_NAME, conditions))
    (anchor,) = TrustAnchors([CA.certificate]).certificates
    found = decide.unbound(anchor, NOW)
    assert (found is None) is bound
    if found is not None:
        assert "policy.kn" in found


def test_rule_3_does_not_concern_authorities_that_no_policy_trusts() -> None:
    (anchor,) = TrustAnchors([CA.certificate]).certificates
    assert authorizer(policy("DN:/CN=other", "true")).unbound(anchor, NOW) is None
    named = policy("DN:/C=XX/O=Test/CN=gw.example.com", "true")
    assert authorizer(named).unbound(anchor, NOW) is None


def test_rule_3_for_a_shared_key() -> None:
    shared = PresharedKey(Secret(b"mekmitasdigoat"), shared=True)
    assert authorizer(policy("passphrase:mekmitasdigoat", "true")).unbound(shared, NOW) is not None
    assert authorizer(policy("passphrase:mekmitasdigoat", 'remote_id == "x"')).unbound(shared, NOW) is None


def test_binds_asks_with_everything_that_is_known() -> None:
    """The address is known in Phase 1, so a condition on it binds nothing."""
    request = identity_request(NAME, PresharedKey(Secret(b"k"), shared=False))
    assert authorizer(policy("passphrase:k", 'remote_id == "gw.example.com"')).binds(request, NOW)
    by_address = policy("passphrase:k", 'remote_ike_address == "203.000.113.007"')
    assert not authorizer(by_address).binds(request, NOW)
    elsewhere = policy("passphrase:k", 'remote_ike_address == "198.051.100.077"')
    assert authorizer(elsewhere).binds(request, NOW)  # nobody gets in under any name


def test_an_address_is_an_identity_like_others() -> None:
    request = identity_request(Identity.address(ip_address("203.0.113.7")), PresharedKey(Secret(b"k"), shared=False))
    decide = authorizer(policy("passphrase:k", 'remote_id_type == "IPv4 address" && remote_id == "203.000.113.007"'))
    assert decide.tunnel(tunnel_request(request), NOW).allowed
