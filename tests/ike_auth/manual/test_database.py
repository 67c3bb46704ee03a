# SPDX-License-Identifier: ISC
"""What follows from statements for a kernel: SAs, flows and guards, and in which order."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.crypto.secrets import Secret
from ike_auth.daemon.kernel import KernelError
from ike_auth.manual.checking import load
from ike_auth.manual.database import Database
from ike_auth.manual.errors import ManualError
from ike_auth.manual.statements import Get, Group, Host, SaName, Security
from ike_auth.network import Endpoint, Now
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import AhTransform, AuthenticationAlgorithm, EncapsulationMode, EspTransform, ProtocolId
from tests.ike_auth.manual import strategies
from tests.ike_auth.manual.texts import ALGORITHMS, GATEWAY, KEY, MAC_KEY

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")
HERE, THERE = Selector.of(ip_network("10.1.0.0/16")), Selector.of(ip_network("10.2.0.0/16"))
CBC = ProtocolParameters(
    ProtocolId.ESP,
    EspTransform.AES_CBC,
    EncapsulationMode.TUNNEL,
    AuthenticationAlgorithm.HMAC_SHA2_256,
    key_length=128,
)
GUARD = Flow(HERE, THERE, A, B)
FLOW = Flow(HERE, THERE, A, B, (CBC,))
START = Now(1000.0, datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC))
POLICY_OUT = "spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec esp/tunnel/192.0.2.1-192.0.2.2/require;"
POLICY_IN = "spdadd 10.2.0.0/16 10.1.0.0/16 any -P in ipsec esp/tunnel/192.0.2.2-192.0.2.1/require;"
SA_OUT = f"add 192.0.2.1 192.0.2.2 esp 0x1001 -m tunnel {ALGORITHMS};"
SA_IN = f"add 192.0.2.2 192.0.2.1 esp 0x1002 -m tunnel {ALGORITHMS};"


class RecordingKernel:
    """Remembers what it holds and what was done; refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.sas: dict[bytes, IpsecSa] = {}
        self.flows: dict[tuple[Selector, Selector], Flow] = {}
        self.guards: set[Flow] = set()
        self.done: list[tuple[str, Any]] = []
        self.refuses: set[str] = set()

    def _do(self, name: str, value: Any) -> None:
        if name in self.refuses:
            raise KernelError(f"no {name} today")
        self.done.append((name, value))

    def install(self, sa: IpsecSa) -> None:
        self._do("install", sa)
        assert sa.spi not in self.sas
        self.sas[sa.spi] = sa

    def remove(self, sa: IpsecSa) -> None:
        self._do("remove", sa)
        assert self.sas.pop(sa.spi) == sa

    def add_flow(self, flow: Flow) -> None:
        self._do("add_flow", flow)
        assert any((g.local, g.remote) == (flow.local, flow.remote) for g in self.guards)
        self.flows[flow.local, flow.remote] = flow

    def remove_flow(self, flow: Flow) -> None:
        self._do("remove_flow", flow)
        assert self.flows.pop((flow.local, flow.remote)) == flow

    def guard(self, flow: Flow) -> None:
        self._do("guard", flow)
        self.guards.add(flow)

    def unguard(self, flow: Flow) -> None:
        self._do("unguard", flow)
        self.guards.remove(flow)

    def dump(self) -> tuple[object, ...]:
        return tuple(self.sas.values()), tuple(self.flows.values()), tuple(self.guards)


class Machine:
    """A host at 192.0.2.1 and 2001:db8::1."""

    def __init__(self) -> None:
        self.kernel = RecordingKernel()
        self.now = START
        self.ours = {A, ip_address("2001:db8::1"), ip_address("10.1.0.1")}
        self.database = Database(self.kernel, self.ours.__contains__)

    def run(self, text: str) -> None:
        for statement in load(text, "f").statements:
            self.database.perform(statement, self.now)

    @property
    def done(self) -> list[str]:
        return [name for name, _ in self.kernel.done]


@pytest.fixture
def host() -> Machine:
    return Machine()


def test_a_gateway(host: Machine) -> None:
    host.run(GATEWAY)
    assert host.kernel.flows == {(HERE, THERE): FLOW}
    assert host.kernel.guards == {GUARD}
    out, back = host.kernel.sas[b"\0\0\x10\x01"], host.kernel.sas[b"\0\0\x10\x02"]
    assert out == IpsecSa(
        spi=b"\0\0\x10\x01",
        inbound=False,
        parameters=CBC,
        source=Endpoint(A, 0),
        destination=Endpoint(B, 0),
        encryption_key=Secret(bytes.fromhex(KEY[2:])),
        integrity_key=Secret(bytes.fromhex(MAC_KEY[2:])),
        local=HERE,
        remote=THERE,
        life_seconds=0,
        life_kilobytes=None,
        replay_window=0,
    )
    assert (back.inbound, back.source, back.local, back.remote) == (True, Endpoint(B, 0), HERE, THERE)


@pytest.mark.parametrize("text", [SA_OUT + SA_IN + POLICY_OUT + POLICY_IN, POLICY_IN + SA_OUT + POLICY_OUT + SA_IN])
def test_the_order_of_statements_is_free(host: Machine, text: str) -> None:
    host.run(text)
    assert host.kernel.flows == {(HERE, THERE): FLOW}
    assert len(host.kernel.sas) == 2


def test_traffic_is_guarded_before_and_after_it_flows(host: Machine) -> None:
    host.run(POLICY_OUT)
    assert host.done == ["guard"]
    host.run(SA_OUT)
    assert host.done == ["guard", "install", "add_flow"]
    host.kernel.done.clear()
    host.run("delete 192.0.2.1 192.0.2.2 esp 0x1001;")
    assert host.done == ["remove_flow", "remove"]
    assert host.kernel.guards == {GUARD}
    host.run("spddelete 10.1.0.0/16 10.2.0.0/16 any -P out;")
    assert host.kernel.guards == set()


def test_one_direction_protects_both_and_the_last_one_takes_it_away(host: Machine) -> None:
    host.run(SA_OUT + SA_IN + POLICY_IN)
    assert host.kernel.flows == {(HERE, THERE): FLOW}
    host.run(POLICY_OUT + "spddelete 10.2.0.0/16 10.1.0.0/16 any -P in;")
    assert host.kernel.flows == {(HERE, THERE): FLOW}
    host.run("spddelete 10.1.0.0/16 10.2.0.0/16 any -P out;")
    assert host.kernel.flows == {}
    assert host.kernel.sas == {}


def test_an_sa_that_no_policy_uses_waits(host: Machine) -> None:
    host.run(SA_OUT)
    assert host.done == []
    (entry,) = host.database.sas()
    assert not entry.installed
    host.run(POLICY_OUT)
    (entry,) = host.database.sas()
    assert entry.installed


def test_ah_between_two_hosts(host: Machine) -> None:
    host.run(f"add 192.0.2.1 192.0.2.2 ah 256 -A hmac-sha256 {MAC_KEY};")
    host.run("spdadd 192.0.2.1 192.0.2.2 any -P out ipsec ah/transport//require;")
    (ah,) = host.kernel.sas.values()
    assert (ah.local, ah.remote) == (Selector.of(A), Selector.of(B))
    assert ah.parameters == ProtocolParameters(
        ProtocolId.AH, AhTransform.SHA2_256, EncapsulationMode.TRANSPORT, AuthenticationAlgorithm.HMAC_SHA2_256
    )


def test_an_sa_carries_what_its_policies_say_and_no_more(host: Machine) -> None:
    host.run(SA_OUT + POLICY_OUT)
    (sa,) = host.kernel.sas.values()
    assert (sa.local, sa.remote) == (HERE, THERE)
    host.run("spdadd 10.3.0.0/16 10.2.0.0/17 tcp -P out ipsec esp/tunnel/192.0.2.1-192.0.2.2/require;")
    (sa,) = host.kernel.sas.values()
    assert (sa.local, sa.remote) == (Selector(HERE.low, ip_address("10.3.255.255")), THERE)


def test_the_newest_sa_says_how_traffic_goes(host: Machine) -> None:
    host.run(POLICY_OUT + SA_OUT)
    host.run(f"add 192.0.2.1 192.0.2.2 esp 0x2001 -m tunnel -E aes-gcm-16 0x{'00' * 20};")
    (flow,) = host.kernel.flows.values()
    assert flow.parameters[0].transform == EspTransform.AES_GCM_16
    assert "remove_flow" not in host.done
    host.run("delete 192.0.2.1 192.0.2.2 esp 0x2001;")
    assert host.kernel.flows == {(HERE, THERE): FLOW}


def test_transport_mode_between_hosts_with_ports(host: Machine) -> None:
    host.run(
        f"add 192.0.2.1 192.0.2.2 esp 0x1001 {ALGORITHMS}; add 192.0.2.2 192.0.2.1 esp 0x1002 {ALGORITHMS};"
        "spdadd 192.0.2.1 192.0.2.2[80] tcp -P out ipsec esp/transport//require;"
        "spdadd 192.0.2.2[80] 192.0.2.1 tcp -P in ipsec esp/transport//require;"
    )
    (flow,) = host.kernel.flows.values()
    assert (flow.local, flow.remote) == (Selector.of(A, 6), Selector.of(B, 6, 80))
    assert flow.parameters[0].encapsulation == EncapsulationMode.TRANSPORT
    assert {sa.parameters.encapsulation for sa in host.kernel.sas.values()} == {EncapsulationMode.TRANSPORT}


def test_esp_in_udp(host: Machine) -> None:
    host.run(
        f"add 192.0.2.1[4500] 192.0.2.2[4501] esp-udp 0x1001 -m tunnel -r 32 -lh 60 -bh 2500 {ALGORITHMS};"
        f"add 192.0.2.2 192.0.2.1 esp-udp 0x1002 -m tunnel {ALGORITHMS};"
    )
    host.run(POLICY_OUT)
    out, back = host.kernel.sas[b"\0\0\x10\x01"], host.kernel.sas[b"\0\0\x10\x02"]
    assert (out.source, out.destination) == (Endpoint(A, 4500), Endpoint(B, 4501))
    assert (back.source, back.destination) == (Endpoint(B, 4500), Endpoint(A, 4500))
    assert out.parameters.encapsulation == EncapsulationMode.UDP_TUNNEL
    assert (out.replay_window, out.life_seconds, out.life_kilobytes) == (32, 60, 2)


def test_ports_of_a_rule_choose_among_sas(host: Machine) -> None:
    for spi, port in ((0x1001, 4501), (0x1002, 4502)):
        host.run(f"add 192.0.2.1[4500] 192.0.2.2[{port}] esp-udp {spi} -m tunnel {ALGORITHMS};")
    host.run(POLICY_OUT.replace("192.0.2.1-192.0.2.2", "192.0.2.1[4500]-192.0.2.2[4502]"))
    assert list(host.kernel.sas) == [b"\0\0\x10\x02"]


def test_ids_choose_among_sas(host: Machine) -> None:
    for spi in (1, 2):
        host.run(f"add 192.0.2.1 192.0.2.2 esp 0x100{spi} -u {spi} {ALGORITHMS};")
    host.run(POLICY_OUT.replace("require", "unique:2"))
    assert list(host.kernel.sas) == [b"\0\0\x10\x02"]


def test_esp_then_ah(host: Machine) -> None:
    ah = f"-A hmac-sha256 {MAC_KEY}"
    rules = "esp/tunnel/192.0.2.1-192.0.2.2/require ah/transport//require"
    host.run(SA_OUT + POLICY_OUT.replace("esp/tunnel/192.0.2.1-192.0.2.2/require", rules))
    assert host.kernel.flows == {}  # one SA of two
    host.run(f"add 192.0.2.1 192.0.2.2 ah 0x2001 {ah}; add 192.0.2.2 192.0.2.1 ah 0x2002 {ah};")
    (flow,) = host.kernel.flows.values()
    assert [p.protocol for p in flow.parameters] == [ProtocolId.ESP, ProtocolId.AH]
    assert set(host.kernel.sas) == {b"\0\0\x10\x01", b"\0\0\x20\x01", b"\0\0\x20\x02"}


def test_groups_put_one_sa_behind_another(host: Machine) -> None:
    host.run(SA_OUT + POLICY_OUT + f"add 192.0.2.1 192.0.2.2 ah 0x2001 -A hmac-sha256 {MAC_KEY};")
    assert len(host.kernel.sas) == 1
    group = Group(SaName(B, Security.ESP, 0x1001), SaName(B, Security.AH, 0x2001))
    host.database.perform(group, START)
    (flow,) = host.kernel.flows.values()
    assert [p.protocol for p in flow.parameters] == [ProtocolId.ESP, ProtocolId.AH]
    host.run("delete 192.0.2.1 192.0.2.2 ah 0x2001;")
    assert host.kernel.flows == {(HERE, THERE): FLOW}


def test_discarded_traffic_is_guarded(host: Machine) -> None:
    host.run("spdadd 10.1.0.0/16 10.9.0.0/16 tcp -P out discard;")
    (guard,) = host.kernel.guards
    assert (guard.local, guard.parameters) == (Selector(HERE.low, HERE.high, 6), ())
    assert host.kernel.flows == {}


def test_ipv6(host: Machine) -> None:
    host.run(
        f"add 2001:db8::1 2001:db8::2 esp 0x1001 -m tunnel {ALGORITHMS};"
        "spdadd ::/0 2001:db8:2::/48 any -P out ipsec esp/tunnel/2001:db8::1-2001:db8::2/require;"
    )
    (flow,) = host.kernel.flows.values()
    assert str(flow) == "::/0 ↔ 2001:db8:2::/48"


def test_flush_and_close(host: Machine) -> None:
    host.run(GATEWAY + "flush ah;")
    assert len(host.kernel.sas) == 2
    host.run("flush;")
    assert (host.kernel.sas, host.kernel.flows, host.kernel.guards) == ({}, {}, {GUARD})
    host.run(SA_OUT + "spdflush;")
    assert (host.kernel.sas, host.kernel.flows, host.kernel.guards) == ({}, {}, set())
    host.run(POLICY_OUT)
    host.database.close()
    assert (host.kernel.sas, host.kernel.flows, host.kernel.guards) == ({}, {}, set())
    assert host.database.sas() == ()
    assert host.database.policies() == ()


def test_esp_in_udp_is_esp(host: Machine) -> None:
    host.run(SA_OUT.replace("esp 0x", "esp-udp 0x") + "flush ah; deleteall 192.0.2.1 192.0.2.2 ah;")
    assert len(host.database.sas(Security.ESP)) == len(host.database.sas()) == 1
    assert host.database.sas(Security.AH) == ()
    host.run("deleteall 192.0.2.1 192.0.2.2 esp;")
    assert host.database.sas() == ()
    host.run(SA_OUT.replace("esp 0x", "esp-udp 0x") + "flush esp;")
    assert host.database.sas() == ()


def test_update_and_deleteall(host: Machine) -> None:
    host.run(SA_OUT + SA_IN + POLICY_OUT)
    host.run(SA_OUT.replace("add", "update").replace(KEY, "0x" + "77" * 32))
    assert len(host.kernel.sas[b"\0\0\x10\x01"].encryption_key) == 32
    host.run("deleteall 192.0.2.1 192.0.2.2 esp;")
    assert list(host.kernel.sas) == [b"\0\0\x10\x02"]


def test_lifetimes_end(host: Machine) -> None:
    host.run(SA_OUT.replace("-m tunnel", "-m tunnel -lh 60") + SA_IN.replace("-m tunnel", "-lh 90") + POLICY_OUT)
    assert host.database.tend(START) == 1060.0
    assert len(host.kernel.sas) == 2
    later = Now(1060.0, START.utc + timedelta(seconds=60))
    assert host.database.tend(later) == 1090.0
    assert list(host.kernel.sas) == [b"\0\0\x10\x02"]
    assert host.kernel.flows == {}
    assert host.database.tend(Now(1090.0, START.utc)) is None


@pytest.mark.parametrize(
    ("before", "text", "message", "hint"),
    [
        (SA_OUT, SA_OUT, "there is an SA ESP 0x00001001 to 192.0.2.2 already", "`update`"),
        ("", "delete 192.0.2.1 192.0.2.2 esp 0x1001;", "there is no SA ESP 0x00001001 to 192.0.2.2", ""),
        (SA_OUT, "delete 192.0.2.9 192.0.2.2 esp 0x1001;", "there is no SA ESP 0x00001001 to 192.0.2.2", ""),
        ("", SA_OUT.replace("add", "update"), "there is no SA ESP 0x00001001", ""),
        (POLICY_OUT, POLICY_OUT, "there is a policy for this traffic already", "`spdupdate`"),
        ("", "spddelete ::1 ::2 any -P in;", "there is no such policy", ""),
        ("", SA_OUT.replace("192.0.2.1", "192.0.2.9"),
         "neither 192.0.2.9 nor 192.0.2.2 is an address of this host", ""),
        ("", SA_OUT.replace("192.0.2.2", "10.1.0.1"),
         "192.0.2.1 and 10.1.0.1 are both addresses of this host", ""),
        ("", POLICY_OUT.replace("-P out", "-P in"),
         "`-P in`, but 192.0.2.2 is no address of this host", "are swapped"),
        ("", POLICY_OUT.replace("192.0.2.1-", "192.0.2.9-"),
         "`-P out`, but 192.0.2.9 is no address of this host", ""),
        (POLICY_OUT, POLICY_IN.replace("require", "unique:5"), "contradict each other", "`spddelete`"),
        (POLICY_OUT + SA_OUT.replace("-m tunnel ", ""),
         "spdadd 192.0.2.1 192.0.2.2 any -P out ipsec esp/transport//require;", "in both modes", "`-m tunnel`"),
    ],
)  # fmt: skip
def test_what_contradicts_changes_nothing(host: Machine, before: str, text: str, message: str, hint: str) -> None:
    host.run(before)
    held, entries = host.kernel.dump(), (host.database.sas(), host.database.policies())
    with pytest.raises(ManualError, match=message) as caught:
        host.run(text)
    assert hint in caught.value.hint
    assert host.kernel.dump() == held
    assert (host.database.sas(), host.database.policies()) == entries


@pytest.mark.parametrize("refused", ["install", "add_flow"])
def test_what_a_kernel_refuses_changes_nothing(host: Machine, refused: str) -> None:
    host.run(POLICY_OUT + SA_IN)
    held = host.kernel.dump()
    host.kernel.refuses = {refused}
    with pytest.raises(KernelError, match=f"no {refused} today"):
        host.run(SA_OUT)
    assert host.kernel.dump() == held
    assert len(host.database.sas()) == 1
    host.kernel.refuses = set()
    host.run(SA_OUT)
    assert host.kernel.flows == {(HERE, THERE): FLOW}


def test_one_pair_of_sas_for_several_policies(host: Machine) -> None:
    """What each of them may carry is these, and not what lies between."""
    host.run(GATEWAY)
    assert host.kernel.sas[b"\0\0\x10\x01"].sides == ()
    far = Selector.of(ip_network("10.9.0.0/16"))
    host.run(POLICY_OUT.replace("10.2.0.0/16", "10.9.0.0/16"))
    for sa in host.kernel.sas.values():
        assert sa.traffic == ((HERE, THERE), (HERE, far))
        assert (sa.local, sa.remote) == (HERE, Selector(THERE.low, far.high))
    assert host.kernel.flows.keys() == {(HERE, THERE), (HERE, far)}
    host.run(POLICY_OUT.replace("10.2.0.0/16", "10.9.0.0/16").replace("spdadd", "spddelete").split(" ipsec")[0] + ";")
    assert host.kernel.sas[b"\0\0\x10\x01"].sides == ()


def test_one_sa_is_for_one_version_of_ip(host: Machine) -> None:
    host.run(GATEWAY)
    second = POLICY_OUT.replace("10.1.0.0/16", "fd01::/64").replace("10.2.0.0/16", "fd02::/64")
    with pytest.raises(ManualError, match="policies send IPv4 and IPv6 through the SA"):
        host.run(second)
    assert host.kernel.flows == {(HERE, THERE): FLOW}


def test_getting_an_sa(host: Machine) -> None:
    host.run(SA_OUT)
    assert host.database.get(Get(Host(A), Host(B), Security.ESP, 0x1001)).add.spi == 0x1001
    with pytest.raises(ManualError, match="there is no SA"):
        host.database.get(Get(Host(A), Host(B), Security.AH, 0x1001))


TEXTS = [SA_OUT, SA_IN, POLICY_OUT, POLICY_IN, "flush;", "spdflush;", "delete 192.0.2.1 192.0.2.2 esp 0x1001;"]
TEXTS += [
    "spddelete 10.1.0.0/16 10.2.0.0/16 any -P out;",
    SA_OUT.replace("0x1001", "0x1003").replace("tunnel", "any"),
]
TEXTS += [POLICY_OUT.replace("spdadd", "spdupdate").replace("require", "unique:7"), SA_IN.replace("add", "update")]


# Invariant: whatever is said in whichever order, and whatever a kernel refuses on the way, the kernel ends up with
# what it would have been given for what is there in the end.
@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(["", "install", "add_flow", "guard"])), max_size=12)
)
def test_any_history(history: list[tuple[str, str]]) -> None:
    host = Machine()
    for text, refused in history:
        host.kernel.refuses = {refused}
        with suppress(ManualError, KernelError):
            host.run(text)
    host.kernel.refuses = set()
    host.database.tend(START)
    fresh = Machine()
    for sa in host.database.sas():
        fresh.database.perform(sa.add, START)
    for policy in host.database.policies():
        fresh.database.perform(policy.spd, START)
    assert host.kernel.sas == fresh.kernel.sas
    assert host.kernel.flows == fresh.kernel.flows
    assert host.kernel.guards == fresh.kernel.guards


# Invariant: any statement is performed, or refused in our own words.
@settings(deadline=None)
@given(st.lists(strategies.statements, max_size=4))
def test_anything_is_performed_or_refused(statements: list[Any]) -> None:
    database = Database(RecordingKernel(), lambda address: address.packed[0] < 128)
    for statement in statements:
        try:
            database.perform(statement, START)
        except ManualError as error:
            assert str(error).isprintable()  # noqa: PT017
