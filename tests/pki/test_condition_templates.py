# SPDX-License-Identifier: ISC
"""Each template is what it says, as the evaluator has it: actions are asked, not texts compared."""

import datetime
import ipaddress

import pytest

import keynote
from keynote.schemas.ipsec import padded
from pki import condition_templates, names
from pki.errors import DelegationInvalid

GUARDED = {"app_domain": "IPsec policy", "doi": "ipsec"}


def holds(arguments: str | list[str], action: dict[str, str], identities: tuple[names.Identity, ...] = ()) -> bool:
    """Whether the templates allow an action."""
    given = [arguments] if isinstance(arguments, str) else arguments
    text = " &&\n".join(condition_templates.made_of(given, identities))
    session = keynote.Session([keynote.trusted("POLICY", "somebody", text, name="templates")])
    return session.query({**GUARDED, **action}, ["somebody"]).allowed


def side(name: str, low: str, high: str, kind: str) -> dict[str, str]:
    first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
    return {
        f"{name}_type": f"IPv{first.version} {kind}",
        f"{name}_addr_lower": padded(first),
        f"{name}_addr_upper": padded(last),
    }


def local(low: str, high: str | None = None, kind: str = "subnet") -> dict[str, str]:
    return side("local_filter", low, high or low, "address" if high is None else kind)


def test_no_template_no_test() -> None:
    assert condition_templates.made_of([]) == ()


def test_other_applications_are_none_of_ours() -> None:
    assert holds("networks=10.1.0.0/16", local("10.1.2.3"))
    assert not holds("networks=10.1.0.0/16", {**local("10.1.2.3"), "app_domain": "SPEND"})
    assert not holds("networks=10.1.0.0/16", {**local("10.1.2.3"), "doi": ""})


@pytest.mark.parametrize(
    ("tunnel", "allowed"),
    [
        (local("10.1.0.0", "10.1.255.255"), True),
        (local("10.2.7.0", "10.2.7.255"), True),
        (local("10.1.3.4", "10.1.3.9", "range"), True),
        (local("10.1.0.0"), True),
        (local("10.2.255.255"), True),
        (local("10.3.0.0"), False),
        (local("10.0.255.255"), False),
        (local("10.1.0.0", "10.3.0.0", "range"), False),
        (local("9.1.0.0", "10.1.0.0", "range"), False),
        (local("0.0.0.0", "255.255.255.255"), False),
        (local("2001:db8:0:1::", "2001:db8:0:1:ffff:ffff:ffff:ffff"), True),
        (local("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), False),
        ({}, False),
        (side("remote_filter", "10.1.0.0", "10.1.255.255", "subnet"), False),
    ],
)
def test_networks(tunnel: dict[str, str], allowed: bool) -> None:
    # 10.1/16 and 10.2/16 are no one network
    assert holds("networks=10.1.0.0/16,10.2.0.0/16,2001:db8:0:1::/64", tunnel) is allowed


def test_neighbours_are_one_network() -> None:
    assert holds("networks=10.2.0.0/16,10.3.0.0/16", local("10.2.0.0", "10.3.255.255"))


def test_a_network_of_one_version_has_no_addresses_of_the_other() -> None:
    """As mere texts, addresses of IPv6 lie between those of 0.0.0.0/0, and the other way round."""
    everything_4, everything_6 = "networks=0.0.0.0/0", "networks=::/0"
    assert holds(everything_4, local("10.1.2.3"))
    assert holds(everything_6, local("2001:db8::1"))
    assert not holds(everything_4, local("100::1"))
    assert not holds(everything_6, local("10.1.2.3"))


def test_remote_networks_are_those_of_the_peer() -> None:
    assert holds("remote-networks=10.9.0.0/24", side("remote_filter", "10.9.0.0", "10.9.0.255", "subnet"))
    assert not holds("remote-networks=10.9.0.0/24", local("10.9.0.0", "10.9.0.255"))
    assert not holds("remote-networks=10.9.0.0/24", side("remote_filter", "10.9.0.0", "10.9.1.255", "subnet"))


def at(time: str, clock: str = "LocalTimeOfDay") -> dict[str, str]:
    return {clock: time}


@pytest.mark.parametrize(
    ("argument", "time", "allowed"),
    [
        # 2026-11-21 is a Saturday
        ("Mon-Fri,08:00-18:00", "20261120080000", True),
        ("Mon-Fri,08:00-18:00", "20261120175959", True),
        ("Mon-Fri,08:00-18:00", "20261120180000", False),
        ("Mon-Fri,08:00-18:00", "20261120075959", False),
        ("Mon-Fri,08:00-18:00", "20261121120000", False),
        ("Sat,Sun", "20261121000000", True),
        ("Sat,Sun", "20261122235959", True),
        ("Sat,Sun", "20261123000000", False),
        ("Fri-Mon", "20261123000000", True),
        ("Fri-Mon", "20261124000000", False),
        ("Mon,Wed,Fri", "20261125120000", True),
        ("Mon,Wed,Fri", "20261126120000", False),
        ("Mon-Sun", "20261121120000", True),
        ("22:00-06:00", "20261121230000", True),
        ("22:00-06:00", "20261121055959", True),
        ("22:00-06:00", "20261121060000", False),
        ("00:00-24:00", "20261121235959", True),
        ("08:00-12:00,13:00-17:00", "20261121123000", False),
        ("08:00-12:00,13:00-17:00", "20261121133000", True),
    ],
)
def test_hours(argument: str, time: str, allowed: bool) -> None:
    assert holds(f"hours={argument}", at(time)) is allowed


def test_hours_by_the_calendar() -> None:
    """Every day of five years, and the turns of two centuries, against Python's calendar."""
    text = " &&\n".join(condition_templates.made_of(["hours=Mon-Wed"]))
    session = keynote.Session([keynote.trusted("POLICY", "somebody", text, name="hours")])
    day = datetime.date(2024, 1, 1)
    days = [day + datetime.timedelta(number) for number in range(5 * 366)]
    days += [datetime.date(year, month, 28) for year in (1999, 2000, 2099, 2100, 2101) for month in range(1, 13)]
    for day in days:
        action = {**GUARDED, "LocalTimeOfDay": f"{day:%Y%m%d}120000"}
        assert session.query(action, ["somebody"]).allowed is (day.weekday() <= 2), day


def test_hours_of_which_clock() -> None:
    assert not holds("hours=08:00-18:00", at("20261120120000", "GMTTimeOfDay"))
    assert holds("hours=08:00-18:00,UTC", at("20261120120000", "GMTTimeOfDay"))
    assert not holds("hours=08:00-18:00,utc", at("20261120120000"))


def test_no_clock_is_no_time_of_day() -> None:
    assert not holds("hours=00:00-24:00", {})
    assert not holds("hours=Sun-Sat", {})


STRONG = {
    "esp_present": "yes",
    "ah_present": "no",
    "pfs": "yes",
    "esp_enc_alg": "aes",
    "esp_key_length": "128",
    "esp_auth_alg": "hmac-sha2-256",
    "phase1_group_desc": "14",
    "esp_group_desc": "31",
}


@pytest.mark.parametrize(
    ("change", "strong", "strongest"),
    [
        ({}, True, False),
        ({"esp_key_length": "256"}, True, True),
        ({"esp_auth_alg": ""}, True, False),
        ({"esp_auth_alg": "hmac-sha"}, False, False),
        ({"esp_enc_alg": "3des"}, False, False),
        ({"esp_enc_alg": "null"}, False, False),
        ({"esp_key_length": ""}, False, False),
        ({"esp_present": "no"}, False, False),
        ({"pfs": "no"}, False, False),
        ({"phase1_group_desc": "2"}, False, False),
        ({"esp_group_desc": "5"}, False, False),
        ({"phase1_group_desc": "21", "esp_key_length": "256"}, True, True),
    ],
)
def test_algorithms(change: dict[str, str], strong: bool, strongest: bool) -> None:
    assert holds("algorithms=strong", STRONG | change) is strong
    assert holds("algorithms=strong-256", STRONG | change) is strongest


@pytest.mark.parametrize(
    ("seconds", "allowed"), [("3600", True), ("900", True), ("3601", False), ("0", False), ("", False)]
)
def test_lifetime(seconds: str, allowed: bool) -> None:
    assert holds("lifetime=1h", {"esp_life_seconds": seconds}) is allowed
    assert holds("lifetime=3600", {"esp_life_seconds": seconds}) is allowed


def named(kind: str, name: str) -> dict[str, str]:
    return {"remote_id_type": kind, "remote_id": name}


@pytest.mark.parametrize(
    ("argument", "action", "allowed"),
    [
        ("GW.example.org,192.0.2.1", named("FQDN", "gw.example.org"), True),
        ("gw.example.org,192.0.2.1", named("IPv4 address", "192.000.002.001"), True),
        ("gw.example.org,192.0.2.1", named("Key ID", "gw.example.org"), False),
        ("gw.example.org,192.0.2.1", named("FQDN", "gw2.example.org"), False),
        ("alice@example.org", named("User FQDN", "alice@example.org"), True),
        ("2001:db8::1", named("IPv6 address", "2001:0db8:0000:0000:0000:0000:0000:0001"), True),
        ("DN:/C=DE/CN=a, b", named("ASN1 DN", "/C=DE/CN=a, b"), True),
        ("DN:/C=DE/CN=a", named("FQDN", "/C=DE/CN=a"), False),
    ],
)
def test_identity(argument: str, action: dict[str, str], allowed: bool) -> None:
    assert holds(f"identity={argument}", action) is allowed


def test_identity_alone_is_that_of_the_certificate() -> None:
    own = (names.identity("gw.example.org"), names.identity("192.0.2.1"))
    assert holds("identity", named("FQDN", "gw.example.org"), own)
    assert holds("identity", named("IPv4 address", "192.000.002.001"), own)
    assert not holds("identity", named("FQDN", "other.example.org"), own)


@pytest.mark.parametrize(
    ("argument", "action", "allowed"),
    [
        ("mails=example.org", named("User FQDN", "alice@example.org"), True),
        ("mails=example.org", named("User FQDN", "alice@exampleXorg"), False),
        ("mails=example.org", named("User FQDN", "alice@example.org.evil.net"), False),
        ("mails=example.org", named("User FQDN", "a@b@example.org"), False),
        ("mails=example.org", named("FQDN", "alice@example.org"), False),
        ("mails=example.org,example.net", named("User FQDN", "bob@example.net"), True),
        ("hosts=example.org", named("FQDN", "gw.berlin.example.org"), True),
        ("hosts=example.org", named("FQDN", "example.org"), False),
        ("hosts=example.org", named("FQDN", "notexample.org"), False),
        ("hosts=example.org", named("User FQDN", "gw.example.org"), False),
    ],
)
def test_domains(argument: str, action: dict[str, str], allowed: bool) -> None:
    assert holds(argument, action) is allowed


def test_all_of_several_must_hold() -> None:
    both = ["networks=10.1.0.0/16", "lifetime=1h"]
    assert holds(both, {**local("10.1.2.3"), "esp_life_seconds": "60"})
    assert not holds(both, {**local("10.1.2.3"), "esp_life_seconds": "6000"})
    assert not holds(both, {**local("10.3.2.3"), "esp_life_seconds": "60"})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["netwroks=10.0.0.0/8"], "no template `netwroks`"),
        (["networks=10.1.2.3/16"], "host bits"),
        (["networks="], "networks"),
        (["networks=10.0.0.0/8,,10.0.0.0/8"], "networks"),
        (["networks=10.0.0.0/8", "networks=11.0.0.0/8"], "twice"),
        (["hours=Mon-Fri,25:00-26:00"], "25:00"),
        (["hours=8-18"], "`8-18`"),
        (["hours=UTC"], "hours"),
        (["hours=08:00-08:00"], "08:00"),
        (["hours=24:00-08:00"], "24:00"),
        (["algorithms=weak"], "strong"),
        (["lifetime=soon"], "lifetime"),
        (["identity"], "no certificate"),
        (["identity=*.example.org"], "wildcard"),
        (["identity=DN:/XX=1"], "XX"),
        (['mails=example.org" || true || "'], "mails"),
        (["identity=gw\nexample"], "identity"),
    ],
)
def test_what_cannot_be_made(arguments: list[str], why: str) -> None:
    with pytest.raises(DelegationInvalid, match=why) as refused:
        condition_templates.made_of(arguments)
    assert refused.value.hint


def test_every_example_is_one() -> None:
    for template in condition_templates.TEMPLATES.values():
        guard, test = condition_templates.made_of([template.example])
        assert guard == condition_templates.GUARD
        assert test.startswith(f"# {template.example}\n")
