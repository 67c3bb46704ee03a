# SPDX-License-Identifier: ISC
"""strongSwan's charon in a gateway's namespace, beside any other on the machine.

Each has its own configuration file, vici socket and log, and a bind mount over /run, where charon keeps its pid
file (`ip netns exec` has given it a mount namespace by then). Connections and secrets go in over vici; nothing of
/etc/swanctl is read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.interop.certificates import Credential
from tests.interop.namespaces import Gateway
from tests.interop.processes import Daemon, Service
from tests.interop.vici import Section, Value, Vici, ViciError
from tests.interop.waiting import until

CHARON = Path("/usr/lib/ipsec/charon")
PLUGINS = Path("/usr/lib/ipsec/plugins")

CONNECTION, CHILD = "peer", "net"  # charon's names for the one connection of a test, and its tunnel

COMMAND_SECONDS = 15.0  # charon answers `terminate` only when its retransmissions have ended

# `resolve` is left out: it writes the machine's resolv.conf. Of the kernel plugins the first that can, does.
_PLUGINS = (
    "random nonce {own} kdf openssl gmp x509 constraints pubkey pkcs1 pkcs8 pem "
    "{libipsec} kernel-netlink socket-default vici"
)

_OWN_ALGORITHMS = "aes sha1 sha2 md5 hmac gcm"

_STRONGSWAN_CONF = """\
charon {{
  load = {plugins}
  retransmit_timeout = 1
  retransmit_base = 1.5
  retransmit_tries = {retransmit_tries}
  half_open_timeout = {half_open_timeout}
  fragment_size = {fragment_size}
  filelog {{
    log {{
      path = {directory}/charon-{life}.log
      flush_line = yes
      append = no
      default = 1
      ike = {log_level}
      enc = {log_level}
      chd = {keys_log_level}
      knl = {kernel_log_level}
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{directory}/vici.sock
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a charon is told about its one peer. Proposals are strongSwan's words, with commas between them; a group
    in `esp` is PFS."""

    own_id: str
    peer_id: str
    auth: Literal["psk", "pubkey"] = "psk"
    secret: str = ""  # for psk
    credential: Credential | None = None  # for pubkey
    authority: x509.Certificate | None = None  # for pubkey
    version: Literal[1, 2] = 1
    aggressive: bool = False
    ike: str = "aes256-sha256-modp2048"
    esp: str = "aes256-sha256-modp2048"
    dpd_delay: int = 0  # seconds; 0: no DPD of its own
    own_algorithms: bool = True  # rather than OpenSSL's
    userspace_esp: bool = True  # kernel-libipsec: claims a NAT, so all goes to port 4500. False: phase 1 only
    fragment_size: int = 1280  # octets of an IP packet; longer IKE messages go in fragments
    retransmit_tries: int = 2  # after 1, 1.5, 2.25 seconds
    half_open_timeout: int = 30  # seconds, after which a responder forgets who has not proved anything
    log_level: int = 1  # of what concerns the protocol; 4 writes keys and plaintext
    log_keys: bool = False  # of tunnels, at any log level
    inner_version: int = 4  # of IP in the tunnel
    rekey_time: int = 0  # seconds, of tunnels; 0: its own
    life: int = 0  # seconds, of tunnels, which it then does not renew by itself; 0: its own
    compress: bool = False  # wants IPComp, and takes the tunnel without
    kernel_log_level: int = 1  # of what it asks of the kernel


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A phase 2 SA pair as charon lists it; SPIs are 8 hexadecimal digits."""

    state: str
    protocol: str
    mode: str
    udp_encapsulated: bool
    spi_in: str
    spi_out: str
    encryption: str
    key_bits: str
    integrity: str
    dh_group: str


@dataclass(frozen=True, slots=True)
class IkeSa:
    """A phase 1 SA as charon lists it; the SPIs are the cookies, 16 hexadecimal digits."""

    state: str
    version: str
    initiator: bool
    local_id: str
    remote_id: str
    local_port: str
    remote_port: str
    initiator_spi: str
    responder_spi: str
    encryption: str
    dh_group: str
    children: tuple[ChildSa, ...]


class Charon(Service):
    """A charon that knows one peer.

    `directory` is for its files and is made; its path must be short (a Unix socket's has at most 107 octets).
    """

    def __init__(self, gateway: Gateway, peer: Gateway, settings: Settings, directory: Path) -> None:
        self.gateway = gateway
        self.peer = peer
        self.settings = settings
        self._directory = directory
        self._socket = directory / "vici.sock"
        self._lives = 0

    def initiate(self, seconds: float = 10.0) -> None:
        """Bring the tunnel up; ViciError, with the end of the log, if it is not up within `seconds`."""
        self._initiate(seconds, {"ike": CONNECTION, "child": CHILD})

    def initiate_ike(self, seconds: float = 10.0) -> None:
        """Bring up phase 1 alone; ViciError as from `initiate`."""
        self._initiate(seconds, {"ike": CONNECTION})

    def terminate(self) -> None:
        """Delete the SAs with this peer and tell the peer."""
        with self._vici(COMMAND_SECONDS) as vici:
            vici.request("terminate", {"ike": CONNECTION, "timeout": "5000"})

    def rekey_child(self) -> None:
        """Begin another quick mode for the tunnel; the old one goes when the new one is there."""
        self._rekey({"child": CHILD})

    def reauthenticate(self) -> None:
        """Begin another main mode; the old IKE SA goes when the new one is there."""
        self._rekey({"ike": CONNECTION, "reauth": "yes"})

    def _rekey(self, what: dict[str, str]) -> None:
        with self._vici(COMMAND_SECONDS) as vici:
            vici.request("rekey", what)

    def list_sas(self) -> list[IkeSa]:
        with self._vici(COMMAND_SECONDS) as vici:
            listed = vici.stream("list-sas", "list-sa")
        return [_ike_sa(section) for entry in listed for section in entry.values() if isinstance(section, dict)]

    def wait_for_tunnel(self, seconds: float = 5.0) -> tuple[IkeSa, ChildSa]:
        """The established IKE SA and its installed child, once there is exactly one of both."""

        def look() -> tuple[IkeSa, ChildSa] | None:
            match self.list_sas():
                case [IkeSa(state="ESTABLISHED", children=(ChildSa(state="INSTALLED") as child,)) as ike]:
                    return ike, child
            return None

        return until(look, seconds, lambda: f"one tunnel among {self.list_sas()}\n{self.daemon.describe()}")

    def wait_until_empty(self, seconds: float = 5.0) -> None:
        """Until no SA is left, not even one half made."""
        until(
            lambda: not self.list_sas(),
            seconds,
            lambda: f"no SA; there is {self.list_sas()}\n{self.daemon.describe()}",
        )

    def _initiate(self, seconds: float, what: dict[str, str]) -> None:
        try:
            with self._vici(seconds + 5) as vici:
                vici.request("initiate", {**what, "timeout": str(round(seconds * 1000))})
        except ViciError as e:
            raise ViciError(f"{e}\n{self.daemon.describe()}") from None

    def _vici(self, seconds: float) -> Vici:
        return Vici(self._socket, seconds)

    def _launch(self) -> Daemon:
        directory, settings = self._directory, self.settings
        run = directory / "run"
        run.mkdir(parents=True, exist_ok=True)
        self._lives += 1
        configuration = directory / "strongswan.conf"
        configuration.write_text(
            _STRONGSWAN_CONF.format(
                plugins=_PLUGINS.format(
                    own=_OWN_ALGORITHMS if settings.own_algorithms else "",
                    libipsec="kernel-libipsec" if settings.userspace_esp else "",
                ),
                directory=directory,
                life=self._lives,
                fragment_size=settings.fragment_size,
                retransmit_tries=settings.retransmit_tries,
                half_open_timeout=settings.half_open_timeout,
                log_level=settings.log_level,
                keys_log_level=4 if settings.log_keys else settings.log_level,
                kernel_log_level=settings.kernel_log_level,
            )
        )
        return Daemon(
            self.gateway,
            ["sh", "-c", 'mount --bind "$1" /run && exec "$2"', "sh", str(run), str(CHARON)],
            output=directory / f"charon-{self._lives}.out",
            log=directory / f"charon-{self._lives}.log",
            environment={"STRONGSWAN_CONF": str(configuration)},
        )

    def _is_ready(self) -> bool:
        try:
            with self._vici(COMMAND_SECONDS) as vici:
                return bool(vici.request("version"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def _set_up(self) -> None:
        settings = self.settings
        with self._vici(COMMAND_SECONDS) as vici:
            if settings.secret:
                vici.request("load-shared", {"id": "psk", "type": "IKE", "data": settings.secret})
            if settings.credential:
                vici.request("load-key", {"type": "any", "data": settings.credential.key_pem})
            if settings.authority:
                der = settings.authority.public_bytes(Encoding.DER)
                vici.request("load-cert", {"type": "X509", "flag": "CA", "data": der})
            vici.request("load-conn", {CONNECTION: self._connection()})

    def _connection(self) -> dict[str, Value]:
        settings = self.settings
        certificates = [settings.credential.certificate_der] if settings.credential else []
        return {
            "version": str(settings.version),
            "local_addrs": [self.gateway.address],
            "remote_addrs": [self.peer.reached_at],
            "proposals": settings.ike.split(","),
            "mobike": "no",
            "aggressive": "yes" if settings.aggressive else "no",
            "dpd_delay": f"{settings.dpd_delay}s",
            "local": {"auth": settings.auth, "id": settings.own_id, "certs": certificates},
            "remote": {"auth": settings.auth, "id": settings.peer_id},
            "children": {
                CHILD: {
                    "local_ts": [self.gateway.inner_network(settings.inner_version)],
                    "remote_ts": [self.peer.inner_network(settings.inner_version)],
                    "esp_proposals": settings.esp.split(","),
                    **({"rekey_time": f"{settings.rekey_time}s"} if settings.rekey_time else {}),
                    **({"rekey_time": "0s", "life_time": f"{settings.life}s"} if settings.life else {}),
                    "dpd_action": "clear",
                    **({"ipcomp": "yes"} if settings.compress else {}),
                }
            },
        }


def _ike_sa(listed: Section) -> IkeSa:
    children = listed["child-sas"]
    assert isinstance(children, dict)
    return IkeSa(
        state=_text(listed, "state"),
        version=_text(listed, "version"),
        initiator=_text(listed, "initiator") == "yes",
        local_id=_text(listed, "local-id"),
        remote_id=_text(listed, "remote-id"),
        local_port=_text(listed, "local-port"),
        remote_port=_text(listed, "remote-port"),
        initiator_spi=_text(listed, "initiator-spi"),
        responder_spi=_text(listed, "responder-spi"),
        encryption=_text(listed, "encr-alg"),
        dh_group=_text(listed, "dh-group"),
        children=tuple(_child_sa(child) for child in children.values() if isinstance(child, dict)),
    )


def _child_sa(listed: Section) -> ChildSa:
    return ChildSa(
        state=_text(listed, "state"),
        protocol=_text(listed, "protocol"),
        mode=_text(listed, "mode"),
        udp_encapsulated=_text(listed, "encap") == "yes",
        spi_in=_text(listed, "spi-in"),
        spi_out=_text(listed, "spi-out"),
        encryption=_text(listed, "encr-alg"),
        key_bits=_text(listed, "encr-keysize"),
        integrity=_text(listed, "integ-alg"),
        dh_group=_text(listed, "dh-group"),
    )


def _text(listed: Section, key: str) -> str:
    """A value, or "" for what charon leaves out because it does not hold or is not known yet."""
    value = listed.get(key, "")
    assert isinstance(value, str)
    return value
