# SPDX-License-Identifier: ISC
"""The directory of a certification authority on disk.

ca.toml            which directory this is, and what it writes into certificates (`settings`)
profiles.toml      kinds of certificates of its own (`profiles`); nobody has to have it
registry.sqlite    everything issued; readable by gateways. Not here where ca.toml has a registry's URL
keys/              0700: one private key a file, 0600, named by the serial number of its certificate
lock               held by whoever changes anything here
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pki import key_files, keys, keystore, profiles, settings
from pki.errors import KeyMissing, KeystoreError, PkiError
from pki.keys import KeySigner
from pki.keystore import Passphrase
from pki.profiles import Profile
from pki.records import AuthorityRecord, Record
from pki.registry import Registry
from pki.registry_database import without_password
from pki.settings import Settings

_REGISTRY, _KEYS, _LOCK, _SETTINGS, _PROFILES = "registry.sqlite", "keys", "lock", "ca.toml", "profiles.toml"
_HIDDEN = r"\.[0-9a-f]{40}(?:-[0-9a-f]{40})*\.registry"
_OURS = re.compile(
    rf"keys|lock|(?:ca|profiles)\.toml|\.ca\.toml\.new|(?:registry\.sqlite|{_HIDDEN})(?:-wal|-shm|-journal)?"
)

REQUESTED_KEY = key_files.REQUESTED


_LOST = "take it out of a backup that was made with --keys, or make a new one: keynote-pki supersede"
_LOST_AUTHORITY = (
    "take it out of a backup that was made with --keys; without it a new authority is needed: keynote-pki init"
)


@dataclass(frozen=True, slots=True)
class Directory:
    """A CA directory: where things are in it."""

    path: Path

    @property
    def registry_path(self) -> Path:
        return self.path / _REGISTRY

    @property
    def settings_path(self) -> Path:
        return self.path / _SETTINGS

    def settings(self) -> Settings:
        """Raises PkiError."""
        return settings.read(self.settings_path)

    @property
    def profiles_path(self) -> Path:
        return self.path / _PROFILES

    def profiles(self) -> dict[str, Profile]:
        """The kinds of certificates that are issued here, by their names. Raises PkiError."""
        return profiles.read(self.profiles_path)

    @property
    def lock_path(self) -> Path:
        return self.path / _LOCK

    @property
    def keys(self) -> Path:
        return self.path / _KEYS

    def key_path(self, file: str) -> Path:
        return self.keys / file

    @staticmethod
    def key_files(serial: str) -> tuple[str, str]:
        """See `key_files.named`."""
        return key_files.named(serial)

    def hidden_registry_path(self, serials: Sequence[str]) -> Path:
        """The registry while the authorities with these serial numbers are made."""
        return self.path / f".{'-'.join(serials)}.registry"

    def hidden_registries(self) -> tuple[tuple[str, ...], ...]:
        """The serial numbers of each that somebody left."""
        names = (it.name for it in self.path.iterdir()) if self.path.is_dir() else ()
        return tuple(tuple(name[1:].split(".")[0].split("-")) for name in names if re.fullmatch(_HIDDEN, name))

    @property
    def requested_key_path(self) -> Path:
        """The key of an authority that awaits its certificate from somebody else's root."""
        return self.keys / REQUESTED_KEY

    def make(self) -> None:
        """Make it, or finish making it. Raises KeystoreError, and PkiError where it holds anything else."""
        found = sorted(it.name for it in self.path.iterdir()) if self.path.is_dir() else []
        if other := [name for name in found if not _OURS.fullmatch(name)]:
            raise PkiError(f"`{self.path}` is not empty: it holds `{other[0]}`", "choose a new directory")
        keystore.make_directory(self.path, 0o755)
        keystore.make_directory(self.keys, 0o700)

    @property
    def registry_url(self) -> str | Path:
        """Where the registry is. Raises PkiError."""
        return self.settings().registry or self.registry_path

    @property
    def registry_shown(self) -> str:
        """The same without its password. Raises PkiError."""
        return without_password(self.registry_url)

    def registry(self) -> Registry:
        """Open the registry. Raises PkiError where there is none, RegistryError."""
        return Registry.open(self.existing_registry())

    def existing_registry(self) -> str | Path:
        """`registry_url`, of a registry that may be expected to be there. Raises PkiError where there is none."""
        if url := self.settings().registry:
            return url
        if not self.registry_path.is_file():
            self.check_not_awaiting()
            raise PkiError(
                f"`{self.path}` holds no authority",
                "name its directory with --dir, or make one: keynote-pki init DIR",
            )
        return self.registry_path

    def check_not_awaiting(self) -> None:
        """Raises PkiError where a request was made and its certificate is not here yet."""
        if self.requested_key_path.exists():
            raise PkiError(
                f"the authority in `{self.path}` awaits its certificate from the root that it was requested of",
                f"keynote-pki init {self.path} --certificate FILE",
            )

    @contextlib.contextmanager
    def changing(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the directory's lock. Raises KeystoreError."""
        with keystore.exclusive(self.lock_path, wait=wait):
            yield

    def authority(self, registry: Registry) -> AuthorityRecord:
        """The authority that issues for peers here; a registry may have those of other directories too.

        Raises PkiError."""
        own = self.settings().id
        issuing = [
            it
            for it in registry.authorities()
            if it.certificate.directory == own
            and not it.foreign
            and it.retired_at is None
            and it.certificate.profile != profiles.ROOT.name
        ]
        if not issuing:
            self.check_not_awaiting()
            raise PkiError(f"`{self.path}` holds no authority yet", f'keynote-pki init {self.path} --name "..."')
        return issuing[-1]

    def signer(
        self, record: Record, passphrase: Passphrase | None = None, *, key_file: Path | None = None
    ) -> KeySigner:
        """The private key of a certificate, or of `key_file`. Raises KeystoreError, and PkiError where it is not
        here."""
        return self.unlocked(record, passphrase, key_file=key_file)[0]

    def unlocked(
        self, record: Record, passphrase: Passphrase | None = None, *, key_file: Path | None = None
    ) -> tuple[KeySigner, bytes | None]:
        """The same, and the passphrase that the key's file is encrypted with, if it is. Raises as `signer` does."""
        path = key_file or self._key_file(record)
        try:
            key, protection = keystore.unlock(path, passphrase)
        except KeyMissing as error:  # and not the passphrase's file
            error.hint = _LOST if record.identities else _LOST_AUTHORITY
            raise
        if keys.key_sha256(key.public_key()) != record.key_sha256:
            raise KeystoreError(f"`{path}` does not hold the private key of `{record.name}`")
        return KeySigner(key), protection

    def _key_file(self, record: Record) -> Path:
        """Raises PkiError. A root's key that was kept elsewhere may have been put here."""
        path = self.key_path(record.key_file or self.key_files(record.serial)[0])
        if record.directory != self.settings().id or (record.key_file is None and not path.is_file()):
            hint = "name its file: --root-key FILE" if record.profile == profiles.ROOT.name else ""
            raise PkiError(f"the private key of `{record.name}` is not kept here", hint)
        return path
