# SPDX-License-Identifier: ISC
import re
from pathlib import Path

import pytest

from keynote import test as tables
from keynote.schemas import ipsec

POLICIES = Path(__file__).parent.parent.parent / "policies"


def test_the_table_is_that_of_isakmpd() -> None:
    names = set(ipsec.ATTRIBUTES)
    assert len(names) == 59
    assert {"app_domain", "esp_enc_alg", "ah_hash_alg", "comp_dict_size", "remote_id_addr_upper"} <= names
    assert not {"comp_key_length", "esp_hash_alg", "remote_ike_proto"} & names
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in names)
    assert all(attribute.name == name and attribute.meaning for name, attribute in ipsec.ATTRIBUTES.items())
    assert {name for name, attribute in ipsec.ATTRIBUTES.items() if attribute.phase1} >= {"remote_id", "phase_1"}


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("pfs", ["yes", "no"], ["", "YES", "true"]),
        ("esp_enc_alg", ["", "aes", "null", "3des"], ["aes-256", "AES"]),
        ("ah_hash_alg", ["sha", "sha2-256"], ["sha1", "hmac-sha"]),
        ("esp_encapsulation", ["tunnel", "transport", "udp-encap-tunnel", ""], ["1"]),
        ("esp_life_seconds", ["", "0", "3600"], ["03600", "-1", "1h", "3600 "]),
        ("phase1_group_desc", ["0", "14"], ["", "modp2048"]),
        ("remote_id_type", ["FQDN", "User FQDN", "ASN1 DN"], ["fqdn"]),
        (
            "remote_ike_address",
            ["010.001.002.003", "2001:0db8:0000:0000:0000:0000:0000:0001"],
            ["10.1.2.3", "", "::1", "010.001.256.003", "999.000.000.001"],
        ),
        ("GMTTimeOfDay", ["20260101000000"], ["2026", ""]),
        ("remote_filter_proto", ["tcp", "udp", "etherip", "47", "255", ""], ["TCP", "047", "6", "17", "97", "256"]),
        ("remote_filter_port", ["", "0", "65535"], ["65536", "9" * 5000]),
        ("remote_id", ["", "anything"], []),
    ],
)
def test_domains(name: str, allowed: list[str], refused: list[str]) -> None:
    attribute = ipsec.ATTRIBUTES[name]
    assert all(map(attribute.allows, allowed))
    assert not any(map(attribute.allows, refused))
    assert attribute.domain


def test_check() -> None:
    assert ipsec.check({"pfs": "yes", "esp_enc_alg": "aes"}) == ()
    assert ipsec.check({"esp_enc_algo": "aes"}) == ("unknown attribute `esp_enc_algo`; did you mean `esp_enc_alg`?",)
    assert ipsec.check({"pfs": "maybe"}) == ("pfs cannot be `maybe`: its values are `yes`, `no`",)
    assert ipsec.check({"zzz": ""}) == ("unknown attribute `zzz`",)


def test_the_policies_use_the_schema() -> None:
    for query in tables.queries(POLICIES):
        assert ipsec.check(query.action) == (), query.name
