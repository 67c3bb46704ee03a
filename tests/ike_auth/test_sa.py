# SPDX-License-Identifier: ISC
from dataclasses import replace

from ike_auth.crypto.secrets import Secret
from ike_auth.sa import Nat
from tests.ike_auth.test_sa_table import ike_sa, made


def test_a_fingerprint_depends_on_both_keys_and_the_spi_and_says_nothing_of_them() -> None:
    sa = made()[1].inbound[0]
    others = [
        replace(sa, spi=b"else"),
        replace(sa, encryption_key=Secret(b"another")),
        replace(sa, integrity_key=Secret(b"another")),
    ]
    assert len({sa.fingerprint, *(other.fingerprint for other in others)}) == 4
    assert replace(sa, inbound=False, life_seconds=1).fingerprint == sa.fingerprint
    assert sa.encryption_key.reveal().hex() not in repr(sa)
    assert repr(sa.encryption_key) == "Secret(16 bytes)"


def test_nothing_new_begins_in_the_last_tenth_of_a_life() -> None:
    assert ike_sa(established=100.0, expires=200.0).fades == 190.0


def test_one_line_for_logs() -> None:
    assert str(ike_sa(0x5A)) == "IKE SA 5a5a5a5a with peer at 10.99.0.2:500 as IPV4_ADDR 10.99.0.2"
    assert made()[1].name == "tunnel"
    unnamed = replace(made()[1], connection=None)
    assert unnamed.name == "peer 10.1.0.0/16 ↔ 10.2.0.0/16"
    assert [nat.detected for nat in (Nat(), Nat(True, True), Nat(True, False, True))] == [False, True, True]
