# SPDX-License-Identifier: ISC
"""Name constraints (RFC 5280 4.2.1.10), stricter than the library, which passes over what it cannot compare.

Constraints on names other than DNS, mail and IP cannot be checked: refused. And an authority that may issue for some
kinds of names only is not thereby free to issue for the other kinds: those that a peer is known by in IKE must be
permitted. Its subject cannot be, so below such an authority a whole subject is nobody's identity.
"""

import ipaddress
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki import distinguished_names
from pki.chain_certificates import ChainError, ReadCertificate, Reason, extension
from pki.errors import shown

_EMAIL_ADDRESS = NameOID.EMAIL_ADDRESS.dotted_string
_Subtree = x509.DNSName | x509.RFC822Name | x509.IPAddress


class _Unread(str):
    """What stands in the place of a mail address and is none that could be compared: of another string type, or with
    characters beyond ASCII (RFC 5280 4.1.2.6: an IA5String)."""

    __slots__ = ()


def check_constraints(authority: ReadCertificate, certificate: ReadCertificate) -> None:
    """Whether `authority`, somewhere above, may issue for the names of `certificate`: what RFC 5280 asks. Raises
    ChainError."""
    constraints = extension(authority, x509.NameConstraints)
    if constraints is None:
        return
    permitted = [_checkable(subtree, authority) for subtree in constraints.permitted_subtrees or ()]
    excluded = [_checkable(subtree, authority) for subtree in constraints.excluded_subtrees or ()]
    for kind, value in _names(certificate):
        allowed = [subtree for subtree in permitted if isinstance(subtree, kind)]
        if isinstance(value, _Unread) and any(isinstance(subtree, kind) for subtree in (*permitted, *excluded)):
            raise _outside(authority, certificate, str(value), "has constraints that it cannot be held to")
        if allowed and not any(_within(value, subtree) for subtree in allowed):
            raise _outside(authority, certificate, str(value), "is constrained to others")
        if any(_overlaps(value, subtree) for subtree in excluded if isinstance(subtree, kind)):
            raise _outside(authority, certificate, str(value), "may not issue for it")


def check_identities(authority: ReadCertificate, leaf: ReadCertificate) -> None:
    """Whether `authority`, somewhere above, may say who a peer is: where some names are permitted, all names of the
    peer must be of kinds that are, and there must be one. Raises ChainError."""
    constraints = extension(authority, x509.NameConstraints)
    permitted = constraints and constraints.permitted_subtrees
    if not permitted:
        return
    for kind, value in _names(leaf):
        if not any(isinstance(subtree, kind) for subtree in permitted):
            raise _outside(authority, leaf, str(value), "is constrained to other kinds of names")
    if not leaf.names:
        raise ChainError(
            Reason.NAME_CONSTRAINTS,
            f"certificate `{leaf.subject}` names its holder by the subject alone; "
            f"authority `{authority.subject}` is constrained to other kinds of names",
            "have it issued with a subjectAltName that the authority may certify, or by another authority",
        )


def permits_some_names_only(authority: x509.Certificate) -> bool:
    """And never whole subjects, since constraints on those are refused: a peer's below it is no identity."""
    for found in authority.extensions:
        if isinstance(found.value, x509.NameConstraints):
            return bool(found.value.permitted_subtrees)
    return False


def _checkable(subtree: x509.GeneralName, authority: ReadCertificate) -> _Subtree:
    match subtree:
        case x509.IPAddress():
            return subtree
        case x509.DNSName(value=value) if value and not value.startswith("."):
            return subtree
        case x509.RFC822Name(value=value) if value and not value.startswith("@") and not value.endswith("@"):
            return subtree
    text = f" `{shown(subtree.value)}`" if isinstance(subtree, x509.DNSName | x509.RFC822Name) else ""
    raise ChainError(
        Reason.NAME_CONSTRAINTS,
        f"authority `{authority.subject}` has name constraints on {type(subtree).__name__}{text}, not checked here",
        "only constraints on DNS, mail and IP names are supported, a domain without a dot before it",
    )


def _names(certificate: ReadCertificate) -> Iterator[tuple[type[_Subtree], object]]:
    """Its subjectAltNames of the kinds that are checked, and where there is no mail address among them, those of its
    subject."""
    mail = False
    for name in extension(certificate, x509.SubjectAlternativeName) or ():
        if isinstance(name, x509.DNSName | x509.RFC822Name | x509.IPAddress):
            mail = mail or isinstance(name, x509.RFC822Name)
            yield type(name), name.value
    for rdn in () if mail else distinguished_names.decode(certificate.subject_der):
        for attribute in rdn:
            if attribute.oid == _EMAIL_ADDRESS:
                yield x509.RFC822Name, _Unread(attribute.text) if attribute.ascii is None else attribute.ascii


def _within(value: object, subtree: _Subtree) -> bool:
    match value, subtree:
        case str(), x509.DNSName(value=domain):
            return f".{value}".lower().endswith(f".{domain}".lower())
        case str(), x509.RFC822Name(value=allowed):
            return _mail_within(value, allowed)
        case ipaddress.IPv4Address(), x509.IPAddress(value=ipaddress.IPv4Network() as network):
            return value in network
        case ipaddress.IPv6Address(), x509.IPAddress(value=ipaddress.IPv6Network() as network):
            return value in network
    return False


def _overlaps(value: object, subtree: _Subtree) -> bool:
    """Or, for a wildcard, whether a host that it stands for is the top of the subtree."""
    match value, subtree:
        case str(), x509.DNSName(value=top) if value.lower() == "*." + top.lower().partition(".")[2]:
            return True
    return _within(value, subtree)


def _mail_within(address: str, allowed: str) -> bool:
    """`allowed` is a mailbox, a host, or with a dot before it all hosts of a domain but not the domain."""
    if "@" in allowed:
        (local, _, host), (allowed_local, _, allowed_host) = address.rpartition("@"), allowed.rpartition("@")
        return local == allowed_local and host.lower() == allowed_host.lower()
    host = address.rpartition("@")[2].lower()
    return host.endswith(allowed.lower()) if allowed.startswith(".") else host == allowed.lower()


def _outside(authority: ReadCertificate, certificate: ReadCertificate, name: str, why: str) -> ChainError:
    return ChainError(
        Reason.NAME_CONSTRAINTS,
        f"certificate `{certificate.subject}` has the name `{shown(name)}`; authority `{authority.subject}` {why}",
        "have the certificate issued by another authority, or for other names",
    )
