# SPDX-License-Identifier: ISC
"""Delegations by which policy would let in whomever an authority vouches for, under any name: a daemon that reads
them does not start (its strict rule 3). Of policy only what the registry has is known here."""

import datetime
from collections.abc import Iterable, Iterator, Sequence

import keynote
from keynote import binding
from keynote.errors import PolicyError
from keynote.principals import POLICY, UndecodableKey, is_key, key_principal
from pki.delegation_parties import Party
from pki.delegation_records import DelegationRecord, Draft
from pki.records import Record
from pki.registry import Registry


def authority_let_in(registry: Registry, draft: Draft, to: Party, now: datetime.datetime) -> str | None:
    """The principal of an authority below a delegation whose peers it would let in under any name, or None. A name
    that no certificate here bears may be that of an authority which the daemon believes.

    Raises RegistryUnreachable."""
    records = registry.delegations.in_force(now).records
    below = _reached(to.principal, [(it.authorizer, it.licensee) for it in records])
    certifiers = [them for it in registry.authorities() if not below.isdisjoint(them := _principals(it.certificate))]
    if not is_key(to.principal) and not to.records:
        certifiers.append((to.principal,))
    if not certifiers:
        return None
    above = _reached(draft.authorizer, [(it.licensee, it.authorizer) for it in records])
    if POLICY not in above:
        return None  # by what the registry has; whether by the policy file as well, the daemon tells
    mine = keynote.parse_assertion(draft.assertion, name="delegation")
    trusted: list[keynote.Assertion] = [mine]
    signed: list[keynote.Assertion] = []
    for record, assertion in _parsed(it for it in records if it.authorizer in above | below):
        (trusted if record.trusted else signed).append(assertion)
    strangers = binding.Strangers(keynote.Session(trusted, signed).assertions())
    for principals in certifiers:
        answer = strangers.admitted(principals)
        if answer is not None and mine in strangers.by(answer):
            return principals[0]
    return None


def _principals(record: Record) -> tuple[str, ...]:
    try:
        return f"DN:{record.subject}", key_principal(record.certificate.public_key())
    except UndecodableKey:  # of a kind that KeyNote has no principals of
        return (f"DN:{record.subject}",)


def _reached(start: str, steps: Sequence[tuple[str, str]]) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        here = todo.pop()
        new = {after for before, after in steps if before == here} - found
        found |= new
        todo += new
    return found


def _parsed(records: Iterable[DelegationRecord]) -> Iterator[tuple[DelegationRecord, keynote.Assertion]]:
    for record in records:
        try:
            yield record, keynote.parse_assertion(record.assertion, name=record.name)
        except PolicyError:
            continue  # the daemon sets it aside
