# SPDX-License-Identifier: ISC
"""The pre-shared keys that assertions and requesters have, so that explanations can hide them wherever they stand.

A key stands in a principal, written out or put together of constants. It may also stand in Conditions, without its
prefix: who cuts `_ACTION_AUTHORIZERS` to pieces with a regular expression compares a piece with a key.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from keynote import expressions
from keynote.assertions import Assertion
from keynote.environment import Environment, UnknownAttribute, is_group_name
from keynote.errors import EvaluationError
from keynote.facts import REQUESTERS, reads_requesters
from keynote.licensees import principal_nodes
from keynote.redaction import Keys, redacted, secrets_of_value
from keynote.syntax import Comparison, Concatenation, Literal, Match, Name, Node, Program, StringExpression, walk

# Without one of these words there is nothing in Conditions that walking through them could find.
_WORTH_A_WALK: Final = ("phrase", "frase", "pass", "psk", "private", REQUESTERS.lower(), "$", "\\1")
_IN_A_PREFIX = re.compile(r"pas|ass|ssp|sph|phr|hra|ras|ase|fra|psk|pwd|sha|private", re.IGNORECASE)
_PUBLIC_KEY = re.compile(r"(?:rsa|dsa|ec|ed25519|x509|binary)-(?:hex|base64):[0-9a-z+/=]*+(?![^,])", re.IGNORECASE)
_ANCHORS = re.compile(r"^\^|\$$")
_META = re.compile(r"[][()*+?{}|.^$]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NO_PASSPHRASE = re.compile(r"DN:|-hex:|-base64:", re.IGNORECASE)


def keys_in(principals: Iterable[str]) -> Iterator[str]:
    """The keys of those that are passphrases, or nearly are. One that is announced and not there is none."""
    for principal in principals:
        # There may be a hundred thousand, of which few have three letters in a row that a prefix has, too; but for
        # public keys, which are long.
        rest = _PUBLIC_KEY.sub("", principal)
        if not rest or rest.isalnum() or not _IN_A_PREFIX.search(rest):
            continue
        for secret in secrets_of_value(principal):
            if key := principal[secret.key :].strip():
                yield key


def keys_of(assertions: Iterable[Assertion]) -> Keys:
    """Of their principals, their constants and their Conditions."""
    return Keys(key for it in assertions for key in (*keys_in(texts_of(it)), *keys_of_conditions(it)))


def texts_of(assertion: Assertion) -> Iterator[str]:
    """Its principals, as far as they do not depend on the action, and its constants."""
    yield from assertion.constants.values()
    for field in (assertion.authorizer, assertion.licensees):
        for node in principal_nodes(field.tree) if field is not None else ():
            text = expressions.string(node, assertion.constants)
            if isinstance(text, str):
                yield text


def keys_of_conditions(assertion: Assertion) -> Iterator[str]:
    """Of passphrases in Conditions, and what pieces of the requesters' names are compared with, which may be keys."""
    field, constants = assertion.conditions, assertion.constants
    if field is None or not is_worth_a_walk(assertion.text):
        return
    yield from keys_in(_texts(field.tree, constants))
    completing = frozenset(_completing(assertion))
    for node in walk(field.tree) if completing else ():
        if isinstance(node, (Comparison, Match)):
            yield from _compared_with(node, constants, completing.__contains__)
    if _cuts_passphrases(field.tree, constants):
        for node in walk(field.tree):
            if isinstance(node, (Comparison, Match)):
                yield from _compared_with(node, constants, is_group_name)


def is_worth_a_walk(text: str) -> bool:
    """Whether Conditions in this text may have keys. There may be a hundred thousand, so this is quick."""
    lower = text.lower()
    return any(word in lower for word in _WORTH_A_WALK)


def _texts(tree: Program, constants: Mapping[str, str]) -> Iterator[str]:
    for node in walk(tree):
        if isinstance(node, Comparison):
            yield from _constant(node.left, constants)
            yield from _constant(node.right, constants)
        elif isinstance(node, Match):
            yield from map(_literally, _constant(node.pattern, constants))


def _constant(node: Node, constants: Mapping[str, str]) -> Iterator[str]:
    text = expressions.operand(node, constants)  # type: ignore[arg-type]  # of a relation, so nothing else
    if isinstance(text, str):
        yield text


def _literally(pattern: str) -> str:
    """The text that a regular expression stands for, or "" if it stands for several."""
    plain = _ANCHORS.sub("", pattern)
    prefix = next((plain[secret.key :] for secret in secrets_of_value(plain)), plain)
    return "" if _META.search(_ESCAPED.sub("", prefix)) else _ESCAPED.sub(r"\1", plain)


def _cuts_passphrases(tree: Program, constants: Mapping[str, str]) -> bool:
    for node in walk(tree):
        if isinstance(node, Match) and reads_requesters(node.subject, constants):
            pattern = expressions.string(node.pattern, constants)
            if not isinstance(pattern, str) or not _NO_PASSPHRASE.search(pattern):
                return True
    return False


def _completing(assertion: Assertion) -> Iterator[str]:
    """The attributes that stand in a principal behind a passphrase's prefix, as in `"passphrase:" . key`."""
    constants = assertion.constants
    for field in (assertion.authorizer, assertion.licensees):
        for node in principal_nodes(field.tree) if field is not None else ():
            if isinstance(node, Concatenation):
                parts = [part for part in walk(node) if isinstance(part, (Literal, Name))]
                texts = [part.text if isinstance(part, Literal) else constants.get(part.name, "") for part in parts]
                if secrets_of_value("".join(texts) + "x"):
                    yield from (part.name for part in parts if isinstance(part, Name) and part.name not in constants)


def _compared_with(
    node: Comparison | Match, constants: Mapping[str, str], is_secret_name: Callable[[str], bool]
) -> Iterator[str]:
    """The constant beside what reads such a name."""
    sides = (node.subject, node.pattern) if isinstance(node, Match) else (node.left, node.right)
    for side, other in (sides, reversed(sides)):
        if any(isinstance(part, Name) and is_secret_name(part.name) for part in walk(side)):
            yield from map(_literally, _constant(other, constants))


# -- while a query is explained --------------------------------------------------------------------------------------


def groups_are_secret(assertion: Assertion, environment: Environment) -> bool:
    """Whether a regular expression in the Conditions is held against a text with a secret in it, so that the groups
    `_1` and so on may be pieces of one. To be asked while the keys that are known are hidden."""
    field = assertion.conditions
    if field is None or "~=" not in assertion.text:
        return False
    subjects = (node.subject for node in walk(field.tree) if isinstance(node, Match))
    return any(_is_secret(subject, assertion.constants, environment) for subject in subjects)


def _is_secret(node: StringExpression, constants: Mapping[str, str], environment: Environment) -> bool:
    try:
        text = expressions.string(node, constants)
        text = text if isinstance(text, str) else text(environment)
    except (EvaluationError, UnknownAttribute):
        return False
    return redacted(text) != text
