# SPDX-License-Identifier: ISC
"""The tables held against the log of what was done to them.

    ledger = Ledger()
    for entry in entries: ledger.read(entry)
    findings = [*ledger.certificate(row), …, *ledger.left()]

What a certificate says is not in the log, but the SHA-256 of the certificate is; so its row is held against the
certificate.
"""

import datetime
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cryptography import x509

from pki import chain_certificates, distinguished_names, key_files, keys, names
from pki.audit import AuditEntry, Finding, Head
from pki.chain_certificates import ChainError, ReadCertificate
from pki.delegation_records import DelegationRecord
from pki.errors import shown
from pki.names import Identity
from pki.records import Unfinished, serial_text
from pki.revocation import ListRecord

_ADOPT = "adopt"  # a certificate from before there was a log, with its revocation


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """An issued certificate as its row has it."""

    authority_id: int
    serial: str
    sha256: str
    profile: str
    name: str
    identities: tuple[Identity, ...]
    positions: tuple[int, ...]  # of these
    folded_names: tuple[str, ...]  # of these; empty for all but distinguished names
    subject: str
    subject_der: bytes = field(repr=False)
    folded_sha256: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    issued_at: datetime.datetime
    key_sha256: str
    supersedes: str | None
    directory: str
    key_file: str | None
    temporary_file: str | None
    der: bytes = field(repr=False)
    revoked_at: datetime.datetime | None
    revocation_reason: str | None


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """An authority as its row has it, and its own certificate."""

    id: int
    name: str
    subject_der: bytes = field(repr=False)
    issuer_id: int
    key_sha256: str
    foreign: bool
    retired_at: datetime.datetime | None
    crl_number: int
    certificate: str  # its SHA-256; empty: it is not there
    der: bytes = field(repr=False)

    def read(self) -> ReadCertificate | None:
        return _read(self.der)


@dataclass(slots=True)
class _Told:
    """What the log tells of one thing."""

    entry: AuditEntry
    details: Mapping[str, object]
    revoked_at: datetime.datetime | None = None
    reason: object = None
    seen: bool = False

    def issued_at(self, not_before: datetime.datetime) -> datetime.datetime:
        """Of one from before there was a log nobody knows more than when it began to be valid."""
        return self.entry.at if self.entry.action != _ADOPT or "foreign" in self.details else not_before


class Ledger:
    """What the log tells there should be."""

    def __init__(self) -> None:
        self._certificates: dict[str, _Told] = {}
        self._delegations: dict[str, _Told] = {}
        self._lists: dict[str, _Told] = {}
        self._hashes: dict[int, str] = {}
        self._crl_entries: dict[int, str] = {}
        self._authorities: set[int] = set()
        self._issuers: dict[int, str] = {}  # by the rows of certificates, with one of those
        self._retired: dict[object, datetime.datetime] = {}
        self._stray: list[Finding] = []
        self._last = 0

    def read(self, entry: AuditEntry) -> None:
        """The next entry of the log."""
        self._hashes[entry.sequence] = entry.hash
        self._last = max(self._last, entry.sequence)
        match entry.action:
            case "issue" | "adopt":
                told = _Told(entry, entry.told)
                if entry.action == _ADOPT and (at := _time(told.details.get("revoked_at"))) is not None:
                    told.revoked_at, told.reason = at, told.details.get("reason")
                self._made(self._certificates, told)
            case "delegate":
                self._made(self._delegations, _Told(entry, entry.told))
            case "revoke":
                self._revoke(self._certificates.get(entry.subject), entry)
            case "revoke-delegation":
                self._revoke(self._delegations.get(entry.subject), entry)
            case "retire":
                self._retired[entry.told.get("authority")] = entry.at
            case "crl":
                self._made(self._lists, _Told(entry, entry.told))
                self._crl_entries[entry.sequence] = entry.subject

    def _made(self, table: dict[str, _Told], told: _Told) -> None:
        before = table.setdefault(told.entry.subject, told)
        if before is not told:
            again = f"entry {told.entry.sequence} makes {told.entry.subject} again"
            self._stray.append(Finding(f"{again}, which entry {before.entry.sequence} made", told.entry.sequence))

    def _revoke(self, told: _Told | None, entry: AuditEntry) -> None:
        if told is None:
            what = f"entry {entry.sequence} revokes {entry.subject}, which no entry before it made"
            self._stray.append(Finding(what, entry.sequence))
        else:
            told.revoked_at = told.revoked_at or entry.at  # a second entry gives a worse reason
            told.reason = entry.told.get("reason")

    # -- what is there

    def certificate(self, row: CertificateRow) -> Iterator[Finding]:
        """A certificate's row against the log, and against the certificate itself."""
        what = f"certificate `{shown(row.name)}` (serial {shown(row.serial)})"
        self._issuers.setdefault(row.authority_id, what)
        told = self._certificates.get(row.sha256)
        if told is None:
            yield Finding(f"{what} is not in the log: it was added, or is another than was issued")
            return
        told.seen = True
        logged = {name: told.details.get(name) for name in ("authority", "serial", "name", "profile", "supersedes")}
        found = {
            "authority": row.authority_id,
            "serial": row.serial,
            "name": row.name,
            "profile": row.profile,
            "supersedes": row.supersedes,
        }
        for name, value in (("directory", row.directory), ("key_file", row.key_file)):
            if (
                name in told.details
            ):  # earlier entries, and those of certificates from before there was a log, do not say
                found[name], logged[name] = value, told.details[name]
        yield from _differences(what, found, logged, told.entry)
        if row.issued_at != (at := told.issued_at(row.not_before)):
            yield _differs(what, "issued_at", row.issued_at, at, told.entry)
        yield from _revocation(what, row.revoked_at, row.revocation_reason, told)
        yield from _left(what, row.serial, row.key_file, row.temporary_file)
        if row.positions != tuple(range(len(row.positions))):
            yield Finding(f"{what}: its identities have the numbers {', '.join(map(str, row.positions))}")
        if hashlib.sha256(row.der).hexdigest() != row.sha256:
            yield Finding(f"{what}: the certificate in the row is another than the one that was issued")
            return
        if (certificate := _read(row.der)) is not None:
            yield from _against_itself(what, row, certificate)

    def unfinished(self, row: Unfinished) -> Iterator[Finding]:
        """A row that is no certificate yet: the next command in its directory reads what it says of files."""
        what = f"certificate `{shown(row.name)}` (serial {shown(row.serial)}), which is not finished"
        yield from _left(what, row.serial, row.key_file, row.temporary_file)

    def delegation(self, row: DelegationRecord) -> Iterator[Finding]:
        """A delegation's row against the log."""
        what = f"delegation {row.number}"
        told = self._delegations.get(str(row.number))
        if told is None:
            yield Finding(f"{what} is not in the log: it was added")
            return
        told.seen = True
        found = {
            "authorizer": row.authorizer,
            "licensee": row.licensee,
            "assertion_sha256": hashlib.sha256(row.assertion.encode("latin-1", "replace")).hexdigest(),
            "not_after": None if row.not_after is None else f"{row.not_after:%Y-%m-%dT%H:%M:%SZ}",
            "certificate": row.certificate,
        }
        for name, text in (("conditions_sha256", row.conditions), ("comment_sha256", row.comment)):
            if name in told.details:  # earlier entries do not say
                found[name] = hashlib.sha256(text.encode()).hexdigest()
        yield from _differences(what, found, {name: told.details.get(name) for name in found}, told.entry)
        if row.created_at != told.entry.at:
            yield _differs(what, "created_at", row.created_at, told.entry.at, told.entry)
        yield from _revocation(what, row.revoked_at, row.revocation_reason, told)

    def authority(self, row: AuthorityRow) -> Iterator[Finding]:
        """An authority's row against its own certificate, and the numbers of its lists."""
        what = f"authority `{shown(row.name)}`"
        self._authorities.add(row.id)
        if not row.certificate:
            yield Finding(f"{what}: its own certificate, by its row of authority {row.issuer_id}, is not there")
        certificate = row.read()
        if certificate is not None:
            if certificate.self_issued and row.issuer_id != row.id:
                yield Finding(f"{what}: its row has number {row.id}, its certificate is of authority {row.issuer_id}")
            if keys.key_sha256(certificate.public_key) != row.key_sha256:
                yield Finding(f"{what}: its row has another key than its certificate")
            if certificate.subject_der != row.subject_der:
                yield Finding(f"{what}: its row has another subject than its certificate")
        told = self._certificates.get(row.certificate)
        if told is not None and told.details.get("name") != row.name:
            yield _differs(what, "name", row.name, told.details.get("name"), told.entry)
        if told is not None and row.foreign is not bool(told.details.get("foreign")):
            whose = ("ours", "somebody else's") if row.foreign else ("somebody else's", "ours")
            yield Finding(f"{what} is {whose[1]} by its row, {whose[0]} by entry {told.entry.sequence} of the log")
        if row.retired_at != (by_log := self._retired.get(row.id)):
            words = (
                "does not retire it" if it is None else f"retired on {_shown(it)}" for it in (row.retired_at, by_log)
            )
            yield Finding("{}: its row {}, the log {}".format(what, *words))
        numbers = (it.details.get("number") for it in self._lists.values() if it.details.get("authority") == row.id)
        highest = max((number for number in numbers if isinstance(number, int)), default=0)
        if row.crl_number != highest:
            yield Finding(f"{what}: its last revocation list had number {highest}, its row says {row.crl_number}")

    def list(self, row: ListRecord, authority: AuthorityRow | None) -> Iterator[Finding]:
        """A revocation list's row against the log; the head that was signed with it, against the hashes there."""
        what = f"revocation list {row.number} of authority {row.authority_id}"
        subject = f"{row.authority_id}/{row.number}"
        told = self._lists.get(subject)
        if told is None:
            yield Finding(f"{what} is not in the log: it was added, or the log was made anew")
        else:
            told.seen = True
            found = {
                "sha256": hashlib.sha256(row.der).hexdigest(),
                "this_update": f"{row.this_update:%Y-%m-%dT%H:%M:%SZ}",
                "next_update": f"{row.next_update:%Y-%m-%dT%H:%M:%SZ}",
            }
            yield from _differences(what, found, {name: told.details.get(name) for name in found}, told.entry)
        head = Head(row.audit_sequence, row.audit_hash)
        certificate = None if authority is None else authority.read()
        if certificate is None or not keys.verifies(certificate.public_key, row.audit_signature, head.to_be_signed):
            yield Finding(f"{what}: the head of the log that it keeps is not signed by its authority")
            return
        yield from self.head(head, what)
        if told is not None and self._crl_entries.get(head.sequence) not in (None, subject):
            yield Finding(f"{what} keeps the head of another list")

    def head(self, head: Head, whence: str) -> Iterator[Finding]:
        """A head that somebody kept, against the hashes of the log."""
        found = self._hashes.get(head.sequence)
        if found is None and head.sequence:
            lost = f"ends at entry {self._last}" if head.sequence > self._last else f"has no entry {head.sequence}"
            yield Finding(f"the log {lost}, but {whence} knows entry {head.sequence}: it was cut", head.sequence)
        elif found != head.hash and head.sequence:
            yield Finding(
                f"entry {head.sequence} has another hash than {whence} knows: the log was made anew up to there",
                head.sequence,
            )

    def left(self) -> Iterator[Finding]:
        """What the log tells of and no row is there for, and rows that lead nowhere: after all rows."""
        for number, what in self._issuers.items():
            if number not in self._authorities:
                yield Finding(f"{what} is of authority {number}, which is not there")
        for noun, table in (("certificate", self._certificates), ("delegation", self._delegations)):
            for subject, told in table.items():
                if not told.seen:
                    name = f" `{_shown(told.details['name'])}`" if "name" in told.details else ""
                    yield Finding(
                        f"{noun}{name} {subject} of entry {told.entry.sequence} is not there any more, or is another",
                        told.entry.sequence,
                    )
        for told in self._lists.values():
            if not told.seen:
                details = told.details
                which = f"{details.get('number')} of authority {details.get('authority')}"
                sequence = told.entry.sequence
                yield Finding(f"revocation list {which} of entry {sequence} is not there any more", sequence)
        yield from self._stray


def _read(der: bytes) -> ReadCertificate | None:
    try:
        return chain_certificates.load(der)
    except ChainError:
        return None


def _against_itself(what: str, row: CertificateRow, certificate: ReadCertificate) -> Iterator[Finding]:
    pairs = (
        ("serial", row.serial, serial_text(certificate.serial_number)),
        ("subject", row.subject, certificate.subject),
        ("subject_der", row.subject_der.hex(), certificate.subject_der.hex()),
        ("folded_sha256", row.folded_sha256, distinguished_names.folded_sha256(certificate.subject_der)),
        ("not_before", row.not_before, certificate.not_before),
        ("not_after", row.not_after, certificate.not_after),
        ("key_sha256", row.key_sha256, keys.key_sha256(certificate.public_key)),
        ("identities", _texts(row.identities), _texts(_identities(certificate))),
        ("folded_sha256 of its identities", ", ".join(row.folded_names), _folded(_identities(certificate))),
    )
    for name, found, certified in pairs:
        if found != certified:
            yield Finding(f"{what}: its {name} is `{_shown(found)}`, the certificate says `{_shown(certified)}`")


def _identities(certificate: ReadCertificate) -> tuple[Identity, ...]:
    """All that a holder of ours may be called. Those of others' authorities, which call themselves nothing in IKE,
    are not in the registry."""
    constraints = chain_certificates.extension(certificate, x509.BasicConstraints)
    alternatives = chain_certificates.extension(certificate, x509.SubjectAlternativeName)
    if alternatives is None or (constraints is not None and constraints.ca):
        return ()
    return tuple(it for name in alternatives if (it := _identity(name)) is not None)


def _identity(name: x509.GeneralName) -> Identity | None:
    if isinstance(name, x509.DirectoryName):
        return Identity("DER_ASN1_DN", names.dn_keynote(name.value.public_bytes()))
    return names.certified(name)


def _folded(identities: tuple[Identity, ...]) -> str:
    return ", ".join(names.folded_sha256(it) or "" for it in identities)


def _texts(identities: tuple[Identity, ...]) -> str:
    return ", ".join(map(str, identities))


def _left(what: str, serial: str, key_file: str | None, temporary_file: str | None) -> Iterator[Finding]:
    if temporary_file and not key_files.may_be_left(serial, key_file, temporary_file):
        name = shown(temporary_file)
        yield Finding(f"{what}: its temporary_file is `{name}`, which is not the file that its key was to be in")


def _revocation(what: str, at: datetime.datetime | None, reason: str | None, told: _Told) -> Iterator[Finding]:
    if (at, reason) == (told.revoked_at, told.reason):
        return
    row = "not revoked" if at is None else f"revoked on {_shown(at)}: {reason}"
    log = "not" if told.revoked_at is None else f"revoked on {_shown(told.revoked_at)}: {told.reason}"
    yield Finding(f"{what} is {row}, by the log {log}")


def _differences(
    what: str, found: Mapping[str, object], logged: Mapping[str, object], entry: AuditEntry
) -> Iterator[Finding]:
    for name, value in found.items():
        if value != logged[name]:
            yield _differs(what, name, value, logged[name], entry)


def _differs(what: str, name: str, found: object, logged: object, entry: AuditEntry) -> Finding:
    message = f"{what}: its {name} is `{_shown(found)}`, entry {entry.sequence} of the log says `{_shown(logged)}`"
    return Finding(message, entry.sequence)


def _shown(value: object) -> str:
    if not isinstance(value, datetime.datetime):
        return shown(str(value))
    return f"{value:%Y-%m-%d %H:%M:%S.%fZ}" if value.microsecond else f"{value:%Y-%m-%d %H:%M:%SZ}"


def _time(value: object) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
