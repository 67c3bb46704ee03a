# SPDX-License-Identifier: ISC
"""What lasts longer than one exchange: daemons that end and come back, SAs that are replaced."""

from tests.interop.charon import ChildSa
from tests.interop.conftest import Meet
from tests.interop.meeting import PHASE_1_DOWN, PHASE_1_UP, TUNNEL_DOWN, TUNNEL_UP, Meeting
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
    """charon still believes in the old SAs until it hears that we have started anew."""
    meeting = meet("psk", we_initiate=True)
    _, first = meeting.wait_until_up()
    meeting.ours.crash()
    meeting.ours.start()
    up = meeting.ours.wait_for_log(f"{TUNNEL_UP}.*")
    meeting.charon.wait_for_log("destroying duplicate IKE_SA for peer .* received INITIAL_CONTACT")
    (second,) = installed(meeting)
    assert second.spi_in != first.spi_in
    assert f"SPI in {second.spi_out} out {second.spi_in}" in up


def test_the_peer_comes_back_after_a_crash(meet: Meet) -> None:
    """It says so in main mode, and what was there before goes."""
    meeting = meet("psk", we_initiate=False)
    meeting.wait_until_up()
    meeting.charon.crash()
    meeting.charon.start()
    meeting.charon.initiate()
    meeting.charon.wait_for_tunnel()
    until(lambda: ups(meeting) == 2, 5, lambda: meeting.ours.daemon.describe())
    meeting.ours.wait_for_log(f"{TUNNEL_DOWN}.*the peer has started anew")
    meeting.ours.wait_for_log(f"{PHASE_1_DOWN}.*the peer has started anew")


def test_a_peer_that_is_there_answers_probes_and_one_that_is_dead_does_not(meet: Meet) -> None:
    meeting = meet("psk", we_initiate=True, our={"probe_after": 1})
    meeting.wait_until_up()
    meeting.charon.wait_for_log(r"parsed INFORMATIONAL_V1 request .* N\(DPD\)")
    meeting.charon.wait_for_log(r"generating INFORMATIONAL_V1 request .* N\(DPD_ACK\)")
    until(lambda: meeting.charon.log.count("N(DPD) ]") >= 4, 10, meeting.charon.daemon.describe)
    assert PHASE_1_DOWN not in meeting.ours.log
    meeting.charon.crash()
    until(lambda: "the peer is dead" in meeting.ours.log, 40, lambda: meeting.ours.daemon.describe())
    meeting.charon.start()
    until(lambda: ups(meeting) == 2, 20, lambda: meeting.ours.daemon.describe())


def test_we_replace_a_tunnel_before_its_end(meet: Meet) -> None:
    meeting = meet("psk", we_initiate=True, our={"life": 8})
    _, first = meeting.wait_until_up()
    until(lambda: ups(meeting) == 2, 8, lambda: meeting.ours.daemon.describe())
    until(lambda: {child.spi_in for child in installed(meeting)} - {first.spi_in}, 5, meeting.charon.daemon.describe)
    assert "tunnel down" not in meeting.ours.log
    until(
        lambda: first.spi_in not in [child.spi_in for child in installed(meeting)], 5, meeting.charon.daemon.describe
    )


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
