# SPDX-License-Identifier: ISC
"""IPCOMP with strongSwan, as far as charon gets where no kernel has IPComp.

Its userspace ESP has none, and says so before it offers any. With the kernel's instead it needs no more than a number
until the end of quick mode, so all of the negotiation is there to be seen; then it cannot install its SAs.
"""

import re
from contextlib import suppress

from tests.interop.conftest import Meet
from tests.interop.meeting import TUNNEL_UP
from tests.interop.vici import ViciError

KERNEL = {"compress": True, "userspace_esp": False, "kernel_log_level": 2}
ESP = {"suite": "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE", "compress": True}
BUNDLE = (
    r"IPCOMP DEFLATE tunnel \+ ESP AES_CBC-256 HMAC_SHA2_256 tunnel PFS MODP_2048, SPI in (\w{4}) \w{8} out (\w{4}) "
)


def test_where_charon_has_no_ipcomp_the_tunnel_comes_up_without(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, our=ESP, their={"compress": not we_initiate})
    _, child = meeting.wait_until_up()
    assert (child.protocol, child.mode) == ("ESP", "TUNNEL")
    assert "IPCOMP" not in meeting.ours.wait_for_log(rf"{TUNNEL_UP}.*")


def test_charon_takes_our_bundle(meet: Meet) -> None:
    """It answers with the bundle, and behind it with the same without IPCOMP."""
    meeting = meet("psk", we_initiate=True, our=ESP, their=KERNEL)
    up = re.search(BUNDLE, meeting.ours.wait_for_log(rf"{TUNNEL_UP}.*"))
    assert up
    for cpi in up.groups():
        meeting.charon.wait_for_log(rf"adding SAD entry with SPI 0000{cpi}\b")
    meeting.charon.wait_for_log("using compression algorithm IPCOMP_DEFLATE")


def test_we_take_charons_bundle(meet: Meet) -> None:
    meeting = meet("psk", we_initiate=False, our=ESP, their=KERNEL, begin=False)
    with suppress(ViciError):
        meeting.charon.initiate()
    its_own = meeting.charon.wait_for_log(r"got CPI \w{4}").split()[-1]
    added = re.findall(r"adding SAD entry with SPI 0000(\w{4})\b", meeting.charon.log)
    assert len(set(added)) == 2
    assert its_own in added
