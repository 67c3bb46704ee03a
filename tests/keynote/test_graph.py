# SPDX-License-Identifier: ISC
import itertools
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keynote import Session, Unknown, literals, parse_assertion, parse_policy
from keynote.graph import dot, mermaid, page
from keynote.graph.layout import layout
from keynote.graph.model import Graph, Question, State, TooLarge, data, graph
from keynote.graph.words import lines
from tests.keynote import reference
from tests.keynote.key_pairs import principal

POLICY = """Authorizer: "POLICY"
Licensees: "CA"
Conditions: app == "ipsec" && enc == "aes";

Authorizer: "CA"
Licensees: "gw"
Conditions: net == "1";

Authorizer: "CA"
Licensees: 2-of("one", "two", "three")

Authorizer: "one"
Licensees: "deputy"

Authorizer: "two"
Licensees: "deputy"

Authorizer: "stranger"
Licensees: "gw"
"""
ACTION = {"app": "ipsec", "enc": "aes", "net": "1"}
HOSTILE = [
    "</script><script>alert(1)</script>",
    "</text></svg><img src=x onerror=alert(1)>",
    'a"b\\c\\',
    "line\nfeed\r\ttab\x1b[31m\x7f",
    "\u202eunicode \xc3\xa9\xe4",
    "passphrase:very secret",
    '"]; evil [label="x"]; n0 -> n1',
    '"] --> n0; click n0 "javascript:alert(1)"',
    "%%{init: {'theme':'dark'}}%%",
    "`md` **bold** __it__ 1. list",
    "&lt;&amp;&#35;#quot;#35;",
    "]]> end subgraph style classDef",
]
KEY = "binary-hex:" + "0123456789abcdef" * 16


def session(text: str) -> Session:
    return Session(parse_policy(text, name="p.kn"))


def states(found: Graph) -> dict[str, State]:
    return {node.label[0]: node.state for node in found.nodes}


def notes(found: Graph) -> dict[str, str]:
    return {node.label[0]: node.note for node in found.nodes}


def edges(found: Graph) -> set[tuple[str, str]]:
    return {(found.nodes[edge.source].label[0], found.nodes[edge.target].label[0]) for edge in found.edges}


# -- what it says ----------------------------------------------------------------------------------------------------


def test_without_an_action_it_is_all_assertions() -> None:
    found = graph(session(POLICY))
    assert set(states(found).values()) == {State.NOT_ASKED}
    assert set(notes(found).values()) == {""}
    assert edges(found) == {
        ("POLICY", "p.kn:1"),
        ("p.kn:1", "CA"),
        ("CA", "p.kn:5"),
        ("p.kn:5", "gw"),
        ("CA", "p.kn:9"),
        ("p.kn:9", "one"),
        ("p.kn:9", "two"),
        ("p.kn:9", "three"),
        ("one", "p.kn:12"),
        ("p.kn:12", "deputy"),
        ("two", "p.kn:15"),
        ("p.kn:15", "deputy"),
        ("stranger", "p.kn:18"),
        ("p.kn:18", "gw"),
    }
    threshold = next(node for node in found.nodes if node.label[0] == "p.kn:9")
    assert (threshold.label, threshold.text) == (("p.kn:9", "2 of 3"), "no conditions")
    assert not found.verdict


def test_who_is_licensed_with_everybody_has_authority() -> None:
    text = 'Authorizer: "POLICY"\nConditions: a == "1";\n\nAuthorizer: "CA"\nLicensees: "k"\nConditions: b == "1";\n'
    found = graph(session(text), Question({"a": "1"}))
    assert states(found) == {
        "POLICY": State.HOLDS,
        "p.kn:1": State.HOLDS,
        "anybody": State.HOLDS,
        "CA": State.HOLDS,
        "p.kn:4": State.STOPS,
        "k": State.HOLDS,
    }
    for requester in ("k", "stranger"):
        found = graph(session(text), Question({"a": "1"}, [requester]))
        assert (found.verdict, states(found)[requester]) == ("true", State.HOLDS)
    assert states(graph(session(text), Question({"a": "2"})))["k"] is State.NONE
    assert states(graph(session(text), Question({}, unknown={"a"})))["k"] is State.MAY_HOLD


def test_authority_is_followed_to_where_it_stops() -> None:
    found = graph(session(POLICY), Question({**ACTION, "net": "2"}))
    assert states(found) == {
        "POLICY": State.HOLDS,
        "p.kn:1": State.HOLDS,
        "CA": State.HOLDS,
        "p.kn:5": State.STOPS,
        "gw": State.NONE,
        "p.kn:9": State.HOLDS,
        "one": State.TOGETHER,
        "two": State.TOGETHER,
        "three": State.TOGETHER,
        "p.kn:12": State.TOGETHER,
        "p.kn:15": State.TOGETHER,
        "deputy": State.HOLDS,  # by both
        "stranger": State.NONE,
        "p.kn:18": State.NONE,
    }
    assert notes(found)["p.kn:5"] == "net is `2`, needs `1`"
    assert notes(found)["p.kn:9"] == "holds"
    assert notes(found)["gw"] == "no authority"


def test_where_the_first_test_fails_nothing_is_below() -> None:
    found = graph(session(POLICY), Question({"app": "ipsec", "enc": "null"}))
    assert notes(found)["p.kn:1"] == "enc is `null`, needs `aes`"
    assert {state for label, state in states(found).items() if label not in ("POLICY", "p.kn:1")} == {State.NONE}


def test_unknown_attributes() -> None:
    found = graph(session(POLICY), Question({"app": "ipsec", "enc": "aes"}, unknown={"net"}))
    assert states(found)["CA"] is State.HOLDS
    assert states(found)["p.kn:5"] is states(found)["gw"] is State.MAY_HOLD
    found = graph(session(POLICY), Question({"net": "2"}, unknown=Unknown.except_(())))
    assert states(found)["CA"] is State.MAY_HOLD
    assert states(found)["p.kn:5"] is State.STOPS


def test_with_requesters_only_the_ways_to_them_and_the_path_that_decided() -> None:
    found = graph(session(POLICY), Question(ACTION, ["gw"]))
    assert (found.verdict, found.because) == ("true", "POLICY → CA → gw, p.kn:3")
    assert set(states(found)) == {"POLICY", "p.kn:1", "CA", "p.kn:5", "gw"}
    assert all(node.on_path for node in found.nodes)
    assert [node.label[0] for node in found.nodes if node.requests] == ["gw"]
    assert {edge.on_path for edge in found.edges} == {True}
    found = graph(session(POLICY), Question(ACTION, ["one", "two"]))
    assert {node.label[0] for node in found.nodes if node.on_path} == {
        "POLICY",
        "p.kn:1",
        "CA",
        "p.kn:9",
        "one",
        "two",
    }


def test_a_denied_requester_has_no_path_and_one_that_nothing_leads_to_stands_alone() -> None:
    found = graph(session(POLICY), Question({**ACTION, "net": "2"}, ["gw"]))
    assert (found.verdict, found.because) == ("false", "p.kn:7: net is `2`, needs `1`")
    assert not any(node.on_path for node in found.nodes)
    found = graph(session(POLICY), Question(ACTION, ["nobody"]))
    assert found.verdict == "false"
    (alone,) = (node for node in found.nodes if node.requests)
    assert alone.label == ("nobody",)
    assert not any(alone.number in (edge.source, edge.target) for edge in found.edges)


CA = principal("ed25519")


def with_credential(authorizer: str) -> Session:
    text = f'Authorizer: "POLICY"\nLicensees: "{CA}"\nConditions: x == "1";\n\nAuthorizer: "POLICY"\nLicensees: "z"\n'
    credential = parse_assertion(f'Authorizer: "{authorizer}"\nLicensees: "eve"\n', name="c.kn")
    return Session(parse_policy(text, name="p.kn"), [credential])


@pytest.mark.parametrize("authorizer", [CA, "POLICY"], ids=["a key", "POLICY"])
def test_what_was_set_aside_is_drawn_to_whom_it_licenses(authorizer: str) -> None:
    found = graph(with_credential(authorizer), Question({"x": "1"}, ["eve"]))
    assert ("c.kn:1", "eve") in edges(found)
    assert states(found)["c.kn:1"] is State.SET_ASIDE
    assert notes(found)["c.kn:1"] == "set aside: not signed"
    assert states(found)["eve"] is State.NONE
    of_it = [edge for edge in found.edges if edge.state is State.SET_ASIDE]
    assert len(of_it) == 2
    assert dot.text(found).count("style=dashed") == 2
    assert dot.text(found).count('style="filled,dashed"') == 1
    assert mermaid.text(found).count(" -.-> ") == 2
    assert "stroke-dasharray:4" in mermaid.text(found)
    assert page.text(found).count('stroke-dasharray="4 3"') == 3
    assert "set aside: not signed" in page.text(found)


def test_what_was_set_aside_is_not_drawn_where_it_makes_no_difference() -> None:
    for question in (None, Question({"x": "1"}), Question({"x": "1"}, ["z"]), Question({"x": "1"}, ["other"])):
        assert State.SET_ASIDE not in states(graph(with_credential(CA), question)).values()


def test_licensees_in_words() -> None:
    text = "\n".join(
        f'Authorizer: "POLICY"\n{field}\n'
        for field in (
            'Licensees: "a" || "b"',
            'Licensees: "a" && "b" && "c"',
            'Licensees: "a" || ("b" && "c")',
            "Licensees:",
            "Conditions: a == b;",
            'Licensees: "a"\nConditions:',
        )
    )
    found = graph(session(text), Question({}))
    assert [node.label[1:] for node in found.nodes if not node.is_principal] == [
        (),
        ("all of",),
        ('"a" || "b" && "c"',),
        ("licenses nobody",),
        (),
        (),
    ]
    assert states(found)["anybody"] is State.HOLDS
    assert notes(found)["p.kn:16"] == "Conditions is empty, which nothing satisfies"


def test_principals_that_depend_on_the_action() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: $boss\n'
    assert states(graph(session(text), Question({"boss": "me", "me": "K"})))["K"] is State.HOLDS
    assert states(graph(session(text), Question({}, unknown={"boss"})))["(unknown)"] is State.MAY_HOLD


@settings(max_examples=100)
@given(reference.ASSERTIONS, reference.ATTRIBUTES)
def test_a_principal_has_authority_just_where_a_query_gives_it(
    assertions: list[reference.Assertion], attributes: dict[str, str]
) -> None:
    text = "\n".join(map(reference.assertion_text, assertions))
    found = graph(session(text), Question(attributes, values=reference.VALUES))
    # An assertion without Licensees licenses everybody, for whom it has one node.
    everybody = states(found).get("anybody") is State.HOLDS
    for node in found.nodes:
        if node.is_principal and node.label[0] in "ABCDE" and not everybody:
            expected = reference.query(assertions, attributes, [node.label[0]]) > 0
            assert (node.state is State.HOLDS) == expected, node


# -- what it looks like ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile() -> Graph:
    text = "\n".join(
        f'Authorizer: "POLICY"\nLicensees: "{literal(name)}"\nConditions: a{number} != "{literal(name)}";\n'
        for number, name in enumerate(HOSTILE)
    )
    text += f'\nAuthorizer: "POLICY"\nLicensees: "{KEY}"\n'
    action = {f"a{number}": as_bytes(text) for number, text in enumerate(HOSTILE)}
    return graph(session(text), Question(action))


def as_bytes(text: str) -> str:
    return text.encode().decode("latin-1")


def literal(text: str) -> str:
    return literals.encode(as_bytes(text))[1:-1]


def test_dot_has_nothing_but_its_own_words_outside_of_strings(hostile: Graph) -> None:
    text = dot.text(hostile)
    string = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
    strings = string.findall(text)
    rest = string.sub('""', text)
    statement = r'  n\d+(?: -> n\d+)? \[[a-z]+=(?:""|[\w.]+)(?:, [a-z]+=(?:""|[\w.]+))*\];\n'
    assert re.fullmatch(rf"digraph keynote {{\n(?:  [a-z].*;\n)+?(?:{statement})+}}\n", rest)
    assert all("\n" not in one and not re.search(r"&(?!amp;)", one) for one in strings)
    assert r'"a\"b\\c\\\n' in text


def test_mermaid_labels_have_nothing_that_it_could_read(hostile: Graph) -> None:
    for line in mermaid.text(hostile).splitlines()[1:]:
        if match := re.fullmatch(r'  n\d+(?:\(\[|\[\[?)"(.*)"(?:\]\)|\]\]?):::\w+', line):
            label = re.sub(r"#\d+;|<br/>", "", match[1])
            assert re.fullmatch(r"[\w /=:,.-]*", label), label
        else:
            assert re.fullmatch(r"  n\d+ (?:-->|-\.->|==>) n\d+|  classDef \w+ [\w:#,]+", line), line


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, text: str) -> None:
        self.text += text


def test_the_page_has_no_script_and_asks_for_nothing(hostile: Graph) -> None:
    parser = Elements()
    parser.feed(page.text(hostile, title=HOSTILE[0]))
    allowed = (
        "html head meta title style body h1 h2 p span div svg defs marker path g rect text tspan table tr td code"
    )
    assert set(parser.tags) <= set(allowed.split())
    names = {name for name, _ in parser.attributes}
    assert not any(name.startswith("on") or name in ("src", "href", "xlink:href", "action") for name in names)
    urls = [value for _, value in parser.attributes if value and ("//" in value or "url(" in value)]
    assert {re.sub(r"url\(#\w+\)", "url", url) for url in urls} == {"http://www.w3.org/2000/svg", "url"}
    assert "</script><script>alert(1)</script>" in parser.text
    assert "default-src 'none'" in dict(parser.attributes)["content"]  # type: ignore[operator]
    assert "@import" not in parser.text


@pytest.mark.parametrize("write", [dot.text, mermaid.text, page.text, lambda found: json.dumps(data(found))])
def test_secrets_are_hidden_keys_are_cut_and_all_is_printable(hostile: Graph, write: object) -> None:
    text = write(hostile)  # type: ignore[operator]
    assert "very secret" not in text
    assert "passphrase" in text
    assert "0123456789abcdef" * 2 not in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_long_texts_are_wrapped_and_cut() -> None:
    text = f'Authorizer: "POLICY"\nLicensees: "{"x" * 500}"\nConditions: {" && ".join(["aa == bb"] * 99)};\n'
    for node in graph(session(text)).nodes:
        found = lines(node)
        assert len(found) <= 10
        assert all(len(line) <= 44 for line in found)


def test_a_page_has_a_limit_and_the_others_have_none() -> None:
    names = ["POLICY", *(f"K{number}" for number in range(600))]
    chain = "\n".join(f'Authorizer: "{by}"\nLicensees: "{to}"\n' for by, to in itertools.pairwise(names))
    found = graph(session(chain))
    message = "1,201 principals and assertions are more than a page can show, which is 1,000"
    with pytest.raises(TooLarge, match=message):
        page.text(found)
    assert dot.text(found).count(" -> ") == mermaid.text(found).count(" --> ") == 1200


def test_a_graph_that_is_too_large_is_refused_before_anybody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    query, queries = Session.query, itertools.count()
    monkeypatch.setattr(Session, "query", lambda *args: (next(queries), query(*args))[1])
    asked = session(POLICY)
    for question in (
        None,
        Question({"app": "ipsec", "enc": "aes", "net": "1"}),
        Question({}, ["gw"], unknown=["app"]),
    ):
        size = len(graph(asked, question).nodes)
        assert graph(asked, question, size) == graph(asked, question)
        before = next(queries)
        with pytest.raises(TooLarge, match=f"^{size} principals"):
            graph(asked, question, size - 1)
        assert next(queries) == before + 2  # what is on the ways to requesters, and no more


# -- where it stands -------------------------------------------------------------------------------------------------

GRAPHS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=25),
    )
)


@settings(max_examples=200)
@given(GRAPHS)
def test_nodes_have_room_and_edges_lead_down(shape: tuple[int, list[tuple[int, int]]]) -> None:
    count, links = shape
    sizes = {number: (20.0 + 10 * number, 10.0 + number) for number in range(count)}
    plan = layout(sizes, links)
    assert len(plan.bends) == len(links)
    for number, (x, y) in plan.centres.items():
        width, height = sizes[number]
        assert -0.01 <= x - width / 2 <= x + width / 2 <= plan.width + 0.01
        assert -0.01 <= y - height / 2 <= y + height / 2 <= plan.height + 0.01
    for one, other in itertools.combinations(range(count), 2):
        (x, y), (other_x, other_y) = plan.centres[one], plan.centres[other]
        beside = abs(x - other_x) >= (sizes[one][0] + sizes[other][0]) / 2
        assert beside or abs(y - other_y) >= (sizes[one][1] + sizes[other][1]) / 2
    acyclic = [(source, target) for source, target in links if source < target]
    plan = layout(sizes, acyclic)
    for (source, target), bends in zip(acyclic, plan.bends, strict=True):
        heights = [plan.centres[source][1], *(y for _, y in bends), plan.centres[target][1]]
        assert heights == sorted(set(heights))


def test_deep_and_empty_layouts() -> None:
    links = list(itertools.pairwise(range(5000)))
    assert layout(dict.fromkeys(range(5000), (10.0, 10.0)), [*links, (4999, 0), (0, 4999)]).height > 5000
    assert layout({}, []).height == 0
