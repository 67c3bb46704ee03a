# SPDX-License-Identifier: ISC
"""The strict rules about who a peer may say it is. They run in front of every authorizer.

1. The identity must be certified: by a subjectAltName of its type or, for a DN, by the subject, byte for byte; never
   by the common name, and by no subject below an authority whose name constraints permit other names. With a
   pre-shared key: it is the configured Remote-ID, or the packet's source address, or policy tests it. This rule
   cannot be switched off.
2. A configured Remote-ID must match, type and whole value.
3. Policy must bind the name of whomever an authority or a shared key vouches for: checked at start, by `loading`.
"""

from datetime import datetime

from ike_auth.authorization.authorizer import Authorizer
from ike_auth.authorization.requests import CertifiedKey, IdentityRequest
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import IdType
from pki.chain import ValidatedChain

_SAN_KINDS = {
    IdType.FQDN: "FQDN",
    IdType.USER_FQDN: "USER_FQDN",
    IdType.IPV4_ADDR: "IPV4_ADDR",
    IdType.IPV6_ADDR: "IPV6_ADDR",
}


class Refused(Exception):
    """Why the strict rules refuse; the text is the reason."""


def check(request: IdentityRequest, authorizer: Authorizer, now: datetime) -> None:
    """Rules 1 and 2. Raises Refused."""
    if isinstance(request.proof, CertifiedKey):
        _check_certified(request.identity, request.proof.chain)
    else:
        _check_known(request, authorizer, now)
    expected = request.peer.remote_id
    if expected is None or not request.peer.strict_remote_id:
        return
    if expected.normalized() != request.identity:
        raise Refused(
            f"{request.identity} is not the configured Remote-ID, which is {expected} ({request.peer.where})"
        )


def _check_certified(identity: Identity, chain: ValidatedChain) -> None:
    leaf = chain.leaf
    if identity.type == IdType.DER_ASN1_DN:
        if identity.data != leaf.subject_der:
            raise Refused(f"{identity} is not the subject of its certificate, which is `{leaf.subject}`")
        if chain.constrained_by is not None:
            raise Refused(
                f"{identity} is not certified: authority `{chain.constrained_by.subject}` is constrained to other"
                f" kinds of names, of which the certificate bears {', '.join(map(str, leaf.names))}"
            )
        return
    wanted = (_SAN_KINDS.get(identity.type), identity.text)
    if wanted not in leaf.names:
        bears = ", ".join(str(name) for name in leaf.names) or "none"
        raise Refused(f"{identity} is not certified: the certificate of `{leaf.subject}` bears {bears}")


def _check_known(request: IdentityRequest, authorizer: Authorizer, now: datetime) -> None:
    expected = request.peer.remote_id
    if expected is not None and expected.normalized() == request.identity:
        return
    if request.identity.ip_address == request.negotiation.remote:
        return
    if not authorizer.binds(request, now):
        raise Refused(
            f"{request.identity} is proved by a pre-shared key alone, and is neither the configured Remote-ID nor"
            f" the address {request.negotiation.remote}, nor does policy test it"
        )
