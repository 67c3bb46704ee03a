# SPDX-License-Identifier: ISC
"""Configurations as they were written for isakmpd in its day, and exactly what is said about each."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.config import suites
from ike_auth.config.isakmpd import parse
from ike_auth.wire.numbers import EncryptionAlgorithm, EspTransform, Group
from tests.ike_auth.config.reading import Complaints, complaints, errors, tunnel

# Everything spelled out, before there were generated sections.
SPELLED_OUT = """\
[General]
Retransmits=		4
Listen-on=		192.0.2.1

[Phase 1]
192.0.2.2=		peer-north

[Phase 2]
Connections=		south-north

[peer-north]
Phase=			1
Transport=		udp
Local-address=		192.0.2.1
Address=		192.0.2.2
#Port=			isakmp
Configuration=		main-mode
Authentication=		correcthorse
Flags=			Stayalive

[south-north]
Phase=			2
ISAKMP-peer=		peer-north
Configuration=		quick-mode
Local-ID=		south-net
Remote-ID=		north-net

[south-net]
ID-type=		IPV4_ADDR_SUBNET
Network=		10.1.0.0
Netmask=		255.255.0.0

[north-net]
ID-type=		IPV4_ADDR_SUBNET
Network=		10.2.0.0
Netmask=		255.255.0.0

[main-mode]
DOI=			IPSEC
EXCHANGE_TYPE=		ID_PROT
Transforms=		3DES-SHA

[3DES-SHA]
ENCRYPTION_ALGORITHM=	3DES_CBC
HASH_ALGORITHM=		SHA
AUTHENTICATION_METHOD=	PRE_SHARED
GROUP_DESCRIPTION=	MODP_1024
Life=			life-10-min,life-1-mb

[spare-blowfish]
ENCRYPTION_ALGORITHM=	BLOWFISH_CBC
KEY_LENGTH=		128,96:192
HASH_ALGORITHM=		MD5
AUTHENTICATION_METHOD=	PRE_SHARED
GROUP_DESCRIPTION=	EC2N_155
Life=			life-10-min

[quick-mode]
DOI=			IPSEC
EXCHANGE_TYPE=		QUICK_MODE
Suites=			QM-ESP-3DES-SHA-PFS-SUITE,QM-ESP-DES-MD5-SUITE

[QM-ESP-3DES-SHA-PFS-SUITE]
Protocols=		QM-ESP-3DES-SHA-PFS

[QM-ESP-DES-MD5-SUITE]
Protocols=		QM-ESP-DES-MD5

[QM-ESP-3DES-SHA-PFS]
PROTOCOL_ID=		IPSEC_ESP
Transforms=		QM-ESP-3DES-SHA-PFS-XF
ReplayWindow=		-1

[QM-ESP-DES-MD5]
PROTOCOL_ID=		IPSEC_ESP
Transforms=		QM-ESP-DES-MD5-XF

[QM-ESP-3DES-SHA-PFS-XF]
TRANSFORM_ID=		3DES
ENCAPSULATION_MODE=	TUNNEL
AUTHENTICATION_ALGORITHM=	HMAC_SHA
GROUP_DESCRIPTION=	MODP_1024
Life=			life-10-min

[QM-ESP-DES-MD5-XF]
TRANSFORM_ID=		DES
ENCAPSULATION_MODE=	TUNNEL
AUTHENTICATION_ALGORITHM=	HMAC_MD5
Life=			life-10-min

[life-10-min]
LIFE_TYPE=		SECONDS
LIFE_DURATION=		600,450:720

[life-1-mb]
LIFE_TYPE=		KILOBYTES
LIFE_DURATION=		1000,768:1536

[KEYS]
CERT=			/etc/cert
"""
LINE = "Allow-Legacy= 3DES,SHA1,MODP_1024"
OLD = "needs legacy algorithms"
ADD = f"(to allow them, put `{LINE}` into `[peer-north]`)"
NOTICED = [
    "vpn:19: unknown flag `Stayalive`",
    "vpn:61: suite `QM-ESP-DES-MD5-SUITE` is dropped: `DES` is not supported",
    "vpn:72: `ReplayWindow` turns replay protection off in `[QM-ESP-3DES-SHA-PFS]`",
    "vpn:99: unknown section `[KEYS]` (nothing refers to it)",
]


def test_only_3des_needs_a_line() -> None:
    assert complaints(SPELLED_OUT) == Complaints(
        [
            f"vpn:11: every transform of `[peer-north]` {OLD}, at least 3DES, SHA1, MODP_1024 {ADD}",
            f"vpn:21: every suite of `[south-north]` {OLD}, at least 3DES, MODP_1024 {ADD}",
        ],
        NOTICED,
    )


def test_with_that_line_it_loads() -> None:
    text = SPELLED_OUT.replace("#Port=			isakmp", LINE)
    assert complaints(text) == Complaints([], NOTICED)
    found = parse(text)
    (phase_1,) = found.peers["peer-north"].transforms
    assert (phase_1.cipher, phase_1.group) == (EncryptionAlgorithm.TRIPLE_DES_CBC, Group.MODP_1024)
    assert phase_1.life_kilobytes is not None
    ((offer,),) = (suite.protocols for suite in found.connections["south-north"].suites)
    assert (offer.replay_window, offer.transforms[0].transform) == (0, EspTransform.TRIPLE_DES)


def test_a_template_with_placeholders() -> None:
    text = """\
[Phase 1]
192.0.2.NNN= node
[Phase 2]
Connections= to-node
[node]
Phase= 1
Address= 192.0.2.NNN
Authentication= yoursecret
[to-node]
Phase= 2
ISAKMP-peer= node
Local-ID= here
Remote-ID= there
[here]
ID-type= IPV4_ADDR_SUBNET
Network= 10.MMM.0.0
Netmask= 255.255.0.0
[there]
ID-type= IPV4_ADDR_SUBNET
Network= 10.NNN.0.0
Netmask= 255.255.0.0
"""
    hint = "is not an IP address (names of hosts and interfaces are not looked up)"
    assert errors(text) == [
        f"vpn:2: `192.0.2.NNN` {hint}",
        f"vpn:7: `192.0.2.NNN` {hint}",
        f"vpn:16: `10.MMM.0.0` {hint}",
        f"vpn:20: `10.NNN.0.0` {hint}",
    ]


def test_aggressive_mode_for_whoever_comes() -> None:
    text = """\
[General]
Shared-SADB= Defined
[Phase 1]
Default= anybody
[anybody]
Phase= 1
Authentication= yoursecret
Configuration= aggressive
[aggressive]
EXCHANGE_TYPE= AGGRESSIVE
Transforms= 3DES-SHA-RSA
"""
    assert complaints(text) == Complaints(
        [
            "vpn:10: `AGGRESSIVE` is not supported yet (`EXCHANGE_TYPE= ID_PROT` is main mode)",
            "vpn:11: there is no section `[3DES-SHA-RSA]` (did you mean `3DES-SHA-RSA_SIG`?)",
        ],
        ["vpn:2: `Shared-SADB` has no effect here"],
    )


AVAILABLE = re.compile(r"(?!DES|BLF|CAST)(?!.*(-DES|BLF|CAST|AESCTR|AESGMAC|RIPEMD|DSS|RSA|GRP(25|26|27|28|29|30)))")
transforms = st.sampled_from([name for name in suites.transform_names() if AVAILABLE.match(name)])
some_suites = st.sampled_from([name for name in suites.suite_names() if AVAILABLE.match(name)])


# Invariant: the line that an error prints, put where it says, is all that was lacking.
@settings(deadline=None, max_examples=150)
@given(st.lists(transforms, min_size=1, max_size=3), st.lists(some_suites, min_size=1, max_size=3))
def test_the_printed_line_is_enough(transforms: list[str], suites: list[str]) -> None:
    text = tunnel(Suites=",".join(suites)).replace("[west-east]\n", "Configuration= main-mode\n[west-east]\n")
    text += f"[main-mode]\nEXCHANGE_TYPE= ID_PROT\nTransforms= {','.join(transforms)}\n"
    lines = {line for error in errors(text) for line in re.findall(r"`(Allow-Legacy= [^`]+)`", error)}
    assert len(lines) <= 1
    left = errors(text.replace("[west-east]\n", "\n".join([*lines, "[west-east]\n"])))
    assert [error for error in left if "legacy" in error] == []
