# SPDX-License-Identifier: ISC
"""Peers and authorities to which policy can never allow anything: most often a name is misspelt in it.

Asked is whether any tunnel could be allowed, at any time, with everything unknown but the peer's `Remote-ID`, so what
is said here is certain, but for one guess. A policy may license the subject of a certificate directly, and it may not
be issued yet, so any name in it may be somebody whom our authorities certify; but where an authority is not in the
policy, a name that is nearly its own is taken for that, misspelt.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

import keynote
from ike_auth.authorization.authorizer import Authorizer
from ike_auth.authorization.keynote import KeyNoteAuthorizer, certificate_principals, passphrase_principals
from ike_auth.config.errors import Problem
from ike_auth.config.model import Configuration, Peer
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import AuthenticationMethod
from pki.chain import ChainCertificate, TrustAnchors

# How principals begin that a certificate can make.
_CERTIFIED = ("DN:", "rsa-hex:", "dsa-hex:", "ec-hex:", "ed25519-hex:")
_NEARLY = 0.85
_MOST_REASONS = 20  # they take longer than the queries, and a thousand peers are seldom wrong for as many reasons


def hopeless(configuration: Configuration, anchors: TrustAnchors, authorizer: Authorizer) -> Iterator[Problem]:
    """A warning for each peer that is always refused, and for each authority all of whose certificates are, if it is
    not all authorities."""
    if not isinstance(authorizer, KeyNoteAuthorizer):
        return
    policy = f"policy `{configuration.general.policy_file}`"
    authorities = _Authorities(authorizer, anchors.certificates)
    peers = configuration.peers.values()
    explained = 0
    for peer in peers:
        prospect = _prospect(peer, authorizer, authorities)
        if prospect is None or prospect.possible:
            continue
        who = f"{peer.remote_id} of `[{peer.name}]`" if _known_identity(peer) else f"`[{peer.name}]`"
        because = f": {prospect.because}" if explained < _MOST_REASONS else ""
        explained += 1
        message = f"{policy} never allows anything to {who}, which is always refused{because}"
        yield Problem(peer.where, message, authorities.hint if _certified(peer) else "")
    if not any(_certified(peer) and peer.preshared_key is None for peer in peers):
        return
    prospects = [(anchor, authorities.prospect([anchor], None)) for anchor in anchors.certificates]
    if not any(prospect.possible for _, prospect in prospects):
        return
    for anchor, prospect in prospects:
        if not prospect.possible:
            whom = f"whomever `{anchor.subject}` certifies"
            message = f"{policy} never allows anything to {whom}: {prospect.because}"
            yield Problem(None, message, authorities.hint_for(anchor))


def _prospect(peer: Peer, authorizer: KeyNoteAuthorizer, authorities: "_Authorities") -> keynote.Decision | None:
    """By the way in which the peer may prove itself, or the better of two; None if it has none."""
    identity = _known_identity(peer)
    by_key = None
    if peer.preshared_key is not None and _uses(peer, AuthenticationMethod.PRE_SHARED):
        by_key = authorizer.prospect(passphrase_principals(peer.preshared_key), identity)
        if by_key.possible:
            return by_key
    if _certified(peer) and authorities.certificates:
        by_certificate = authorities.prospect(authorities.certificates, identity)
        return by_certificate if by_key is None or by_certificate.possible else by_key
    return by_key


class _Authorities:
    """Our authorities as policy sees them."""

    def __init__(self, authorizer: KeyNoteAuthorizer, certificates: Sequence[ChainCertificate]) -> None:
        self.certificates = certificates
        self._authorizer = authorizer
        self._principals = {anchor: certificate_principals(anchor) for anchor in certificates}
        named = {name for name in authorizer.licensees() if name.startswith(_CERTIFIED)}
        strangers = named - {principal for found in self._principals.values() for principal in found}
        self._misspelt = {
            anchor: misspelt
            for anchor, principals in self._principals.items()
            if named.isdisjoint(principals)
            and (misspelt := sorted(name for name in strangers if _resemble(name, anchor.principal)))
        }
        self._strangers = strangers.difference(*self._misspelt.values())

    @property
    def hint(self) -> str:
        return "; ".join(filter(None, map(self.hint_for, self.certificates)))

    def hint_for(self, anchor: ChainCertificate) -> str:
        names = self._misspelt.get(anchor, [])
        return f"`{names[0]}` in it is no authority of ours; did you mean `{anchor.principal}`?" if names else ""

    def prospect(self, anchors: Iterable[ChainCertificate], identity: Identity | None) -> keynote.Decision:
        """Whether policy might allow something to somebody whom these certify, and else why not.

        A chain delegates downwards only, so a peer counts for no more than its authority, any authority between (of
        ours too, unless it is a root), and whatever else policy names, all together."""
        own = [principal for anchor in anchors for principal in self._principals[anchor]]
        alone = self._authorizer.prospect(own, identity)
        if alone.possible:
            return alone
        below = [p for anchor, found in self._principals.items() if not anchor.self_issued for p in found]
        together = self._authorizer.prospect(tuple({*own, *below, *self._strangers}), identity)
        return together if together.possible else alone


def _known_identity(peer: Peer) -> Identity | None:
    """Who the peer has to be; None where policy alone says."""
    return peer.remote_id.normalized() if peer.remote_id is not None and peer.strict_remote_id else None


def _certified(peer: Peer) -> bool:
    return _uses(peer, AuthenticationMethod.RSA_SIG)


def _uses(peer: Peer, method: AuthenticationMethod) -> bool:
    return any(transform.authentication in (method, None) for transform in peer.transforms)


def _resemble(principal: str, authority: str) -> bool:
    """Whether two `DN:` principals are nearly one: letters mistaken, or parts left out or in another order."""
    one, other = principal.casefold().split("/")[1:], authority.casefold().split("/")[1:]
    common = set(one) & set(other)
    if len(common) == min(len(one), len(other)) and any(part.startswith("cn=") for part in common):
        return True
    return len(one) == len(other) and all(map(_parts_resemble, one, other))


def _parts_resemble(one: str, other: str) -> bool:
    (kind, _, value), (other_kind, _, other_value) = one.partition("="), other.partition("=")
    return kind == other_kind and SequenceMatcher(None, value, other_value).ratio() >= _NEARLY
