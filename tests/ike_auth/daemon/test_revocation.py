# SPDX-License-Identifier: ISC
"""Fetching lists of revocations, and looking now and then whether there is news."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ike_auth.authorization.revocations import Revocations
from ike_auth.daemon import revocation
from ike_auth.daemon.logs import Journal
from ike_auth.daemon.revocation import CannotFetch, Fetcher, Watch, fetch
from pki import chain_certificates
from pki.errors import RegistryUnreachable
from tests.pki import factory
from tests.pki.factory import DAY, NOW
from tests.pki.revocations import altered, revocation_list

CA = factory.authority()
ISSUERS = (chain_certificates.load(CA.der),)
OTHER = factory.authority("Other CA", key="other")
GATEWAY = factory.leaf(CA, "gw.example.org")

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """An HTTP server on the loopback interface that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: request.send_error(404)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign] # who hung up
        self.url = f"http://127.0.0.1:{self._server.server_port}/ca.crl"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def says(self, content: bytes) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.end_headers()
            request.wfile.write(content)

        self.answer = answer

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


class Log(Journal):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str) -> None:
        self.lines.append(f"warning: {text}")


@pytest.fixture
def log() -> Log:
    return Log()


# --- one list


def test_what_is_there(server: Server) -> None:
    server.says(b"x" * 200_000)
    assert fetch(server.url) == b"x" * 200_000


def test_what_is_not_there(server: Server) -> None:
    with pytest.raises(CannotFetch, match="Not Found"):
        fetch(server.url)
    with pytest.raises(CannotFetch, match="refused"):
        fetch("http://127.0.0.1:1/ca.crl")


@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_redirections_lead_to_http_alone(server: Server, elsewhere: str) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", elsewhere)
        request.end_headers()

    server.answer = answer
    with pytest.raises(CannotFetch):
        fetch(server.url)


def test_what_has_no_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "MAX_BYTES", 1000)
    server.says(b"x" * 1001)
    with pytest.raises(CannotFetch, match=r"^more than 1000 bytes"):
        fetch(server.url)


def test_a_server_that_drips(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b"x")
            time.sleep(0.02)

    server.answer = answer
    with pytest.raises(CannotFetch, match=r"^not there within"):
        fetch(server.url, 0.1)


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b""])
def test_what_is_no_http(server: Server, said: bytes) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(said)

    server.answer = answer
    if said.startswith(b"HTTP"):
        assert fetch(server.url) == b""
    else:
        with pytest.raises(CannotFetch):
            fetch(server.url)


# --- which lists are taken


def fetched(fetcher: Fetcher) -> list[int | None]:
    asyncio.run(fetcher.fetch_all())
    return [one.number for one in fetcher.lists.values()]


def test_a_list_that_an_authority_signed_is_taken(server: Server, log: Log) -> None:
    fetcher = Fetcher([server.url], ISSUERS, log)
    server.says(revocation_list(CA, GATEWAY))
    assert fetched(fetcher) == fetched(fetcher) == [5]
    assert log.lines == ["fetched list 5 of `/C=XX/O=Test/CN=Test CA` from 2026-10-31 12:00:00Z: 1 revoked"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (revocation_list(OTHER), "is not signed by an authority that is known here"),
        (altered(revocation_list(CA, number=6)), "is not signed by an authority that is known here"),
        (revocation_list(CA, number=4, this_update=NOW - 2 * DAY), "is older than what was there before"),
        (b"<html>not here</html>", "revocation list cannot be read"),
    ],
)
def test_what_is_not_taken_leaves_the_list_from_before_and_is_told_once(
    server: Server, log: Log, content: bytes, why: str
) -> None:
    fetcher = Fetcher([server.url], ISSUERS, log)
    server.says(revocation_list(CA, GATEWAY))
    fetched(fetcher)
    server.says(content)
    for _ in range(2):
        assert fetched(fetcher) == [5]
    (warning,) = log.lines[1:]
    assert warning.startswith(f"warning: cannot fetch the revocation list at {server.url}: ")
    assert why in warning
    assert warning.endswith("; the one from before still holds")


def test_with_another_configuration_what_was_fetched_stays(server: Server, log: Log) -> None:
    fetcher = Fetcher([server.url], ISSUERS, log)
    server.says(revocation_list(CA))
    fetched(fetcher)
    assert list(fetcher.continued([server.url, "http://other"], ISSUERS).lists) == [server.url]
    assert fetcher.continued(["http://other"], ISSUERS).lists == {}


# --- looking


class Registry:
    state: object = (1, "hash")
    reachable = True

    def __call__(self) -> object:
        if not self.reachable:
            raise RegistryUnreachable("the registry cannot be used")
        return self.state


def test_news_lead_to_a_review(tmp_path: Path, log: Log) -> None:
    registry, reviews = Registry(), list[None]()
    watch = Watch(60, Revocations(tmp_path), Fetcher((), (), log), registry, lambda: reviews.append(None), log)

    def looks() -> int:
        """How many reviews that leads to."""
        before = len(reviews)
        asyncio.run(watch.look())
        return len(reviews) - before

    looks()
    assert looks() == 0
    registry.state = (2, "other")
    assert [looks(), looks()] == [1, 0]
    soon = datetime.now(UTC) + timedelta(days=1)
    (tmp_path / "ca.crl").write_bytes(revocation_list(CA, next_update=soon))
    assert [looks(), looks()] == [1, 0]
    registry.reachable = False
    assert [looks(), looks()] == [0, 0]
    registry.reachable, registry.state = True, (3, "later")
    assert [looks(), looks()] == [1, 0]
    assert log.lines == ["warning: cannot look for revocations: the registry cannot be used"]


def test_what_is_fetched_is_known_at_once(server: Server, log: Log) -> None:
    revocations, reviews = Revocations(), list[None]()
    fetcher = Fetcher([server.url], ISSUERS, log)
    watch = Watch(60, revocations, fetcher, None, lambda: reviews.append(None), log)
    server.says(revocation_list(CA))
    asyncio.run(watch.look())
    assert [one.number for one in revocations.known()] == [5]
    server.says(revocation_list(CA, GATEWAY, number=6, this_update=NOW))
    asyncio.run(watch.look())
    assert [one.number for one in revocations.known()] == [6]
    assert len(reviews) == 2


def test_it_looks_once_where_there_is_no_interval(log: Log) -> None:
    reviews = list[None]()
    asyncio.run(Watch(0, Revocations(), Fetcher((), (), log), None, lambda: reviews.append(None), log).run())
    assert reviews == []
