# SPDX-License-Identifier: ISC
"""Answers to OCSP requests, from a registry and by the responders of its authorities.

`good` is only what the registry has issued. Answers without a nonce are kept, until half of their time is over or
anything is done to the registry: what it answers is then looked up anew.
"""

import datetime
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus

from pki import ocsp
from pki.audit import Head
from pki.errors import PkiError, RegistryUnreachable
from pki.ocsp import Question, RequestInvalid, Responder, Standing
from pki.records import serial_text
from pki.registry import Registry

LIFETIME: Final = datetime.timedelta(hours=1)  # of an answer
_KEPT_MAX: Final = 10_000  # answers, of some 500 bytes
_SERIAL_BITS: Final = 160  # RFC 5280 4.1.2.2: 20 octets

_Issuer = tuple[str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and what to tell of it: `status` is that of the certificate, or why there is no answer. It may be
    kept by caches until `next_update`, where there is one."""

    der: bytes = field(repr=False)
    status: str
    serial: int | None = None
    this_update: datetime.datetime | None = None
    next_update: datetime.datetime | None = None
    why: str = ""

    @property
    def is_success(self) -> bool:
        return self.status in _STATUSES


_STATUSES: Final = tuple(status.name.lower() for status in OCSPCertStatus)


@dataclass(frozen=True, slots=True)
class _Known:
    """What holds while the registry's log ends where it did."""

    head: Head
    until: datetime.datetime | None  # a responder's certificate ends
    responders: tuple[Responder, ...]
    by_issuer: Mapping[_Issuer, Responder | int]  # the id of an authority that has no responder here


class OcspService:
    """Answers for one registry. Its methods may be called from several threads."""

    def __init__(
        self,
        registry: Registry,
        responders: Callable[[datetime.datetime], Iterable[Responder]],
        lifetime: datetime.timedelta = LIFETIME,
    ) -> None:
        """`responders` gives those that there are now, the one first that answers for authorities of others; it is
        asked again when something was done to the registry."""
        self._registry = registry
        self._responders = responders
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._kept: OrderedDict[Question, Answer] = OrderedDict()

    def answer(self, request: bytes, now: datetime.datetime) -> Answer:
        """Whatever the bytes are, there is a response. Raises nothing but for faults of ours."""
        now = now.astimezone(datetime.UTC).replace(microsecond=0)
        try:
            question = ocsp.read(request)
        except RequestInvalid as error:
            return _refusal(OCSPResponseStatus.MALFORMED_REQUEST, str(error))
        try:
            with self._lock:
                return self._answer(question, now)
        except RegistryUnreachable as error:
            return _refusal(OCSPResponseStatus.TRY_LATER, str(error), question.serial)
        except PkiError as error:
            return _refusal(OCSPResponseStatus.INTERNAL_ERROR, str(error), question.serial)

    def _answer(self, question: Question, now: datetime.datetime) -> Answer:
        known = self._fresh(now)
        if (kept := self._kept.get(question)) is not None and self._is_young(kept, now):
            self._kept.move_to_end(question)
            return kept
        found = known.by_issuer.get((question.digest, question.name_hash, question.key_hash))
        if isinstance(found, int) or not known.responders:
            return _refusal(
                OCSPResponseStatus.UNAUTHORIZED, "no key that could answer for its authority is here", question.serial
            )
        responder = found or known.responders[0]
        standing = ocsp.UNKNOWN if found is None else self._standing(found.authority_id, question.serial)
        until = min(now + self._lifetime, responder.certificate.not_after)
        made = Answer(
            ocsp.answer(question, standing, responder, now, until),
            standing.status.name.lower(),
            question.serial,
            now,
            until,
        )
        if question.nonce is None:
            self._kept[question] = made
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        return made

    def _fresh(self, now: datetime.datetime) -> _Known:
        head = self._registry.audit.head()
        known = self._known
        if known is None or known.head != head or (known.until is not None and now > known.until):
            self._kept.clear()
            self._known = known = self._look(head, now)
        return known

    def _look(self, head: Head, now: datetime.datetime) -> _Known:
        responders = tuple(self._responders(now))
        by_issuer: dict[_Issuer, Responder | int] = {}
        for authority in self._registry.authorities():
            if not authority.foreign:
                for name in ocsp.issuer_hashes(authority.certificate.read()):
                    by_issuer[name] = authority.id
        for responder in responders:
            for name in ocsp.issuer_hashes(responder.issuer):
                by_issuer[name] = responder
        ends = [it.certificate.not_after for it in responders]
        return _Known(head, min((end for end in ends if end >= now), default=None), responders, by_issuer)

    def _is_young(self, kept: Answer, now: datetime.datetime) -> bool:
        assert kept.this_update is not None
        assert kept.next_update is not None
        return kept.this_update <= now < kept.this_update + (kept.next_update - kept.this_update) / 2

    def _standing(self, authority_id: int, serial: int) -> Standing:
        if not 0 < serial < 1 << _SERIAL_BITS:
            return ocsp.UNKNOWN
        record = self._registry.get(authority_id, serial_text(serial))
        if record is None:
            return ocsp.UNKNOWN
        if record.revoked_at is not None:
            return Standing(OCSPCertStatus.REVOKED, record.revoked_at, record.revocation_reason)
        return ocsp.GOOD


def _refusal(status: OCSPResponseStatus, why: str, serial: int | None = None) -> Answer:
    return Answer(ocsp.refusal(status), status.name.lower(), serial, why=why)
