# SPDX-License-Identifier: ISC
"""IPsec-protocol sections with IPCOMP."""

import pytest

from ike_auth.config.model import Accept, Phase2Transform, ProtocolOffer
from ike_auth.wire.numbers import EncapsulationMode, Group, IpcompTransform, ProtocolId
from tests.ike_auth.config.reading import Complaints, complaints, configuration, errors, tunnel, warnings

DEFLATE = """\
[mine-suite]
Protocols= deflate,QM-ESP-AES-128-SHA2-256-PFS-GRP19
[deflate]
PROTOCOL_ID= IPCOMP
Transforms= deflate-xf
[deflate-xf]
TRANSFORM_ID= DEFLATE
"""
HEAD = tunnel(Suites="mine-suite")
FIRST = HEAD.count("\n") + 1
SUITES = 16  # the line of Suites= in HEAD


def with_line(old: str, new: str) -> str:
    assert old in DEFLATE
    return HEAD + DEFLATE.replace(old, new)


def test_compression_and_esp_in_one_suite() -> None:
    (suite,) = configuration(HEAD + DEFLATE).connections["west-east"].suites
    transform = Phase2Transform(
        "deflate-xf", IpcompTransform.DEFLATE, EncapsulationMode.TUNNEL, None, None, None, Accept(1200, 60, 86400)
    )
    assert suite.protocols[0] == ProtocolOffer(ProtocolId.IPCOMP, (transform,))
    assert suite.protocols[1].protocol == ProtocolId.ESP
    assert suite.group == Group.ECP_256
    assert complaints(HEAD + DEFLATE) == Complaints([], [])


def test_the_group_of_a_suite_is_that_of_its_keys() -> None:
    text = tunnel(Suites="QM-ESP-AESGCM-256-PFS-GRP19-SUITE,mine-suite") + DEFLATE
    assert warnings(text) == []
    other = tunnel(Suites="QM-ESP-AESGCM-256-PFS-GRP14-SUITE,mine-suite") + DEFLATE
    assert "never offers suite `mine-suite`" in warnings(other)[0]


@pytest.mark.parametrize("protocols", ["deflate", "deflate,QM-AH-SHA2-256", "deflate,deflate,QM-ESP-AESGCM-128"])
def test_compression_needs_esp(protocols: str) -> None:
    text = with_line("deflate,QM-ESP-AES-128-SHA2-256-PFS-GRP19", protocols)
    error = f"vpn:{FIRST + 1}: `IPCOMP` in `[mine-suite]` goes with one `IPSEC_ESP`, and nothing else"
    assert errors(text) == [error]


def test_both_are_in_one_mode() -> None:
    text = with_line("TRANSFORM_ID= DEFLATE", "TRANSFORM_ID= DEFLATE\nENCAPSULATION_MODE= TRANSPORT")
    assert errors(text) == [f"vpn:{FIRST + 1}: transforms of `[mine-suite]` differ in `ENCAPSULATION_MODE`"]
    assert errors(text.replace("QM-ESP-AES", "QM-ESP-TRP-AES")) == []


@pytest.mark.parametrize("name", ["LZS", "OUI"])
def test_there_is_deflate_only(name: str) -> None:
    dropped = f"vpn:{SUITES}: suite `mine-suite` is dropped: `{name}` is not supported"
    error = f"vpn:{SUITES}: no suite of `[quick-mode]` can be used"
    assert complaints(with_line("DEFLATE", name)) == Complaints([error], [dropped])


@pytest.mark.parametrize(
    "line", ["GROUP_DESCRIPTION= MODP_2048", "AUTHENTICATION_ALGORITHM= HMAC_SHA", "KEY_LENGTH= 128"]
)
def test_what_is_about_keys_has_no_effect(line: str) -> None:
    tag = line.split("=")[0]
    text = with_line("TRANSFORM_ID= DEFLATE", f"TRANSFORM_ID= DEFLATE\n{line}")
    assert warnings(text) == [f"vpn:{FIRST + 7}: `{tag}` has no effect: `IPCOMP` has no keys"]


def test_names_that_were_meant() -> None:
    named = f"vpn:{FIRST + 3}: `PROTOCOL_ID`: `IPCMOP` is unknown (did you mean `IPCOMP`?)"
    assert named in errors(with_line("= IPCOMP", "= IPCMOP"))
    assert errors(with_line("= DEFLATE", "= DEFLAET")) == [
        f"vpn:{FIRST + 6}: `TRANSFORM_ID`: `DEFLAET` is unknown (did you mean `DEFLATE`?)"
    ]
