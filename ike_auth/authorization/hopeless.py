# SPDX-License-Identifier: ISC
"""Peers and authorities to which policy can never allow anything: most often a name is misspelt in it.

Asked is whether any tunnel could be allowed, at any time, with everything unknown but the peer's `Remote-ID`, so what
is said here is certain, but for one guess. A policy may license the subject of a certificate directly, and it may not
be issued yet, so any name in it may be somebody whom our authorities certify; but where an authority is not in the
policy, a name that is nearly its own is taken for that, misspelt.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from ike_auth.authorization.authorizer import Authorizer
from ike_auth.authorization.keynote import KeyNoteAuthorizer, certificate_principals, passphrase_principals
from ike_auth.config.errors import Problem
from ike_auth.config.model import Configuration, Peer
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import AuthenticationMethod
from pki.chain import ChainCertificate, TrustAnchors

_CERTIFIED = ("DN:", "rsa-hex:")  # how principals begin that a certificate can make
_NEARLY = 0.85


def hopeless(configuration: Configuration, anchors: TrustAnchors, authorizer: Authorizer) -> Iterator[Problem]:
    """A warning for each peer that is always refused, and for each authority all of whose certificates are, if it is
    not all authorities."""
    if not isinstance(authorizer, KeyNoteAuthorizer):
        return
    policy = f"policy `{configuration.general.policy_file}`"
    authorities = _Authorities(authorizer, anchors.certificates)
    peers = configuration.peers.values()
    for peer in peers:
        because = _why_always_refused(peer, authorizer, authorities)
        if because is not None:
            who = f"{peer.remote_id} of `[{peer.name}]`" if _known_identity(peer) else f"`[{peer.name}]`"
            message = f"{policy} never allows anything to {who}, which is always refused: {because}"
            yield Problem(peer.where, message, authorities.hint if _certified(peer) else "")
    if not any(_certified(peer) and peer.preshared_key is None for peer in peers):
        return
    refused = [(anchor, authorities.why_never([anchor], None)) for anchor in anchors.certificates]
    if all(because is not None for _, because in refused):
        return
    for anchor, because in refused:
        if because is not None:
            message = f"{policy} never allows anything to whomever `{anchor.subject}` certifies: {because}"
            yield Problem(None, message, authorities.hint_for(anchor))


def _why_always_refused(peer: Peer, authorizer: KeyNoteAuthorizer, authorities: "_Authorities") -> str | None:
    """None if the peer might be allowed something, by one of the ways in which it may prove itself."""
    identity = _known_identity(peer)
    because = None
    if peer.preshared_key is not None and _uses(peer, AuthenticationMethod.PRE_SHARED):
        because = authorizer.why_never(passphrase_principals(peer.preshared_key), identity)
        if because is None:
            return None
    if _certified(peer) and authorities.certificates:
        by_certificate = authorities.why_never(authorities.certificates, identity)
        return None if by_certificate is None else because or by_certificate
    return because


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

    def why_never(self, anchors: Iterable[ChainCertificate], identity: Identity | None) -> str | None:
        """Why policy allows nothing to anybody whom these certify; None if it might.

        A chain delegates downwards only, so a peer counts for no more than its authority, any authority between (of
        ours too, unless it is a root), and whatever else policy names, all together."""
        own = [principal for anchor in anchors for principal in self._principals[anchor]]
        because = self._authorizer.why_never(own, identity)
        if because is None:
            return None
        below = [p for anchor, found in self._principals.items() if not anchor.self_issued for p in found]
        everybody = dict.fromkeys([*own, *below, *sorted(self._strangers)])
        return because if self._authorizer.why_never(tuple(everybody), identity) else None


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
