# SPDX-License-Identifier: ISC
"""Delegations as the registry takes and gives them: plain values."""

import datetime
from dataclasses import dataclass
from typing import Literal

from keynote.principals import POLICY

Standing = Literal["in force", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A delegation that is to be recorded. Texts of KeyNote are Latin-1: a character for each byte."""

    authorizer: str  # a KeyNote principal in its canonical form, or POLICY
    licensee: str
    conditions: str  # what has to hold besides the end
    comment: str
    assertion: str  # whole, signed where its authorizer is a key
    not_after: datetime.datetime | None
    carries_on: int | None = None  # the number of the one that goes on as this one, with a following certificate


@dataclass(frozen=True, slots=True)
class DelegationRecord:
    """A delegation of the registry."""

    number: int
    authorizer: str
    licensee: str
    conditions: str
    comment: str
    assertion: str
    created_at: datetime.datetime
    not_after: datetime.datetime | None
    certificate: str | None  # the SHA-256 of the one it was issued with, and is revoked with
    revoked_at: datetime.datetime | None
    revocation_reason: str | None

    @property
    def name(self) -> str:
        """What explanations call it in the place of a file."""
        return f"registry delegation {self.number}"

    @property
    def trusted(self) -> bool:
        """Whether it is believed for being in the registry. What a key says is believed for its signature alone."""
        return self.authorizer == POLICY or self.authorizer.startswith("DN:")

    def standing(self, now: datetime.datetime) -> Standing:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.not_after is not None and now > self.not_after else "in force"


@dataclass(frozen=True, slots=True)
class Stamp:
    """The newest entry of the audit log: while it stays, so does everything."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class InForce:
    """What delegates at one moment. `left_out` are those whose authorizer nobody vouches for any more, and why;
    `over` those that were revoked or have ended not long ago, for whoever asks why something is allowed no more.

    It holds until `until`, or until something is done to the registry: `stamp` tells."""

    records: tuple[DelegationRecord, ...]
    left_out: tuple[tuple[DelegationRecord, str], ...]
    stamp: Stamp
    until: datetime.datetime | None
    over: tuple[tuple[DelegationRecord, str], ...] = ()
