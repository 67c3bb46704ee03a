# SPDX-License-Identifier: ISC
"""The KeyNote authorizer: isakmpd.policy(5) decides, in both phases.

A peer's certificates become assertions, key to key and name to name, for the links of its validated chain only and
for the queries of its own SA only. A pre-shared key is a principal in three forms.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from hashlib import md5, sha1
from itertools import pairwise
from typing import TYPE_CHECKING

import keynote
from ike_auth.authorization import attributes
from ike_auth.authorization.requests import (
    Decision,
    IdentityRequest,
    PresharedKey,
    Proof,
    TunnelRequest,
)
from ike_auth.authorization.strict import Refused
from ike_auth.config.model import Configuration
from ike_auth.config.policy import check_registry, load_policy
from ike_auth.crypto.secrets import Secret
from ike_auth.values import value
from ike_auth.wire.identities import Identity
from keynote import binding
from keynote.recorded import Recorded
from pki.chain import ChainCertificate
from pki.errors import PkiError

if TYPE_CHECKING:
    from ike_auth.authorization.delegations import RegistryDelegations

VALUES = ("false", "true")
_CACHED_CHAINS = 64  # some 5 kB each; one is asked for twice within a handshake, and again at a rekey
_DETAILS = 8  # reasons kept beside the first


class KeyNoteAuthorizer:
    """Decides by the assertions of a session, and those that the peer's certificates make."""

    def __init__(self, session: keynote.Session, delegations: "RegistryDelegations | None" = None) -> None:
        self.delegations = delegations
        self._session = session
        self._asked: datetime | None = None
        self._delegated: Mapping[keynote.Assertion, bool] = {}  # whether it is believed for its signature
        self._with_chain = lru_cache(_CACHED_CHAINS)(self._extended)
        self._for_strangers: tuple[keynote.Session, binding.Strangers] | None = None

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> "KeyNoteAuthorizer":
        """With the policy in its `Policy-file`, and where `Delegations` says so what the registry adds, from the
        first `refresh` on. Raises ConfigError, keynote.PolicyError, and pki.errors.RegistryError."""
        general, url = configuration.general, configuration.certificates.registry
        session = keynote.Session(load_policy(general.policy_file))
        if general.delegations == "no" or url is None:
            return cls(session)
        from ike_auth.authorization.delegations import RegistryDelegations

        signed_only = general.delegations == "signed"
        if not signed_only:
            check_registry(url)
        return cls(session, RegistryDelegations.at(url, session, signed_only=signed_only))

    def refresh(self, now: datetime) -> None:
        """What the registry says now. Once for all questions of one moment. Raises pki.errors.RegistryError."""
        if self.delegations is None or now == self._asked:
            return
        loaded = self.delegations.loaded(now)
        if loaded.session is not self._session:
            self._session = loaded.session
            self._delegated = {**dict.fromkeys(loaded.trusted, False), **dict.fromkeys(loaded.signed, True)}
            self._with_chain.cache_clear()
        self._asked = now

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        """The interval query: could any tunnel be allowed to this identity?"""
        self._refresh(now)
        known = attributes.phase1(request, now)
        asked = self._question(request.proof, known, keynote.Unknown.except_(known))
        answer = asked.answer()
        return _decision(asked, answer, allowed=answer.highest != VALUES[0])

    def binds(self, request: IdentityRequest, now: datetime) -> bool:
        self._refresh(now)
        known = attributes.phase1(request, now)
        if isinstance(request.proof, PresharedKey):
            return self._strangers().admitted(passphrase_principals(request.proof.key), known) is None
        _, principals, made = self._with_chain(request.proof.chain.certificates)
        return self._strangers().extended(made).admitted(principals, known) is None

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        self._refresh(now)
        asked = self._question(request.identity.proof, attributes.phase2(request, now))
        answer = asked.answer()
        return _decision(asked, answer, allowed=answer.value != VALUES[0])

    def unbound(self, certifier: ChainCertificate | PresharedKey, now: datetime) -> str | None:
        """Strict rule 3: where policy lets in whoever this principal vouches for, under any name; None if nowhere."""
        return self.unbound_principals(principals_of(certifier))

    def unbound_principals(self, principals: Sequence[str]) -> str | None:
        """The same for principals who request together."""
        answer = self._strangers().admitted(principals)
        return None if answer is None else answer.because

    def _strangers(self) -> binding.Strangers:
        """The policy as it is for those whom it does not mean."""
        if self._for_strangers is None or self._for_strangers[0] is not self._session:
            self._for_strangers = self._session, binding.Strangers(self._session.assertions())
        return self._for_strangers[1]

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

    def _refresh(self, now: datetime) -> None:
        """Raises Refused: what was revoked meanwhile, nobody knows."""
        try:
            self.refresh(now)
        except PkiError as error:
            raise Refused(f"the delegations of the registry cannot be read: {error}") from None

    def _question(
        self, proof: Proof, action: dict[str, str], unknown: frozenset[str] | keynote.Unknown = frozenset()
    ) -> "_Question":
        if isinstance(proof, PresharedKey):
            principals = passphrase_principals(proof.key)
            return _Question(self._session, action, principals, unknown, (), self._delegated)
        session, principals, made = self._with_chain(proof.chain.certificates)
        return _Question(session, action, principals, unknown, made, self._delegated)

    def _extended(
        self, chain: tuple[ChainCertificate, ...]
    ) -> tuple[keynote.Session, tuple[str, ...], tuple[keynote.Assertion, ...]]:
        """The session that has the chain's links too, the principals of its leaf, and the assertions of its links."""
        made = []
        for subject, issuer in pairwise(chain):
            if subject.self_issued:
                continue
            window = _validity(subject)
            name = f"certificate of {subject.subject}"
            issuers, subjects = certificate_principals(issuer), certificate_principals(subject)
            # Names first: a key of a kind that KeyNote does not know is no principal.
            links = zip(reversed(issuers), reversed(subjects), strict=False)
            made += [keynote.trusted(by, to, window, name=name) for by, to in links]
        return self._session.extended(made), certificate_principals(chain[0]), tuple(made)


@value
class _Question:
    """A query before it is put; `made` are the assertions of a peer's certificates, which the session has, and
    `delegated` those of the registry."""

    session: keynote.Session
    action: dict[str, str]
    principals: tuple[str, ...]
    unknown: frozenset[str] | keynote.Unknown
    made: tuple[keynote.Assertion, ...]
    delegated: Mapping[keynote.Assertion, bool]

    def __repr__(self) -> str:
        return "<question>"  # its principals may be passphrases

    def answer(self) -> keynote.Decision:
        return self.session.query(self.action, self.principals, VALUES, self.unknown)

    def recorded(self, answer: keynote.Decision, because: str) -> Recorded:
        # Of those of the registry what it rests on, lest a record is as long as the registry.
        used = [step.assertion for step in answer.path if step.assertion in self.delegated] if self.delegated else []
        trusted = (*self.made, *(assertion for assertion in used if not self.delegated[assertion]))
        signed = tuple(assertion for assertion in used if self.delegated[assertion])
        return Recorded(self.action, self.principals, str(answer), because, VALUES, self.unknown, trusted, signed)


def passphrase_principals(key: Secret) -> tuple[str, ...]:
    """The three forms in which a policy may name a pre-shared key (KeyNote as isakmpd has it)."""
    text = key.reveal()
    return (
        f"passphrase:{text.decode('latin-1')}",
        f"passphrase-md5-hex:{md5(text, usedforsecurity=False).hexdigest()}",
        f"passphrase-sha1-hex:{sha1(text, usedforsecurity=False).hexdigest()}",
    )


@lru_cache(_CACHED_CHAINS)  # an issuer is met with each of its holders
def certificate_principals(certificate: ChainCertificate) -> tuple[str, ...]:
    """The key and the name."""
    try:
        return keynote.key_principal(certificate.load_public_key()), certificate.principal
    except keynote.UndecodableKey:
        return (certificate.principal,)


def principals_of(certifier: ChainCertificate | PresharedKey) -> tuple[str, ...]:
    """As whom policy knows somebody who vouches for others."""
    if isinstance(certifier, PresharedKey):
        return passphrase_principals(certifier.key)
    return certificate_principals(certifier)


def _validity(certificate: ChainCertificate) -> str:
    form = "%Y%m%d%H%M%S"
    low, high = certificate.not_before.strftime(form), certificate.not_after.strftime(form)
    return f'GMTTimeOfDay >= "{low}" && GMTTimeOfDay <= "{high}"'


def _decision(asked: _Question, answer: keynote.Decision, allowed: bool) -> Decision:
    because = answer.because
    details = () if allowed else tuple(map(str, answer.reasons[:_DETAILS]))
    return Decision(allowed, answer.highest, because, details, partial(asked.recorded, answer, because))
