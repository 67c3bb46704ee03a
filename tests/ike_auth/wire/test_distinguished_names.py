# SPDX-License-Identifier: ISC
import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import InvalidIdInformation
from ike_auth.wire.distinguished_names import check, text

NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
        x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Båtar och sånt"),
        x509.NameAttribute(NameOID.COMMON_NAME, "gw"),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "ca@example.org"),
        x509.NameAttribute(ObjectIdentifier("1.3.6.1.4.1.99999.1"), "x"),
        x509.NameAttribute(ObjectIdentifier("2.999.1"), "y"),
    ]
)


def test_text() -> None:
    expected = "/C=SE/DC=example/O=Båtar och sånt/CN=gw/emailAddress=ca@example.org/1.3.6.1.4.1.99999.1=x/2.999.1=y"
    der = NAME.public_bytes()
    check(der)
    assert text(der) == expected


def test_several_attributes_in_one_part() -> None:
    part = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, "gw"), x509.NameAttribute(NameOID.USER_ID, "7")]
    )
    assert sorted(text(x509.Name([part]).public_bytes()).split("/")) == ["", "CN=gw", "UID=7"]


def test_long_names_use_long_lengths() -> None:
    der = x509.Name([x509.NameAttribute(ObjectIdentifier("1.2.3"), "x" * 300)]).public_bytes()
    assert der[1] == 0x82
    check(der)
    assert text(der) == "/1.2.3=" + "x" * 300


@pytest.mark.parametrize("size", range(100, 140))
def test_every_length_around_the_long_form(size: int) -> None:
    der = x509.Name([x509.NameAttribute(ObjectIdentifier("1.2.3"), "x" * size)]).public_bytes()
    check(der)
    assert text(der) == "/1.2.3=" + "x" * size


def test_bmp_strings() -> None:
    attribute = x509.NameAttribute(NameOID.COMMON_NAME, "gå", _ASN1Type.BMPString)
    assert text(x509.Name([attribute]).public_bytes()) == "/CN=gå"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a/CN=b", "/CN=a\\x2fCN=b"),
        ("a\x1b[2J", "/CN=a\\x1b[2J"),
        ("a\u202eb", "/CN=a\\xe2\\x80\\xaeb"),
        ("a\\b", "/CN=a\\x5cb"),
    ],
)
def test_text_cannot_pretend(value: str, shown: str) -> None:
    assert text(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value)]).public_bytes()) == shown


GOOD = "300d310b3009060355040613025345"


@pytest.mark.parametrize(
    "der",
    [
        "",
        "30",
        "3000",  # the empty name
        "30023100",  # an empty part
        "310d310b3009060355040613025345",  # a SET outside
        "300d300b3009060355040613025345",  # a SEQUENCE inside
        "300d310b3109060355040613025345",
        "300d310b3009050355040613025345",  # no OID
        "300d310b3009060355048613025345",  # an OID that goes on
        "30 0b 310930070600 13025345 0000",
        GOOD + "00",
        GOOD[:-2],
        "30800000",  # indefinite length
        "30810d310b3009060355040613025345",  # a length that is not the shortest
        "3085000000000d",
        "300e310b300906035504061302534500",
    ],
)
def test_what_is_no_name(der: str) -> None:
    with pytest.raises(InvalidIdInformation):
        check(bytes.fromhex(der))


def test_text_of_what_is_no_name_is_hex() -> None:
    check(bytes.fromhex(GOOD))
    assert text(b"\x30\x01") == "3001"


# Invariant: any bytes are a name or refused by InvalidIdInformation, and have a printable text.
@given(st.data())
@settings(deadline=None, max_examples=300)
def test_total(data: st.DataObject) -> None:
    der = bytearray(NAME.public_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    der = der[: data.draw(st.integers(0, len(der)))] if data.draw(st.booleans()) else der
    assert text(bytes(der)).isprintable()
    try:
        check(bytes(der))
    except InvalidIdInformation:
        return
    assert text(bytes(der)).startswith("/")
