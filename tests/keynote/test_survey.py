# SPDX-License-Identifier: ISC
"""The tree of a denial: who delegates to whom, and where that ends."""

from tests.keynote.asking import ask, policy


def test_the_tree_shows_where_the_ways_end() -> None:
    decision = ask(policy('POLICY > "CA" > true;', 'CA > "gw" || "Zoe" > a == "x";', 'other > "me" > true;'), "me")
    assert ["  " * line.depth + line.text for line in decision.survey] == [
        "POLICY",
        "  p:1",
        "    p:3: holds: true;",
        "    p:2: licenses `CA`, not `me`",
        "    CA",
        '      p:5 licenses "gw" || "Zoe"',
        "        p:7: a is empty, needs `x`",
        "        p:6: licenses `gw` or `Zoe`, not `me`",
        "        gw neither requests it nor delegates",
        "        Zoe neither requests it nor delegates",
    ]


def test_a_fork_is_shown_with_all_its_branches() -> None:
    text = policy('POLICY > "A" && "B" > true;', 'A > "C" > a == "x" -> { true; };', 'B > "C" && "gw" > true;')
    text += policy('C > "gw" > true -> "mid"; a == "x" -> "high";', 'POLICY > "other" > true;')
    decision = ask(text, "gw", a="x")
    assert decision.because == "POLICY → A and B, p:3"
    assert [("  " * line.depth + line.text, line.good) for line in decision.survey] == [
        ("POLICY", None),
        ('  p:1 licenses "A" && "B"', True),
        ("    p:3: holds: true;", True),
        ("    A", None),
        ("      p:5", True),
        ("        p:7: holds: true;", True),
        ("        C", None),
        ("          p:13", True),
        ('            p:15: holds: a == "x" -> "high";', True),
        ("            gw requests it", True),
        ("    B", None),
        ('      p:9 licenses "C" && "gw"', True),
        ("        p:11: holds: true;", True),
        ("        C, as above", None),
        ("        gw requests it", True),
    ]
