# SPDX-License-Identifier: ISC
"""Strict rule 5. Imported only where a registry is configured: a database layer is half of what a daemon loads."""

from dataclasses import dataclass

from ike_auth.authorization.strict import Refused
from pki.chain import ChainCertificate
from pki.errors import NotRecorded, PkiError
from pki.registry import Registry


@dataclass(frozen=True, slots=True)
class Recorded:
    """A chain to an authority of the registry consists of recorded certificates, none revoked. Raises Refused."""

    registry: Registry

    @classmethod
    def at(cls, url: str) -> "Recorded":
        """Raises pki.errors.RegistryError if it cannot be read."""
        return cls(Registry.open_read_only(url))

    def state(self) -> object:
        """Equal to that of another moment if nothing was taken back meanwhile. Raises PkiError."""
        return self.registry.last_change()

    def __call__(self, certificates: tuple[ChainCertificate, ...]) -> None:
        try:
            self.registry.check_chain(certificates)
        except NotRecorded as error:
            raise Refused(f"{error} ({error.hint})") from None
        except PkiError as error:
            raise Refused(f"the registry cannot be asked: {error}") from None
