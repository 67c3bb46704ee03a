# SPDX-License-Identifier: ISC
"""Of policies that nobody reads as a whole, a denial tells what somebody can read, and in seconds."""

import pytest

import keynote
from keynote import parse_policy
from keynote.reasons import MAXIMUM
from keynote.survey import LINES
from tests.cpu import at_most
from tests.keynote.asking import policy

TESTS = " && ".join(f'a{n} == "x"' for n in range(9))
DENSE = " && ".join(f'("p{n}" || "gw")' for n in range(100))
MANY = {
    "assertions": "".join(policy(f'POLICY > "gw" > {TESTS} && b == "{n}";') for n in range(10_000)),
    "assertions that end elsewhere": "".join(policy(f'POLICY > "p{n}" > {TESTS};') for n in range(10_000)),
    "a chain": policy('POLICY > "p0" > true;')
    + "".join(policy(f'p{n} > "p{n + 1}" > a{n} == "x";') for n in range(9_999))
    + policy('p9999 > "gw" > true;'),
    "clauses": policy('POLICY > "gw" > ' + f"{TESTS};" * 2_000),
    "nested clauses": policy('POLICY > "gw" > ' + 'a == "x" -> {' * 5_000 + 'b == "y";' + "};" * 5_000),
    "negations": policy('POLICY > "gw" > ' + "!" * 100_001 + '(a == "");'),
    "licensees": policy("POLICY > " + " && ".join(f'"p{n}"' for n in range(10_000)) + ' && "gw" > a == "x";'),
    "a threshold": policy("POLICY > 5000-of(" + ", ".join(f'"p{n}"' for n in range(9_999)) + ', "gw") > true;'),
    "thresholds": policy(
        "POLICY > " + " && ".join(f'2-of("p{n}", "q{n}", "r{n}", "gw")' for n in range(6_000)) + ' > a == "x";'
    ),
    "licensees in turn": policy(
        "POLICY > "
        + "(" * 10_000
        + '"gw"'
        + "".join(f' && "p{n}" || "q{n}")' for n in range(5_000)).replace(" ||", ") ||")
        + ' > a == "x";'
    ),
    "nested licensees": policy("POLICY > " + '("gw" && ("q" || ' * 3_000 + '"q"' + "))" * 3_000 + " > a == b;"),
    "a dense graph": "".join(
        policy(f'{authorizer} > {DENSE} > a{n} == "x";')
        for n, authorizer in enumerate(["POLICY", *(f"p{m}" for m in range(100))])
    ),
}


@pytest.mark.parametrize("text", MANY.values(), ids=MANY.keys())
def test_reasons_take_seconds_at_most_and_pages_at_most(text: str) -> None:
    session = keynote.Session(parse_policy(text, name="p"))
    with at_most(10):
        decision = session.query({}, ["gw"])
        assert not decision.allowed
        assert decision.because
        assert 1 <= len(decision.reasons) <= MAXIMUM
        assert len(decision.survey) <= LINES + 1
        assert sum(map(len, map(str, decision.reasons))) < 100_000
        assert sum(len(line.text) for line in decision.survey) < 200_000


def test_what_is_not_told_is_counted() -> None:
    session = keynote.Session(parse_policy(MANY["assertions"], name="p"))
    decision = session.query({f"a{n}": "x" for n in range(8)}, ["gw"])
    assert len(decision.reasons) == MAXIMUM
    assert decision.more_reasons == 10_000 - MAXIMUM
