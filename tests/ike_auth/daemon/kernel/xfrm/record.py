# SPDX-License-Identifier: ISC
"""Records what ip-xfrm(8) sends and what the kernel answers.

    python -m tests.ike_auth.daemon.kernel.xfrm.record     # as root, in the project's folder


The commands run in a network namespace of their own under strace(1), which dumps every message of their sockets. What
the kernel refuses (SAs where it has no ESP) was sent nevertheless. See tests/vectors/xfrm/README.md.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VECTORS = Path(__file__).parents[5] / "tests" / "vectors" / "xfrm"
_CALL = re.compile(r"(sendto|sendmsg|recvfrom|recvmsg)\(")
_DUMPED = re.compile(r" \| [0-9a-f]{5,}  ((?:[0-9a-f]{2} {1,2}){1,16})")
_GCM = f"aead rfc4106(gcm(aes)) 0x{bytes(range(20)).hex()} 128"
_CBC = f"enc cbc(aes) 0x{bytes(range(16)).hex()}"
_SHA = f"auth-trunc hmac(sha256) 0x{bytes(range(32)).hex()} 128"
_HERE_THERE = "src 10.99.0.1 dst 10.99.0.2"
_HERE_THERE6 = "src fd99::1 dst fd99::2"

# What is sent: name -> command. The kernel may refuse it.
STATES = {
    "gcm tunnel": f"state add {_HERE_THERE} proto esp spi 0xc0000001 {_GCM} mode tunnel reqid 450000001",
    "cbc tunnel ipv6": f"state add {_HERE_THERE6} proto esp spi 0xc0000002 {_CBC} {_SHA} mode tunnel reqid 450000002"
    " sel src fd01::/64 dst fd02::/64",
    "selector with ports": f"state add {_HERE_THERE} proto esp spi 0xc0000003 {_GCM} mode tunnel"
    " sel src 10.1.0.0/16 dst 10.2.0.0/24 proto tcp sport 1024 dport 80",
    "transport": f"state add {_HERE_THERE} proto esp spi 0xc0000004 {_CBC} {_SHA} mode transport replay-window 32",
    "ah": f"state add {_HERE_THERE} proto ah spi 0xc0000005 {_SHA} mode transport",
    "comp": f"state add {_HERE_THERE} proto comp spi 0x1000 comp deflate mode tunnel",
    "in udp": f"state add {_HERE_THERE} proto esp spi 0xc0000006 {_GCM} mode tunnel"
    " encap espinudp 4500 40000 192.168.77.2",
    "esn": f"state add {_HERE_THERE} proto esp spi 0xc0000007 {_GCM} mode tunnel flag esn replay-window 128",
    "limits": f"state add {_HERE_THERE} proto esp spi 0xc0000008 {_GCM} mode tunnel limit time-soft 3000"
    " limit time-hard 3600 limit time-use-soft 10 limit time-use-hard 20 limit byte-soft 1000 limit byte-hard 2000"
    " limit packet-soft 100 limit packet-hard 200",
    "marks": f"state add {_HERE_THERE} proto esp spi 0xc0000009 {_GCM} mode tunnel mark 0x10 mask 0xff"
    " output-mark 0x20 mask 0xf0 if_id 0x2a extra-flag dont-encap-dscp",
    "update": f"state update {_HERE_THERE} proto esp spi 0xc0000001 {_GCM} mode tunnel reqid 450000001",
    "delete": f"state delete {_HERE_THERE} proto esp spi 0xc0000001 mark 0x10 mask 0xff",
    "get": f"state get {_HERE_THERE6} proto esp spi 0xc0000001",
    "allocate": f"state allocspi {_HERE_THERE} proto esp reqid 450000000 mode tunnel min 0xc0000000 max 0xcfffffff",
    "allocate ipv6": f"state allocspi {_HERE_THERE6} proto ah reqid 450000000 mode transport min 0x100 max 0xffff",
    "list": "state list",
}
_TEMPLATE = "tmpl src 10.99.0.1 dst 10.99.0.2 proto esp reqid 450000001 mode tunnel"
_NETWORKS = "src 10.1.0.0/16 dst 10.2.0.0/16"
POLICIES = {
    "out": f"policy add {_NETWORKS} dir out index 450000001 priority 1000 {_TEMPLATE}",
    "in": "policy add src 10.2.0.0/16 dst 10.1.0.0/16 dir in index 450000008 priority 1000"
    " tmpl src 10.99.0.2 dst 10.99.0.1 proto esp reqid 450000001 mode tunnel",
    "forward": "policy add src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd index 450000010 priority 1000"
    " tmpl src 10.99.0.2 dst 10.99.0.1 proto esp reqid 450000001 mode tunnel",
    "bundle": "policy add src fd01::/64 dst fd02::/64 proto udp sport 53 dport 5353 dir in priority 900"
    " tmpl src fd99::1 dst fd99::2 proto comp reqid 450000002 mode tunnel level use"
    " tmpl src fd99::1 dst fd99::2 proto esp reqid 450000002 mode transport"
    " tmpl src fd99::1 dst fd99::2 proto ah reqid 450000002 mode transport",
    "icmp": "policy add src fd99::1/128 dst fd99::2/128 proto ipv6-icmp type 135 dir out priority 1",
    "block": "policy add src 10.3.0.0/16 dst 10.4.0.0/16 dir out action block priority 5000",
    "marks": f"policy add {_NETWORKS} dir out mark 0x10 mask 0xff priority 7 if_id 0x2a {_TEMPLATE}",
    "update": f"policy update {_NETWORKS} dir out index 450000001 priority 999 {_TEMPLATE}",
    "get by index": "policy get dir out index 450000001",
    "list": "policy list",
    "delete by index": "policy delete dir out index 450000001",
    "delete by selector": "policy delete src 10.2.0.0/16 dst 10.1.0.0/16 dir in",
    "delete marked": f"policy delete {_NETWORKS} dir out mark 0x10 mask 0xff if_id 0x2a",
    "delete what is not there": "policy delete dir out index 450000001",
}


def main() -> None:
    provenance = {
        "iproute2": _run("ip", "-V").strip(),
        "kernel": os.uname().release,
        "architecture": f"{os.uname().machine}, little endian",
        "recorder": _run("strace", "--version").splitlines()[0],
    }
    for name, commands in (("states", STATES), ("policies", POLICIES)):
        with _namespace() as namespace:
            _write(name, provenance, {about: _exchange(namespace, words) for about, words in commands.items()})
    _write("happenings", provenance, _happenings())


def _write(name: str, provenance: dict[str, str], recorded: dict[str, object]) -> None:
    text = json.dumps({"provenance": provenance, "recorded": recorded}, indent=1)
    (VECTORS / f"{name}.json").write_text(text + "\n")


def _exchange(namespace: str, words: str) -> dict[str, object]:
    """A command with what went to and fro, and what it printed."""
    with tempfile.NamedTemporaryFile("r") as trace:
        command = [*_traced(trace.name), "ip", "xfrm", *words.split()]
        done = subprocess.run(
            ["ip", "netns", "exec", namespace, *command], capture_output=True, text=True, timeout=30
        )
        sent, received = _messages(trace.read())
    shown = (done.stdout + done.stderr).strip().splitlines()
    return {"command": shlex.join(["ip", "xfrm", *words.split()]), "sent": sent, "received": received, "shown": shown}


def _happenings() -> dict[str, object]:
    """What `ip xfrm monitor` is told while a packet meets a policy without SAs, and then times run out."""
    template = _TEMPLATE.replace("450000001", "450000003")
    words = "xfrm monitor acquire expire policy"
    causes = [
        "sysctl -qw net.core.xfrm_acq_expires=1",
        f"ip xfrm policy add src 10.99.0.1/32 dst 10.99.0.2/32 dir out index 450000017 priority 5 {template}",
        "ip xfrm policy add src 10.5.0.0/16 dst 10.6.0.0/16 dir out index 450000025 priority 6 limit time-hard 1",
        'python3 -c \'from socket import *; s = socket(AF_INET, SOCK_DGRAM); s.bind(("10.99.0.1", 4444));'
        ' s.connect(("10.99.0.2", 9)); s.send(b"x")\'',
    ]
    with _namespace() as namespace, tempfile.NamedTemporaryFile("r") as trace:
        for setup in ("link add veth0 type veth peer name veth1", "link set veth0 up", "link set veth1 up",
                      "address add 10.99.0.1/24 dev veth0"):  # fmt: skip
            _run("ip", "-n", namespace, *setup.split())
        enter = ["ip", "netns", "exec", namespace]
        traced = [*enter, *_traced(trace.name), "ip", *words.split()]
        with subprocess.Popen(traced, stdout=subprocess.PIPE, text=True) as monitor:
            time.sleep(1)
            for cause in causes:
                subprocess.run([*enter, *shlex.split(cause)], check=False, capture_output=True)
            time.sleep(4)
            for child in Path(f"/proc/{monitor.pid}/task/{monitor.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGTERM)
            shown = monitor.communicate()[0].strip().splitlines()
        _, received = _messages(trace.read())
    return {"monitor": {"command": f"ip {words}", "meanwhile": causes, "received": received, "shown": shown}}


def _traced(path: str) -> list[str]:
    return ["strace", "-e", "trace=sendmsg,sendto,recvmsg,recvfrom", "-e", "read=all", "-e", "write=all", "-o", path]


def _messages(trace: str) -> tuple[list[str], list[str]]:
    """Hexadecimal, what was sent and what was received, one datagram each."""
    sent: list[str] = []
    received: list[str] = []
    into = sent
    for line in trace.splitlines():
        called, dumped = _CALL.match(line), _DUMPED.match(line)
        if called:
            into = sent if called[1].startswith("send") else received
            into.append("")
        elif dumped:
            into[-1] += dumped[1].replace(" ", "")
    return [m for m in sent if m], [m for m in received if m]


@contextmanager
def _namespace() -> Iterator[str]:
    name = f"record-{os.getpid()}"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _run("ip", "netns", "delete", name)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
