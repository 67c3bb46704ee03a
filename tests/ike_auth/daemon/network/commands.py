# SPDX-License-Identifier: ISC
"""What ip(8) says and does, in the namespace of whoever calls: another witness than our own messages."""

import json
import subprocess
from typing import Any

OUTSIDE = "outside"
EVERYTHING = ("route show table all", "-6 route show table all", "rule", "-6 rule")
PEER, HERE = "10.99.0.2", "10.99.0.1"
PEER6, HERE6 = "fd99::2", "fd99::1"


def ip(words: str) -> str:
    return subprocess.run(["ip", *words.split()], check=True, capture_output=True, text=True).stdout


def shown(words: str) -> Any:
    return json.loads(ip(f"-j {words}") or "[]")


def way(to: str, *options: str) -> str:
    """Through which interface a packet would go, or what the kernel says against it."""
    done = subprocess.run(["ip", "-j", "route", "get", to, *options], capture_output=True, text=True)
    return str(json.loads(done.stdout)[0]["dev"]) if done.returncode == 0 else done.stderr.strip()


def chosen_source(to: str) -> str:
    return str(shown(f"route get {to}")[0]["prefsrc"])


def everything() -> set[str]:
    """All routes and rules, for comparison. The kernel's own come and go a little later than addresses do."""
    lines = (line for words in EVERYTHING for line in ip(words).splitlines())
    return {line for line in lines if "proto kernel" not in line}


def outer_network() -> None:
    """An interface to the outside with addresses and default routes, and a neighbour that needs no resolution."""
    ip(f"link add {OUTSIDE} type veth peer name beyond")
    for words in (
        "link set lo up",
        f"link set {OUTSIDE} addrgenmode none",
        "link set beyond addrgenmode none",
        f"link set {OUTSIDE} up",
        "link set beyond up",
        f"address add {HERE}/24 dev {OUTSIDE}",
        f"address add {HERE6}/64 dev {OUTSIDE} nodad",
        f"neighbour add {PEER} lladdr 02:00:00:00:00:02 dev {OUTSIDE} nud permanent",
        f"neighbour add {PEER6} lladdr 02:00:00:00:00:02 dev {OUTSIDE} nud permanent",
        f"route add default via {PEER}",
        f"-6 route add default via {PEER6}",
    ):
        ip(words)
