# SPDX-License-Identifier: ISC
"""KeyNote: queries in units of a yardstick, and loading in units of splitting the same text into lines.

The yardstick is what the tests of scenario a would be as a Python function written by hand: nine comparisons, twice,
each through a function that gets an attribute. It is measured in turns with what it measures, so a ratio says the
same on a slow machine as on a fast one. libkeynote's figures on the same inputs: about 11 for scenario a, 330 for
c_10000, 250 for d_100.
"""

import random
from collections.abc import Callable
from functools import partial
from statistics import median
from timeit import timeit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

import keynote
from benchmarks.table import Row
from keynote import keys, private_keys, signatures

ROUNDS = 15
Get = Callable[[str], str]

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


def run() -> list[Row]:
    return [*_queries(), *_loading(), *_signatures()]


def _queries() -> list[Row]:
    session, requesters = _scenario_a()
    a = _ratio(lambda: session.query(ACTION, requesters))
    rows = [_baselines("a: one policy, one credential, keys", a, 6)]
    ratios = {}
    for count in (1_000, 10_000):
        chained, requester = _scenario_c(count)
        ratios[count] = _ratio(_query(chained, requester))
        rows.append(_baselines(f"c_{count}: a chain of five among {count:,} assertions", ratios[count]))
    growth = ratios[10_000] / ratios[1_000]
    rows.append(Row("keynote", "c_10000 / c_1000", f"{growth:.2f}", "at most 2", growth <= 2))
    deep, requester = _scenario_d(100)
    rows.append(
        _baselines("d_100: a chain of 100, each with a test of its own", _ratio(_query(deep, requester), 200))
    )
    rows.append(_baselines("a, with all but two attributes unknown", _ratio(_interval(session, requesters), 2_000)))
    rows.append(_baselines("a, with the reason in one line", _ratio(_reason(session, requesters), 2_000)))
    return rows


def _loading() -> list[Row]:
    text = _chain_of_five(10_000)
    ratios = []
    for _ in range(5):
        lines = timeit(text.splitlines, number=3) / 3
        ratios.append(timeit(lambda: keynote.Session(keynote.parse_policy(text, name="c")), number=1) / lines)
    ratio = median(ratios)
    what = "loading c_10000 / splitting it into lines"
    return [Row("keynote", what, f"{ratio:.0f}", "at most 100", ratio <= 100)]


def _signatures() -> list[Row]:
    """Checking a credential's signature, beside the library's own verification of one with the same key over the same
    text; the key is known already in both."""
    key = private_keys.generate("rsa", 2048)
    authorizer = keys.text(key.public_key())
    text = f'Authorizer: "{authorizer}"\nLicensees: "{authorizer}"\nConditions: {TEST} -> "true";\n'
    public, padding, hash = key.public_key(), PKCS1v15(), SHA256()
    assert isinstance(key, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    body = text.encode()
    bare = key.sign(body, padding, hash)
    rows = []
    for name in ("sig-rsa-sha256", "sig-rsa-sha1"):
        credential = keynote.parse_assertion(keynote.signed(text, key, f"{name}-base64:"), name="signed")
        check = partial(signatures.verify, credential, legacy=True)
        ratios = []
        for _ in range(ROUNDS):
            unit = timeit(lambda: public.verify(bare, body, padding, hash), number=1_000)
            ratios.append(timeit(check, number=1_000) / unit)
        ratio = median(ratios)
        what = f"checking {name} of 2048 bits / RSA alone"
        rows.append(Row("keynote", what, f"{ratio:.2f}", "at most 1.3", ratio <= 1.3))
    return rows


def _baselines(what: str, ratio: float, bar: float | None = None) -> Row:
    limit = "" if bar is None else f"at most {bar:g}"
    return Row("keynote", what, f"{ratio:.1f} baselines", limit, bar is None or ratio <= bar)


# -- the yardstick ---------------------------------------------------------------------------------------------------


def _by_hand(get: Get) -> bool:
    return (
        get("app_domain") == "IPsec policy"
        and get("doi") == "ipsec"
        and get("pfs") == "yes"
        and get("esp_present") == "yes"
        and get("ah_present") == "no"
        and (get("esp_enc_alg") == "3des" or get("esp_enc_alg") == "aes")
        and get("remote_filter_addr_lower") >= "010.001.000.000"
        and get("remote_filter_addr_upper") <= "010.001.255.255"
    )


def _yardstick() -> bool:
    get: Get = lambda name: ACTION.get(name, "")  # noqa: E731
    return _by_hand(get) and _by_hand(get)


def _ratio(step: Callable[[], object], number: int = 5_000) -> float:
    """How many yardsticks a step takes, the two measured in turns."""
    assert _yardstick()
    step()
    ratios = []
    for _ in range(ROUNDS):
        unit = timeit(_yardstick, number=10_000) / 10_000
        ratios.append(timeit(step, number=number) / number / unit)
    return median(ratios)


def _query(session: keynote.Session, requester: str) -> Callable[[], object]:
    assert session.query(ACTION, [requester]).allowed
    return lambda: session.query(ACTION, [requester])


def _interval(session: keynote.Session, requesters: list[str]) -> Callable[[], object]:
    known = {"app_domain": "IPsec policy", "doi": "ipsec"}
    unknown = keynote.Unknown.except_(known)
    assert session.query(known, requesters, unknown=unknown).possible
    return lambda: session.query(known, requesters, unknown=unknown)


def _reason(session: keynote.Session, requesters: list[str]) -> Callable[[], object]:
    return lambda: session.query(ACTION, requesters).because


# -- the scenarios ---------------------------------------------------------------------------------------------------


def _scenario_a() -> tuple[keynote.Session, list[str]]:
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


def _chain_of_five(count: int) -> str:
    """`count` assertions with the same test between names that lead nowhere, and among them, somewhere, a chain."""
    rng = random.Random(count)
    assertions = [_assertion(number, f"from{number:06}", f"to{number:06}") for number in range(count - 5)]
    for link in range(5):
        chained = _assertion(count + link, f"link{link}", f"link{link + 1}")
        assertions.insert(rng.randint(0, len(assertions)), chained)
    return "\n".join(assertions)


def _root(test: str = TEST) -> str:
    return f'Authorizer: "POLICY"\nLicensees: "link0"\nConditions: {test} -> "true";\n\n'


def _scenario_c(count: int) -> tuple[keynote.Session, str]:
    return keynote.Session(keynote.parse_policy(_root() + _chain_of_five(count), name="c")), "link5"


def _scenario_d(count: int) -> tuple[keynote.Session, str]:
    links = [
        _assertion(number, f"link{number}", f"link{number + 1}", f'{TEST} && esp_life_seconds != "{number}"')
        for number in range(count)
    ]
    return keynote.Session(keynote.parse_policy(_root() + "\n".join(links), name="d")), f"link{count}"
