# SPDX-License-Identifier: ISC
"""What `keynote-pki export` writes, read by the software that it is for: credentials and connection as they are, and
tunnels with them."""

import re
import shutil
import subprocess
from ipaddress import ip_network

import pytest

from pki import names
from pki.bundles import files
from pki.bundles.formats import FORMATS
from pki.bundles.request import Request
from tests.interop.certificates import Authority
from tests.interop.conftest import INSTALL
from tests.interop.meeting import OUR_NAME, PEER_NAME, PHASE_1_UP, TUNNEL_UP, Stage
from tests.interop.namespaces import Gateway, Gateways
from tests.interop.ours import IkeAuth, Settings
from tests.interop.pluto import LIBRESWAN, Pluto
from tests.interop.swanctl import SwanctlCharon
from tests.pki import factory
from tests.pki.bundles import handovers


def connection(own: Gateway, peer: Gateway, peer_name: str, ike: str) -> Request:
    """From one gateway to the other."""
    return Request(
        server=names.identity(peer.address),
        remote_id=names.identity(peer_name),
        networks=(ip_network(peer.network),),
        local_networks=(ip_network(own.network),),
        title="Head office",
        ike=ike,  # type: ignore[arg-type]
        password="any",
    )


def our_daemon(stage: Stage, gateways: Gateways) -> IkeAuth:
    """Running, and waiting for the peer. Its own files are from `export` too."""
    settings = Settings(
        initiates=False,
        own_id=OUR_NAME,
        peer_id=PEER_NAME,
        credential=stage.authority.issue(OUR_NAME),
        authority=stage.authority,
    )
    return stage.running.enter_context(IkeAuth(gateways.a, gateways.b, settings, stage.directory / "ours"))


def charon(
    stage: Stage, authority: Authority, own: Gateway, peer: Gateway, ids: tuple[str, str], ike: str
) -> SwanctlCharon:
    own_name, peer_name = ids
    exported = stage.directory / own_name
    request = connection(own, peer, peer_name, ike)
    authority.hand_over(authority.issue(own_name), "strongswan", request, exported)
    return stage.running.enter_context(
        SwanctlCharon(own, peer, exported, "Head-office", stage.directory / f"charon-{own.namespace[-1]}")
    )


def test_a_directory_for_swanctl_brings_up_a_tunnel_with_ours(stage: Stage, gateways: Gateways) -> None:
    ours = our_daemon(stage, gateways)
    theirs = charon(stage, stage.authority, gateways.b, gateways.a, (PEER_NAME, OUR_NAME), "1")
    assert re.search(rf"loaded \w+ key from '.*/private/{PEER_NAME}.pem'", theirs.loaded)
    assert "loaded connection 'Head-office'" in theirs.loaded
    theirs.initiate()
    ike, child = theirs.wait_for_tunnel()
    assert (ike.version, ike.local_id, ike.remote_id) == ("1", PEER_NAME, OUR_NAME)
    assert (ike.encryption, ike.dh_group, child.dh_group) == ("AES_CBC", "MODP_2048", "MODP_2048")
    ours.wait_for_log(PHASE_1_UP)
    ours.wait_for_log(TUNNEL_UP)


def test_directories_for_swanctl_bring_up_a_tunnel_between_two_charons(stage: Stage, gateways: Gateways) -> None:
    both = [
        charon(stage, stage.authority, gateways.a, gateways.b, (OUR_NAME, PEER_NAME), "2"),
        charon(stage, stage.authority, gateways.b, gateways.a, (PEER_NAME, OUR_NAME), "2"),
    ]
    both[1].initiate()
    ike, _ = both[1].wait_for_tunnel()
    assert (ike.version, ike.local_id, ike.remote_id) == ("2", PEER_NAME, OUR_NAME)
    both[0].wait_for_tunnel()


def test_addresses_are_identities_for_swanctl(stage: Stage, gateways: Gateways) -> None:
    both = [
        charon(stage, stage.authority, own, peer, (own.address, peer.address), "2")
        for own, peer in ((gateways.a, gateways.b), (gateways.b, gateways.a))
    ]
    both[1].initiate()
    ike, _ = both[1].wait_for_tunnel()
    assert (ike.local_id, ike.remote_id) == (gateways.b.address, gateways.a.address)


def test_addresses_of_six_are_identities_for_swanctl(stage: Stage, gateways: Gateways) -> None:
    own, peer = "2001:db8::1", "2001:db8::2"
    loaded = charon(stage, stage.authority, gateways.a, gateways.b, (own, peer), "2")
    listed = re.findall(r"^ +id: (.*)$", loaded.swanctl("--list-conns"), re.MULTILINE)
    assert listed == [own, peer]


def test_an_intermediate_goes_along_for_a_peer_that_has_the_root_alone(stage: Stage, gateways: Gateways) -> None:
    """With keys on P-256, in a hierarchy, IKEv2."""
    authority = handovers.under_an_intermediate
    for name, key, request in (
        (OUR_NAME, "interop-a", connection(gateways.a, gateways.b, PEER_NAME, "2")),
        (PEER_NAME, "interop-b", connection(gateways.b, gateways.a, OUR_NAME, "2")),
    ):
        bundle = FORMATS["strongswan"].bundle(authority(name, factory.ec_key(key)), request)
        files.write(bundle, stage.directory / name)
    (stage.directory / OUR_NAME / "x509ca/online-ca.crt").unlink()
    ours, theirs = (
        stage.running.enter_context(
            SwanctlCharon(own, peer, stage.directory / name, "Head-office", stage.directory / f"charon-{name[0]}")
        )
        for own, peer, name in ((gateways.a, gateways.b, OUR_NAME), (gateways.b, gateways.a, PEER_NAME))
    )
    theirs.initiate()
    theirs.wait_for_tunnel()
    ours.wait_for_log('received issuer cert "C=XX, O=Test, CN=Online CA"')
    ours.wait_for_log("authentication of 'b.interop.test' with ECDSA.* successful")


@pytest.fixture
def libreswan(gateways: Gateways) -> None:
    """Skips where it is not; gives gateway B a default route, where its connections begin."""
    if not (LIBRESWAN / "usr/sbin/ipsec").exists() or not shutil.which("certutil"):
        pytest.skip(f"libreswan, or certutil, is missing; {INSTALL}")
    route = gateways.b.command("ip", "route", "add", "default", "via", gateways.a.address)
    subprocess.run(route, check=True)


def pluto(stage: Stage, gateways: Gateways, ike: str, ids: tuple[str, str] = (PEER_NAME, OUR_NAME)) -> Pluto:
    """Running at gateway B."""
    own_name, peer_name = ids
    request = connection(gateways.b, gateways.a, peer_name, ike)
    exported = stage.directory / "exported"
    stage.authority.hand_over(stage.authority.issue(own_name), "libreswan", request, exported)
    return stage.running.enter_context(
        Pluto(gateways.b, exported, "Head-office", request.password, stage.directory / "pluto")
    )


@pytest.mark.usefixtures("libreswan")
def test_libreswan_imports_its_bundle_and_authenticates_to_ours(stage: Stage, gateways: Gateways) -> None:
    ours = our_daemon(stage, gateways)
    theirs = pluto(stage, gateways, "1")
    assert re.search(rf"^{re.escape(PEER_NAME)} +u,u,u *$", theirs.nss("certutil", "-L"), re.MULTILINE)
    assert re.search(r"^Interop CA.* +CT,, *$", theirs.nss("certutil", "-L"), re.MULTILINE)
    assert PEER_NAME in theirs.nss("certutil", "-K")
    theirs.initiate()
    ours.wait_for_log(PHASE_1_UP, seconds=10)
    theirs.wait_for_log("IKE SA established {auth=RSA_SIG cipher=AES_CBC_256 integ=HMAC_SHA2_256 group=MODP2048}")


@pytest.mark.usefixtures("libreswan")
def test_libreswan_authenticates_to_charon_in_ikev2(stage: Stage, gateways: Gateways) -> None:
    other = charon(stage, stage.authority, gateways.a, gateways.b, (OUR_NAME, PEER_NAME), "2")
    theirs = pluto(stage, gateways, "2")
    theirs.initiate()
    other.wait_for_log(f"authentication of '{PEER_NAME}' with RSA.* successful")
    theirs.wait_for_log("authenticated peer .*certificate '@a.interop.test'")


@pytest.mark.usefixtures("libreswan")
def test_addresses_are_identities_for_libreswan(stage: Stage, gateways: Gateways) -> None:
    own, peer = gateways.b.address, gateways.a.address
    other = charon(stage, stage.authority, gateways.a, gateways.b, (peer, own), "2")
    theirs = pluto(stage, gateways, "2", (own, peer))
    theirs.initiate()
    other.wait_for_log(f"authentication of '{own}' with RSA.* successful")
    theirs.wait_for_log(f"authenticated peer .*certificate '{peer}'")
