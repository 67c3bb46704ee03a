# SPDX-License-Identifier: ISC
"""Texts of many assertions: policy files, which are trusted whole or not at all, and credentials.

Blank lines separate assertions (RFC 2704 4.1). A stray one can cut an assertion in two, and then its restricting
Conditions would vanish; so a piece without an Authorizer makes the one before it unusable as well.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike, fstat
from stat import S_IRWXG, S_IRWXO, S_ISREG
from typing import IO, Final

from keynote import limits, literals, signatures
from keynote.assertions import (
    CARRIAGE_RETURN,
    CARRIAGE_RETURN_HINT,
    Assertion,
    Reader,
)
from keynote.encodings import wrong_encoding
from keynote.errors import PolicyError, Problem, SignatureError
from keynote.excerpts import excerpt
from keynote.locations import Location, Source
from keynote.redaction import is_secret
from keynote.secrecy import keys_in, texts_of


@dataclass(frozen=True, slots=True)
class SetAside:
    """An assertion that is left out of the evaluation, which can lower the answer and never raise it.

    `assertion` is what it would have said, if it could be read at all; if not, `problem` is its first mistake.
    `hopeless`: it could never count, as a credential whose authorizer is no key, which nobody can sign.
    """

    where: Location
    reason: str
    assertion: Assertion | None = field(default=None, compare=False, repr=False)
    problem: Problem | None = field(default=None, compare=False, repr=False)
    hopeless: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


def parse_policy(text: str | bytes, *, name: str) -> tuple[Assertion, ...]:
    """The assertions of a policy, which is trusted, and so must be usable as a whole.

    Bytes are taken as Latin-1, and so is a str: each of its characters stands for one byte. `name` is the file's
    name in messages. Raises PolicyError with every mistake in the text; a signature that is wrong is one.
    """
    source = Source(name, _latin_1(text))
    if encoding := list(_encoding_problems(source)):
        raise PolicyError(encoding)
    assertions: list[Assertion] = []
    problems: list[Problem] = []
    for found in _read(source):
        if isinstance(found, Assertion):
            assertions.append(found)
            problems += _signature_problems(found)
        else:
            problems += found.problems
    if problems:
        raise PolicyError(problems)
    return tuple(assertions)


def _signature_problems(assertion: Assertion) -> Iterator[Problem]:
    try:
        signatures.verify_trusted(assertion)
    except SignatureError as error:
        field = assertion.signature
        assert field is not None, "no signature, no mistake in it"
        hint = "sign it anew, or take the Signature field away"
        yield problem(assertion.source, field.start + field.tree.at, str(error), hint)


def load_policy(path: str | PathLike[str], *, allow_exposed: bool = False) -> tuple[Assertion, ...]:
    """The assertions of a policy file.

    Raises PolicyError as `parse_policy` does, and also if the file holds a passphrase and is not its owner's alone
    (isakmpd.policy(5) files hold pre-shared keys), unless `allow_exposed`; OSError if it cannot be read.
    """
    text, exposed = read_policy(path)
    if exposed and not allow_exposed:
        where = Source(str(path), text).location(0)
        raise PolicyError([Problem(where, EXPOSED, f"chmod 600 {path}")])
    return parse_policy(text, name=str(path))


def holds_secret(text: str) -> bool:
    """Whether a text of assertions has a passphrase: written out anywhere, or as a principal or a constant that is
    put together, escaped or misspelt. Of what cannot be read, only what is written out is found."""
    lower = text.lower()
    if not any(word in lower for word in _PARTS) and _NOTHING_PUT_TOGETHER.fullmatch(text):
        return False  # and need not be parsed to know
    if is_secret(text):
        return True
    assertions, _ = parse_all(text, name="")
    return any(True for assertion in assertions for _ in keys_in(texts_of(assertion)))


_PARTS: Final = ("pass", "phrase", "frase", "psk", "pwd", "preshared", "shared", "private", "\\")
# No dot outside of literals, but for those within numbers.
_NOTHING_PUT_TOGETHER: Final = re.compile(rf'(?:[^".]++|{literals.PATTERN}|"|(?<![^0-9])\.(?![^0-9]))*+')

EXPOSED = "holds a passphrase, and others than its owner may read it"


def read_policy(path: str | PathLike[str]) -> tuple[str, bool]:
    """A policy file's text, and whether it holds a passphrase that others than the file's owner may read. Raises
    OSError, and PolicyError for a file that is too large."""
    with open(path, "rb") as file:
        text = file.read(limits.FILE_SIZE + 1).decode("latin-1")
        others_may_read = is_open_to_others(file)
    if len(text) > limits.FILE_SIZE:
        where = Source(str(path), "").location(0)
        raise PolicyError([Problem(where, f"a file of more than {limits.FILE_SIZE:,} bytes")])
    return text, others_may_read and holds_secret(text)


def is_open_to_others(file: IO[bytes]) -> bool:
    """Whether others than its owner may read or write a file. A pipe or a device is nobody's."""
    mode = fstat(file.fileno()).st_mode
    return S_ISREG(mode) and bool(mode & (S_IRWXG | S_IRWXO))


def parse_credentials(text: str | bytes, *, name: str) -> tuple[tuple[Assertion, ...], tuple[SetAside, ...]]:
    """The usable assertions of a text from anywhere, and those that are not, each with its first mistake."""
    assertions: list[Assertion] = []
    set_aside: list[SetAside] = []
    for found in _read(Source(name, _latin_1(text))):
        if isinstance(found, Assertion):
            assertions.append(found)
        else:
            first = found.problems[0]
            set_aside.append(SetAside(first.where, first.message, problem=first))
    return tuple(assertions), tuple(set_aside)


def parse_all(text: str | bytes, *, name: str) -> tuple[tuple[Assertion, ...], tuple[Problem, ...]]:
    """The usable assertions of a text, and every mistake in the others: for tools that go on after one. Signatures
    are not checked."""
    source = Source(name, _latin_1(text))
    encoding = tuple(_encoding_problems(source))
    if encoding:
        return (), encoding
    assertions: list[Assertion] = []
    problems: list[Problem] = []
    for found in _read(source):
        if isinstance(found, Assertion):
            assertions.append(found)
        else:
            problems += found.problems
    return tuple(assertions), tuple(problems)


def parse_assertion(text: str | bytes, *, name: str) -> Assertion:
    """The one assertion that `text` is. Raises PolicyError.

    Text after the signature is not part of it (RFC 2704 4.6.7); after a blank line anything else is a mistake.
    """
    source = Source(name, _latin_1(text))
    start, end = _first_block(source.text)
    assertion = Reader(source).assertion(start, end)
    rest = source.text[end:]
    if rest.strip("\n") and assertion.signature is None:
        at = end + len(rest) - len(rest.lstrip("\n"))
        hint = "blank lines are not allowed within an assertion"
        raise PolicyError([problem(source, at, "text after a blank line", hint)])
    return assertion


def _encoding_problems(source: Source) -> Iterator[Problem]:
    """What an editor has done to the whole file, or what it is instead, told once."""
    if _PEM.match(source.text):
        yield Problem(source.location(0), "PEM, where assertions are wanted", "an assertion names keys as principals")
        return
    encoding = wrong_encoding(source.text)
    if encoding is not None:
        yield Problem(source.location(0), *encoding)
    if "\r" in source.text and (encoding is None or "\0" not in source.text):
        yield problem(source, source.text.index("\r"), CARRIAGE_RETURN, CARRIAGE_RETURN_HINT)


def _latin_1(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("latin-1")


# -- blocks ----------------------------------------------------------------------------------------------------------

_PEM = re.compile(r"\s*-----BEGIN [A-Z0-9 ]+-----")
_BLANK_LINES = re.compile(r"\n\n+")
AUTHORIZER = re.compile(r"^authorizer:", re.IGNORECASE | re.MULTILINE)
_ONLY_COMMENTS = re.compile(r"(?:[ \t\n]|#[^\n]*(?:\n|\Z))*")


def _first_block(text: str) -> tuple[int, int]:
    start = len(text) - len(text.lstrip("\n"))
    blank = _BLANK_LINES.search(text, start)
    return start, blank.start() + 1 if blank else len(text)


def blocks(text: str) -> Iterator[tuple[int, int]]:
    """From where to where the pieces between blank lines go: assertions, and comments that stand alone."""
    start = len(text) - len(text.lstrip("\n"))
    for blank in _BLANK_LINES.finditer(text, start):
        yield start, blank.start() + 1
        start = blank.end()
    if start < len(text):
        yield start, len(text)


def is_only_comments(text: str, start: int, end: int) -> bool:
    """Whether a piece holds no assertion at all."""
    return text[start] in " \t#" and _ONLY_COMMENTS.fullmatch(text, start, end) is not None


@dataclass(frozen=True, slots=True)
class _Unusable:
    problems: tuple[Problem, ...]


def _read(source: Source) -> Iterator[Assertion | _Unusable]:
    reader = Reader(source)
    before: Assertion | _Unusable | None = None
    for start, end in blocks(source.text):
        if is_only_comments(source.text, start, end):
            continue
        try:
            found: Assertion | _Unusable = reader.assertion(start, end)
        except PolicyError as error:
            found = _Unusable(error.problems)
            if isinstance(before, Assertion) and not AUTHORIZER.search(source.text, start, end):
                before = _Unusable((problem(source, before.start, "cut in two by a blank line"),))
        if before is not None:
            yield before
        before = found
    if before is not None:
        yield before


def problem(source: Source, at: int, message: str, hint: str = "") -> Problem:
    """A complaint about a place in a text, with the lines around it."""
    # A passphrase is put together within one assertion, so what is around it decides what has to be hidden.
    start = source.text.rfind("\n\n", 0, at) + 1
    end = source.text.find("\n\n", at)
    return Problem(
        source.location(at), message, hint, excerpt(source, at, start, len(source.text) if end < 0 else end)
    )
