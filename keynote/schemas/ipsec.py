# SPDX-License-Identifier: ISC
"""The action attributes of `app_domain == "IPsec policy"`, as isakmpd.policy(5) has them: one table.

The IKE daemon builds its attribute sets from this table and checks them by it; the tools read from it which names a
policy can use, and which values they can have. An attribute that does not apply is undefined, which a policy sees as
the empty string.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any, Final

from keynote.nearest import nearest
from keynote.redaction import quoted

APP_DOMAIN: Final = "IPsec policy"


class Kind(Enum):
    """What the values of an attribute look like."""

    CHOICE = "one of a few words"
    NUMBER = "decimal number"
    ADDRESS = "IP address in groups of fixed width, which compare as strings in the order of addresses"
    TIME = "YYYYMMDDHHMMSS"
    WORD_OR_NUMBER = "one of a few words, or a decimal number"
    TEXT = "any text"


_NO_WORDS: Final[Mapping[int, str]] = MappingProxyType({})
#: The protocols for which the daemon has words, by their numbers.
PROTOCOLS: Final[Mapping[int, str]] = MappingProxyType({6: "tcp", 17: "udp", 97: "etherip"})

_GROUP: Final = r"(?:[01][0-9]{2}|2[0-4][0-9]|25[0-5])"
_FORMS: Final = {
    Kind.NUMBER: re.compile(r"0|[1-9][0-9]*"),
    Kind.ADDRESS: re.compile(rf"{_GROUP}(?:\.{_GROUP}){{3}}|[0-9a-f]{{4}}(?::[0-9a-f]{{4}}){{7}}"),
    Kind.TIME: re.compile(r"[0-9]{14}"),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """`words` are the values of a CHOICE, and the words of a WORD_OR_NUMBER. `may_be_empty`: the attribute can be
    undefined, so that `!=` holds though nothing was said. `phase1`: known before there is a tunnel to speak of.
    Numbers go up to `greatest`, without those of `spelt`, for which there are words."""

    name: str
    kind: Kind
    meaning: str
    words: tuple[str, ...] = ()
    may_be_empty: bool = True
    phase1: bool = False
    greatest: int | None = None
    spelt: Mapping[int, str] = field(default_factory=lambda: _NO_WORDS)

    def allows(self, value: str) -> bool:
        """Whether the attribute can have this value."""
        if not value:
            return self.may_be_empty
        if self.kind is Kind.TEXT or value in self.words:
            return True
        form = _FORMS[Kind.NUMBER] if self.kind is Kind.WORD_OR_NUMBER else _FORMS.get(self.kind)
        if form is None or form.fullmatch(value) is None:
            return False
        if self.greatest is None:
            return True
        return len(value) <= len(str(self.greatest)) and int(value) <= self.greatest and int(value) not in self.spelt

    def data(self) -> dict[str, Any]:
        """As it is told to programs. `kind` is one of the names of `Kind`, in lower case."""
        return {
            "name": self.name,
            "meaning": self.meaning,
            "kind": self.kind.name.lower(),
            "words": list(self.words),
            "domain": self.domain,
            "may_be_empty": self.may_be_empty,
            "phase1": self.phase1,
        }

    @property
    def domain(self) -> str:
        """The values, in words."""
        words = ", ".join(f"`{word}`" for word in self.words)
        if self.kind is Kind.CHOICE:
            return words
        up_to = "" if self.greatest is None else f" up to {self.greatest}"
        return f"{words}, or another number{up_to}" if words else f"{self.kind.value}{up_to}"


_YES_NO: Final = ("yes", "no")
_ID_TYPES: Final = (
    "IPv4 address",
    "IPv4 range",
    "IPv4 subnet",
    "IPv6 address",
    "IPv6 range",
    "IPv6 subnet",
    "FQDN",
    "User FQDN",
    "ASN1 DN",
    "ASN1 GN",
    "Key ID",
)
_HMACS: Final = (
    "hmac-md5",
    "hmac-sha",
    "hmac-ripemd",
    "hmac-sha2-256",
    "hmac-sha2-384",
    "hmac-sha2-512",
    "des-mac",
    "kpdk",
)
_HASHES: Final = ("sha2-256", "sha2-384", "sha2-512")
_CIPHERS: Final = (
    "des-iv64",
    "des",
    "3des",
    "aes",
    "rc5",
    "idea",
    "cast",
    "blowfish",
    "3idea",
    "des-iv32",
    "rc4",
    "null",
)
_PROTOCOLS: Final = {"esp": "ESP", "ah": "AH", "comp": "IPComp"}
_IDENTITIES: Final = {
    "remote_filter": "the peer's side of the tunnel (its Phase 2 ID, or its address without one)",
    "local_filter": "our side of the tunnel (our Phase 2 ID, or our address without one)",
    "remote_id": "the peer's Phase 1 identity",
}


def _exchange() -> Iterable[Attribute]:
    choice, number, address, time = Kind.CHOICE, Kind.NUMBER, Kind.ADDRESS, Kind.TIME
    yield Attribute("app_domain", choice, "the application", (APP_DOMAIN,), False, True)
    yield Attribute("doi", choice, "the domain of interpretation", ("ipsec",), False, True)
    yield Attribute("initiator", choice, "whether we initiate Quick Mode", _YES_NO, False)
    yield Attribute("phase_1", choice, "the Phase 1 exchange", ("main", "aggressive"), phase1=True)
    yield Attribute("phase1_group_desc", number, "the Diffie-Hellman group of Phase 1, 0 without", (), False, True)
    yield Attribute("pfs", choice, "whether Quick Mode exchanges new Diffie-Hellman values", _YES_NO, False)
    for side, whose in (("remote", "the peer's"), ("local", "our")):
        yield Attribute(f"{side}_ike_address", address, f"{whose} address in this exchange", (), False, True)
        meaning = f"the same as {side}_ike_address"
        yield Attribute(f"{side}_negotiation_address", address, meaning, (), False, True)
    yield Attribute("GMTTimeOfDay", time, "now, in UTC", (), False, True)
    yield Attribute("LocalTimeOfDay", time, "now, in local time", (), False, True)


def _protocol(prefix: str, name: str) -> Iterable[Attribute]:
    choice, number = Kind.CHOICE, Kind.NUMBER
    yield Attribute(f"{prefix}_present", choice, f"whether {name} is proposed", _YES_NO, False)
    modes = ("tunnel", "transport", "udp-encap-tunnel")
    yield Attribute(f"{prefix}_encapsulation", choice, f"the encapsulation mode of {name}", modes)
    yield Attribute(f"{prefix}_ecn", choice, f"whether the {name} tunnel carries congestion marks", _YES_NO)
    yield Attribute(f"{prefix}_group_desc", number, f"the Diffie-Hellman group that {name} proposes for Quick Mode")
    yield Attribute(f"{prefix}_life_seconds", number, f"the proposed lifetime of the {name} SA in seconds")
    yield Attribute(f"{prefix}_life_kbytes", number, f"the proposed lifetime of the {name} SA in kilobytes")
    if prefix != "comp":
        yield Attribute(f"{prefix}_key_length", number, f"the key length of the {name} algorithm in bits")
        yield Attribute(f"{prefix}_key_rounds", number, f"the rounds of the {name} algorithm")


def _algorithms() -> Iterable[Attribute]:
    choice, number = Kind.CHOICE, Kind.NUMBER
    yield Attribute("esp_enc_alg", choice, "the cipher of ESP; `null` for what does not encrypt", _CIPHERS)
    yield Attribute("esp_auth_alg", choice, "the authentication algorithm of ESP; empty for AEAD ciphers", _HMACS)
    yield Attribute("ah_hash_alg", choice, "the transform of AH", ("md5", "sha", "ripemd", "des", *_HASHES))
    yield Attribute("ah_auth_alg", choice, "the authentication algorithm of AH", (*_HMACS, *_HASHES))
    yield Attribute("comp_alg", choice, "the algorithm of IPComp", ("oui", "deflate"))
    yield Attribute("comp_dict_size", number, "the dictionary size of IPComp")
    yield Attribute("comp_private_alg", number, "the private algorithm of IPComp")


def _identity(name: str, meaning: str) -> Iterable[Attribute]:
    known = name == "remote_id"
    yield Attribute(f"{name}_type", Kind.CHOICE, f"the type of {meaning}", _ID_TYPES, phase1=known)
    yield Attribute(name, Kind.TEXT, f"{meaning}: an address, `lower-upper`, a name, a DN or a key ID", phase1=known)
    for bound in ("lower", "upper"):
        text = f"the {bound} address of {meaning}, if it is one of addresses"
        yield Attribute(f"{name}_addr_{bound}", Kind.ADDRESS, text, phase1=known)
    text, words = f"the protocol of {meaning}", tuple(PROTOCOLS.values())
    yield Attribute(f"{name}_proto", Kind.WORD_OR_NUMBER, text, words, phase1=known, greatest=255, spelt=PROTOCOLS)
    yield Attribute(f"{name}_port", Kind.NUMBER, f"the port of {meaning}", phase1=known, greatest=65535)


def _table() -> dict[str, Attribute]:
    attributes = [*_exchange(), *_algorithms()]
    for prefix, protocol in _PROTOCOLS.items():
        attributes += _protocol(prefix, protocol)
    for name, meaning in _IDENTITIES.items():
        attributes += _identity(name, meaning)
    return {attribute.name: attribute for attribute in attributes}


#: Every attribute by its name.
ATTRIBUTES: Final[Mapping[str, Attribute]] = MappingProxyType(_table())


def check(action: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with an attribute set by this schema, a line for each attribute; empty if nothing is."""
    problems = []
    for name, value in action.items():
        attribute = ATTRIBUTES.get(name)
        if attribute is None:
            close = nearest(name, ATTRIBUTES)
            hint = f"; did you mean `{close}`?" if close else ""
            problems.append(f"unknown attribute {quoted(name)}{hint}")
        elif not attribute.allows(value):
            problems.append(f"{name} cannot be {quoted(value)}: its values are {attribute.domain}")
    return tuple(problems)


def padded(address: IPv4Address | IPv6Address) -> str:
    """An address as policy sees it: `010.001.002.003`, or IPv6 as eight groups of four lower-case digits."""
    if isinstance(address, IPv6Address):
        return address.exploded
    a, b, c, d = address.packed
    return f"{a:03d}.{b:03d}.{c:03d}.{d:03d}"
