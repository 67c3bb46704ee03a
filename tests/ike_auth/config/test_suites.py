# SPDX-License-Identifier: ISC
"""Generated sections: what isakmpd makes of each name, and the two places where we differ."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.config import suites
from ike_auth.config.suites import generated


def main_mode(
    cipher: str, key_length: str, digest: str, group: str = "MODP_1024", method: str = "PRE_SHARED"
) -> dict[str, str]:
    tags = {"ENCRYPTION_ALGORITHM": cipher, "KEY_LENGTH": key_length, "HASH_ALGORITHM": digest}
    tags |= {"AUTHENTICATION_METHOD": method, "GROUP_DESCRIPTION": group, "Life": "LIFE_MAIN_MODE"}
    return {tag: value for tag, value in tags.items() if value}


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("3DES-SHA", main_mode("3DES_CBC", "", "SHA")),
        ("DES-MD5", main_mode("DES_CBC", "", "MD5")),
        ("BLF-SHA-GRP5", main_mode("BLOWFISH_CBC", "128,96:192", "SHA", "MODP_1536")),
        ("CAST-MD5-DSS", main_mode("CAST_CBC", "", "MD5", method="DSS")),
        ("AES-SHA", main_mode("AES_CBC", "128,128:256", "SHA")),
        ("AES-128-SHA2-512-GRP1", main_mode("AES_CBC", "128,128:128", "SHA2_512", "MODP_768")),
        ("AES-192-SHA2-384-GRP30", main_mode("AES_CBC", "192,192:192", "SHA2_384", "BP_512")),
        (
            "AES-256-SHA2-256-GRP14-RSA_SIG",
            main_mode("AES_CBC", "256,256:256", "SHA2_256", "MODP_2048", "RSA_SIG"),
        ),
        ("aes-256-sha2-256-grp31", main_mode("AES_CBC", "256,256:256", "SHA2_256", "CURVE25519")),
    ],
)
def test_main_mode_transforms(name: str, tags: dict[str, str]) -> None:
    assert generated(name) == tags


def esp(
    transform: str, key_length: str = "", hmac: str = "", group: str = "", mode: str = "TUNNEL"
) -> dict[str, str]:
    tags = {"TRANSFORM_ID": transform, "ENCAPSULATION_MODE": mode, "AUTHENTICATION_ALGORITHM": hmac}
    tags |= {"GROUP_DESCRIPTION": group, "KEY_LENGTH": key_length, "Life": "LIFE_QUICK_MODE"}
    return {tag: value for tag, value in tags.items() if value}


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("QM-ESP-3DES-SHA-XF", esp("3DES", "", "HMAC_SHA")),
        ("QM-ESP-DES-XF", esp("DES")),
        ("QM-ESP-AES-SHA-PFS-XF", esp("AES", "128,128:256", "HMAC_SHA", "MODP_1024")),
        ("QM-ESP-AES-256-SHA2-256-PFS-GRP14-XF", esp("AES", "256,256:256", "HMAC_SHA2_256", "MODP_2048")),
        ("QM-ESP-TRP-BLF-RIPEMD-XF", esp("BLOWFISH", "128,96:192", "HMAC_RIPEMD", mode="TRANSPORT")),
        ("QM-ESP-AESCTR-SHA-XF", esp("AES_CTR", "", "HMAC_SHA")),
        ("QM-ESP-AESCTR-192-XF", esp("AES_CTR", "192,192:192")),
        ("QM-ESP-NULL-MD5-XF", esp("NULL", "", "HMAC_MD5")),
        ("QM-ESP-AESGCM-256-XF", esp("AES_GCM_16", "256,256:256")),
        ("QM-ESP-TRP-AESGMAC-128-XF", esp("AES_GMAC", "128,128:128", mode="TRANSPORT")),
        ("QM-AH-SHA2-256-PFS-GRP14-XF", esp("SHA2_256", "", "HMAC_SHA2_256", "MODP_2048")),
        ("QM-AH-TRP-MD5-XF", esp("MD5", "", "HMAC_MD5", mode="TRANSPORT")),
        ("qm-esp-aes-128-sha2-512-xf", esp("AES", "128,128:128", "HMAC_SHA2_512")),
    ],
)
def test_quick_mode_transforms(name: str, tags: dict[str, str]) -> None:
    assert generated(name) == tags


def test_suite_without_a_hash_does_pfs_if_its_name_says_so() -> None:
    """isakmpd forgets the group here."""
    assert generated("QM-ESP-AESGCM-256-PFS-GRP14-XF") == esp("AES_GCM_16", "256,256:256", group="MODP_2048")
    assert generated("QM-ESP-AESGCM-128-PFS-XF") == esp("AES_GCM_16", "128,128:128", group="MODP_1024")


def test_suites_and_protocols_lead_to_transforms() -> None:
    name = "QM-ESP-AES-256-SHA2-256-PFS-GRP14"
    assert generated(f"{name}-SUITE") == {"Protocols": name}
    assert generated(name) == {"PROTOCOL_ID": "IPSEC_ESP", "Transforms": f"{name}-XF"}
    assert generated("QM-AH-SHA") == {"PROTOCOL_ID": "IPSEC_AH", "Transforms": "QM-AH-SHA-XF"}


@pytest.mark.parametrize(
    "name",
    [
        "3DES-SHA-RSA",  # of the 1990s
        "AES-256",
        "AES-512-SHA",
        "AES-256-SHA3-256",
        "AES-256-SHA2-256-GRP3",
        "AES-256-SHA2-256-GRP014",
        "AES-256-SHA2-256-RSA_SIG-GRP14",
        "3DES-256-SHA",
        "QM-ESP-SUITE",
        "QM-AH-SUITE",
        "QM-AH-AES-SHA-SUITE",
        "QM-ESP-AESGCM-256-SHA2-256-SUITE",
        "QM-ESP-AESGMAC-128-MD5-SUITE",
        "QM-ESP-AESGCM-SUITE",
        "QM-ESP-AES-SHA-GRP14-SUITE",
        "QM-ESP-AES-SHA-PFS-GRP4-SUITE",
        "QM-ESP-AES-SHA-TRP-SUITE",
        "QM-ESP-AES-SHA-XF-SUITE",
        "QM-ESP-AES-SHA-SUITE-XF",
        "QM-ESP-AES-SHA-SUITE ",
        "",
    ],
)
def test_other_names_are_nothing(name: str) -> None:
    assert generated(name) is None


def test_isakmpd_generates_1890_transforms_and_we_add_des_and_group_31() -> None:
    names = suites.transform_names()
    isakmpds = [name for name in names if not name.startswith("DES-") and "GRP31" not in name]
    assert len(isakmpds) == len(set(isakmpds)) == 7 * 5 * 18 * 3
    assert all(generated(name) for name in names)


def test_every_suggested_suite_is_generated() -> None:
    names = suites.suite_names()
    assert len(names) == len(set(names))
    assert all((generated(name) or {}).keys() == {"Protocols"} for name in names)
    for name in names[:: len(names) // 50]:
        stem = name.removesuffix("-SUITE")
        assert (generated(stem) or {})["Transforms"] == f"{stem}-XF"
        assert "TRANSFORM_ID" in (generated(f"{stem}-XF") or {})


PARTS = ["QM", "ESP", "AH", "TRP", "AES", "256", "SHA2", "SHA", "PFS", "GRP14", "GRP99", "XF", "SUITE"]


# Invariant: no name raises.
@settings(deadline=None, max_examples=200)
@given(st.text(max_size=20) | st.lists(st.sampled_from(PARTS), max_size=8).map("-".join))
def test_generated_is_total(name: str) -> None:
    found = generated(name)
    assert found is None or all(found.values())
