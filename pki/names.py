# SPDX-License-Identifier: ISC
"""Identities: what a peer calls itself in IKE, and the subjectAltName that certifies it (RFC 4945 3.1, 5.1.3.6).

One text for each identity, whoever wrote it and wherever it is compared: host names and mail domains in lower case
and ASCII (A-labels), addresses in their canonical form. The texts of distinguished names are here too, under the
names that the rest of the project uses.
"""

import ipaddress
import re
from typing import Literal, NamedTuple

from cryptography import x509

from pki import distinguished_names
from pki.errors import NameInvalid, shown

IdentityKind = Literal["FQDN", "USER_FQDN", "IPV4_ADDR", "IPV6_ADDR", "DER_ASN1_DN"]

dn_keynote = distinguished_names.keynote
dn_principal = distinguished_names.principal
dn_openssl = distinguished_names.openssl
dn_rfc4514 = distinguished_names.rfc4514
dn_from_keynote = distinguished_names.from_keynote


class Identity(NamedTuple):
    """An IKE identity in its one text; a plain tuple of (kind, value), kinds as isakmpd.conf writes them. That of a
    distinguished name is `dn_keynote`'s."""

    kind: IdentityKind
    value: str

    def __str__(self) -> str:
        return f"ID_{self.kind} {self.value}"


_HOST_MAX, _LABEL_MAX, _LOCAL_MAX = 253, 63, 64
# `_` is no host name's (RFC 952), but peers are called so; whom we issue for is asked to do better (`general_name`).
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
# RFC 5321 4.1.2 dot-string without `/`, since keys and credentials are looked up in files named by identity, and
# without `*`; a quoted local part is nobody's identity.
_ATOM = r"[A-Za-z0-9!#$%&'+=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")


def fqdn(text: str) -> str:
    """A host name as an identity: lower case, A-labels. Raises NameInvalid for wildcards, control bytes, NUL,
    anything that is no host name, and what can only be a mistyped address."""
    if not text.isascii():
        raise NameInvalid(f"`{shown(text)}` is not ASCII", "write each label of it as its A-label (xn--...)")
    name = text.lower()
    if "*" in name:
        raise NameInvalid(f"`{shown(text)}` is a wildcard, which names nobody", "name one host")
    if name.endswith(".") and len(name) > 1:
        raise NameInvalid(f"`{shown(text)}` ends in a dot", f"write `{shown(name[:-1])}`")
    labels = name.split(".")
    if not name or len(name) > _HOST_MAX or not all(map(_is_label, labels)):
        raise NameInvalid(f"`{shown(text)}` is not a host name")
    if labels[-1].isdigit():
        raise NameInvalid(f"`{shown(text)}` is neither an address nor a host name")
    return name


def _is_label(label: str) -> bool:
    if not label or len(label) > _LABEL_MAX or not _LABEL.fullmatch(label):
        return False
    if label[2:4] != "--":
        return True
    if not label.startswith("xn--"):  # RFC 5890 2.3.1: reserved
        return False
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError):
        return False
    return not decoded.isascii() and decoded.isprintable()


def mail(text: str) -> str:
    """A mail address as an identity: its domain in lower case, its local part as it is (RFC 5280 7.5).

    Raises NameInvalid."""
    local, at, domain = text.rpartition("@")
    if not at or len(local) > _LOCAL_MAX or not _LOCAL_PART.fullmatch(local):
        raise NameInvalid(f"`{shown(text)}` is not a mail address", "write it as `alice@example.org`")
    try:
        return f"{local}@{fqdn(domain)}"
    except NameInvalid as error:
        raise NameInvalid(f"`{shown(text)}` is not a mail address: {error}", error.hint) from error


def address(text: str) -> Identity:
    """An IPv4 or IPv6 address as an identity. Raises NameInvalid, also for what is no single host's address."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError as error:
        raise NameInvalid(f"`{shown(text)}` is not an IP address") from error
    return _address(ip)


_BROADCAST = ipaddress.IPv4Address("255.255.255.255")  # RFC 919 7


def _address(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Identity:
    if ip.is_unspecified or ip.is_multicast or ip == _BROADCAST:
        raise NameInvalid(f"`{ip}` is not the address of one host")
    if isinstance(ip, ipaddress.IPv4Address):
        return Identity("IPV4_ADDR", str(ip))
    if ip.scope_id is not None:
        raise NameInvalid(f"`{ip}` holds only on one link", "leave out what follows `%`")
    return Identity("IPV6_ADDR", str(ip))


def identity(text: str) -> Identity:
    """`gw.example.org`, `alice@example.org`, `192.0.2.1`: each becomes the identity it looks like.

    Raises NameInvalid."""
    if "@" in text:
        return Identity("USER_FQDN", mail(text))
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return Identity("FQDN", fqdn(text))
    return _address(ip)


def typed(text: str) -> Identity:
    """The same of what somebody typed: names beyond ASCII become A-labels (RFC 5891), `/C=DE/CN=gw` a distinguished
    name. Raises NameInvalid."""
    if text.startswith(("/", "DN:/")):
        return distinguished_name(text)
    local, at, host = text.rpartition("@")
    return identity(f"{local}{at}{a_labels(host)}")


def distinguished_name(text: str) -> Identity:
    r"""`/C=DE/O=Example/CN=gw`, with or without `DN:`, as an identity. Characters beyond ASCII may be written as they
    are, instead of `\xHH` for each of their bytes in UTF-8. Raises NameInvalid."""
    escaped = "".join(it if it.isascii() else "".join(f"\\x{byte:02X}" for byte in it.encode()) for it in text)
    return Identity("DER_ASN1_DN", dn_keynote(dn_from_keynote(escaped)))


def folded_sha256(identity: Identity) -> str | None:
    """What a distinguished name is looked up by (`distinguished_names.folded_sha256`). The others have one text for
    each already. Raises NameInvalid."""
    if identity.kind != "DER_ASN1_DN":
        return None
    return distinguished_names.folded_sha256(dn_from_keynote(identity.value))


def a_labels(host: str) -> str:
    """A host name in ASCII, as RFC 5891 has it (IDNA 2008); what is ASCII stays as it is. Raises NameInvalid, also
    for characters that nobody sees and that the mapping (UTS 46 4) would drop in silence."""
    if host.isascii():
        return host
    import idna  # its tables are large, and seldom needed

    try:
        if unseen := next((it for it in host if not it.isascii() and not idna.uts46_remap(it)), None):
            raise NameInvalid(
                f"`{shown(host)}` is not a host name: U+{ord(unseen):04X} in it is not to be seen",
                "type the name anew, without it",
            )
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise NameInvalid(f"`{shown(host)}` is not a host name: {error}") from error


def general_name(name: Identity) -> x509.GeneralName:
    """The subjectAltName that certifies an identity (RFC 4945 5.1.3.6); for a distinguished name a directoryName.

    Raises NameInvalid for a distinguished name that the library would write otherwise."""
    match name.kind:
        case "FQDN":
            return x509.DNSName(name.value)
        case "USER_FQDN":
            return x509.RFC822Name(name.value)
        case "IPV4_ADDR" | "IPV6_ADDR":
            return x509.IPAddress(ipaddress.ip_address(name.value))
        case "DER_ASN1_DN":
            return x509.DirectoryName(x509_name(dn_from_keynote(name.value)))


def x509_name(der: bytes) -> x509.Name:
    """A distinguished name as the certificate library has it. Raises NameInvalid for one that it would write with
    other bytes, or not at all, and for one with a part that is blank, or has characters that are not printable."""
    text = distinguished_names.keynote(der)
    if not all(it.text.strip() and it.text.isprintable() for rdn in distinguished_names.decode(der) for it in rdn):
        raise NameInvalid(f"`{shown(text)}` cannot stand in a certificate", "use printable text")
    try:
        name = x509.Name(
            x509.RelativeDistinguishedName(
                x509.NameAttribute(x509.ObjectIdentifier(it.oid), it.value.decode()) for it in rdn
            )
            for rdn in distinguished_names.decode(der)
        )
        kept = name.public_bytes() == der
    except (ValueError, TypeError) as error:
        raise NameInvalid(f"`{shown(text)}` cannot stand in a certificate: {error}") from error
    if not kept:
        raise NameInvalid(f"`{shown(text)}` cannot stand in a certificate", "use the usual string types")
    return name


def certified(name: x509.GeneralName) -> Identity | None:
    """The identity that a subjectAltName certifies, or None for one that can be nobody's in IKE: wildcards, networks,
    URIs, directory names. Raises NameInvalid for control bytes and NUL, which no honest authority signs."""
    if isinstance(name, x509.DNSName | x509.RFC822Name):
        if any(character < "!" or character > "~" for character in name.value):
            raise NameInvalid(f"subjectAltName `{shown(name.value)}` has a blank, control or non-ASCII character")
        try:
            if isinstance(name, x509.DNSName):
                return Identity("FQDN", fqdn(name.value))
            return Identity("USER_FQDN", mail(name.value))
        except NameInvalid:
            return None
    if isinstance(name, x509.IPAddress) and isinstance(name.value, ipaddress.IPv4Address | ipaddress.IPv6Address):
        try:
            return _address(name.value)
        except NameInvalid:
            return None
    return None
