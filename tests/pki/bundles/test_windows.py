# SPDX-License-Identifier: ISC
"""The PowerShell script, as far as it can be judged without PowerShell: a reader of its own takes it into words, by
the rules of about_Quoting_Rules. Windows has not run one of these here."""

import dataclasses
import ipaddress
import re

import pytest

from pki.bundles import windows
from pki.bundles.handover import Handover
from pki.bundles.request import Request
from tests.pki.bundles.handovers import SERVER, opened, under_an_intermediate

QUOTES = "'\u2018\u2019\u201a\u201b"
NASTY = [
    "Bob's VPN",
    "it\u2019s \u2018typographic\u2019 \u201aquoted\u201b",
    "'; Remove-Item C:\\ -Recurse; '",
    '$(Stop-Computer) `"$env:PATH`"',
    "''",
]
# Set-VpnConnectionIPsecConfiguration's words, as Microsoft documents them.
WORDS = {
    "EncryptionMethod": {"AES128", "AES192", "AES256", "GCMAES128", "GCMAES256"},
    "IntegrityCheckMethod": {"SHA256", "SHA384"},
    "DHGroup": {"Group14", "ECP256", "ECP384", "Group24"},
    "CipherTransformConstants": {"AES128", "AES192", "AES256", "GCMAES128", "GCMAES192", "GCMAES256"},
    "AuthenticationTransformConstants": {"SHA256128", "GCMAES128", "GCMAES192", "GCMAES256"},
    "PfsGroup": {"PFS2048", "ECP256", "ECP384", "PFSMM", "PFS24"},
}


def script(request: Request = SERVER, handover: Handover | None = None) -> str:
    found = windows.make(handover or under_an_intermediate(), request).files[0]
    assert found.path.endswith(".ps1")
    text = found.data.decode("utf-8-sig")
    assert found.data.startswith(b"\xef\xbb\xbf")
    assert "\n" not in text.replace("\r\n", "")
    return text.replace("\r\n", "\n")


def strings(text: str) -> list[str]:
    """The literal strings of a script with what they mean, not those of comments. Two quotes in one are a quote."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "#":
            at = text.index("\n", at)
        elif text[at] == '"':
            at = text.index('"', at + 1)
        elif text[at] in QUOTES:
            word = ""
            at += 1
            while text[at] not in QUOTES or text[at + 1 : at + 2] in tuple(QUOTES):
                at += text[at] in QUOTES
                word += text[at]
                at += 1
            found.append(word)
        at += 1
    return found


@pytest.mark.parametrize("title", NASTY)
def test_a_title_stays_a_string(title: str) -> None:
    text = script(dataclasses.replace(SERVER, title=title))
    assert strings(windows.quoted(title)) == [title]
    assert strings(text)[1] == title
    plain = strings(script())
    plain[1] = title
    assert strings(text) == plain


def test_every_string_of_the_script() -> None:
    assert strings(script()) == [
        "Stop",
        "vpn.example.org",
        "vpn.example.org",
        "Password of alice@example.org.p12",
        "alice@example.org.p12",
        "root-ca.crt",
        "online-ca.crt",
    ]


def test_certificates_go_where_windows_looks_for_them() -> None:
    lines = [line for line in script().splitlines() if line.startswith("Import-")]
    stores = {
        name: re.search(r"Cert:\\LocalMachine\\(\w+)", line)
        for line in lines
        for name in ("root-ca", "online-ca", "$file")
        if name in line
    }
    assert {name: found[1] for name, found in stores.items() if found} == {
        "$file": "My",
        "root-ca": "Root",
        "online-ca": "CA",
    }


def test_the_algorithms_are_words_that_windows_has() -> None:
    _, configuration = script().replace("`\n", "").split("\nSet-VpnConnectionIPsecConfiguration ")
    found = dict(re.findall(r"-(\w+) (\w+)", configuration.splitlines()[0]))
    assert {key: word for key, word in found.items() if word in WORDS.get(key, ())}.keys() == WORDS.keys()


def test_networks_split_the_tunnel() -> None:
    assert "-SplitTunneling" not in script()
    text = script(dataclasses.replace(SERVER, networks=(ipaddress.ip_network("10.0.0.0/8"),)))
    assert "-EncryptionLevel Required -SplitTunneling\n" in text
    assert text.endswith("-ConnectionName $name -DestinationPrefix '10.0.0.0/8'\n")


def test_its_pkcs12_has_the_own_certificate_only() -> None:
    (file,) = (it for it in windows.make(under_an_intermediate(), SERVER).files if it.path.endswith(".p12"))
    assert opened(file.data).additional_certs == []
