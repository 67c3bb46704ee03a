# SPDX-License-Identifier: ISC
"""Which payloads may stand in which message.

RFC 2409 5 gives the ladders, RFC 2408 4 and 5 the rules behind them, RFC 3947 3.2 and 5.2 NAT-D and NAT-OA, RFC 4945
3.2.7 certificate requests. Vendor ids may stand anywhere; so may notifications, which tell nothing where they are not
authenticated. Payloads with a number for private use are ignored: they belong to extensions that we did not announce.
Any other number that means nothing here is an error, as RFC 2408 5.3 wants it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from ike_auth.errors import InvalidPayloadType, MalformedMessage, UnexpectedMessage
from ike_auth.wire.identities import Identity
from ike_auth.wire.messages import MAX_PAYLOADS, Message
from ike_auth.wire.payloads import (
    Certificate,
    CertificateRequest,
    Delete,
    Hash,
    KeyExchange,
    NatDiscovery,
    NatOriginalAddress,
    Nonce,
    Notification,
    Payload,
    Signature,
    UnknownPayload,
    VendorId,
)
from ike_auth.wire.proposals import SecurityAssociation

Counts = Mapping[type[Payload], Collection[int]]

ONE: Collection[int] = (1,)
OPTIONAL: Collection[int] = (0, 1)
PAIR: Collection[int] = (0, 2)
ANY: Collection[int] = range(MAX_PAYLOADS + 1)
# RFC 3947 3.2: the destination, and each address that the sender may send from.
NAT_D: Collection[int] = (0, *range(2, 17))

NONCE_SIZES = range(8, 257)  # RFC 2409 5


class Step(StrEnum):
    """The messages of the exchanges, by the number of the message."""

    MAIN_1 = "main mode 1"
    MAIN_2 = "main mode 2"
    MAIN_3 = "main mode 3"
    MAIN_4 = "main mode 4"
    MAIN_5_PSK = "main mode 5, pre-shared key"
    MAIN_6_PSK = "main mode 6, pre-shared key"
    MAIN_5_SIG = "main mode 5, signature"
    MAIN_6_SIG = "main mode 6, signature"
    AGGRESSIVE_1 = "aggressive mode 1"
    AGGRESSIVE_2_PSK = "aggressive mode 2, pre-shared key"
    AGGRESSIVE_3_PSK = "aggressive mode 3, pre-shared key"
    AGGRESSIVE_2_SIG = "aggressive mode 2, signature"
    AGGRESSIVE_3_SIG = "aggressive mode 3, signature"
    QUICK_1 = "quick mode 1"
    QUICK_2 = "quick mode 2"
    QUICK_3 = "quick mode 3"
    INFORMATIONAL = "informational"
    INFORMATIONAL_CLEAR = "informational in the clear"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How many payloads of each kind a message may hold; kinds that are not named may not stand in it.

    `leading` come first, in this order. A rule is equal to itself alone.
    """

    name: str
    counts: Counts
    leading: tuple[type[Payload], ...] = ()


def check(rule: Rule, message: Message) -> None:
    """Raises UnexpectedMessage, InvalidPayloadType or (nonce sizes) MalformedMessage, naming the payload."""
    if not _is_legal(rule, message.kinds):
        _check_each(rule, message.payloads)
    if Nonce in message.kinds:
        size = len(message.one(Nonce).data)
        if size not in NONCE_SIZES:
            raise MalformedMessage(f"{rule.name}: nonce of {size} bytes")


@lru_cache(maxsize=256)
def _is_legal(rule: Rule, kinds: tuple[type[Payload], ...]) -> bool:
    """Whether a message is legal whatever its payloads hold. Peers' messages have a few forms only, so that mostly
    this is known."""
    found = Counter(kinds)
    return (
        kinds[: len(rule.leading)] == rule.leading
        and found.keys() <= rule.counts.keys()
        and all(found[kind] in count for kind, count in rule.counts.items())
    )


def _check_each(rule: Rule, payloads: Sequence[Payload]) -> None:
    """What is wrong with a message, if anything is: numbers for private use are not."""
    counts, leading = rule.counts, rule.leading
    found = dict.fromkeys(counts, 0)
    for place, payload in enumerate(payloads):
        kind = type(payload)
        if place < len(leading) and kind is not leading[place]:
            raise UnexpectedMessage(f"{rule.name}: {payload.kind} where {leading[place].__name__} comes first")
        if kind in found:
            found[kind] += 1
        elif not isinstance(payload, UnknownPayload):
            raise UnexpectedMessage(f"{rule.name}: {payload.kind} may not stand here")
        elif not payload.private:
            raise InvalidPayloadType(f"{rule.name}: payload number {int(payload.kind)}")
    for kind, count in found.items():
        if count not in counts[kind]:
            raise UnexpectedMessage(f"{rule.name}: {count} payloads {kind.__name__}")


_ALWAYS: Counts = {VendorId: ANY, Notification: ANY}
_PHASE_1: Counts = {**_ALWAYS, CertificateRequest: ANY}
_SA: Counts = {SecurityAssociation: ONE}
_KEYS: Counts = {KeyExchange: ONE, Nonce: ONE}
_ID: Counts = {Identity: ONE}
_NAT_D: Counts = {NatDiscovery: NAT_D}
_PSK: Counts = {Hash: ONE}
_SIG: Counts = {Signature: ONE, Certificate: ANY}
_QUICK: Counts = {
    **_ALWAYS,
    Hash: ONE,
    SecurityAssociation: ONE,
    Nonce: ONE,
    KeyExchange: OPTIONAL,
    Identity: PAIR,
    NatOriginalAddress: PAIR,
}
# RFC 2409 5: the SA precedes all other payloads in phase 1; 5.5: in quick mode the hash comes first, then the SA.
_SA_FIRST = (SecurityAssociation,)
_HASH_FIRST = (Hash,)
_HASH_SA_FIRST = (Hash, SecurityAssociation)

_RULES: tuple[tuple[Step, Counts, tuple[type[Payload], ...]], ...] = (
    (Step.MAIN_1, {**_PHASE_1, **_SA}, _SA_FIRST),
    (Step.MAIN_2, {**_PHASE_1, **_SA}, _SA_FIRST),
    (Step.MAIN_3, {**_PHASE_1, **_KEYS, **_NAT_D}, ()),
    (Step.MAIN_4, {**_PHASE_1, **_KEYS, **_NAT_D}, ()),
    (Step.MAIN_5_PSK, {**_PHASE_1, **_ID, **_PSK}, ()),
    (Step.MAIN_6_PSK, {**_PHASE_1, **_ID, **_PSK}, ()),
    (Step.MAIN_5_SIG, {**_PHASE_1, **_ID, **_SIG}, ()),
    (Step.MAIN_6_SIG, {**_PHASE_1, **_ID, **_SIG}, ()),
    (Step.AGGRESSIVE_1, {**_PHASE_1, **_SA, **_KEYS, **_ID}, _SA_FIRST),
    (Step.AGGRESSIVE_2_PSK, {**_PHASE_1, **_SA, **_KEYS, **_ID, **_PSK, **_NAT_D}, _SA_FIRST),
    (Step.AGGRESSIVE_3_PSK, {**_PHASE_1, **_PSK, **_NAT_D}, ()),
    (Step.AGGRESSIVE_2_SIG, {**_PHASE_1, **_SA, **_KEYS, **_ID, **_SIG, **_NAT_D}, _SA_FIRST),
    (Step.AGGRESSIVE_3_SIG, {**_PHASE_1, **_SIG, **_NAT_D}, ()),
    (Step.QUICK_1, _QUICK, _HASH_SA_FIRST),
    (Step.QUICK_2, _QUICK, _HASH_SA_FIRST),
    (Step.QUICK_3, {**_ALWAYS, Hash: ONE}, _HASH_FIRST),
    (Step.INFORMATIONAL, {**_ALWAYS, Hash: ONE, Delete: ANY}, _HASH_FIRST),
    (Step.INFORMATIONAL_CLEAR, {**_ALWAYS, Delete: ANY}, ()),
)

LEGAL: Mapping[Step, Rule] = {step: Rule(step.value, counts, leading) for step, counts, leading in _RULES}
