# SPDX-License-Identifier: ISC
"""The daemon's log on stderr: one readable line an event, or one JSON object a line."""

import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

import structlog

from ike_auth import events
from ike_auth.daemon import clock
from ike_auth.daemon.allowance import Allowance
from ike_auth.events import Event
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.suites import describe

_LEVELS: Mapping[type[Event], str] = {
    events.IkeSaUp: "info",
    events.IkeSaDown: "info",
    events.TunnelUp: "info",
    events.TunnelDown: "info",
    events.PeerNotified: "info",
    events.MessageDropped: "debug",
}
# Anybody can cause these, so they must not fill the disk.
_UNPROVED = (events.MessageDropped, events.PeerHint, events.ExchangeFailed)
_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Sink:
    """A stream that may be gone, its disk full or its reader dead: that ends no negotiation."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = msg


class Journal:
    """Where the daemon writes what happens."""

    def __init__(self, *, as_json: bool = False, verbose: bool = False) -> None:
        renderer: structlog.types.Processor = (
            structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
            if as_json
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
        )
        self._as_json = as_json
        self._lowest = _NUMBERS["debug" if verbose else "info"]
        self._allowance = Allowance()
        self._log = structlog.wrap_logger(
            _Sink(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _on_one_line,
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(self._lowest),
        )

    def event(self, event: Event) -> None:
        level = _LEVELS.get(type(event), "warning")
        if isinstance(event, events.MessageDropped) and event.during:
            level = "warning"
        if _NUMBERS[level] < self._lowest:
            return
        if isinstance(event, _UNPROVED) and not self._allowance.take(clock.now().monotonic):
            return
        if left_out := self._allowance.refused():
            self._log.warning(f"{left_out} lines about messages that nobody vouches for were left out")
        fields = {"kind": type(event).__name__, **_fields(event)} if self._as_json else {}
        getattr(self._log, level)(str(event), **fields)

    def info(self, text: str) -> None:
        self._log.info(text)

    def warning(self, text: str) -> None:
        self._log.warning(text)

    def fault(self, error: Exception) -> None:
        """Something in the daemon itself is wrong. Values are left out of the trace: they may be secret."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
        self._log.error(f"internal error, please report it: {type(error).__name__} at {where}")


def _on_one_line(_: object, __: str, entry: structlog.types.EventDict) -> structlog.types.EventDict:
    """What peers call themselves must not look like a line of ours."""
    text = entry["event"]
    if not text.isprintable():
        entry["event"] = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return entry


def _fields(event: Event) -> dict[str, Any]:
    """What machines want to filter by; never a key."""
    match event:
        case events.IkeSaUp(sa):
            return {**_ike(sa), "because": sa.because}
        case events.IkeSaDown(sa, why):
            return {**_ike(sa), "why": why}
        case events.TunnelUp(tunnel):
            return {**_tunnel(tunnel), "because": tunnel.because}
        case events.TunnelDown(tunnel, why):
            return {**_tunnel(tunnel), "why": why}
        case events.PeerRefused(peer, remote, identity, decision):
            return {"peer": peer, "remote": str(remote), "identity": str(identity), "because": decision.because}
        case events.TunnelRefused(requests, decisions):
            first = requests[0]
            return {
                "peer": first.identity.peer.name,
                "identity": str(first.identity.identity),
                "local": str(first.local),
                "remote_selector": str(first.remote),
                "because": [decision.because for decision in decisions],
            }
        case events.ExchangeFailed(what, peer, remote, why, identity):
            who = {} if identity is None else {"identity": str(identity)}
            return {"what": what, "peer": peer, "remote": str(remote), "why": why, **who}
        case events.PeerHint(peer, remote, notify) | events.PeerNotified(peer, remote, notify):
            return {"peer": peer, "remote": str(remote), "notify": notify}
        case events.MessageDropped(remote, counter, why, during):
            return {"remote": str(remote), "reason": counter, "why": why, "during": during}
        case events.LegacyInUse(peer, algorithms):
            return {"peer": peer, "algorithms": list(algorithms)}


def _ike(sa: IkeSa) -> dict[str, Any]:
    return {
        "peer": sa.peer.name,
        "remote": str(sa.remote),
        "identity": str(sa.identity),
        "cookies": str(sa.cookies),
        "suite": str(sa.suite),
        "initiator": sa.initiator,
    }


def _tunnel(tunnel: Tunnel) -> dict[str, Any]:
    return {
        "peer": tunnel.peer,
        "connection": tunnel.connection,
        "identity": str(tunnel.identity),
        "cookies": str(tunnel.cookies),
        "local": str(tunnel.local),
        "remote_selector": str(tunnel.remote),
        "protocols": [describe(sa.parameters) for sa in tunnel.outbound],
        "spis_in": [sa.spi.hex() for sa in tunnel.inbound],
        "spis_out": [sa.spi.hex() for sa in tunnel.outbound],
        "fingerprints": {sa.spi.hex(): sa.fingerprint for sa in tunnel.sas if sa.has_keys},
    }
