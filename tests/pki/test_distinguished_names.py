# SPDX-License-Identifier: ISC
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import distinguished_names
from pki.distinguished_names import Attribute
from pki.errors import DerInvalid, NameInvalid

UTF8, PRINTABLE, T61, IA5, UNIVERSAL, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E
C, O, OU, CN, DC = "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.3", "0.9.2342.19200300.100.1.25"  # noqa: E741
EMAIL = "1.2.840.113549.1.9.1"


def one(oid: str, tag: int, value: bytes) -> tuple[Attribute, ...]:
    return (Attribute(oid, tag, value),)


PLAIN = distinguished_names.encode(
    (one(C, PRINTABLE, b"DE"), one(O, UTF8, b"Example"), one(CN, UTF8, b"gw"), one(EMAIL, IA5, b"gw@example.org"))
)


def test_plain_ascii_is_what_isakmpd_prints() -> None:
    text = "/C=DE/O=Example/CN=gw/emailAddress=gw@example.org"
    assert distinguished_names.keynote(PLAIN) == text
    assert distinguished_names.openssl(PLAIN) == text
    assert distinguished_names.principal(PLAIN) == "DN:" + text


def test_der_is_x690() -> None:
    """By hand, so that encoder and decoder cannot agree on something else."""
    by_hand = bytes.fromhex("3019 310b 3009 0603 550406 1302 4445 310a 3008 0603 550403 0c01 78".replace(" ", ""))
    assert distinguished_names.encode((one(C, PRINTABLE, b"DE"), one(CN, UTF8, b"x"))) == by_hand
    assert distinguished_names.keynote(by_hand) == "/C=DE/CN=x"


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (Attribute(CN, UTF8, b"g\0w"), True),
        (Attribute(CN, T61, b"gw\0"), True),
        (Attribute(CN, BMP, b"\0g\0w"), False),
        (Attribute(CN, BMP, b"\0g\0\0\0w"), True),
        (Attribute("2.5.4.45", 0x03, b"\0\x80"), False),  # a BIT STRING
        (Attribute(CN, UTF8, b"gw"), False),
    ],
)
def test_nul(attribute: Attribute, expected: bool) -> None:
    name = distinguished_names.encode((one(CN, UTF8, b"x"), (attribute,)))
    assert distinguished_names.has_nul(name) is expected


# attributes, KeyNote text, what X509_NAME_oneline prints (OpenSSL 3.0.19), RFC 4514
TEXTS = [
    ((one(CN, UTF8, "gü".encode()),), r"/CN=g\xC3\xBC", r"/CN=g\xC3\xBC", "CN=gü"),
    ((one(O, UTF8, b"Ex/am+ple\\"),), r"/O=Ex\x2Fam\x2Bple\x5C", r"/O=Ex\/am\+ple" + "\\", r"O=Ex/am\+ple" + "\\\\"),
    ((one(CN, PRINTABLE, b"gw"),), "/CN:printable=gw", "/CN=gw", "CN=gw"),
    ((one(CN, T61, b"g\xfc"),), r"/CN:t61=g\xFC", r"/CN=g\xFC", "CN=gü"),
    ((one(CN, BMP, b"\0g\0w"),), r"/CN:bmp=\x00g\x00w", r"/CN=\x00g\x00w", "CN=gw"),
    ((one(C, UTF8, b"DE"),), "/C:utf8=DE", "/C=DE", "C=DE"),
    (
        (one(DC, IA5, b"org"), one(DC, IA5, b"example")),
        "/DC=org/DC=example",
        "/DC=org/DC=example",
        "DC=example,DC=org",
    ),
    (
        (one(C, PRINTABLE, b"DE"), (Attribute(CN, UTF8, b"gw"), Attribute(OU, UTF8, b"ops"))),
        "/C=DE/CN=gw+OU=ops",
        "/C=DE/CN=gw+OU=ops",
        "CN=gw+OU=ops,C=DE",
    ),
    ((one("1.2.3.4.5", UTF8, b"abc"),), "/1.2.3.4.5=abc", "/1.2.3.4.5=abc", "1.2.3.4.5=#0c03616263"),
    ((one("2.5.4.45", 0x03, b"\0a"),), "/x500UniqueIdentifier:der=03020061", None, "x500UniqueIdentifier=#03020061"),
    ((one(CN, UTF8, b' #a="b",<c>;\0 '),), r'/CN= #a="b",<c>;\x00 ', r'/CN= #a="b",<c>;\x00 ', None),
    ((one(CN, UTF8, b"#a"),), "/CN=#a", "/CN=#a", r"CN=\#a"),
    ((one(CN, UTF8, b" a "),), "/CN= a ", "/CN= a ", r"CN=\ a\ "),
    ((one(CN, UTF8, b""),), "/CN=", "/CN=", "CN="),
    ((), "", "", ""),
]


@pytest.mark.parametrize(("rdns", "keynote", "openssl", "rfc4514"), TEXTS)
def test_texts(
    rdns: tuple[tuple[Attribute, ...], ...], keynote: str, openssl: str | None, rfc4514: str | None
) -> None:
    name = distinguished_names.encode(rdns)
    assert distinguished_names.keynote(name) == keynote
    assert openssl is None or distinguished_names.openssl(name) == openssl
    assert rfc4514 is None or distinguished_names.rfc4514(name) == rfc4514


def test_rfc4514_escapes() -> None:
    name = distinguished_names.encode((one(CN, UTF8, b'"+,;<>\\\x00\x1b[31m'),))
    assert distinguished_names.rfc4514(name) == r"CN=\"\+\,\;\<\>\\\00\1B[31m"


def test_a_long_name_is_not_cut() -> None:
    name = distinguished_names.encode((one(CN, UTF8, b"x" * 3000),))
    assert distinguished_names.keynote(name) == "/CN=" + "x" * 3000


names = st.lists(
    st.lists(
        st.builds(
            Attribute,
            st.sampled_from([C, O, OU, CN, DC, EMAIL, "2.5.4.45", "1.2.3", "2.999.1", "0.0", "1.39.4294967296"]),
            st.sampled_from([UTF8, PRINTABLE, T61, IA5, BMP, UNIVERSAL, 0x12, 0x1A, 0x1B, 0x03, 0x04, 0x30, 0x80]),
            st.one_of(
                st.binary(max_size=12), st.text("ab/+\\=:# x41", max_size=12).map(str.encode), st.just(b"a" * 200)
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=4,
).map(lambda rdns: distinguished_names.encode(tuple(tuple(rdn) for rdn in rdns)))


# Invariant: no two names have one KeyNote text, because the text gives back the very bytes; it is printable ASCII.
@settings(max_examples=400, deadline=None)
@given(names)
def test_keynote_text_is_reversible(name: bytes) -> None:
    text = distinguished_names.keynote(name)
    assert re.fullmatch("[ -~]*", text)
    if text:
        assert distinguished_names.from_keynote(text) == name
        assert distinguished_names.from_keynote("DN:" + text) == name


@settings(max_examples=200, deadline=None)
@given(names, names)
def test_different_names_have_different_texts(one: bytes, other: bytes) -> None:
    assert (distinguished_names.keynote(one) == distinguished_names.keynote(other)) == (one == other)


# Invariant: bytes that are read at all are read as exactly one name: encoding it again gives them back.
@settings(max_examples=600, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.tuples(names, st.integers(0, 200), st.integers(0, 255)).map(
            lambda it: it[0][: it[1]] + bytes([it[2]]) + it[0][it[1] + 1 :]
        ),
    )
)
def test_any_bytes_are_one_name_or_refused(data: bytes) -> None:
    try:
        rdns = distinguished_names.decode(data)
    except DerInvalid:
        return
    assert distinguished_names.encode(rdns) == data
    for text in (distinguished_names.openssl(data), distinguished_names.rfc4514(data)):
        assert text.isprintable()
    distinguished_names.folded(data)


# Invariant: any text is a name that is written so, or refused.
@settings(max_examples=600, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text("/+=:\\xCNO0123456789.derutf", max_size=40).map("/".__add__)))
def test_any_text_is_one_name_or_refused(text: str) -> None:
    try:
        name = distinguished_names.from_keynote(text)
    except NameInvalid:
        return
    assert distinguished_names.keynote(name) == text.removeprefix("DN:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CN=gw", "not a distinguished name"),
        ("", "not a distinguished name"),
        ("/CN", "not an attribute"),
        ("/=gw", "not an attribute"),
        ("/XX=gw", "unknown attribute type `XX`"),
        ("/CN:latin=gw", "unknown string type `latin`"),
        ("/CN=gü", "not ASCII"),
        ("/CN:utf8=gw", "not how this name is written"),
        (r"/CN=\x41", "not how this name is written"),
        (r"/CN=\xfc", "not how this name is written"),
        ("/CN:der=0c026777", "not how this name is written"),
        ("/CN:der=zz", "not the hex"),
        ("/2.5.4.3=gw", "not how this name is written"),
        ("/OU=ops+CN=gw", "not how this name is written"),
        ("/3.1=x", "not an object identifier"),
        ("/1.40=x", "not an object identifier"),
        ("/1." + "9" * 5000 + "=x", "not an attribute"),
        ("/1.2." + "9" * 39 + "=x", "not a distinguished name: object identifier"),
        ("/CN=" + "x" * 40000, "not a distinguished name"),
    ],
)
def test_texts_that_are_no_names(text: str, message: str) -> None:
    with pytest.raises(NameInvalid, match=re.escape(message)):
        distinguished_names.from_keynote(text)


def test_the_hint_has_the_right_text() -> None:
    with pytest.raises(NameInvalid) as caught:
        distinguished_names.from_keynote("/OU=ops+CN=gw")
    assert caught.value.hint == "write `/CN=gw+OU=ops`"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends inside a header"),
        (PLAIN + b"\0", "bytes after"),
        (b"\x30\x80\0\0", "indefinite"),
        (b"\x30\x81\x00", "shortest form"),
        (b"\x30\x82\x00\x80" + bytes(128), "shortest form"),
        (b"\x30\x85\0\0\0\0\0", "indefinite, too long"),
        (b"\x30\x02\x31\x00", "without an attribute"),
        (b"\x3f\x81\x00\x00", "more than one byte"),
        (b"\x31\x00", "tag 0x31 where 0x30"),
        (bytes.fromhex("300b3109300706028055 0c0178"), "not in its shortest form"),
        (bytes.fromhex("300b3109300706025580 0c0178"), "ends inside an arc"),
        (bytes.fromhex("30093107300506000c0178"), "ends inside an arc"),
        (bytes.fromhex("300e310c300a060355 0403 0c0178 0500".replace(" ", "")), "bytes after the value"),
        (bytes.fromhex("3014 3112 3008 0603550403 0c0178 3006 06022a03 0c00"), "not in DER order"),
        (distinguished_names.encode((one(CN, UTF8, b"x" * 9000),)), "more than 8192 bytes"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_names(data: bytes, message: str) -> None:
    with pytest.raises(DerInvalid, match=re.escape(message)):
        distinguished_names.decode(data)


def test_folding_sees_through_string_types_case_and_blanks() -> None:
    plain = distinguished_names.encode((one(O, UTF8, b"Example  Org"),))
    alike = distinguished_names.encode((one(O, BMP, " eXample Org ".encode("utf-16-be")),))
    other = distinguished_names.encode((one(OU, UTF8, b"Example Org"),))
    assert distinguished_names.folded(plain) == distinguished_names.folded(alike)
    assert distinguished_names.folded(plain) != distinguished_names.folded(other)


# RFC 4518 2.2 to 2.6.1, with RFC 3454 B.2: what is one, and what is not
ALIKE = [
    ("Root CA", "ROOT  ca "),
    ("Root CA", "\uff32oot CA"),  # NFKC: fullwidth
    ("Root CA", "Ro\u00adot CA"),  # soft hyphen: nothing
    ("Root CA", "Ro\u200bot\u00a0\u3000CA"),  # zero width space: nothing; other spaces: spaces
    ("Root CA", "Root\t\u0085CA\ufeff"),
    ("Root CA", "Ro\x00ot CA\ufe0f"),
    ("Stra\u00dfe", "STRASSE"),
    ("\u0130", "i\u0307"),
    ("\u2126", "\u03c9"),  # ohm sign
    ("\ufb01x", "FIX"),
    ("g\u00fc", "gu\u0308"),
    ("a\u0323\u0301", "a\u0301\u0323"),  # canonical order
    ("\u00a8", " \u0308"),  # a blank that a mark combines with
    ("", " "),
    # Unicode 3.2 lacks the first of each: RFC 4518 has no answer, look-alikes are refused
    ("stra\u1e9ee", "strasse"),
    ("\u1d2c", "a"),
    ("\uab70", "\u13a0"),
]
UNLIKE = [
    ("Root CA", "RootCA"),
    ("Root CA", "Root C\u0410"),  # Cyrillic: no case, no compatibility
    ("gu", "g\u00fc"),
    ("a \u0308", "a\u0308"),
    ("a  \u0308", "a \u0308"),
    ("a\x1cb", "a b"),
    ("\ue000", "\ue001"),
    ("", "a"),
]


@pytest.mark.parametrize(("texts", "alike"), [*((it, True) for it in ALIKE), *((it, False) for it in UNLIKE)])
def test_folding_compares_as_rfc4518_does(texts: tuple[str, str], alike: bool) -> None:
    names = [distinguished_names.encode((one(CN, UTF8, text.encode()),)) for text in texts]
    assert (distinguished_names.folded(names[0]) == distinguished_names.folded(names[1])) is alike
    digits = {distinguished_names.folded_sha256(name) for name in names}
    assert len(digits) == (1 if alike else 2)


def test_what_is_alike_stays_so_in_later_versions() -> None:
    """Registries keep it."""
    digits = distinguished_names.folded_sha256(
        distinguished_names.from_keynote("/C=DE/O=R\\xC3\\xB6ot X/CN=gw+OU=ops")
    )
    assert digits == "7b86f66150400f501634c29f713ee8c1059cc6f19119fb2f3083198fc95ff22a"


# Invariant: what the library's own case folding or NFKC makes of a text is like it, and folding is done at once.
@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
def test_folding_sees_through_case_and_compatibility(text: str) -> None:
    def folded(it: str) -> object:
        return distinguished_names.folded(distinguished_names.encode((one(CN, UTF8, it.encode()),)))

    assert folded(unicodedata.ucd_3_2_0.normalize("NFKC", text)) == folded(text)
    # Behind a letter, for a blank that a mark stands on is a part of the text (RFC 4518 2.6.1).
    assert folded(" x" + text + "  ") == folded("x" + text)


def test_many_marks_take_no_time_that_grows_with_their_square() -> None:
    """In the order that NFKC gives them, so that it has nothing to sort."""
    marks = "\u0315\u0323\u0301" * 50
    ordered = distinguished_names._ordered("a" + marks + "b")
    assert [unicodedata.combining(it) for it in ordered] == [0, *[220] * 50, *[230] * 50, *[232] * 50, 0]
    assert unicodedata.normalize("NFKC", ordered) == unicodedata.normalize("NFKC", "a" + marks + "b")
