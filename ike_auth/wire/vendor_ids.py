# SPDX-License-Identifier: ISC
"""Vendor ids, RFC 2408 3.16: the ones that mean something to us, and names for the others in logs."""

from hashlib import md5

from ike_auth.wire.payloads import VendorId


def _hashed(text: str) -> bytes:
    """Most vendor ids are the MD5 of a text."""
    return md5(text.encode(), usedforsecurity=False).digest()


# NAT traversal (RFC 3947 3.1). Of draft 02 there are two, since a newline got into one implementation's text.
NAT_T_RFC = _hashed("RFC 3947")
NAT_T_03 = _hashed("draft-ietf-ipsec-nat-t-ike-03")
NAT_T_02_NEWLINE = _hashed("draft-ietf-ipsec-nat-t-ike-02\n")
NAT_T_02 = _hashed("draft-ietf-ipsec-nat-t-ike-02")
# Dead peer detection (RFC 3706 5.1): two bytes of version, 1.0, end it.
DPD = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
# Fragmentation: some follow it with four bytes of capability flags.
FRAGMENTATION = _hashed("FRAGMENTATION")
XAUTH = bytes.fromhex("09002689dfd6b712")
UNITY = bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")
OURS = _hashed("keynote-ike 1")

_NAMES = {
    NAT_T_RFC: "NAT-T (RFC 3947)",
    NAT_T_03: "NAT-T draft 03",
    NAT_T_02_NEWLINE: "NAT-T draft 02",
    NAT_T_02: "NAT-T draft 02, no newline",
    _hashed("draft-ietf-ipsec-nat-t-ike-00"): "NAT-T draft 00",
    DPD: "DPD",
    XAUTH: "XAUTH",
    UNITY: "Unity",
    OURS: "keynote-ike",
    _hashed("strongSwan"): "strongSwan",
    _hashed("OpenBSD-6.3"): "isakmpd",
    _hashed("OpenBSD-4.0"): "isakmpd",
    _hashed("KAME/racoon"): "racoon",
}
# Those that carry more behind their text.
_PREFIXES = {
    FRAGMENTATION: "FRAGMENTATION",
    DPD[:14]: "DPD",
    UNITY[:14]: "Unity",
    bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461"): "Windows",
    b"OE": "Openswan or libreswan",
}


def name(vendor_id: VendorId) -> str:
    """What the id stands for; hex of its first 16 bytes if that is not known."""
    data = vendor_id.data
    known = _NAMES.get(data)
    if known is not None:
        return known
    matching = (text for prefix, text in _PREFIXES.items() if data.startswith(prefix))
    return next(matching, data[:16].hex())


def announces_dpd(vendor_id: VendorId) -> bool:
    """RFC 3706 5.1, of whichever version: no other than 1.0 was ever published."""
    return vendor_id.data.startswith(DPD[:14])


def announces_fragmentation(vendor_id: VendorId) -> bool:
    """Whether the sender takes fragments in main mode: the bare id says so, and flags with the topmost bit."""
    data = vendor_id.data
    if not data.startswith(FRAGMENTATION) or len(data) not in (16, 20):
        return False
    return len(data) == 16 or bool(data[16] & 0x80)
