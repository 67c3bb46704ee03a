# SPDX-License-Identifier: ISC
"""X.501 names in DER, as far as an ID payload needs them: is it one, and how does it read in a log.

Names are compared byte for byte (RFC 4945 3.1.5 asks no less of us, and nothing else is safe), so the text made
here decides nothing.
"""

from ike_auth.errors import InvalidIdInformation, MalformedMessage
from ike_auth.wire.codec import Reader

_SEQUENCE, _SET, _OID, _BMP_STRING = 0x30, 0x31, 0x06, 0x1E
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}


def check(der: bytes) -> None:
    """Raises InvalidIdInformation unless `der` is one name with at least one attribute, and nothing after it."""
    try:
        attributes = _attributes(der)
    except MalformedMessage as error:
        raise InvalidIdInformation(f"DER_ASN1_DN is no name: {error}") from None
    if not attributes:
        raise InvalidIdInformation("empty DER_ASN1_DN")


def text(der: bytes) -> str:
    """`/C=SE/O=Example/CN=gw.example.org` for reading; hex if `der` is no name. Control characters and slashes
    inside a value come out escaped."""
    try:
        attributes = _attributes(der)
    except MalformedMessage:
        return der.hex()
    return "".join(f"/{_SHORT_NAMES.get(oid, oid)}={value}" for oid, value in attributes)


def _attributes(der: bytes) -> list[tuple[str, str]]:
    """Attribute type and value of each part of the name, in order."""
    found: list[tuple[str, str]] = []
    reader = Reader(der)
    with reader.exactly(_open(reader, _SEQUENCE)):
        while reader.remaining:
            with reader.exactly(_open(reader, _SET)):
                found.append(_attribute(reader))
                while reader.remaining:
                    found.append(_attribute(reader))
    if reader.remaining:
        raise MalformedMessage(f"{reader.remaining} bytes after the name")
    return found


def _attribute(reader: Reader) -> tuple[str, str]:
    with reader.exactly(_open(reader, _SEQUENCE)):
        oid = _dotted(reader.take(_open(reader, _OID)))
        tag, size = _tag_and_size(reader)
        return oid, _shown(reader.take(size), "utf-16-be" if tag == _BMP_STRING else "utf-8")


def _open(reader: Reader, expected: int) -> int:
    tag, size = _tag_and_size(reader)
    if tag != expected:
        raise MalformedMessage(f"tag {tag:#04x} where {expected:#04x} belongs")
    return size


def _tag_and_size(reader: Reader) -> tuple[int, int]:
    tag, size = reader.unpack("BB")
    if size < 0x80:
        return tag, size
    octets = reader.take(size - 0x80)
    # DER: the shortest form only; more than four octets of length fit into no datagram.
    if not 0 < len(octets) <= 4 or octets[0] == 0 or (len(octets) == 1 and octets[0] < 0x80):
        raise MalformedMessage("length that is not DER")
    return tag, int.from_bytes(octets, "big")


def _dotted(data: bytes) -> str:
    if not data or data[-1] & 0x80 or len(data) > 32:
        raise MalformedMessage("object identifier that is not DER")
    arcs = [0]
    for byte in data:
        arcs[-1] = arcs[-1] << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(0)
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:-1]))


def _shown(data: bytes, encoding: str) -> str:
    decoded = data.decode(encoding, "backslashreplace")
    return "".join(c if c.isprintable() and c not in "/\\" else _escaped(c) for c in decoded)


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
