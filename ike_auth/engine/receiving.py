# SPDX-License-Identifier: ISC
"""A datagram's way: header → exchange, by cookies and message id → the same bytes as before get the same reply →
the version's step → commit."""

from ike_auth.effects import Effect, Report, SendDatagram
from ike_auth.engine import following, fragments, liveness, removal
from ike_auth.engine.commit import commit, new_exchange
from ike_auth.engine.core import Core
from ike_auth.engine.parties import party
from ike_auth.errors import IkeError, InvalidCookie, InvalidMajorVersion, InvalidMessageId, PeerError
from ike_auth.events import ExchangeFailed, MessageDropped, PeerHint, said
from ike_auth.exchange_table import Exchange
from ike_auth.exchanges.steps import Outcome
from ike_auth.exchanges.version import Route, Version
from ike_auth.network import Datagram, Endpoint, IPAddress, Now
from ike_auth.retransmission import digest
from ike_auth.sa import Cookies, IkeSa
from ike_auth.wire.header import NO_COOKIE, Header
from ike_auth.wire.numbers import NotifyType, PayloadType

_FRAGMENT = PayloadType.FRAGMENT
_OF_LOST_SAS = {str(NotifyType.INVALID_COOKIE), str(NotifyType.INVALID_SPI)}


def receive(core: Core, datagram: Datagram, now: Now) -> list[Effect]:
    """Whatever came. Raises IkeError if something is wrong with it; then nothing has happened."""
    header = Header.decode(datagram.data)
    version = core.versions.get(header.version >> 4)
    if version is None:
        return _in_another_version(core, header, datagram)
    header = header.checked()
    cookies = Cookies(header.initiator_cookie, header.responder_cookie)
    if header.next_payload == _FRAGMENT:
        whole = fragments.reassemble(core, cookies, datagram, now)
        return [] if whole is None else receive(core, whole, now)
    take = _WAYS[version.route(header, cookies in core.sas.ike_sas)]
    return take(core, version, header, cookies, datagram, now)


def _in_another_version(core: Core, header: Header, datagram: Datagram) -> list[Effect]:
    """A peer that begins with another version than we are told to speak with it is a mistake in somebody's
    configuration, so it shows."""
    peer = core.configuration.peer_at(datagram.remote.host)
    during = f"IKEv{header.major_version} with {peer.name}" if peer is not None and not peer.is_default else ""
    error = InvalidMajorVersion(f"IKE version {header.major_version} is not spoken here")
    return drop(core, datagram, error, during)


# --- messages of exchanges that make an IKE SA


def _for_ike(
    core: Core, version: Version, header: Header, cookies: Cookies, datagram: Datagram, now: Now
) -> list[Effect]:
    seen = digest(datagram.data)
    exchange = core.exchanges.for_ike(cookies, (datagram.remote, seen))
    if exchange is not None:
        return _advance(core, exchange, header, datagram, seen, now)
    if header.responder_cookie != NO_COOKIE:
        raise InvalidCookie(f"unknown cookies {cookies}")
    if core.exchanges.begun_with(header.initiator_cookie) is not None:
        raise InvalidCookie("our own first message came back")
    peer = core.configuration.peer_at(datagram.remote.host)
    if peer is None:
        raise InvalidCookie(f"no peer is configured for {datagram.remote.host}, and there is no `Default=`")
    local = core.local(datagram.local, datagram.remote, now)
    try:
        outcome = version.advance(version.accept_ike(header, peer), header, datagram.data, local)
    except PeerError as error:
        return _refuse(core, version, header, peer.name, error, datagram)
    _make_room(core, datagram.remote.host)
    first = datagram.remote, seen
    exchange = new_exchange(core, outcome, peer, datagram.local, datagram.remote, None, now, first_message=first)
    return commit(core, exchange, outcome, now, seen)


def _make_room(core: Core, host: IPAddress) -> None:
    """Half-open exchanges have a limit; one more from there has another one go."""
    id = core.exchanges.half_open.first_to_go(host, core.configuration.general.half_open_limit)
    exchange = None if id is None else core.exchanges.get(id)
    if exchange is not None:
        core.counters["half-open exchange dropped"] += 1
        removal.forget(core, exchange)


def _refuse(
    core: Core, version: Version, header: Header, peer: str, error: PeerError, datagram: Datagram
) -> list[Effect]:
    """A first message comes to nothing."""
    core.counters[type(error).__name__] += 1
    told = version.refusal(header, error, core.random)
    sent = () if told is None else (SendDatagram(told, datagram.local, datagram.remote),)
    return [*sent, Report(ExchangeFailed("main mode", peer, datagram.remote, str(error)))]


# --- messages of exchanges under an IKE SA


def _for_child(
    core: Core, version: Version, header: Header, cookies: Cookies, datagram: Datagram, now: Now
) -> list[Effect]:
    exchange = core.exchanges.for_child(cookies, header.message_id)
    if exchange is not None:
        return _advance(core, exchange, header, datagram, digest(datagram.data), now)
    variants = core.sas.variants(cookies)
    if not variants:
        raise InvalidCookie(f"{header.exchange} under an IKE SA that does not exist ({cookies})")
    newest = variants[0]
    _check_ends(datagram, newest.local, newest.remote, port_may_change=newest.nat.remote)
    if core.sas.is_used(cookies, header.message_id):
        raise InvalidMessageId(f"message id {header.message_id:08x} was used before")
    ike, outcome = _first_step(core, version, header, variants, datagram, now)
    core.sas.use(cookies, header.message_id)
    effects = _heard_from(core, ike, datagram, now)
    exchange = new_exchange(
        core, outcome, ike.peer, datagram.local, datagram.remote, ike, now, message_id=header.message_id
    )
    effects += commit(core, exchange, outcome, now, digest(datagram.data))
    if core.sas.is_worn_out(cookies):
        effects += removal.remove_ike(
            core, core.sas.ike_sas[cookies], "it had as many exchanges as it may", tell=True
        )
    return effects


def _first_step(
    core: Core, version: Version, header: Header, variants: tuple[IkeSa, ...], datagram: Datagram, now: Now
) -> tuple[IkeSa, Outcome]:
    """By the variant of the IKE SA that the peer has: the one under which its message makes sense."""
    local = core.local(datagram.local, datagram.remote, now)
    first: PeerError | None = None
    for ike in variants:
        try:
            return ike, version.advance(version.accept_child(header, ike), header, datagram.data, local)
        except PeerError as error:
            first = first or error
    assert first is not None
    raise first


def _heard_from(core: Core, ike: IkeSa, datagram: Datagram, now: Now) -> list[Effect]:
    """The peer has proved that it has exactly this IKE SA. If a NAT has given it another port, we follow."""
    known = core.sas.ike_sas.get(ike.cookies)
    had_variants = core.sas.used(ike.heard_at(datagram.remote, now.monotonic))
    for exchange in core.exchanges.under(ike.cookies) if had_variants else ():
        if exchange.ike is not None and exchange.ike.last_block != ike.last_block:
            removal.forget(core, exchange)  # begun under a variant that the peer does not have
    if known is None or known.remote == datagram.remote:
        return []
    return following.follow(core, party(ike), known.remote, datagram.remote)


# --- both


def _advance(
    core: Core, exchange: Exchange, header: Header, datagram: Datagram, seen: bytes, now: Now
) -> list[Effect]:
    if exchange.ike is None:
        may_change = exchange.state.port_may_change
        _check_ends(datagram, None if may_change else exchange.local, exchange.remote, port_may_change=may_change)
    else:
        _check_ends(datagram, exchange.local, exchange.remote, port_may_change=exchange.ike.nat.remote)
    repeated = exchange.retransmission.reply_to(seen)
    if repeated is not None:
        core.counters["repeated"] += 1
        return [SendDatagram(data, datagram.local, datagram.remote) for data in repeated]
    local = core.local(datagram.local, datagram.remote, now)
    try:
        outcome = exchange.version.advance(exchange.state, header, datagram.data, local)
    except PeerError as error:
        news = removal.remark(exchange, str(error))
        during = f"{exchange.version.name(exchange.state)} with {exchange.peer.name}"
        return drop(core, datagram, error, during if news else "")
    effects = [] if exchange.ike is None else _heard_from(core, exchange.ike, datagram, now)
    return effects + commit(core, exchange, outcome, now, seen, (datagram.local, datagram.remote))


def _check_ends(datagram: Datagram, local: Endpoint | None, remote: Endpoint, *, port_may_change: bool) -> None:
    """What policy allows, it allows to an address, and who copies a message must not lead our answers astray. The
    peer's port may change where a NAT gives it, our own while both move to the port for it (None).

    Raises InvalidCookie.
    """
    from_there = datagram.remote == remote or (port_may_change and datagram.remote.host == remote.host)
    if not from_there or (local is not None and datagram.local != local):
        raise InvalidCookie(f"these are the cookies of an exchange with {remote}")


def _hint(
    core: Core, version: Version, header: Header, cookies: Cookies, datagram: Datagram, now: Now
) -> list[Effect]:
    """A notification that nobody vouches for changes nothing, and may explain much. Of one that says that the peer
    has lost its SAs, the peer itself is asked."""
    exchange = core.exchanges.for_ike(cookies, (datagram.remote, b""))
    ike = core.sas.ike_sas.get(cookies)
    if exchange is None and ike is None:
        raise InvalidCookie(f"notification with unknown cookies {cookies}")
    peer = exchange.peer.name if exchange is not None else ike.peer.name if ike is not None else ""
    found = version.hints(None if exchange is None else exchange.state, header, datagram.data)
    waiting = [e for e in core.exchanges.under(cookies) if e.state.open] if ike is not None else []
    concerned = [*waiting, *(() if exchange is None else (exchange,))]
    effects: list[Effect] = []
    for hint in found:
        news = [removal.remark(e, f"somebody there said {said(hint)}") for e in concerned]
        if any(news) or not concerned:
            effects.append(Report(PeerHint(peer, datagram.remote, hint)))
    if ike is not None and _OF_LOST_SAS & set(found) and datagram.remote.host == ike.remote.host:
        effects += liveness.suspect(core, ike, now)
    return effects


_WAYS = {Route.IKE: _for_ike, Route.CHILD: _for_child, Route.HINT: _hint}


def drop(core: Core, datagram: Datagram, error: IkeError, during: str = "") -> list[Effect]:
    """What is wrong with a datagram is counted and reported."""
    core.counters[type(error).__name__] += 1
    return [Report(MessageDropped(datagram.remote, type(error).__name__, str(error), during))]
