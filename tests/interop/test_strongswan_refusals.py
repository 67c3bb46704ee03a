# SPDX-License-Identifier: ISC
"""Who and what is refused, by our daemon and by strongSwan's, with the reason in our log."""

import re
import shutil
from pathlib import Path

import pytest

from pki.directory import Directory
from tests.interop.certificates import Authority
from tests.interop.conftest import Meet
from tests.interop.meeting import (
    OTHER_NAME,
    OUR_NAME,
    PEER_NAME,
    PHASE_1_DOWN,
    PHASE_1_REFUSED,
    PHASE_1_UP,
    TUNNEL_UP,
    Changes,
    Meeting,
)
from tests.interop.vici import ViciError

SOON = {"half_open_timeout": 2, "retransmit_tries": 0}  # forgets an attempt that comes to nothing
NO_PFS = {"our": {"suite": "QM-ESP-AES-256-SHA2-256-SUITE"}, "their": {"esp": "aes256-sha256"}}


def refused(meeting: Meeting, reason: str, *, we_initiate: bool) -> None:
    """Neither end has an SA in the end, charon knows that it has none, and our log gives the reason."""
    if not we_initiate:
        with pytest.raises(ViciError):
            meeting.charon.initiate()
    meeting.ours.wait_for_log(reason, seconds=15)
    meeting.charon.wait_until_empty(seconds=15)
    assert not re.search(f"{PHASE_1_UP}|{TUNNEL_UP}", meeting.ours.log)


def tunnel_refused(meeting: Meeting, reason: str, *, we_initiate: bool) -> None:
    """Phase 1 comes up, the tunnel does not, and our log gives the reason."""
    if not we_initiate:
        with pytest.raises(ViciError, match="NO_PROPOSAL_CHOSEN"):
            meeting.charon.initiate()
    meeting.ours.wait_for_log(PHASE_1_UP)
    meeting.ours.wait_for_log(reason)
    assert not any(child.state == "INSTALLED" for ike in meeting.charon.list_sas() for child in ike.children)
    assert not re.search(TUNNEL_UP, meeting.ours.log)


# --- keys and identities


def test_another_preshared_key(meet: Meet, we_initiate: bool) -> None:
    """Said at once, and again when nothing comes of it."""
    meeting = meet(
        "psk",
        we_initiate=we_initiate,
        our={"gives_up_after": 2},
        their={"secret": "another secret", **SOON},
        begin=False,
    )
    at_once = "says, not authenticated: what we cannot read" if we_initiate else "dropped message .* main mode 5 "
    guess = "which most often means that the pre-shared keys differ"
    refused(meeting, f"{at_once}.*{guess}", we_initiate=we_initiate)
    awaited = "main mode 6" if we_initiate else "main mode 5"
    meeting.ours.wait_for_log(f"main mode .*failed: no {awaited} within 2 s.*{guess}")


def test_certificate_of_a_foreign_authority(meet: Meet, other_authority: Authority, we_initiate: bool) -> None:
    foreign = {"credential": other_authority.issue(PEER_NAME)}
    meeting = meet("rsa", we_initiate=we_initiate, their=foreign, begin=False)
    reason = f"{PHASE_1_REFUSED}.*`/O=Interop/CN=Other CA`, which is no authority known here"
    refused(meeting, reason, we_initiate=we_initiate)


def test_another_certificate_of_our_authority(meet: Meet, authority: Authority, we_initiate: bool) -> None:
    """The impostor: a valid certificate, honestly presented, but of another machine."""
    impostor = {"own_id": OTHER_NAME, "credential": authority.issue(OTHER_NAME)}
    meeting = meet("rsa", we_initiate=we_initiate, their=impostor, begin=False)
    reason = f"{PHASE_1_REFUSED}.*FQDN {OTHER_NAME} is not the configured Remote-ID, which is FQDN {PEER_NAME}"
    refused(meeting, reason, we_initiate=we_initiate)


def test_certificate_that_the_registry_does_not_know(
    meet: Meet, authority: Authority, tmp_path: Path, we_initiate: bool
) -> None:
    """Signed by a copy of the authority, behind the registry's back."""
    copy = Authority(Directory(shutil.copytree(authority.directory.path, tmp_path / "stolen")), authority.record)
    unrecorded = {"own_id": "stolen.interop.test", "credential": copy.issue("stolen.interop.test")}
    meeting = meet(
        "rsa",
        we_initiate=we_initiate,
        our={"registry": True, "peer_id": "stolen.interop.test"},
        their=unrecorded,
        begin=False,
    )
    refused(meeting, f"{PHASE_1_REFUSED}.*is unknown to the registry of authority", we_initiate=we_initiate)


def test_another_identity_with_the_right_preshared_key(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, their={"own_id": OTHER_NAME}, begin=False)
    refused(meeting, f"{PHASE_1_REFUSED}.*FQDN {OTHER_NAME} is not", we_initiate=we_initiate)


def test_identity_that_policy_does_not_name(meet: Meet, auth: str, we_initiate: bool) -> None:
    """The configuration would take this peer, the policy names another."""
    meeting = meet(auth, we_initiate=we_initiate, our={"trusted_id": OTHER_NAME}, begin=False)
    needed = rf"policy:\d+: remote_id is `.*`, needs `{OTHER_NAME}`"
    kind = r"policy:\d+: remote_id_type is `IPv4 address`, needs `FQDN`"
    refused(meeting, f"{PHASE_1_REFUSED}.*({needed}|{kind})", we_initiate=we_initiate)


def test_peer_that_does_not_accept_our_identity(meet: Meet, we_initiate: bool) -> None:
    """As initiator we are told by somebody unproved, as responder by a delete after our message 6."""
    meeting = meet(
        "rsa", we_initiate=we_initiate, our={"gives_up_after": 2}, their={"peer_id": OTHER_NAME, **SOON}, begin=False
    )
    if we_initiate:
        refused(meeting, r"says, not authenticated: AUTHENTICATION_FAILED", we_initiate=True)
        meeting.ours.wait_for_log(r"main mode .*failed: no main mode 6 within 2 s; .*AUTHENTICATION_FAILED")
        return
    with pytest.raises(ViciError):
        meeting.charon.initiate()
    meeting.charon.wait_until_empty()
    meeting.ours.wait_for_log(f"{PHASE_1_DOWN}.*deleted by the peer.*our identity FQDN {OUR_NAME}")


def test_peer_that_does_not_know_our_authority(meet: Meet, other_authority: Authority, we_initiate: bool) -> None:
    """Our side trusts both authorities, charon only its own."""
    meeting = meet(
        "rsa",
        we_initiate=we_initiate,
        our={"gives_up_after": 3},
        their={"authority": other_authority.certificate, **SOON},
        begin=False,
    )
    if we_initiate:
        refused(meeting, r"says, not authenticated: AUTHENTICATION_FAILED", we_initiate=True)
        return
    with pytest.raises(ViciError):
        meeting.charon.initiate()
    meeting.charon.wait_until_empty()


# --- proposals and policy


def test_no_common_phase_1_proposal(meet: Meet, we_initiate: bool) -> None:
    meeting = meet(
        "psk",
        we_initiate=we_initiate,
        our={"gives_up_after": 2},
        their={"ike": "aes128-sha256-modp3072"},
        begin=False,
    )
    ours, theirs = "AES-256-SHA2-256-GRP14", "`AES_CBC 128 SHA2_256 MODP_3072 PRE_SHARED`"
    if we_initiate:
        refused(meeting, r"says, not authenticated: NO_PROPOSAL_CHOSEN", we_initiate=True)
        meeting.ours.wait_for_log(rf"main mode .*failed: no main mode 2 .*offered was {ours}; .*NO_PROPOSAL_CHOSEN")
    else:
        refused(meeting, rf"no common phase 1 transform: {theirs}: .*\({ours}\)", we_initiate=False)


@pytest.mark.parametrize(
    ("their", "reason"),
    [
        ({"version": 2}, r"in IKEv2 with charon: IKE version 2 is not spoken here"),
        ({"aggressive": True}, r"failed: AGGRESSIVE from a peer configured for MAIN"),
    ],
    ids=["ikev2", "aggressive"],
)
def test_exchange_that_we_do_not_speak(meet: Meet, their: Changes, reason: str) -> None:
    meeting = meet("psk", we_initiate=False, their={**their, "retransmit_tries": 0}, begin=False)
    refused(meeting, rf"warning.*{reason}", we_initiate=False)


def test_no_common_phase_2_proposal(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, their={"esp": "aes128-sha1"}, begin=False)
    suite = "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"
    if we_initiate:
        reason = f"quick mode net .*failed: the peer says NO_PROPOSAL_CHOSEN .*offered was {suite}"
    else:
        reason = f"quick mode .*failed: no acceptable phase 2 proposal: ESP AES_CBC-128 HMAC_SHA1 .*{suite} wants "
    tunnel_refused(meeting, reason, we_initiate=we_initiate)


def test_tunnel_that_policy_denies(meet: Meet, we_initiate: bool) -> None:
    """The configuration would take it, a clause of the policy does not."""
    our = {**NO_PFS["our"], "condition": 'pfs == "yes"'}
    meeting = meet("rsa", we_initiate=we_initiate, our=our, their=NO_PFS["their"], begin=False)
    tunnel_refused(meeting, r"phase 2 refused to .*policy:\d+: pfs is `no`, needs `yes`", we_initiate=we_initiate)


def test_networks_that_policy_denies(meet: Meet, we_initiate: bool) -> None:
    condition = 'remote_filter == "010.222.000.000-010.222.255.255"'
    meeting = meet("rsa", we_initiate=we_initiate, our={"condition": condition}, begin=False)
    reason = r"phase 2 refused to .*: 10.1.0.0/16 ↔ 10.2.0.0/16: .*remote_filter is `010.002.*, needs `010.222"
    tunnel_refused(meeting, reason, we_initiate=we_initiate)


def test_networks_that_the_peer_does_not_know(meet: Meet, we_initiate: bool) -> None:
    meeting = meet("psk", we_initiate=we_initiate, our={"remote_network": "10.77.0.0/16"}, begin=False)
    if we_initiate:
        meeting.ours.wait_for_log(r"quick mode net .*failed: the peer says INVALID_ID_INFORMATION")
        assert not any(ike.children for ike in meeting.charon.list_sas())
    else:
        # No connection names it, so policy alone decides; and policy here allows this peer any network.
        meeting.charon.initiate()
        meeting.ours.wait_for_log(r"tunnel up with charon at .*10\.1\.0\.0/16 ↔ 10\.2\.0\.0/16")
