# SPDX-License-Identifier: ISC
"""Answers the engine's questions about peers: what no authorizer may be lenient about, then the authorizer.

Whatever goes wrong on the way is a denial with its reason: an exception, an unreadable certificate, a registry that
does not answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from traceback import extract_tb

from ike_auth.authorization import strict
from ike_auth.authorization.authorizer import Authorizer
from ike_auth.authorization.requests import (
    AuthorizeTunnel,
    CertifiedKey,
    Decision,
    IdentifyPeer,
    IdentityRequest,
    PeerIdentified,
    PresharedKey,
    TunnelAuthorized,
    TunnelRequest,
)
from ike_auth.authorization.revocations import Revocations
from ike_auth.config.model import Peer
from ike_auth.crypto.legacy import CERTIFICATES
from ike_auth.crypto.secrets import Secret
from pki.chain import ChainCertificate, ChainError, Role, TrustAnchors, ValidatedChain, validate

# Raises `strict.Refused` unless every link of the chain that leads to an authority of ours is recorded and valid.
CheckRecorded = Callable[[tuple[ChainCertificate, ...]], None]


@dataclass(frozen=True, slots=True)
class Gate:
    """`shared` says of a peer whether other peers have its pre-shared key too."""

    authorizer: Authorizer
    anchors: TrustAnchors
    shared: Callable[[Peer], bool]
    recorded: CheckRecorded = lambda _: None
    changes: Callable[[], object] | None = None  # what the registry's answers depend on; raises PkiError
    revocations: Revocations = field(default_factory=Revocations)

    def identify(self, question: IdentifyPeer, now: datetime) -> PeerIdentified:
        """Phase 1: strict rules 1, 2, 5 and the chain, then the authorizer's interval query (rule 4)."""
        try:
            proof, expires = self._proof(question, now)
            request = IdentityRequest(question.peer, question.identity, proof, question.negotiation)
            strict.check(request, self.authorizer, now)
            decision = self.authorizer.identity(request, now)
        except ChainError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return PeerIdentified(_denied(f"{error}{hint}"), doubtful=True)
        except strict.Refused as refused:
            return PeerIdentified(_denied(str(refused)))
        except Exception as error:
            return PeerIdentified(_failed(error))
        return PeerIdentified(decision, request if decision.allowed else None, expires)

    def authorize(self, question: AuthorizeTunnel, now: datetime) -> TunnelAuthorized:
        """Phase 2: the first proposal, in the peer's order, that the authorizer allows."""
        decisions: list[Decision] = []
        for index, request in enumerate(question.requests):
            decisions.append(self._tunnel(request, now))
            if decisions[-1].allowed:
                return TunnelAuthorized(index, tuple(decisions))
        return TunnelAuthorized(None, tuple(decisions))

    def _tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        try:
            return self.authorizer.tunnel(request, now)
        except strict.Refused as refused:
            return _denied(str(refused))
        except Exception as error:
            return _failed(error)

    def _proof(self, question: IdentifyPeer, now: datetime) -> tuple[PresharedKey | CertifiedKey, datetime | None]:
        credential = question.credential
        if isinstance(credential, Secret):
            return PresharedKey(credential, self.shared(question.peer)), None
        peer, sent, revocation = question.peer, question.sent, self.revocations.check()
        if sent.lists or sent.staples:
            revocation = replace(revocation, sent=sent.lists, staples=sent.staples)
        chain: ValidatedChain = validate(
            credential[0],
            credential[1:],
            self.anchors,
            now,
            role=Role.CLIENT if peer.is_default else Role.GATEWAY,
            revocation=revocation,
            legacy=CERTIFICATES in peer.allow_legacy,
        )
        self.recorded(chain.certificates)
        return CertifiedKey(chain, sent), chain.expires


def _denied(because: str) -> Decision:
    return Decision(False, "", because)


def _failed(error: Exception) -> Decision:
    """An authorizer is somebody else's code: what it raises is a denial, and where it raised helps to mend it. The
    text of the exception is left out, for it may hold what it was given."""
    frame = extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return _denied(f"authorization failed: {type(error).__name__} at {where}")
