# SPDX-License-Identifier: ISC
"""Our steps in the place of either end of exchanges that other daemons had with each other.

What an end draws at random is taken from the record: cookies, nonces, SPIs, message ids, and of each Diffie-Hellman
share the public value and what came of it. Everything else our steps have to arrive at by themselves: hashes, keys,
the messages as they stand in the record, byte for byte where the protocol leaves no choice, and the same IV chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

import pytest
from cryptography.x509 import load_der_x509_certificate

from ike_auth.authorization.requests import (
    AuthorizeTunnel,
    Decision,
    IdentifyPeer,
    IdentityRequest,
    PeerIdentified,
    PresharedKey,
    Sign,
    Signed,
    TunnelAuthorized,
)
from ike_auth.config import isakmpd
from ike_auth.config.model import Configuration
from ike_auth.crypto import authenticators, groups
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import InvalidKeyInformation
from ike_auth.exchanges.steps import (
    AddTunnel,
    DeleteIkeSa,
    DeleteTunnels,
    FailPhase2,
    Local,
    Outcome,
    OwnCertificate,
    Settings,
    State,
)
from ike_auth.exchanges.v1 import informational, phase1, quick_mode
from ike_auth.exchanges.v1.main_mode import Chosen, Identifying, KeysOffered, Offered, ProofAwaited
from ike_auth.network import Endpoint
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import AuthenticationMethod, ExchangeType, Group, ProtocolId
from ike_auth.wire.payloads import (
    Certificate,
    CertificateRequest,
    Delete,
    KeyExchange,
    NatDiscovery,
    Nonce,
    Notification,
    Signature,
)
from ike_auth.wire.proposals import SecurityAssociation
from tests.ike_auth.crypto.captures import ISAKMPD, STRONGSWAN, Opened, Replay, replay
from tests.ike_auth.exchanges.sides import NOW, VERSION, made

YES = Decision(True, "true", "recorded")
# isakmpd's names for what the two ends of each record have agreed on.
AGREED = {
    "isakmpd-psk": ("AES-256-SHA2-256-GRP14", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
    "isakmpd-rsa": ("AES-256-SHA2-256-GRP14-RSA_SIG", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
    "psk": ("AES-256-SHA2-256-GRP14", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
    "psk-curve25519": ("AES-256-SHA2-512-GRP31", "QM-ESP-AES-256-SHA2-512-PFS-GRP31-SUITE"),
    "psk-ecp384": ("AES-192-SHA2-384-GRP20", "QM-ESP-AESGCM-256-PFS-GRP20-SUITE"),
    "psk-legacy": ("3DES-MD5-GRP2", "QM-ESP-3DES-MD5-SUITE"),
    "psk-no-pfs": ("AES-256-SHA-GRP14", "QM-ESP-AESGCM-128-SUITE"),
    "rsa": ("AES-256-SHA2-256-GRP14-RSA_SIG", "QM-ESP-AES-256-SHA2-256-SUITE"),
    "rsa-fragments": ("AES-256-SHA2-256-GRP14-RSA_SIG", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
}
# And where they came to nothing later on, what they had agreed on by then.
REFUSED = dict.fromkeys(("refused-identity", "refused-phase2-proposal"), AGREED["psk"])
PATHS = {path.stem: path for path in (*ISAKMPD, *STRONGSWAN)}
every = pytest.mark.parametrize("name", AGREED)
both_ends = pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])


@dataclass(frozen=True)
class RecordedShare:
    """Half of a key exchange whose private value nobody has."""

    group: Group
    public: bytes
    peer_public: bytes
    secret: Secret

    def shared(self, peer_public: bytes) -> Secret:
        if peer_public != self.peer_public:
            raise InvalidKeyInformation("not the recorded value")
        return self.secret


@dataclass
class End:
    """One end of a record, played by us."""

    record: Replay
    name: str
    initiator: bool

    @property
    def us(self) -> str:
        return "initiator" if self.initiator else "responder"

    @property
    def them(self) -> str:
        return "responder" if self.initiator else "initiator"

    @property
    def behind_nat(self) -> bool:
        return "strongSwan" in self.record.record["peer"]

    @property
    def configuration(self) -> Configuration:
        transform, suite = (AGREED | REFUSED)[self.name]
        key = self.record.record.get("preshared_key")
        networks = {end: network(self.record, end) for end in ("initiator", "responder")}
        return isakmpd.parse(
            f"""
[Phase 1]
{self.record.record[self.them]}= peer

[Phase 2]
Passive-Connections= tunnel

[peer]
Phase= 1
Address= {self.record.record[self.them]}
Configuration= main-mode
{f"Authentication= {key}" if key else "ID= own-id"}
Allow-Legacy= 3DES,MD5,SHA1,MODP_1024

[own-id]
ID-type= FQDN
Name= {self.own_name}

[main-mode]
EXCHANGE_TYPE= ID_PROT
Transforms= {transform}
Life= ANY

[{transform}]
Life= any-life

[any-life]
LIFE_TYPE= SECONDS
LIFE_DURATION= ANY

[tunnel]
Phase= 2
ISAKMP-peer= peer
Configuration= quick-mode
Local-ID= ours
Remote-ID= theirs

[quick-mode]
EXCHANGE_TYPE= QUICK_MODE
Suites= {suite}

[ours]
ID-type= IPV4_ADDR_SUBNET
Network= {networks[self.us][0]}
Netmask= {networks[self.us][1]}

[theirs]
ID-type= IPV4_ADDR_SUBNET
Network= {networks[self.them][0]}
Netmask= {networks[self.them][1]}
"""
        )

    @property
    def own_name(self) -> str:
        return str(self.record.record.get(f"{self.us}_id", "unused.example.org")).removeprefix("FQDN ")

    @property
    def public(self) -> tuple[bytes, bytes]:
        """Our public value of Phase 1, and theirs."""
        i, r = self.record.g_xi, self.record.g_xr
        return (i, r) if self.initiator else (r, i)

    def local(self, *drawn: bytes, spi: bytes = b"", port: int = 500) -> Local:
        """Random numbers come out as recorded, whatever the size that is asked for."""
        numbers = iter(drawn)
        own = OwnCertificate(self.certificates(self.initiator))
        return Local(
            NOW,
            lambda _: next(numbers),
            lambda *_: spi,
            Endpoint(ip_address(self.record.record[self.us]), port),
            Endpoint(ip_address(self.record.record[self.them]), port),
            Settings(lambda _: own, (), self.configuration.connections_of),
        )

    def certificates(self, initiator: bool) -> tuple[bytes, ...]:
        return tuple(c.data for c in proof(self.record, initiator).message.all(Certificate))

    def hash_of(self, state: ProofAwaited, *, initiator: bool) -> bytes:
        """HASH_I or HASH_R, as our steps compute it over the recorded identity."""
        identity = proof(self.record, initiator).message.one(Identity)
        return phase1.own_hash(replace(state.agreed, initiator=initiator), identity)

    @contextmanager
    def sharing(self, own: bytes, theirs: bytes, secret: bytes) -> Iterator[None]:
        def generate(group: Group, _: object) -> RecordedShare:
            return RecordedShare(group, own, theirs, Secret(secret))

        with patch.object(groups, "generate", generate):
            yield

    def answer(self, outcome: Outcome, local: Local) -> Outcome:
        """Every question, as it must have been answered."""
        while outcome.ask is not None:
            match outcome.ask:
                case IdentifyPeer(peer, identity, _, negotiation):
                    request = IdentityRequest(peer, identity, PresharedKey(Secret(b""), False), negotiation)
                    given: Any = PeerIdentified(YES, request)
                case AuthorizeTunnel():
                    given = TunnelAuthorized(0, (YES,))
                case Sign(_, digest):
                    signature = proof(self.record, self.initiator).message.one(Signature).data
                    verify(self.certificates(self.initiator)[0], digest, signature)
                    given = Signed(signature)
            outcome = VERSION.answer(outcome.state, given, local)
        return outcome


def verify(certificate: bytes, digest: bytes, signature: bytes) -> None:
    """What we would have signed is what was signed."""
    authenticators.verify(load_der_x509_certificate(certificate).public_key(), digest, signature)


def network(record: Replay, end: str) -> tuple[str, str]:
    """The client identity of an end: address and mask."""
    if not messages(record, ExchangeType.QUICK):
        return "192.0.2.0", "255.255.255.0"
    quick = messages(record, ExchangeType.QUICK)[0].message.all(Identity)
    data = quick[0 if end == "initiator" else 1].data
    return str(ip_address(data[:4])), str(ip_address(data[4:]))


@cache
def recorded(name: str) -> Replay:
    return replay(PATHS[name])


def messages(record: Replay, exchange: ExchangeType) -> list[Opened]:
    return [opened for opened in record.opened if opened.message.header.exchange == exchange]


def proof(record: Replay, initiator: bool) -> Opened:
    """Message 5 or 6."""
    return next(o for o in messages(record, ExchangeType.MAIN) if o.by_initiator == initiator)


def take(state: State, data: bytes, local: Local) -> Outcome:
    return VERSION.advance(state, Header.decode(data), data, local)


def datagram(record: Replay, number: int) -> bytes:
    return record.datagrams[number - 1]


def as_recorded(sent: bytes | None, recorded_bytes: bytes, block: int) -> bool:
    """Byte for byte, but for the whole block of padding that charon adds where none is needed."""
    assert sent is not None
    if sent == recorded_bytes:
        return True
    return len(recorded_bytes) == len(sent) + block and recorded_bytes[28 : len(sent)] == sent[28:]


# --- main mode


def keys_agreed(end: End) -> ProofAwaited:
    """Up to where the proofs begin: messages 1 to 4."""
    record = end.record
    cookies = Cookies(record.cky_i, record.cky_r)
    if end.initiator:
        offer = record.clear[0].one(SecurityAssociation)
        state: State = Offered(end.configuration.peers["peer"], record.cky_i, offer)
        with end.sharing(*end.public, record.g_xy.reveal()):
            outcome = take(state, datagram(record, 2), end.local(record.ni))
        assert isinstance(outcome.state, KeysOffered)
        assert_keys(outcome, record.clear[2], end)
        outcome = end.answer(take(outcome.state, datagram(record, 4), end.local()), end.local())
        assert outcome.to_nat_port == end.behind_nat
    else:
        listening = VERSION.accept_ike(Header.decode(datagram(record, 1)), end.configuration.peers["peer"])
        outcome = take(listening, datagram(record, 1), end.local(record.cky_r))
        assert isinstance(outcome.state, Chosen)
        assert outcome.send is not None
        chosen = Message.decode(outcome.send).one(SecurityAssociation)
        assert chosen.raw == record.clear[1].one(SecurityAssociation).raw
        with end.sharing(*end.public, record.g_xy.reveal()):
            outcome = take(outcome.state, datagram(record, 3), end.local(record.nr))
        assert_keys(outcome, record.clear[3], end)
    assert isinstance(outcome.state, ProofAwaited)
    assert outcome.state.agreed.cookies == cookies
    assert outcome.state.agreed.keys == record.skeyid
    assert outcome.state.agreed.nat.detected == end.behind_nat
    return outcome.state


def assert_keys(outcome: Outcome, theirs: Message, end: End) -> None:
    """Message 3 or 4 as recorded; charon tells a lie about its own address, to be taken for behind NAT."""
    assert outcome.send is not None
    ours = Message.decode(outcome.send)
    assert ours.header == replace(theirs.header, length=ours.header.length)
    assert [p for p in ours.payloads if isinstance(p, KeyExchange | Nonce)] == list(theirs.payloads[:2])
    about_them, about_us = ours.all(NatDiscovery)
    assert theirs.all(NatDiscovery)[0] == about_them
    assert (theirs.all(NatDiscovery)[1] == about_us) != end.behind_nat


@every
@both_ends
def test_skeyid_and_nat_detection(name: str, initiator: bool) -> None:
    keys_agreed(End(recorded(name), name, initiator))


@every
@both_ends
def test_our_own_proof(name: str, initiator: bool) -> None:
    """HASH or SIG as recorded, and the recorded payloads sealed by our IV chain are the recorded message."""
    end = End(recorded(name), name, initiator)
    ours = proof(end.record, initiator)
    state = keys_agreed(end)
    port = 4500 if end.behind_nat else 500
    if initiator:
        offered = end.record.clear[0].one(SecurityAssociation)
        first = Offered(end.configuration.peers["peer"], end.record.cky_i, offered)
        with end.sharing(*end.public, end.record.g_xy.reveal()):
            keys = take(first, datagram(end.record, 2), end.local(end.record.ni)).state
        sent = end.answer(take(keys, datagram(end.record, 4), end.local()), end.local()).send
        before = state.agreed.protection
    else:
        asked = take(state, proof(end.record, True).datagram, end.local(port=port))
        assert isinstance(asked.state, Identifying)
        before = asked.state.following
        sent = end.answer(asked, end.local(port=port)).send
    assert before.iv == ours.iv
    assert sent is not None
    mine = before.open(Header.decode(sent), sent)[0].payloads
    assert mine == tuple(p for p in ours.message.payloads if not isinstance(p, Notification | CertificateRequest))
    sealed, _ = before.seal(ours.message.header, ours.message.payloads)
    assert as_recorded(sealed, ours.datagram, before.cipher.block_size)


@every
@both_ends
def test_the_proof_of_the_other_end(name: str, initiator: bool) -> None:
    """It is checked, whatever stands beside it, and the question is about the recorded identity."""
    established(End(recorded(name), name, initiator))


@cache
def established_once(name: str, initiator: bool) -> IkeSa:
    """With the last block of the record: ours is another one where they append a payload to message 6."""
    record = recorded(name)
    return replace(established(End(record, name, initiator)), last_block=record.last_phase1_block)


def established(end: End) -> IkeSa:
    """Up to the SA."""
    record = end.record
    port = 4500 if end.behind_nat else 500
    theirs = proof(record, not end.initiator)
    state = keys_agreed(end)
    if end.initiator:
        # What we sent is what they recorded, so the IV of message 6 is the last block of that.
        state = replace(
            state, protection=replace(state.protection, iv=proof(record, True).datagram[-len(theirs.iv) :])
        )
    outcome = take(state, theirs.datagram, end.local(port=port))
    assert isinstance(outcome.ask, IdentifyPeer)
    assert outcome.ask.identity == theirs.message.one(Identity).normalized()
    if record.method == AuthenticationMethod.RSA_SIG:
        assert outcome.ask.credential == end.certificates(not end.initiator)
    return made(end.answer(outcome, end.local(port=port)))


@every
def test_the_last_block_of_phase_1(name: str) -> None:
    """From which the IVs of all that follows are made: the initiator takes it from message 6."""
    record = recorded(name)
    assert established(End(record, name, True)).last_block == record.last_phase1_block


@pytest.mark.parametrize("name", ["isakmpd-psk", "isakmpd-rsa"])
@both_ends
def test_every_value_that_isakmpd_traced_on_the_way(name: str, initiator: bool) -> None:
    """What our states hold, under its names for it."""
    end = End(recorded(name), name, initiator)
    state, ike = keys_agreed(end), established_once(name, initiator)
    first_of_quick = messages(end.record, ExchangeType.QUICK)[0]
    listening = VERSION.accept_child(first_of_quick.message.header, ike)
    assert isinstance(listening, quick_mode.Listening)
    traced = dict(reversed(end.record.trace))  # the first of each
    at_keys, keys = "ike_phase_1_post_exchange_KE_NONCE: ", state.agreed.keys
    assert traced[at_keys + "SKEYID"] == keys.skeyid.reveal()
    assert traced[at_keys + "SKEYID_d"] == keys.d.reveal()
    assert traced[at_keys + "SKEYID_a"] == keys.a.reveal()
    assert traced[at_keys + "SKEYID_e"] == keys.e.reveal()
    assert traced["crypto_init_iv: initialized IV"] == state.agreed.protection.iv
    assert traced["ike_phase_1_recv_AUTH: computed HASH_I"] == end.hash_of(state, initiator=True)
    assert traced["ipsec_get_keystate: final phase 1 IV"] == ike.last_block
    assert traced["ipsec_get_keystate: phase 2 IV"] == listening.protection.iv


# --- quick mode


def quick_numbers(end: End) -> tuple[bytes, bytes, bytes, tuple[bytes, bytes] | None]:
    """What we drew for our message of quick mode: id, nonce, SPI, and public values if there was PFS."""
    one, two = messages(end.record, ExchangeType.QUICK)[:2]
    ours, theirs = (one, two) if end.initiator else (two, one)
    key = ours.message.first(KeyExchange)
    publics = None if key is None else (key.data, theirs.message.one(KeyExchange).data)
    spi = ours.message.one(SecurityAssociation).proposals[0].spi
    return one.message.header.message_id.to_bytes(4, "big"), ours.message.one(Nonce).data, spi, publics


@every
def test_message_2_and_the_keys_of_the_responder(name: str) -> None:
    end = End(recorded(name), name, False)
    ike = established_once(name, False)
    one, two, three = messages(end.record, ExchangeType.QUICK)[:3]
    _, nonce, spi, publics = quick_numbers(end)
    local = end.local(nonce, spi=spi, port=4500)
    with end.sharing(*(publics or (b"", b"")), end.record.secrets[-1]):
        asked = take(VERSION.accept_child(one.message.header, ike), one.datagram, local)
        answered = end.answer(asked, local)
    assert as_recorded(answered.send, two.datagram, ike.cipher.block_size)
    state = answered.state
    if isinstance(state, quick_mode.Answered):  # who pads more goes on from another block
        iv = two.datagram[-ike.cipher.block_size :]
        state = replace(state, protections=tuple(replace(p, iv=iv) for p in state.protections))
    outcome = take(state, three.datagram, local)
    assert_keys_of(tunnel_of(outcome), end)


def test_message_1_and_3_and_the_keys_of_the_initiator() -> None:
    """Where our configuration says what the initiator's said, our offer is its offer, byte for byte."""
    same = 0
    for name in AGREED:
        end = End(recorded(name), name, True)
        ike = established_once(name, True)
        one, two, three = messages(end.record, ExchangeType.QUICK)[:3]
        id, nonce, spi, publics = quick_numbers(end)
        local = end.local(id, nonce, spi=spi, port=4500)
        with end.sharing(*(publics or (b"", b"")), end.record.secrets[-1]):
            begun = VERSION.initiate_child(ike, end.configuration.connections["tunnel"], local)
        same += as_recorded(begun.send, one.datagram, ike.cipher.block_size)
        offered = begun.state
        assert isinstance(offered, quick_mode.Offered)
        # charon writes the same offer with other attributes first; from here on with what it has offered.
        theirs = replace(
            offered,
            offer=one.message.one(SecurityAssociation),
            protection=replace(offered.protection, iv=one.datagram[-ike.cipher.block_size :]),
        )
        confirmed = end.answer(take(theirs, two.datagram, local), local)
        assert as_recorded(confirmed.send, three.datagram, ike.cipher.block_size)
        assert_keys_of(tunnel_of(confirmed), end)
    assert same == 2, "the two isakmpds"


def tunnel_of(outcome: Outcome) -> Tunnel:
    (tunnel,) = [change.tunnel for change in outcome.changes if isinstance(change, AddTunnel)]
    return tunnel


def assert_keys_of(tunnel: Tunnel, end: End) -> None:
    keys = {sa.spi.hex(): (sa.encryption_key.reveal() + sa.integrity_key.reveal()).hex() for sa in tunnel.sas}
    assert keys == {key["spi"]: key["keymat"] for key in end.record.record["responder_ipsec_keys"]}


# --- informational


@every
@both_ends
def test_deletes(name: str, initiator: bool) -> None:
    """Who receives them reads them; who sends them writes them as recorded."""
    end = End(recorded(name), name, initiator)
    ike = established_once(name, initiator)
    for told in messages(end.record, ExchangeType.INFORMATIONAL):
        id = told.message.header.message_id.to_bytes(4, "big")
        delete = told.message.first(Delete)
        if delete is None:
            continue
        if told.by_initiator != initiator:
            (change,) = take(VERSION.accept_child(told.message.header, ike), told.datagram, end.local()).changes
            if delete.protocol == ProtocolId.ISAKMP:
                assert isinstance(change, DeleteIkeSa)
                assert change.cookies == ike.cookies
            else:
                assert isinstance(change, DeleteTunnels)
                assert change.spis == delete.spis
        elif delete.protocol == ProtocolId.ISAKMP:
            sent = informational.delete_ike_sa(informational.Channel.of(ike), lambda _, id=id: id)  # type: ignore[misc]
            assert as_recorded(sent, told.datagram, ike.cipher.block_size)


def test_dead_peer_detection() -> None:
    """RFC 3706: the recorded R-U-THERE gets the recorded acknowledgement."""
    end = End(recorded("psk"), "psk", False)
    asked, told = (o for o in messages(end.record, ExchangeType.INFORMATIONAL) if o.message.first(Notification))
    ike = established_once("psk", False)
    id = told.message.header.message_id.to_bytes(4, "big")
    outcome = take(VERSION.accept_child(asked.message.header, ike), asked.datagram, end.local(id))
    (sent,) = outcome.notify
    assert as_recorded(sent, told.datagram, ike.cipher.block_size)


# --- refusals


def test_a_refused_identity_is_a_hint() -> None:
    record = recorded("refused-identity")
    state = keys_agreed(End(record, "refused-identity", True))
    sent = next(o for o in record.opened if o.by_initiator)
    (told,) = messages(record, ExchangeType.INFORMATIONAL)
    state = replace(state, protection=replace(state.protection, iv=sent.datagram[-16:]))
    assert VERSION.hints(state, told.message.header, told.datagram) == ("AUTHENTICATION_FAILED",)


def test_a_refused_quick_mode_names_no_spi() -> None:
    name = "refused-phase2-proposal"
    ike = established_once(name, True)
    told = next(o for o in messages(recorded(name), ExchangeType.INFORMATIONAL) if not o.by_initiator)
    end = End(recorded(name), name, True)
    (change,) = take(VERSION.accept_child(told.message.header, ike), told.datagram, end.local()).changes
    assert change == FailPhase2(ike, None, "NO_PROPOSAL_CHOSEN")


def test_a_refused_proposal_of_phase_1_is_a_hint() -> None:
    record = json.loads(PATHS["refused-phase1-proposal"].read_text())
    data = bytes.fromhex(record["datagrams"][1]["hex"])
    offered = Message.decode(bytes.fromhex(record["datagrams"][0]["hex"]))
    peer = End(recorded("psk"), "psk", True).configuration.peers["peer"]
    state = Offered(peer, offered.header.initiator_cookie, offered.one(SecurityAssociation))
    assert VERSION.hints(state, Header.decode(data), data) == ("NO_PROPOSAL_CHOSEN",)
    assert state.ike_cookies == Cookies(offered.header.initiator_cookie, bytes(8))
