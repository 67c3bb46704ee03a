# SPDX-License-Identifier: ISC
"""The engine: datagrams, answers and the passing of time in; effects out. It does no I/O and reads no clock.

A datagram's way: header → exchange (by cookies and message id) → the same bytes as before get the same reply →
the version's step → commit. Whatever raises before the commit has changed nothing (docs/architecture.md).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ike_auth.authorization.requests import Answer, Decision, TunnelAuthorized
from ike_auth.config.model import Configuration, Peer
from ike_auth.effects import Ask, Effect, QuestionId, RemoveSa, Report, SendDatagram, SendKeepalive
from ike_auth.errors import IkeError, InvalidCookie, InvalidMajorVersion, InvalidMessageId, PeerError
from ike_auth.events import (
    Event,
    ExchangeFailed,
    IkeSaDown,
    MessageDropped,
    PeerHint,
    PeerNotified,
    PeerRefused,
    TunnelDown,
    said,
)
from ike_auth.exchanges.steps import (
    AddIkeSa,
    AddTunnel,
    Change,
    DeleteIkeSa,
    DeleteTunnels,
    FailPhase2,
    Local,
    Outcome,
    OwnCertificate,
    Random,
    Settings,
)
from ike_auth.exchanges.v1.protocol import IkeV1
from ike_auth.exchanges.version import Route, Version
from ike_auth.network import Datagram, Endpoint, IPAddress, Now
from ike_auth.retransmission import digest
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.sa_table import Exchange, ExchangeId, SaTable
from ike_auth.timers import Timers
from ike_auth.wire.header import NO_COOKIE, Header
from ike_auth.wire.identities import Identity
from ike_auth.wire.messages import decode_payloads
from ike_auth.wire.numbers import PayloadType
from ike_auth.wire.payloads import Fragment

_LOWEST_SPI = 0x1000  # below are reserved ones (RFC 4303 2.1) and those that people type by hand
_REMARKS = 4  # kept of one exchange, and reported at once
_SHARE_OF_ONE_HOST = 4  # a single address may hold a fourth of the half-open exchanges


@dataclass(frozen=True, slots=True)
class Ports:
    """Where IKE is spoken: our own ports, and those of peers whose section names none."""

    ike: int = 500
    nat: int = 4500


@dataclass(frozen=True, slots=True)
class Identities:
    """What we can prove ourselves with."""

    certificate_of: Callable[[Identity], OwnCertificate | None] = lambda _: None
    authorities: tuple[bytes, ...] = ()  # DER subjects of the CAs whose certificates we take


class Engine:
    """IKE without sockets, clocks and randomness of its own.

    `source_address` says from which address of ours a peer is reached. Every method returns effects, to be performed
    in their order.
    """

    def __init__(
        self,
        configuration: Configuration,
        identities: Identities,
        random: Random,
        source_address: Callable[[IPAddress], IPAddress],
        ports: Ports = Ports(),
    ) -> None:
        self.table = SaTable()
        self.counters: Counter[str] = Counter()
        self._configuration = configuration
        self._settings = Settings(identities.certificate_of, identities.authorities, configuration.connections_of)
        self._random = random
        self._source_address = source_address
        self._ports = ports
        self._versions: dict[int, Version] = {1: IkeV1()}
        self._timers: Timers[tuple[str, object]] = Timers()
        self._questions: dict[QuestionId, ExchangeId] = {}
        self._last_question = 0

    # --- inputs

    def start(self, now: Now) -> list[Effect]:
        """Bring up the connections that are configured to be, and look after them from now on."""
        self._timers.set(("check", None), now.monotonic + self._configuration.general.check_interval)
        return self._check_connections(now)

    def receive(self, datagram: Datagram, now: Now) -> list[Effect]:
        """A datagram came. It may be anything."""
        try:
            return self._receive(datagram, now)
        except IkeError as error:
            return self._drop(datagram, error)

    def answer(self, question: QuestionId, answer: Answer, now: Now) -> list[Effect]:
        """The answer to an `Ask`. One that comes too late, or twice, is passed over."""
        id = self._questions.pop(question, None)
        exchange = None if id is None else self.table.exchanges.get(id)
        if exchange is None or not exchange.state.open:
            self.counters["late answer"] += 1
            return []
        if isinstance(answer, TunnelAuthorized):
            answer = self._unless_claimed(exchange, answer)
        local = self._local(exchange.local, exchange.remote, now)
        try:
            outcome = exchange.version.answer(exchange.state, answer, local)
        except IkeError as error:
            return self._fail(exchange, str(error))
        return self._commit(exchange, outcome, now)

    def initiate(self, connection: str, now: Now) -> list[Effect]:
        """Bring up a configured connection, with an IKE SA first if there is none. Raises KeyError for no such one."""
        wanted = self._configuration.connections[connection]
        ike = self.table.ike_with(wanted.peer)
        if ike is not None:
            return self._initiate_child(ike, connection, now)
        under_way = self.table.initiating(wanted.peer)
        if under_way is not None:
            if connection not in under_way.connections:
                self.table.put(replace(under_way, connections=(*under_way.connections, connection)))
            return []
        return self._initiate_ike(self._configuration.peers[wanted.peer], connection, now)

    def wake(self, now: Now) -> list[Effect]:
        """Time has passed."""
        effects: list[Effect] = []
        for kind, key in self._timers.due(now.monotonic):
            effects += self._alarms[kind](self, key, now)
        return effects

    def next_wake(self) -> float | None:
        """When `wake` wants to be called, in seconds of `Now.monotonic`."""
        return self._timers.next()

    def sa_gone(self, spi: bytes, why: str, now: Now) -> list[Effect]:
        """An inbound SA expired in the kernel, or could not be installed there."""
        tunnel = self.table.tunnel_with(spi, inbound=True)
        if tunnel is not None:
            return self._remove_tunnels([tunnel], why, tell=True, now=now)
        for exchange in list(self.table.exchanges.values()):
            if spi in exchange.state.spis:
                return self._fail(exchange, why)
        return []

    def stop(self, now: Now) -> list[Effect]:
        """Tell peers that all SAs are gone, and forget them."""
        effects: list[Effect] = []
        tell = self._configuration.general.delete_sas
        for exchange in list(self.table.exchanges.values()):
            effects += exchange.state.abandoned()
            self._forget(exchange)
        effects += self._remove_tunnels(self.table.tunnels, "shutting down", tell, now)
        for ike in list(self.table.ike_sas.values()):
            effects += self._remove_ike(ike, "shutting down", tell)
        return effects

    # --- a datagram's way

    def _receive(self, datagram: Datagram, now: Now) -> list[Effect]:
        header = Header.decode(datagram.data)
        version = self._versions.get(header.major_version)
        if version is None:
            raise InvalidMajorVersion(f"IKE version {header.major_version}")
        header = header.checked()
        cookies = Cookies(header.initiator_cookie, header.responder_cookie)
        if header.next_payload == PayloadType.FRAGMENT:
            return self._receive_fragment(cookies, datagram, now)
        ike = self.table.ike_sas.get(cookies)
        seen = digest(datagram.data)
        match version.route(header, ike is not None):
            case Route.HINT:
                return self._receive_hint(version, header, cookies, datagram)
            case Route.CHILD:
                return self._receive_child(version, header, ike, seen, datagram, now)
            case Route.IKE:
                return self._receive_ike(version, header, cookies, seen, datagram, now)

    def _receive_ike(
        self, version: Version, header: Header, cookies: Cookies, seen: bytes, datagram: Datagram, now: Now
    ) -> list[Effect]:
        exchange = self.table.exchange_for_ike(cookies, (datagram.remote, seen))
        if exchange is not None:
            return self._advance(exchange, header, seen, datagram, now)
        if header.responder_cookie != NO_COOKIE:
            raise InvalidCookie(f"unknown cookies {cookies}")
        peer = self._configuration.peer_at(datagram.remote.host)
        if peer is None:
            raise InvalidCookie(f"no peer is configured for {datagram.remote.host}, and there is no `Default=`")
        local = self._local(datagram.local, datagram.remote, now)
        try:
            outcome = version.advance(version.accept_ike(header, peer), header, datagram.data, local)
        except PeerError as error:
            return self._refuse_first(version, header, peer, error, datagram)
        self._make_room(datagram.remote.host)
        exchange = self._new_exchange(version, outcome, peer, datagram.local, datagram.remote, False, now)
        exchange = replace(exchange, received=seen)
        self.table.put(exchange, first_message=(datagram.remote, seen))
        return self._commit(exchange, outcome, now)

    def _receive_child(
        self, version: Version, header: Header, ike: IkeSa | None, seen: bytes, datagram: Datagram, now: Now
    ) -> list[Effect]:
        if ike is None:
            cookies = f"{header.initiator_cookie.hex()}:{header.responder_cookie.hex()}"
            raise InvalidCookie(f"{header.exchange} under an IKE SA that does not exist ({cookies})")
        exchange = self.table.exchange_for_child(ike.cookies, header.message_id)
        if exchange is not None:
            return self._advance(exchange, header, seen, datagram, now)
        if self.table.is_used(ike.cookies, header.message_id):
            raise InvalidMessageId(f"message id {header.message_id:08x} was used before")
        local = self._local(datagram.local, datagram.remote, now)
        outcome = version.advance(version.accept_child(header, ike), header, datagram.data, local)
        self._follow(ike, datagram)
        self.table.use(ike.cookies, header.message_id)
        exchange = self._new_exchange(version, outcome, ike.peer, datagram.local, datagram.remote, False, now)
        exchange = replace(exchange, received=seen, ike=ike.cookies, message_id=header.message_id)
        self.table.put(exchange)
        return self._commit(exchange, outcome, now)

    def _advance(self, exchange: Exchange, header: Header, seen: bytes, datagram: Datagram, now: Now) -> list[Effect]:
        repeated = exchange.retransmission.reply_to(seen)
        if repeated is not None:
            self.counters["repeated"] += 1
            return [SendDatagram(data, datagram.local, datagram.remote) for data in repeated]
        if datagram.remote.host != exchange.remote.host:
            raise InvalidCookie(f"cookies of an exchange with {exchange.remote.host}")
        local = self._local(datagram.local, datagram.remote, now)
        try:
            outcome = exchange.version.advance(exchange.state, header, datagram.data, local)
        except PeerError as error:
            return self._drop(datagram, error, self._remark(exchange, str(error)))
        moved = replace(exchange, local=datagram.local, remote=datagram.remote, received=seen)
        return self._commit(moved, outcome, now)

    def _receive_fragment(self, cookies: Cookies, datagram: Datagram, now: Now) -> list[Effect]:
        known = self.table.fragments(cookies)
        if known is None:
            raise InvalidCookie(f"fragment with unknown cookies {cookies}")
        (fragment,) = decode_payloads(PayloadType.FRAGMENT, datagram.data[28:])
        assert isinstance(fragment, Fragment)
        reassembly, whole = known.add(fragment, now.monotonic)
        self.table.keep_fragments(cookies, reassembly)
        if whole is None:
            return []
        if Header.decode(whole).next_payload == PayloadType.FRAGMENT:
            raise PeerError("a fragment of fragments")
        return self._receive(datagram._replace(data=whole), now)

    def _receive_hint(self, version: Version, header: Header, cookies: Cookies, datagram: Datagram) -> list[Effect]:
        exchange = self.table.exchange_for_ike(cookies, (datagram.remote, b""))
        ike = self.table.ike_sas.get(cookies)
        if exchange is None and ike is None:
            raise InvalidCookie(f"notification with unknown cookies {cookies}")
        peer = exchange.peer.name if exchange is not None else ike.peer.name if ike is not None else ""
        found = version.hints(None if exchange is None else exchange.state, header, datagram.data)
        if exchange is not None:
            found = tuple(hint for hint in found if self._remark(exchange, f"somebody there said {said(hint)}"))
        return [Report(PeerHint(peer, datagram.remote, hint)) for hint in found]

    # --- commit

    def _commit(self, exchange: Exchange, outcome: Outcome, now: Now) -> list[Effect]:
        """Make the outcome true. From here on nothing raises."""
        before = exchange.state
        if outcome.to_nat_port:
            exchange = self._to_nat_port(exchange)
        sent = (*outcome.notify, *(() if outcome.send is None else (outcome.send,)))
        retransmission = exchange.retransmission
        if exchange.received and (sent or outcome.ask is None):
            retransmission = retransmission.answered(exchange.received, sent)
        if outcome.send is not None:
            awaited = outcome.send if outcome.state.awaits_message else None
            retransmission = retransmission.awaiting(awaited)
        refused = exchange.refused or PeerRefused in map(_kind, outcome.after)
        exchange = replace(exchange, state=outcome.state, retransmission=retransmission, refused=refused)
        self.table.put(exchange)
        if outcome.send is not None or before is not outcome.state:
            self._arm_resend(exchange, now)
        effects: list[Effect] = list(outcome.before)
        effects += [SendDatagram(data, exchange.local, exchange.remote) for data in sent]
        effects += outcome.after
        for change in outcome.changes:
            effects += self._apply(change, exchange, now)
        if outcome.ask is not None:
            self._last_question += 1
            id = QuestionId(self._last_question)
            self._questions[id] = exchange.id
            effects.append(Ask(id, outcome.ask))
        return effects

    def _apply(self, change: Change, exchange: Exchange, now: Now) -> list[Effect]:
        match change:
            case AddIkeSa(sa):
                return self._add_ike(sa, exchange, now)
            case AddTunnel(tunnel):
                self.table.add_tunnel(tunnel)
                self._timers.set(("tunnel", tunnel.inbound[0].spi), tunnel.expires)
                return []
            case DeleteIkeSa(cookies, why):
                ike = self.table.ike_sas.get(cookies)
                if ike is None:
                    return []
                if not ike.initiator and self.table.exchanges_under(cookies) == 1:  # this one
                    why += f" before anything else; perhaps it does not accept our identity {ike.own_identity}"
                return self._remove_ike(ike, why, tell=False)
            case DeleteTunnels(ike, _, spis):
                found = [self.table.tunnel_with(spi, inbound=False) for spi in spis]
                theirs = [t for t in found if t is not None and self._belongs(t, ike)]
                return self._remove_tunnels(theirs, "deleted by the peer", tell=False, now=now)
            case FailPhase2(ike, spi, notify):
                unfinished = self.table.open_under(ike.cookies)
                named = [e for e in unfinished if spi in e.state.spis]
                refused = named or (unfinished if len(unfinished) == 1 else [])
                if not refused:
                    return [Report(PeerNotified(ike.peer.name, exchange.remote, notify))]
                return [effect for e in refused for effect in self._fail(e, f"the peer says {said(notify)}")]

    def _add_ike(self, sa: IkeSa, exchange: Exchange, now: Now) -> list[Effect]:
        self.table.add_ike(sa)
        self._timers.set(("ike", sa.cookies), sa.expires)
        if sa.nat.local:
            self._timers.set(("keepalive", sa.cookies), now.monotonic + self._configuration.general.nat_keepalive)
        effects: list[Effect] = []
        for connection in exchange.connections:
            effects += self._initiate_child(sa, connection, now)
        return effects

    # --- beginning exchanges

    def _check_connections(self, now: Now) -> list[Effect]:
        """Bring up what is configured to be up and is neither up nor on its way."""
        under_way = {name for e in self.table.exchanges.values() if e.state.open for name in e.connections}
        effects: list[Effect] = []
        for connection in self._configuration.connections.values():
            name = connection.name
            if connection.active and name not in under_way and not self.table.is_up(name):
                effects += self.initiate(name, now)
        return effects

    def _initiate_ike(self, peer: Peer, connection: str, now: Now) -> list[Effect]:
        if peer.address is None:
            return []  # nobody to call: the peer has to begin
        version = self._versions[1]
        remote = Endpoint(peer.address, peer.port)
        local = Endpoint(peer.local_address or self._source_address(peer.address), self._ports.ike)
        try:
            outcome = version.initiate_ike(peer, self._local(local, remote, now))
        except IkeError as error:
            return [Report(ExchangeFailed("main mode", peer.name, remote, str(error)))]
        exchange = self._new_exchange(version, outcome, peer, local, remote, True, now)
        return self._commit(replace(exchange, connections=(connection,)), outcome, now)

    def _initiate_child(self, ike: IkeSa, connection: str, now: Now) -> list[Effect]:
        version = self._versions[1]
        wanted = self._configuration.connections[connection]
        try:
            outcome = version.initiate_child(ike, wanted, self._local(ike.local, ike.remote, now))
        except IkeError as error:
            return [Report(ExchangeFailed(f"quick mode {connection}", ike.peer.name, ike.remote, str(error)))]
        exchange = self._new_exchange(version, outcome, ike.peer, ike.local, ike.remote, True, now)
        message_id = version.message_id(outcome.state)
        self.table.use(ike.cookies, message_id)
        exchange = replace(exchange, ike=ike.cookies, message_id=message_id, connections=(connection,))
        return self._commit(exchange, outcome, now)

    def _new_exchange(
        self,
        version: Version,
        outcome: Outcome,
        peer: Peer,
        local: Endpoint,
        remote: Endpoint,
        initiator: bool,
        now: Now,
    ) -> Exchange:
        deadline = now.monotonic + self._configuration.general.exchange_max_time
        id = self.table.new_id()
        self._timers.set(("deadline", id), deadline)
        return Exchange(id, version, outcome.state, peer, local, remote, initiator, deadline)

    # --- ending things

    def _fail(self, exchange: Exchange, why: str) -> list[Effect]:
        """An exchange came to nothing."""
        effects = list(exchange.state.abandoned())
        self._forget(exchange)
        if exchange.refused:
            return effects
        version, state = exchange.version, exchange.state
        what = " ".join((version.name(state), *exchange.connections))
        offered = version.offered(state)
        reasons = "; ".join((why, *((f"offered was {offered}",) if offered else ()), *exchange.remarks))
        return [*effects, Report(ExchangeFailed(what, exchange.peer.name, exchange.remote, reasons))]

    def _drop(self, datagram: Datagram, error: IkeError, during: str = "") -> list[Effect]:
        self.counters[type(error).__name__] += 1
        return [Report(MessageDropped(datagram.remote, type(error).__name__, str(error), during))]

    def _remark(self, exchange: Exchange, remark: str) -> str:
        """Keep what may explain it if nothing comes of the exchange. Its name, if that is news; else nothing."""
        if remark in exchange.remarks or len(exchange.remarks) == _REMARKS:
            return ""
        self.table.put(replace(exchange, remarks=(*exchange.remarks, remark)))
        return f"{exchange.version.name(exchange.state)} with {exchange.peer.name}"

    def _forget(self, exchange: Exchange) -> None:
        self.table.forget(exchange)
        self._timers.cancel(("deadline", exchange.id))
        self._timers.cancel(("resend", exchange.id))

    def _remove_ike(self, ike: IkeSa, why: str, tell: bool) -> list[Effect]:
        effects: list[Effect] = []
        if tell:
            told = self._versions[1].delete_ike(ike, self._random)
            effects.append(SendDatagram(told, ike.local, ike.remote))
        self.table.remove_ike(ike.cookies)
        self._timers.cancel(("ike", ike.cookies))
        self._timers.cancel(("keepalive", ike.cookies))
        return [*effects, Report(IkeSaDown(ike, why))]

    def _remove_tunnels(self, tunnels: Iterable[Tunnel], why: str, tell: bool, now: Now) -> list[Effect]:
        effects: list[Effect] = []
        for tunnel in tunnels:
            ike = self.table.ike_sas.get(tunnel.cookies) or self.table.ike_with(tunnel.peer)
            if tell and ike is not None:
                told = self._versions[1].delete_tunnels(ike, [tunnel], self._random)
                effects.append(SendDatagram(told, ike.local, ike.remote))
            self.table.remove_tunnel(tunnel)
            self._timers.cancel(("tunnel", tunnel.inbound[0].spi))
            effects += [RemoveSa(sa) for sa in tunnel.sas]
            effects.append(Report(TunnelDown(tunnel, why)))
        return effects

    # --- alarms

    def _deadline(self, id: object, now: Now) -> list[Effect]:
        exchange = self.table.exchanges.get(id)  # type: ignore[call-overload]
        if exchange is None:
            return []
        if not exchange.state.open:
            self._forget(exchange)
            return []
        seconds = self._configuration.general.exchange_max_time
        return self._fail(exchange, f"no {exchange.version.awaited(exchange.state)} within {seconds} s")

    def _resend(self, id: object, now: Now) -> list[Effect]:
        exchange: Exchange | None = self.table.exchanges.get(id)  # type: ignore[call-overload]
        if exchange is None or not exchange.state.awaits_message or exchange.retransmission.message is None:
            return []
        if exchange.retransmission.sent > self._configuration.general.retransmits:
            attempts = exchange.retransmission.sent
            return self._fail(exchange, f"no {exchange.version.awaited(exchange.state)} after {attempts} attempts")
        message = exchange.retransmission.message
        exchange = replace(exchange, retransmission=exchange.retransmission.again())
        self.table.put(exchange)
        self._arm_resend(exchange, now)
        return [SendDatagram(message, exchange.local, exchange.remote)]

    def _ike_expired(self, cookies: object, now: Now) -> list[Effect]:
        ike = self.table.ike_sas.get(cookies)  # type: ignore[call-overload]
        return [] if ike is None else self._remove_ike(ike, "expired", tell=True)

    def _tunnel_expired(self, spi: object, now: Now) -> list[Effect]:
        assert isinstance(spi, bytes)
        tunnel = self.table.tunnel_with(spi, inbound=True)
        return [] if tunnel is None else self._remove_tunnels([tunnel], "expired", tell=True, now=now)

    def _keepalive(self, cookies: object, now: Now) -> list[Effect]:
        ike = self.table.ike_sas.get(cookies)  # type: ignore[call-overload]
        if ike is None:
            return []
        self._timers.set(("keepalive", cookies), now.monotonic + self._configuration.general.nat_keepalive)
        return [SendKeepalive(ike.local, ike.remote)]

    def _check(self, _: object, now: Now) -> list[Effect]:
        self._timers.set(("check", None), now.monotonic + self._configuration.general.check_interval)
        return self._check_connections(now)

    _alarms = {
        "deadline": _deadline,
        "resend": _resend,
        "ike": _ike_expired,
        "tunnel": _tunnel_expired,
        "keepalive": _keepalive,
        "check": _check,
    }

    # --- small things

    def _local(self, local: Endpoint, remote: Endpoint, now: Now) -> Local:
        return Local(now, self._random, self._new_spi, local, remote, self._settings)

    def _new_spi(self) -> bytes:
        while True:
            spi = self._random(4)
            if int.from_bytes(spi, "big") >= _LOWEST_SPI and not self.table.spi_in_use(spi):
                return spi

    def _arm_resend(self, exchange: Exchange, now: Now) -> None:
        if exchange.state.awaits_message and exchange.retransmission.message is not None:
            self._timers.set(("resend", exchange.id), now.monotonic + exchange.retransmission.delay)
        else:
            self._timers.cancel(("resend", exchange.id))

    def _to_nat_port(self, exchange: Exchange) -> Exchange:
        """RFC 3947 4. A peer that speaks from another port than its configured one has moved already."""
        local = Endpoint(exchange.local.host, self._ports.nat)
        moved = exchange.remote.port not in (exchange.peer.port, self._ports.ike)
        remote = exchange.remote if moved else Endpoint(exchange.remote.host, self._ports.nat)
        return replace(exchange, local=local, remote=remote)

    def _make_room(self, host: IPAddress) -> None:
        """Keep the half-open exchanges within their limit. Raises PeerError if only a refusal does."""
        limit = self._configuration.general.half_open_limit
        if self.table.half_open_from(host) >= max(limit // _SHARE_OF_ONE_HOST, 1):
            raise PeerError(f"too many unfinished exchanges with {host}")
        while self.table.half_open >= limit:
            oldest = self.table.oldest_unconfirmed()
            if oldest is None:
                raise PeerError(f"too many unfinished exchanges, {limit}")
            self.counters["half-open exchange dropped"] += 1
            self._forget(oldest)

    def _refuse_first(
        self, version: Version, header: Header, peer: Peer, error: PeerError, datagram: Datagram
    ) -> list[Effect]:
        self.counters[type(error).__name__] += 1
        told = version.refusal(header, error, self._random)
        effects: list[Effect] = [Report(ExchangeFailed("main mode", peer.name, datagram.remote, str(error)))]
        if told is not None:
            effects.insert(0, SendDatagram(told, datagram.local, datagram.remote))
        return effects

    def _follow(self, ike: IkeSa, datagram: Datagram) -> None:
        """A NAT has given the peer another port, and the peer has proved that it was it."""
        if ike.nat.remote and datagram.remote != ike.remote:
            self.table.add_ike(replace(ike, remote=datagram.remote))

    def _belongs(self, tunnel: Tunnel, ike: IkeSa) -> bool:
        return tunnel.peer == ike.peer.name and tunnel.identity == ike.identity

    def _unless_claimed(self, exchange: Exchange, answer: TunnelAuthorized) -> TunnelAuthorized:
        """What policy allows is refused if it would take traffic away from somebody else's live tunnel."""
        if answer.chosen is None:
            return answer
        request = exchange.version.tunnel_request(exchange.state, answer.chosen)
        connection = self._configuration.connections.get(request.connection or "")
        if connection is not None and "allow-overlap" in connection.flags:
            return answer
        claimed = self.table.claimed_by_another(request.remote, request.identity.identity)
        if claimed is None:
            return answer
        why = f"{request.remote} overlaps the tunnel of {claimed.identity} ({claimed.name})"
        refused = Decision(False, answer.decisions[answer.chosen].value, why)
        return TunnelAuthorized(None, (*answer.decisions[: answer.chosen], refused))


def _kind(effect: Effect) -> type[Event] | None:
    return type(effect.event) if isinstance(effect, Report) else None
