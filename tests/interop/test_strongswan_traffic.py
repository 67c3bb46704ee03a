# SPDX-License-Identifier: ISC
"""Traffic through tunnels between our userspace ESP and strongSwan's."""

from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Meet
from tests.interop.meeting import TUNNEL_DOWN, TUNNEL_UP, Meeting
from tests.interop.namespaces import Gateways
from tests.interop.traffic import MEGABYTE, eavesdropper, ping, transfer, wait_for_traffic

# charon's words for a phase 2 proposal, and isakmpd's
ESP = {
    "aes128gcm16": "QM-ESP-AESGCM-128-SUITE",
    "aes256gcm16-modp2048": "QM-ESP-AESGCM-256-PFS-GRP14-SUITE",
    "aes128-sha1": "QM-ESP-AES-128-SHA-SUITE",
    "aes256-sha1-modp2048": "QM-ESP-AES-256-SHA-PFS-GRP14-SUITE",
    "aes128-sha256-modp2048": "QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE",
    "aes256-sha256": "QM-ESP-AES-256-SHA2-256-SUITE",
    "aes256-sha512": "QM-ESP-AES-256-SHA2-512-SUITE",
}


def up(meet: Meet, esp: str = "aes128gcm16", *, we_initiate: bool = True, version: int = 4, **our: Any) -> Meeting:
    meeting = meet(
        "rsa",
        we_initiate=we_initiate,
        our={"kernel": "userspace", "suite": ESP[esp], "inner_version": version, **our},
        their={"esp": esp, "inner_version": version},
    )
    meeting.wait_until_up()
    return meeting


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("esp", ESP)
def test_traffic_flows_both_ways(meet: Meet, gateways: Gateways, esp: str, version: int, we_initiate: bool) -> None:
    up(meet, esp, we_initiate=we_initiate, version=version)
    a, b = gateways.a, gateways.b
    there, here = (g.inner_address if version == 4 else g.inner_address6 for g in (b, a))
    wait_for_traffic(a, there)
    assert ping(a, there, 5).lost == 0
    assert ping(b, here, 5, size=1300).lost == 0
    transfer(a, b, 4 * MEGABYTE, version=version)
    transfer(b, a, 4 * MEGABYTE, version=version)


def test_nothing_is_seen_in_clear(meet: Meet, gateways: Gateways, tmp_path: Path) -> None:
    with eavesdropper(gateways.b, tmp_path / "seen") as listening:
        meeting = up(meet)
        wait_for_traffic(gateways.a, gateways.b.inner_address)
        transfer(gateways.a, gateways.b, MEGABYTE)
        meeting.charon.stop()
        meeting.ours.wait_for_log(rf"{TUNNEL_DOWN}.*: deleted by the peer")
        assert ping(gateways.a, gateways.b.inner_address, 2).received == 0
        assert any(packet.ports == (4500, 4500) for packet in listening.seen)
        assert listening.in_clear == []


def test_large_packets_pass_in_pieces(meet: Meet, gateways: Gateways) -> None:
    up(meet)
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    assert ping(gateways.a, gateways.b.inner_address, 3, size=8000).lost == 0
    assert ping(gateways.b, gateways.a.inner_address, 3, size=8000).lost == 0


@pytest.mark.parametrize("we_rekey", [True, False], ids=["we rekey", "the peer rekeys"])
def test_no_packet_is_lost_in_a_rekey(meet: Meet, gateways: Gateways, we_rekey: bool) -> None:
    meeting = up(meet, life=12 if we_rekey else 1200)
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    if not we_rekey:
        meeting.charon.rekey_child()
    pings = ping(gateways.a, gateways.b.inner_address, 300, interval=0.05)
    assert meeting.ours.log.count(TUNNEL_UP.removesuffix(" at ")) >= 2
    assert pings.lost == 0


def test_traffic_after_a_delete_and_a_new_tunnel(meet: Meet, gateways: Gateways) -> None:
    meeting = up(meet, check_interval=2)
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    meeting.charon.terminate()
    meeting.ours.wait_for_log(rf"{TUNNEL_DOWN}.*: deleted by the peer")
    wait_for_traffic(gateways.a, gateways.b.inner_address, 15)
