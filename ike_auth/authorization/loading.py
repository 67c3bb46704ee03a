# SPDX-License-Identifier: ISC
"""The gate of a configuration: its authorizer by name, its authorities, its registry; and what is unsafe in it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.metadata import entry_points

from ike_auth.authorization.authorizer import Authorizer
from ike_auth.authorization.gate import Gate
from ike_auth.authorization.keynote import KeyNoteAuthorizer, principals_of
from ike_auth.authorization.no_policy import NoPolicy
from ike_auth.authorization.requests import PresharedKey
from ike_auth.authorization.revocations import Revocations
from ike_auth.config.general import AUTHORIZERS
from ike_auth.config.model import Configuration, Peer
from ike_auth.errors import LocalError
from ike_auth.wire.numbers import AuthenticationMethod
from keynote.complaints import Complaint
from pki.chain import ChainCertificate, TrustAnchors


class AuthorizerMissing(LocalError):
    """The configuration names an authorizer that is not installed."""


@dataclass(frozen=True, slots=True)
class StrictnessProblem:
    """Strict rule 3 does not hold: somebody vouches for names, and policy believes any of them."""

    certifier: str
    because: str

    @property
    def complaint(self) -> Complaint:
        return Complaint(
            f"policy does not bind remote_id for {self.certifier}: {self.because}; whoever it vouches for could take"
            " the place of any other",
            hint="test `remote_id` (and `remote_id_type`) in the policy, with `==` or a pattern that ends in a dot or"
            " `@` and your domain, not a mere shape; or set `Strict-Remote-ID= no` in the peer's section to accept"
            " that",
        )

    def __str__(self) -> str:
        return str(self.complaint)


def load_authorizer(configuration: Configuration) -> Authorizer:
    """The one that `[General] Authorizer=` names; nothing else is imported.

    Raises AuthorizerMissing, and what the authorizer itself raises on a bad policy.
    """
    if not configuration.general.use_keynote:
        return NoPolicy()
    name = configuration.general.authorizer
    found = next(iter(entry_points(group=AUTHORIZERS, name=name)), None)
    if found is None:
        installed = ", ".join(sorted(entry.name for entry in entry_points(group=AUTHORIZERS))) or "none"
        raise AuthorizerMissing(
            f"no authorizer `{name}` is installed (`Authorizer=` in [General]; there are: {installed})"
        )
    loaded: Authorizer = found.load()(configuration)
    return loaded


def make_gate(
    configuration: Configuration,
    anchors: TrustAnchors,
    authorizer: Authorizer,
    revocations: Revocations | None = None,
) -> Gate:
    """Raises pki.errors.RegistryError if there is a registry and it cannot be read."""
    if isinstance(authorizer, KeyNoteAuthorizer) and authorizer.delegations is not None:
        # What comes into the registry later is held to strict rule 3 as what was there at the start.
        certifiers = _certifiers(configuration, anchors)
        authorizer.delegations.certifiers = [principals_of(certifier) for _, certifier in certifiers]
    gate = Gate(authorizer, anchors, partial(is_shared, configuration), revocations=revocations or Revocations())
    url = configuration.certificates.registry
    if url is None:
        return gate
    from ike_auth.authorization.recorded import Recorded

    recorded = Recorded.at(url)
    return replace(gate, recorded=recorded, changes=recorded.state)


def is_shared(configuration: Configuration, peer: Peer) -> bool:
    """Whether the peer's pre-shared key proves no single name: others have it, or it is anybody's."""
    if peer.is_default or peer.address is None:
        return True
    if list(configuration.peer_by_address.values()).count(peer.name) > 1:
        return True
    return any(
        other.preshared_key == peer.preshared_key and other.name != peer.name
        for other in configuration.peers.values()
    )


def strictness_problems(
    configuration: Configuration, anchors: TrustAnchors, authorizer: Authorizer, now: datetime
) -> Iterator[StrictnessProblem]:
    """Strict rule 3 for every principal that certifies others: authorities, and keys that several peers share."""
    if not isinstance(authorizer, KeyNoteAuthorizer):
        return
    for who, certifier in _certifiers(configuration, anchors):
        because = authorizer.unbound(certifier, now)
        if because is not None:
            yield StrictnessProblem(who, because)


def _certifiers(
    configuration: Configuration, anchors: TrustAnchors
) -> Iterator[tuple[str, ChainCertificate | PresharedKey]]:
    strict = [peer for peer in configuration.peers.values() if peer.strict_remote_id]
    if any(_uses(peer, AuthenticationMethod.RSA_SIG) for peer in strict):
        for anchor in (*anchors.certificates, *anchors.legacy):
            yield f"the authority `{anchor.subject}`", anchor
    for peer in strict:
        if peer.preshared_key is not None and is_shared(configuration, peer):
            yield f"the shared key of peer `{peer.name}` ({peer.where})", PresharedKey(peer.preshared_key, True)


def _uses(peer: Peer, method: AuthenticationMethod) -> bool:
    return any(transform.authentication in (method, None) for transform in peer.transforms)
