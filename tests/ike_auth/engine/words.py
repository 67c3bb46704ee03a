# SPDX-License-Identifier: ISC
"""What tests of the engine say often."""

from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address

from ike_auth.authorization.requests import (
    Answer,
    AuthorizeTunnel,
    Decision,
    IdentityRequest,
    Question,
    TunnelAuthorized,
    TunnelRequest,
)
from ike_auth.exchanges.v1 import informational
from ike_auth.network import Datagram, Now
from ike_auth.sa import IkeSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.payloads import Payload
from tests.ike_auth.gateways import pair
from tests.ike_auth.simulation import AllowAll, Host, Network


def ike_sa(host: Host) -> IkeSa:
    """The only one."""
    (sa,) = host.engine.table.ike_sas.values()
    return sa


def say(network: Network, sender: Host, *payloads: Payload) -> None:
    """An informational message under the sender's IKE SA."""
    ike = ike_sa(sender)
    data = informational._seal(informational.Channel.of(ike), payloads, sender.engine._core.random)
    network.inject(Datagram(data, ike.local, ike.remote))
    network.run(0.5)


def two() -> tuple[Host, Host]:
    """Gateway A has two connections to B, of which B has only one in its configuration."""
    a, b = pair()
    (tunnel,) = a.configuration.connections.values()
    local, remote = Selector.of(ip_address("10.1.99.1")), Selector.of(ip_address("10.2.99.1"))
    connections = {"tunnel": tunnel, "second": replace(tunnel, name="second", local=local, remote=remote)}
    return Host(a.address, replace(a.configuration, connections=connections), seed=a.seed), b


def denied_from(host: Host, moment: float) -> None:
    """Every tunnel that is asked for from then on."""
    no = Decision(False, "false", "enough is enough")

    def answer(question: Question, now: Now) -> Answer:
        if isinstance(question, AuthorizeTunnel) and now.monotonic >= moment:
            return TunnelAuthorized(None, (no,) * len(question.requests))
        return host.answer_from_gate(question, now)

    host.answer = answer


BECAUSE = "the policy has changed its mind"


@dataclass(frozen=True, slots=True)
class Denies(AllowAll):
    """An authorizer that is against one phase, or anything of it."""

    phase: int = 2

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        return Decision(self.phase != 1, "", BECAUSE)

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        return Decision(self.phase != 2, "", BECAUSE)
