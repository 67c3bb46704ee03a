# SPDX-License-Identifier: ISC
"""Recorded exchanges of strongSwan: the groups, ciphers and hashes that the isakmpd ones do not use."""

from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest

from ike_auth.crypto.ciphers import Cbc, esp_cipher, integrity
from ike_auth.crypto.key_material import nat_d
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.messages import Message, encode_payloads
from ike_auth.wire.numbers import AuthenticationAlgorithm, EspTransform, ExchangeType, IpsecAttribute
from ike_auth.wire.payloads import Hash, Identification, NatDiscovery, Nonce
from ike_auth.wire.proposals import Proposal, SecurityAssociation
from tests.ike_auth.crypto.captures import STRONGSWAN, Replay, replay

cached_replay = cache(replay)
COMPLETE = [path for path in STRONGSWAN if not path.stem.startswith("refused")]
by_name = pytest.mark.parametrize("path", COMPLETE, ids=lambda path: path.stem)


def values(exchange: Replay, label: str) -> list[str]:
    return [value.hex() for name, value in exchange.trace if name == label]


def test_what_is_covered() -> None:
    assert {"psk-curve25519", "psk-ecp384", "psk-legacy", "psk-no-pfs", "rsa-fragments"} <= {p.stem for p in COMPLETE}


@by_name
def test_skeyid_and_keys(path: Path) -> None:
    exchange = cached_replay(path)
    skeyid = exchange.skeyid
    computed = {
        "SKEYID": skeyid.skeyid.reveal(),
        "SKEYID_d": skeyid.d.reveal(),
        "SKEYID_a": skeyid.a.reveal(),
        "SKEYID_e": skeyid.e.reveal(),
        "encryption key Ka": exchange.key.reveal(),
        "initial IV": exchange.first_iv,
    }
    for label, value in computed.items():
        assert values(exchange, label) == [value.hex()], label


@by_name
def test_every_message_both_ways(path: Path) -> None:
    """Plaintext and ciphertext; of messages that it sent the daemon shows the text without padding."""
    exchange = cached_replay(path)
    cbc = Cbc(exchange.cipher, exchange.key)
    for opened in exchange.opened:
        plain = next(value for value in values(exchange, "plain") if opened.plaintext.hex().startswith(value))
        assert set(opened.plaintext[len(plain) // 2 :]) <= {0}
        assert opened.ciphertext.hex() in values(exchange, "encrypted") or not opened.by_initiator
        assert cbc.encrypt(opened.plaintext, opened.iv) == (opened.ciphertext, opened.next_iv)
        _, chain = encode_payloads(opened.message.payloads)
        assert opened.plaintext.startswith(chain)
    assert len(values(exchange, "plain")) == len(exchange.opened)


@by_name
def test_hashes(path: Path) -> None:
    exchange = cached_replay(path)
    for by_initiator, label in ((True, "HASH_I"), (False, "HASH_R")):
        identity = next(o.message.one(Identification) for o in exchange.opened if o.by_initiator == by_initiator)
        assert [exchange.phase1_hash(by_initiator, identity.encode()).hex()] == values(exchange, label)
    first, second, third = quick_mode(exchange)
    message_id = first.header.message_id
    ni, nr = first.one(Nonce).data, second.one(Nonce).data
    expected = {
        "Hash(1)": (first, exchange.skeyid.hash_1(message_id, first.after_first)),
        "Hash(2)": (second, exchange.skeyid.hash_2(message_id, ni, second.after_first)),
        "Hash(3)": (third, exchange.skeyid.hash_3(message_id, ni, nr)),
    }
    for label, (message, value) in expected.items():
        assert message.one(Hash).data == value
        assert values(exchange, label) == [value.hex()]


@by_name
def test_informational_hashes(path: Path) -> None:
    exchange = cached_replay(path)
    informational = [o.message for o in exchange.opened if o.message.header.exchange == ExchangeType.INFORMATIONAL]
    assert informational
    for message in informational:
        assert message.one(Hash).data == exchange.skeyid.hash_1(message.header.message_id, message.after_first)


@by_name
def test_nat_discovery(path: Path) -> None:
    """The hash of the destination is true; the daemon falsifies the one of the source."""
    exchange = cached_replay(path)
    with_nat_d = [message for message in exchange.clear if message.all(NatDiscovery)]
    for message, address in zip(with_nat_d, ("responder", "initiator"), strict=True):
        expected = nat_d(
            exchange.hash,
            cky_i=exchange.cky_i,
            cky_r=exchange.cky_r,
            address=ip_address(exchange.record[address]),
            port=500,
        )
        assert message.all(NatDiscovery)[0].data == expected


@by_name
def test_keymat(path: Path) -> None:
    exchange = cached_replay(path)
    recorded = {key["spi"]: key["keymat"] for key in exchange.record["responder_ipsec_keys"]}
    first, second, _ = quick_mode(exchange)
    chosen = second.one(SecurityAssociation).proposals[0]
    offered = next(p for p in first.one(SecurityAssociation).proposals if p.number == chosen.number)
    computed = {
        proposal.spi.hex(): exchange.skeyid.keymat(
            proposal.protocol,
            proposal.spi,
            ni=first.one(Nonce).data,
            nr=second.one(Nonce).data,
            length=key_size(chosen),
            g_xy=Secret(exchange.secrets[1]) if len(exchange.secrets) > 1 else None,
        )
        for proposal in (offered, chosen)
    }
    assert {spi: key.reveal().hex() for spi, key in computed.items()} == recorded


def quick_mode(exchange: Replay) -> list[Message]:
    return [o.message for o in exchange.opened if o.message.header.exchange == ExchangeType.QUICK]


def key_size(proposal: Proposal) -> int:
    transform = proposal.transforms[0]
    attributes = {attribute.type: attribute.as_int for attribute in transform.attributes}
    cipher = esp_cipher(EspTransform(transform.id), attributes.get(IpsecAttribute.KEY_LENGTH))
    if cipher.aead:
        return cipher.key_size
    algorithm = AuthenticationAlgorithm(attributes[IpsecAttribute.AUTHENTICATION_ALGORITHM])
    return cipher.key_size + integrity(algorithm).key_size
