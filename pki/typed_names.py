# SPDX-License-Identifier: ISC
"""Names for a certificate as people write them, in a command or in a table."""

from collections.abc import Iterable
from dataclasses import dataclass

from pki import names
from pki.names import Identity


@dataclass(frozen=True, slots=True)
class TypedNames:
    """`named` are of the kind that they look like, and come first; then those whose kind was said."""

    named: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    directory_names: tuple[str, ...] = ()

    def identities(self) -> tuple[Identity, ...]:
        """Host names and mail domains beyond ASCII as their A-labels (RFC 5891). Raises NameInvalid."""
        return (
            *map(names.typed, self.named),
            *(Identity("FQDN", names.fqdn(names.a_labels(host))) for host in self.hosts),
            *map(names.address, self.addresses),
            *(Identity("USER_FQDN", _mail(mail)) for mail in self.mails),
            *map(names.distinguished_name, self.directory_names),
        )


def _mail(text: str) -> str:
    local, at, host = text.rpartition("@")
    return names.mail(f"{local}{at}{names.a_labels(host)}")


def in_words(identities: Iterable[Identity]) -> str:
    return ", ".join(map(str, identities)) or "no name"
