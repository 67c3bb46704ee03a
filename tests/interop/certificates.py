# SPDX-License-Identifier: ISC
"""Throw-away authorities and the certificates of gateways, issued by `pki` as `keynote-pki` issues them.

So what charon accepts here is what an operator hands to a peer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from pki import issuance, keystore, names, profiles
from pki.bundles import files, handover
from pki.bundles.formats import FORMATS
from pki.bundles.request import Request
from pki.directory import Directory
from pki.records import Record


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its private key, in the forms that daemons take."""

    record: Record
    key_pem: bytes

    @property
    def certificate_der(self) -> bytes:
        return self.record.der


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that issues for identities of type FQDN."""

    directory: Directory
    record: Record

    @classmethod
    def create(cls, path: Path, name: str) -> "Authority":
        """In a directory of its own, which is made."""
        return cls(Directory(path), issuance.initialize(path, f"/O=Interop/CN={name}", datetime.now(UTC)))

    @property
    def certificate(self) -> x509.Certificate:
        return self.record.certificate

    @property
    def subject_text(self) -> str:
        """The CA's name as KeyNote's `DN:` principals write it."""
        return self.record.subject

    @property
    def registry_url(self) -> str:
        return f"sqlite:///{self.directory.registry_path}"

    def issue(self, *identities: str) -> Credential:
        """A gateway's certificate, the same one at the next call; its identities are names or addresses, the first is
        what it is known by."""
        found = self.directory.registry().find(identities[0])
        record = found[0] if found else self._issue(identities)
        return Credential(record, keystore.pem(self.directory.signer(record).key))

    def _issue(self, identities: tuple[str, ...]) -> Record:
        return issuance.issue(
            self.directory, profiles.GATEWAY, tuple(map(names.identity, identities)), datetime.now(UTC)
        )

    def export(self, credential: Credential, path: Path) -> None:
        """The files of `keynote-pki export --for isakmpd`: ca/ certs/ private/ crls/ below `path`."""
        self.hand_over(credential, "isakmpd", Request(), path)

    def hand_over(self, credential: Credential, form: str, request: Request, path: Path) -> None:
        """The files of `keynote-pki export --for FORM` below `path`."""
        signer = self.directory.signer(credential.record)
        given = handover.of(self.directory.registry(), credential.record, signer.key)
        files.write(FORMATS[form].bundle(given, request), path)
