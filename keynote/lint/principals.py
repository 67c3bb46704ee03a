# SPDX-License-Identifier: ISC
"""Checks of how principals are written: where the daemon writes them otherwise, they are nobody's."""

import re
from collections.abc import Iterator
from typing import Any, Final

from keynote.assertions import Field
from keynote.lint.attributes import ipsec_clauses
from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.graph import values_in
from keynote.lint.subjects import Policy, Subject
from keynote.principals import shown_principal
from keynote.redaction import quoted
from keynote.schemas import names
from keynote.sets import only
from keynote.syntax import Node

_DN: Final = "DN:"
_IS_NAME: Final = only(["ASN1 DN"])


def distinguished_name(policy: Policy) -> Iterator[Draft]:
    for subject, field, node, principal in _principals(policy):
        prefix, name = principal[: len(_DN)], principal[len(_DN) :]
        if prefix.upper() != _DN:
            continue
        if (lost := _LOST.search(name)) is not None:
            message = f"{_quoted(principal)} has {quoted(lost[0])}: a literal takes a single backslash away"
            yield subject.at(field, node, message, r"write two backslashes, as in `\\xC3\\xBC`")
        elif prefix != _DN:
            message = f"{_quoted(principal)} is a text like others: the prefix of a distinguished name is `DN:`"
            yield subject.at(field, node, message, f"write {quoted(_DN + (names.meant(name) or name))}")
        elif mistake := names.mistake(name):
            yield subject.at(field, node, f"{_quoted(principal)} {mistake}: nobody has this name", _hint(name, _DN))
    yield from _values(policy)


#: What `\xC3\xBC` comes to in a literal; in a name, bytes beyond ASCII are UTF-8.
_LOST: Final = re.compile(r"(?<!\\)x[CDEF][0-9A-F](?:x[89AB][0-9A-F])+")


def _values(policy: Policy) -> Iterator[Draft]:
    for subject, clause in ipsec_clauses(policy):
        if clause.state is None:
            continue
        is_name = values_in(clause.state, "remote_id_type") <= _IS_NAME
        for passage in clause.passages():
            found = passage.fact
            if (
                found is None
                or found.name != "remote_id"
                or found.operator != "=="
                or not isinstance(found.value, str)
            ):
                continue
            if found.value.startswith(_DN):
                message = f"remote_id is never {quoted(found.value)}: `DN:` begins principals, and no values"
                yield subject.in_conditions(found.relation, message, f"write {quoted(found.value[len(_DN) :])}")
            elif is_name and (mistake := names.mistake(found.value)):
                message = f"remote_id is never {quoted(found.value)}: it {mistake}"
                yield subject.in_conditions(found.relation, message, _hint(found.value))


def _hint(name: str, prefix: str = "") -> str:
    written = names.meant(name)
    if written:
        return f"write {quoted(prefix + written)}"
    return f"the daemon writes `{prefix}/C=DE/O=Example/CN=gw`; `keynote-pki show` prints the name of a certificate"


#: Prefix -> what follows it.
_DIGESTS: Final = {"passphrase-md5-hex:": 32, "passphrase-sha1-hex:": 40}
_DIGEST: Final = re.compile(r"(passphrase-[a-z0-9-]+:)(.*)", re.IGNORECASE | re.DOTALL)


def digest(policy: Policy) -> Iterator[Draft]:
    for subject, field, node, principal in _principals(policy):
        match = _DIGEST.fullmatch(principal)
        if match is None:
            continue
        prefix, digits = match.groups()
        length = _DIGESTS.get(prefix)
        if length is None:
            known = " and ".join(f"`{each}`" for each in _DIGESTS)
            message = f"`{prefix}` is no prefix of the daemon's: nobody is this principal"
            yield subject.at(field, node, message, f"digests of passphrases have {known}, in lower case")
        elif not re.fullmatch(rf"[0-9a-f]{{{length}}}", digits):
            # Nothing of the digits is told: whoever has some of them can guess.
            if len(digits) != length:
                wrong = f"{len(digits)} characters, and not {length}"
            else:
                wrong = "others than `0` to `9` and `a` to `f`"
            message = f"the digest behind `{prefix}` has {wrong}: nobody is this principal"
            yield subject.at(field, node, message, f"it is {length} hexadecimal digits in lower case")


def is_misspelt(principal: str) -> bool:
    """Whether these checks say of a principal that it is meant for another one."""
    if principal[: len(_DN)].upper() == _DN:
        return True
    match = _DIGEST.fullmatch(principal)
    return match is not None and match[1] not in _DIGESTS


def _principals(policy: Policy) -> Iterator[tuple[Subject, Field[Any], Node, str]]:
    """The principals that do not depend on the action, with where they are named."""
    for subject in policy.subjects:
        authorizer, licensees = subject.assertion.authorizer, subject.assertion.licensees
        if subject.authorizer is not None:
            yield subject, authorizer, authorizer.tree, subject.authorizer
        for node, name in subject.names.items():
            if name is not None and licensees is not None:
                yield subject, licensees, node, name


def _quoted(principal: str) -> str:
    return f"`{shown_principal(principal)}`"


_WARNING: Final = Severity.WARNING

CHECKS: Final = (
    Check(
        "KN311",
        _WARNING,
        "distinguished name that the daemon never writes",
        "Principals are compared as texts. The daemon writes a name of a certificate as `DN:/C=DE/O=Example/CN=gw`:"
        " in the order of the certificate, types of attributes in capitals and small letters as there, and every byte"
        " that is not ASCII as `\\\\xHH`. The same name written as LDAP does, or with `E` for `emailAddress`, is"
        " nobody's. `remote_id` has the name without `DN:`.",
        'Licensees: "DN:CN=gw,O=Example"',
        "Write it as the hint has it, or as `keynote-pki show` or the daemon's log print it.",
        distinguished_name,
    ),
    Check(
        "KN312",
        _WARNING,
        "digest that is none",
        "The daemon makes three principals of a pre-shared key: `passphrase:` with the key, `passphrase-md5-hex:`"
        " with 32 and `passphrase-sha1-hex:` with 40 hexadecimal digits in lower case. Digits of another number, or"
        " in capitals, are those of no key.",
        'Licensees: "passphrase-sha1-hex:ABCD"',
        "Make the digest anew, of the bytes of the key and nothing else: no line end.",
        digest,
    ),
)
