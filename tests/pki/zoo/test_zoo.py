# SPDX-License-Identifier: ISC
"""Each chain of the zoo differs from the good one in one property; the kind names the rule that must refuse it."""

from dataclasses import replace

import pytest
from cryptography.x509.verification import VerificationError

from pki import chain_legacy
from pki.chain import ChainError, TrustAnchors
from tests.pki.zoo.authorities import AUTHORITIES
from tests.pki.zoo.chains import Kind
from tests.pki.zoo.constraints import CONSTRAINTS
from tests.pki.zoo.good import GOOD
from tests.pki.zoo.leaves import LEAVES
from tests.pki.zoo.revoked import ANSWERED, REVOCATIONS
from tests.pki.zoo.signatures import LEGACY, LEGACY_GOOD, SIGNATURES

BAD = [*LEAVES, *AUTHORITIES, *CONSTRAINTS, *SIGNATURES, *LEGACY, *REVOCATIONS]
ACCEPTED = [*GOOD, *LEGACY_GOOD, *ANSWERED]
ALL = [*ACCEPTED, *BAD]


def named(kinds: list[Kind]) -> list[object]:
    return [pytest.param(kind, id=kind.name.replace(" ", "-")) for kind in kinds]


@pytest.mark.parametrize("kind", named(ACCEPTED))
def test_accepted(kind: Kind) -> None:
    kind.make().validate()


@pytest.mark.parametrize("kind", named(BAD))
def test_refused(kind: Kind) -> None:
    with pytest.raises(ChainError) as caught:
        kind.make().validate()
    assert caught.value.reason is kind.reason
    assert kind.word in str(caught.value)
    assert str(caught.value).isprintable()


# The library has limits of its own, and the walk has no need of them: it is believed only where something is legacy.
_LIBRARY_ALONE = {"serial number of 22 bytes", "authority with Ed25519"}


@pytest.mark.parametrize("kind", named([kind for kind in ALL if kind.name not in _LIBRARY_ALONE]))
def test_the_walk_decides_like_the_library(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a chain of the zoo a legacy one, so that only our own rules are there, the same would be refused."""

    def no_path(*_: object) -> None:
        raise VerificationError("no library")

    monkeypatch.setattr(TrustAnchors, "path", no_path)
    monkeypatch.setattr(chain_legacy, "needed_for", lambda _: True)
    chain = kind.make()
    if not chain.legacy and ("SHA-1" in kind.name or "root of version 1" in kind.name):
        pytest.skip("good where it is legacy")
    chain = replace(chain, legacy=True)
    if kind.reason is None:
        chain.validate()
        return
    with pytest.raises(ChainError) as caught:
        chain.validate()
    assert caught.value.reason is kind.reason
    assert kind.word in str(caught.value)


def test_no_two_kinds_have_one_name() -> None:
    assert len({kind.name for kind in ALL}) == len(ALL)
