# SPDX-License-Identifier: ISC
"""What is handed out over HTTP: by the application alone."""

import asyncio
import base64
import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from cryptography.x509 import ocsp as library
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.errors import PkiError
from pki.ocsp_service import OcspService
from pki.registry import Registry
from pki.responders import Responders
from pki.settings import Settings
from pki.web import server
from pki.web.application import Application, Paths
from tests.pki.factory import NOW
from tests.pki.living import Ca
from tests.pki.test_ocsp import asked

ROOT = Path(__file__).parent.parent.parent
HOUR = datetime.timedelta(hours=1)
POST = {"content-type": "application/ocsp-request"}


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes
    log: dict[str, Any]


class Web:
    """The application, and whoever asks it."""

    def __init__(self, ca: Ca, settings: Settings | None = None) -> None:
        self.ca = ca
        self.now = NOW
        self.lines: list[dict[str, Any]] = []
        reader = Registry.open_read_only(ca.directory.registry_path)
        service = OcspService(reader, Responders(ca.directory, reader))
        paths = Paths.of(settings or Settings(), ca.authority.id)
        self.application = Application(reader, service, paths, lambda: self.now, self._log)

    def _log(self, told: Any) -> None:
        self.lines.append(json.loads(json.dumps(told)))

    def ask(
        self, method: str, path: str, body: bytes | list[bytes] = b"", headers: dict[str, str] | None = None
    ) -> Got:
        pieces = body if isinstance(body, list) else [body]
        messages = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, 1)
        ]
        return asyncio.run(self._ask(method, path, iter(messages), headers or {}))

    async def _ask(self, method: str, path: str, messages: Iterator[dict[str, Any]], headers: dict[str, str]) -> Got:
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("192.0.2.9", 4711),
            "server": ("pki.example.org", 80),
            "scheme": "http",
        }
        sent: list[Any] = []

        async def receive() -> Any:
            message = next(messages, None)
            if message is None:
                await asyncio.sleep(3600)
            return message

        async def send(message: Any) -> None:
            sent.append(message)

        before = len(self.lines)
        await self.application(scope, receive, send)
        start = sent[0]
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        (line,) = self.lines[before:]
        return Got(start["status"], found, b"".join(it.get("body", b"") for it in sent[1:]), line)


@pytest.fixture
def web(ca: Ca) -> Web:
    return Web(ca)


# --- lists and certificates


def test_a_list(web: Web, ca: Ca) -> None:
    assert web.ask("GET", "/crl/1.crl").status == 404
    made = ca.make(NOW)
    got = web.ask("GET", "/crl/1.crl")
    assert (got.status, got.body, got.headers["content-type"]) == (200, made.der, "application/pkix-crl")
    assert got.headers["cache-control"] == "max-age=3600, public, no-transform, must-revalidate"
    assert got.headers["last-modified"] == "Sun, 01 Nov 2026 12:00:00 GMT"
    assert got.log == {
        "at": "2026-11-01T12:00:00.000000Z",
        "client": "192.0.2.9",
        "method": "GET",
        "path": "/crl/1.crl",
        "status": 200,
        "bytes": len(made.der),
        "ms": 0.0,
        "number": 1,
    }
    newer = ca.make(NOW)
    assert web.ask("GET", "/crl/1.crl").body == newer.der


def test_a_list_near_its_end_is_not_kept_for_longer(web: Web, ca: Ca) -> None:
    made = ca.make(NOW)
    web.now = made.next_update - datetime.timedelta(seconds=90)
    assert web.ask("GET", "/crl/1.crl").headers["cache-control"].startswith("max-age=90,")
    web.now = made.next_update + HOUR
    stale = web.ask("GET", "/crl/1.crl")
    assert (stale.status, stale.log["stale"]) == (200, True)  # it still revokes what it lists
    assert stale.headers["cache-control"].startswith("max-age=0,")


def test_what_a_client_has_is_not_sent_again(web: Web, ca: Ca) -> None:
    ca.make(NOW)
    etag = web.ask("GET", "/crl/1.crl").headers["etag"]
    for sent in (etag, f'"x", W/{etag}', "*"):
        again = web.ask("GET", "/crl/1.crl", headers={"if-none-match": sent})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    ca.make(NOW + HOUR)
    assert web.ask("GET", "/crl/1.crl", headers={"if-none-match": etag}).status == 200


def test_a_certificate(web: Web, ca: Ca) -> None:
    got = web.ask("GET", "/ca/1.crt")
    assert (got.status, got.body) == (200, ca.authority.certificate.der)
    assert got.headers["content-type"] == "application/pkix-cert"
    assert web.ask("GET", "/ca/2.crt").status == 404
    head = web.ask("HEAD", "/ca/1.crt")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(got.body)))


def test_what_there_is(web: Web, ca: Ca) -> None:
    ca.make(NOW)
    text = web.ask("GET", "/").body.decode()
    assert "/ca/1.crt  certificate of Example CA\n" in text
    assert "/crl/1.crl  list 1 of Example CA, until 2026-11-08 12:00:00Z\n" in text


def test_the_urls_of_the_settings(ca: Ca) -> None:
    record = ca.issue("gw.example.org")
    made = ca.make(NOW)
    request = base64.b64encode(asked(ca, record)).decode()
    own = Web(ca, Settings("", None, "http://pki.example.org/our.crl", "http://pki.example.org/", "http://p/our.crt"))
    assert own.ask("GET", "/our.crl").body == made.der
    assert own.ask("GET", "/our.crt").body == ca.authority.certificate.der
    assert own.ask("GET", f"/{request}").log["ocsp"] == "good"
    assert own.ask("POST", "/", asked(ca, record), POST).log["ocsp"] == "good"
    assert own.ask("GET", "/").headers["content-type"].startswith("text/plain")
    numbered = Web(
        ca, Settings("", None, "http://p/x/{authority}.crl", "http://p/ocsp/{authority}", "http://p/{authority}.cer")
    )
    assert numbered.ask("GET", "/x/1.crl").body == made.der
    assert numbered.ask("GET", "/x/2.crl").status == 404
    assert numbered.ask("GET", "/1.cer").body == ca.authority.certificate.der
    assert numbered.ask("GET", f"/ocsp/1/{request}").log["ocsp"] == "good"
    assert numbered.ask("POST", "/ocsp/1", asked(ca, record), POST).log["ocsp"] == "good"
    assert numbered.ask("GET", f"/ocsp/{request}").log["ocsp"] == "good"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/crl/x.crl", 404),
        ("GET", "/crl/1.crl/", 404),
        ("GET", "/crl/1234567890.crl", 404),
        ("GET", "/../registry.sqlite", 404),
        ("PUT", "/crl/1.crl", 405),
        ("POST", "/ca/1.crt", 405),
        ("GET", "/ocsp", 405),
        ("PUT", "/ocsp", 405),
        ("POST", "/ocsp/x", 405),
        ("GET", "/ocspx", 404),
        ("POST", "/ocsp", 415),
        ("GET", "/ocsp/" + 4097 * "A", 414),
    ],
)
def test_what_there_is_not(web: Web, method: str, path: str, status: int) -> None:
    assert web.ask(method, path).status == status


def test_a_registry_that_is_gone(web: Web, ca: Ca) -> None:
    ca.directory.registry_path.rename(ca.directory.path / "away")
    got = web.ask("GET", "/crl/1.crl")
    assert (got.status, got.body) == (503, b"the registry cannot be asked\n")
    assert "the registry cannot be used" in got.log["error"]
    tried = web.ask("POST", "/ocsp", asked(ca, ca.authority.certificate), POST)
    assert (tried.status, tried.log["ocsp"]) == (200, "try_later")


# --- OCSP


def test_ocsp_by_post_and_get(web: Web, ca: Ca) -> None:
    record = ca.issue("gw.example.org")
    request = asked(ca, record)
    posted = web.ask("POST", "/ocsp", [request[:10], request[10:]], POST)
    assert (posted.status, posted.headers["content-type"]) == (200, "application/ocsp-response")
    assert posted.headers["cache-control"] == "no-store"
    assert (posted.log["ocsp"], posted.log["serial"]) == ("good", f"{int(record.serial, 16):x}")
    for text in (base64.b64encode(request).decode(), quote(base64.b64encode(request), safe="")):
        got = web.ask("GET", f"/ocsp/{text}")
        assert (got.status, got.body, got.headers["expires"]) == (200, posted.body, "Sun, 01 Nov 2026 13:00:00 GMT")
        assert got.headers["cache-control"] == "max-age=3600, public, no-transform, must-revalidate"
        again = web.ask("GET", f"/ocsp/{text}", headers={"if-none-match": got.headers["etag"]})
        assert (again.status, again.body) == (304, b"")


def test_what_is_no_request_is_answered_as_such(web: Web) -> None:
    for got in (
        web.ask("POST", "/ocsp", b"nothing", POST),
        web.ask("GET", "/ocsp/bm90aGluZw=="),
        web.ask("GET", "/ocsp/!"),
    ):
        assert (got.status, got.log["ocsp"]) == (200, "malformed_request")
        assert got.body == b"\x30\x03\x0a\x01\x01"
        assert got.headers["cache-control"] == "no-store"


def test_more_than_a_request_may_have(web: Web) -> None:
    got = web.ask("POST", "/ocsp", [bytes(9000), bytes(9000)], POST)
    assert (got.status, got.headers["connection"]) == (413, "close")


def test_whoever_does_not_say_what_is_not_waited_for(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pki.web.application._PATIENCE", 0.01)

    async def silent() -> Got:
        first = {"type": "http.request", "body": b"0", "more_body": True}
        return await web._ask("POST", "/ocsp", iter([first]), POST)

    assert asyncio.run(silent()).status == 408


def test_whoever_leaves_is_forgotten(web: Web) -> None:
    async def left() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/ocsp-request")]
        scope = {"type": "http", "method": "POST", "path": "/ocsp", "headers": headers, "query_string": b""}
        await web.application(scope, receive, send)
        return sent

    assert asyncio.run(left()) == []


# Invariant: any path, method and body get an answer and one line in the log, and none of ours is a fault (5xx).
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    st.sampled_from(["/", "/ocsp", "/ocsp/", "/crl/", "/ca/1.crt"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#%"), max_size=60),
    st.binary(max_size=200),
)
def test_hostile_requests(web: Web, method: str, path: str, more: str, body: bytes) -> None:
    got = web.ask(method, path + more, body, POST)
    assert got.status < 500
    if got.headers["content-type"] == "application/ocsp-response":
        library.load_der_ocsp_response(got.body if method != "HEAD" else b"\x30\x03\x0a\x01\x01")


# --- where it listens


@pytest.mark.parametrize(
    ("text", "found"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:0", ("::1", 0)), ("0.0.0.0:80", ("0.0.0.0", 80))],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert server.address(text) == found


@pytest.mark.parametrize(
    "text", ["", "8080", "localhost:8080", "::1:80", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(PkiError, match="is no address and port"):
        server.address(text)


def test_a_port_that_is_taken() -> None:
    with server.bound("127.0.0.1", 0) as taken:
        with pytest.raises(PkiError, match=r"cannot listen on 127\.0\.0\.1 port"):
            server.bound("127.0.0.1", taken.getsockname()[1])
        assert server.url(taken) == f"http://127.0.0.1:{taken.getsockname()[1]}/"
