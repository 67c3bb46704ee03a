# SPDX-License-Identifier: ISC
"""Messages in pieces: kept by cookies until they are whole, for a while."""

from dataclasses import replace

from ike_auth.engine.core import Core, FragmentsStale
from ike_auth.errors import InvalidCookie, MalformedMessage
from ike_auth.network import Datagram, Now
from ike_auth.sa import Cookies
from ike_auth.wire.fragments import MAX_AGE, Reassembly
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.messages import decode_payloads
from ike_auth.wire.numbers import PayloadType
from ike_auth.wire.payloads import Fragment


def reassemble(core: Core, cookies: Cookies, datagram: Datagram, now: Now) -> Datagram | None:
    """The whole message if this piece completed it, as if it had come in one from where the piece came.

    Raises PeerError for what is no piece, or of cookies that mean nothing here.
    """
    if cookies not in core.sas.ike_sas and core.exchanges.making(cookies) is None:
        raise InvalidCookie(f"fragment with unknown cookies {cookies}")
    payloads = decode_payloads(PayloadType.FRAGMENT, datagram.data[HEADER_SIZE:])
    fragment = payloads[0]
    if len(payloads) != 1 or not isinstance(fragment, Fragment):
        raise MalformedMessage("a fragment with other payloads beside it")
    reassembly, whole = core.fragments.get(cookies, Reassembly()).add(fragment, now.monotonic)
    _keep(core, cookies, reassembly, now)
    if whole is None:
        return None
    if Header.decode(whole).next_payload == PayloadType.FRAGMENT:
        raise MalformedMessage("a fragment of fragments")
    return replace(datagram, data=whole)


def forget(core: Core, cookies: Cookies) -> None:
    """What came of a message may be thrown away."""
    core.fragments.pop(cookies, None)
    core.timers.cancel(FragmentsStale(cookies))


def _keep(core: Core, cookies: Cookies, reassembly: Reassembly, now: Now) -> None:
    if reassembly.sets:
        core.fragments[cookies] = reassembly
        core.timers.set(FragmentsStale(cookies), now.monotonic + MAX_AGE)
    else:
        forget(core, cookies)
