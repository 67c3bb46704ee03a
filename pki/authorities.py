# SPDX-License-Identifier: ISC
"""New CA directories: with an authority that signed itself, or with an offline root and an authority below it."""

import contextlib
import datetime
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki import authority, distinguished_names, founding, keys, names, recording, settings
from pki.authority import Prepared
from pki.directory import Directory
from pki.errors import KeystoreError, NameInvalid, PkiError
from pki.keys import KeySigner, PrivateKey, Signer
from pki.profiles import Profile
from pki.recording import Piece
from pki.records import Record
from pki.registry import Registry
from pki.settings import Settings


@dataclass(frozen=True, slots=True)
class Root:
    """The root over a new authority. Its key goes to `key_file`, on a stick perhaps, else beside the others."""

    name: str
    key_file: Path | None = None
    lifetime: datetime.timedelta | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """Whoever signs for an authority that is being made, and the key to be written where it is one of ours."""

    signer: Signer
    key: PrivateKey | None = field(default=None, repr=False)
    passphrase: bytes | None = field(default=None, repr=False)

    @classmethod
    def made(cls, profile: Profile, kind: str | None, passphrase: bytes | None) -> "NewKey":
        """Raises PkiError for a kind of key that no such authority has."""
        profile.check_key(kind or profile.key)
        key = keys.generate(kind or profile.key)
        return cls(KeySigner(key), key, passphrase)

    def piece(
        self,
        prepared: Prepared,
        authority_id: int | None,
        registry: Registry,
        directory: Directory,
        now: datetime.datetime,
        signer: Signer | None = None,
        key_file: Path | None = None,
    ) -> tuple[int, Piece]:
        """Step 2 for a new authority: its id, and its certificate to be signed by `authority_id` with `signer`, or by
        itself."""
        own_file, temporary = Directory.key_files(prepared.serial) if self.key is not None else (None, None)
        if key_file is not None:
            own_file, temporary = None, str(key_file.absolute())
        name = common_name(prepared.certificate.certificate.subject)
        reservation = recording.reservation(
            prepared, name, directory.settings().id, now, key_file=own_file, temporary_file=temporary
        )
        new_id = registry.reserve_authority(reservation, authority_id)
        piece = Piece(authority_id or new_id, reservation, prepared, signer or self.signer, self.key, self.passphrase)
        return new_id, piece


def initialize(
    path: Path,
    name: str,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    registry_url: str | None = None,
    *,
    root: Root | None = None,
    kind: str | None = None,
    constraints: x509.NameConstraints | None = None,
    passphrase: bytes | None = None,
    signer: Signer | None = None,
) -> Record:
    """Make a CA directory, with an authority that signed itself or one below a new `root`; the certificate of the one
    that issues. Its registry is inside unless it is to be elsewhere (`registry_url`). New keys are encrypted with
    `passphrase`; a `signer`, a token perhaps, has the key of the authority that issues, and then no file is written.

    Raises PkiError; then everything is as it was before."""
    directory = Directory(path)
    known = directory.profiles()
    profile = known["ca"] if root is None else known["intermediate"]
    subject = authority.authority_name(name)
    new = NewKey(signer) if signer is not None else NewKey.made(profile, kind, passphrase)
    above = None if root is None else new_root(root, known["root"], now, passphrase)
    prepared = authority.prepare_authority(
        subject,
        new.signer.public_key,
        recording.new_serial(),
        now,
        lifetime,
        profile=profile,
        issuer=above.prepared.certificate.certificate if above is not None else None,
        constraints=constraints,
    )
    if root is not None:
        check_two_names(authority.authority_name(root.name), subject)

    def fill(registry: Registry) -> Record:
        with recording.undone_if_it_fails(directory, registry):
            pieces = []
            root_id = None
            if above is not None and root is not None:
                root_id, piece = above.new.piece(
                    above.prepared, None, registry, directory, now, key_file=root.key_file
                )
                pieces.append(piece)
            by = above.new.signer if above is not None else None
            pieces.append(new.piece(prepared, root_id, registry, directory, now, by)[1])
        return recording.finish(directory, registry, pieces, now)[-1]

    serials = (*([above.prepared.serial] if above is not None else []), prepared.serial)
    new_settings = Settings.new(registry_url)
    if registry_url is not None:
        Registry.create(registry_url)  # a server that is not there is found before anything is made
    with founding.whole_or_nothing(directory):
        directory.check_not_awaiting()
        if not directory.settings_path.exists() and not directory.registry_path.exists():
            settings.write(directory.settings_path, new_settings)
        elif registry_url is not None and registry_url != directory.settings().registry:
            raise PkiError(f"`{path}` has another registry: {directory.registry_shown}", "choose a new directory")
        if directory.settings().registry or directory.registry_path.exists():
            registry = Registry.create(directory.registry_url)
            recording.recover(directory, registry)
            own = directory.settings().id
            if existing := [it.name for it in registry.authorities() if it.certificate.directory == own]:
                raise PkiError(f"`{path}` holds the authority `{existing[0]}` already", "choose a new directory")
            record = fill(registry)
            with contextlib.suppress(PkiError):  # the next command does it as well
                recording.recover(directory, registry)
            return record
        with founding.hidden_registry(directory, *serials) as hidden:
            record = fill(Registry.create(hidden))
        with contextlib.suppress(PkiError):  # opened once, others can read it; the next command does it as well
            recording.recover(directory, directory.registry())
        return record


@dataclass(frozen=True, slots=True)
class NewRoot:
    """A root that awaits its signature."""

    new: NewKey
    prepared: Prepared


def new_root(root: Root, profile: Profile, now: datetime.datetime, passphrase: bytes | None) -> NewRoot:
    """With a new key. Raises PkiError."""
    if root.key_file is not None:
        check_room(root.key_file)
    new = NewKey.made(profile, root.kind, passphrase)
    prepared = authority.prepare_authority(
        authority.authority_name(root.name),
        new.signer.public_key,
        recording.new_serial(),
        now,
        root.lifetime,
        profile=profile,
    )
    return NewRoot(new, prepared)


def check_two_names(root: x509.Name, name: x509.Name) -> None:
    """Raises NameInvalid where peers could not tell a root and the authority below it apart."""
    encoded = name.public_bytes()
    if distinguished_names.folded(root.public_bytes()) == distinguished_names.folded(encoded):
        shown = distinguished_names.keynote(encoded)
        raise NameInvalid(f"root and authority would both be `{shown}`", "give them two names")


def check_room(path: Path) -> None:
    """Whether a key can be written to a file outside of the directory. Raises KeystoreError."""
    if path.exists() or path.is_symlink():
        raise KeystoreError(f"`{path}` exists and is not overwritten", "name a new file")
    if not path.parent.is_dir():
        raise KeystoreError(f"`{path.parent}` is not a directory", "is the stick there, and mounted?")


def common_name(subject: x509.Name) -> str:
    """What an authority goes by."""
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[-1].value) if found else names.dn_keynote(subject.public_bytes())
