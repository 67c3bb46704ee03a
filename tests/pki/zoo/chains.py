# SPDX-License-Identifier: ISC
"""The good chain of the zoo, root ← Below ← gw.example.org, and how to spoil it: `spoilt(leaf={"not_after": …})`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509

from pki import chain, revocation_lists
from pki.chain import Reason, RevocationCheck, RevocationPolicy, Role, TrustAnchors
from pki.errors import RevocationListInvalid
from tests.pki import factory
from tests.pki.factory import NOW, Issued
from tests.pki.zoo.raw import Rework

Changes = dict[str, Any]  # keyword arguments of the factory
Make = Callable[[], "Chain"]

PATH_LENGTH_0 = x509.BasicConstraints(ca=True, path_length=0)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a peer sends, and what is known here."""

    leaf: bytes
    sent: tuple[bytes, ...]
    anchors: tuple[bytes, ...]
    legacy_anchors: tuple[bytes, ...] = ()
    lists: tuple[bytes, ...] = ()
    staple: bytes = b""
    policy: RevocationPolicy | None = None
    role: Role | None = None
    legacy: bool = False

    def validate(self) -> chain.ValidatedChain:
        """Lists that cannot be read are left out, as whoever has a directory of them would."""
        lists = []
        for data in self.lists:
            try:
                lists.append(revocation_lists.read(data))
            except RevocationListInvalid:
                continue
        revocation = None
        if self.policy is not None:
            staples = (self.staple,) if self.staple else ()
            revocation = RevocationCheck(revocation_lists.RevocationLists(lists), self.policy, staples)
        return chain.validate(
            self.leaf,
            self.sent,
            TrustAnchors(_certificates(self.anchors), legacy=_certificates(self.legacy_anchors)),
            NOW,
            role=self.role,
            revocation=revocation,
            legacy=self.legacy,
        )


def _certificates(ders: Sequence[bytes]) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(der) for der in ders]


@dataclass(frozen=True, slots=True)
class Kind:
    """A chain that differs from the good one in one property.

    `reason` and `word`, which the message has, are why it is refused; None where it is another good one."""

    name: str
    make: Make
    reason: Reason | None = None
    word: str = ""


@dataclass(frozen=True, slots=True)
class Three:
    """The good chain's certificates with their keys, for who wants to issue more."""

    root: Issued
    below: Issued
    leaf: Issued


def three(root: Changes | None = None, below: Changes | None = None, leaf: Changes | None = None) -> Three:
    of_root: Changes = {"subject": "Test CA"} | (root or {})
    top = factory.authority(**of_root)
    of_below: Changes = {"subject": "Below", "key": "below", "constraints": PATH_LENGTH_0} | (below or {})
    between = factory.authority(issuer=top, **of_below)
    of_leaf: Changes = {"identities": ["gw.example.org"]} | (leaf or {})
    return Three(top, between, factory.leaf(between, *of_leaf.pop("identities"), **of_leaf))


def spoilt(
    *,
    root: Changes | None = None,
    below: Changes | None = None,
    leaf: Changes | None = None,
    rework_below: Rework | None = None,
    rework_leaf: Rework | None = None,
    **others: Any,
) -> Make:
    """The good chain with other arguments for one of its certificates, or with one's bytes reworked."""

    def make() -> Chain:
        made = three(root, below, leaf)
        below_der = rework_below(made.below, made.root) if rework_below else made.below.der
        leaf_der = rework_leaf(made.leaf, made.below) if rework_leaf else made.leaf.der
        return replace(Chain(leaf_der, (below_der,), (made.root.der,)), **others)

    return make


def under(*path: Issued, anchors: Sequence[Issued], **others: Any) -> Chain:
    """A chain of these, leaf first."""
    leaf, *sent = path
    return Chain(leaf.der, tuple(one.der for one in sent), tuple(one.der for one in anchors), **others)


def with_extension(extension: x509.ExtensionType, critical: bool = True) -> Changes:
    return {"extensions": [(extension, critical)]}
