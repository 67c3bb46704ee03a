# SPDX-License-Identifier: ISC
"""The ASGI application.

    /crl/<authority's number>.crl   its newest list, DER (RFC 5280 4.2.1.13; application/pkix-crl, RFC 2585)
    /ca/<authority's number>.crt    its certificate, DER (application/pkix-cert)
    /ocsp                           OCSP by GET and POST (RFC 6960 appendix A), for all authorities
    /                               what there is, as text

and the same where ca.toml has it: the paths of `crl_url`, `issuer_url`, `ocsp_url`. It reads the registry and writes
nothing; who may read it learns what is revoked, so does everybody here.
"""

import base64
import binascii
import datetime
import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pki import ocsp
from pki.errors import RegistryError
from pki.ocsp_service import Answer, OcspService
from pki.records import AuthorityRecord
from pki.registry import Registry
from pki.settings import Settings

Clock = Callable[[], datetime.datetime]
Log = Callable[[Mapping[str, object]], None]

OCSP_REQUEST: Final = "application/ocsp-request"
OCSP_RESPONSE: Final = "application/ocsp-response"
PKIX_CRL: Final = "application/pkix-crl"
PKIX_CERT: Final = "application/pkix-cert"

# A list that follows a revocation had better not wait in caches for the end of the one before.
_FRESH_MAX: Final = datetime.timedelta(hours=1)
_PATIENCE: Final = 10  # seconds for the body of a request
_GET_MAX: Final = 4096  # characters; RFC 5019 5 has clients send 255 at most this way
_LIST: Final = re.compile(r"/crl/([0-9]{1,9})\.crl")
_CERTIFICATE: Final = re.compile(r"/ca/([0-9]{1,9})\.crt")
_OCSP: Final = re.compile("/ocsp")
_AUTHORITY: Final = "{authority}"


@dataclass(frozen=True, slots=True)
class Paths:
    """How the paths look that there are here, and in the URLs of ca.toml. `issuing` is the number of the authority
    that those without a number are of."""

    lists: tuple[re.Pattern[str], ...] = (_LIST,)
    certificates: tuple[re.Pattern[str], ...] = (_CERTIFICATE,)
    ocsp: tuple[re.Pattern[str], ...] = (_OCSP,)  # what a request follows, or nothing
    issuing: int | None = None

    @classmethod
    def of(cls, settings: Settings, issuing: int | None) -> "Paths":
        return cls(
            (*_patterns(settings.crl_url), _LIST),
            (*_patterns(settings.issuer_url), _CERTIFICATE),
            (*_patterns(settings.ocsp_url), _OCSP),
            issuing,
        )

    def number(self, patterns: tuple[re.Pattern[str], ...], path: str) -> int | None:
        """The authority that a path is about."""
        for pattern in patterns:
            if match := pattern.fullmatch(path):
                return int(match[1]) if pattern.groups else self.issuing
        return None

    def question(self, path: str) -> int | None:
        """Where the request begins in a path that is OCSP's."""
        for pattern in self.ocsp:
            if (match := pattern.match(path)) and path[match.end() :][:1] in ("", "/"):
                return match.end() + 1
        return None


def _patterns(url: str | None) -> list[re.Pattern[str]]:
    if url is None:
        return []
    path = re.escape(urlsplit(url).path.rstrip("/"))
    return [re.compile(path.replace(re.escape(_AUTHORITY), "([0-9]{1,9})"))]


class Application:
    """Answers requests, and has a line for the log of each."""

    def __init__(self, registry: Registry, service: OcspService, paths: Paths, clock: Clock, log: Log) -> None:
        self._registry = registry
        self._service = service
        self._paths = paths
        self._clock = clock
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        begun = self._clock()
        told: dict[str, object] = {}
        try:
            response = await self._respond(request, begun, told)
        except ClientDisconnect:
            return
        except RegistryError as error:
            told["error"] = str(error)
            response = _refused(503, "the registry cannot be asked")
        if request.method == "HEAD":
            response.body = b""
        self._log(
            {
                "at": f"{begun:%Y-%m-%dT%H:%M:%S.%fZ}",
                "client": request.client.host if request.client is not None else None,
                "method": request.method,
                "path": request.url.path[:_GET_MAX],
                "status": response.status_code,
                "bytes": len(response.body),
                "ms": round((self._clock() - begun).total_seconds() * 1000, 1),
                **told,
            }
        )
        await response(scope, receive, send)

    async def _respond(self, request: Request, now: datetime.datetime, told: dict[str, object]) -> Response:
        path, paths = request.url.path, self._paths
        if (of := paths.number(paths.lists, path)) is not None:
            return await _getting(request, functools.partial(self._list, of, now, told))
        if (of := paths.number(paths.certificates, path)) is not None:
            return await _getting(request, functools.partial(self._certificate, of))
        begin = paths.question(path)
        if path == "/" and request.method != "POST":
            return await _getting(request, functools.partial(self._index, now))
        if begin is None:
            return _refused(404, "nothing is here; / lists what there is")
        if request.method == "POST" and len(path) <= begin:
            return await self._posted(request, now, told)
        if request.method in ("GET", "HEAD") and len(path) > begin:
            return await self._asked(request, begin, now, told)
        return _refused(405, "ask by POST, or by GET with the request in the path", {"allow": "GET, HEAD, POST"})

    # -- lists and certificates

    def _list(self, number: int, now: datetime.datetime, told: dict[str, object]) -> Response:
        made = self._registry.crls.newest(number)
        if made is None:
            return _refused(404, "this authority has no list")
        told["number"] = made.number
        if now > made.next_update:
            told["stale"] = True
        fresh = max(datetime.timedelta(), min(made.next_update - now, _FRESH_MAX))
        return _body(made.der, PKIX_CRL, fresh, made.this_update)

    def _certificate(self, number: int) -> Response:
        authority = self._authorities().get(number)
        if authority is None:
            return _refused(404, "there is no such authority")
        return _body(authority.certificate.der, PKIX_CERT, _FRESH_MAX, authority.certificate.issued_at)

    def _authorities(self) -> Mapping[int, AuthorityRecord]:
        return {it.id: it for it in self._registry.authorities()}

    def _index(self, now: datetime.datetime) -> Response:
        lines = ["/ocsp  OCSP by GET and POST"]
        for number, authority in self._authorities().items():
            lines.append(f"/ca/{number}.crt  certificate of {authority.name}")
            if (made := self._registry.crls.newest(number)) is not None:
                stale = ", stale" if now > made.next_update else ""
                until = f"{made.next_update:%Y-%m-%d %H:%M:%SZ}"
                lines.append(f"/crl/{number}.crl  list {made.number} of {authority.name}, until {until}{stale}")
        return Response("\n".join(lines) + "\n", media_type="text/plain")

    # -- OCSP

    async def _posted(self, request: Request, now: datetime.datetime, told: dict[str, object]) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != OCSP_REQUEST:
            return _refused(415, f"send {OCSP_REQUEST}")
        body = bytearray()
        with anyio.move_on_after(_PATIENCE) as scope:
            async for piece in request.stream():
                body += piece
                if len(body) > ocsp.MAX_REQUEST:
                    return _refused(413, f"more than {ocsp.MAX_REQUEST} bytes", {"connection": "close"})
        if scope.cancelled_caught:
            return _refused(408, f"no request within {_PATIENCE} seconds", {"connection": "close"})
        answer = await run_in_threadpool(self._service.answer, bytes(body), now)
        _tell(told, answer)
        return Response(answer.der, media_type=OCSP_RESPONSE, headers={"cache-control": "no-store"})

    async def _asked(self, request: Request, begin: int, now: datetime.datetime, told: dict[str, object]) -> Response:
        # The path as it was sent: Base64 has slashes, which some clients write as %2F.
        raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
        text = raw.partition(b"?")[0][begin:]
        if len(text) > _GET_MAX:
            return _refused(414, f"more than {_GET_MAX} characters: ask by POST")
        try:
            asked = base64.b64decode(unquote_to_bytes(text), validate=True)
        except binascii.Error:
            asked = b""
        answer = await run_in_threadpool(self._service.answer, asked, now)
        _tell(told, answer)
        if answer.this_update is None or answer.next_update is None:
            return Response(answer.der, media_type=OCSP_RESPONSE, headers={"cache-control": "no-store"})
        response = _body(
            answer.der, OCSP_RESPONSE, max(answer.next_update - now, datetime.timedelta()), answer.this_update
        )
        response.headers["expires"] = format_datetime(answer.next_update, usegmt=True)
        return _unless_known(request, response)


def _tell(told: dict[str, object], answer: Answer) -> None:
    told["ocsp"] = answer.status
    if answer.serial is not None:
        told["serial"] = f"{answer.serial:x}"
    if answer.why:
        told["why"] = answer.why


async def _getting(request: Request, make: Callable[[], Response]) -> Response:
    if request.method not in ("GET", "HEAD"):
        return _refused(405, "read only", {"allow": "GET, HEAD"})
    return _unless_known(request, await run_in_threadpool(make))


def _body(data: bytes, media_type: str, fresh: datetime.timedelta, modified: datetime.datetime) -> Response:
    """RFC 5019 6.2: how long caches may keep it."""
    headers = {
        "cache-control": f"max-age={int(fresh.total_seconds())}, public, no-transform, must-revalidate",
        "etag": f'"{hashlib.sha256(data).hexdigest()}"',
        "last-modified": format_datetime(modified.replace(microsecond=0), usegmt=True),
    }
    return Response(data, media_type=media_type, headers=headers)


def _unless_known(request: Request, response: Response) -> Response:
    """304 where the client has it (RFC 9110 13.1.2)."""
    etag = response.headers.get("etag")
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if response.status_code != 200 or etag is None or not {etag, "*"} & known:
        return response
    kept = {name: response.headers[name] for name in ("cache-control", "etag", "last-modified")}
    return Response(status_code=304, headers=kept)


def _refused(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(f"{why}\n", status_code=status, media_type="text/plain", headers=dict(headers or {}))
