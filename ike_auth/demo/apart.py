# SPDX-License-Identifier: ISC
"""Step 7 itself, in a namespace of its own: `python -m ike_auth.demo.apart DIRECTORY PORT NAT-PORT`.

There this process is root, whoever it is outside, so it may listen on the wire between the gateways. Each gateway
makes another namespace within, for the host behind it.
"""

import os
import signal
import sys
from pathlib import Path

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.tun import Tun
from ike_auth.daemon.network.unshare import enter_new
from ike_auth.demo import configurations, policies
from ike_auth.demo.failures import StepFailed, check
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, Host
from ike_auth.demo.logs import Daemon
from ike_auth.demo.meeting import certificates_of
from ike_auth.demo.narration import Narrator, shown
from ike_auth.demo.stage import Stage
from ike_auth.demo.wiretap import Seen, Wiretap
from ike_auth.engine import Ports

FOLDER = "7-traffic"
DONE, FAILED, IMPOSSIBLE = 0, 1, 3
ENOUGH = 5  # echoes


def main(directory: Path, ports: Ports) -> int:
    narrator = Narrator()
    try:
        enter_new()
        netlink = Netlink.open()
        links.set_up(netlink, links.index(netlink, "lo"))
        netlink.close()
        Tun.open().close()  # whether we may: each gateway needs one
    except NetworkError as error:
        narrator.say(f"This machine does not let that be shown: {error}.")
        return IMPOSSIBLE
    with Stage(directory, narrator, ports) as stage:
        try:
            with Wiretap(ports.nat, ports.ike) as wiretap:
                _tell(stage, wiretap)
        except StepFailed as failed:
            narrator.failure(str(failed))
            for daemon in stage.running:
                narrator.log(daemon.host.name, *daemon.tail())
            return FAILED
    return DONE


def _tell(stage: Stage, wiretap: Wiretap) -> None:
    for host, peer, calls in ((GATEWAY_B, GATEWAY_A, False), (GATEWAY_A, GATEWAY_B, True)):
        text = configurations.gateway(host, certificates_of(stage, host), calls=calls)
        stage.write(f"{FOLDER}/{host.name}.conf", text)
        stage.write(f"{FOLDER}/{host.name}.kn", policies.by_certificate(peer, encapsulation="udp-encap-tunnel"))
    b = _start(stage, GATEWAY_B, towards=GATEWAY_A)
    a = _start(stage, GATEWAY_A, towards=GATEWAY_B)
    for daemon in (a, b):
        stage.narrator.log(daemon.host.name, daemon.expect("TunnelUp").event)
    stage.narrator.say("Each host asks the other for an echo:")
    for daemon in (a, b):
        _expect_echoes(daemon)
        stage.narrator.log(f"host {daemon.host.name[-1]}", daemon.expect("Reply").event)
    _show_wire(stage, wiretap.seen)
    _close(stage, a, b)
    stage.stop(a, b)
    check(not wiretap.seen.other, f"not only IKE and ESP was on the wire: {wiretap.seen.other}")
    check(not wiretap.seen.readable, "what the hosts say could be read on the wire")
    stage.narrator.verdict("Traffic flowed through the tunnel alone, and stopped when policy changed its mind.")


def _start(stage: Stage, host: Host, towards: Host) -> Daemon:
    configuration, policy = (stage.path(f"{FOLDER}/{host.name}.{kind}") for kind in ("conf", "kn"))
    behind = [sys.executable, "-m", "ike_auth.demo.host", str(towards.network[1])]
    return stage.start(host, configuration, policy, f"{FOLDER}/{host.name}.log", command=behind)


def _expect_echoes(daemon: Daemon) -> None:
    for _ in range(ENOUGH - 1):
        daemon.expect("Reply")


def _show_wire(stage: Stage, seen: Seen) -> None:
    stage.narrator.say("And this is what somebody on the wire between the gateways has seen meanwhile:")
    stage.narrator.table(
        [
            f"{seen.ike:5} packets of IKE",
            f"{seen.esp:5} packets of ESP, in UDP; the last one: {seen.sample[:24].hex(' ', 4)} …",
            f"{seen.icmp:5} of ICMP: one gateway spoke before the other was there",
            f"{len(seen.other):5} others{': ' if seen.other else ''}{', '.join(seen.other[:3])}",
            f"{seen.readable:5} in which the words of the hosts can be read",
        ]
    )
    check(seen.esp >= 2 * ENOUGH, f"only {seen.esp} packets of ESP")


def _close(stage: Stage, a: Daemon, b: Daemon) -> None:
    stage.narrator.say("""
        Now gateway B's administrator changes the policy: no tunnel any more, to nobody. The file is written, and the
        daemon is told to read it (SIGHUP). It asks about everything that is up again:
    """)
    policy = stage.write(f"{FOLDER}/gw-b.kn", policies.nobody())
    stage.narrator.command(["cat", shown(policy)])
    stage.narrator.output(policies.nobody())
    stage.narrator.command(["kill", "-HUP", str(b.pid)])
    os.kill(b.pid, signal.SIGHUP)
    stage.narrator.log(b.host.name, b.expect("TunnelDown").event)
    stage.narrator.log("host a", a.expect("NoReply").event)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Ports(int(sys.argv[2]), int(sys.argv[3]))))
