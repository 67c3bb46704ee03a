# SPDX-License-Identifier: ISC
"""The harness itself: two charons find each other in the namespaces, so what fails elsewhere is not the machine."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.interop.certificates import Authority
from tests.interop.charon import Charon, Settings
from tests.interop.namespaces import NAMESPACES, Gateways, two_gateways
from tests.interop.vici import Section, ViciError, decode, encode


@pytest.fixture
def with_psk(gateways: Gateways) -> Settings:
    return Settings(gateways.a.address, gateways.b.address, secret="a secret of two charons")


@pytest.fixture
def with_rsa(authority: Authority) -> Settings:
    return Settings(
        "a.interop.test",
        "b.interop.test",
        auth="pubkey",
        credential=authority.issue("a.interop.test"),
        authority=authority.certificate,
    )


def other_end(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, own_id=settings.peer_id, peer_id=settings.own_id, **changes)


def test_psk(gateways: Gateways, with_psk: Settings, tmp_path: Path) -> None:
    with (
        Charon(gateways.a, gateways.b, with_psk, tmp_path / "a") as a,
        Charon(gateways.b, gateways.a, other_end(with_psk), tmp_path / "b") as b,
    ):
        a.initiate()
        ike_a, child_a = a.wait_for_tunnel()
        ike_b, child_b = b.wait_for_tunnel()

        assert (ike_a.version, ike_a.initiator, ike_b.initiator) == ("1", True, False)
        assert ike_a.initiator_spi == ike_b.initiator_spi
        assert (child_a.spi_in, child_a.spi_out) == (child_b.spi_out, child_b.spi_in)
        assert (child_a.encryption, child_a.key_bits) == ("AES_CBC", "256")
        assert (child_a.dh_group, child_a.udp_encapsulated) == ("MODP_2048", True)
        assert (ike_a.local_port, ike_a.remote_port) == ("4500", "4500")

        a.terminate()
        b.wait_until_empty()


def test_rsa(gateways: Gateways, authority: Authority, with_rsa: Settings, tmp_path: Path) -> None:
    peers = other_end(with_rsa, credential=authority.issue("b.interop.test"))
    with (
        Charon(gateways.a, gateways.b, with_rsa, tmp_path / "a") as a,
        Charon(gateways.b, gateways.a, peers, tmp_path / "b") as b,
    ):
        a.initiate()
        ike, _ = b.wait_for_tunnel()
        assert (ike.local_id, ike.remote_id) == ("b.interop.test", "a.interop.test")
        b.wait_for_log("reassembled fragmented IKE message")

        a.stop()
        b.wait_until_empty()


def test_refusal_is_seen(gateways: Gateways, with_psk: Settings, tmp_path: Path) -> None:
    with (
        Charon(gateways.a, gateways.b, with_psk, tmp_path / "a") as a,
        Charon(gateways.b, gateways.a, other_end(with_psk, ike="aes128-sha1-modp2048"), tmp_path / "b") as b,
    ):
        with pytest.raises(ViciError, match="NO_PROPOSAL_CHOSEN"):
            a.initiate()
        a.wait_until_empty()
        b.wait_until_empty()


def test_without_userspace_esp_port_500_is_kept(gateways: Gateways, with_psk: Settings, tmp_path: Path) -> None:
    in_kernel = replace(with_psk, userspace_esp=False)
    with (
        Charon(gateways.a, gateways.b, in_kernel, tmp_path / "a") as a,
        Charon(gateways.b, gateways.a, other_end(in_kernel), tmp_path / "b"),
    ):
        a.initiate_ike()
        (ike,) = a.list_sas()
        assert (ike.state, ike.local_port, ike.remote_port) == ("ESTABLISHED", "500", "500")


@pytest.mark.usefixtures("machine")
def test_gateways_vanish_after_a_failure() -> None:
    paths: list[Path] = []

    def fail() -> None:
        with two_gateways() as both:
            paths.extend(NAMESPACES / gateway.namespace for gateway in (both.a, both.b))
            assert all(path.exists() for path in paths)
            raise KeyError("a failing test")

    with pytest.raises(KeyError):
        fail()
    assert not any(path.exists() for path in paths)


@pytest.mark.parametrize(("required", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_a_skip_is_a_failure_where_interop_is_required(required: str, outcome: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{__file__}::test_psk"],
        env={"PATH": "/nonexistent", "INTEROP_REQUIRED": required},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"= {outcome} in " in run.stdout
    assert run.returncode == int(required)


def test_vici_message_survives_encoding() -> None:
    message: Section = {"peer": {"local": {"id": "O=x, CN=y z"}, "addrs": ["10.0.0.1", "10.0.0.2"]}, "x": ""}
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"\x03\x01k\x00\x09short", id="length past the end"),
        pytest.param(b"\x02", id="end without a start"),
        pytest.param(b"\x05\x00\x01v", id="item without a list"),
        pytest.param(b"\x63", id="unknown element"),
    ],
)
def test_broken_vici_message_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of its checks
        decode(broken)
