# SPDX-License-Identifier: ISC
"""The DER of a distinguished name, and the three texts that people and policies know it by.

The KeyNote text is a principal: two names that differ in a single byte of DER must never share it (RFC 5280 7.1
would call some of them equal, a policy must not). So it is reversible: `from_keynote` gives back the very bytes. The
other two are for reading only. docs/decisions/0201-dn-text.md has the reasons.
"""

import hashlib
import json
import re
import stringprep
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from pki import der
from pki.errors import DerInvalid, NameInvalid, shown

MAX_DER = 8192  # a name longer than this is nobody's: it would only fill logs and policies

_PRINTABLE, _UTF8, _IA5 = 0x13, 0x0C, 0x16

# Short names as OpenSSL prints them (isakmpd prints what OpenSSL prints), and as RFC 4514 section 3 or RFC 4519 do.
# Another one would change the text of names that bear it, and so the policies that trust them: the list is closed.
_TYPES: dict[str, tuple[str, str]] = {
    "2.5.4.3": ("CN", "CN"),
    "2.5.4.4": ("SN", "SN"),
    "2.5.4.5": ("serialNumber", "serialNumber"),
    "2.5.4.6": ("C", "C"),
    "2.5.4.7": ("L", "L"),
    "2.5.4.8": ("ST", "ST"),
    "2.5.4.9": ("street", "STREET"),
    "2.5.4.10": ("O", "O"),
    "2.5.4.11": ("OU", "OU"),
    "2.5.4.12": ("title", "title"),
    "2.5.4.13": ("description", "description"),
    "2.5.4.15": ("businessCategory", "businessCategory"),
    "2.5.4.16": ("postalAddress", "postalAddress"),
    "2.5.4.17": ("postalCode", "postalCode"),
    "2.5.4.18": ("postOfficeBox", "postOfficeBox"),
    "2.5.4.19": ("physicalDeliveryOfficeName", "physicalDeliveryOfficeName"),
    "2.5.4.20": ("telephoneNumber", "telephoneNumber"),
    "2.5.4.41": ("name", "name"),
    "2.5.4.42": ("GN", "givenName"),
    "2.5.4.43": ("initials", "initials"),
    "2.5.4.44": ("generationQualifier", "generationQualifier"),
    "2.5.4.45": ("x500UniqueIdentifier", "x500UniqueIdentifier"),
    "2.5.4.46": ("dnQualifier", "dnQualifier"),
    "2.5.4.51": ("houseIdentifier", "houseIdentifier"),
    "2.5.4.65": ("pseudonym", "pseudonym"),
    "2.5.4.72": ("role", "role"),
    "2.5.4.97": ("organizationIdentifier", "organizationIdentifier"),
    "0.9.2342.19200300.100.1.1": ("UID", "UID"),
    "0.9.2342.19200300.100.1.3": ("mail", "mail"),
    "0.9.2342.19200300.100.1.25": ("DC", "DC"),
    "1.2.840.113549.1.9.1": ("emailAddress", "emailAddress"),
    "1.2.840.113549.1.9.2": ("unstructuredName", "unstructuredName"),
    "1.2.840.113549.1.9.8": ("unstructuredAddress", "unstructuredAddress"),
    "1.3.6.1.4.1.311.60.2.1.1": ("jurisdictionL", "jurisdictionL"),
    "1.3.6.1.4.1.311.60.2.1.2": ("jurisdictionST", "jurisdictionST"),
    "1.3.6.1.4.1.311.60.2.1.3": ("jurisdictionC", "jurisdictionC"),
}
_OIDS = {short: oid for oid, (short, _) in _TYPES.items()}
# Everything else is a UTF8String where nothing is said: what OpenSSL, LibreSSL and this CA write.
_USUAL_TAG: dict[str, int] = {
    "2.5.4.5": _PRINTABLE,
    "2.5.4.6": _PRINTABLE,
    "2.5.4.46": _PRINTABLE,
    "1.3.6.1.4.1.311.60.2.1.3": _PRINTABLE,
    "0.9.2342.19200300.100.1.3": _IA5,
    "0.9.2342.19200300.100.1.25": _IA5,
    "1.2.840.113549.1.9.1": _IA5,
}
_STRING_TYPES: dict[int, tuple[str, str]] = {
    _UTF8: ("utf8", "utf-8"),
    0x12: ("numeric", "ascii"),
    _PRINTABLE: ("printable", "ascii"),
    0x14: ("t61", "latin-1"),
    _IA5: ("ia5", "ascii"),
    0x1A: ("visible", "ascii"),
    0x1B: ("general", "latin-1"),
    0x1C: ("universal", "utf-32-be"),
    0x1E: ("bmp", "utf-16-be"),
}
_TAGS = {word: tag for tag, (word, _) in _STRING_TYPES.items()}
_OTHER = "der"  # a value that is no string: its whole element in hex

_ATTRIBUTE = re.compile(
    r"(?P<type>[A-Za-z][A-Za-z0-9]*|[0-9]{1,39}(?:\.[0-9]{1,39})+)(?::(?P<string>[a-z0-9]+))?=(?P<value>.*)",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\x([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One AttributeTypeAndValue (RFC 5280 4.1.2.4): the value as its tag and the bytes of its contents."""

    oid: str
    tag: int
    value: bytes

    @property
    def ascii(self) -> str | None:
        """Its characters, where it is a string of the usual types that has no others."""
        return self.value.decode() if self.tag in (_IA5, _UTF8, _PRINTABLE) and self.value.isascii() else None

    @property
    def text(self) -> str:
        """Its value as characters; what its string type does not have comes out escaped."""
        _, codec = _STRING_TYPES.get(self.tag, ("", "latin-1"))
        return self.value.decode(codec, "backslashreplace")


Rdn = tuple[Attribute, ...]


@lru_cache(64)  # a certificate's names are asked for in several forms, and its issuer's at each peer
def decode(name: bytes) -> tuple[Rdn, ...]:
    """The RDNs of an RDNSequence, in the order of the encoding. Raises DerInvalid."""
    if len(name) > MAX_DER:
        raise DerInvalid(f"distinguished name of more than {MAX_DER} bytes")
    at, end = der.expect(name, 0, len(name), der.SEQUENCE)
    if end != len(name):
        raise DerInvalid("bytes after a distinguished name")
    rdns = []
    while at < end:
        begin, at = der.expect(name, at, end, der.SET)
        rdns.append(_decode_rdn(name, begin, at))
    return tuple(rdns)


def _decode_rdn(name: bytes, at: int, end: int) -> Rdn:
    attributes = []
    encoded = []
    while at < end:
        start = at
        begin, at = der.expect(name, at, end, der.SEQUENCE)
        encoded.append(name[start:at])
        oid_begin, oid_end = der.expect(name, begin, at, der.OBJECT_IDENTIFIER)
        tag, value_begin, value_end = der.element(name, oid_end, at)
        if value_end != at:
            raise DerInvalid("bytes after the value of an attribute")
        attributes.append(Attribute(_oid_text(name[oid_begin:oid_end]), tag, name[value_begin:value_end]))
    if not attributes:
        raise DerInvalid("relative distinguished name without an attribute")
    if len(encoded) > 1 and encoded != sorted(encoded):
        raise DerInvalid("attributes of a relative distinguished name are not in DER order")  # X.690 11.6
    return tuple(attributes)


def encode(rdns: tuple[Rdn, ...]) -> bytes:
    """The RDNSequence: the inverse of `decode`, attributes of one RDN put in DER order."""
    return der.encode(der.SEQUENCE, b"".join(der.encode(der.SET, _encode_rdn(rdn)) for rdn in rdns))


def _encode_rdn(rdn: Rdn) -> bytes:
    return b"".join(
        sorted(
            der.encode(
                der.SEQUENCE,
                der.encode(der.OBJECT_IDENTIFIER, _oid_bytes(attribute.oid))
                + der.encode(attribute.tag, attribute.value),
            )
            for attribute in rdn
        )
    )


def keynote(name: bytes) -> str:
    """`/C=DE/O=Example/CN=gw`: the text of a KeyNote `DN:` principal, without that prefix.

    Plain names of the usual string types are what isakmpd prints. A value of another string type says so
    (`/O:printable=Example`), one that is no string is `:der=` and hex. Raises DerInvalid.
    """
    return "".join("/" + "+".join(_keynote_attribute(attribute) for attribute in rdn) for rdn in decode(name))


def principal(name: bytes) -> str:
    """`DN:/C=DE/O=Example/CN=gw`, as an Authorizer or Licensees field names a certificate's holder."""
    return "DN:" + keynote(name)


def _keynote_attribute(attribute: Attribute) -> str:
    short = _short_name(attribute.oid)
    if attribute.tag not in _STRING_TYPES:
        return f"{short}:{_OTHER}={der.encode(attribute.tag, attribute.value).hex()}"
    value = "".join(_KEYNOTE_BYTES[byte] for byte in attribute.value)
    if attribute.tag == _USUAL_TAG.get(attribute.oid, _UTF8):
        return f"{short}={value}"
    return f"{short}:{_STRING_TYPES[attribute.tag][0]}={value}"


_KEYNOTE_BYTES = tuple(
    chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in "\\/+" else f"\\x{byte:02X}" for byte in range(256)
)


def from_keynote(text: str) -> bytes:
    """The DER of a name written as `keynote` writes it, with or without `DN:`. Raises NameInvalid for any other text:
    each name has one text."""
    body = text.removeprefix("DN:")
    if not body.startswith("/") or len(body) > 4 * MAX_DER:
        raise NameInvalid(f"`{shown(text)}` is not a distinguished name", "write it as `/C=DE/O=Example/CN=gw`")
    name = encode(tuple(tuple(_parse(part) for part in rdn.split("+")) for rdn in body[1:].split("/")))
    try:
        unchanged = keynote(name) == body
    except DerInvalid as error:
        raise NameInvalid(f"`{shown(text)}` is not a distinguished name: {error}") from error
    if not unchanged:
        raise NameInvalid(f"`{shown(text)}` is not how this name is written", f"write `{keynote(name)}`")
    return name


def _parse(text: str) -> Attribute:
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        raise NameInvalid(f"`{shown(text)}` is not an attribute of a distinguished name", "write TYPE=value")
    oid = _OIDS.get(match["type"], match["type"])
    if oid[0].isalpha():
        raise NameInvalid(f"unknown attribute type `{match['type']}`", f"known are {', '.join(sorted(_OIDS))}, OIDs")
    if match["string"] == _OTHER:
        return _parse_other(oid, match["value"])
    tag = _TAGS.get(match["string"], 0) if match["string"] else _USUAL_TAG.get(oid, _UTF8)
    if not tag:
        raise NameInvalid(f"unknown string type `{match['string']}`", f"known are {', '.join(sorted(_TAGS))}")
    try:
        raw = match["value"].encode("ascii")
    except UnicodeEncodeError as error:
        raise NameInvalid(f"`{shown(text)}` is not ASCII", r"write each other byte as \xHH") from error
    return Attribute(oid, tag, _ESCAPED.sub(lambda escaped: bytes.fromhex(escaped[1].decode()), raw))


def _parse_other(oid: str, text: str) -> Attribute:
    try:
        raw = bytes.fromhex(text)
        tag, begin, end = der.element(raw, 0, len(raw))
    except (ValueError, DerInvalid) as error:
        raise NameInvalid(f"`{shown(text)}` is not the hex of a DER element") from error
    return Attribute(oid, tag, raw[begin:end])


def openssl(name: bytes) -> str:
    r"""`/C=DE/CN=gw`, as X509_NAME_oneline prints it: `/` and `+` after a backslash, other bytes as `\xHH`."""
    return "".join("/" + "+".join(_openssl_attribute(attribute) for attribute in rdn) for rdn in decode(name))


def _openssl_attribute(attribute: Attribute) -> str:
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02X}" for byte in attribute.value)
    return _short_name(attribute.oid) + "=" + re.sub(r"([/+])", r"\\\1", text)


def rfc4514(name: bytes) -> str:
    """`CN=gw,O=Example,C=DE`: most specific first, as LDAP, strongSwan and Windows write it."""
    return ",".join("+".join(_rfc4514_attribute(attribute) for attribute in rdn) for rdn in reversed(decode(name)))


def _rfc4514_attribute(attribute: Attribute) -> str:
    known = _TYPES.get(attribute.oid)
    if known is None or attribute.tag not in _STRING_TYPES:
        return f"{known[1] if known else attribute.oid}=#{der.encode(attribute.tag, attribute.value).hex()}"
    try:
        value = attribute.value.decode(_STRING_TYPES[attribute.tag][1])
    except UnicodeDecodeError:
        return f"{known[1]}=#{der.encode(attribute.tag, attribute.value).hex()}"
    escaped = "".join(_rfc4514_character(character) for character in value)
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    if value.endswith(" ") and len(value) > 1:
        escaped = escaped[:-1] + "\\ "
    return f"{known[1]}={escaped}"


def _rfc4514_character(character: str) -> str:
    if character in '"+,;<>\\':
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def has_nul(name: bytes) -> bool:
    """Whether a string in it has NUL, where others take it to end."""
    if b"\0" not in name:  # nearly always, and quick
        return False
    return any(it.tag in _STRING_TYPES and "\0" in it.text for rdn in decode(name) for it in rdn)


def folded(name: bytes) -> tuple[object, ...]:
    """Equal where RFC 5280 7.1 calls two names the same: string types, case, blanks and invisible characters do not
    matter. To refuse look-alikes with, so all attributes are compared in this way, other than strings too."""
    return tuple(tuple(sorted(_folded(attribute) for attribute in rdn)) for rdn in decode(name))


def folded_sha256(name: bytes) -> str:
    """The same in 64 hex digits, to look names up by. Registries keep it: other digits need a migration."""
    return hashlib.sha256(json.dumps(folded(name)).encode()).hexdigest()


def _folded(attribute: Attribute) -> tuple[str, str]:
    return attribute.oid, _prepared(attribute.text)


# RFC 4518 2.2: some control characters are blanks, the others and those of formatting are nothing. It prints
# FF00-FE0F for the variation selectors, which are FE00-FE0F.
_BLANKS = (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F)
_BLANKS += (0x205F, 0x3000)
_NOTHING = (
    (0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD), (0x34F, 0x34F), (0x6DD, 0x6DD),
    (0x70F, 0x70F), (0x1806, 0x1806), (0x180B, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2063),
    (0x206A, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFC), (0x1D173, 0x1D17A), (0xE0001, 0xE0001),
    (0xE0020, 0xE007F),
)  # fmt: skip
_MAPPED: dict[int, str | None] = {
    **dict.fromkeys(_BLANKS, " "),
    **{point: None for first, last in _NOTHING for point in range(first, last + 1)},
}


def _prepared(text: str) -> str:
    """RFC 4518 2.2 to 2.6.1 with the case folding of RFC 5280 7.1 (RFC 3454 B.2), equal where the strings match.

    With characters that Unicode 3.2 lacks, or that 2.4 prohibits, RFC 4518 lets no string match; here they stay, and
    Unicode of today folds them as well, since whoever looks like another is refused the sooner."""
    mapped = text.translate(_MAPPED)
    if mapped.isascii():
        return _spaced(mapped.lower())
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", _ordered("".join(map(_caseless, mapped))))
    return _spaced(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", normal).casefold()))


@lru_cache(1024)
def _caseless(character: str) -> str:
    return stringprep.map_table_b2(character)


def _ordered(text: str) -> str:
    """Marks that follow each other in the order that NFKC gives them: where a stranger sends thousands, the library
    takes the square of the time for it."""
    runs = groupby(text, key=lambda it: unicodedata.ucd_3_2_0.combining(it) > 0)
    return "".join(it for _, run in runs for it in sorted(run, key=unicodedata.ucd_3_2_0.combining))


def _spaced(text: str) -> str:
    """RFC 4518 2.6.1: blanks at the ends go, two stand between words. One that a mark combines with is a letter."""
    first, *others = text.split(" ")
    words = [first]
    for other in others:
        if other and unicodedata.category(other[0]).startswith("M"):
            words[-1] += " " + other
        else:
            words.append(other)
    return "  ".join(filter(None, words))


def _short_name(oid: str) -> str:
    known = _TYPES.get(oid)
    return known[0] if known else oid


@lru_cache(128)
def _oid_text(contents: bytes) -> str:
    if not contents or contents[-1] & 0x80:
        raise DerInvalid("object identifier ends inside an arc")
    arcs = []
    arc = 0
    for position, byte in enumerate(contents):
        if arc == 0 and byte == 0x80 and (position == 0 or not contents[position - 1] & 0x80):
            raise DerInvalid("object identifier is not in its shortest form")
        arc = arc << 7 | byte & 0x7F
        if arc >> 128:
            raise DerInvalid("object identifier with an arc of more than 128 bits")
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - 40 * first, *arcs[1:]))


def _oid_bytes(text: str) -> bytes:
    arcs = [int(arc) for arc in text.split(".")]
    if arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39):
        raise NameInvalid(f"`{shown(text)}` is not an object identifier")
    encoded = bytearray()
    for arc in (40 * arcs[0] + arcs[1], *arcs[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        encoded.extend(reversed(groups))
    return bytes(encoded)
