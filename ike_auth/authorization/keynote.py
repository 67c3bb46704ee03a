# SPDX-License-Identifier: ISC
"""The KeyNote authorizer: isakmpd.policy(5) decides, in both phases.

A peer's certificates become assertions, key to key and name to name, for the links of its validated chain only and
for the queries of its own SA only. A pre-shared key is a principal in three forms.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import md5, sha1

import keynote
from ike_auth.authorization import attributes
from ike_auth.authorization.requests import (
    Decision,
    IdentityRequest,
    PresharedKey,
    Proof,
    TunnelRequest,
)
from ike_auth.config.model import Configuration
from ike_auth.config.policy import load_policy
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.identities import Identity
from keynote import binding
from pki.chain import ChainCertificate, ValidatedChain

VALUES = ("false", "true")
_CACHED_CHAINS = 64  # some 5 kB each; one is asked for twice within a handshake, and again at a rekey
_DETAILS = 8  # reasons kept beside the first


class KeyNoteAuthorizer:
    """Decides by the assertions of a session, and those that the peer's certificates make."""

    def __init__(self, session: keynote.Session) -> None:
        self._session = session
        self._with_chain = lru_cache(_CACHED_CHAINS)(self._extended)

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> "KeyNoteAuthorizer":
        """With the policy in its `Policy-file`. Raises ConfigError and keynote.PolicyError."""
        return cls(keynote.Session(load_policy(configuration.general.policy_file)))

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        """The interval query: could any tunnel be allowed to this identity?"""
        known = attributes.phase1(request, now)
        answer = self._query(request.proof, known, unknown=keynote.Unknown.except_(known))
        return _decision(answer, allowed=answer.highest != VALUES[0])

    def binds(self, request: IdentityRequest, now: datetime) -> bool:
        known = attributes.phase1(request, now)
        return not any(self._admits(request.proof, known | name) for name in binding.fresh_identities())

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        answer = self._query(request.identity.proof, attributes.phase2(request, now))
        return _decision(answer, allowed=answer.value != VALUES[0])

    def unbound(self, certifier: ChainCertificate | PresharedKey, now: datetime) -> str | None:
        """Strict rule 3: where policy lets in whoever this principal vouches for, under any name; None if nowhere."""
        answer = binding.unbound(self._session, _principals_of(certifier))
        return None if answer is None else answer.because

    def prospect(self, principals: Sequence[str], identity: Identity | None) -> keynote.Decision:
        """What policy might ever allow these principals together: all is unknown but who they say they are, if that
        is given."""
        action = dict(binding.ACTION)
        if identity is not None:
            action |= attributes.remote_id(identity)
        return self._session.query(action, principals, VALUES, keynote.Unknown.except_(action))

    def licensees(self) -> frozenset[str]:
        """The principals that policy licenses."""
        return self._session.licensees()

    def _admits(self, proof: Proof, known: dict[str, str]) -> bool:
        answer = self._query(proof, known, unknown=keynote.Unknown.except_(known))
        return answer.highest != VALUES[0]

    def _query(
        self, proof: Proof, action: dict[str, str], unknown: "Collection[str] | keynote.Unknown" = ()
    ) -> keynote.Decision:
        if isinstance(proof, PresharedKey):
            return self._session.query(action, passphrase_principals(proof.key), VALUES, unknown)
        session, principals = self._with_chain(proof.chain)
        return session.query(action, principals, VALUES, unknown)

    def _extended(self, chain: ValidatedChain) -> tuple[keynote.Session, tuple[str, ...]]:
        """The session that has the chain's links too, and the principals of its leaf."""
        made = []
        for subject, issuer in zip(chain.certificates, chain.certificates[1:], strict=False):
            if subject.self_issued:
                continue
            window = _validity(subject)
            name = f"certificate of {subject.subject}"
            issuers, subjects = certificate_principals(issuer), certificate_principals(subject)
            # Names first: a key of a kind that KeyNote does not know is no principal.
            links = zip(reversed(issuers), reversed(subjects), strict=False)
            made += [keynote.trusted(by, to, window, name=name) for by, to in links]
        return self._session.extended(made), certificate_principals(chain.leaf)


def passphrase_principals(key: Secret) -> tuple[str, ...]:
    """The three forms in which a policy may name a pre-shared key (KeyNote as isakmpd has it)."""
    text = key.reveal()
    return (
        f"passphrase:{text.decode('latin-1')}",
        f"passphrase-md5-hex:{md5(text, usedforsecurity=False).hexdigest()}",
        f"passphrase-sha1-hex:{sha1(text, usedforsecurity=False).hexdigest()}",
    )


def certificate_principals(certificate: ChainCertificate) -> tuple[str, ...]:
    """The key and the name."""
    try:
        return keynote.key_principal(certificate.load_public_key()), certificate.principal
    except keynote.UndecodableKey:
        return (certificate.principal,)


def _principals_of(certifier: ChainCertificate | PresharedKey) -> tuple[str, ...]:
    if isinstance(certifier, PresharedKey):
        return passphrase_principals(certifier.key)
    return certificate_principals(certifier)


def _validity(certificate: ChainCertificate) -> str:
    form = "%Y%m%d%H%M%S"
    low, high = certificate.not_before.strftime(form), certificate.not_after.strftime(form)
    return f'GMTTimeOfDay >= "{low}" && GMTTimeOfDay <= "{high}"'


def _decision(answer: keynote.Decision, allowed: bool) -> Decision:
    return Decision(allowed, answer.highest, answer.because, tuple(map(str, answer.reasons[:_DETAILS])))
