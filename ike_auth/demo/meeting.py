# SPDX-License-Identifier: ISC
"""Steps 3 and 4: two daemons negotiate a tunnel, by certificate and by pre-shared key."""

from secrets import token_urlsafe

from ike_auth.demo import configurations, policies
from ike_auth.demo.certificates import AUTHORITY_DIRECTORY
from ike_auth.demo.configurations import Certificates
from ike_auth.demo.failures import check
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, Host
from ike_auth.demo.logs import Daemon, Entry
from ike_auth.demo.questions import POLICY_A, POLICY_B
from ike_auth.demo.stage import Stage

BY_CERTIFICATE = "two gateways meet, by certificate"
BY_PRESHARED_KEY = "the same with a pre-shared key"


def by_certificate(stage: Stage) -> None:
    stage.narrator.say(f"""
        Two daemons, gateway A at {GATEWAY_A.address} and gateway B at {GATEWAY_B.address}. Each has a configuration
        (-c) and a policy. B waits, A calls. With --no-kernel they hand the keys to nobody, for that needs root; what
        they say to each other is the same.
    """)
    folder = "3-certificate"
    for host, calls in ((GATEWAY_B, False), (GATEWAY_A, True)):
        text = configurations.gateway(host, certificates_of(stage, host), calls=calls)
        stage.write(f"{folder}/{host.name}.conf", text)
    b = stage.start(GATEWAY_B, stage.path(f"{folder}/gw-b.conf"), stage.path(POLICY_B), f"{folder}/gw-b.log")
    a = stage.start(GATEWAY_A, stage.path(f"{folder}/gw-a.conf"), stage.path(POLICY_A), f"{folder}/gw-a.log")
    stage.narrator.say("""
        Phase 1: they agree on a secret (Diffie-Hellman) and prove who they are (here by RSA signatures, in IKEv1's
        main mode). Then each asks its policy: could this peer ever be allowed a tunnel? In brackets is the answer:
        the way from POLICY to the peer, and the line that opens it; `if unknown attributes allow it`, because nothing
        is known yet of any tunnel.
    """)
    show_phase_1(stage, a, b, "RSA_SIG")
    stage.narrator.say("""
        Phase 2: under that protection they agree on the tunnel (quick mode), and each asks its policy again, now with
        all details. PFS means: with a fresh Diffie-Hellman, so that no later break-in reveals these keys.
    """)
    tunnels = show_phase_2(stage, a, b)
    stage.narrator.say("""
        A tunnel is two security associations (SA), one for each direction, each with its own keys, and a number by
        which packets name it (SPI). Keys are never shown; a fingerprint of them is enough to compare:
    """)
    _compare(stage, *tunnels)
    _part(stage, a, b)
    stage.narrator.verdict("The tunnel was there, policy was asked twice, and both ends had the same keys.")


def by_preshared_key(stage: Stage) -> None:
    stage.narrator.say("""
        No certificates now: both gateways know one secret. The daemon tells policy who it is that knows it, by
        a hash of it, so the policy file need not hold the secret itself:
    """)
    folder = "4-preshared-key"
    key = f"demo-{token_urlsafe(24)}"
    for host, peer, calls in ((GATEWAY_B, GATEWAY_A, False), (GATEWAY_A, GATEWAY_B, True)):
        stage.write(f"{folder}/{host.name}.conf", configurations.gateway(host, key, calls=calls))
        stage.write(f"{folder}/{host.name}.kn", policies.by_preshared_key(peer, key))
    stage.command("cat", stage.path(f"{folder}/gw-b.kn"))
    daemons = {
        host: stage.start(
            host,
            stage.path(f"{folder}/{host.name}.conf"),
            stage.path(f"{folder}/{host.name}.kn"),
            f"{folder}/{host.name}.log",
        )
        for host in (GATEWAY_B, GATEWAY_A)
    }
    a, b = daemons[GATEWAY_A], daemons[GATEWAY_B]
    stage.narrator.say("Phase 1, and Phase 2:")
    show_phase_1(stage, a, b, "PRE_SHARED")
    tunnels = show_phase_2(stage, a, b)
    stage.narrator.say("The SAs of both ends, and the fingerprints of their keys:")
    _compare(stage, *tunnels)
    _part(stage, a, b)
    stage.narrator.verdict("A tunnel without any certificate, under the same kind of policy.")


def certificates_of(stage: Stage, host: Host) -> Certificates:
    """As a configuration in a folder of the stage names them."""
    registry = stage.path(AUTHORITY_DIRECTORY).resolve() / "registry.sqlite"
    return Certificates(f"../1-certificates/{host.name}", registry)


def show_phase_1(stage: Stage, first: Daemon, second: Daemon, method: str) -> None:
    """Both know the other by its name, proved by this method. Raises StepFailed."""
    for one, other in ((first, second), (second, first)):
        up = one.expect("IkeSaUp", "PeerRefused", "ExchangeFailed")
        stage.narrator.log(one.host.name, up.event)
        check(up.kind == "IkeSaUp", f"Phase 1 did not succeed at {one.host.name}")
        who = f"FQDN {other.host.fqdn}"
        check(up["identity"] == who, f"{one.host.name} takes its peer for {up['identity']} instead of {who}")
        check(method in up["suite"], f"{one.host.name} was to authenticate by {method}: {up['suite']}")


def show_phase_2(stage: Stage, first: Daemon, second: Daemon) -> tuple[Entry, Entry]:
    """Both have the tunnel, ESP with PFS. Raises StepFailed."""
    found = []
    for one in (first, second):
        up = one.expect("TunnelUp", "TunnelRefused", "ExchangeFailed")
        stage.narrator.log(one.host.name, up.event)
        check(up.kind == "TunnelUp", f"Phase 2 did not succeed at {one.host.name}")
        protocol = " + ".join(up["protocols"])
        as_said = all(word in protocol for word in ("ESP AES_CBC-256", "tunnel", "PFS"))
        check(as_said, f"not an ESP tunnel with AES and PFS at {one.host.name}: {protocol}")
        found.append(up)
    return found[0], found[1]


def _compare(stage: Stage, a: Entry, b: Entry) -> None:
    """The SAs of both ends side by side. Raises StepFailed if they do not agree."""
    ways = (
        (f"{GATEWAY_A.name} → {GATEWAY_B.name}", a["spis_out"]),
        (f"{GATEWAY_B.name} → {GATEWAY_A.name}", a["spis_in"]),
    )
    lines = [f"{'':14}SPI         keys at {GATEWAY_A.name}        keys at {GATEWAY_B.name}"]
    for way, spis in ways:
        for spi in spis:
            ours, theirs = a["fingerprints"][spi], b["fingerprints"].get(spi, "none")
            lines.append(f"{way:14}{spi}    {ours:20}{theirs:20}{'equal' if ours == theirs else 'DIFFERENT'}")
    stage.narrator.table(lines)
    check(len(a["fingerprints"]) == 2, f"{len(a['fingerprints'])} SAs instead of 2")
    check(a["fingerprints"] == b["fingerprints"], "the keys of the two ends differ")
    crossed = (a["spis_in"], a["spis_out"]) == (b["spis_out"], b["spis_in"])
    check(crossed, "what leaves one end is not what the other end awaits")


def _part(stage: Stage, a: Daemon, b: Daemon) -> None:
    stage.narrator.say("A is told to stop (SIGTERM), and says goodbye; B removes what they had:")
    stage.stop(a)
    for kind in ("TunnelDown", "IkeSaDown"):
        stage.narrator.log(b.host.name, b.expect(kind).event)
    stage.stop(b)
