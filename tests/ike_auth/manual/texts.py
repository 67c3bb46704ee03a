# SPDX-License-Identifier: ISC
"""Texts for these tests, and what is said about them. No key here protects anything."""

from ike_auth.manual.checking import load
from ike_auth.manual.errors import Complaints, StatementsRefused
from ike_auth.manual.setkey import parse
from ike_auth.manual.statements import Statement

KEY = "0x" + "00112233445566778899aabbccddeeff"
MAC_KEY = "0x" + "0f" * 32
ALGORITHMS = f"-E aes-cbc {KEY} -A hmac-sha256 {MAC_KEY}"

# One gateway of two, as a file of its administrator has it. Line 1 is the first line.
GATEWAY = f"""\
#!/usr/sbin/setkey -f
flush;
spdflush;

# out, then in
add 192.0.2.1 192.0.2.2 esp 0x1001
    -m tunnel
    {ALGORITHMS};
add 192.0.2.2 192.0.2.1 esp 0x1002 -m tunnel {ALGORITHMS};

spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec
    esp/tunnel/192.0.2.1-192.0.2.2/require;
spdadd 10.2.0.0/16[any] 10.1.0.0/16 any -P in ipsec
    esp/tunnel/192.0.2.2-192.0.2.1/require;
"""


def statements(text: str) -> tuple[Statement, ...]:
    """Of a text whose language is right."""
    complaints = Complaints()
    found = parse(text, "f", complaints)
    assert list(map(str, complaints.errors)) == []
    return found


def statement(text: str) -> Statement:
    (found,) = statements(text)
    return found


def faults(text: str) -> list[str]:
    """What is wrong with the language of a text."""
    complaints = Complaints()
    parse(text, "f", complaints)
    return list(map(str, complaints.errors))


def errors(text: str) -> list[str]:
    """Everything that is wrong with a text."""
    try:
        load(text, "f")
    except StatementsRefused as refused:
        return list(map(str, refused.complaints))
    return []


def warnings(text: str) -> list[str]:
    return list(map(str, load(text, "f").warnings))
