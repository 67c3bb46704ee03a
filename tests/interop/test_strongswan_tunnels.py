# SPDX-License-Identifier: ISC
"""Tunnels between our daemon and strongSwan's: what comes up, with which algorithms and keys, and how it ends."""

from hashlib import sha256

import pytest

from tests.interop.conftest import Meet
from tests.interop.key_log import ipsec_keys, values_in
from tests.interop.meeting import (
    OUR_NAME,
    PEER_NAME,
    PHASE_1_DOWN,
    PHASE_1_UP,
    TUNNEL_DOWN,
    TUNNEL_UP,
    Auth,
)

# charon's words for a phase 2 proposal, and isakmpd's
ESP = {
    "aes256-sha256-modp2048": "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE",
    "aes256-sha256": "QM-ESP-AES-256-SHA2-256-SUITE",
    "aes256gcm16-modp2048": "QM-ESP-AESGCM-256-PFS-GRP14-SUITE",
    "aes128gcm16": "QM-ESP-AESGCM-128-SUITE",
}
IKE = {
    "aes128-sha256-ecp256": "AES-128-SHA2-256-GRP19",
    "aes192-sha384-ecp384": "AES-192-SHA2-384-GRP20",
    "aes256-sha512-curve25519": "AES-256-SHA2-512-GRP31",
    "aes256-sha256-modp4096": "AES-256-SHA2-256-GRP16",
}


@pytest.mark.parametrize(
    ("method", "esp"),
    [
        *(("rsa", esp) for esp in ESP),
        *(("psk", esp) for esp in ESP if "gcm" not in esp),
    ],
)
def test_tunnel_comes_up_and_is_deleted_at_our_end(meet: Meet, method: Auth, esp: str, we_initiate: bool) -> None:
    meeting = meet(
        method,
        we_initiate=we_initiate,
        our={"suite": ESP[esp], "as_json": True},
        their={"esp": esp, "log_keys": True},
    )
    ike, child = meeting.wait_until_up()

    assert ike.initiator is not we_initiate
    assert (ike.encryption, ike.dh_group) == ("AES_CBC", "MODP_2048")
    assert (ike.local_port, ike.remote_port) == ("4500", "4500")
    if method == "rsa":
        assert (ike.local_id, ike.remote_id) == (PEER_NAME, OUR_NAME)
        meeting.ours.wait_for_log(rf"{PHASE_1_UP}.*: FQDN {PEER_NAME}, AES_CBC-256 SHA2_256 MODP_2048 RSA_SIG, ")
    assert (child.mode, child.udp_encapsulated) == ("TUNNEL", True)
    assert child.dh_group == ("MODP_2048" if "modp2048" in esp else "")
    if "gcm" in esp:
        assert (child.encryption, child.key_bits) == ("AES_GCM_16", esp[3:6])
    else:
        assert (child.encryption, child.key_bits, child.integrity) == ("AES_CBC", "256", "HMAC_SHA2_256_128")
    up = meeting.ours.wait_for_log(rf"{TUNNEL_UP}.*")
    assert f"SPI in {child.spi_out} out {child.spi_in} (POLICY → " in up
    assert meeting.ours.fingerprints() == charon_fingerprints(meeting.charon.log)

    assert meeting.ours.stop() == 0
    meeting.charon.wait_until_empty()


def charon_fingerprints(log: str) -> dict[str, str]:
    """What ours says of keys that it does not print, of keys that charon prints."""
    keys = {key["spi"]: bytes.fromhex(key["keymat"]) for key in ipsec_keys(list(values_in(log)))}
    return {
        spi: sha256(b"ike-auth key fingerprint" + bytes.fromhex(spi) + keymat).hexdigest()[:16]
        for spi, keymat in keys.items()
    }


def test_tunnel_is_deleted_at_the_peers_end(meet: Meet, auth: Auth, we_initiate: bool) -> None:
    meeting = meet(auth, we_initiate=we_initiate)
    meeting.wait_until_up()
    meeting.charon.terminate()
    meeting.ours.wait_for_log(rf"{TUNNEL_DOWN}.*: deleted by the peer")
    meeting.ours.wait_for_log(rf"{PHASE_1_DOWN}.*: deleted by the peer")


def test_tunnel_is_deleted_when_the_peer_shuts_down(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("rsa", we_initiate=we_initiate)
    meeting.wait_until_up()
    meeting.charon.stop()
    meeting.ours.wait_for_log(rf"{TUNNEL_DOWN}.*: deleted by the peer")
    meeting.ours.wait_for_log(rf"{PHASE_1_DOWN}.*: deleted by the peer")


@pytest.mark.parametrize(("ike", "initiate"), [(ike, number % 2 == 0) for number, ike in enumerate(IKE)])
def test_groups_and_hashes_of_phase_1(meet: Meet, ike: str, initiate: bool) -> None:
    meeting = meet("psk", we_initiate=initiate, our={"transform": IKE[ike]}, their={"ike": ike})
    sa, _ = meeting.wait_until_up()
    assert sa.dh_group == {"ecp256": "ECP_256", "ecp384": "ECP_384", "modp4096": "MODP_4096"}.get(
        ike.split("-")[2], "CURVE_25519"
    )


def test_legacy_algorithms_with_the_switch(meet: Meet, we_initiate: bool) -> None:
    meeting = meet(
        "psk",
        we_initiate=we_initiate,
        our={
            "transform": "3DES-MD5-GRP2",
            "suite": "QM-ESP-3DES-MD5-SUITE",
            "allow_legacy": "3DES,MD5,MODP_1024",
            "cipher": "3des",
        },
        their={"ike": "3des-md5-modp1024", "esp": "3des-md5"},
    )
    _, child = meeting.wait_until_up()
    assert (child.encryption, child.integrity) == ("3DES_CBC", "HMAC_MD5_96")
    meeting.ours.wait_for_log(r"warning.*legacy algorithms in use with charon: 3DES, MD5, MODP_1024")


def test_first_proposal_that_both_accept_is_taken(meet: Meet) -> None:
    meeting = meet(
        "psk",
        we_initiate=False,
        their={
            "ike": "3des-sha1-modp1024,aes128-sha256-modp3072,aes256-sha256-modp2048",
            "esp": "3des-sha1-modp2048,aes128gcm16-modp2048,aes256-sha256-modp2048",
        },
    )
    ike, child = meeting.wait_until_up()
    assert (ike.encryption, ike.dh_group) == ("AES_CBC", "MODP_2048")
    assert (child.encryption, child.key_bits, child.integrity) == ("AES_CBC", "256", "HMAC_SHA2_256_128")


def test_fragments_are_put_together(meet: Meet, we_initiate: bool) -> None:
    """Main mode message 5 or 6, with an RSA-2048 certificate, in three parts or more."""
    meeting = meet("rsa", we_initiate=we_initiate, their={"fragment_size": 576})
    meeting.wait_until_up()
    meeting.charon.wait_for_log(r"splitting IKE message \(\d+ bytes\) into [3-9] fragments")


def test_we_answer_dead_peer_detection(meet: Meet) -> None:
    meeting = meet("psk", we_initiate=False, their={"dpd_delay": 1})
    meeting.charon.wait_for_log(r"parsed INFORMATIONAL_V1 .* N\(DPD_ACK\)")
    meeting.wait_until_up()
