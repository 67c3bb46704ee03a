# SPDX-License-Identifier: ISC
import os
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.capabilities import keep_net_admin
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.steering import Steering
from ike_auth.daemon.network.tun import Tun
from tests.ike_auth.daemon.network.commands import outer_network, way
from tests.ike_auth.daemon.network.isolated import become_nobody, in_namespaces, unprivileged
from tests.ike_auth.daemon.network.test_selection import selector

NONE, NET_ADMIN = f"{0:016x}", f"{1 << 12:016x}"


@in_namespaces()
def test_another_user_still_changes_routes() -> None:
    outer_network()
    with closing(Netlink.open()) as netlink, closing(Tun.open()) as tun:
        number = links.index(netlink, tun.name)
        links.set_up_tun(netlink, number, 1400)
        keep_net_admin(become_nobody)
        assert os.getresuid() == (65534, 65534, 65534)
        with closing(Steering(netlink, number)) as steered:
            steered.steer(selector("10.1.0.0/16"), selector("10.2.0.0/16"))
            assert way("10.2.0.1") == "esp0"
        ours = Path("/proc/self/status").read_text()
        assert capabilities(ours) == {"Inh": NONE, "Prm": NET_ADMIN, "Eff": NET_ADMIN}
        of_a_program = subprocess.check_output(["cat", "/proc/self/status"], text=True)
        assert set(capabilities(of_a_program).values()) == {NONE}
        with pytest.raises(PermissionError):
            os.setuid(0)


@unprivileged
def test_there_must_be_one_to_keep() -> None:
    with pytest.raises(NetworkError, match="cannot keep CAP_NET_ADMIN: Operation not permitted"):
        keep_net_admin(lambda: None)


def capabilities(status: str) -> dict[str, str]:
    return dict(re.findall(r"^Cap(Inh|Prm|Eff):\t(\w+)$", status, re.MULTILINE))
