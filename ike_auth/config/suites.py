# SPDX-License-Identifier: ISC
"""The sections that isakmpd generates, made from their names when they are asked for.

    main mode    cipher-hash[-GRPn][-DSS|-RSA_SIG]                             AES-256-SHA2-256-GRP14-RSA_SIG
    quick mode   QM-{ESP,AH}[-TRP][-cipher][-hash][-PFS[-GRPn]][-XF|-SUITE]    QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE

A section of the same name in the file goes before these tag by tag, as with isakmpd. Two differences: a suite
without a hash (AES-GCM) whose name says PFS asks for PFS, and group 31 (Curve25519) exists.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product

MAIN_MODE_LIFE = "LIFE_MAIN_MODE"
QUICK_MODE_LIFE = "LIFE_QUICK_MODE"

GROUPS = {
    1: "MODP_768",
    2: "MODP_1024",
    5: "MODP_1536",
    14: "MODP_2048",
    15: "MODP_3072",
    16: "MODP_4096",
    17: "MODP_6144",
    18: "MODP_8192",
    19: "ECP_256",
    20: "ECP_384",
    21: "ECP_521",
    25: "ECP_192",
    26: "ECP_224",
    27: "BP_224",
    28: "BP_256",
    29: "BP_384",
    30: "BP_512",
    31: "CURVE25519",
}
GROUP_OF_OLD = "MODP_1024"  # meant by a name without GRP

AES_LENGTHS = {"AES": "128,128:256", **{f"AES-{n}": f"{n},{n}:{n}" for n in (128, 192, 256)}}

# What a main mode name calls a cipher → its ENCRYPTION_ALGORITHM and KEY_LENGTH.
MAIN_MODE_CIPHERS = {
    "DES": ("DES_CBC", ""),
    "3DES": ("3DES_CBC", ""),
    "BLF": ("BLOWFISH_CBC", "128,96:192"),
    "CAST": ("CAST_CBC", ""),
    **{name: ("AES_CBC", length) for name, length in AES_LENGTHS.items()},
}
HASHES = {"MD5": "MD5", "SHA": "SHA", "SHA2-256": "SHA2_256", "SHA2-384": "SHA2_384", "SHA2-512": "SHA2_512"}
AUTHENTICATION = {"": "PRE_SHARED", "DSS": "DSS", "RSA_SIG": "RSA_SIG"}

# What a quick mode name calls a cipher → its TRANSFORM_ID and KEY_LENGTH.
PLAIN_ESP_CIPHERS = {
    "DES": ("DES", ""),
    "3DES": ("3DES", ""),
    "CAST": ("CAST", ""),
    "BLF": ("BLOWFISH", "128,96:192"),
    **{name: ("AES", length) for name, length in AES_LENGTHS.items()},
    "AESCTR": ("AES_CTR", ""),
    **{f"AESCTR-{n}": ("AES_CTR", f"{n},{n}:{n}") for n in (128, 192, 256)},
    "NULL": ("NULL", ""),
}
COMBINED_ESP_CIPHERS = {
    f"{name}-{n}": (transform, f"{n},{n}:{n}")
    for name, transform in (("AESGCM", "AES_GCM_16"), ("AESGMAC", "AES_GMAC"))
    for n in (128, 192, 256)
}
ESP_CIPHERS = PLAIN_ESP_CIPHERS | COMBINED_ESP_CIPHERS
QUICK_MODE_HASHES = HASHES | {"RIPEMD": "RIPEMD"}


def _any_of(names: Mapping[str, object]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if name)


_GROUP = r"(?:-GRP(?P<group>[1-9]\d?))?"
MAIN_MODE_NAME = re.compile(
    rf"(?P<cipher>{_any_of(MAIN_MODE_CIPHERS)})-(?P<hash>{_any_of(HASHES)}){_GROUP}"
    rf"(?:-(?P<auth>{_any_of(AUTHENTICATION)}))?",
    re.ASCII,
)
QUICK_MODE_NAME = re.compile(
    rf"QM-(?:ESP(?P<esp>(?:-TRP)?)-(?P<cipher>{_any_of(ESP_CIPHERS)})|AH(?P<ah>(?:-TRP)?))"
    rf"(?:-(?P<hash>{_any_of(QUICK_MODE_HASHES)}))?(?P<pfs>-PFS{_GROUP})?(?P<part>-XF|-SUITE)?",
    re.ASCII,
)


def generated(name: str) -> Mapping[str, str] | None:
    """The tags of the section that isakmpd generates under this name, or None if it generates none."""
    name = name.upper()
    if name.startswith("QM-"):
        return _quick_mode_section(name)
    return _main_mode_transform(name)


def _main_mode_transform(name: str) -> Mapping[str, str] | None:
    found = MAIN_MODE_NAME.fullmatch(name)
    group = _group(found) if found else None
    if found is None or group is None:
        return None
    cipher, key_length = MAIN_MODE_CIPHERS[found["cipher"]]
    tags = {
        "ENCRYPTION_ALGORITHM": cipher,
        "KEY_LENGTH": key_length,
        "HASH_ALGORITHM": HASHES[found["hash"]],
        "AUTHENTICATION_METHOD": AUTHENTICATION[found["auth"] or ""],
        "GROUP_DESCRIPTION": group,
        "Life": MAIN_MODE_LIFE,
    }
    return {tag: value for tag, value in tags.items() if value}


def _quick_mode_section(name: str) -> Mapping[str, str] | None:
    found = QUICK_MODE_NAME.fullmatch(name)
    transform = _quick_mode_transform(found) if found else None
    if found is None or transform is None:
        return None
    part = found["part"] or ""
    stem = name.removesuffix(part)
    if part == "-SUITE":
        return {"Protocols": stem}
    if part == "-XF":
        return transform
    return {"PROTOCOL_ID": "IPSEC_ESP" if found["cipher"] else "IPSEC_AH", "Transforms": f"{stem}-XF"}


def _quick_mode_transform(found: re.Match[str]) -> Mapping[str, str] | None:
    group = _group(found)
    if group is None:
        return None
    cipher, digest = found["cipher"], QUICK_MODE_HASHES.get(found["hash"] or "", "")
    if not (cipher or digest) or (digest and cipher in COMBINED_ESP_CIPHERS):
        return None
    transform, key_length = ESP_CIPHERS[cipher] if cipher else (digest, "")
    tags = {
        "TRANSFORM_ID": transform,
        "ENCAPSULATION_MODE": "TRANSPORT" if found["esp"] or found["ah"] else "TUNNEL",
        "AUTHENTICATION_ALGORITHM": digest and f"HMAC_{digest}",
        "GROUP_DESCRIPTION": group if found["pfs"] else "",
        "KEY_LENGTH": key_length,
        "Life": QUICK_MODE_LIFE,
    }
    return {tag: value for tag, value in tags.items() if value}


def _group(found: re.Match[str]) -> str | None:
    """The group that a name means; None if there is none of this number."""
    return GROUPS.get(int(found["group"])) if found["group"] else GROUP_OF_OLD


@cache
def transform_names() -> tuple[str, ...]:
    """Every generated main mode transform: for suggestions, when a name was not found."""
    groups = ["", *(f"-GRP{number}" for number in GROUPS)]
    methods = ["", "-RSA_SIG", "-DSS"]
    return tuple(map("".join, product(MAIN_MODE_CIPHERS, (f"-{name}" for name in HASHES), groups, methods)))


@cache
def suite_names() -> tuple[str, ...]:
    """Every generated quick mode suite: for suggestions, when a name was not found."""
    return tuple(f"{stem}{pfs}-SUITE" for stem, pfs in product(_suite_stems(), _pfs_parts()))


def _pfs_parts() -> list[str]:
    return ["", "-PFS", *(f"-PFS-GRP{number}" for number in GROUPS)]


def _suite_stems() -> Iterator[str]:
    hashes = [f"-{name}" for name in QUICK_MODE_HASHES]
    for mode in ("", "-TRP"):
        yield from (f"QM-AH{mode}{digest}" for digest in hashes)
        yield from (f"QM-ESP{mode}-{cipher}" for cipher in ESP_CIPHERS)
        yield from (f"QM-ESP{mode}-{cipher}{digest}" for cipher, digest in product(PLAIN_ESP_CIPHERS, hashes))
