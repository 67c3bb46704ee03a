# SPDX-License-Identifier: ISC
"""Issue and record as one: whatever happens in between, a certificate is there whole, with its record and its key
file, or not at all.

    1  rehearse and lint               nothing has happened
    2  row `pending`                   takes the serial number, names the temporary file
    3  key file written, synced        under the temporary name
    4  row `issued`                    with the signed certificate: from here on it counts
    5  key file gets its name
    6  row forgets the temporary name

After a crash before 4 the next command undoes, after 4 it completes (`recover`). All of it happens under the
directory's lock, so what is unfinished when somebody holds that lock is nobody's work in progress.
"""

import contextlib
import datetime
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import authority, founding, keys, keystore, profiles, settings
from pki.authority import Prepared
from pki.directory import Directory
from pki.errors import KeystoreError, PkiError
from pki.keys import KeySigner, PrivateKey, Signer
from pki.names import Identity
from pki.profiles import Profile
from pki.records import Record, Reservation
from pki.registry import Registry
from pki.settings import Settings


@dataclass(frozen=True, slots=True)
class Recovered:
    """An interrupted issue that was brought to an end."""

    name: str
    serial: str
    completed: bool  # else undone


def initialize(
    path: Path,
    name: str,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    registry_url: str | None = None,
) -> Record:
    """Make a CA directory with a self-signed authority, its registry inside unless it is to be elsewhere. Raises
    PkiError; then everything is as it was before."""
    subject = authority.authority_name(name)
    common_names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    key = keys.generate(profiles.CA.key)
    prepared = authority.prepare_authority(subject, key.public_key(), _new_serial(), now, lifetime)
    directory = Directory(path)
    own_name = str(common_names[-1].value) if common_names else name

    def fill(registry: Registry) -> Record:
        reservation = _reservation(prepared, own_name, directory.settings().id, now)
        authority_id = registry.reserve_authority(reservation)
        return _finish(directory, registry, authority_id, reservation, prepared, key, KeySigner(key), now)

    new_settings = Settings.new(registry_url)
    if registry_url is not None:
        Registry.create(registry_url)  # a server that is not there is found before anything is made
    with founding.whole_or_nothing(directory):
        if not directory.settings_path.exists() and not directory.registry_path.exists():
            settings.write(directory.settings_path, new_settings)
        elif registry_url is not None and registry_url != directory.settings().registry:
            raise PkiError(f"`{path}` has another registry: {directory.registry_shown}", "choose a new directory")
        if directory.settings().registry or directory.registry_path.exists():
            registry = Registry.create(directory.registry_url)
            recover(directory, registry)
            own = directory.settings().id
            if existing := [it.name for it in registry.authorities() if it.certificate.directory == own]:
                raise PkiError(f"`{path}` holds the authority `{existing[0]}` already", "choose a new directory")
            return fill(registry)
        with founding.hidden_registry(directory, prepared.serial) as hidden:
            record = fill(Registry.create(hidden))
        with contextlib.suppress(PkiError):  # opened once, others can read it; the next command does it as well
            directory.registry()
        return record


def issue(
    directory: Directory,
    profile: Profile,
    identities: tuple[Identity, ...],
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
) -> Record:
    """A certificate with a new key, under the directory's authority. Raises PkiError."""
    registry = directory.registry()
    issuer = directory.authority(registry)
    signer = directory.signer(issuer.certificate)
    key = keys.generate(profile.key)
    prepared = authority.prepare(
        profile, identities, key.public_key(), issuer.certificate.certificate, _new_serial(), now, lifetime
    )
    reservation = _reservation(prepared, identities[0].value, directory.settings().id, now)
    with directory.changing():
        recover(directory, registry)
        registry.reserve(issuer.id, reservation, now)
        return _finish(directory, registry, issuer.id, reservation, prepared, key, signer, now)


def recover(directory: Directory, registry: Registry) -> tuple[Recovered, ...]:
    """Complete or undo what was interrupted. The caller holds the directory's lock.

    Raises KeystoreError, RegistryError."""
    recovered = []
    for unfinished in registry.unfinished(directory.settings().id):
        temporary = unfinished.temporary_file and directory.key_path(unfinished.temporary_file)
        if not unfinished.issued:
            if temporary:
                keystore.discard(temporary)
            registry.cancel(unfinished.authority_id, unfinished.serial)
        else:
            if temporary and unfinished.key_file:
                keystore.give_name(temporary, directory.key_path(unfinished.key_file))
            registry.settle(unfinished.authority_id, unfinished.serial)
        recovered.append(Recovered(unfinished.name, unfinished.serial, unfinished.issued))
    return tuple(recovered)


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


def _finish(
    directory: Directory,
    registry: Registry,
    authority_id: int,
    reservation: Reservation,
    prepared: Prepared,
    key: PrivateKey,
    signer: Signer,
    now: datetime.datetime,
) -> Record:
    """Steps 3 to 6."""
    assert reservation.temporary_file is not None  # we made the key, so there is a file for it
    assert reservation.key_file is not None
    temporary = directory.key_path(reservation.temporary_file)
    try:
        der = prepared.sign(signer).public_bytes(Encoding.DER)
        keystore.write(temporary, keystore.pem(key))
        registry.confirm(authority_id, reservation.serial, der, now)
    except BaseException:
        with contextlib.suppress(PkiError):  # if this fails as well, the next command does it
            recover(directory, registry)
        raise
    keystore.give_name(temporary, directory.key_path(reservation.key_file))
    registry.settle(authority_id, reservation.serial)
    (record,) = registry.find(hashlib.sha256(der).hexdigest())
    return record


def _reservation(prepared: Prepared, name: str, directory: str, now: datetime.datetime) -> Reservation:
    certificate = prepared.certificate
    key_file, temporary_file = Directory.key_files(prepared.serial)
    return Reservation(
        serial=prepared.serial,
        profile=prepared.profile.name,
        name=name,
        identities=prepared.identities,
        subject=certificate.subject,
        subject_der=certificate.subject_der,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        issued_at=now,
        key_sha256=keys.key_sha256(certificate.public_key),
        directory=directory,
        key_file=key_file,
        temporary_file=temporary_file,
    )


def _new_serial() -> int:
    return secrets.randbits(authority.SERIAL_BITS) or 1
