# SPDX-License-Identifier: ISC
"""Informational exchanges: notifications and deletes, RFC 2409 5.7, RFC 2408 4.8, 3.14 and 3.15; RFC 3706.

HDR*, HASH(1), N/D     under an IKE SA: believed
HDR, N/D               without one: shown, and nothing follows from it
"""

from collections.abc import Iterable
from hmac import compare_digest

from ike_auth.crypto.ciphers import Cbc
from ike_auth.crypto.key_material import Skeyid, phase2_iv
from ike_auth.effects import Report
from ike_auth.errors import InvalidHash
from ike_auth.events import PeerNotified
from ike_auth.exchanges.steps import (
    Acknowledged,
    Change,
    Closed,
    DeleteIkeSa,
    DeleteTunnels,
    FailPhase2,
    Local,
    Outcome,
    Random,
    StartedAnew,
    State,
)
from ike_auth.exchanges.v1.protection import Protection, open_clear
from ike_auth.exchanges.v1.table import ProtectedRow, Table
from ike_auth.sa import Cookies, IkeSa, IpsecSa
from ike_auth.suites import Phase1Suite
from ike_auth.values import value
from ike_auth.wire import cpi
from ike_auth.wire.header import Header
from ike_auth.wire.legality import LEGAL, Step, check
from ike_auth.wire.messages import Message, encode_payloads
from ike_auth.wire.numbers import Doi, ExchangeType, NotifyType, ProtocolId
from ike_auth.wire.payloads import Delete, Hash, Notification, Payload

_QUIET = {NotifyType.R_U_THERE, NotifyType.R_U_THERE_ACK}
_SEQUENCE_SIZE = 4  # RFC 3706 5.3


@value
class Listening(State):
    """Before the one message of the exchange."""

    ike: IkeSa
    protection: Protection


@value
class Channel:
    """What seals an informational message: an IKE SA, or a Phase 1 that has its keys already."""

    cookies: Cookies
    suite: Phase1Suite
    keys: Skeyid
    cipher: Cbc
    last_block: bytes

    @classmethod
    def of(cls, ike: IkeSa) -> "Channel":
        return cls(ike.cookies, ike.suite, ike.keys, ike.cipher, ike.last_block)

    def protection(self, message_id: int) -> Protection:
        return Protection(self.cipher, phase2_iv(self.suite.hash, self.last_block, message_id))

    @property
    def spi(self) -> bytes:
        """What notifications and deletes call the IKE SA by."""
        return self.cookies.initiator + self.cookies.responder


def listen(ike: IkeSa, message_id: int) -> Listening:
    return Listening(ike, Channel.of(ike).protection(message_id))


def hints(header: Header, data: bytes) -> tuple[NotifyType, ...]:
    """The notifications of a message in the clear. Raises PeerError."""
    message = open_clear(header, data)
    check(LEGAL[Step.INFORMATIONAL_CLEAR], message)
    return tuple(notification.type for notification in message.all(Notification))


def protected_hints(channel: Channel, header: Header, data: bytes) -> tuple[NotifyType, ...]:
    """The notifications of a message under keys whose holder is not identified. Raises PeerError."""
    message, _ = channel.protection(header.message_id).open(header, data)
    check(LEGAL[Step.INFORMATIONAL], message)
    _check_hash(channel.keys, message)
    return tuple(notification.type for notification in message.all(Notification))


def notify_clear(cookies: Cookies, type: NotifyType, random: Random, spi: bytes = b"") -> bytes:
    """A notification for a peer with whom there are no keys."""
    header = Header(
        cookies.initiator, cookies.responder, exchange=ExchangeType.INFORMATIONAL, message_id=_message_id(random)
    )
    return Message(header, (Notification(Doi.IPSEC, ProtocolId.ISAKMP, type, spi),)).encode()


def refuse(channel: Channel, type: NotifyType, random: Random) -> bytes:
    """The notification that Phase 1 comes to nothing."""
    payload = Notification(Doi.IPSEC, ProtocolId.ISAKMP, type, channel.spi)
    return _seal(channel, (payload,), random)


def notify(ike: IkeSa, payload: Notification, random: Random) -> bytes:
    """A notification under an IKE SA."""
    return _seal(Channel.of(ike), (payload,), random)


def delete_ike_sa(channel: Channel, random: Random) -> bytes:
    return _seal(channel, (Delete(Doi.IPSEC, ProtocolId.ISAKMP, (channel.spi,)),), random)


def delete_ipsec_sas(ike: IkeSa, inbound: Iterable[IpsecSa], random: Random) -> bytes:
    """We receive on these no longer (RFC 2408 3.15: the SPIs are the sender's).

    IPCOMP goes with the rest of its bundle: strongSwan throws away a whole message that names a CPI.
    """
    payloads = tuple(Delete(Doi.IPSEC, sa.protocol, (sa.spi,)) for sa in inbound if sa.protocol != ProtocolId.IPCOMP)
    return _seal(Channel.of(ike), payloads, random)


def delete_spi(ike: IkeSa, protocol: ProtocolId, spi: bytes, random: Random) -> bytes:
    """As `delete_ipsec_sas`, of an SA that is not known here."""
    return _seal(Channel.of(ike), (Delete(Doi.IPSEC, protocol, (spi,)),), random)


def probe(ike: IkeSa, sequence: int, random: Random) -> bytes:
    """R-U-THERE, RFC 3706 5.3."""
    data = sequence.to_bytes(_SEQUENCE_SIZE, "big")
    payload = Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.R_U_THERE, Channel.of(ike).spi, data)
    return notify(ike, payload, random)


def initial_contact(ike: IkeSa, random: Random) -> bytes:
    """RFC 2407 4.6.3.3, in an exchange of its own."""
    return notify(ike, contact(ike.cookies), random)


def contact(cookies: Cookies) -> Notification:
    spi = cookies.initiator + cookies.responder
    return Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.INITIAL_CONTACT, spi)


def _take(state: Listening, message: Message, _: Protection, local: Local) -> Outcome:
    _check_hash(state.ike.keys, message)
    changes: list[Change] = []
    reports: list[Report] = []
    replies: list[bytes] = []
    ike = state.ike
    for payload in message.all(Notification):
        if payload.type == NotifyType.R_U_THERE:
            acknowledged = Notification(
                payload.doi, payload.protocol, NotifyType.R_U_THERE_ACK, payload.spi, payload.data
            )
            replies.append(notify(ike, acknowledged, local.random))
        consequence = _consequence(ike, payload)
        if not consequence and payload.type not in _QUIET:
            reports.append(Report(PeerNotified(ike.peer.name, local.remote, str(payload.type))))
        changes.extend(consequence)
    for delete in message.all(Delete):
        if delete.protocol == ProtocolId.ISAKMP:
            if Channel.of(ike).spi in delete.spis:
                changes.append(DeleteIkeSa(ike.cookies, _why_deleted(ike)))
        else:
            spis = tuple(cpi.unified(delete.protocol, spi) for spi in delete.spis)
            changes.append(DeleteTunnels(ike, delete.protocol, spis))
    return Outcome(Closed(), notify=tuple(replies), after=tuple(reports), changes=tuple(changes))


def _consequence(ike: IkeSa, payload: Notification) -> tuple[Change, ...]:
    """What an authenticated notification changes."""
    if payload.type == NotifyType.INITIAL_CONTACT:
        return (StartedAnew(ike),)
    if payload.type == NotifyType.R_U_THERE_ACK:
        named = payload.spi == Channel.of(ike).spi and len(payload.data) == _SEQUENCE_SIZE
        return (Acknowledged(ike, int.from_bytes(payload.data, "big") if named else None),)
    if not payload.type.is_error:
        return ()
    if payload.type == NotifyType.AUTHENTICATION_FAILED:
        return (DeleteIkeSa(ike.cookies, "the peer does not accept our identity"),)
    # Of what it refuses, a peer gives the SPI, or zeros, or nothing, or the cookies: all of them were seen.
    nameless = not any(payload.spi) or payload.spi == Channel.of(ike).spi
    return (FailPhase2(ike, None if nameless else payload.spi, str(payload.type)),)


def _why_deleted(ike: IkeSa) -> str:
    """Some peers refuse our identity only after they have let the SA come up."""
    if ike.heard > ike.established:
        return "deleted by the peer"
    return f"deleted by the peer before anything else; perhaps it does not accept our identity {ike.own_identity}"


def _check_hash(keys: Skeyid, message: Message) -> None:
    expected = keys.hash_1(message.header.message_id, message.after_first)
    if not compare_digest(message.one(Hash).data, expected):
        raise InvalidHash("informational: wrong HASH(1)")


def _seal(channel: Channel, payloads: tuple[Payload, ...], random: Random) -> bytes:
    message_id = _message_id(random)
    cookies = channel.cookies
    header = Header(cookies.initiator, cookies.responder, exchange=ExchangeType.INFORMATIONAL, message_id=message_id)
    chain = encode_payloads(payloads)
    hashed = Hash(channel.keys.hash_1(message_id, chain[1]))
    sealed, _ = channel.protection(message_id).seal(header, (hashed,), then=chain)
    return sealed


def _message_id(random: Random) -> int:
    return int.from_bytes(random(4), "big") or 1


MESSAGES: Table = {Listening: (ProtectedRow(lambda _: Step.INFORMATIONAL, _take),)}
