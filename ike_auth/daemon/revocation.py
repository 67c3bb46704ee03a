# SPDX-License-Identifier: ISC
"""Looking now and then at what was revoked: lists are fetched, and what is up by a revoked certificate goes.

A handshake asks for itself (`authorization.gate`); here it is about what is up already. Everything is asked about
again where anything known has changed: a list of revocations, its freshness, or the registry.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from http.client import HTTPException
from threading import Thread
from time import monotonic
from typing import TypeVar
from urllib.error import URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
)

from ike_auth.authorization.revocations import Revocations
from ike_auth.daemon import clock
from ike_auth.daemon.logs import Journal
from pki import revocation_lists
from pki.chain_certificates import ReadCertificate
from pki.errors import PkiError, RevocationListInvalid
from pki.revocation_lists import MAX_BYTES, RevocationList

_SECONDS = 20.0  # for one list, from connecting to its last byte
_CHUNK = 1 << 16

T = TypeVar("T")
V = TypeVar("V")
State = Callable[[], object]  # of the registry; raises PkiError


class CannotFetch(Exception):
    """Why, without the URL."""


def fetch(url: str, seconds: float = _SECONDS) -> bytes:
    """What is at an http or https URL, of at most MAX_BYTES. Raises CannotFetch."""
    deadline = monotonic() + seconds
    opener = OpenerDirector()  # no proxy from the environment, no file: and no ftp:, not by a redirection either
    for handler in (HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor, HTTPRedirectHandler):
        opener.add_handler(handler())
    data = bytearray()
    try:
        with opener.open(url, timeout=seconds) as response:
            while chunk := response.read1(_CHUNK):
                data += chunk
                if len(data) > MAX_BYTES:
                    raise CannotFetch(f"more than {MAX_BYTES} bytes")
                if monotonic() > deadline:
                    raise CannotFetch(f"not there within {seconds:.0f} s")
    except URLError as error:
        raise CannotFetch(str(error.reason)) from None
    except (OSError, ValueError, HTTPException) as error:
        raise CannotFetch(str(error) or type(error).__name__) from None
    return bytes(data)


class Fetcher:
    """The lists at some URLs. A list is taken if an authority that is known here has signed it and it is not older
    than what was there before: who can answer in the place of the server cannot take a revocation back."""

    def __init__(self, urls: Sequence[str], issuers: Sequence[ReadCertificate], journal: Journal) -> None:
        self.lists: dict[str, RevocationList] = {}
        self._urls = urls
        self._issuers = issuers
        self._journal = journal
        self._failing: dict[str, str] = {}  # why each of them failed last; told when it changes

    def continued(self, urls: Sequence[str], issuers: Sequence[ReadCertificate]) -> "Fetcher":
        """With another configuration, what was fetched kept."""
        fetcher = Fetcher(urls, issuers, self._journal)
        fetcher.lists = {url: one for url, one in self.lists.items() if url in urls}
        return fetcher

    async def fetch_all(self) -> None:
        await asyncio.gather(*map(self._fetch, self._urls))

    async def _fetch(self, url: str) -> None:
        try:
            one = self._checked(url, await _in_thread(partial(fetch, url)))
        except (CannotFetch, RevocationListInvalid) as error:
            if self._failing.get(url) != str(error):
                kept = "; the one from before still holds" if url in self.lists else ""
                self._journal.warning(f"cannot fetch the revocation list at {url}: {error}{kept}")
            self._failing[url] = str(error)
            return
        if self.lists.get(url) != one:
            self._journal.info(f"fetched {one.shown}: {len(one.revoked)} revoked")
        self.lists[url] = one
        self._failing.pop(url, None)

    def _checked(self, url: str, data: bytes) -> RevocationList:
        one = revocation_lists.read(data)
        if not any(_signed_by(one, issuer) for issuer in self._issuers):
            raise CannotFetch(f"{one.shown} is not signed by an authority that is known here")
        before = self.lists.get(url)
        if before is not None and before.folded_issuer == one.folded_issuer and one.this_update < before.this_update:
            raise CannotFetch(f"{one.shown} is older than what was there before")
        return one


class Watch:
    """Looks every `interval` seconds (0: only once, at the start) and has everything reviewed if there is news."""

    def __init__(
        self,
        interval: int,
        revocations: Revocations,
        fetcher: Fetcher,
        registry: State | None,
        review: Callable[[], None],
        journal: Journal,
    ) -> None:
        self._interval = interval
        self._revocations = revocations
        self._fetcher = fetcher
        self._registry = registry
        self._review = review
        self._journal = journal
        self._seen: object = None
        self._unreachable = False

    async def run(self) -> None:
        """Until cancelled. What is up at the beginning was asked about by what is known then."""
        self._seen = self._state()
        while True:
            await self.look()
            if not self._interval:
                return
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        await self._fetcher.fetch_all()
        self._revocations.fetched(self._fetcher.lists)
        state = self._state()
        if state is not None and state != self._seen:
            self._seen = state
            self._review()

    def _state(self) -> object:
        """What the answers depend on; None if that cannot be known. Handshakes are refused then, but what is up was
        authorized, and is not brought down by a database that is being restarted."""
        try:
            state = self._revocations.state(clock.now().utc), self._registry() if self._registry else None
        except PkiError as error:
            if not self._unreachable:
                self._journal.warning(f"cannot look for revocations: {error}")
            self._unreachable = True
            return None
        self._unreachable = False
        return state


async def _in_thread(work: Callable[[], T]) -> T:
    """In a thread that nobody waits for when the process ends: a server may take its time."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(set: Callable[[V], None], value: V) -> None:
        if not done.done():
            set(value)

    def run() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            try:
                loop.call_soon_threadsafe(settle, done.set_result, work())
            except Exception as error:
                loop.call_soon_threadsafe(settle, done.set_exception, error)

    Thread(target=run, daemon=True).start()
    return await done


def _signed_by(one: RevocationList, issuer: ReadCertificate) -> bool:
    return issuer.folded_subject == one.folded_issuer and one.signed_with(issuer.public_key)
