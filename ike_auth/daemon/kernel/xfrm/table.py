# SPDX-License-Identifier: ISC
"""Which policies the kernel should have, and what has to change for that.

XFRM has one policy for a selector and direction, where we may have several claims to it: a flow and the guard of the
same traffic, flows whose ranges of addresses have a network in common. Flows come before guards, newer claims before
older ones. One policy takes another's place in one step: there is no moment without.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

from ike_auth.daemon.kernel.xfrm.marking import Indices
from ike_auth.daemon.kernel.xfrm.numbers import MessageType
from ike_auth.daemon.kernel.xfrm.policies import Policy
from ike_auth.daemon.kernel.xfrm.structures import Mark, TrafficSelector

Key = tuple[TrafficSelector, int, Mark | None, int | None]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who claims policies; `what` tells one flow, or one guard, from others."""

    guard: bool
    what: Hashable


@dataclass(frozen=True, slots=True)
class Change:
    """NEWPOLICY of one that nobody has, UPDPOLICY and DELPOLICY of one of ours."""

    type: MessageType
    policy: Policy


class PolicyTable:
    def __init__(self) -> None:
        self._claims: dict[Key, dict[Owner, Policy]] = {}
        self._owned: dict[Owner, tuple[Policy, ...]] = {}
        self._there: dict[Key, Policy] = {}
        self._left: set[Key] = set()  # of those that are there, what an earlier life has left
        self._indices = Indices()

    @property
    def there(self) -> tuple[Policy, ...]:
        """What the kernel has of ours."""
        return tuple(self._there.values())

    def adopt(self, policy: Policy) -> None:
        """One that was found. It stays until somebody claims it, or `sweep`."""
        self._indices.keep(policy.index)
        self._there[_key(policy)] = policy
        self._left.add(_key(policy))

    def owned(self, owner: Owner) -> tuple[Policy, ...]:
        return self._owned.get(owner, ())

    def claim(self, owner: Owner, policies: Iterable[Policy]) -> list[Change]:
        """From now on `owner` wants these, and no longer those that it wanted before; it becomes the newest."""
        before = self.owned(owner)
        wanted = tuple(policies)
        self._disown(owner, before)
        for policy in wanted:
            self._claims.setdefault(_key(policy), {})[owner] = policy
        if wanted:
            self._owned[owner] = wanted
        return list(self._changes(dict.fromkeys(_key(policy) for policy in (*wanted, *before))))

    def release(self, owner: Owner) -> list[Change]:
        return self.claim(owner, ())

    def sweep(self) -> list[Change]:
        """Without what was found and nobody has claimed."""
        left, self._left = self._left, set()
        return [Change(MessageType.DELPOLICY, self._there[key]) for key in left if key not in self._claims]

    def done(self, change: Change) -> None:
        """The kernel has carried it out."""
        key = _key(change.policy)
        if change.type == MessageType.DELPOLICY:
            self._there.pop(key, None)
            self._indices.give_back(change.policy.index)
        else:
            self._there[key] = change.policy
        self._left.discard(key)

    def failed(self, change: Change) -> None:
        """The kernel has refused it."""
        if change.type == MessageType.NEWPOLICY:
            self._indices.give_back(change.policy.index)

    def _disown(self, owner: Owner, policies: Iterable[Policy]) -> None:
        self._owned.pop(owner, None)
        for policy in policies:
            claims = self._claims[_key(policy)]
            claims.pop(owner, None)
            if not claims:
                del self._claims[_key(policy)]

    def _changes(self, keys: Iterable[Key]) -> Iterator[Change]:
        """What is new or other comes before what goes."""
        gone: list[Change] = []
        for key in keys:
            there = self._there.get(key)
            best = self._best(key)
            if best is None:
                if there is not None and key not in self._left:
                    gone.append(Change(MessageType.DELPOLICY, there))
            elif there is None:
                index = self._indices.take(best.direction)
                yield Change(MessageType.NEWPOLICY, replace(best, index=index))
            elif there != replace(best, index=there.index):
                yield Change(MessageType.UPDPOLICY, replace(best, index=there.index))
            else:
                self._left.discard(key)
        yield from gone

    def _best(self, key: Key) -> Policy | None:
        claims = self._claims.get(key)
        if not claims:
            return None
        newest_first = reversed(claims.items())
        return min(newest_first, key=lambda claim: claim[0].guard)[1]


def _key(policy: Policy) -> Key:
    return policy.selector, policy.direction, policy.mark, policy.if_id
