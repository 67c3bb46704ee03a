# SPDX-License-Identifier: ISC
"""The registry of everything issued: the only place that opens a database session.

A serial number is taken, and a certificate made known, in a transaction of its own each (`reserve`, `confirm`); what
lies between is `issuance`'s. Gateways open it read-only and ask for the status of a fingerprint: a certificate
signed again under the same serial number has another, and is unknown.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pki import (
    candidates,
    registry_chains,
    registry_issues,
    registry_listing,
    registry_names,
    registry_revocations,
    registry_standing,
)
from pki.chain_certificates import ChainCertificate
from pki.delegation_records import Draft
from pki.errors import RegistryError
from pki.models import ISSUED, PENDING, AuditEntry, Authority, Certificate, SubjectAltName
from pki.names import Identity
from pki.records import Above, AuthorityRecord, Choice, Listed, Record, Reservation, Signed, Status, Unfinished
from pki.registry_audit_log import AuditLog
from pki.registry_crls import IssuedLists
from pki.registry_database import Database, check_schema, make_schema
from pki.registry_delegations import Delegations

_FINGERPRINT_BYTES = 32
_AT_ONCE = 1000  # values in one question


class Registry:
    """One registry. Opened to read only it needs no more than that right."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def create(cls, url: str | Path) -> "Registry":
        """Make the tables of a registry that is not there yet; all of them or, interrupted, none.

        Raises RegistryUnreachable, SchemaUnknown."""
        database = Database(url, "rwc")
        with database.altering() as connection:
            make_schema(connection)
        return cls._checked(database)

    @classmethod
    def open(cls, url: str | Path) -> "Registry":
        """Open a registry to read and write. Raises RegistryUnreachable, SchemaUnknown."""
        return cls._checked(Database(url, "rw"))

    @classmethod
    def open_read_only(cls, url: str | Path) -> "Registry":
        """Open a registry with no more than the right to read: for daemons. Never migrates.

        Raises RegistryUnreachable, SchemaUnknown."""
        return cls._checked(Database(url, "ro"))

    @classmethod
    def _checked(cls, database: Database) -> "Registry":
        with database.connection() as connection:
            check_schema(connection)
        return cls(database)

    @property
    def audit(self) -> AuditLog:
        return AuditLog(self._database)

    @property
    def crls(self) -> IssuedLists:
        return IssuedLists(self._database)

    @property
    def delegations(self) -> Delegations:
        return Delegations(self._database)

    def status(self, sha256: bytes) -> Status:
        """What is known of the certificate with this SHA-256. Raises as `statuses` does."""
        return self.statuses((sha256,))[0]

    def statuses(self, sha256s: Sequence[bytes]) -> tuple[Status, ...]:
        """The same for the certificates of a chain, at one moment.

        Raises RegistryUnreachable, SchemaUnknown, and ValueError for what is no SHA-256."""
        if any(len(sha256) != _FINGERPRINT_BYTES for sha256 in sha256s):
            raise ValueError(f"a SHA-256 has {_FINGERPRINT_BYTES} bytes")
        wanted = [sha256.hex() for sha256 in sha256s]
        with self._database.connection() as connection:
            check_schema(connection)
            return registry_chains.statuses(connection, wanted)

    def check_chain(self, chain: Sequence[ChainCertificate]) -> None:
        """Whether a chain (leaf first) that leads to an authority of this registry is recorded here, link by link up
        to that authority, and nothing of it revoked, neither a certificate nor its key, which may have another that
        is not. A chain that leads elsewhere is none of its business.

        An authority is known by its key: its certificate may have been signed anew. Raises NotRecorded,
        RegistryUnreachable, SchemaUnknown."""
        with self._database.connection() as connection:
            check_schema(connection)
            registry_chains.check(connection, chain)

    def last_change(self) -> tuple[int, str]:
        """The number and hash of the newest entry in the audit log that is not about a new certificate: whoever looks
        again and finds the same has missed nothing that was taken back. (0, "") where there is none.

        Raises RegistryUnreachable, SchemaUnknown."""
        entry = AuditEntry
        newest = (
            sa.select(entry.sequence, entry.hash)
            .where(entry.action != "issue")
            .order_by(entry.sequence.desc())
            .limit(1)
        )
        with self._database.connection() as connection:
            check_schema(connection)
            found = connection.execute(newest).first()
        return (0, "") if found is None else (found.sequence, found.hash)

    def authorities(self) -> tuple[AuthorityRecord, ...]:
        """Those whose certificate is issued, oldest first."""
        query = (
            sa.select(Authority, Certificate)
            .join(
                Certificate,
                (Certificate.authority_id == Authority.issuer_id) & (Certificate.serial == Authority.serial),
            )
            .where(Certificate.state == ISSUED)
            .order_by(Authority.id)
        )
        with self._database.reading() as session:
            fallen = registry_standing.read(session.connection()).fallen
            return tuple(
                AuthorityRecord(
                    authority.id,
                    authority.name,
                    _record(certificate, fallen),
                    authority.issuer_id,
                    authority.foreign,
                    authority.retired_at,
                )
                for authority, certificate in session.execute(query)
            )

    def certificates(self) -> tuple[Record, ...]:
        """Everything issued, in the order of names, the newest of a name first."""
        return self._select(sa.true())

    def listed(self, choice: Choice) -> tuple[Listed, ...]:
        """What a list shows, in its order. Of thousands it costs a tenth of `chosen`."""
        with self._database.connection() as connection:
            fallen = registry_standing.read(connection).fallen
            return tuple(map(Listed._make, connection.execute(registry_listing.question(choice, fallen)).all()))

    def chosen(self, choice: Choice) -> tuple[Record, ...]:
        """The same with all that is known of each."""
        with self._database.connection() as connection:
            fallen = registry_standing.read(connection).fallen
        return self._select(
            *registry_listing.conditions(choice, fallen), order=registry_listing.order(choice, fallen)
        )

    def with_key(self, key_sha256: str) -> tuple[Record, ...]:
        """What is issued for this key (`keys.key_sha256`)."""
        return self._select(Certificate.key_sha256 == key_sha256)

    def issued_profiles(self) -> tuple[str, ...]:
        """Those that something is issued by."""
        query = sa.select(Certificate.profile).where(Certificate.state == ISSUED).distinct()
        with self._database.connection() as connection:
            return tuple(connection.scalars(query))

    def with_profile(self, profile: str) -> tuple[Record, ...]:
        """What is issued by this profile."""
        return self._select(Certificate.profile == profile)

    def with_sha256s(self, sha256s: Sequence[str]) -> tuple[Record, ...]:
        """What is issued with these SHA-256s (hex), in their order. Raises RegistryError where one is not."""
        found: dict[str, Record] = {}
        for start in range(0, len(sha256s), _AT_ONCE):
            found |= {it.sha256: it for it in self._select(Certificate.sha256.in_(sha256s[start : start + _AT_ONCE]))}
        for sha256 in sha256s:
            if sha256 not in found:
                raise RegistryError(f"no certificate with SHA-256 {sha256} was issued here")
        return tuple(found[sha256] for sha256 in sha256s)

    def get(self, authority_id: int, serial: str) -> Record | None:
        """What an authority issued under a serial number of 40 hex digits."""
        found = self._select(Certificate.authority_id == authority_id, Certificate.serial == serial)
        return found[0] if found else None

    def following(self, sha256s: Sequence[str]) -> tuple[Record, ...]:
        """What was issued in the place of these certificates, by their SHA-256."""
        found: list[Record] = []
        for start in range(0, len(sha256s), _AT_ONCE):
            found += self._select(Certificate.supersedes.in_(sha256s[start : start + _AT_ONCE]))
        return tuple(found)

    def find(self, text: str) -> tuple[Record, ...]:
        """What is issued under this name, identity, serial number, fingerprint or beginning (8 digits at least) of
        one of these two."""
        lowered = text.lower().replace(":", "")
        subject = text.removeprefix("DN:")
        begins = len(lowered) >= 8 and all(digit in "0123456789abcdef" for digit in lowered)
        serials = sa.select(Certificate.serial)
        ways = [
            serials.where(Certificate.name == text),
            serials.where(Certificate.subject == subject),
            sa.select(SubjectAltName.serial).where(SubjectAltName.value == text),
        ]
        if begins:
            end = lowered + "g"  # after every hex digit
            ways += [serials.where(it.between(lowered, end)) for it in (Certificate.serial, Certificate.sha256)]

        def is_meant(record: Record) -> bool:
            return (
                text in (record.name, *(identity.value for identity in record.identities))
                or subject == record.subject
                or (begins and (record.serial.startswith(lowered) or record.sha256.startswith(lowered)))
            )

        # With OR every row would be read, so each way finds serial numbers by an index of its own. Another authority
        # may have given the same number.
        return tuple(filter(is_meant, self._select(Certificate.serial.in_(sa.union(*ways)))))

    def find_one(self, text: str) -> Record:
        """The one certificate that is meant. Raises RegistryError for none, and for several, which it lists."""
        return candidates.only(text, self.find(text), self)

    def find_holding(self, text: str, now: datetime.datetime) -> tuple[Record, tuple[Record, ...]]:
        """The one that is meant, which is the one that holds where just one does, and all that were found.

        Raises RegistryError for none, and for several, which it lists."""
        found = self.find(text)
        return candidates.holding(text, found, self, now), found

    def find_newest(self, text: str, now: datetime.datetime, directory: str | None = None) -> Record:
        """The certificate of the one holder who is meant that another is to follow: `candidates.newest`. With the id
        of a CA directory, among those that it has issued.

        Raises RegistryError."""
        found = self.find(text)
        if directory is not None:
            found = candidates.issued_in(directory, text, found, self)
        return candidates.newest(text, found, self, now) if found else candidates.only(text, found, self)

    def issued_names(self) -> tuple[str, ...]:
        """Those that something is issued under."""
        query = sa.select(Certificate.name).where(Certificate.state == ISSUED).distinct()
        with self._database.connection() as connection:
            return tuple(connection.scalars(query))

    def issuers(self) -> Mapping[int, str]:
        """The names of all authorities, by their ids."""
        with self._database.connection() as connection:
            return dict(connection.execute(sa.select(Authority.id, Authority.name)).all())

    def above(self, authority_id: int) -> Above:
        """Every way from an authority up to those that signed themselves, also by what another authority signed for
        the same name and key. What was revoked leads nowhere, nor does what an authority issued that was."""
        authorities = {authority.id: authority.certificate for authority in self.authorities()}
        intermediates: list[Record] = []
        anchors: list[Record] = []
        wanted, seen = [authority_id], set[int]()
        while wanted:
            number = wanted.pop(0)
            if number in seen or number not in authorities:
                continue
            seen.add(number)
            own = authorities[number]
            for record in self.with_key(own.key_sha256):
                if record.subject != own.subject or record.revoked_at is not None or record.fallen:
                    continue
                if record.authority_id == number:
                    anchors.append(record)
                else:
                    intermediates.append(record)
                    wanted.append(record.authority_id)
        return Above(tuple(intermediates), tuple(anchors))

    def _select(
        self, *conditions: sa.ColumnElement[bool], order: Sequence[sa.ColumnElement[Any]] = ()
    ) -> tuple[Record, ...]:
        chosen = sa.and_(*conditions, Certificate.state == ISSUED)
        order = order or (Certificate.name.asc(), Certificate.not_before.desc(), Certificate.serial.asc())
        # Rows, not objects: of thousands, which a list may have, those take a quarter of a second more.
        query = sa.select(*_COLUMNS).where(chosen).order_by(*order)
        names = (
            sa.select(SubjectAltName.authority_id, SubjectAltName.serial, SubjectAltName.kind, SubjectAltName.value)
            .select_from(Certificate)
            .join(Certificate.names)
            .where(chosen)
            .order_by(SubjectAltName.position)
        )
        with self._database.connection() as connection:
            fallen = registry_standing.read(connection).fallen
            rows = connection.execute(query).all()
            identities: dict[tuple[int, str], list[Identity]] = {}
            for authority_id, serial, kind, value in connection.execute(names) if rows else ():
                identities.setdefault((authority_id, serial), []).append(Identity(kind, value))
        return tuple(Record(*(*row, tuple(identities.get(row[:2], ())), row[0] in fallen)) for row in rows)

    def check_issues(self, authority_id: int) -> None:
        """Whether an authority may issue. Raises RegistryError where it was revoked or stands below one that was:
        `reserve` refuses it as well, but then a key is made and the authority's opened already."""
        with self._database.connection() as connection:
            registry_standing.read(connection).check_issues(authority_id)

    def check_authority_name(self, subject_der: bytes, now: datetime.datetime, directory: str | None = None) -> None:
        """Whether a new authority may have this name: `registry_names.check_authority`. `reserve_authority` asks as
        well, but then keys are made already. Raises RegistryError."""
        with self._database.connection() as connection:
            fallen = registry_standing.read(connection).fallen
            registry_names.check_authority(connection, subject_der, now, fallen, directory)

    def reserve_authority(self, reservation: Reservation, issuer_id: int | None = None) -> int:
        """Take the name of a new authority and the serial number of its own certificate, which `issuer_id` signs, or
        itself; the authority's id. Raises RegistryError, also where somebody is called like it."""
        with self._database.transaction() as session:
            return registry_issues.add_authority(session, reservation, issuer_id)

    def reserve(
        self, authority_id: int, reservation: Reservation, now: datetime.datetime, *, again: bool = False
    ) -> None:
        """Take a serial number. Raises RegistryError where it is taken, the authority is revoked or the key
        compromised, or one of the identities has a certificate that is good, by whichever authority of the registry:
        whoever holds it could be taken for the new holder, and the other way round. `again` is for another
        certificate of the same holder, who goes by the same name in the same directory. The same goes for the
        subject, by which policies know a holder, and which no authority may be called like."""
        with self._database.transaction() as session:
            standing = registry_standing.read(session.connection(), (reservation.key_sha256,))
            registry_issues.reserve(session, authority_id, reservation, now, standing, again=again)

    def reserve_all(
        self, authority_id: int, reservations: Sequence[Reservation], now: datetime.datetime
    ) -> tuple[RegistryError | None, ...]:
        """The same for several, in their order, and in one transaction: for each why it may not be, and then it is
        not reserved, or None. Those that supersede others are for the same holders again.

        Raises RegistryError where a serial number is taken; then none is reserved."""
        refused: list[RegistryError | None] = []
        with self._database.transaction() as session:
            standing = registry_standing.read(session.connection(), [it.key_sha256 for it in reservations])
            for it in reservations:
                try:
                    again = it.supersedes is not None
                    registry_issues.reserve(session, authority_id, it, now, standing, again=again)
                    refused.append(None)
                except RegistryError as error:
                    refused.append(error)
        return tuple(refused)

    def confirm(
        self,
        authority_id: int,
        serial: str,
        der: bytes,
        now: datetime.datetime,
        delegations: Sequence[Draft] = (),
    ) -> None:
        """Make a reserved certificate an issued one, and record the delegations that are issued with it.

        Raises RegistryError where nothing is reserved."""
        self.confirm_all((Signed(authority_id, serial, der, tuple(delegations)),), now)

    def confirm_all(
        self,
        signed: Sequence[Signed],
        now: datetime.datetime,
        *,
        retire: Sequence[int] = (),
        superseded: Sequence[Record] = (),
    ) -> None:
        """The same for certificates that are issued together; with them go the authorities to `retire`, and what is
        `superseded` is revoked: all of it or, where it raises, nothing."""
        with self._database.transaction() as session:
            registry_issues.confirm_all(session, signed, now)
            for authority_id in retire:
                registry_issues.retire(session, authority_id, now)
            for old in superseded:
                registry_revocations.revoke(session, old.authority_id, old.serial, "superseded", now)

    def adopt(
        self, above: Sequence[tuple[Reservation, bytes]], own: tuple[Reservation, bytes], now: datetime.datetime
    ) -> int:
        """Record an authority of ours that others certified, with `above`, its issuers from the root down, which are
        not ours: each as it is to be recorded, and its DER. The id of ours. Raises RegistryError."""
        with self._database.transaction() as session:
            return registry_issues.adopt(session, above, own, now)

    def revoke(self, authority_id: int, serial: str, reason: str, now: datetime.datetime) -> Record:
        """Take an issued certificate back, for ever, for one of `revocation.REASONS`. Raises RegistryError where it
        is unknown or revoked already, PkiError for another reason. What is `reached` by it goes along."""
        return self.revoke_all(((authority_id, serial),), reason, now)[0]

    def revoke_all(
        self, certificates: Sequence[tuple[int, str]], reason: str, now: datetime.datetime
    ) -> tuple[Record, ...]:
        """The same for several, by authority and serial number: all of them or, where it raises, none. Those that
        `reached` has come after them."""
        with self._database.transaction() as session:
            return tuple(map(_record, registry_revocations.revoke_all(session, certificates, reason, now)))

    def reached(
        self, certificates: Sequence[tuple[int, str]], reason: str, now: datetime.datetime
    ) -> tuple[Record, ...]:
        """What is revoked with these, since it is for their keys, which are good for nothing any more: whatever is
        issued for a key that is compromised, or for that of an authority, unless the reason clears its key."""
        with self._database.reading() as session:
            return tuple(map(_record, registry_revocations.reached(session, certificates, reason, now)))

    def settle(self, authority_id: int, serial: str) -> None:
        """Record that the key file has its name."""
        self.settle_all(((authority_id, serial),))

    def settle_all(self, certificates: Sequence[tuple[int, str]]) -> None:
        """The same for several, by authority and serial number; there has to be one."""
        with self._database.transaction() as session:
            registry_issues.settle(session, certificates)

    def cancel(self, authority_id: int, serial: str) -> None:
        """Forget a reservation, and the authority whose own certificate it was to be."""
        self.cancel_all(((authority_id, serial),))

    def cancel_all(self, certificates: Sequence[tuple[int, str]]) -> None:
        """The same for reservations that belong together."""
        with self._database.transaction() as session:
            registry_issues.cancel(session, certificates)

    def knows(self, directory: str) -> bool:
        """Whether the CA directory of this id has taken anything here."""
        with self._database.connection() as connection:
            query = sa.select(Certificate.serial).where(Certificate.directory == directory).limit(1)
            return connection.execute(query).first() is not None

    def key_files(self, directory: str) -> tuple[str, ...]:
        """Which key files the CA directory of this id should have, each once: what was renewed has that of the
        certificate before it."""
        query = (
            sa.select(Certificate.key_file)
            .where(Certificate.directory == directory, Certificate.key_file.is_not(None), Certificate.state == ISSUED)
            .distinct()
        )
        with self._database.connection() as connection:
            return tuple(sorted(str(it) for it in connection.scalars(query)))

    def unfinished(self, directory: str = "") -> tuple[Unfinished, ...]:
        """What interrupted issues in the CA directory of this id left, oldest first."""
        own = sa.select(Certificate).where(Certificate.directory == directory)
        ways = (own.where(_IS_PENDING), own.where(Certificate.temporary_file.is_not(None)))
        with self._database.reading() as session:
            found = {it for way in ways for it in session.scalars(way)}
        return tuple(
            Unfinished(it.authority_id, it.serial, it.name, it.state == ISSUED, it.key_file, it.temporary_file)
            for it in sorted(found, key=lambda it: (it.authority_id, it.serial))
        )


_COLUMNS = [getattr(Certificate, it.name) for it in fields(Record) if it.name not in ("identities", "fallen")]
_IS_PENDING = Certificate.state == sa.literal_column(f"'{PENDING}'")  # as the index has it


def _identities(certificate: Certificate) -> tuple[Identity, ...]:
    return tuple(Identity(name.kind, name.value) for name in certificate.names)


def _record(certificate: Certificate, fallen: frozenset[int] = frozenset()) -> Record:
    columns = (getattr(certificate, column.key) for column in _COLUMNS)
    return Record(*(*columns, _identities(certificate), certificate.authority_id in fallen))
