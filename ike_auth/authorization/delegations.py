# SPDX-License-Identifier: ISC
"""The delegations of a registry, beside the policy file (docs/delegations.md). Imported only where they are
configured: a database layer is half of what a daemon loads.

What POLICY and the names of the registry's certificates delegate is trusted, as the policy file is; what keys
delegate is believed for its signature. What cannot be believed is set aside, which lowers answers and never raises
one; so is what would let in whomever somebody vouches for under any name (strict rule 3).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import keynote
from keynote import binding, signatures
from keynote.complaints import Complaint
from keynote.errors import PolicyError, SignatureError
from keynote.expressions import string
from keynote.files import SetAside
from keynote.principals import canonical
from pki.delegation_records import DelegationRecord, InForce
from pki.registry import Registry
from pki.registry_delegations import Delegations

_UNSIGNED = "it is believed for being in the registry, and `Delegations= signed` believes signatures only"
_UNBOUND = (
    "it does not bind remote_id: with it, whomever an authority or a shared key vouches for could take any name"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The policy with what the registry adds to it."""

    session: keynote.Session
    trusted: tuple[keynote.Assertion, ...]
    signed: tuple[keynote.Assertion, ...]
    set_aside: tuple[SetAside, ...]
    found: InForce

    def counts(self) -> dict[str, int]:
        return {"trusted": len(self.trusted), "signed": len(self.signed), "set_aside": len(self.set_aside)}

    def __str__(self) -> str:
        aside = f", {len(self.set_aside)} set aside" if self.set_aside else ""
        count = len(self.trusted) + len(self.signed)
        return f"{count} of the registry ({len(self.trusted)} trusted, {len(self.signed)} signed){aside}"


class RegistryDelegations:
    """Reads them again when something was done to the registry that concerns them. That is asked at each question,
    and costs a look at the last entry of the audit log."""

    def __init__(self, delegations: Delegations, policy: keynote.Session, *, signed_only: bool) -> None:
        self.policy = policy
        self.tell: Callable[[str], None] = lambda _: None  # of what was read anew
        self.certifiers: Sequence[Sequence[str]] = ()  # the principals, those of each together, that vouch for others
        self._delegations = delegations
        self._signed_only = signed_only
        self._loaded: Loaded | None = None
        self._strangers: binding.Strangers | None = None  # to whom the policy alone is held
        self._read_before: dict[DelegationRecord, keynote.Assertion] = {}  # parsing takes longest, and few are new

    @classmethod
    def at(cls, url: str, policy: keynote.Session, *, signed_only: bool) -> "RegistryDelegations":
        """Raises pki.errors.RegistryError if it cannot be read."""
        return cls(Registry.open_read_only(url).delegations, policy, signed_only=signed_only)

    def loaded(self, now: datetime) -> Loaded:
        """Raises pki.errors.RegistryError if it cannot be read."""
        before = self._loaded
        if before is not None and (still := self._delegations.unchanged(before.found, now)) is not None:
            if still is not before.found:
                self._loaded = replace(before, found=still)
            assert self._loaded is not None
            return self._loaded
        self._loaded = self._read(self._delegations.in_force(now))
        if before is not None:
            self._tell_changes(before, self._loaded)
        return self._loaded

    @property
    def current(self) -> Loaded:
        """What was loaded last."""
        assert self._loaded is not None, "read before"
        return self._loaded

    def doubts(self, now: datetime) -> list[Complaint]:
        """What the linter says of them beside the policy."""
        from keynote.lint import Severity, lint  # as large as all of the evaluator, and for `ike-auth check` only
        from pki.delegations import complaint

        loaded = self.current
        own = {assertion.source.name for assertion in (*loaded.trusted, *loaded.signed)}
        found = lint([*self.policy.assertions(), *loaded.trusted], loaded.signed, now=now, ipsec=True)
        return [complaint(it) for it in found if it.where.file in own and it.severity >= Severity.WARNING]

    def _read(self, found: InForce) -> Loaded:
        trusted: list[keynote.Assertion] = []
        signed: list[keynote.Assertion] = []
        set_aside = [SetAside(_place(record), why) for record, why in found.left_out]
        read: dict[DelegationRecord, keynote.Assertion] = {}
        for record in found.records:
            try:
                assertion = read[record] = self._read_before.get(record) or _assertion(record)
                if record.trusted and self._signed_only:
                    set_aside.append(SetAside(assertion.where, _UNSIGNED, assertion))
                elif record.trusted:
                    signatures.verify_trusted(assertion)
                    trusted.append(assertion)
                else:
                    signatures.verify(assertion)
                    signed.append(assertion)
            except PolicyError as error:
                problem = error.problems[0]
                set_aside.append(SetAside(problem.where, problem.message))
            except SignatureError as error:
                set_aside.append(SetAside(_place(record), str(error)))
        believed = [(record, why) for record, why in found.over if not (record.trusted and self._signed_only)]
        over = [item for record, why in believed if (item := _over(record, why)) is not None]
        self._read_before = read
        unbound = self._unbound([*trusted, *signed])
        set_aside += (SetAside(assertion.where, _UNBOUND, assertion) for assertion in unbound)
        trusted = [assertion for assertion in trusted if assertion not in unbound]
        signed = [assertion for assertion in signed if assertion not in unbound]
        session = self.policy.extended([*trusted, *signed], set_aside=[*set_aside, *over])
        return Loaded(session, tuple(trusted), tuple(signed), tuple(set_aside), found)

    def _unbound(self, delegations: Iterable[keynote.Assertion]) -> set[keynote.Assertion]:
        """Those by which policy would let in whomever somebody vouches for under any name."""
        left = set(delegations) if self.certifiers else set()
        out: set[keynote.Assertion] = set()
        if left and self._strangers is None:
            self._strangers = binding.Strangers(self.policy.assertions())
        while left and self._strangers is not None:
            strangers = self._strangers.extended(left)
            answers = (strangers.admitted(principals) for principals in self.certifiers)
            guilty = {it for answer in answers if answer is not None for it in strangers.by(answer)} & left
            if not guilty:
                break
            left -= guilty
            out |= guilty
        return out

    def _tell_changes(self, before: Loaded, after: Loaded) -> None:
        self.tell(f"delegations were read again: {after}")
        for item in after.set_aside:
            if item not in before.set_aside:
                self.tell(f"{item.where.file} is set aside: {item.reason}")


def _assertion(record: DelegationRecord) -> keynote.Assertion:
    """Raises PolicyError, and SignatureError where the text is another authorizer's than the row says: by that one it
    is told whether it must be signed."""
    assertion = keynote.parse_assertion(record.assertion, name=record.name)
    authorizer = string(assertion.authorizer.tree, assertion.constants)
    if not isinstance(authorizer, str) or canonical(authorizer) != record.authorizer:
        raise SignatureError("its text has another authorizer than the registry says")
    return assertion


def _over(record: DelegationRecord, why: str) -> SetAside | None:
    """What would allow something still, for denials to tell; it is not among what should count and does not."""
    try:
        assertion = _assertion(record)
    except (PolicyError, SignatureError):
        return None
    return SetAside(assertion.where, why, assertion)


def _place(record: DelegationRecord) -> keynote.Location:
    return keynote.Location(record.name, 1, 1)
