# SPDX-License-Identifier: ISC
"""Issue and record as one: whatever happens in between, certificates that are issued together are there whole, with
their records and key files, or not at all.

    1  rehearse and lint               nothing has happened
    2  rows `pending`                  take the serial numbers, name the temporary files
    3  key files written, synced       under their temporary names
    4  rows `issued`                   with the signed certificates, in one transaction: from here on they count
    5  key files get their names
    6  rows forget the temporary names

After a crash before 4 the next command undoes, after 4 it completes (`recover`). All of it happens under the
directory's lock, so what is unfinished when somebody holds that lock is nobody's work in progress.

A certificate for a key that is not new has no temporary file: of it there are steps 2 and 4. A key that is kept
outside of the directory has its file's own name for a temporary one: it goes if the issue is undone, or the registry
does not come to be (`founding`), so `recover` forgets it, when nothing can be undone any more.
"""

import contextlib
import datetime
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from pki import authority, key_files, keys, keystore
from pki.authority import Prepared
from pki.chain_certificates import ReadCertificate
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.errors import EDITED, KeystoreError, PkiError, RegistryError
from pki.keys import PrivateKey, Signer
from pki.names import Identity
from pki.profiles import Profile
from pki.records import Record, Reservation, Signed, Unfinished, serial_text
from pki.registry import Registry


@dataclass(frozen=True, slots=True)
class Recovered:
    """An interrupted issue that was brought to an end."""

    name: str
    serial: str
    completed: bool  # else undone


@dataclass(frozen=True, slots=True)
class Piece:
    """One certificate of an issue, its serial number taken. `authority_id` is who signs, with `signer`."""

    authority_id: int
    reservation: Reservation
    prepared: Prepared
    signer: Signer
    key: PrivateKey | None = field(default=None, repr=False)  # a new one, to be written
    passphrase: bytes | None = field(default=None, repr=False)  # what its file is encrypted with
    delegations: tuple[Draft, ...] = ()


def new_serial() -> int:
    return secrets.randbits(authority.SERIAL_BITS) or 1


def reservation(
    prepared: Prepared,
    name: str,
    directory: str,
    now: datetime.datetime,
    *,
    key_file: str | None = None,
    temporary_file: str | None = None,
    supersedes: str | None = None,
) -> Reservation:
    """What the registry takes of a prepared certificate. `directory` is the id of the CA's directory."""
    return reservation_of(
        prepared.certificate,
        prepared.profile,
        name,
        directory,
        now,
        identities=prepared.identities,
        key_file=key_file,
        temporary_file=temporary_file,
        supersedes=supersedes,
    )


def reservation_of(
    certificate: ReadCertificate,
    profile: Profile,
    name: str,
    directory: str,
    now: datetime.datetime,
    *,
    identities: tuple[Identity, ...] = (),
    key_file: str | None = None,
    temporary_file: str | None = None,
    supersedes: str | None = None,
) -> Reservation:
    """The same of any certificate."""
    return Reservation(
        serial=serial_text(certificate.serial_number),
        profile=profile.name,
        name=name,
        identities=identities,
        subject=certificate.subject,
        subject_der=certificate.subject_der,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        issued_at=now,
        key_sha256=keys.key_sha256(certificate.public_key),
        directory=directory,
        key_file=key_file,
        temporary_file=temporary_file,
        supersedes=supersedes,
    )


@contextlib.contextmanager
def undone_if_it_fails(directory: Directory, registry: Registry) -> Iterator[None]:
    """Around steps 2 to 4. The caller holds the directory's lock."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(PkiError):  # if this fails as well, the next command does it
            recover(directory, registry)
        raise


def finish(
    directory: Directory,
    registry: Registry,
    pieces: Sequence[Piece],
    now: datetime.datetime,
    *,
    retire: Sequence[int] = (),
    superseded: Sequence[Record] = (),
) -> tuple[Record, ...]:
    """Steps 3 to 6; with 4 go the authorities to `retire`, and what is `superseded` is revoked.

    Raises PkiError; before 4 everything is then as it was."""
    with undone_if_it_fails(directory, registry):
        ders = [piece.prepared.sign(piece.signer).public_bytes(Encoding.DER) for piece in pieces]
        keystore.write_all(
            (
                directory.key_path(piece.reservation.temporary_file),
                keystore.pem(piece.key, passphrase=piece.passphrase),
            )
            for piece in pieces
            if piece.key is not None and piece.reservation.temporary_file is not None
        )
        signed = [
            Signed(piece.authority_id, piece.reservation.serial, der, piece.delegations)
            for piece, der in zip(pieces, ders, strict=True)
        ]
        registry.confirm_all(signed, now, retire=retire, superseded=superseded)
    named = [
        (piece, directory.key_path(piece.reservation.temporary_file), directory.key_path(piece.reservation.key_file))
        for piece in pieces
        if piece.reservation.key_file is not None and piece.reservation.temporary_file is not None
    ]
    if named:
        keystore.give_names((temporary, path) for _, temporary, path in named)
        registry.settle_all([(piece.authority_id, piece.reservation.serial) for piece, _, _ in named])
    return registry.with_sha256s([hashlib.sha256(der).hexdigest() for der in ders])


def recover(directory: Directory, registry: Registry) -> tuple[Recovered, ...]:
    """Complete or undo what was interrupted. The caller holds the directory's lock.

    Raises KeystoreError, RegistryError."""
    left = registry.unfinished(directory.settings().id)
    undone = [it for it in left if not it.issued]
    registry.audit.check_not_issued({(it.authority_id, it.serial) for it in undone})
    completed = [it for it in left if it.issued]
    discarded = [path for it in undone if (path := left_by(directory, it)) is not None]
    named = [
        (path, directory.key_path(it.key_file))
        for it in completed
        if it.key_file and (path := left_by(directory, it)) is not None
    ]
    for path in discarded:
        _discard(path)
    keystore.give_names(named)
    if completed:
        registry.settle_all([(it.authority_id, it.serial) for it in completed])
    if undone:
        registry.cancel_all([(it.authority_id, it.serial) for it in undone])
    return tuple(Recovered(it.name, it.serial, it.issued) for it in left)


def recover_if_idle(directory: Directory, registry: Registry) -> tuple[Recovered, ...]:
    """`recover`, unless somebody is at work here, or we may not write. Raises KeystoreError, RegistryError."""
    if not registry.unfinished(directory.settings().id):
        return ()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(directory.changing(wait=False))
        except KeystoreError:
            return ()
        return recover(directory, registry)


def left_by(directory: Directory, unfinished: Unfinished) -> Path | None:
    """The key file that an interrupted issue may have left under its temporary name.

    Others write to a registry that is shared, so its word is not enough to touch any file: the name has to be the one
    that we give, or outside of the directory, what is there has to be the beginning of a private key. Raises
    RegistryError."""
    if not unfinished.temporary_file:
        return None
    path = directory.key_path(unfinished.temporary_file)
    if key_files.may_be_left(unfinished.serial, unfinished.key_file, unfinished.temporary_file) and (
        unfinished.key_file is not None or keystore.may_be_key(path)
    ):
        return path
    raise RegistryError(
        f"serial number {unfinished.serial} is not finished, and `{path}` is not the file that its key was to be in",
        EDITED,
    )


def _discard(path: Path) -> None:
    if path.parent.is_dir():  # a stick that was taken out has what it has
        keystore.discard(path)
