# SPDX-License-Identifier: ISC
"""KeyNote: queries in units of a yardstick, and loading in units of splitting the same text into lines.

The yardstick is what the tests of scenario a would be as a Python function written by hand: nine comparisons, twice,
each through a function that gets an attribute. It is measured in turns with what it measures, so a ratio says the
same on a slow machine as on a fast one; what else runs there can only add to either, so each is given by its least
round, in CPU time. libkeynote's figures on the same inputs: about 11 for scenario a, 330 for c_10000, 23,000 for
c_100000, 250 for d_100.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import process_time

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

import keynote
from benchmarks import keynote_scenarios as scenarios
from benchmarks.table import Row
from keynote import keys, private_keys, signatures

ROUNDS = 25
MANY = 100_000
# Not imported by this name: Python 3.11 compiles calls of what is imported to slower ones, the yardstick's as well.
ACTION = scenarios.ACTION
Get = Callable[[str], str]


def run() -> list[Row]:
    return [*_queries(), *_loading(), *_many(), *_signatures()]


def _queries() -> list[Row]:
    session, requesters = scenarios.scenario_a()
    a = _ratio(lambda: session.query(ACTION, requesters))
    interval = _ratio(_interval(session, requesters))
    deep, last = scenarios.scenario_d(100)
    alternatives, either = scenarios.scenario_alternatives()
    return [
        _baselines("a: one policy, one credential, keys", a, 2.5),
        Row(
            "keynote", "a, all but two attributes unknown / a", f"{interval / a:.1f}", "at most 4", interval <= 4 * a
        ),
        _baselines("a, with the reason in one line", _ratio(_reason(session, requesters))),
        _baselines("a requester whom two policies license", _ratio(_query(alternatives, either))),
        *(
            _baselines(f"c_{count}: a chain of five among {count:,}", _ratio(_query(*scenarios.scenario_c(count))))
            for count in (1_000, 10_000)
        ),
        _baselines("d_100: a chain of 100, each with a test of its own", _ratio(_query(deep, last), 100), 100),
    ]


def _loading() -> list[Row]:
    text = scenarios.root() + scenarios.chain_of_five(10_000)
    own = scenarios.root() + scenarios.chain_of_five(2_000, own_tests=True)
    return [
        _times_lines("loading c_10000", text, 60),
        _times_lines("loading 2,000 assertions, each with a test of its own", own, None),
    ]


def _times_lines(what: str, text: str, bar: float | None) -> Row:
    lines = min(_cpu(text.splitlines) for _ in range(ROUNDS))
    load = min(_cpu(lambda: keynote.Session(keynote.parse_policy(text, name="c"))) for _ in range(5))
    return _bounded(f"{what} / splitting it into lines", load / lines, bar)


def _many() -> list[Row]:
    """c_100000, in a process of its own for what memory it takes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "policy.kn")
        path.write_text(scenarios.root() + scenarios.chain_of_five(MANY))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.keynote", path], check=True, capture_output=True, text=True
        )
    found = json.loads(done.stdout)
    return [
        _baselines(f"c_{MANY}: a chain of five among {MANY:,}", found["query"], 6),
        _bounded("its first query less a later one", found["first"], 1, " ms", 2),
        _bounded("loading it / splitting it into lines", found["load"], 60),
        _bounded("RSS at most, the policy read and loaded", found["rss"], 300, " MB"),
    ]


def _measure_many(path: str) -> dict[str, float]:
    start = process_time()
    session = keynote.Session(keynote.load_policy(path))
    load = process_time() - start
    rss = getrusage(RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    first, later = (_cpu(lambda: session.query(ACTION, ["link5"])) for _ in range(2))
    text = Path(path).read_text()
    lines = min(_cpu(text.splitlines) for _ in range(5))
    query = _ratio(_query(session, "link5"))
    return {"load": load / lines, "rss": rss, "first": (first - later) * 1000, "query": query}


def _signatures() -> list[Row]:
    """Checking a credential's signature, beside the library's own verification of one with the same key over the same
    text; the key is known already in both."""
    key = private_keys.generate("rsa", 2048)
    authorizer = keys.text(key.public_key())
    text = f'Authorizer: "{authorizer}"\nLicensees: "{authorizer}"\nConditions: {scenarios.TEST} -> "true";\n'
    public, padding, hash = key.public_key(), PKCS1v15(), SHA256()
    assert isinstance(key, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    body = text.encode()
    bare = key.sign(body, padding, hash)
    rows = []
    for name in ("sig-rsa-sha256", "sig-rsa-sha1"):
        credential = keynote.parse_assertion(keynote.signed(text, key, f"{name}-base64:"), name="signed")
        check = partial(signatures.verify, credential, legacy=True)
        unit = partial(public.verify, bare, body, padding, hash)
        rounds = [(_cpu(unit, 500), _cpu(check, 500)) for _ in range(ROUNDS * 2)]
        ratio = min(time for _, time in rounds) / min(time for time, _ in rounds)
        what = f"checking {name} of 2048 bits / RSA alone"
        rows.append(Row("keynote", what, f"{ratio:.2f}", "at most 1.3", ratio <= 1.3))
    return rows


def _baselines(what: str, ratio: float, bar: float | None = None) -> Row:
    limit = "" if bar is None else f"at most {bar:g}"
    return Row("keynote", what, f"{ratio:.1f} baselines", limit, bar is None or ratio <= bar)


def _bounded(what: str, figure: float, bar: float | None, unit: str = "", digits: int = 0) -> Row:
    limit = "" if bar is None else f"at most {bar:g}{unit}"
    return Row("keynote", what, f"{figure:.{digits}f}{unit}", limit, bar is None or figure <= bar)


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


def _ratio(step: Callable[[], object], number: int = 2_000) -> float:
    """How many yardsticks a step takes, the two measured in turns."""
    assert _yardstick()
    step()
    rounds = [(_cpu(_yardstick, 4_000), _cpu(step, number)) for _ in range(ROUNDS)]
    return min(time for _, time in rounds) / min(unit for unit, _ in rounds)


def _cpu(step: Callable[[], object], number: int = 1) -> float:
    start = process_time()
    for _ in range(number):
        step()
    return (process_time() - start) / number


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


if __name__ == "__main__":
    print(json.dumps(_measure_many(sys.argv[1])))
