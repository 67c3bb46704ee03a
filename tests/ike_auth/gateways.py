# SPDX-License-Identifier: ISC
"""Two gateways that meet: hosts made of the texts in `configurations`, and what holds when their tunnel is up."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography import x509

from ike_auth.engine.core import Check
from ike_auth.wire.identities import Identity
from tests.ike_auth.configurations import NAME, A, B, gateway
from tests.ike_auth.simulation import Credential, Host, Network, Tamper, deliver, host
from tests.pki import factory

# Curve25519 is the fastest group, and the protocol is the same.
FAST = {"transforms": "AES-128-SHA2-256-GRP31", "suites": "QM-ESP-AES-128-SHA2-256-PFS-GRP31-SUITE"}
FAST_RSA = {**FAST, "transforms": "AES-128-SHA2-256-GRP31-RSA_SIG", "authentication": "rsa"}

Options = Mapping[str, Any]


@cache
def authority() -> factory.Issued:
    return factory.authority("Test CA")


@cache
def credential(name: str) -> Credential:
    """A certificate of the test authority for this FQDN, with its key."""
    issued = factory.leaf(authority(), name, key=name)
    return Credential(Identity.fqdn(name), (issued.der,), factory.rsa_key(name))


def certified(address: str) -> Options:
    """What a host needs that authenticates with RSA signatures."""
    trusted = x509.load_der_x509_certificate(authority().der)
    return {"credentials": [credential(NAME[address])], "authorities": [trusted]}


def gateway_host(address: str, options: Options = FAST, seed: int = 0, **more: Any) -> Host:
    """One gateway; `options` go into its configuration, `more` into the host."""
    if options.get("authentication") == "rsa":
        more = {**certified(address), **more}
    return host(address, gateway(address, **options), seed=seed, **more)


def pair(
    options: Options = FAST,
    *,
    of_a: Options | None = None,
    of_b: Options | None = None,
    a: Options | None = None,
    b: Options | None = None,
    seed: int = 0,
) -> tuple[Host, Host]:
    """Gateway A, which begins, and B. `of_a` and `of_b` go into one configuration, `a` and `b` into one host."""
    one = gateway_host(A, {**options, **(of_a or {})}, 2 * seed + 1, **(a or {}))
    other = gateway_host(B, {**options, "active": False, **(of_b or {})}, 2 * seed + 2, **(b or {}))
    return one, other


def meet(a: Host, b: Host, tamper: Tamper = deliver, seconds: float = 60.0) -> Network:
    """Both start, and time passes."""
    network = Network(a, b, tamper=tamper)
    network.start()
    network.run(seconds)
    return network


def assert_joined(a: Host, b: Host, tunnels: int = 1) -> None:
    """Both ends have the same tunnels, and the kernels have what the engines say they have."""
    for end in (a, b):
        told = {(sa.inbound, sa.spi): sa for tunnel in end.engine.table.tunnels for sa in tunnel.sas}
        assert told == end.installed
        assert len(end.engine.table.tunnels) == tunnels
    assert_mirrored(a, b)
    assert {(inbound, spi) for inbound, spi in a.installed} == {(not inbound, spi) for inbound, spi in b.installed}


def assert_mirrored(a: Host, b: Host) -> None:
    """What both ends have installed, they understand in the same way."""
    for (inbound, spi), ours in a.installed.items():
        theirs = b.installed.get((not inbound, spi))
        if theirs is not None:
            assert ours.fingerprint == theirs.fingerprint
            assert ours.parameters == theirs.parameters
            assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
            assert (ours.source.host, ours.destination.host) == (theirs.source.host, theirs.destination.host)


def assert_nothing_left(*hosts: Host) -> None:
    """Nothing that could grow: no exchange, timer, question, piece of a message, or entry of an index."""
    for end in hosts:
        assert not end.installed
        assert leftovers(end) == {}


def leftovers(end: Host) -> dict[str, int]:
    """How much is in each table of the engine that is not empty, but for the timer that looks after connections."""
    core = end.engine._core
    tables = {
        "timers": {alarm for alarm in core.timers if not isinstance(alarm, Check)},
        "questions": core.questions,
        "fragments": core.fragments,
        "probes": core.probes,
        "traffic": core.traffic,
        "reviews": core.reviews,
        **vars(core.sas),
        **vars(core.exchanges),
        **vars(core.exchanges.half_open),
    }
    sizes = {name: len(table) for name, table in tables.items() if hasattr(table, "__len__")}
    return {name: size for name, size in sizes.items() if size}
