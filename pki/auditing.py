# SPDX-License-Identifier: ISC
"""Whether a registry is what its audit log says, and the log what it was.

Nobody can change a past entry without making all later ones anew; and nobody without an authority's key can do that
behind the head of the log that the authority signed with its last revocation list. What was done after that list, or
by somebody with the key, is told by a head or a list that was kept elsewhere.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import audit, keys, revocation_lists
from pki.audit import AuditEntry, Finding, Head
from pki.audit_tables import AuthorityRow, Ledger
from pki.errors import PkiError
from pki.registry_audit_log import Snapshot
from pki.revocation import ListRecord

T = TypeVar("T")

_HEAD = re.compile(rb"^Audit-Head: ([0-9]+:[0-9a-f]{64})\r?$", re.MULTILINE)
_SIGNATURE = re.compile(rb"^Audit-Signature: ([A-Za-z0-9+/=]+)\r?$", re.MULTILINE)


class Watch(Protocol):
    """Is shown items, how many they are, and what; gives them on."""

    def __call__(self, items: Iterable[T], total: int, what: str) -> Iterable[T]: ...


@dataclass(frozen=True, slots=True)
class KeptList:
    """A revocation list that was kept elsewhere; a head where its file has one, which only PEM can."""

    whence: str
    crl: x509.CertificateRevocationList
    head: Head | None
    signature: bytes


def pem(made: ListRecord) -> bytes:
    """A list as PEM, with the head of the audit log in the text before it (RFC 7468 2), which readers skip."""
    text = (
        f"Audit-Head: {Head(made.audit_sequence, made.audit_hash)}\n"
        f"Audit-Signature: {base64.b64encode(made.audit_signature).decode('ascii')}\n"
    )
    return text.encode("ascii") + made.crl.public_bytes(Encoding.PEM)


def kept_list(data: bytes, whence: str) -> KeptList:
    """A list from a file, PEM or DER. Raises PkiError."""
    crl = revocation_lists.read(data).crl
    head, signature = _HEAD.search(data), _SIGNATURE.search(data)
    if head is None or signature is None:
        return KeptList(whence, crl, None, b"")
    try:
        return KeptList(
            whence, crl, Head.parse(head[1].decode("ascii")), base64.b64decode(signature[1], validate=True)
        )
    except binascii.Error as error:
        raise PkiError(f"the signature of the head in {whence} is not Base64") from error


def check(
    snapshot: Snapshot, watch: Watch, heads: Sequence[tuple[Head, str]] = (), kept: Sequence[KeptList] = ()
) -> Iterator[Finding]:
    """What is wrong with the log, with the tables by the log, and with both by what was kept elsewhere: heads, each
    with where it is from, and lists."""
    strange = tuple(map(Finding, snapshot.misplaced()))
    yield from strange
    if strange:
        return  # nothing can be said of such rows, nor of what is beside them
    ledger = Ledger()
    entries = watch(snapshot.entries(), snapshot.entries_total, "entries of the log")
    yield from audit.check_chain(_taught(ledger, entries))
    for certificate in watch(snapshot.certificates(), snapshot.certificates_total, "certificates"):
        yield from ledger.certificate(certificate)
    for unfinished in snapshot.unfinished():
        yield from ledger.unfinished(unfinished)
    for delegation in snapshot.delegations():
        yield from ledger.delegation(delegation)
    authorities = {it.id: it for it in snapshot.authorities()}
    for authority in authorities.values():
        yield from ledger.authority(authority)
    for made in snapshot.lists():
        yield from ledger.list(made, authorities.get(made.authority_id))
    for head, whence in heads:
        yield from ledger.head(head, whence)
    for each in kept:
        yield from _check_kept(each, ledger, snapshot, authorities.values())
    yield from ledger.left()


def _taught(ledger: Ledger, entries: Iterable[AuditEntry]) -> Iterator[AuditEntry]:
    for entry in entries:
        ledger.read(entry)
        yield entry


def _check_kept(
    kept: KeptList, ledger: Ledger, snapshot: Snapshot, authorities: Iterable[AuthorityRow]
) -> Iterator[Finding]:
    for authority in authorities:
        certificate = authority.read()
        if certificate is None or not _signed(kept.crl, certificate.certificate):
            continue
        number = kept.crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        what = f"revocation list {number} of authority `{authority.name}`"
        made = snapshot.list(authority.id, number)
        if made is None:
            yield Finding(f"{what}, which {kept.whence} is, is not in the registry: log and tables were cut")
        elif made.der != kept.crl.public_bytes(Encoding.DER):
            yield Finding(f"{what} is another in the registry than {kept.whence}: log and tables were made anew")
        if kept.head is not None:
            if keys.verifies(certificate.public_key, kept.signature, kept.head.to_be_signed):
                yield from ledger.head(kept.head, kept.whence)
            else:
                yield Finding(f"the head in {kept.whence} is not signed by authority `{authority.name}`")
        return
    yield Finding(f"{kept.whence} is not signed by an authority of this registry")


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    return crl.issuer == issuer.subject and crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
