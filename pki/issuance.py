# SPDX-License-Identifier: ISC
"""Certificates for peers: with a new key of ours, for somebody else's key, or for the key of an earlier one.

`recording` has the steps in which it happens.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from pki import authority, keys, recording
from pki.authorities import initialize as initialize
from pki.authority import Prepared
from pki.candidates import SERIAL_SHOWN
from pki.chain_certificates import ReadCertificate
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.errors import PkiError
from pki.keys import Signer
from pki.keystore import Passphrase
from pki.names import Identity
from pki.profiles import Profile
from pki.recording import Piece
from pki.recording import Recovered as Recovered
from pki.recording import recover as recover
from pki.recording import recover_if_idle as recover_if_idle
from pki.records import AuthorityRecord, Record
from pki.registry import Registry
from pki.settings import Settings

Review: TypeAlias = Callable[[Prepared], None]  # looks at a rehearsal; raises PkiError to refuse


def unreviewed(prepared: Prepared) -> None:
    """Whatever passed its rehearsal will do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate as it is asked for. The first of the identities is the one that its holder goes by."""

    profile: Profile
    identities: tuple[Identity, ...]
    lifetime: datetime.timedelta | None = None  # None: the profile's, or until the authority's end
    subject: x509.Name | None = None  # None: as `authority.subject_name` has it
    kind: str | None = None  # of a new key; None: the profile's
    public_key: CertificatePublicKeyTypes | None = None  # somebody's; None: a new key is made here
    follows: Record | None = None  # the certificate of the same holder that it takes the place of
    supersedes: bool = False  # that one is revoked with the issue
    delegations: Callable[[ReadCertificate], tuple[Draft, ...]] | None = None  # made for it, recorded with it
    review: Review = unreviewed


@dataclass(frozen=True, slots=True)
class Ready:
    """A certificate that passed its rehearsal, with its key. Nothing has happened yet."""

    piece: Piece
    supersedes: Record | None = None  # what is revoked with its issue


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a certificate that was ready: it is issued, or why not."""

    issued: Record | None = None
    error: PkiError | None = None

    def record(self) -> Record:
        """Raises PkiError where it is not issued."""
        if self.issued is None:
            assert self.error is not None
            raise self.error
        return self.issued


@dataclass(frozen=True, slots=True)
class Issuer:
    """The authority that issues in a directory, at work. A token does as well as a key: `signer` is asked for nothing
    but signatures."""

    directory: Directory
    registry: Registry
    settings: Settings
    authority: AuthorityRecord
    signer: Signer
    passphrase: bytes | None = field(default=None, repr=False)  # what the files of new keys are encrypted with

    @classmethod
    def of(
        cls, directory: Directory, *, passphrase: Passphrase | None = None, signer: Signer | None = None
    ) -> "Issuer":
        """Without `signer` the authority's key is that of its file; where that is encrypted, those of its peers are
        encrypted with the same. Raises PkiError, also where the authority was revoked."""
        registry = directory.registry()
        found = directory.authority(registry)
        registry.check_issues(found.id)
        protection = None
        if signer is None:
            signer, protection = directory.unlocked(found.certificate, passphrase)
        return cls(directory, registry, directory.settings(), found, signer, protection)

    def newest(self, text: str, now: datetime.datetime) -> Record:
        """The certificate of the one holder who is meant that another is to follow, among those that this directory
        has issued. Raises RegistryError."""
        return self.registry.find_newest(text, now, self.settings.id)

    def issue(self, wanted: Wanted, now: datetime.datetime) -> Record:
        """Raises PkiError."""
        return self.record((self.ready(wanted, now),), now)[0].record()

    def ready(self, wanted: Wanted, now: datetime.datetime) -> "Ready":
        """All that comes before anything happens: its key, its rehearsal, whether its key is anybody's.

        Raises PkiError."""
        key = None if wanted.public_key is not None else keys.generate(self._kind(wanted))
        if key is None:
            assert wanted.public_key is not None
            public_key = wanted.public_key
        else:
            public_key = key.public_key()
        prepared = self.prepare(wanted, public_key, now)
        wanted.review(prepared)
        follows = wanted.follows
        if wanted.public_key is not None:
            self._check_key_is_nobodys(public_key, follows, now)
        own_file: str | None
        temporary: str | None
        if key is None:
            own_file, temporary = self._file_of(follows, public_key), None
        else:
            own_file, temporary = Directory.key_files(prepared.serial)
        reservation = recording.reservation(
            prepared,
            wanted.identities[0].value if follows is None else follows.name,
            self.settings.id,
            now,
            key_file=own_file,
            temporary_file=temporary,
            supersedes=follows.sha256 if follows is not None else None,
        )
        drafts = wanted.delegations(prepared.certificate) if wanted.delegations is not None else ()
        piece = Piece(self.authority.id, reservation, prepared, self.signer, key, self.passphrase, drafts)
        return Ready(piece, follows if wanted.supersedes else None)

    def record(self, ready: Sequence["Ready"], now: datetime.datetime) -> tuple["Recorded", ...]:
        """Issue and record what is ready, in one go, which costs several hardly more than one. Each is there whole or
        not at all, whatever becomes of the others: where they cannot be done together, each is done by itself."""
        with self.directory.changing():
            recover(self.directory, self.registry)
            try:
                return self._record(ready, now)
            except PkiError as error:
                if len(ready) == 1:
                    return (Recorded(error=error),)
            return tuple(self._record_alone(it, now) for it in ready)

    def _record(self, ready: Sequence["Ready"], now: datetime.datetime) -> tuple["Recorded", ...]:
        refused = self.registry.reserve_all(self.authority.id, [it.piece.reservation for it in ready], now)
        left = [it for it, error in zip(ready, refused, strict=True) if error is None]
        gone = [it.supersedes for it in left if it.supersedes is not None]
        pieces = [it.piece for it in left]
        records = iter(recording.finish(self.directory, self.registry, pieces, now, superseded=gone) if left else ())
        return tuple(Recorded(next(records)) if error is None else Recorded(error=error) for error in refused)

    def _record_alone(self, ready: "Ready", now: datetime.datetime) -> "Recorded":
        """One of those that failed together; they may have been done but for the names of key files."""
        try:
            recover(self.directory, self.registry)
            there = self.registry.get(self.authority.id, ready.piece.reservation.serial)
            return Recorded(there) if there is not None else self._record((ready,), now)[0]
        except PkiError as error:
            return Recorded(error=error)

    def prepare(self, wanted: Wanted, public_key: CertificatePublicKeyTypes, now: datetime.datetime) -> Prepared:
        """The certificate, rehearsed and linted, before anything happens. Raises LintFailed, PkiError."""
        return authority.prepare(
            wanted.profile,
            wanted.identities,
            public_key,
            self.authority.certificate.certificate,
            recording.new_serial(),
            now,
            wanted.lifetime,
            subject=wanted.subject,
            locations=self.settings.locations(self.authority.id),
        )

    def _check_key_is_nobodys(
        self, public_key: CertificatePublicKeyTypes, follows: Record | None, now: datetime.datetime
    ) -> None:
        """Policies may know a holder by the key alone. A holder may have one again. Raises PkiError."""
        key_sha256 = keys.key_sha256(public_key)
        if follows is not None and follows.key_sha256 == key_sha256:
            return
        for record in self.registry.with_key(key_sha256):
            is_holder = follows is not None and (record.name, record.subject) == (follows.name, follows.subject)
            if record.validity(now) == "valid" and not is_holder:
                again = f"keynote-pki renew {record.serial[:SERIAL_SHOWN]}; another holder needs another key"
                raise PkiError(
                    f"the key has a certificate already, that of `{record.name}` (serial {record.serial})",
                    again if record.identities else "that is no peer: have the request made with a key of its own",
                )

    def _file_of(self, follows: Record | None, public_key: CertificatePublicKeyTypes) -> str | None:
        """The file of a key that is not new, if there is one here."""
        if follows is None or follows.directory != self.settings.id:
            return None
        return follows.key_file if follows.key_sha256 == keys.key_sha256(public_key) else None

    @staticmethod
    def _kind(wanted: Wanted) -> str:
        kind = wanted.kind or wanted.profile.key
        wanted.profile.check_key(kind)
        return kind


def issue(
    directory: Directory,
    profile: Profile,
    identities: tuple[Identity, ...],
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
) -> Record:
    """A certificate with a new key, under the directory's authority. Raises PkiError."""
    return Issuer.of(directory).issue(Wanted(profile, identities, lifetime), now)
