# SPDX-License-Identifier: ISC
import pytest

from ike_auth.wire import vendor_ids
from ike_auth.wire.payloads import VendorId


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("4a131c81070358455c5728f20e95452f", "NAT-T (RFC 3947)"),
        ("7d9419a65310ca6f2c179d9215529d56", "NAT-T draft 03"),
        ("90cb80913ebb696e086381b5ec427b1f", "NAT-T draft 02"),
        ("cd60464335df21f87cfdb2fc68b6a448", "NAT-T draft 02, no newline"),
        ("4485152d18b6bbcd0be8a8469579ddcc", "NAT-T draft 00"),
        ("afcad71368a1f1c96b8696fc77570100", "DPD"),
        ("4048b7d56ebce88525e7de7f00d6c2d3", "FRAGMENTATION"),
        ("4048b7d56ebce88525e7de7f00d6c2d380000000", "FRAGMENTATION"),
        ("09002689dfd6b712", "XAUTH"),
        ("12f5f28c457168a9702d9fe274cc0100", "Unity"),
        ("882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan"),
        ("1e2b516905991c7d7c96fcbfb587e46100000009", "Windows"),
        ("4f45755c645c6a795c5c6170", "Openswan or libreswan"),
        ("00112233445566778899aabbccddeeff0011", "00112233445566778899aabbccddeeff"),
        ("", ""),
    ],
)
def test_names(data: str, name: str) -> None:
    assert vendor_ids.name(VendorId(bytes.fromhex(data))) == name


def test_ours() -> None:
    assert vendor_ids.name(VendorId(vendor_ids.OURS)) == "keynote-ike"


@pytest.mark.parametrize(
    ("flags", "announced"),
    [("", True), ("80000000", True), ("c0000000", True), ("40000000", False), ("00000000", False), ("8000", False)],
)
def test_fragmentation(flags: str, announced: bool) -> None:
    data = vendor_ids.FRAGMENTATION + bytes.fromhex(flags)
    assert vendor_ids.announces_fragmentation(VendorId(data)) is announced
    assert not vendor_ids.announces_fragmentation(VendorId(vendor_ids.DPD))
