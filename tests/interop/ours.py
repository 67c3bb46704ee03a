# SPDX-License-Identifier: ISC
"""Our own daemon in a gateway's namespace: `ike-auth run` with isakmpd.conf and policy made for the test."""

import json
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from ike_auth.daemon.control import ControlClient
from tests.interop.certificates import Authority, Credential
from tests.interop.namespaces import Gateway
from tests.interop.processes import Daemon, Service

IKE_AUTH = Path(sys.executable).with_name("ike-auth")  # of the environment that runs the tests

PEER, CONNECTION = "charon", "net"  # our names for the peer and the tunnel, as they show in the log


@dataclass(frozen=True, slots=True)
class Settings:
    """What our daemon is told about its one peer. Transforms and suites are isakmpd's names."""

    initiates: bool
    peer_id: str  # FQDN, or the peer's address
    own_id: str = ""  # FQDN; empty for our address
    secret: str = ""  # main mode with a pre-shared key
    credential: Credential | None = None  # main mode with RSA signatures
    authority: Authority | None = None
    transform: str = "AES-256-SHA2-256-GRP14"  # the authentication method is added
    suite: str = "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"
    allow_legacy: str = ""
    cipher: str = "aes"  # that the policy wants, KeyNote's `esp_enc_alg`
    remote_network: str = ""  # of the connection; empty for the peer's
    condition: str = "true"  # a KeyNote test that the policy makes besides those of the identity
    trusted_id: str = ""  # what the policy wants remote_id to be; empty for `peer_id`
    gives_up_after: int = 120  # seconds, of an exchange
    keepalive: int = 20  # seconds between two, when we are behind a NAT
    life: int = 1200  # of a tunnel, in seconds
    probe_after: int = 0  # seconds of silence until we ask whether the peer is there; 0: never
    wildcard: bool = False  # listens on all addresses
    registry: bool = False  # asks the registry of `authority` about certificates
    user: str = ""  # to become once the ports are open
    as_json: bool = False  # its log; the text of each line is the same
    kernel: str = "none"  # backend, of `--kernel`
    inner_version: int = 4  # of IP in the tunnel
    check_interval: int = 60  # seconds between looks at connections that should be up
    own_network: str = ""  # of the connection; empty for ours
    esp_in_udp: bool = True
    compress: bool = False  # wants the suite with IPCOMP, and takes it without


class IkeAuth(Service):
    """An `ike-auth run` that knows one peer; it is ready when it has bound its ports. `directory` is made."""

    def __init__(self, gateway: Gateway, peer: Gateway, settings: Settings, directory: Path) -> None:
        self._gateway = gateway
        self._peer = peer
        self._settings = settings
        self._directory = directory
        self._lives = 0

    def fingerprints(self) -> dict[str, str]:
        """Of the keys of every tunnel that came up, by SPI; `as_json` has to be set."""
        lines = [json.loads(line) for line in self.log.splitlines(keepends=True) if line.endswith("\n")]
        found = [line["fingerprints"] for line in lines if line.get("kind") == "TunnelUp"]
        return {spi: fingerprint for of_tunnel in found for spi, fingerprint in of_tunnel.items()}

    def traffic(self) -> dict[str, Any]:
        """What its SAs have carried, and what was dropped; the kernel has to be `userspace`."""
        return dict(self.request("traffic"))

    def request(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """What it answers to a command on its control socket."""
        with ControlClient(self._control) as control:
            return control.request(command, arguments)

    def cli(self, command: str) -> str:
        """What `ike-auth` prints that is told to ask it."""
        words = [str(IKE_AUTH), command, "--control", str(self._control)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    @property
    def _control(self) -> Path:
        return self._directory / "control"

    def _launch(self) -> Daemon:
        configuration, policy = self._write_files()
        self._lives += 1
        user = ["--user", self._settings.user] if self._settings.user else []
        as_json = ["--json"] if self._settings.as_json else []
        return Daemon(
            self._gateway,
            [
                str(IKE_AUTH),
                "run",
                "-c",
                str(configuration),
                "--policy",
                str(policy),
                "--kernel",
                self._settings.kernel,
                "--control",
                str(self._control),
                "-v",
                *as_json,
                *user,
            ],
            output=self._directory / f"ike-auth-{self._lives}.log",
        )

    def _is_ready(self) -> bool:
        return "ready: listening on " in self.log

    def _set_up(self) -> None:
        """Its files have said everything."""

    def _write_files(self) -> tuple[Path, Path]:
        if not self._lives:
            self._directory.mkdir()
            if self._settings.credential:
                assert self._settings.authority
                self._settings.authority.export(self._settings.credential, self._directory)
        configuration = self._write("isakmpd.conf", self._configuration().encode())
        return configuration, self._write("policy", self._policy().encode())

    def _write(self, name: str, data: bytes) -> Path:
        path = self._directory / name
        path.touch(mode=0o600)  # the daemon reads neither keys nor policy that others may read
        path.write_bytes(data)
        return path

    def _configuration(self) -> str:
        settings, own, peer = self._settings, self._gateway, self._peer
        method = "-RSA_SIG" if settings.credential else ""
        identity = {"ID": "own-id"} if settings.own_id else {}
        secret = {"Authentication": settings.secret} if settings.secret else {}
        kind = "Connections" if settings.initiates else "Passive-Connections"
        listen_on = {} if settings.wildcard else {"Listen-on": own.address}
        local_address = {} if settings.wildcard else {"Local-address": own.address}
        legacy = {"Allow-Legacy": settings.allow_legacy} if settings.allow_legacy else {}
        registry = {"Registry": settings.authority.registry_url} if settings.registry and settings.authority else {}
        sections = {
            "General": {
                **listen_on,
                "Exchange-max-time": str(settings.gives_up_after),
                "NAT-T-Keepalive": str(settings.keepalive),
                "Check-interval": str(settings.check_interval),
                "ESP-in-UDP": "yes" if settings.esp_in_udp else "no",
                "DPD-check-interval": str(settings.probe_after),
            },
            "Phase 1": {peer.reached_at: PEER},
            "Phase 2": {kind: CONNECTION},
            PEER: {
                "Phase": "1",
                "Address": peer.reached_at,
                **local_address,
                **legacy,
                "Configuration": "main-mode",
                **identity,
                "Remote-ID": "peer-id",
                **secret,
            },
            "own-id": _identity(settings.own_id or own.address),
            "peer-id": _identity(settings.peer_id),
            "main-mode": {"EXCHANGE_TYPE": "ID_PROT", "Transforms": settings.transform + method},
            CONNECTION: {
                "Phase": "2",
                "ISAKMP-peer": PEER,
                "Configuration": "quick-mode",
                "Local-ID": "own-network",
                "Remote-ID": "peer-network",
            },
            "quick-mode": {
                "EXCHANGE_TYPE": "QUICK_MODE",
                "Suites": f"compressed,{settings.suite}" if settings.compress else settings.suite,
            },
            "compressed": {"Protocols": f"deflate,{settings.suite.removesuffix('-SUITE')}"},
            "deflate": {"PROTOCOL_ID": "IPCOMP", "Transforms": "deflate-xf"},
            "deflate-xf": {"TRANSFORM_ID": "DEFLATE"},
            "LIFE_QUICK_MODE": {"LIFE_TYPE": "SECONDS", "LIFE_DURATION": f"{settings.life},{settings.life}:86400"},
            "own-network": _network(settings.own_network or own.inner_network(settings.inner_version)),
            "peer-network": _network(settings.remote_network or peer.inner_network(settings.inner_version)),
            "X509-certificates": {
                "CA-directory": str(self._directory / "ca"),
                "Cert-directory": str(self._directory / "certs"),
                "CRL-directory": str(self._directory / "crls"),
                "Private-key-directory": str(self._directory / "private"),
                **registry,
            },
        }
        if not settings.compress:
            for name in ("compressed", "deflate", "deflate-xf"):
                del sections[name]
        if not settings.own_id:
            del sections["own-id"]
        if not settings.credential:
            del sections["X509-certificates"]
        return "\n".join(_section(name, tags) for name, tags in sections.items())

    def _policy(self) -> str:
        settings = self._settings
        ca = settings.authority
        licensee = f"DN:{ca.subject_text}" if ca else f"passphrase:{settings.secret}"
        name = settings.trusted_id or settings.peer_id
        kind = "FQDN" if _is_fqdn(name) else f"IPv{ip_address(name).version} address"
        return f"""\
KeyNote-Version: 2
Comment: the one peer of this test, by its identity, with a cipher
Authorizer: "POLICY"
Licensees: "{licensee}"
Conditions: app_domain == "IPsec policy" && doi == "ipsec" &&
            remote_id_type == "{kind}" && remote_id == "{name if _is_fqdn(name) else _padded(name)}" &&
            esp_present == "yes" && esp_enc_alg == "{settings.cipher}" && ({settings.condition}) -> "true";
"""


def _section(name: str, tags: dict[str, str]) -> str:
    return "".join([f"[{name}]\n", *(f"{tag}= {value}\n" for tag, value in tags.items())])


def _identity(name: str) -> dict[str, str]:
    if _is_fqdn(name):
        return {"ID-type": "FQDN", "Name": name}
    return {"ID-type": f"IPV{ip_address(name).version}_ADDR", "Address": name}


def _network(text: str) -> dict[str, str]:
    network = ip_network(text)
    return {
        "ID-type": f"IPV{network.version}_ADDR_SUBNET",
        "Network": str(network.network_address),
        "Netmask": str(network.netmask),
    }


def _is_fqdn(name: str) -> bool:
    return ":" not in name and not name.replace(".", "").isdigit()


def _padded(name: str) -> str:
    """As KeyNote policies see addresses, `010.099.000.001`, so that strings compare like addresses."""
    address = ip_address(name)
    return ".".join(f"{octet:03}" for octet in address.packed) if address.version == 4 else address.exploded
