# SPDX-License-Identifier: ISC
"""A CA directory that lives: issues, revokes, makes lists."""

import datetime

from pki import issuance, profiles
from pki.directory import Directory
from pki.names import identity
from pki.records import AuthorityRecord, Record
from pki.revocation import ListRecord
from tests.pki.factory import DAY, NOW


class Ca:
    """A CA directory as these tests use it."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.registry = directory.registry()
        self.authority: AuthorityRecord = directory.authority(self.registry)
        self.signer = directory.signer(self.authority.certificate)

    def issue(self, name: str, days: int = 30) -> Record:
        return issuance.issue(self.directory, profiles.GATEWAY, (identity(name),), NOW, days * DAY)

    def revoke(self, record: Record, now: datetime.datetime, reason: str = "keyCompromise") -> None:
        self.registry.revoke(record.authority_id, record.serial, reason, now)

    def make(self, now: datetime.datetime, at_least: int = 1) -> ListRecord:
        return self.registry.crls.make(self.authority, self.signer, now, at_least=at_least)
