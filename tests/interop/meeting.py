# SPDX-License-Identifier: ISC
"""Our daemon at gateway A and charon at gateway B, with settings that fit each other but for what a test changes.

charon runs with its userspace ESP, which claims to be behind a NAT: every exchange detects it and moves to port 4500.
Main mode knows its pre-shared keys by address, so there the identities are the addresses.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.interop.certificates import Authority
from tests.interop.charon import Charon, ChildSa, IkeSa
from tests.interop.charon import Settings as CharonSettings
from tests.interop.namespaces import Gateways
from tests.interop.ours import CONNECTION, PEER, IkeAuth
from tests.interop.ours import Settings as OurSettings
from tests.interop.processes import Service

Auth = Literal["psk", "rsa"]
Changes = dict[str, Any]

OUR_NAME, PEER_NAME, OTHER_NAME = "a.interop.test", "b.interop.test", "other.interop.test"
SECRET = "a secret of two gateways"

# What our log says.
PHASE_1_UP = rf"phase 1 up with {PEER} at "
PHASE_1_DOWN = rf"phase 1 down with {PEER} at "
PHASE_1_REFUSED = rf"phase 1 refused to {PEER} at "
TUNNEL_UP = rf"tunnel up {CONNECTION} with {PEER} at "
TUNNEL_DOWN = rf"tunnel down {CONNECTION} with {PEER}: "


@dataclass(frozen=True, slots=True)
class Meeting:
    ours: IkeAuth
    charon: Charon

    def wait_until_up(self) -> tuple[IkeSa, ChildSa]:
        """Until both ends say that phase 1 and the tunnel are up; both as charon sees them."""
        found = self.charon.wait_for_tunnel(seconds=10)
        self.ours.wait_for_log(PHASE_1_UP)
        self.ours.wait_for_log(TUNNEL_UP)
        return found


@dataclass(frozen=True, slots=True)
class Stage:
    """Where daemons are started, and ended in the other order."""

    running: ExitStack
    authority: Authority
    directory: Path

    def meet(
        self,
        gateways: Gateways,
        auth: Auth,
        *,
        we_initiate: bool,
        our: Changes | None = None,
        their: Changes | None = None,
        begin: bool = True,
    ) -> Meeting:
        """Start both, first the one that waits, and unless told not to `begin`, let charon initiate if we do not."""
        ours, theirs = self._certified() if auth == "rsa" else _with_secret(gateways)
        ours |= our or {}
        theirs |= their or {}
        meeting = Meeting(
            IkeAuth(gateways.a, gateways.b, OurSettings(initiates=we_initiate, **ours), self.directory / "ours"),
            Charon(gateways.b, gateways.a, CharonSettings(**theirs), self.directory / "charon"),
        )
        both: list[Service] = [meeting.charon, meeting.ours]
        for daemon in both if we_initiate else reversed(both):
            self.running.enter_context(daemon)
        if begin and not we_initiate:
            meeting.charon.initiate()
        return meeting

    def print_logs(self) -> None:
        """For pytest to show beside a failure."""
        for path in sorted(self.directory.glob("*/*.log")):
            print(f"--- {path.parent.name}/{path.name}\n{path.read_text(errors='replace')}")

    def _certified(self) -> tuple[Changes, Changes]:
        ours = {
            "own_id": OUR_NAME,
            "peer_id": PEER_NAME,
            "credential": self.authority.issue(OUR_NAME),
            "authority": self.authority,
        }
        theirs = {
            "own_id": PEER_NAME,
            "peer_id": OUR_NAME,
            "auth": "pubkey",
            "credential": self.authority.issue(PEER_NAME),
            "authority": self.authority.certificate,
        }
        return ours, theirs


def _with_secret(gateways: Gateways) -> tuple[Changes, Changes]:
    a, b = gateways.a.address, gateways.b.address
    return {"peer_id": b, "secret": SECRET}, {"own_id": b, "peer_id": a, "secret": SECRET}
