# SPDX-License-Identifier: ISC
"""The directory of a certification authority on disk.

ca.toml            which directory this is, and what it writes into certificates (`settings`)
registry.sqlite    everything issued; readable by gateways. Not here where ca.toml has a registry's URL
keys/              0700: one private key a file, 0600, named by the serial number of its certificate
lock               held by whoever changes anything here
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pki import keystore, settings
from pki.errors import PkiError
from pki.keys import KeySigner
from pki.keystore import Passphrase
from pki.records import AuthorityRecord, Record
from pki.registry import Registry
from pki.registry_database import without_password
from pki.settings import Settings

_REGISTRY, _KEYS, _LOCK, _SETTINGS = "registry.sqlite", "keys", "lock", "ca.toml"
_OURS = re.compile(
    r"keys|lock|ca\.toml|\.ca\.toml\.new|(?:registry\.sqlite|\.[0-9a-f]{40}\.registry)(?:-wal|-shm|-journal)?"
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
    def lock_path(self) -> Path:
        return self.path / _LOCK

    @property
    def keys(self) -> Path:
        return self.path / _KEYS

    def key_path(self, file: str) -> Path:
        return self.keys / file

    @staticmethod
    def key_files(serial: str) -> tuple[str, str]:
        """The name of a certificate's key file, and the one under which it is written."""
        return f"{serial}.pem", f".{serial}.new"

    def hidden_registry_path(self, serial: str) -> Path:
        """The registry while the authority with this serial number is made."""
        return self.path / f".{serial}.registry"

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
            raise PkiError(
                f"`{self.path}` holds no authority",
                "name its directory with --dir, or make one: keynote-pki init DIR",
            )
        return self.registry_path

    @contextlib.contextmanager
    def changing(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the directory's lock. Raises KeystoreError."""
        with keystore.exclusive(self.lock_path, wait=wait):
            yield

    def authority(self, registry: Registry) -> AuthorityRecord:
        """The authority that issues here; a registry may have those of other directories too. Raises PkiError."""
        own = self.settings().id
        authorities = [it for it in registry.authorities() if it.certificate.directory == own]
        if not authorities:
            raise PkiError(f"`{self.path}` holds no authority yet", f'keynote-pki init {self.path} --name "..."')
        return authorities[-1]

    def signer(self, record: Record, passphrase: Passphrase | None = None) -> KeySigner:
        """The private key of a certificate. Raises KeystoreError, and PkiError where it is not here."""
        if record.key_file is None or record.directory != self.settings().id:
            raise PkiError(f"the private key of `{record.name}` is not kept here")
        return KeySigner(keystore.load(self.key_path(record.key_file), passphrase))
