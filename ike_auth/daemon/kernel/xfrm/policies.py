# SPDX-License-Identifier: ISC
"""Policies as XFRM has them, and the messages about them: `xfrm_userpolicy_info` and its attributes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

from ike_auth.daemon.kernel.xfrm.numbers import Action, Attribute, PolicyFlag, Share
from ike_auth.daemon.kernel.xfrm.structures import (
    NOTHING_COUNTED,
    UNLIMITED,
    Counted,
    Limits,
    Mark,
    Template,
    TrafficSelector,
    decode_address,
    decode_templates,
    encode_address,
    encode_templates,
    family,
)
from ike_auth.daemon.netlink_messages import attributes, encode_attributes, unpacked
from ike_auth.network import IPAddress

_POLICY = Struct("=56s64s32sIIBBBB4x")
_POLICY_ID = Struct("=56sIB3x")
_MIGRATION = Struct("=16s16s16s16sBB2xIHH")
_NUMBER = Struct("=I")
POLICY_SIZE = _POLICY.size


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to packets: blocked, let through, or sent through the SAs that the templates name, in order.

    Of those that match, that with the lowest `priority` counts. The kernel gives an index if there is none.
    """

    selector: TrafficSelector
    direction: int
    action: int = Action.ALLOW
    priority: int = 0
    index: int = 0
    templates: tuple[Template, ...] = ()
    limits: Limits = UNLIMITED
    counted: Counted = NOTHING_COUNTED
    flags: PolicyFlag = PolicyFlag.NONE
    share: int = Share.ANY
    mark: Mark | None = None
    if_id: int | None = None

    @property
    def id(self) -> PolicyId:
        """What finds this one, and no other that has taken its place."""
        return PolicyId(self.selector, self.direction, self.index, self.mark, self.if_id)

    @classmethod
    def decode(cls, data: bytes) -> Policy:
        """Raises MalformedNetlink."""
        selector, limits, counted, priority, index, direction, action, flags, share = unpacked(_POLICY, data)
        found = dict(attributes(data[POLICY_SIZE:]))
        return cls(
            TrafficSelector.decode(selector),
            direction,
            action,
            priority,
            index,
            decode_templates(found.get(Attribute.TMPL, b"")),
            Limits.decode(limits),
            Counted.decode(counted),
            PolicyFlag(flags),
            share,
            *_mark_and_interface(found),
        )

    def encode(self) -> bytes:
        templates = ((Attribute.TMPL, encode_templates(self.templates)),) if self.templates else ()
        return self.encode_fixed() + encode_attributes((*templates, *_attributes(self.mark, self.if_id)))

    def encode_fixed(self) -> bytes:
        """Without attributes; as setsockopt(2) takes it with IP_XFRM_POLICY."""
        return _POLICY.pack(
            self.selector.encode(),
            self.limits.encode(),
            self.counted.encode(),
            self.priority,
            self.index,
            self.direction,
            self.action,
            self.flags,
            self.share,
        )


@dataclass(frozen=True, slots=True)
class PolicyId:
    """`xfrm_userpolicy_id`: by its index, or without one by its selector."""

    selector: TrafficSelector
    direction: int
    index: int = 0
    mark: Mark | None = None
    if_id: int | None = None

    @classmethod
    def decode(cls, data: bytes) -> PolicyId:
        """Raises MalformedNetlink."""
        selector, index, direction = unpacked(_POLICY_ID, data)
        found = dict(attributes(data[_POLICY_ID.size :]))
        return cls(TrafficSelector.decode(selector), direction, index, *_mark_and_interface(found))

    def encode(self) -> bytes:
        fixed = _POLICY_ID.pack(self.selector.encode(), self.index, self.direction)
        return fixed + encode_attributes(_attributes(self.mark, self.if_id))


@dataclass(frozen=True, slots=True)
class Migration:
    """`xfrm_user_migrate`: the templates and SAs between two addresses are from now on between two others."""

    SIZE = _MIGRATION.size

    old: tuple[IPAddress, IPAddress]  # source, destination
    new: tuple[IPAddress, IPAddress]
    protocol: int
    mode: int
    request: int

    @classmethod
    def decode(cls, data: bytes, position: int = 0) -> Migration:
        """Raises MalformedNetlink."""
        (old_destination, old_source, new_destination, new_source, protocol, mode, request, old_family,
         new_family) = unpacked(_MIGRATION, data, position)  # fmt: skip
        return cls(
            (decode_address(old_source, old_family), decode_address(old_destination, old_family)),
            (decode_address(new_source, new_family), decode_address(new_destination, new_family)),
            protocol,
            mode,
            request,
        )

    def encode(self) -> bytes:
        return _MIGRATION.pack(
            encode_address(self.old[1]),
            encode_address(self.old[0]),
            encode_address(self.new[1]),
            encode_address(self.new[0]),
            self.protocol,
            self.mode,
            self.request,
            family(self.old[0]),
            family(self.new[0]),
        )


def encode_migrate(policy: PolicyId, migrations: Iterable[Migration]) -> bytes:
    """The body of MIGRATE."""
    moved = b"".join(migration.encode() for migration in migrations)
    return policy.encode() + encode_attributes([(Attribute.MIGRATE, moved)])


def _mark_and_interface(found: dict[int, bytes]) -> tuple[Mark | None, int | None]:
    mark, if_id = found.get(Attribute.MARK), found.get(Attribute.IF_ID)
    return (
        None if mark is None else Mark.decode(mark),
        None if if_id is None else int(unpacked(_NUMBER, if_id)[0]),
    )


def _attributes(mark: Mark | None, if_id: int | None) -> Iterable[tuple[int, bytes]]:
    if mark is not None:
        yield Attribute.MARK, mark.encode()
    if if_id is not None:
        yield Attribute.IF_ID, _NUMBER.pack(if_id)
