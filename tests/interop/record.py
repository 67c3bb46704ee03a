# SPDX-License-Identifier: ISC
"""Records exchanges between two charons, with every intermediate value that the responder logs, as test vectors.

    python -m tests.interop.record tests/vectors/strongswan     # as root, in the project's folder

Each run makes new keys, so each file is new as a whole. tests/vectors/strongswan/README.md says what stands in one.
"""

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tests.interop import capture
from tests.interop.certificates import Authority
from tests.interop.charon import Charon, Settings
from tests.interop.key_log import ipsec_keys, values_in
from tests.interop.namespaces import INTERFACE, Gateway, Gateways, two_gateways
from tests.interop.processes import Daemon
from tests.interop.vici import ViciError
from tests.interop.waiting import until

SECRET = "secret of a recorded exchange"

Datagram = dict[str, str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Two charons, A the initiator. `settings` are for both; `initiator`'s come on top for A."""

    name: str
    about: str
    rsa: bool = False
    refused: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    initiator: Mapping[str, Any] = field(default_factory=dict)


SCENARIOS = (
    Scenario(
        "psk",
        "main mode PSK, move to port 4500, quick mode with PFS, DPD, deletes",
        initiator={"dpd_delay": 1},
    ),
    Scenario(
        "psk-no-pfs",
        "IKE key longer than the PRF's output (RFC 2409 appendix B), ESP AES-GCM without PFS",
        settings={"ike": "aes256-sha1-modp2048", "esp": "aes128gcm16"},
    ),
    Scenario(
        "psk-ecp384",
        "group 20 and SHA2-384, ESP AES-GCM with PFS in the same group",
        settings={"ike": "aes192-sha384-ecp384", "esp": "aes256gcm16-ecp384"},
    ),
    Scenario(
        "psk-curve25519",
        "group 31 and SHA2-512, ESP with HMAC-SHA2-512",
        settings={"ike": "aes256-sha512-curve25519", "esp": "aes256-sha512-curve25519"},
    ),
    Scenario(
        "psk-legacy",
        "3DES, MD5 and group 2: IKE key of two blocks of the PRF",
        settings={"ike": "3des-md5-modp1024", "esp": "3des-md5"},
    ),
    Scenario(
        "rsa",
        "main mode RSA with charon's own fragment size: message 5 in two parts, message 6 whole",
        rsa=True,
        settings={"esp": "aes256-sha256"},
    ),
    Scenario(
        "rsa-fragments",
        "main mode RSA with small fragments: messages 5 and 6 in several parts",
        rsa=True,
        settings={"fragment_size": 576},
    ),
    Scenario(
        "refused-phase1-proposal",
        "no common proposal in main mode",
        refused=True,
        initiator={"ike": "aes128-sha256-modp3072"},
    ),
    Scenario(
        "refused-phase2-proposal",
        "no common proposal in quick mode",
        refused=True,
        initiator={"esp": "aes128-sha256"},
    ),
    Scenario(
        "refused-key",
        "another pre-shared key at the initiator: the responder cannot read message 5",
        refused=True,
        initiator={"secret": "another secret"},
    ),
    Scenario(
        "refused-identity",
        "an initiator with an ID that the responder does not know",
        refused=True,
        initiator={"own_id": "impostor.interop.test"},
    ),
)


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for scenario in SCENARIOS:
        with two_gateways() as gateways, tempfile.TemporaryDirectory(prefix="record-") as scratch:
            recorded = record(scenario, gateways, Path(scratch))
        path = directory / f"{scenario.name}.json"
        path.write_text(json.dumps(recorded, indent=1) + "\n")
        print(f"{path}: {len(recorded['datagrams'])} datagrams, {len(recorded['responder_trace'])} values")


def record(scenario: Scenario, gateways: Gateways, scratch: Path) -> dict[str, Any]:
    """The exchange of `scenario`, as it stands in a vector file."""
    authority = Authority.create(scratch / "ca", "Interop CA") if scenario.rsa else None
    recorded = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ")
    responder = _settings(scenario, gateways.b, gateways.a, authority)
    initiator = replace(_settings(scenario, gateways.a, gateways.b, authority), **scenario.initiator)
    datagrams, log = _exchange(scenario, gateways, initiator, responder, scratch)
    trace = list(values_in(log))
    return {
        "scenario": scenario.name,
        "about": scenario.about,
        "peer": "strongSwan 5.9.8, both sides",
        "recorded": recorded,
        "initiator": gateways.a.address,
        "responder": gateways.b.address,
        "initiator_id": initiator.own_id,
        "responder_id": responder.own_id,
        "initiator_network": gateways.a.network,
        "responder_network": gateways.b.network,
        "phase1_proposal": initiator.ike,
        "phase2_proposal": initiator.esp,
        **_trust_anchor(responder),
        "datagrams": datagrams,
        "responder_trace": trace,
        "responder_ipsec_keys": ipsec_keys(trace),
    }


def _settings(scenario: Scenario, own: Gateway, peer: Gateway, authority: Authority | None) -> Settings:
    common: dict[str, Any] = {"log_level": 4, **scenario.settings}
    if authority is None:
        return Settings(own.address, peer.address, secret=SECRET, **common)
    return Settings(
        _fqdn(own),
        _fqdn(peer),
        auth="pubkey",
        credential=authority.issue(_fqdn(own)),
        authority=authority.certificate,
        **common,
    )


def _fqdn(gateway: Gateway) -> str:
    return f"{gateway.namespace[-1]}.interop.test"


def _trust_anchor(settings: Settings) -> dict[str, str]:
    if settings.authority is None:
        return {"preshared_key": settings.secret}
    return {"ca_certificate_pem": settings.authority.public_bytes(Encoding.PEM).decode()}


def _exchange(
    scenario: Scenario, gateways: Gateways, initiator: Settings, responder: Settings, scratch: Path
) -> tuple[list[Datagram], str]:
    """What went over the wire, and the responder's log."""
    watcher = Daemon(gateways.a, [sys.executable, capture.__file__, INTERFACE], scratch / "datagrams")
    try:
        watcher.wait_for_log(capture.READY, seconds=5)
        with (
            Charon(gateways.b, gateways.a, responder, scratch / "b") as b,
            Charon(gateways.a, gateways.b, initiator, scratch / "a") as a,
        ):
            _play(scenario, a, b)
            seen = _datagrams_in(b.log)
            until(lambda: len(_datagrams(watcher)) >= seen, 5, lambda: f"{seen} datagrams captured")
            return _datagrams(watcher), b.log
    finally:
        watcher.stop(seconds=5)


def _play(scenario: Scenario, initiator: Charon, responder: Charon) -> None:
    if scenario.refused:
        with suppress(ViciError):
            initiator.initiate()
            raise RuntimeError(f"`{scenario.name}` came up")
    else:
        initiator.initiate()
        responder.wait_for_tunnel()
        if initiator.settings.dpd_delay:
            initiator.wait_for_log(r"parsed INFORMATIONAL_V1 .* N\(DPD_ACK\)")
    if initiator.list_sas():
        initiator.terminate()
    initiator.wait_until_empty()
    responder.wait_until_empty(seconds=60)


def _datagrams(watcher: Daemon) -> list[Datagram]:
    lines = watcher.log.splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


def _datagrams_in(log: str) -> int:
    """How many charon sent and received; it logs a message that came in fragments once more as a whole."""
    mentioned = len(re.findall(r"\[NET\] (?:sending|received) packet: .*bytes\)", log))
    return mentioned - log.count("reassembled fragmented IKE message")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
