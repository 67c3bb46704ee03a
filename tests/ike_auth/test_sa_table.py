# SPDX-License-Identifier: ISC
from dataclasses import replace
from functools import cache
from ipaddress import ip_network

import pytest

from ike_auth.sa import Cookies, IkeSa, IpsecSa, Tunnel
from ike_auth.sa_table import MAX_MESSAGE_IDS, MAX_VARIANTS, SaTable
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import ProtocolId
from tests.ike_auth.gateways import meet, pair

ESP, AH = ProtocolId.ESP, ProtocolId.AH


@cache
def made() -> tuple[IkeSa, Tunnel]:
    """An IKE SA and a tunnel, by a real handshake."""
    a, b = pair()
    meet(a, b)
    table = a.engine.table
    return next(iter(table.ike_sas.values())), table.tunnels[0]


def ike_sa(number: int = 0, **changes: object) -> IkeSa:
    return replace(made()[0], cookies=Cookies(bytes([number] * 8), b"responde"), **changes)  # type: ignore[arg-type]


def tunnel(inbound: bytes, outbound: bytes, **changes: object) -> Tunnel:
    """With SAs of these SPIs."""
    template = made()[1]
    into, out = replace(template.inbound[0], spi=inbound), replace(template.outbound[0], spi=outbound)
    return replace(template, **{"inbound": (into,), "outbound": (out,), **changes})  # type: ignore[arg-type]


# --- IKE SAs and their variants


def test_an_ike_sa_is_there_until_it_is_removed() -> None:
    table, sa = SaTable(), ike_sa()
    assert table.variants(sa.cookies) == ()
    assert table.add_ike(sa)
    assert table.ike_sas == {sa.cookies: sa}
    assert table.variants(sa.cookies) == (sa,)
    table.remove_ike(sa.cookies)
    assert table.variants(sa.cookies) == ()
    table.remove_ike(sa.cookies)


def test_variants_are_kept_until_the_peer_uses_one() -> None:
    table, first = SaTable(), ike_sa(last_block=b"first")
    second = replace(first, last_block=b"second")
    assert table.add_ike(first)
    assert table.add_ike(second)
    assert not table.add_ike(replace(first, heard=9.0)), "the same block is no variant"
    assert table.variants(first.cookies) == (second, first)
    table.used(replace(first, heard=5.0))
    assert table.variants(first.cookies) == (replace(first, heard=5.0),)
    assert not table.add_ike(second), "the peer has shown what it has"
    assert table.variants(first.cookies) == (replace(first, heard=5.0),)


def test_variants_have_a_limit() -> None:
    table = SaTable()
    added = [table.add_ike(ike_sa(last_block=bytes([count]))) for count in range(MAX_VARIANTS + 2)]
    assert added == [True] * MAX_VARIANTS + [False] * 2


def test_an_ike_sa_that_is_gone_does_not_come_back_by_use() -> None:
    table, sa = SaTable(), ike_sa()
    table.used(sa)
    assert table.ike_sas == {}


def test_the_newest_one_with_a_peer_under_which_something_may_begin() -> None:
    table = SaTable()
    older, newer = ike_sa(1, established=0.0, expires=100.0), ike_sa(2, established=50.0, expires=80.0)
    elsewhere = ike_sa(3, peer=replace(older.peer, name="another"))
    for sa in (older, newer, elsewhere):
        table.add_ike(sa)
    assert table.ike_with("peer", 60.0) == newer
    assert table.ike_with("peer", 77.5) == older, "the last tenth of a life is not for beginnings"
    assert table.ike_with("peer", 90.0) is None
    assert table.ike_with("nobody", 0.0) is None
    assert table.ike_with("peer", 0.0, Identity.fqdn("somebody")) is None
    assert table.ike_with("peer", 0.0, newer.identity) == newer


def test_message_ids_are_remembered_as_long_as_the_ike_sa() -> None:
    table, one, other = SaTable(), ike_sa(1).cookies, ike_sa(2).cookies
    table.use(one, 7)
    assert table.is_used(one, 7)
    assert not table.is_used(one, 8)
    assert not table.is_used(other, 7)
    table.remove_ike(one)
    assert not table.is_used(one, 7)


def test_an_ike_sa_wears_out() -> None:
    table, cookies = SaTable(), ike_sa().cookies
    for message_id in range(MAX_MESSAGE_IDS - 1):
        table.use(cookies, message_id)
    table.use(cookies, 0)
    assert not table.is_worn_out(cookies)
    table.use(cookies, MAX_MESSAGE_IDS)
    assert table.is_worn_out(cookies)


# --- tunnels


def test_a_tunnel_is_found_by_the_spis_of_either_direction() -> None:
    table, found = SaTable(), tunnel(b"in_1", b"out1")
    table.add_tunnel(found)
    assert table.tunnels == (found,)
    assert table.tunnel_into(b"in_1") == found
    assert table.tunnel_into(b"out1") is None
    assert table.tunnels_out(ESP, b"out1") == (found,)
    assert table.tunnels_out(AH, b"out1") == ()
    assert table.newest_tunnel_out(b"out1") == found
    assert table.newest_tunnel_out(b"in_1") is None
    table.remove_tunnel(found)
    assert {name: len(value) for name, value in vars(table).items() if value} == {}


def test_a_tunnel_with_two_protocols_is_found_by_all_four_spis() -> None:
    template = made()[1]

    def sa(direction: IpsecSa, spi: bytes, protocol: ProtocolId) -> IpsecSa:
        return replace(direction, spi=spi, parameters=replace(direction.parameters, protocol=protocol))

    into, out = template.inbound[0], template.outbound[0]
    both = replace(
        template,
        inbound=(sa(into, b"espi", ESP), sa(into, b"ahin", AH)),
        outbound=(sa(out, b"same", ESP), sa(out, b"same", AH)),
    )
    table = SaTable()
    table.add_tunnel(both)
    assert table.tunnel_into(b"espi") == table.tunnel_into(b"ahin") == both
    assert table.tunnels_out(ESP, b"same") == table.tunnels_out(AH, b"same") == (both,)
    table.remove_tunnel(both)
    assert {name: len(value) for name, value in vars(table).items() if value} == {}


def test_two_peers_may_choose_the_same_spi() -> None:
    table, one, other = SaTable(), tunnel(b"in_1", b"same"), tunnel(b"in_2", b"same", peer="another")
    table.add_tunnel(one)
    table.add_tunnel(other)
    assert table.tunnels_out(ESP, b"same") == (one, other)
    assert table.newest_tunnel_out(b"same") == other
    table.remove_tunnel(one)
    assert table.tunnels_out(ESP, b"same") == (other,)


def test_tunnels_for_the_same_traffic_oldest_first() -> None:
    table = SaTable()
    first, second = tunnel(b"in_1", b"out1"), tunnel(b"in_2", b"out2")
    others = [
        tunnel(b"in_3", b"out3", remote=Selector.of(ip_network("10.9.0.0/16"))),
        tunnel(b"in_4", b"out4", local=Selector.of(ip_network("10.9.0.0/16"))),
        tunnel(b"in_5", b"out5", identity=Identity.fqdn("another")),
        tunnel(b"in_6", b"out6", peer="another"),
    ]
    for each in (first, *others, second):
        table.add_tunnel(each)
    assert table.tunnels_like(second) == [first, second]


@pytest.mark.parametrize(
    ("remote", "found"),
    [("10.2.3.0/24", True), ("10.0.0.0/8", True), ("10.2.0.0/16", True), ("10.3.0.0/16", False), ("::/0", False)],
)
def test_tunnels_that_some_traffic_goes_to(remote: str, found: bool) -> None:
    table, there = SaTable(), made()[1]
    table.add_tunnel(there)
    assert list(table.tunnels_to(Selector.of(ip_network(remote)))) == ([there] if found else [])
    table.remove_tunnel(there)
    assert list(table.tunnels_to(Selector.of(ip_network(remote)))) == []
