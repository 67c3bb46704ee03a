# SPDX-License-Identifier: ISC
"""Checks of clauses, for any application: what can never hold, always holds, or gives nothing."""

import difflib
from collections.abc import Iterator
from typing import Final

from keynote import expressions, foreign_escapes, regular_expressions
from keynote.errors import EvaluationError
from keynote.lint import shadows
from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.flow import Passage, constant_truth
from keynote.lint.subjects import ClauseFacts, Policy, Subject
from keynote.printing import printed
from keynote.redaction import quoted
from keynote.schemas.ipsec import ATTRIBUTES
from keynote.syntax import Dereference, Literal, Match, Name, Node, Program, Truth, leftmost, walk

#: The compliance values of the daemon's queries.
_VALUES: Final = ("false", "true")


def _clauses(policy: Policy) -> Iterator[tuple[Subject, ClauseFacts]]:
    for subject in policy.subjects:
        for clause in subject.clauses:
            yield subject, clause


# -- what never holds ------------------------------------------------------------------------------------------------


def never(policy: Policy) -> Iterator[Draft]:
    for subject, clause in _clauses(policy):
        within_reach = clause.parent is None or clause.parent.state is not None
        if clause.state is not None or not within_reach or isinstance(clause.node.test, Truth):
            continue
        dead = [passage for passage in clause.flow.passages if _wanted(passage) is None]
        if dead and not any(_pattern_error(subject, passage.relation) for passage in dead):
            why = _why_never(subject, dead[0])
            hint = "" if len(dead) == 1 else "no other part of it makes up for that"
            yield subject.in_conditions(dead[0].relation, f"this clause never holds: {why}", hint)


def _wanted(passage: Passage) -> object:
    return passage.fails if passage.negated else passage.holds


def _unwanted(passage: Passage) -> object:
    return passage.holds if passage.negated else passage.fails


def _why_never(subject: Subject, passage: Passage) -> str:
    text = f"`{printed(passage.relation, 120)}`"
    truth = constant_truth(passage.relation, subject.assertion.constants)
    if isinstance(truth, EvaluationError):
        return f"{truth} in {text}"
    if truth is not None:
        return f"{text} is always {'true' if truth else 'false'}"
    return f"{text} {'always' if passage.negated else 'never'} holds together with what is tested besides"


def dead_part(policy: Policy) -> Iterator[Draft]:
    for subject, clause in _clauses(policy):
        for passage in clause.flow.passages if clause.state is not None else ():
            if _wanted(passage) is None and not _pattern_error(subject, passage.relation):
                message = f"this part of the test never counts: {_why_never(subject, passage)}"
                yield subject.in_conditions(passage.relation, message)


def redundant(policy: Policy) -> Iterator[Draft]:
    for subject, clause in _clauses(policy):
        for passage in clause.flow.passages if clause.state is not None else ():
            if _unwanted(passage) is None and _wanted(passage) is not None:
                verb = "never" if passage.negated else "always"
                message = f"`{printed(passage.relation, 120)}` {verb} holds here, so testing it makes no difference"
                yield subject.in_conditions(passage.relation, message)


def bad_pattern(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        conditions = subject.assertion.conditions
        for node in walk(conditions.tree) if conditions is not None else ():
            if isinstance(node, Match) and (error := _pattern_error(subject, node)):
                yield subject.in_conditions(node.pattern, f"{error}: the test always fails")


def _pattern_error(subject: Subject, relation: Node) -> str:
    if not isinstance(relation, Match):
        return ""
    pattern = expressions.string(relation.pattern, subject.assertion.constants)
    try:
        if isinstance(pattern, str):
            regular_expressions.compiled(pattern)
    except EvaluationError as error:
        return str(error)
    return ""


def foreign_escape(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        conditions = subject.assertion.conditions
        for node in walk(conditions.tree) if conditions is not None else ():
            if not isinstance(node, Match) or _pattern_error(subject, node):
                continue
            pattern = expressions.string(node.pattern, subject.assertion.constants)
            if isinstance(pattern, str) and (escape := foreign_escapes.first(pattern)) is not None:
                message = f"`{escape}` in {quoted(pattern)} is no class of characters"
                yield subject.in_conditions(node.pattern, message, _in_posix(escape))


def _in_posix(escape: str) -> str:
    return f"POSIX extended regular expressions have none by that name: it is {foreign_escapes.meaning(escape)}"


# -- what gives nothing ----------------------------------------------------------------------------------------------


def shadowed(policy: Policy) -> Iterator[Draft]:
    for shadow in shadows.shadows(policy.believed):
        by = shadow.by.assertion
        where = by.where
        if shadow.clause is not None and by.conditions is not None:
            where = by.conditions.where(leftmost(shadow.clause.node))
        message = f"makes no difference: {where} gives as much, and holds whenever this does"
        if shadow.node is None:
            yield shadow.subject.as_a_whole(f"the assertion {message}")
        else:
            yield shadow.subject.in_conditions(shadow.node, f"the clause {message}")


def unknown_value(policy: Policy) -> Iterator[Draft]:
    for subject, clause in _clauses(policy):
        node = clause.node.value
        if not clause.ipsec or node is None or isinstance(node, Program):
            continue
        value = expressions.string(node, subject.assertion.constants)
        if isinstance(value, str):
            if value not in _VALUES:
                close = difflib.get_close_matches(value.lower(), _VALUES, n=1)
                hint = f"did you mean `{close[0]}`?" if close else "the daemon's values are `false` and `true`"
                yield subject.in_conditions(
                    node, f"{quoted(value)} is no value of the daemon's, so gives nothing", hint
                )
        elif isinstance(node, Name) and node.name in ("true", "false"):
            message = f"`{node.name}` without quotes is an attribute, which is empty, so gives nothing"
            yield subject.in_conditions(node, message, f'write `"{node.name}"`')


def denies_nothing(policy: Policy) -> Iterator[Draft]:
    for subject, clause in _clauses(policy):
        if clause.leaf and not clause.gives and clause.ipsec:
            yield subject.in_conditions(
                clause.node.value or clause.node,
                "a clause that gives the lowest value does nothing: it denies nothing that another allows",
                "take the case out of the clauses that allow it",
            )


def empty_conditions(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        conditions = subject.assertion.conditions
        if conditions is not None and not conditions.tree.clauses:
            message = "Conditions without a clause never hold, so the assertion gives nothing"
            yield Draft(subject, conditions.start, message, "no conditions are written by leaving the field out")


# -- constants -------------------------------------------------------------------------------------------------------


def unused_constant(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        assertion = subject.assertion
        if not assertion.constants:
            continue
        fields = (assertion.authorizer, assertion.licensees, assertion.conditions, assertion.signature)
        nodes = [node for field in fields if field is not None for node in walk(field.tree)]
        if any(isinstance(node, Dereference) for node in nodes):
            continue  # it may compute the name
        used = {node.name for node in nodes if isinstance(node, Name)}
        for name in assertion.constants.keys() - used - ATTRIBUTES.keys():
            yield subject.as_a_whole(f"the constant `{name}` is never used")


def dereferenced_constant(policy: Policy) -> Iterator[Draft]:
    for subject in policy.subjects:
        conditions = subject.assertion.conditions
        for node in walk(conditions.tree) if conditions is not None and subject.ipsec else ():
            if isinstance(node, Dereference) and isinstance(node.operand, Literal) and node.operand.text:
                text, name = f"`{printed(node, 120)}`", quoted(node.operand.text)
                if node.operand.text.isascii() and node.operand.text.isidentifier():
                    yield subject.in_conditions(node, f"{text} is the attribute {name}", f"write {name}")
                else:
                    yield subject.in_conditions(node, f"{text} is always empty: no attribute has such a name")


_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

CHECKS: Final = (
    Check(
        "KN201",
        _WARNING,
        "clause that never holds",
        "What it tests cannot all be true at once, or always ends in a run-time error, so the clause gives nothing."
        " Whoever wrote it wanted something else.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" && esp_enc_alg == "3des" -> "true";',
        "Alternatives are joined by `||`.",
        never,
    ),
    Check(
        "KN202",
        _WARNING,
        "clause in another's shadow",
        "The value of Conditions is the highest of the clauses that hold, in whatever order they stand. A clause that"
        " holds only where another gives as much changes nothing; often the other one is wider than was meant."
        " Assertions with the same authorizer and licensees are compared too.",
        'Conditions: app_domain == "IPsec policy" -> "true";\n'
        '    app_domain == "IPsec policy" && esp_enc_alg == "aes" -> "true";',
        "Take one of the two away: the narrow one if the wide one is meant.",
        shadowed,
    ),
    Check(
        "KN203",
        _WARNING,
        "part of a test that never counts",
        "One alternative of the test can never be what makes it hold.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" &&\n'
        '    (esp_enc_alg == "3des" || pfs == "yes") -> "true";',
        "Take the part away, or look for the attribute or value that was meant.",
        dead_part,
    ),
    Check(
        "KN204",
        _INFO,
        "test that always holds where it stands",
        "What is tested before it leaves it no other way out. It does no harm, and may hide a mistake.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" && esp_enc_alg != "null" -> "true";',
        "Take it away.",
        redundant,
    ),
    Check(
        "KN205",
        _ERROR,
        "value that the daemon does not know",
        "A clause that holds gives its value, and a value that the query does not know counts as the lowest. The"
        " daemon asks with `false` and `true`; a misspelt `true` allows nothing.",
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "aes" -> "ture";',
        'Write `"true"`, with its quotes, or leave the value out: then it is the highest.',
        unknown_value,
    ),
    Check(
        "KN206",
        _ERROR,
        "regular expression that is none",
        "A pattern that cannot be read is a run-time error, which makes the whole test false, each time and"
        " silently.",
        'Conditions: app_domain == "IPsec policy" && remote_id ~= "^(gw" -> "true";',
        "Patterns are POSIX extended regular expressions (docs/keynote.md).",
        bad_pattern,
    ),
    Check(
        "KN207",
        _WARNING,
        "clause that is meant to deny",
        'A clause that gives `"false"` takes nothing away. If another one gives more, that counts.',
        'Conditions: app_domain == "IPsec policy" && esp_enc_alg == "null" -> "false";\n'
        '    app_domain == "IPsec policy" -> "true";',
        "Narrow the clauses that allow.",
        denies_nothing,
    ),
    Check(
        "KN208",
        _WARNING,
        "empty Conditions",
        "Conditions that are left out are no conditions; Conditions that are there and empty never hold. It is"
        " easy to"
        " take one for the other.",
        "Conditions:",
        "Take the field away, or the whole assertion.",
        empty_conditions,
    ),
    Check(
        "KN209",
        _INFO,
        "constant that is never used",
        "Perhaps an attribute or a literal stands where the constant was meant.",
        'Local-Constants: GW = "gw.example.org"\n'
        'Conditions: app_domain == "IPsec policy" && remote_id == "gw2.example.org" -> "true";',
        "Use it, or take it away.",
        unused_constant,
    ),
    Check(
        "KN210",
        _INFO,
        "attribute by a detour",
        '`$` reads the attribute that its operand names. `$"name"` is nothing but `name`, and harder to read;'
        " perhaps an"
        " attribute's value was meant.",
        'Conditions: app_domain == "IPsec policy" && $"esp_enc_alg" == "aes" -> "true";',
        "Write the name alone.",
        dereferenced_constant,
    ),
    Check(
        "KN211",
        _WARNING,
        "escape of other regular expressions",
        "`\\\\d`, `\\\\w`, `\\\\s`, `\\\\b` and the like are of Perl and of those who took after it. In POSIX"
        " extended regular expressions a backslash takes a character's meaning away, and a letter has none:"
        " `^\\\\d+$` matches `ddd`, and not `5`. In brackets the backslash is a character of its own besides.",
        'Conditions: app_domain == "IPsec policy" && remote_id_type == "Key ID" &&\n'
        '    remote_id ~= "^gw\\\\d+$" -> "true";',
        "Write `[0-9]`, `[A-Za-z0-9_]`, `[[:space:]]`.",
        foreign_escape,
    ),
)
