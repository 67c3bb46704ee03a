# SPDX-License-Identifier: ISC
"""Traffic through tunnels between our userspace ESP and strongSwan's."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from ike_auth.engine.liveness import MOST_PROBES, REPEAT
from tests.interop.conftest import Meet, SideBySide
from tests.interop.meeting import TUNNEL_DOWN, TUNNEL_UP, Changes, Meeting
from tests.interop.namespaces import Gateways
from tests.interop.ours import CONNECTION
from tests.interop.traffic import MEGABYTE, eavesdropper, ping, transfer, wait_for_traffic

DEAD = 1 + (MOST_PROBES + 1) * REPEAT  # seconds after which a silent peer is given up, at most

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


def test_status_says_how_much(meet: Meet, gateways: Gateways) -> None:
    meeting = up(meet)
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    transfer(gateways.b, gateways.a, MEGABYTE)
    [tunnel] = meeting.ours.request("status")["tunnels"]
    assert tunnel["bytes_in"] > MEGABYTE
    assert tunnel["packets_in"] > tunnel["packets_out"] > 0
    shown = meeting.ours.cli("status")
    assert re.search(r"  received [\d,]+ packets of 1,\d{3},\d{3} bytes in all, sent [\d,]+ packets", shown), shown


def test_large_packets_pass_in_pieces(meet: Meet, gateways: Gateways) -> None:
    up(meet)
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    assert ping(gateways.a, gateways.b.inner_address, 3, size=8000).lost == 0
    assert ping(gateways.b, gateways.a.inner_address, 3, size=8000).lost == 0


CASES = {
    f"IPv{version}-{'ours' if we_initiate else 'theirs'}": (version, we_initiate)
    for version in (4, 6)
    for we_initiate in (True, False)
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A tunnel that carries traffic, of one version of IP, begun by one of the two."""

    meeting: Meeting
    gateways: Gateways
    version: int
    we_initiate: bool

    @classmethod
    def up(cls, meet: Meet, gateways: Gateways, case: str, our: Changes, their: Changes | None = None) -> Self:
        version, we_initiate = CASES[case]
        meeting = meet(
            "psk",
            we_initiate=we_initiate,
            our={"kernel": "userspace", "suite": ESP["aes128gcm16"], "inner_version": version, **our},
            their={"esp": "aes128gcm16", "inner_version": version, **(their or {})},
        )
        meeting.wait_until_up()
        pair = cls(meeting, gateways, version, we_initiate)
        pair.wait_for_traffic(5)
        return pair

    @property
    def ends(self) -> tuple[str, str]:
        """The addresses within, ours first."""
        a, b = self.gateways.a, self.gateways.b
        return (a.inner_address, b.inner_address) if self.version == 4 else (a.inner_address6, b.inner_address6)

    def wait_for_traffic(self, seconds: float) -> None:
        """From us; then it has to flow from there as well."""
        wait_for_traffic(self.gateways.a, self.ends[1], seconds)
        assert ping(self.gateways.b, self.ends[0], 2).lost == 0

    def transfer_both_ways(self) -> None:
        transfer(self.gateways.a, self.gateways.b, MEGABYTE, version=self.version)
        transfer(self.gateways.b, self.gateways.a, MEGABYTE, version=self.version)


@pytest.mark.parametrize("we_rekey", [True, False], ids=["we rekey", "the peer rekeys"])
def test_no_packet_is_lost_in_a_rekey(side_by_side: SideBySide, we_rekey: bool) -> None:
    """Until the old tunnel is gone: at its end, or before. How long it lives says whoever begins."""

    def rekeyed(meet: Meet, gateways: Gateways, case: str) -> None:
        life = 8 if we_rekey else 1200
        pair = Pair.up(meet, gateways, case, {"life": life}, {"life": life})
        if not we_rekey:
            pair.meeting.charon.rekey_child()
        pings = ping(gateways.a, pair.ends[1], 180 if we_rekey else 140, interval=0.05)
        assert pings.lost == 0
        ours, charon = pair.meeting.ours, pair.meeting.charon
        assert len(re.findall(TUNNEL_UP, ours.log)) >= 2
        # It ends at both ends in the same second, and either may be the first to say so.
        why = "(expired|deleted by the peer)" if we_rekey else "replaced"
        assert re.search(rf"{TUNNEL_DOWN}.*: {why}", ours.log)
        begun_by_charon = len(re.findall(r"generating QUICK_MODE request \d+ \[ HASH SA ", charon.log))
        assert begun_by_charon == (not pair.we_initiate) + (not we_rekey)

    side_by_side(rekeyed, CASES)


@pytest.mark.parametrize("we_delete", [True, False], ids=["we delete", "the peer deletes"])
def test_traffic_after_a_delete_and_a_new_tunnel(side_by_side: SideBySide, we_delete: bool) -> None:
    """Whoever began it begins again, if it was deleted there by hand; we do so by ourselves."""

    def deleted(meet: Meet, gateways: Gateways, case: str) -> None:
        pair = Pair.up(meet, gateways, case, {"check_interval": 2})
        ours, charon = pair.meeting.ours, pair.meeting.charon
        if we_delete:
            ours.request("down", {"name": CONNECTION})
            charon.wait_for_log("received DELETE for ESP CHILD_SA")
            assert ping(gateways.a, pair.ends[1], 2).received == 0
            assert ping(gateways.b, pair.ends[0], 2).received == 0
        else:
            charon.terminate()
            ours.wait_for_log(rf"{TUNNEL_DOWN}.*: deleted by the peer")
        if not pair.we_initiate:
            charon.initiate()
        elif we_delete:
            ours.request("up", {"name": CONNECTION})
        pair.wait_for_traffic(15)
        assert len(re.findall(TUNNEL_UP, ours.log)) >= 2
        pair.transfer_both_ways()

    side_by_side(deleted, CASES)


@pytest.mark.parametrize("we_crash", [True, False], ids=["we crash", "the peer crashes"])
def test_traffic_after_a_crash(side_by_side: SideBySide, we_crash: bool) -> None:
    """Nobody does anything by hand: of a dead peer we know by DPD; of our own crash it knows by INITIAL-CONTACT."""

    def crashed(meet: Meet, gateways: Gateways, case: str) -> None:
        pair = Pair.up(meet, gateways, case, {"check_interval": 2, "probe_after": 1})
        victim = pair.meeting.ours if we_crash else pair.meeting.charon
        victim.crash()
        assert ping(gateways.a, pair.ends[1], 2).received == 0
        victim.start()
        pair.wait_for_traffic(10 if we_crash else DEAD + 5)
        if not we_crash:
            assert "the peer is dead" in pair.meeting.ours.log
        pair.transfer_both_ways()

    side_by_side(crashed, CASES)
