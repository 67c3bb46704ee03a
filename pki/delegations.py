# SPDX-License-Identifier: ISC
"""Delegations: what is wanted → a KeyNote assertion, looked at by the linter, signed by its authorizer's key. Pure.

The text that is stored, exported and given to the daemon is the assertion, whole. Who may be believed without a
signature is in decisions/0217.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from keynote import grammar, literals, private_keys, signing
from keynote.assertions import Assertion
from keynote.complaints import Complaint, Place
from keynote.errors import PolicyError, SignatureError
from keynote.exact_text import exact_text
from keynote.excerpts import excerpt
from keynote.files import parse_assertion
from keynote.layout import formatted
from keynote.lint import CHECKS, Finding, lint
from keynote.locations import Source
from keynote.principals import UndecodableKey, is_key, key_principal
from keynote.redaction import is_secret
from keynote.syntax import Program
from pki import keys
from pki.delegation_records import Draft
from pki.errors import ConditionsInvalid, DelegationInvalid, shown
from pki.keys import PrivateKey

CLOCK = "GMTTimeOfDay"
CLOCK_FORM = "%Y%m%d%H%M%S"
_NAME = "delegation"
_COMMENT_MAX = 500  # characters
_UNSIGNED = "KN305"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who delegates to whom, under which conditions, until when. Principals are canonical (`delegation_parties`)."""

    authorizer: str
    licensee: str
    conditions: str = ""  # clauses of a Conditions field, as a person writes them; Latin-1
    tests: tuple[str, ...] = ()  # of templates, which have to hold as well
    until: datetime.datetime | None = None
    comment: str = ""


def build(wanted: Wanted) -> Draft:
    """The delegation, not signed yet. Raises DelegationInvalid, and ConditionsInvalid of it."""
    if any(map(is_secret, (wanted.authorizer, wanted.licensee, wanted.conditions, wanted.comment))):
        raise DelegationInvalid(
            "pre-shared and private keys do not belong in a registry, which others may read",
            "delegate to somebody with a certificate, or to a public key",
        )
    program = clauses(wanted.conditions) if wanted.conditions.strip() else None
    if program is None and not wanted.tests:
        raise DelegationInvalid(
            "without conditions this would delegate everything",
            "say what is allowed: --conditions '…', or --template (--list-templates)",
        )
    end = _end(wanted.until)
    comment = _comment(wanted.comment)
    written = _conditions((*end, *wanted.tests), program)
    text = (
        "KeyNote-Version: 2\n"
        f"{f'Comment: {comment}' + chr(10) if comment else ''}"
        f"Authorizer: {_principal(wanted.authorizer)}\n"
        f"Licensees: {_principal(wanted.licensee)}\n"
        f"Conditions:\n{_indented(written)}\n"
    )
    try:
        laid = formatted(text, name=_NAME)
        assertion = parse_assertion(laid, name=_NAME)
    except PolicyError as error:
        raise ConditionsInvalid([Complaint.about(problem) for problem in error.problems]) from error
    _check_whole(assertion, program, wrapped=bool(end or wanted.tests))
    return Draft(
        wanted.authorizer,
        wanted.licensee,
        _conditions(wanted.tests, program),
        wanted.comment.strip(),
        laid,
        None if wanted.until is None else wanted.until.astimezone(datetime.UTC).replace(microsecond=0),
    )


@dataclass(frozen=True, slots=True)
class _Clauses:
    """Clauses as they were written, with a last semicolon, and their tree."""

    text: str
    tree: Program


def clauses(text: str) -> _Clauses:
    """Reads the clauses of a Conditions field. The last semicolon may be missing. Raises ConditionsInvalid."""
    try:
        return _Clauses(text, grammar.conditions(text))
    except grammar.Unreadable as unreadable:
        mistakes = unreadable.mistakes
    closed = f"{text}\n;"  # on a line of its own: the last one may end in a comment
    try:
        return _Clauses(closed, grammar.conditions(closed))
    except grammar.Unreadable:
        source = Source("--conditions", text)
        places = [(source.location(mistake.at), mistake) for mistake in mistakes]
        raise ConditionsInvalid(
            [
                Complaint(
                    mistake.message,
                    Place(where.file, where.line, where.column),
                    mistake.hint,
                    excerpt(source, mistake.at, 0, len(text)),
                )
                for where, mistake in places
            ]
        ) from None


def _end(until: datetime.datetime | None) -> tuple[str, ...]:
    return () if until is None else (f'{CLOCK} <= "{until.astimezone(datetime.UTC):{CLOCK_FORM}}"',)


def _conditions(tests: Sequence[str], program: _Clauses | None) -> str:
    joined = " &&\n".join(tests)
    if program is None:
        return f"{joined};"
    # In braces whatever they are: an `||` or a clause of theirs must not lead past the tests.
    return f"{joined} -> {{\n{program.text}\n}};" if tests else program.text


def _indented(text: str) -> str:
    """The lines of a field that goes on; what an empty line would end."""
    return "\n".join(f"    {line}" for line in text.split("\n") if line.strip())


def _principal(principal: str) -> str:
    try:
        literal = literals.encode(principal)
    except ValueError as error:
        raise DelegationInvalid(f"`{shown(principal)}` cannot be a principal: {error}") from error
    return signing.laid_out(principal, 4, 100).lstrip() if is_key(principal) else literal


def _comment(text: str) -> str:
    """The text of a Comment field: one line, in UTF-8 where it is not ASCII."""
    text = text.strip()
    if len(text) > _COMMENT_MAX or not text.replace("\t", " ").isprintable():
        raise DelegationInvalid(f"comment `{shown(text)}` is no line of text", f"at most {_COMMENT_MAX} characters")
    return text.encode().decode("latin-1")


def _check_whole(assertion: Assertion, program: _Clauses | None, *, wrapped: bool) -> None:
    """Lest a mistake of ours lets what somebody wrote get around the end or the tests."""
    assert assertion.conditions is not None
    tree = assertion.conditions.tree
    if program is None:
        whole = len(tree.clauses) == 1
    elif wrapped:
        (clause,) = tree.clauses
        whole = clause.value is not None and exact_text(clause.value) == exact_text(program.tree)
    else:
        whole = exact_text(tree) == exact_text(program.tree)
    if not whole or assertion.constants or assertion.signature is not None:
        raise AssertionError("the assertion is not what was wanted")


# -- looking at it ---------------------------------------------------------------------------------------------------


def findings(draft: Draft, now: datetime.datetime) -> tuple[Finding, ...]:
    """What the linter says of a delegation, but for a signature that is still to come."""
    assertion = parse_assertion(draft.assertion, name=_NAME)
    trusted = not is_key(draft.authorizer)
    codes = [code for code in CHECKS if code != _UNSIGNED or assertion.signature is not None]
    # Daemons are who reads delegations, whether they test app_domain or leave that to the one above.
    return lint([assertion] if trusted else [], [] if trusted else [assertion], now=now, codes=codes, ipsec=True)


def complaint(finding: Finding) -> Complaint:
    where = Place(finding.where.file, finding.where.line, finding.where.column)
    return Complaint(f"{finding.message} [{finding.code}]", where, finding.hint, finding.excerpt)


# -- signing ---------------------------------------------------------------------------------------------------------


def sign(draft: Draft, key: PrivateKey) -> Draft:
    """The same with its authorizer's signature. Raises DelegationInvalid for another's key, or one of a kind that
    signs no assertions."""
    try:
        principal = key_principal(key.public_key())
    except UndecodableKey:
        raise DelegationInvalid(
            f"keys of kind {keys.kind(key)} sign no KeyNote assertions", "use RSA or P-256"
        ) from None
    if principal != draft.authorizer:
        raise DelegationInvalid("the key at hand is not the authorizer's")
    try:
        # Kinds of keys that are no principals have been refused above.
        text = signing.signed(draft.assertion, cast(private_keys.PrivateKey, key), name=_NAME)
    except SignatureError as error:
        raise DelegationInvalid(f"the delegation cannot be signed: {error}") from error
    return replace(draft, assertion=text)
