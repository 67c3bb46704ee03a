# SPDX-License-Identifier: ISC
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki import profiles
from pki.chain_rules import IKE_INTERMEDIATE, IPSEC_IKE
from pki.errors import PkiError
from pki.profiles import PROFILES, Profile

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@pytest.mark.parametrize(
    ("name", "usages"),
    [
        ("gateway", {IPSEC_IKE, SERVER, IKE_INTERMEDIATE}),
        ("road-warrior", {IPSEC_IKE, CLIENT}),
        ("dual", {IPSEC_IKE, SERVER, CLIENT, IKE_INTERMEDIATE}),
        ("legacy-isakmpd", set()),
        ("root", set()),
        ("ca", set()),
        ("intermediate", set()),
    ],
)
def test_what_clients_ask_for(name: str, usages: set[x509.ObjectIdentifier]) -> None:
    assert set(PROFILES[name].extended_key_usages) == usages


def test_path_lengths() -> None:
    lengths = {it.name: it.path_length for it in PROFILES.values() if it.is_authority}
    assert lengths == {"root": None, "ca": 1, "intermediate": 0, "cross": 0}


def parsed(text: str) -> Profile:
    *_, last = profiles.parse(text, "profiles.toml", PROFILES).values()
    return last


def test_a_profile_like_another() -> None:
    profile = parsed(
        '[week]\nlike = "gateway"\ndays = 7\nbackdate_minutes = 5\nextended_key_usage = ["1.2.3.4", "any"]'
    )
    assert (profile.name, profile.lifetime, profile.backdate) == ("week", timedelta(7), timedelta(minutes=5))
    assert [it.dotted_string for it in profile.extended_key_usages] == ["1.2.3.4", "2.5.29.37.0"]
    assert profile.identities == PROFILES["gateway"].identities


def test_a_profile_by_itself_and_one_that_is_replaced() -> None:
    profile = parsed('[plain]\nidentities = ["FQDN"]\nkey = "p-256"')
    assert (profile.key_usage, profile.extended_key_usages) == (frozenset({"digital_signature"}), ())
    found = profiles.parse('[gateway]\nlike = "gateway"\ndays = 90', "profiles.toml", PROFILES)
    assert found["gateway"].lifetime == timedelta(90)
    assert found["dual"] == PROFILES["dual"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("days = 3", "`profiles.toml`: `days` stands outside of a profile"),
        ("[x", "`profiles.toml` is not TOML"),
        ('[x]\nidentities = ["FQDN"]\ndayz = 3', "`dayz` of `x` is no key of a profile"),
        ('[x]\nidentities = ["FQDN"]\ndays = "3"', "`days` of `x` is not a whole number"),
        ('[x]\nidentities = ["FQDN"]\ndays = true', "`days` of `x` is not a whole number"),
        ('[x]\nidentities = ["FQDN"]\ndays = 0', "`days` of `x` is 0"),
        ('[x]\nidentities = ["FQDN"]\nbackdate_minutes = 99999', "`backdate_minutes` of `x` is 99999"),
        ('[x]\nidentities = ["FQDN"]\nextended_key_usage = ["tls"]', "`extended_key_usage` of `x` has `tls`"),
        ('[x]\nidentities = ["FQDN"]\nkey_usage = ["sign"]', "`key_usage` of `x` has `sign`"),
        ('[x]\nidentities = ["FQDN"]\nkey_usage = "digitalSignature"', "`key_usage` of `x` is not a list"),
        ('[x]\nidentities = ["KEY_ID"]', "`identities` of `x` has `KEY_ID`"),
        ('[x]\nidentities = ["FQDN"]\nkeys = ["dsa"]', "`keys` of `x` has `dsa`"),
        ('[x]\nidentities = ["FQDN"]\nkey = "rsa-1024"', "`key` of `x` is `rsa-1024`"),
        ('[x]\nidentities = ["FQDN"]\npath_length = 1', "`path_length` of `x` is an authority's"),
        ('[x]\nlike = "y"', "`like` of `x` is `y`, which is not known"),
        ("[x]\ndays = 3", "`identities` of `x` are a peer's"),
        ('[x]\nauthority = true\nidentities = ["FQDN"]', "`identities` of `x` are a peer's"),
        ('["a b"]\nidentities = ["FQDN"]', "is no name of a profile"),
    ],
)
def test_mistakes_are_told_with_file_and_key(text: str, message: str) -> None:
    with pytest.raises(PkiError, match=r"profiles\.toml") as caught:
        parsed(text)
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_cannot_be_read(tmp_path: Path) -> None:
    assert profiles.read(tmp_path / "profiles.toml") == PROFILES
    (tmp_path / "latin").write_bytes(b"# \xff")
    with pytest.raises(PkiError, match="is not TOML"):
        profiles.read(tmp_path / "latin")
    with pytest.raises(PkiError, match="cannot be read: Is a directory"):
        profiles.read(tmp_path)


def test_only_peers_profiles_can_be_asked_for() -> None:
    with pytest.raises(PkiError, match="there is no profile `root` for peers"):
        profiles.named(PROFILES, "root")
    assert profiles.named(PROFILES, "dual") is PROFILES["dual"]


def test_keys_that_do_not_fit() -> None:
    with pytest.raises(PkiError, match="library that validates chains refuses"):
        PROFILES["ca"].check_key("ed25519")
    with pytest.raises(PkiError, match="a legacy-isakmpd cannot have a key of kind `p-256`"):
        PROFILES["legacy-isakmpd"].check_key("p-256")
    PROFILES["gateway"].check_key("ed25519")
