# SPDX-License-Identifier: ISC
"""Our daemon and strongSwan's, each as initiator and as responder, over a veth pair.

charon runs with its userspace ESP, which claims to be behind a NAT: every exchange detects it and moves to port 4500.
Main mode knows its pre-shared keys by address, so there the identities are the addresses.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.interop.certificates import Authority, Credential
from tests.interop.charon import Charon, ChildSa
from tests.interop.charon import Settings as CharonSettings
from tests.interop.namespaces import Gateways
from tests.interop.ours import CONNECTION, PEER, IkeAuth
from tests.interop.ours import Settings as OurSettings
from tests.interop.processes import Service
from tests.interop.vici import ViciError

Auth = Literal["psk", "rsa"]

OUR_NAME, PEER_NAME, OTHER_NAME = "a.interop.test", "b.interop.test", "other.interop.test"
SECRET = "a secret of two gateways"

PFS, NO_PFS = "aes256-sha256-modp2048", "aes256-sha256"  # charon's words
SUITES = {
    PFS: "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE",
    NO_PFS: "QM-ESP-AES-256-SHA2-256-SUITE",
}

PHASE_1_UP = rf"phase 1 up with {PEER} at "
PHASE_1_REFUSED = rf"phase 1 refused to {PEER} at "
TUNNEL_UP = rf"tunnel up {CONNECTION} with {PEER} at "


@dataclass(frozen=True, slots=True)
class Meeting:
    ours: IkeAuth
    charon: Charon

    def print_logs(self) -> None:
        """For pytest to show beside a failure."""
        for name, daemon in (("ike-auth", self.ours), ("charon", self.charon)):
            print(f"--- {name}\n{daemon.log}")

    def wait_until_up(self) -> ChildSa:
        """Until both ends say that phase 1 and the tunnel are up; the tunnel as charon sees it."""
        _, child = self.charon.wait_for_tunnel(seconds=10)
        self.ours.wait_for_log(PHASE_1_UP)
        self.ours.wait_for_log(TUNNEL_UP)
        return child


Meet = Callable[..., Meeting]


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca") / "other", "Other CA")


@pytest.fixture(scope="session")
def our_credential(authority: Authority) -> Credential:
    return authority.issue(OUR_NAME)


@pytest.fixture(scope="session")
def peer_credential(authority: Authority) -> Credential:
    return authority.issue(PEER_NAME)


@pytest.fixture
def meet(
    gateways: Gateways,
    authority: Authority,
    our_credential: Credential,
    peer_credential: Credential,
    tmp_path: Path,
) -> Iterator[Meet]:
    """Starts both daemons with settings that fit each other; those who wait before those who begin."""
    with ExitStack() as running:

        def start(
            auth: Auth, *, we_initiate: bool, our: dict[str, Any] | None = None, their: dict[str, Any] | None = None
        ) -> Meeting:
            if auth == "psk":
                us: dict[str, Any] = {"peer_id": gateways.b.address, "secret": SECRET}
                them: dict[str, Any] = {"own_id": gateways.b.address, "peer_id": gateways.a.address, "secret": SECRET}
            else:
                us = {
                    "own_id": OUR_NAME,
                    "peer_id": PEER_NAME,
                    "credential": our_credential,
                    "authority": authority,
                }
                them = {
                    "own_id": PEER_NAME,
                    "peer_id": OUR_NAME,
                    "auth": "pubkey",
                    "credential": peer_credential,
                    "authority": authority.certificate,
                }
            meeting = Meeting(
                IkeAuth(
                    gateways.a,
                    gateways.b,
                    OurSettings(initiates=we_initiate, **{**us, **(our or {})}),
                    tmp_path / "ours",
                ),
                Charon(gateways.b, gateways.a, CharonSettings(**{**them, **(their or {})}), tmp_path / "charon"),
            )
            running.callback(meeting.print_logs)
            both: list[Service] = [meeting.charon, meeting.ours]
            for daemon in both if we_initiate else reversed(both):
                running.enter_context(daemon)
            return meeting

        yield start


def refused(meeting: Meeting, reason: str, *, we_initiate: bool) -> None:
    """Neither end has an SA in the end, charon knows that it has none, and our log gives the reason."""
    if not we_initiate:
        with pytest.raises(ViciError):
            meeting.charon.initiate()
    meeting.ours.wait_for_log(reason, seconds=15)
    meeting.charon.wait_until_empty(seconds=45)  # charon keeps what is half open for 30 seconds
    assert not re.search(f"{PHASE_1_UP}|{TUNNEL_UP}", meeting.ours.log)


both_roles = pytest.mark.parametrize(
    "we_initiate", [pytest.param(True, id="initiator"), pytest.param(False, id="responder")]
)
both_methods = pytest.mark.parametrize("auth", ["psk", "rsa"])


@both_roles
@both_methods
@pytest.mark.parametrize("esp", [pytest.param(PFS, id="pfs"), pytest.param(NO_PFS, id="no-pfs")])
def test_tunnel_comes_up_and_is_deleted_at_our_end(meet: Meet, auth: Auth, esp: str, we_initiate: bool) -> None:
    meeting = meet(auth, we_initiate=we_initiate, our={"suite": SUITES[esp]}, their={"esp": esp})
    if not we_initiate:
        meeting.charon.initiate()

    child = meeting.wait_until_up()
    (ike,) = meeting.charon.list_sas()

    assert ike.initiator is not we_initiate
    assert (ike.encryption, ike.dh_group) == ("AES_CBC", "MODP_2048")
    assert (ike.local_port, ike.remote_port) == ("4500", "4500")
    assert (child.encryption, child.key_bits, child.integrity) == ("AES_CBC", "256", "HMAC_SHA2_256_128")
    assert child.dh_group == ("MODP_2048" if esp == PFS else "")
    assert (child.mode, child.udp_encapsulated) == ("TUNNEL", True)
    up = meeting.ours.wait_for_log(rf"{TUNNEL_UP}.*")
    assert child.spi_in in up
    assert child.spi_out in up

    assert meeting.ours.stop() == 0
    meeting.charon.wait_until_empty()


@both_roles
def test_rsa_identities_are_names(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("rsa", we_initiate=we_initiate)
    if not we_initiate:
        meeting.charon.initiate()
    meeting.wait_until_up()
    (ike,) = meeting.charon.list_sas()
    assert (ike.local_id, ike.remote_id) == (PEER_NAME, OUR_NAME)
    meeting.ours.wait_for_log(rf"{PHASE_1_UP}.*{PEER_NAME}")


@both_roles
@both_methods
def test_tunnel_is_deleted_at_the_peers_end(meet: Meet, auth: Auth, we_initiate: bool) -> None:
    meeting = meet(auth, we_initiate=we_initiate)
    if not we_initiate:
        meeting.charon.initiate()
    meeting.wait_until_up()
    meeting.charon.terminate()
    meeting.ours.wait_for_log(rf"tunnel down {CONNECTION} with {PEER}: ")
    meeting.ours.wait_for_log(rf"phase 1 down with {PEER} at ")


@both_roles
def test_fragments_are_put_together(meet: Meet, we_initiate: bool) -> None:
    """Main mode message 5 or 6, with an RSA-2048 certificate, in three parts."""
    meeting = meet("rsa", we_initiate=we_initiate, their={"fragment_size": 576})
    if not we_initiate:
        meeting.charon.initiate()
    meeting.wait_until_up()
    meeting.charon.wait_for_log(r"splitting IKE message \(\d+ bytes\) into [3-9] fragments")


@both_roles
@both_methods
def test_no_nat_is_seen_where_none_is(meet: Meet, auth: Auth, we_initiate: bool) -> None:
    """Without its userspace ESP charon claims no NAT; phase 1 stays on port 500."""
    meeting = meet(auth, we_initiate=we_initiate, their={"userspace_esp": False})
    if not we_initiate:
        meeting.charon.initiate_ike()
    meeting.ours.wait_for_log(PHASE_1_UP)
    meeting.charon.wait_for_log(r"IKE_SA .* established")
    assert "[4500]" not in meeting.charon.log


def test_we_answer_dead_peer_detection(meet: Meet) -> None:
    meeting = meet("psk", we_initiate=False, their={"dpd_delay": 1})
    meeting.charon.initiate()
    meeting.charon.wait_for_log(r"parsed INFORMATIONAL_V1 .* N\(DPD_ACK\)")
    meeting.wait_until_up()


@both_roles
def test_another_preshared_key_is_refused(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, our={"gives_up_after": 5}, their={"secret": "another secret"})
    refused(meeting, r"main mode .*failed: .*pre-shared key", we_initiate=we_initiate)


@both_roles
def test_certificate_of_another_authority_is_refused(
    meet: Meet, other_authority: Authority, we_initiate: bool
) -> None:
    meeting = meet("rsa", we_initiate=we_initiate, their={"credential": other_authority.issue(PEER_NAME)})
    refused(meeting, rf"{PHASE_1_REFUSED}.*(authority|issue|chain|CA)", we_initiate=we_initiate)


@both_roles
def test_another_certificate_of_our_authority_is_refused(meet: Meet, authority: Authority, we_initiate: bool) -> None:
    """The impostor: a valid certificate, honestly presented, but of another machine."""
    impostor = {"own_id": OTHER_NAME, "credential": authority.issue(OTHER_NAME)}
    meeting = meet("rsa", we_initiate=we_initiate, their=impostor)
    refused(meeting, rf"{PHASE_1_REFUSED}.*{OTHER_NAME}", we_initiate=we_initiate)


@both_roles
def test_identity_that_policy_does_not_name_is_refused(meet: Meet, we_initiate: bool) -> None:
    """The configuration would take this peer, the policy names another."""
    meeting = meet("rsa", we_initiate=we_initiate, our={"trusted_id": OTHER_NAME})
    refused(meeting, rf"{PHASE_1_REFUSED}.*remote_id", we_initiate=we_initiate)


@both_roles
def test_another_identity_with_the_right_preshared_key_is_refused(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, their={"own_id": OTHER_NAME})
    refused(meeting, rf"{PHASE_1_REFUSED}.*{OTHER_NAME}", we_initiate=we_initiate)


def test_peer_that_does_not_know_our_identity_refuses_us(meet: Meet) -> None:
    meeting = meet("rsa", we_initiate=True, our={"gives_up_after": 5}, their={"peer_id": OTHER_NAME})
    refused(meeting, r"AUTHENTICATION.FAILED", we_initiate=True)


@both_roles
def test_no_common_phase_1_proposal(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, our={"gives_up_after": 5}, their={"ike": "aes128-sha256-modp3072"})
    reason = r"says, not authenticated: NO_PROPOSAL_CHOSEN" if we_initiate else r"no common phase 1 transform: .*(KEY_LENGTH|GROUP)"
    refused(meeting, reason, we_initiate=we_initiate)


@both_roles
def test_no_common_phase_2_proposal(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, their={"esp": "aes128-sha1"})
    if not we_initiate:
        with pytest.raises(ViciError, match="NO_PROPOSAL_CHOSEN"):
            meeting.charon.initiate()
    meeting.ours.wait_for_log(r"NO.PROPOSAL.CHOSEN" if we_initiate else r"(quick mode|phase 2).*(AES|SHA)")
    assert not any(ike.children for ike in meeting.charon.list_sas())
    assert not re.search(TUNNEL_UP, meeting.ours.log)


def test_policy_refuses_a_tunnel_that_the_configuration_would_take(meet: Meet) -> None:
    meeting = meet(
        "rsa",
        we_initiate=False,
        our={"suite": SUITES[NO_PFS], "condition": 'pfs == "yes"'},
        their={"esp": NO_PFS},
    )
    with pytest.raises(ViciError, match="NO_PROPOSAL_CHOSEN"):
        meeting.charon.initiate()
    meeting.ours.wait_for_log(PHASE_1_UP)
    meeting.ours.wait_for_log(r"phase 2 refused to .*pfs")
    assert not re.search(TUNNEL_UP, meeting.ours.log)
