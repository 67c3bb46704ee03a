# SPDX-License-Identifier: ISC
"""Policies and actions to measure KeyNote with."""

import random

import keynote
from keynote import keys, private_keys

TEST = """app_domain == "IPsec policy" && doi == "ipsec" &&
        pfs == "yes" && esp_present == "yes" && ah_present == "no" &&
        (esp_enc_alg == "3des" || esp_enc_alg == "aes") &&
        remote_filter_addr_lower >= "010.001.000.000" &&
        remote_filter_addr_upper <= "010.001.255.255\""""

# What a daemon knows of one proposal. The names and values are read from text, as they would be.
ACTION = dict(
    line.split("=", 1)
    for line in """\
app_domain=IPsec policy
doi=ipsec
initiator=no
phase_1=main
phase1_group_desc=14
pfs=yes
esp_present=yes
ah_present=no
comp_present=no
esp_enc_alg=aes
esp_auth_alg=hmac-sha2-256
esp_encapsulation=tunnel
esp_key_length=256
esp_life_seconds=3600
remote_filter_type=IPv4 subnet
remote_filter=010.001.008.000-010.001.015.255
remote_filter_addr_lower=010.001.008.000
remote_filter_addr_upper=010.001.015.255
remote_filter_proto=0
remote_filter_port=0
local_filter_type=IPv4 subnet
local_filter=192.168.000.000-192.168.255.255
local_filter_addr_lower=192.168.000.000
local_filter_addr_upper=192.168.255.255
remote_id_type=FQDN
remote_id=gw.example.org
remote_ike_address=203.000.113.009
local_ike_address=198.051.100.004
GMTTimeOfDay=20260701120000
LocalTimeOfDay=20260701140000""".splitlines()
)


def scenario_a() -> tuple[keynote.Session, list[str]]:
    """A policy for an authority's key, and the authority's credential for the requester's."""
    key = private_keys.generate("rsa", 2048)
    authority = keys.text(key.public_key(), "base64")
    requester = keys.text(private_keys.generate("rsa", 1024).public_key())
    policy = f'Authorizer: "POLICY"\nLicensees: "{authority}"\nConditions: {TEST} -> "true";\n'
    credential = f'Authorizer: "{authority}"\nLicensees: "{requester}"\nConditions: {TEST} -> "true";\n'
    believed, _ = keynote.parse_credentials(keynote.signed(credential, key), name="a")
    session = keynote.Session(keynote.parse_policy(policy, name="a"), believed)
    assert session.query(ACTION, [requester]).allowed
    assert not session.query(ACTION | {"pfs": "no"}, [requester]).allowed
    return session, [requester]


def _assertion(number: int, authorizer: str, licensee: str, test: str = TEST) -> str:
    return (
        f'KeyNote-Version: 2\nComment: number {number}\nLocal-Constants: ME = "{authorizer}"\n'
        f'Authorizer: ME\nLicensees: "{licensee}"\nConditions: {test} -> "true";\n'
    )


def chain_of_five(count: int, own_tests: bool = False) -> str:
    """`count` assertions between names that lead nowhere, and among them, somewhere, a chain. All have the same test,
    or each one of its own."""
    rng = random.Random(count)

    def test(number: int) -> str:
        return f'{TEST} && remote_id != "gw{number}.example.org"' if own_tests else TEST

    assertions = [
        _assertion(number, f"from{number:06}", f"to{number:06}", test(number)) for number in range(count - 5)
    ]
    for link in range(5):
        chained = _assertion(count + link, f"link{link}", f"link{link + 1}", test(count + link))
        assertions.insert(rng.randint(0, len(assertions)), chained)
    return "\n".join(assertions)


def root(test: str = TEST) -> str:
    return f'Authorizer: "POLICY"\nLicensees: "link0"\nConditions: {test} -> "true";\n\n'


def scenario_alternatives() -> tuple[keynote.Session, str]:
    """Two assertions of POLICY's for one requester, of which the second allows: there is more than one way."""
    first = f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {TEST} && pfs == "no";\n'
    second = f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {TEST};\n'
    return keynote.Session(keynote.parse_policy(f"{first}\n{second}", name="two")), "K"


def scenario_c(count: int) -> tuple[keynote.Session, str]:
    return keynote.Session(keynote.parse_policy(root() + chain_of_five(count), name="c")), "link5"


def scenario_d(count: int) -> tuple[keynote.Session, str]:
    links = [
        _assertion(number, f"link{number}", f"link{number + 1}", f'{TEST} && esp_life_seconds != "{number}"')
        for number in range(count)
    ]
    return keynote.Session(keynote.parse_policy(root() + "\n".join(links), name="d")), f"link{count}"
