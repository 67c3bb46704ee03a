# SPDX-License-Identifier: ISC
"""Certificate revocation lists (RFC 5280 section 5), read once and asked often.

    lists = RevocationLists([revocation_lists.read(path.read_bytes()) for path in paths])

Only complete lists are read: one that covers some certificates or some reasons, that lists other authorities'
certificates, or that tells what changed since another (delta), would be taken to say more than it does.
"""

import datetime
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from pki import chain_certificates, chain_legacy, chain_rules, der, distinguished_names
from pki.chain_certificates import ChainCertificate, ReadCertificate
from pki.errors import DerInvalid, RevocationListInvalid

MAX_BYTES = 16 << 20  # some 400,000 entries
_MAX_ISSUERS = 1024  # certificates of authorities whose lists are remembered

_PEM = re.compile(rb"-----BEGIN X509 CRL-----")
_UNREADABLE = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, Warning)
_CRITICAL = {ExtensionOID.CRL_NUMBER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.ISSUING_DISTRIBUTION_POINT}
_ENTRY_CRITICAL = {CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE}


@dataclass(frozen=True, slots=True)
class Revoked:
    """When a certificate was revoked and why, in the words of RFC 5280 5.3.1 (`keyCompromise`); "" where none is."""

    at: datetime.datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A complete list of one authority; nobody has looked at its signature yet. Equal when its bytes are."""

    sha256: bytes
    issuer: str = field(compare=False)  # as KeyNote names it, without `DN:`
    folded_issuer: object = field(compare=False, repr=False)
    number: int | None = field(compare=False)
    this_update: datetime.datetime = field(compare=False)
    next_update: datetime.datetime | None = field(compare=False)
    revoked: Mapping[int, Revoked] = field(compare=False, repr=False)  # by serial number
    crl: x509.CertificateRevocationList = field(compare=False, repr=False)

    @property
    def shown(self) -> str:
        """For messages."""
        number = f" {self.number}" if self.number is not None else ""
        return f"list{number} of `{self.issuer}` from {self.this_update:%Y-%m-%d %H:%M:%SZ}"

    @property
    def is_sha1(self) -> bool:
        return chain_legacy.is_sha1(self.crl.signature_algorithm_oid)

    def signed_with(self, key: CertificatePublicKeyTypes) -> bool:
        """SHA-1 with RSA counts here, and nothing weaker: whether that is enough is for who asks."""
        return _signed_with(self.crl, key)


def read(data: bytes) -> RevocationList:
    """DER, or PEM with one list. Raises RevocationListInvalid."""
    if len(data) > MAX_BYTES:
        raise RevocationListInvalid(f"revocation list of {len(data)} bytes, more than {MAX_BYTES}")
    try:
        if found := _PEM.findall(data):
            if len(found) > 1:
                raise RevocationListInvalid(f"{len(found)} revocation lists in one file", "put each in its own")
            crl = x509.load_pem_x509_crl(data)
        else:
            crl = x509.load_der_x509_crl(data)
        issuer = _issuer(crl.tbs_certlist_bytes)
        shown = distinguished_names.keynote(issuer)
        _check_complete(crl, shown)
        numbers = [found.value.crl_number for found in crl.extensions if isinstance(found.value, x509.CRLNumber)]
        return RevocationList(
            sha256=hashlib.sha256(data).digest(),
            issuer=shown,
            folded_issuer=distinguished_names.folded(issuer),
            number=numbers[0] if numbers else None,
            this_update=crl.last_update_utc,
            next_update=crl.next_update_utc,
            revoked=MappingProxyType({entry.serial_number: _revoked(entry, shown) for entry in crl}),
            crl=crl,
        )
    except (*_UNREADABLE, DerInvalid) as error:
        raise RevocationListInvalid(f"revocation list cannot be read: {error}", "fetch it again") from error


def read_signed(data: bytes, authority: ReadCertificate) -> RevocationList | None:
    """A DER list that somebody sent; None if it is another authority's. One that this authority's key has not signed
    is not looked into: only authorities may have us read entries.

    Raises RevocationListInvalid."""
    try:
        crl = x509.load_der_x509_crl(data)
        issuer = _issuer(crl.tbs_certlist_bytes)
        if distinguished_names.folded(issuer) != authority.folded_subject:
            return None
    except (*_UNREADABLE, DerInvalid) as error:
        raise RevocationListInvalid(f"revocation list cannot be read: {error}") from error
    if not _signed_with(crl, authority.public_key):
        raise RevocationListInvalid(f"revocation list of `{authority.subject}` is signed with another key")
    return read(data)


def _signed_with(crl: x509.CertificateRevocationList, key: CertificatePublicKeyTypes) -> bool:
    if chain_legacy.is_sha1(crl.signature_algorithm_oid):
        return chain_legacy.signed(key, crl.signature, crl.tbs_certlist_bytes)
    try:
        return crl.is_signature_valid(key)  # type: ignore[arg-type] # it says no to kinds that it does not know
    except (TypeError, UnsupportedAlgorithm):
        return False


def _issuer(tbs: bytes) -> bytes:
    """RFC 5280 5.1.2: version where there is one, algorithm, issuer."""
    begin, end = der.expect(tbs, 0, len(tbs), der.SEQUENCE)
    tag, _, stop = der.element(tbs, begin, end)
    if tag == der.INTEGER:
        _, stop = der.expect(tbs, stop, end, der.SEQUENCE)
    _, issuer_end = der.expect(tbs, stop, end, der.SEQUENCE)
    return tbs[stop:issuer_end]


def _check_complete(crl: x509.CertificateRevocationList, issuer: str) -> None:
    for extension in crl.extensions:
        match extension.value:
            case x509.DeltaCRLIndicator():
                raise _partial(issuer, "tells only what changed since another list (delta)")
            case x509.IssuingDistributionPoint() as point:
                raise _partial(issuer, _scope(point))
        if extension.critical and extension.oid not in _CRITICAL:
            raise _unknown(issuer, extension.oid)


def _scope(point: x509.IssuingDistributionPoint) -> str:
    if point.indirect_crl:
        return "lists certificates of other authorities (indirect)"
    if point.only_contains_user_certs or point.only_contains_ca_certs or point.only_contains_attribute_certs:
        return "covers only one sort of certificates"
    if point.only_some_reasons:
        return "covers only some reasons"
    return "covers only the certificates of one distribution point"


def _revoked(entry: x509.RevokedCertificate, issuer: str) -> Revoked:
    reason = ""
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason.value
        elif isinstance(extension.value, x509.CertificateIssuer):
            raise _partial(issuer, "lists certificates of other authorities (indirect)")
        if extension.critical and extension.oid not in _ENTRY_CRITICAL:
            raise _unknown(issuer, extension.oid)
    return Revoked(entry.revocation_date_utc, reason)


def _partial(issuer: str, why: str) -> RevocationListInvalid:
    return RevocationListInvalid(f"revocation list of `{issuer}` {why}", "use the authority's complete list")


def _unknown(issuer: str, oid: x509.ObjectIdentifier) -> RevocationListInvalid:
    return RevocationListInvalid(
        f"revocation list of `{issuer}` has a critical extension that is unknown here: {oid.dotted_string}",
        "use a list without it",
    )


@dataclass(frozen=True, slots=True)
class ListsOfIssuer:
    """What is there of one authority. `signed` are those that are signed with its key, the newest first."""

    signed: tuple[RevocationList, ...]
    may_sign: bool  # its keyUsage has cRLSign, or there is none (RFC 5280 6.3.3 (f))
    others: int  # lists that bear its name and another key's signature


class RevocationLists:
    """Lists in an index by who issued them. They do not change; whose signature was checked is remembered, so that a
    chain costs a few look-ups however long the lists are."""

    __slots__ = ("_by_issuer", "_of")

    def __init__(self, lists: Iterable[RevocationList] = ()) -> None:
        self._by_issuer: dict[object, list[RevocationList]] = {}
        self._of: dict[bytes, ListsOfIssuer] = {}
        for one in sorted(dict.fromkeys(lists), key=age, reverse=True):
            self._by_issuer.setdefault(one.folded_issuer, []).append(one)

    def __bool__(self) -> bool:
        return bool(self._by_issuer)

    def of(self, issuer: ChainCertificate) -> ListsOfIssuer:
        """The lists of an authority whose certificate is part of a chain."""
        found = self._of.get(issuer.sha256)
        if found is None:
            if len(self._of) >= _MAX_ISSUERS:
                self._of.clear()
            found = self._of[issuer.sha256] = self._looked_up(issuer)
        return found

    def _looked_up(self, issuer: ChainCertificate) -> ListsOfIssuer:
        authority = chain_certificates.load(issuer.der)
        named = self._by_issuer.get(authority.folded_subject, [])
        signed = tuple(one for one in named if one.signed_with(authority.public_key))
        usage = chain_rules.extension(authority, x509.KeyUsage)
        return ListsOfIssuer(signed, usage is None or usage.crl_sign, len(named) - len(signed))


def age(one: RevocationList) -> tuple[datetime.datetime, int]:
    """To sort by: the newest list of an authority is the greatest."""
    return one.this_update, one.number or 0
