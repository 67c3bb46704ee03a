# SPDX-License-Identifier: ISC
"""A setkey text as a whole: read, and checked for what cannot be carried out here, whichever host this is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ike_auth.manual import associations, flows
from ike_auth.manual.errors import Complaint, Complaints, Refused, in_order
from ike_auth.manual.setkey import parse
from ike_auth.manual.statements import Action, Add, Algorithm, Direction, GetSpi, SpdAdd, Statement
from keynote.locations import Location

# RFC 8221 3: their nonces must never repeat under a key, and a restart with the same key makes that a matter of luck.
COUNTER_MODES = ("aes-gcm-16", "chacha20-poly1305")
LEGACY = {
    "3des-cbc": "64-bit blocks leak after some gigabytes",
    "null": "it encrypts nothing",
    "hmac-md5": "MD5 is broken, if not yet in HMAC",
}


@dataclass(frozen=True, slots=True)
class Program:
    """What may be carried out, in order, and what an operator should know about it."""

    statements: tuple[Statement, ...]
    warnings: tuple[Complaint, ...]

    @property
    def has_keys(self) -> bool:
        return any(isinstance(statement, Add) for statement in self.statements)


def load(text: str, file: str, *, skip_unsupported: bool = False) -> Program:
    """Raises StatementsRefused with everything that is wrong. With `skip_unsupported`, what is right and cannot be
    had here is left out and warned of."""
    complaints = Complaints()
    kept: list[Statement] = []
    for statement in parse(text, file, complaints):
        found = tuple(faults(statement))
        tell = complaints.warn if skip_unsupported else complaints.error
        for fault in found:
            message = f"left out: {fault}" if skip_unsupported else str(fault)
            tell(fault.where or statement.where, message, fault.hint)
        if not found:
            kept.append(statement)
    complaints.raise_errors()
    for where, message, hint in _advice(kept):
        complaints.warn(where, message, hint)
    return Program(tuple(kept), in_order(complaints.warnings))


def faults(statement: Statement) -> Iterator[Refused]:
    """Everything about a statement that cannot be carried out here."""
    match statement:
        case Add():
            yield from associations.faults(statement)
        case SpdAdd():
            try:
                flows.way(statement)
            except Refused as refused:
                yield refused
        case GetSpi():
            yield Refused("`getspi` is not supported", "choose an SPI, and `add` the SA with it")


def advice(statements: Iterable[Statement]) -> tuple[tuple[str, str], ...]:
    """What an operator should know about statements that have no place: messages and hints."""
    return tuple(dict.fromkeys((message, hint) for _, message, hint in _advice(list(statements), alone=True)))


def _advice(statements: list[Statement], *, alone: bool = False) -> Iterator[tuple[Location, str, str]]:
    adds = [statement for statement in statements if isinstance(statement, Add)]
    unprotected = [add for add in adds if not add.extensions.replay_window]
    if unprotected:
        count = f"{len(unprotected)} SAs" if len(unprotected) > 1 else "an SA"
        hint = "whoever records packets can send them again"
        if not alone:  # ipsecadm(8) has no option for it
            hint += "; `-r 64` turns it on until either end restarts"
        yield unprotected[0].where, f"replay protection is off for {count}, as manual keys have it", hint
    for add in adds:
        if add.extensions.replay_window:
            hint = "its counter starts again, and the other end takes its packets for old ones"
            yield add.where, "with `-r`, traffic stops when the sender of this SA restarts", hint
        for algorithm in (add.encryption, add.authentication):
            yield from _advice_on(algorithm)
    if not alone:
        yield from _one_way(statements)


def _advice_on(algorithm: Algorithm | None) -> Iterator[tuple[Location, str, str]]:
    if algorithm is None:
        return
    if algorithm.name in COUNTER_MODES:
        message = f"`{algorithm.name}` must not be used with manual keys (RFC 8221 3)"
        yield algorithm.where, message, "after a restart a nonce may repeat; `aes-cbc` with `hmac-sha256` bears that"
    if algorithm.name in LEGACY:
        yield algorithm.where, f"`{algorithm.name}` is legacy", LEGACY[algorithm.name]


def _one_way(statements: list[Statement]) -> Iterator[tuple[Location, str, str]]:
    policies = [s for s in statements if isinstance(s, SpdAdd) and s.policy.action is Action.IPSEC]
    directions: dict[flows.Way, set[Direction]] = {}
    for spd in policies:
        direction = Direction.OUT if spd.policy.direction is Direction.OUT else Direction.IN
        directions.setdefault(flows.way(spd), set()).add(direction)
    for spd in policies:
        if len(directions.pop(flows.way(spd), (1, 2))) == 1:
            message = f"there is no policy for the other direction of `-P {spd.policy.direction}`"
            yield spd.where, message, "this one protects both directions"
