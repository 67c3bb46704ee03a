# SPDX-License-Identifier: ISC
"""Signatures on credentials, ours and libkeynote's: what verifies, and in which words the rest is refused."""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keynote
from keynote import limits, signatures
from keynote.errors import SignatureError
from tests.keynote.key_pairs import ALGORITHMS, EVERY_ALGORITHM, KINDS, certificate, key, principal, sequence

BODY = 'KeyNote-Version: 2\nAuthorizer: "{authorizer}"\nLicensees: "K"\nConditions: a == "b";\n'
DOES_NOT_FIT = "the signature is not its authorizer's, or the text was changed since"
VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "vectors/keynote/libkeynote-signatures.jsonl")
    .read_text()
    .splitlines()
]


@cache
def signed(kind: str, algorithm: str, authorizer: str | None = None) -> str:
    text = BODY.format(authorizer=authorizer or principal(kind))
    return text + f'Signature: "{keynote.sign(text, key(kind), algorithm)}"\n'


def refusal(text: str, *, legacy: bool = True) -> str:
    """Why an assertion does not verify; empty if it does."""
    try:
        signatures.verify(keynote.parse_assertion(text, name="c.kn"), legacy=legacy)
    except SignatureError as error:
        return str(error)
    return ""


# --- what verifies


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize(("kind", "name"), EVERY_ALGORITHM)
def test_what_is_signed_verifies(kind: str, name: str, encoding: str) -> None:
    text = signed(kind, f"{name}-{encoding}:")
    assert refusal(text) == ""
    assert refusal("\n\n" + text + "\nwhat follows is not signed\n") == ""
    for changed in (text.replace('"K"', '"J"'), text.replace("Version: 2", "Version:  2"), "# c\n" + text):
        assert refusal(changed) == DOES_NOT_FIT


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_is_as_good_as_its_key(kind: str) -> None:
    name = ALGORITHMS[kind][-1]
    text = signed(kind, f"{name}-hex:", f"x509-hex:{certificate(kind).hex()}")
    assert refusal(text) == ""


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_what_libkeynote_signed_verifies(vector: dict[str, str]) -> None:
    text = vector["assertion"]
    assert refusal(text) == ""
    assert refusal(text.replace('"K"', '"J"')) == DOES_NOT_FIT
    assert "--legacy-signatures accepts it" in refusal(text, legacy=False)


@pytest.mark.parametrize("algorithm", ["sig-rsa-sha256-hex:", "SIG-RSA-SHA256-HEX:", "Sig-Rsa-Sha1-Hex:"])
def test_the_name_counts_as_it_is_written(algorithm: str) -> None:
    text = signed("rsa", algorithm)
    assert refusal(text) == ""
    assert refusal(text.replace(algorithm, algorithm.swapcase())) == DOES_NOT_FIT


def test_the_digest_stands_in_a_bare_octet_string() -> None:
    """As libkeynote has it; a signature by the book is none."""
    text = BODY.format(authorizer=principal("rsa"))
    for name, other in (("sig-rsa-sha1", "sig-x509-sha1"), ("sig-x509-sha1", "sig-rsa-sha1")):
        content = signatures.signed_bytes(text, f"{other}-hex:")
        made = signatures.ALGORITHMS[name].sign(key("rsa"), content)
        assert refusal(text + f'Signature: "{other}-hex:{made.hex()}"\n') == DOES_NOT_FIT


@given(st.sampled_from(EVERY_ALGORITHM), st.data())
def test_a_signature_with_one_byte_changed_is_none(algorithm: tuple[str, str], data: st.DataObject) -> None:
    text = signed(algorithm[0], f"{algorithm[1]}-hex:")
    start, end = text.index("hex:", text.index("Signature")) + 4, len(text) - 2
    made = bytearray.fromhex(text[start:end])
    at = data.draw(st.integers(0, len(made) - 1))
    made[at] ^= data.draw(st.integers(1, 255))
    assert refusal(text[:start] + made.hex() + text[end:]) == DOES_NOT_FIT


# --- what does not


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("sig-rsa-sha512-hex:00", "`sig-rsa-sha512-hex` is no signature algorithm"),
        ("sig-rsa-sha256-hex:abc", "the signature is not hexadecimal: it has 3 digits, and needs an even number"),
        (
            "sig-rsa-sha256-base64:abc",
            "the signature is not base64: it has 3 digits, and needs a multiple of four, with `=` at the end",
        ),
        ("sig-rsa-sha256-hex:00", DOES_NOT_FIT),
        ("sig-rsa-sha1-hex:00", DOES_NOT_FIT),
        ("sig-rsa-sha256-hex:" + "00" * limits.KEY_SIZE, "a signature of more than 32768 characters"),
        ("sig-dsa-sha1-hex:00", "sig-dsa-sha1 is made with a DSA key, and its authorizer is none"),
        ("sig-ed25519-hex:00", "sig-ed25519 is made with an Ed25519 key, and its authorizer is none"),
    ],
    ids=lambda text: text[:40],
)
def test_refusals(signature: str, message: str) -> None:
    assert refusal(BODY.format(authorizer=principal("rsa")) + f'Signature: "{signature}"\n') == message


def test_unsigned_credentials() -> None:
    assert refusal('Authorizer: "K"\n') == "not signed"


@pytest.mark.parametrize("name", ["sig-rsa-sha1", "sig-rsa-md5", "sig-x509-sha1", "sig-dsa-sha1"])
def test_legacy_signatures_need_their_switch(name: str) -> None:
    text = signed("dsa" if "dsa" in name else "rsa", f"{name}-hex:")
    assert refusal(text, legacy=False) == f"{name} is a legacy signature; --legacy-signatures accepts it"


@pytest.mark.parametrize(("kind", "name"), [pair for pair in EVERY_ALGORITHM if "sha1" not in pair[1]][1:])
def test_others_need_none(kind: str, name: str) -> None:
    assert refusal(signed(kind, f"{name}-hex:"), legacy=False) == ""


def test_a_signature_may_not_depend_on_the_action() -> None:
    body = 'Authorizer: "rsa-hex:" . key\n'
    assert "may not depend on the action" in refusal(body + 'Signature: "sig-rsa-sha1-hex:00"\n')
    assert "may not depend on the action" in refusal(BODY.format(authorizer=principal("rsa")) + "Signature: sig\n")


def test_signatures_in_constants() -> None:
    made = keynote.sign(f'Local-Constants: ME="{principal("ec")}"\nAuthorizer: ME\n', key("ec"))
    assert refusal(f'Local-Constants: ME="{principal("ec")}"\nAuthorizer: ME\nSignature: "{made}"\n') == ""


def test_keys_that_verify_nothing() -> None:
    binary = BODY.format(authorizer="binary-hex:00ff") + 'Signature: "sig-rsa-sha1-hex:00"\n'
    assert refusal(binary) == "sig-rsa-sha1 is made with an RSA key, and its authorizer is none"
    # A DSA key as they were in 1999, of 512 bits.
    old = f"dsa-hex:{sequence(4, (1 << 511) + 187, (1 << 159) + 7, 3).hex()}"
    assert refusal(BODY.format(authorizer=old) + 'Signature: "sig-dsa-sha1-hex:00"\n').startswith(
        "its authorizer is a DSA key that cannot verify signatures: p must be"
    )


# --- in sessions


def test_a_signed_credential_delegates() -> None:
    policy = keynote.parse_policy(f'Authorizer: "POLICY"\nLicensees: "{principal("ec", "base64")}"\n', name="p.kn")
    text = f"{signed('ec', 'sig-ecdsa-sha256-base64:')}\n{signed('rsa', 'sig-rsa-sha1-hex:')}"
    credentials, _ = keynote.parse_credentials(text, name="c.kn")
    session = keynote.Session(policy, credentials)
    decision = session.query({"a": "b"}, ["K"])
    assert decision.allowed
    legacy = "sig-rsa-sha1 is a legacy signature; --legacy-signatures accepts it"
    assert [str(item) for item in decision.set_aside] == [f"c.kn:7:1: {legacy}"]
    assert not session.query({"a": "c"}, ["K"]).allowed
    everything = keynote.Session(policy, credentials, limits=keynote.Limits(legacy_signatures=True))
    assert everything.set_aside == ()


def test_one_bad_credential_does_no_harm_to_others() -> None:
    policy = keynote.parse_policy(f'Authorizer: "POLICY"\nLicensees: "{principal("ed25519")}"\n', name="p.kn")
    good = signed("ed25519", "sig-ed25519-hex:")
    texts = good.replace('"K"', '"J"') + "\n" + good
    session = keynote.Session(policy, keynote.parse_credentials(texts, name="c.kn")[0])
    assert session.query({"a": "b"}, ["K"]).allowed
    refused = session.query({"a": "b"}, ["J"])
    assert not refused.allowed
    assert any(DOES_NOT_FIT in str(reason) for reason in refused.reasons)


def test_the_signature_of_a_trusted_assertion_must_be_correct() -> None:
    """RFC 2704 4.6.7; a legacy one will do, since nobody relies on it."""
    text = signed("rsa", "sig-rsa-sha1-hex:")
    assert len(keynote.parse_policy(text, name="p.kn")) == 1
    wrong = text.replace('"K"', '"J"')
    with pytest.raises(keynote.PolicyError) as caught:
        keynote.parse_policy(wrong, name="p.kn")
    (problem,) = caught.value.problems
    assert (problem.where.line, problem.message) == (5, DOES_NOT_FIT)
    assert problem.hint == "sign it anew, or take the Signature field away"
    session = keynote.Session([keynote.parse_assertion(wrong, name="p.kn")])
    assert [item.reason for item in session.set_aside] == [DOES_NOT_FIT]
