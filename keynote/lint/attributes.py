# SPDX-License-Identifier: ISC
"""Checks of attributes and their values, by the schema of `app_domain == "IPsec policy"`."""

import difflib
import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Final

from keynote import expressions, regular_expressions
from keynote.errors import EvaluationError
from keynote.facts import fact
from keynote.lint import addresses, patterns
from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.flow import Fact, attribute, dereferenced
from keynote.lint.subjects import ClauseFacts, Policy, Subject
from keynote.lint.times import is_time
from keynote.nearest import nearest
from keynote.printing import printed
from keynote.redaction import quoted
from keynote.schemas.ipsec import APP_DOMAIN, ATTRIBUTES, Attribute, Kind
from keynote.sets import compared
from keynote.syntax import Comparison, Conversion, Literal, Match, Name, Node, walk

_ORDERS: Final = ("<", ">", "<=", ">=")
_AES: Final = re.compile(r"aes[-_]?(?:cbc|ctr|gcm)?[-_]?(128|192|256)?(?:[-_].*)?", re.IGNORECASE)


def ipsec_clauses(policy: Policy) -> Iterator[tuple[Subject, ClauseFacts]]:
    for subject in policy.subjects:
        for clause in subject.clauses:
            if clause.ipsec:
                yield subject, clause


def facts(policy: Policy) -> Iterator[tuple[Subject, Fact]]:
    """The relations, of clauses for IPsec, between an attribute of the schema and a constant."""
    for subject in policy.subjects:
        for passage in chain.from_iterable(it.flow.passages for it in subject.clauses if _is_for_ipsec(it)):
            found = passage.fact
            if found is not None and found.name in ATTRIBUTES:
                yield subject, found


def _is_for_ipsec(clause: ClauseFacts) -> bool:
    """Also of a clause that never holds: what is wrong with a value in it may be why."""
    if clause.ipsec or clause.state is not None:
        return clause.ipsec
    tested = (fact(it, clause.constants) for it in clause.conjuncts() if isinstance(it, Comparison))
    return any(it is not None and (it.name, it.operator, it.value) == _GUARD for it in tested)


_GUARD: Final = ("app_domain", "==", APP_DOMAIN)


# -- names -----------------------------------------------------------------------------------------------------------


def unknown_attribute(policy: Policy) -> Iterator[Draft]:
    for subject, clause in ipsec_clauses(policy):
        for node in walk(clause.node.test):
            constants = subject.assertion.constants
            name = node.name if isinstance(node, Name) else dereferenced(node, constants)
            if name is not None and not name.startswith("_") and name not in ATTRIBUTES and name not in constants:
                message = f"{quoted(name)} is no attribute of IPsec, and so is always empty"
                yield subject.in_conditions(node, message, _meant(subject, name))


def _meant(subject: Subject, name: str) -> str:
    close = _nearest(name, tuple(subject.assertion.constants))
    return f"did you mean `{close}`?" if close else "`keynote attributes` lists them"


# Who misspells a name does so in every assertion of a generated policy.
@lru_cache(maxsize=1_000)
def _nearest(name: str, constants: tuple[str, ...]) -> str:
    return nearest(name, (*ATTRIBUTES, *constants))


def hidden_attribute(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        if not subject.ipsec or subject.assertion.conditions is None:
            continue
        hidden = subject.assertion.constants.keys() & ATTRIBUTES.keys()
        seen = set()
        for node in walk(subject.assertion.conditions.tree) if hidden else ():
            if isinstance(node, Name) and node.name in hidden and node.name not in seen:
                seen.add(node.name)
                message = f"the constant `{node.name}` hides the attribute of that name, which is never tested"
                yield subject.in_conditions(node, message, "give the constant another name")


def misspelt_app_domain(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        for clause in subject.clauses:
            for passage in clause.flow.passages:
                found, relation = passage.fact, passage.relation
                message = ""
                if found is not None and found.name == "app_domain" and _nearly_ipsec(found.value):
                    message = f"app_domain is never {quoted(str(found.value))} where the IKE daemon asks"
                elif isinstance(relation, Match):
                    pattern = _pattern_of(subject, relation, "app_domain")
                    if pattern is not None and _matches_nearly_ipsec(pattern):
                        message = f"app_domain never matches {quoted(pattern)} where the IKE daemon asks"
                if message:
                    yield subject.in_conditions(relation, message, f"did you mean `{APP_DOMAIN}`?")


def _nearly_ipsec(value: object) -> bool:
    if not isinstance(value, str) or value == APP_DOMAIN:
        return False
    return difflib.SequenceMatcher(None, value.lower(), APP_DOMAIN.lower()).ratio() >= 0.8


def _pattern_of(subject: Subject, relation: Match, name: str) -> str | None:
    """The pattern that is matched with an attribute, if the action has no say in it."""
    constants = subject.assertion.constants
    pattern = expressions.string(relation.pattern, constants)
    return pattern if isinstance(pattern, str) and attribute(relation.subject, constants) == name else None


def _matches_nearly_ipsec(pattern: str) -> bool:
    """Whether it matches IPsec's only but for its case, or what is nearly that."""
    try:
        if regular_expressions.compiled(pattern).search(APP_DOMAIN.encode()) is not None:
            return False
        folded = regular_expressions.compiled(pattern.lower())
    except EvaluationError:
        return False
    words = patterns.words(pattern)
    return folded.search(APP_DOMAIN.lower().encode()) is not None or any(map(_nearly_ipsec, words or ()))


# -- values ----------------------------------------------------------------------------------------------------------


def outside_domain(policy: Policy) -> Iterator[Draft]:
    for subject, found in facts(policy):
        wrong = _number_outside(found) if isinstance(found.value, int) else _text_outside(found, found.value)
        if wrong is not None:
            yield subject.in_conditions(found.relation, *wrong)
    for subject, clause in ipsec_clauses(policy):
        for passage in clause.flow.passages:
            if isinstance(passage.relation, Match):
                yield from _outside_pattern(subject, passage.relation)


def _text_outside(found: Fact, value: str) -> tuple[str, str] | None:
    """What is wrong with a text that the attribute is compared with, and what to do."""
    why = addresses.why_impossible(found)
    if why is not None:
        return f"{found.name} is never {quoted(value)}: {why}", _ADDRESSES
    if _is_within(ATTRIBUTES[found.name], found.operator, value) or addresses.as_written(found) is not None:
        return None
    return f"{found.name} is never {quoted(value) if value else 'empty'}", _value_hint(found)


_ADDRESSES: Final = "write an address as `010.001.002.003`, a network as `010.001.000.000-010.001.255.255`"


def _number_outside(found: Fact) -> tuple[str, str] | None:
    """The same of a number: none that the attribute can be meets the comparison, or each does."""
    described, value = ATTRIBUTES[found.name], found.value
    if described.kind not in _NUMERIC:
        return None
    possible = compared(">=", 0)
    if described.greatest is not None:
        possible &= compared("<=", described.greatest)
    for number in described.spelt:
        possible &= compared("!=", number)
    wanted = compared(found.operator, value)
    if possible & wanted and not possible <= wanted:
        return None
    spelt = described.spelt.get(value) if isinstance(value, int) else None
    hint = f"its values are {described.domain}" if spelt is None else _spelt_hint(found.name, spelt)
    holds = "always holds" if possible & wanted else "never holds"
    return f"`{printed(found.relation, 120)}` {holds}, whatever number {found.name} is", hint


def _spelt_hint(name: str, word: str) -> str:
    return f'the daemon says `{word}` for that: `{name} == "{word}"`'


def _is_within(described: Attribute, operator: str, value: str) -> bool:
    """Whether comparing the attribute with this says something. In order it is also compared with the beginnings of
    values, `< "2027"`, and with what is beyond all of them, `<= "99999999999999"`."""
    if described.kind is Kind.TIME:
        return is_time(value) if operator in _ORDERS else described.allows(value)
    if operator not in _ORDERS or not value or described.kind in (Kind.TEXT, *_NUMERIC):  # numbers: another check
        return operator in _ORDERS or described.allows(value)
    return addresses.is_beginning(value) if described.kind is Kind.ADDRESS else value in described.words


def _outside_pattern(subject: Subject, relation: Match) -> Iterator[Draft]:
    name = attribute(relation.subject, subject.assertion.constants)
    pattern = expressions.string(relation.pattern, subject.assertion.constants)
    described = ATTRIBUTES.get(name or "")
    if described is None or not isinstance(pattern, str):
        return
    if described.kind is Kind.CHOICE:
        try:
            compiled = regular_expressions.compiled(pattern)
        except EvaluationError:
            return
        values = (*described.words, *([""] if described.may_be_empty else []))
        possible = any(compiled.search(value.encode("latin-1")) for value in values)
    else:
        texts = patterns.words(pattern)
        possible = texts is None or any(map(described.allows, texts))
    if not possible:
        message = f"{described.name} never matches {quoted(pattern)}"
        yield subject.in_conditions(relation, message, f"its values are {described.domain}")


def _value_hint(found: Fact) -> str:
    described, value = ATTRIBUTES[found.name], str(found.value)
    if not value:
        return "the daemon always sets it"
    if described.kind is Kind.TIME:
        return _time_hint(value)
    length = _AES.fullmatch(value)
    if found.name == "esp_enc_alg" and length is not None:
        bits = length[1] or "128"
        return f"`aes` whatever its mode; the length is another attribute: `@esp_key_length == {bits}`"
    for number, word in described.spelt.items():
        if value == str(number):
            return _spelt_hint(found.name, word)
    if described.kind is Kind.ADDRESS:
        return _ADDRESSES
    close = nearest(value, described.words)
    return f"did you mean `{close}`?" if close else f"its values are {described.domain}"


def _time_hint(value: str) -> str:
    try:
        return f"write `{datetime.fromisoformat(value):%Y%m%d%H%M%S}`"
    except ValueError:
        return "write `YYYYMMDDHHMMSS`, the date too, or its beginning"


def unpadded_address(policy: Policy) -> Iterator[Draft]:
    for subject, found in facts(policy):
        padded = addresses.as_written(found)
        if padded is not None:
            message = f"{found.name} is never written {quoted(str(found.value))}, and strings are compared"
            yield subject.in_conditions(found.relation, message, f"write `{padded}`")


# -- numbers ---------------------------------------------------------------------------------------------------------

_NUMERIC: Final = (Kind.NUMBER, Kind.WORD_OR_NUMBER)


def numbers_as_strings(policy: Policy) -> Iterator[Draft]:
    for subject, clause in ipsec_clauses(policy):
        for passage in clause.flow.passages:
            relation = passage.relation
            if not isinstance(relation, Comparison) or relation.operator not in _ORDERS:
                continue
            for side in (relation.left, relation.right):
                if isinstance(side, Name) and _is_number(subject, side):
                    message = f'{side.name} is a number, and compared as a string, where `"9" > "10"`'
                    yield subject.in_conditions(relation, message, _as_number(relation, side))
                    break


def _is_number(subject: Subject, node: Name) -> bool:
    described = ATTRIBUTES.get(node.name)
    return described is not None and described.kind in _NUMERIC and node.name not in subject.assertion.constants


def _as_number(relation: Comparison, side: Name) -> str:
    other = relation.right if side is relation.left else relation.left
    if isinstance(other, Literal) and other.text.isascii() and other.text.isdigit():
        left, right = f"@{side.name}", str(int(other.text))
        if side is relation.right:
            left, right = right, left
        return f"write `{left} {relation.operator} {right}`"
    return f"`@{side.name}` is its number"


#: Texts that are addresses, names and the like.
_NEVER_NUMBERS: Final = ("remote_filter", "local_filter")


def number_of_words(policy: Policy) -> Iterator[Draft]:
    for subject, clause in ipsec_clauses(policy):
        for node in walk(clause.node.test):
            name = _converted(subject, node)
            if name is None:
                continue
            described = ATTRIBUTES[name]
            if described.kind in (Kind.CHOICE, Kind.ADDRESS) or name in _NEVER_NUMBERS:
                message = f"{name} is never a number, so as one it is always 0"
                yield subject.in_conditions(node, message, f"its values are {described.domain}")
        yield from _times_as_numbers(subject, clause)


def _times_as_numbers(subject: Subject, clause: ClauseFacts) -> Iterator[Draft]:
    """Compared as they are: arithmetic with them, for a day of the week or a time of day, has no other way."""
    for passage in clause.flow.passages:
        relation = passage.relation
        if isinstance(relation, Comparison):
            for side in (relation.left, relation.right):
                name = _converted(subject, side)
                if name is not None and ATTRIBUTES[name].kind is Kind.TIME:
                    message = f"{name} as a number has 14 digits, more than other implementations of KeyNote can hold"
                    hint = f'compare it as a string, in quotes: `{name} < "20270101000000"`'
                    yield subject.in_conditions(relation, message, hint)


def _converted(subject: Subject, node: Node) -> str | None:
    if not isinstance(node, Conversion):
        return None
    name = attribute(node, subject.assertion.constants)
    return name if name in ATTRIBUTES else None


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

CHECKS: Final = (
    Check(
        "KN101",
        _ERROR,
        "unknown attribute",
        "An attribute that nobody sets is the empty string, and no error. So a misspelt name makes `==` fail"
        " always, and"
        " `!=` hold always: the second opens the policy without a word.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_algo == "aes" -> "true";',
        "Write the name as `keynote attributes` has it. A name of your own belongs into Local-Constants.",
        unknown_attribute,
    ),
    Check(
        "KN102",
        _ERROR,
        "value outside an attribute's domain",
        "The daemon says `aes` for AES of every length and mode, `yes` and `no` in lower case, numbers without"
        " leading zeros, `tcp`, `udp` and `etherip` for the protocols 6, 17 and 97, times as `YYYYMMDDHHMMSS`. No"
        " group of an address is above 255, and no range upside down. A comparison with anything else never holds,"
        " or always, or from another time on than was meant.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes-256" -> "true";',
        "Compare with a value that `keynote attributes NAME` lists. The length of a key is `esp_key_length`.",
        outside_domain,
    ),
    Check(
        "KN103",
        _ERROR,
        "address not in the daemon's form",
        "Addresses are compared as strings. For their order to be that of the addresses, the daemon pads them:"
        " `010.001.002.003`, and IPv6 in eight groups of four. A network is `lower-upper`.",
        'Conditions: app_domain == "IPsec policy" && remote_filter == "10.1.0.0/16" -> "true";',
        "Write the address as the hint has it.",
        unpadded_address,
    ),
    Check(
        "KN104",
        _WARNING,
        "numbers compared as strings",
        'Without `@` the comparison is one of strings, in which `"96"` is greater than `"128"`, because 9 comes'
        " after 1.",
        'Conditions: app_domain == "IPsec policy" && esp_key_length > "128" -> "true";',
        "Compare `@name` with a number without quotes.",
        numbers_as_strings,
    ),
    Check(
        "KN105",
        _WARNING,
        "number of what is none",
        "`@` and `&` make 0 of everything that is no number. Of an attribute that has words or addresses for"
        " values they"
        " make nothing else, so the comparison always holds or never does. A time is a number of 14 digits here;"
        " where integers have 32 bits, as in libkeynote, it is another one.",
        'Conditions: app_domain == "IPsec policy" && @esp_enc_alg == 12 -> "true";',
        "Compare the attribute with one of its values, as a string.",
        number_of_words,
    ),
    Check(
        "KN106",
        _WARNING,
        "constant that hides an attribute",
        "Local constants come before attributes. A constant that has an attribute's name is compared in its"
        " place, and"
        " what the peer proposes is not looked at.",
        'Local-Constants: esp_enc_alg = "aes"\n'
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" -> "true";',
        "Give the constant another name; capitals are usual.",
        hidden_attribute,
    ),
    Check(
        "KN107",
        _ERROR,
        "app_domain misspelt",
        "An assertion whose app_domain is nearly that of IPsec, or matches it but for its case, never counts for the"
        " daemon. None of the checks for IPsec look at it either.",
        'Conditions: app_domain == "IPSec policy" -> "true";',
        'The daemon\'s is `"IPsec policy"`.',
        misspelt_app_domain,
    ),
)
