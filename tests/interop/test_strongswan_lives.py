# SPDX-License-Identifier: ISC
"""What lasts longer than one exchange: daemons that end and come back, SAs that are replaced."""

from tests.interop.charon import ChildSa
from tests.interop.conftest import Meet
from tests.interop.meeting import PHASE_1_UP, TUNNEL_DOWN, TUNNEL_UP, Meeting
from tests.interop.waiting import until


def ups(meeting: Meeting) -> int:
    return meeting.ours.log.count("tunnel up net with ")


def installed(meeting: Meeting) -> list[ChildSa]:
    return [child for ike in meeting.charon.list_sas() for child in ike.children if child.state == "INSTALLED"]


def test_our_daemon_is_started_again(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("rsa", we_initiate=we_initiate)
    first, _ = meeting.wait_until_up()
    assert meeting.ours.stop() == 0
    meeting.charon.wait_until_empty()

    meeting.ours.start()
    if not we_initiate:
        meeting.charon.initiate()
    second, _ = meeting.wait_until_up()
    assert second.initiator_spi != first.initiator_spi


def test_the_peer_is_started_again(meet: Meet) -> None:
    meeting = meet("rsa", we_initiate=False)
    meeting.wait_until_up()
    meeting.charon.stop()
    meeting.ours.wait_for_log(TUNNEL_DOWN)

    meeting.charon.start()
    meeting.charon.initiate()
    meeting.charon.wait_for_tunnel()
    until(lambda: ups(meeting) == 2, 5, lambda: meeting.ours.daemon.describe())


def test_our_daemon_comes_back_after_a_crash(meet: Meet) -> None:
    """charon still believes in the old SAs; the new ones come up beside them."""
    meeting = meet("psk", we_initiate=True)
    _, first = meeting.wait_until_up()
    meeting.ours.crash()
    meeting.ours.start()
    up = meeting.ours.wait_for_log(f"{TUNNEL_UP}.*")
    (second,) = [child for child in installed(meeting) if child.spi_in != first.spi_in]
    assert f"SPI in {second.spi_out} out {second.spi_in}" in up


def test_the_peer_comes_back_after_a_crash(meet: Meet) -> None:
    meeting = meet("psk", we_initiate=False)
    meeting.wait_until_up()
    meeting.charon.crash()
    meeting.charon.start()
    meeting.charon.initiate()
    meeting.charon.wait_for_tunnel()
    until(lambda: ups(meeting) == 2, 5, lambda: meeting.ours.daemon.describe())


def test_the_peer_replaces_a_tunnel(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate)
    _, first = meeting.wait_until_up()
    meeting.charon.rekey_child()
    until(lambda: ups(meeting) == 2, 5, lambda: meeting.ours.daemon.describe())
    until(
        lambda: [child.spi_in for child in installed(meeting)] not in ([], [first.spi_in]),
        5,
        meeting.charon.daemon.describe,
    )
    assert meeting.ours.stop() == 0
    meeting.charon.wait_until_empty()


def test_the_peer_replaces_phase_1(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("rsa", we_initiate=we_initiate)
    meeting.wait_until_up()
    meeting.charon.reauthenticate()
    until(lambda: meeting.ours.log.count(PHASE_1_UP) == 2, 5, lambda: meeting.ours.daemon.describe())
    assert meeting.ours.stop() == 0
    meeting.charon.wait_until_empty()
