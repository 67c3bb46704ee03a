# SPDX-License-Identifier: ISC
"""[General] and [X509-certificates], tag by tag."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from ike_auth.config.isakmpd import parse
from ike_auth.config.model import Certificates, General
from pki.chain import RevocationPolicy
from tests.ike_auth.config.reading import configuration, errors, warnings


def general(lines: str) -> General:
    return configuration(f"[General]\n{lines}\n").general


def test_everything() -> None:
    lines = """\
Listen-on= 192.0.2.1, 2001:db8::1
Retransmits= 5
Exchange-max-time= 60
Check-interval= 30
NAT-T-Keepalive= 10
DPD-check-interval= 15
Delete-SAs= no
Authorizer= keynote
Policy-file= /etc/ike/policy
Half-open-limit= 50
Decision-log= /var/log/decisions
Logverbose= 1
"""
    assert general(lines) == General(
        listen_on=(ip_address("192.0.2.1"), ip_address("2001:db8::1")),
        retransmits=5,
        exchange_max_time=60,
        check_interval=30,
        nat_keepalive=10,
        dpd_interval=15,
        delete_sas=False,
        authorizer="keynote",
        policy_file=Path("/etc/ike/policy"),
        half_open_limit=50,
        decision_log=Path("/var/log/decisions"),
        verbose=True,
    )


def test_nothing() -> None:
    assert general("") == General()


def test_a_decision_log_is_named_from_the_folder_of_the_configuration() -> None:
    text = "[General]\nDecision-log= log/decisions\n"
    assert parse(text, "/etc/ike/vpn.conf").general.decision_log == Path("/etc/ike/log/decisions")
    (error,) = errors("[General]\nDecision-log=\n")
    assert error == "vpn:2: `Decision-log` has no value"


def test_presence_is_enough_for_logverbose() -> None:
    assert general("Logverbose=").verbose


def test_turning_policy_off_is_warned_of() -> None:
    (warning,) = warnings("[General]\nUse-Keynote= no\n")
    assert warning.startswith("vpn:2: `Use-Keynote= no`: no policy is asked")
    assert not parse("[General]\nUse-Keynote= NO\n").general.use_keynote
    assert general("Use-Keynote= yes").use_keynote


def test_an_authorizer_that_is_not_installed_is_told_with_all_else_that_is_wrong() -> None:
    assert errors("[General]\nAuthorizer= nope\nRetransmits= x\n") == [
        "vpn:2: `Authorizer`: no authorizer `nope` is installed (there are: keynote)",
        "vpn:3: `Retransmits`: `x` is not a number from 0 to 100",
    ]
    (error,) = errors("[General]\nAuthorizer= keynot\n")
    assert error.endswith("is installed (did you mean `keynote`?)")
    assert not parse("[General]\nAuthorizer= nope\nUse-Keynote= no\n").general.use_keynote


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("Retransmits= many", "`Retransmits`: `many` is not a number from 0 to 100"),
        ("Retransmits= -1", "`Retransmits`: `-1` is not a number from 0 to 100"),
        ("Exchange-max-time= 0", "`Exchange-max-time`: `0` is not a number from 1 to 86400"),
        ("Delete-SAs= never", "`Delete-SAs`: `never` is unknown (one of yes, no)"),
        ("Use-Keynote= on", "`Use-Keynote`: `on` is unknown (one of yes, no)"),
        ("Listen-on= eth0", "`eth0` is not an IP address (names of hosts and interfaces are not looked up)"),
        ("Listen-on= fe80::1%eth0", "`fe80::1%eth0` has a scope, which is not supported yet"),
        ("Policy-file=", "`Policy-file` has no value"),
        ("Half-open-limit= 99999999999", "`Half-open-limit`: `99999999999` is not a number from 1 to 1000000"),
        ("Default-phase-1-ID= nobody", "`Default-phase-1-ID` names no section"),
    ],
)
def test_mistakes(line: str, error: str) -> None:
    assert errors(f"[General]\n{line}\n") == [f"vpn:2: {error}"]


def test_certificates() -> None:
    lines = """\
[x509-Certificates]
CA-directory= /x/ca/
Cert-directory= /x/certs/
CRL-directory= /x/crls/
Private-key= /x/local.key
Private-key-directory= /x/private/
Registry= sqlite:////x/registry.db
CRL-URLs= http://pki.example.org/ca.crl, https://[2001:db8::1]/other
CRL-check= require
Recheck-interval= 10
"""
    assert configuration(lines).certificates == Certificates(
        Path("/x/ca"),
        Path("/x/certs"),
        Path("/x/crls"),
        Path("/x/local.key"),
        Path("/x/private"),
        ("http://pki.example.org/ca.crl", "https://[2001:db8::1]/other"),
        RevocationPolicy.REQUIRE,
        10,
        "sqlite:////x/registry.db",
    )
    assert configuration("").certificates == Certificates()


@pytest.mark.parametrize(
    "url", ["pki.example.org/ca.crl", "file:///etc/ca.crl", "ldap://pki.example.org/ca", "http://"]
)
def test_revocation_lists_are_fetched_by_http_alone(url: str) -> None:
    assert errors(f"[X509-certificates]\nCRL-URLs= {url}\n") == [
        f"vpn:2: `CRL-URLs`: `{url}` is no http or https URL"
    ]


def test_lists_that_are_fetched_once_only() -> None:
    lines = "[X509-certificates]\nCRL-URLs= http://x/ca.crl\nRecheck-interval= 0\n"
    assert warnings(lines) == ["vpn:3: `CRL-URLs` are fetched once, at the start: `Recheck-interval` is 0"]


def test_a_registry_is_a_url() -> None:
    assert errors("[X509-certificates]\nRegistry= /x/registry.db\n") == [
        "vpn:2: `Registry`: `/x/registry.db` is not a database URL (`sqlite:////var/lib/ca/registry.db`, for example)"
    ]


def test_self_signed_certificates_are_refused() -> None:
    assert warnings("[X509-certificates]\nAccept-self-signed= yes\n") == [
        "vpn:2: `Accept-self-signed` is refused: a certificate that nobody vouches for proves nothing"
    ]
