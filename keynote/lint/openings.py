# SPDX-License-Identifier: ISC
"""Checks of tests that hold for more than was meant: attributes that are empty, patterns that match anywhere."""

import re
from collections.abc import Iterator
from typing import Final

from keynote import expressions
from keynote.facts import OPERATORS, OPPOSITE, Fact
from keynote.lint import patterns
from keynote.lint.attributes import ipsec_clauses
from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.flow import Passage, any_fact, attribute
from keynote.lint.graph import values_in
from keynote.lint.subjects import ClauseFacts, Policy, Subject
from keynote.redaction import quoted
from keynote.schemas.ipsec import ATTRIBUTES, Kind
from keynote.sets import Set, only
from keynote.syntax import Comparison, Match, Relation, walk

_ADDRESS_TYPES: Final = only(f"IPv{version} {kind}" for version in (4, 6) for kind in ("address", "range", "subnet"))


def unequal(policy: Policy) -> Iterator[Draft]:
    """`!=`, `!(… == …)` and `!(… ~= …)`."""
    for subject, clause, relation, wanted in _relations(policy):
        if isinstance(wanted, Fact):
            if wanted.operator != "!=" or wanted.value == "":
                continue
            name, said = wanted.name, "differs from what is compared"
        elif isinstance(wanted, str):
            name, said = wanted, "does not match"
        else:
            continue
        if _lets_empty_through(subject, clause, name):
            yield subject.in_conditions(
                relation,
                f"fails open: {name} may be empty, which {said}",
                f'say what is allowed, with `==`, or also that it is not empty: `{name} != ""`',
            )
    yield from _unequal_expressions(policy)


def _unequal_expressions(policy: Policy) -> Iterator[Draft]:
    """`!=` between expressions that are more than an attribute and a constant."""
    for subject, clause, relation, wanted in _relations(policy):
        if wanted is not None or not isinstance(relation, Comparison):
            continue
        negated = any(passage.negated for passage in clause.passages() if passage.relation is relation)
        if relation.operator != ("==" if negated else "!="):
            continue
        for node in walk(relation):
            name = attribute(node, subject.assertion.constants)
            if name is not None and _lets_empty_through(subject, clause, name):
                message = f"fails open: {name} may be empty, which differs from what is compared"
                hint = f'say what is allowed, with `==`, or also that it is not empty: `{name} != ""`'
                yield subject.in_conditions(relation, message, hint)
                break


def ordered(policy: Policy) -> Iterator[Draft]:
    """`<` and `<=`, for which the empty string comes first, and counts as 0."""
    for subject, clause, relation, wanted in _relations(policy):
        if not isinstance(wanted, Fact) or wanted.operator not in ("<", "<="):
            continue
        number = not isinstance(wanted.value, str)
        if not OPERATORS[wanted.operator](0 if number else "", wanted.value):
            continue
        described = ATTRIBUTES.get(wanted.name)
        if described is None or (not number and described.kind in (Kind.NUMBER, Kind.WORD_OR_NUMBER)):
            continue  # a number that is compared as a string: a mistake of its own
        if _lets_empty_through(subject, clause, wanted.name):
            address = described.kind is Kind.ADDRESS
            why = "counts as 0" if number else f"comes before every {'address' if address else 'other text'}"
            also = f"@{wanted.name} > 0" if number else f'{wanted.name} != ""'
            message = f"fails open: {wanted.name} may be empty, which {why}"
            yield subject.in_conditions(relation, message, f"test that it is there, too: `{also}`")


def _relations(policy: Policy) -> Iterator[tuple[Subject, ClauseFacts, Relation, Fact | str | None]]:
    """The relations on which a clause for IPsec that gives something depends: as the comparison that is wanted, or
    the attribute that is not to match a pattern."""
    for subject in policy.subjects:
        for clause in subject.leaves:
            for passage in clause.passages() if clause.ipsec else ():
                yield subject, clause, passage.relation, _wanted(subject, passage)


def _wanted(subject: Subject, passage: Passage) -> Fact | str | None:
    constants = subject.assertion.constants
    if isinstance(passage.relation, Match):
        return attribute(passage.relation.subject, constants) if passage.negated else None
    found = any_fact(passage.relation, constants)
    if found is None or not passage.negated:
        return found
    return Fact(found.relation, found.name, OPPOSITE[found.operator], found.value)


def _lets_empty_through(subject: Subject, clause: ClauseFacts, name: str) -> bool:
    """Whether the clause holds for the empty string without anybody having said so."""
    described = ATTRIBUTES.get(name)
    if described is None or not described.may_be_empty or clause.state is None:
        return False
    if "" not in values_in(clause.state, name) or _is_there(clause, name):
        return False
    return not any(
        isinstance(wanted := _wanted(subject, passage), Fact)
        and (wanted.name, wanted.operator, wanted.value) == (name, "==", "")
        for passage in clause.passages()
    )


def _is_there(clause: ClauseFacts, name: str) -> bool:
    """Whether other attributes show that this one is not empty: an address range has both bounds, or none."""
    bound = re.fullmatch(r"(\w+)_addr_(lower|upper)", name)
    if bound is None or clause.state is None:
        return False
    other = f"{bound[1]}_addr_{'upper' if bound[2] == 'lower' else 'lower'}"
    kinds: Set = values_in(clause.state, f"{bound[1]}_type")
    return "" not in values_in(clause.state, other) or kinds <= _ADDRESS_TYPES


# -- patterns --------------------------------------------------------------------------------------------------------

#: A dot that stands for any character, between what look like the labels of a name.
_BARE_DOT: Final = re.compile(r"(?<=[A-Za-z0-9])\.(?=[A-Za-z0-9])")
_BRACKET: Final = re.compile(r"\[\^?\]?[^\]]*\]")


def unanchored(policy: Policy) -> Iterator[Draft]:
    for subject, relation, name, pattern in _patterns(policy):
        if ATTRIBUTES[name].kind is Kind.TEXT and patterns.is_open(pattern):
            message = f"{quoted(pattern)} matches whatever stands behind it in {name}"
            hint = "end each alternative with `$`, and what it needs before that; begin it with `^`"
            yield subject.in_conditions(relation.pattern, message, hint)


def bare_dot(policy: Policy) -> Iterator[Draft]:
    for subject, relation, name, pattern in _patterns(policy):
        if ATTRIBUTES[name].kind is Kind.TEXT and _BARE_DOT.search(_BRACKET.sub("[]", pattern)):
            message = f"a dot in {quoted(pattern)} matches any character"
            yield subject.in_conditions(relation.pattern, message, r"write `\\.` for a dot, with two backslashes")


def _patterns(policy: Policy) -> Iterator[tuple[Subject, Match, str, str]]:
    """The patterns that attributes of the schema are to match, where that is wanted."""
    for subject, clause in ipsec_clauses(policy):
        constants = subject.assertion.constants
        for passage in clause.flow.passages:
            relation = passage.relation
            if not isinstance(relation, Match) or passage.negated:
                continue
            name = attribute(relation.subject, constants)
            pattern = expressions.string(relation.pattern, constants)
            if name in ATTRIBUTES and isinstance(pattern, str):
                yield subject, relation, name or "", pattern


_WARNING: Final = Severity.WARNING

CHECKS: Final = (
    Check(
        "KN111",
        _WARNING,
        "`!=` on an attribute that may be empty",
        "An attribute that does not apply is the empty string, and that is different from everything: the test holds"
        " though nothing was said. The same goes for `!(… == …)` and `!(… ~= …)`. KeyNote cannot forbid; it"
        " allows what"
        " is named.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg != "null" -> "true";',
        'Name what is allowed, with `==`. Where that is too much, test `!= ""` too.',
        unequal,
    ),
    Check(
        "KN112",
        _WARNING,
        "upper bound that an empty attribute keeps",
        "What is not proposed is empty: as a number 0, as a string before all others. So a lifetime of `<="
        " 28800` is also"
        " none at all.",
        'Conditions: app_domain == "IPsec policy" && @esp_life_seconds <= 28800 -> "true";',
        "Give a lower bound as well. Of two bounds of an address range one is enough: both are there or none.",
        ordered,
    ),
    Check(
        "KN113",
        _WARNING,
        "pattern without an end",
        "A pattern matches anywhere in the text. `@example\\\\.org` matches `eve@example.org.evil.net` as well. `.*`"
        " at the end, before a `$` too, says no more, and in `^a|b$` neither alternative has both ends. The"
        " beginning of a distinguished name is enough, if it ends with `/` or `=`: `^/O=Example/CN=`.",
        'Conditions: app_domain == "IPsec policy" && remote_id_type == "User FQDN" &&\n'
        '    remote_id ~= "@example\\\\.org" -> "true";',
        "End it with `$`, each alternative of its own, and begin it with `^` unless any beginning will do.",
        unanchored,
    ),
    Check(
        "KN114",
        _WARNING,
        "dot that matches any character",
        "In a regular expression a dot is any character, so `gw.example.org` matches `gw-example.org`, which may be"
        " somebody else's.",
        'Conditions: app_domain == "IPsec policy" && remote_id_type == "FQDN" &&\n'
        '    remote_id ~= "^gw.example.org$" -> "true";',
        "Write two backslashes before it: the string literal takes one away. Or compare with `==`.",
        bare_dot,
    ),
)
