# SPDX-License-Identifier: ISC
import hashlib
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ike_auth.crypto import groups
from ike_auth.crypto.groups import ECP, Random, generate, public_size, supported
from ike_auth.crypto.modp import MODP
from ike_auth.errors import InvalidKeyInformation, UnsupportedAlgorithm
from ike_auth.wire.numbers import Group, NotifyType

ALL = [*(Group(number) for number in (*MODP, *ECP)), Group.CURVE25519]
every_group = pytest.mark.parametrize("group", ALL, ids=str)

# RFC 5903 8.1 to 8.3: i, g^i, r, g^r, girx.
ECP_VECTORS = [
    (
        Group.ECP_256,
        "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
        "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180"
        "5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
        "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
        "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63"
        "56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
        "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE",
    ),
    (
        Group.ECP_384,
        "099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
        "667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA"
        "9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
        "41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC",
        "E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571"
        "DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C",
        "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746",
    ),
    (
        Group.ECP_521,
        "0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A095AA85A30FE1C2952C6771D937BA9777"
        "F5957B2639BAB072462F68C27A57382D4A52",
        "0015417E84DBF28C0AD3C278713349DC7DF153C897A1891BD98BAB4357C9ECBEE1E3BF42E00B8E380AEAE57C2D107564"
        "941885942AF5A7F4601723C4195D176CED3E"
        "017CAE20B6641D2EEB695786D8C946146239D099E18E1D5A514C739D7CB4A10AD8A788015AC405D7799DC75E7B7D5B6C"
        "F2261A6A7F1507438BF01BEB6CA3926F9582",
        "0145BA99A847AF43793FDD0E872E7CDFA16BE30FDC780F97BCCC3F078380201E9C677D600B343757A3BDBF2A3163E4C2"
        "F869CCA7458AA4A4EFFC311F5CB151685EB9",
        "00D0B3975AC4B799F5BEA16D5E13E9AF971D5E9B984C9F39728B5E5739735A219B97C356436ADC6E95BB0352F6BE64A6"
        "C2912D4EF2D0433CED2B6171640012D9460F"
        "015C68226383956E3BD066E797B623C27CE0EAC2F551A10C2C724D9852077B87220B6536C5C408A1D2AEBB8E86D678AE"
        "49CB57091F4732296579AB44FCD17F0FC56A",
        "01144C7D79AE6956BC8EDB8E7C787C4521CB086FA64407F97894E5E6B2D79B04D1427E73CA4BAA240A34786859810C06"
        "B3C715A3A8CC3151F2BEE417996D19F3DDEA",
    ),
]


def repeatable(seed: int) -> Random:
    return random.Random(seed).randbytes


def exactly(value: bytes) -> Random:
    """A source that gives these bytes once, padded to what is asked for."""
    return lambda count: value.rjust(count, b"\0")


def scalar(number: str) -> Random:
    """What makes an ECP share of this private value."""
    return exactly((int(number, 16) - 1).to_bytes(66, "big").lstrip(b"\0"))


@every_group
def test_both_sides_agree(group: Group) -> None:
    mine, theirs = generate(group, repeatable(1)), generate(group, repeatable(2))
    secret = mine.shared(theirs.public)
    assert secret == theirs.shared(mine.public)
    assert len(mine.public) == len(theirs.public) == public_size(group)
    assert mine.public != theirs.public
    assert mine.group is group
    assert secret.reveal().hex() not in repr(secret)


@every_group
def test_the_random_source_decides(group: Group) -> None:
    assert generate(group, repeatable(1)).public == generate(group, repeatable(1)).public


@every_group
def test_nothing_private_is_shown(group: Group) -> None:
    share = generate(group, repeatable(1))
    assert repr(share).endswith(f"Share(group={group!r}, public={share.public!r})")


@every_group
def test_values_of_the_wrong_size(group: Group) -> None:
    share = generate(group, repeatable(1))
    peer = generate(group, repeatable(2)).public
    for public in (b"", peer[:-1], peer + b"\0", b"\0" + peer, bytes(len(peer))):
        with pytest.raises(InvalidKeyInformation) as caught:
            share.shared(public)
        assert caught.value.notify == NotifyType.INVALID_KEY_INFORMATION


def test_all_groups_work_here() -> None:
    assert supported() == frozenset(ALL)


@pytest.mark.parametrize("group", [Group.EC2N_155, Group.BP_256, Group.CURVE448, Group.NONE, Group(999)], ids=str)
def test_groups_that_we_do_not_have(group: Group) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        generate(group, repeatable(1))
    with pytest.raises(UnsupportedAlgorithm):
        public_size(group)


def test_groups_that_the_library_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unknown(ec.EllipticCurve):
        name, key_size, group_order = "unknown", 256, ec.SECP256R1.group_order

    monkeypatch.setattr(groups, "ECP", {**ECP, Group.ECP_256: Unknown()})
    with pytest.raises(UnsupportedAlgorithm, match="the cryptographic library has no ECP_256"):
        generate(Group.ECP_256, repeatable(1))
    assert Group.ECP_256 not in supported.__wrapped__()


# --- ECP


@pytest.mark.parametrize(("group", "i", "g_i", "r", "g_r", "girx"), ECP_VECTORS, ids=lambda value: str(value)[:8])
def test_rfc_5903(group: Group, i: str, g_i: str, r: str, g_r: str, girx: str) -> None:
    initiator, responder = generate(group, scalar(i)), generate(group, scalar(r))
    assert initiator.public.hex().upper() == g_i
    assert responder.public.hex().upper() == g_r
    assert initiator.shared(responder.public).reveal().hex().upper() == girx
    assert responder.shared(initiator.public).reveal().hex().upper() == girx


@pytest.mark.parametrize("group", ECP, ids=lambda number: str(Group(number)))
def test_points_off_the_curve(group: int) -> None:
    share = generate(Group(group), repeatable(1))
    peer = bytearray(generate(Group(group), repeatable(2)).public)
    peer[-1] ^= 1
    with pytest.raises(InvalidKeyInformation, match="no point"):
        share.shared(bytes(peer))
    with pytest.raises(InvalidKeyInformation, match="no point"):
        share.shared(b"\xff" * len(peer))


@pytest.mark.parametrize("group", ECP, ids=lambda number: str(Group(number)))
def test_private_values_at_the_ends_of_the_range(group: int) -> None:
    order = ECP[group].group_order
    ends = {generate(Group(group), exactly(n.to_bytes(66, "big").lstrip(b"\0"))).public for n in (0, order - 2)}
    x = {public[: len(public) // 2] for public in ends}
    assert (len(ends), len(x)) == (2, 1)  # the generator and its negative
    wrapped = generate(Group(group), exactly((order - 1).to_bytes(66, "big").lstrip(b"\0")))
    assert wrapped.public == generate(Group(group), exactly(b"")).public


# --- Curve25519


def test_rfc_7748() -> None:
    a = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    b = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
    alice = generate(Group.CURVE25519, exactly(bytes.fromhex(a)))
    bob = generate(Group.CURVE25519, exactly(bytes.fromhex(b)))
    assert alice.public.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert bob.public.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert alice.shared(bob.public).reveal().hex() == bob.shared(alice.public).reveal().hex() == secret


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), bytes.fromhex("ec" + "ff" * 30 + "7f")])
def test_points_of_small_order(point: bytes) -> None:
    with pytest.raises(InvalidKeyInformation, match="small order"):
        generate(Group.CURVE25519, repeatable(1)).shared(point)


# --- MODP


@pytest.mark.parametrize("group", MODP, ids=lambda number: str(Group(number)))
def test_modp_is_what_it_should_be(group: int) -> None:
    """Against Python's own arithmetic: an exponent of the promised length, powers of 2, padded on the left."""
    modp = MODP[group]
    source = b"\0" + hashlib.shake_128(b"exponent").digest(modp.exponent_bits // 8 - 1)
    exponent = int.from_bytes(source, "big") | 1 << modp.exponent_bits - 1
    share = generate(Group(group), {len(source): source}.__getitem__)
    assert share.public == pow(2, exponent, modp.prime).to_bytes(modp.size, "big")
    assert share.shared((4).to_bytes(modp.size, "big")).reveal() == pow(4, exponent, modp.prime).to_bytes(
        modp.size, "big"
    )


def test_secrets_keep_their_leading_zeros() -> None:
    """A value whose power begins with zero bytes, found by trial among fixed ones."""
    group, modp = Group.MODP_1536, MODP[Group.MODP_1536]
    share = generate(group, repeatable(7))
    secrets = (share.shared(value.to_bytes(modp.size, "big")).reveal() for value in range(2, 2000))
    short = next(secret for secret in secrets if secret[0] == 0)
    assert len(short) == modp.size


@pytest.mark.parametrize("group", MODP, ids=lambda number: str(Group(number)))
def test_values_outside_of_the_group(group: int) -> None:
    modp = MODP[group]
    share = generate(Group(group), repeatable(1))
    for y in (0, 1, modp.prime - 1, modp.prime, modp.prime + 1, (1 << modp.bits) - 1):
        with pytest.raises(InvalidKeyInformation, match="outside"):
            share.shared(y.to_bytes(modp.size, "big"))
    assert share.shared((modp.prime - 2).to_bytes(modp.size, "big"))
