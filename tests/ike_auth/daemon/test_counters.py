# SPDX-License-Identifier: ISC
import json
from argparse import Namespace
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from ike_auth.daemon import counters
from ike_auth.daemon.control import ControlError
from ike_auth.daemon.kernel import Kernel, SaStatus
from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.sa import Tunnel
from tests.ike_auth.esp.inner import udp
from tests.ike_auth.esp.pair import Pair
from tests.ike_auth.esp.sas import at_the_peer


@dataclass
class Counted:
    """As much of a kernel."""

    sas: list[SaStatus]
    drops: dict[str, int] = field(default_factory=dict)


def test_what_was_carried_and_dropped() -> None:
    pair = Pair()
    assert len(pair.opened(*pair.sealed(udp(b"hello"), udp(b"again"), now=10.0), now=12.0)) == 2
    kernel = Counted(pair.b.sas(), {"replayed": 3})
    said = counters.traffic(cast(Kernel, kernel), 14.5)
    assert said["drops"] == {"replayed": 3}
    [used, unused] = said["sas"]
    assert used == {
        "spi": "01020304",
        "inbound": True,
        "protocol": "ESP AES_GCM_16-128 udp-tunnel no PFS",
        "local": "10.2.0.0/16",
        "remote": "10.1.0.0/16",
        "local_endpoint": "192.0.2.2:4500",
        "remote_endpoint": "192.0.2.1:4500",
        "packets": 2,
        "bytes": 66,
        "sequence": 2,
        "first_used": 2.5,
        "last_used": 2.5,
        "mtu": used["mtu"],
    }
    assert (unused["inbound"], unused["packets"], unused["last_used"]) == (False, 0, None)
    text = json.dumps(said)
    for sa in (pair.there, pair.back):
        assert sa.encryption_key.reveal().hex() not in text


def test_what_a_tunnel_has_carried() -> None:
    """IPCOMP stands beside the ESP through which its packets go, and is counted there."""
    pair = Pair()
    assert len(pair.opened(*pair.sealed(udp(b"hello"), udp(b"again")))) == 2
    compressing = replace(pair.back, spi=b"\0\0\1\2")
    tunnel = cast(Tunnel, Namespace(inbound=(compressing, at_the_peer(pair.there)), outbound=(pair.back,)))
    there = counters.by_sa(cast(Kernel, Counted(pair.b.sas())))
    assert counters.of_tunnel(tunnel, there) == {"packets_in": 2, "bytes_in": 66, "packets_out": 0, "bytes_out": 0}
    nothing = dict.fromkeys(("packets_in", "bytes_in", "packets_out", "bytes_out"))
    assert counters.of_tunnel(tunnel, counters.by_sa(MemoryKernel())) == nothing


def test_a_kernel_that_sees_no_packets() -> None:
    with pytest.raises(ControlError, match="this kernel backend counts no packets"):
        counters.traffic(MemoryKernel(), 0.0)
