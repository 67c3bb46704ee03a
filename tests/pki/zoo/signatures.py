# SPDX-License-Identifier: ISC
"""Chains whose one fault is a signature, at each level; and what the explicit legacy path lets pass."""

from pki.chain import Reason
from tests.pki import factory
from tests.pki.factory import DAY, NOW
from tests.pki.zoo import raw
from tests.pki.zoo.chains import Chain, Kind, spoilt, three

SHA1 = raw.signed_with(factory.SHA1_WITH_RSA)
MD5 = raw.signed_with(factory.MD5_WITH_RSA)
UNKNOWN = raw.signed_with(factory.UNKNOWN_WITH_RSA)
GW = "gw.example.org"


def version_1_root(
    *, legacy: bool = True, configured: bool = True, rework: raw.Rework | None = None, **leaf: object
) -> Chain:
    """The root is of version 1; `configured` for legacy peers, or only sent along."""
    made = three(leaf=leaf)
    root = raw.version_1(made.root, made.root)
    leaf_der = rework(made.leaf, made.below) if rework else made.leaf.der
    sent = (made.below.der,) if configured else (made.below.der, root)
    return Chain(leaf_der, sent, (), (root,) if configured else (), legacy=legacy)


def version_1_root_as_any() -> Chain:
    made = three()
    return Chain(made.leaf.der, (made.below.der,), (raw.version_1(made.root, made.root),), legacy=True)


SIGNATURES = [
    Kind("leaf altered", spoilt(rework_leaf=raw.unsigned), Reason.BAD_SIGNATURE, GW),
    Kind("authority altered", spoilt(rework_below=raw.unsigned), Reason.BAD_SIGNATURE, "Below"),
    Kind(
        "leaf whose signature has an unused bit", spoilt(rework_leaf=raw.unused_bit), Reason.MALFORMED, "whole bytes"
    ),
    Kind(
        "authority whose signature has an unused bit",
        spoilt(rework_below=raw.unused_bit),
        Reason.UNKNOWN_AUTHORITY,
        "Below",
    ),
    Kind("leaf signed with SHA-1", spoilt(rework_leaf=SHA1), Reason.UNSUPPORTED_ALGORITHM, "sha1"),
    Kind("authority signed with SHA-1", spoilt(rework_below=SHA1), Reason.UNSUPPORTED_ALGORITHM, "sha1"),
    Kind("leaf signed with MD5", spoilt(rework_leaf=MD5), Reason.UNSUPPORTED_ALGORITHM, "md5"),
    Kind("authority signed with MD5", spoilt(rework_below=MD5), Reason.UNSUPPORTED_ALGORITHM, "md5"),
    Kind(
        "leaf signed with an unknown algorithm",
        spoilt(rework_leaf=UNKNOWN),
        Reason.UNSUPPORTED_ALGORITHM,
        "1.2.840.113549.1.1.127",
    ),
    Kind(
        "authority signed with an unknown algorithm",
        spoilt(rework_below=UNKNOWN),
        Reason.UNSUPPORTED_ALGORITHM,
        "1.2.840.113549.1.1.127",
    ),
    Kind(
        "leaf with two algorithms",
        spoilt(rework_leaf=raw.algorithm_inside(factory.SHA384_WITH_RSA)),
        Reason.MALFORMED,
        "algorithm",
    ),
    Kind(
        "authority with two algorithms",
        spoilt(rework_below=raw.algorithm_inside(factory.SHA384_WITH_RSA)),
        Reason.UNKNOWN_AUTHORITY,
        "Below",
    ),
    Kind("root of version 1", lambda: version_1_root(legacy=False), Reason.MALFORMED, "version 1"),
    Kind("root of version 1 among the others", version_1_root_as_any, Reason.MALFORMED, "version 1"),
]

LEGACY_GOOD = [
    Kind("legacy: leaf signed with SHA-1", spoilt(rework_leaf=SHA1, legacy=True)),
    Kind("legacy: authority signed with SHA-1", spoilt(rework_below=SHA1, legacy=True)),
    Kind("legacy: both signed with SHA-1", spoilt(rework_leaf=SHA1, rework_below=SHA1, legacy=True)),
    Kind("legacy: root of version 1", version_1_root),
    Kind("legacy: root of version 1, leaf signed with SHA-1", lambda: version_1_root(rework=SHA1)),
    Kind("legacy: nothing that needs it", spoilt(legacy=True)),
]

LEGACY = [
    Kind("legacy: MD5", spoilt(rework_leaf=MD5, legacy=True), Reason.UNSUPPORTED_ALGORITHM, "md5"),
    Kind("legacy: authority with MD5", spoilt(rework_below=MD5, legacy=True), Reason.UNSUPPORTED_ALGORITHM, "md5"),
    Kind(
        "legacy: authority of version 1",
        spoilt(rework_below=raw.version_1, legacy=True),
        Reason.MALFORMED,
        "version 1",
    ),
    Kind("legacy: leaf of version 1", spoilt(rework_leaf=raw.version_1, legacy=True), Reason.MALFORMED, "version 1"),
    Kind(
        "legacy: root of version 1 that was only sent",
        lambda: version_1_root(configured=False),
        Reason.UNKNOWN_AUTHORITY,
        "Test CA",
    ),
    Kind("legacy: root of version 1, leaf expired", lambda: version_1_root(not_after=NOW - DAY), Reason.EXPIRED, GW),
    Kind(
        "legacy: root of version 1, leaf with its name",
        lambda: version_1_root(subject="Test CA"),
        Reason.AUTHORITY_SUBJECT,
        "Test CA",
    ),
]
