# SPDX-License-Identifier: ISC
"""An assertion and its fields (RFC 2704 4.1): splitting the text, order, duplicates, Local-Constants.

A field starts at the beginning of a line and goes on over the indented lines below it; each field's text is then read
by `keynote.grammar`. What almost every field looks like (one quoted principal, a constant's name) is recognised here
without the grammar; tests hold the two to the same answers.
"""

import difflib
import functools
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from keynote import expressions, forms, grammar, limits, literals, principals, signatures, weights
from keynote.encodings import wrong_encoding
from keynote.errors import PolicyError, Problem
from keynote.excerpts import excerpt
from keynote.licensees import principal_nodes
from keynote.locations import Location, Source
from keynote.redaction import secrets
from keynote.syntax import Assignment, Licensees, Literal, Name, Node, Program, StringExpression

Tree = TypeVar("Tree", bound=Node)


@dataclass(frozen=True, slots=True, eq=False)
class Field(Generic[Tree]):
    """One field's tree, and where its text begins. Fields with equal text may share a tree."""

    source: Source
    start: int
    tree: Tree

    def where(self, node: Node) -> Location:
        """The place of a node of this field's tree."""
        return self.source.location(self.start + node.at)


@dataclass(frozen=True, slots=True, eq=False)
class Assertion:
    """A well-formed assertion. Whether it is trusted is not its own matter: see `keynote.Session`.

    `text` is what a signature would cover: from the first field to the Signature field, or to the end. A missing
    Licensees or Conditions field (None) means something else than an empty one (RFC 2704 5.3.4, 5.3.5).
    """

    source: Source
    start: int
    end: int
    authorizer: Field[StringExpression]
    licensees: Field[Licensees] | None
    conditions: Field[Program] | None
    constants: Mapping[str, str]
    signature: Field[StringExpression] | None

    @property
    def where(self) -> Location:
        """The place of the first line of the assertion."""
        return self.source.location(self.start)

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def __repr__(self) -> str:
        return f"<assertion {self.where}>"


NO_CONSTANTS: Final[Mapping[str, str]] = MappingProxyType({})

_FIELD_NAMES = {
    name.lower(): name
    for name in (
        "KeyNote-Version",
        "Local-Constants",
        "Authorizer",
        "Licensees",
        "Conditions",
        "Comment",
        "Signature",
    )
}
_FIELDS = {f"{written}:": name for lower, name in _FIELD_NAMES.items() for written in (lower, name)}
_FIRST = "KeyNote-Version"
# A line that begins with anything but white space or `#` begins a field, or is wrong.
_LINE = re.compile(r"\n(?=[^ \t\n#])([A-Za-z-]+:)?")
_FIRST_LINE = re.compile(r"(?=[^ \t\n#])([A-Za-z-]+:)?")
_COMMENTS = re.compile(r"(?:[ \t\n]|#[^\n]*(?:\n|\Z))*")
_PRINCIPAL = re.compile(r'[ \t\n]*(?:"([^"\\\r\n\0]*)"|([A-Za-z_][A-Za-z0-9_]*))[ \t\n]*')
_CONSTANT = re.compile(r'[ \t\n]*([A-Za-z_][A-Za-z0-9_]*)[ \t\n]*=[ \t\n]*"([^"\\\r\n\0]*)"[ \t\n]*')


class Reader:
    """Reads the assertions of one source. A Conditions text that occurs many times is parsed once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.excerpts = limits.EXCERPTS
        self._programs: dict[str, Program] = {}

    def assertion(self, start: int, end: int) -> Assertion:
        """The assertion that is `source.text[start:end]`. Raises PolicyError with all that is wrong with it."""
        return _Block(self, start, end).assertion()

    def program(self, text: str) -> Program:
        text = text.rstrip(" \t\n")
        program = self._programs.get(text)
        if program is None:
            parse = _cached_program if len(text) <= _CACHED_SIZE else grammar.conditions
            program = self._programs[text] = parse(text)
        return program


@dataclass(slots=True)
class _Block:
    """One assertion while it is read."""

    reader: Reader
    start: int
    end: int
    problems: list[Problem] = field(default_factory=list)

    def assertion(self) -> Assertion:
        self._check_text()
        spans = self._spans() if not self.problems else {}
        constants = self._constants(spans.get("Local-Constants"))
        authorizer = self._field(spans.get("Authorizer"), self._authorizer)
        licensees = self._field(spans.get("Licensees"), self._licensees)
        conditions = self._field(spans.get("Conditions"), self._conditions)
        signature = self._field(spans.get("Signature"), self._signature)
        self._check_version(spans)
        if not self.problems:
            self._check_principals(authorizer, constants)
            self._check_principals(licensees, constants)
            self._check_signer(signature, authorizer, constants)
            self._check_weights((authorizer, licensees, conditions), constants)
        if authorizer is None and "Authorizer" not in spans and not self.problems:
            self._problem(self.start, "no Authorizer field", _NO_AUTHORIZER)
        if self.problems or authorizer is None:
            raise PolicyError(sorted(self.problems, key=lambda problem: (problem.where.line, problem.where.column)))
        end = spans["Signature"][0] - len("Signature:") if signature else self.end
        return Assertion(self.reader.source, self.start, end, authorizer, licensees, conditions, constants, signature)

    # -- the text as a whole -----------------------------------------------------------------------------------------

    def _check_text(self) -> None:
        text = self.reader.source.text[self.start : self.end]
        if len(text) > limits.ASSERTION_SIZE:
            self._problem(self.start, f"an assertion of more than {limits.ASSERTION_SIZE} characters")
        elif self.start == 0 and (encoding := wrong_encoding(text)) is not None:
            self.problems.append(Problem(self.reader.source.location(0), *encoding))
        elif "\r" in text:
            self._problem(self.start + text.index("\r"), CARRIAGE_RETURN, CARRIAGE_RETURN_HINT)
        elif not text.isascii() and max(text) > "\xff":
            at = next(index for index, char in enumerate(text) if char > "\xff")
            self._problem(self.start + at, "a character beyond Latin-1", "give the text as bytes")

    # -- fields ------------------------------------------------------------------------------------------------------

    def _spans(self) -> dict[str, tuple[int, int]]:
        """The field names, and from where to where the text of each goes."""
        text = self.reader.source.text
        heads = list(_LINE.finditer(text, self.start, self.end))
        first = _FIRST_LINE.match(text, self.start, self.end)
        if first is not None:
            heads.insert(0, first)
        starts = [head.start() for head in heads]
        starts.append(self.end)
        if starts[0] > self.start:
            self._check_start(starts[0])
        spans: dict[str, tuple[int, int]] = {}
        for number, head in enumerate(heads, 1):
            label = head[1]
            # As nearly all write it, or else as anybody may.
            name = _FIELDS.get(label) or (label and _FIELDS.get(label.lower()))
            if name and name not in spans and "Signature" not in spans and (name != _FIRST or not spans):
                spans[name] = head.end(), starts[number]
            else:
                self._misplaced(spans, head.end() - len(label or ""), label, name)
        return spans

    def _check_start(self, end: int) -> None:
        comments = _COMMENTS.match(self.reader.source.text, self.start, end)
        if comments is not None and comments.end() < end:
            self._problem(comments.end(), "text before the first field", _NO_AUTHORIZER, shown=False)

    def _misplaced(self, spans: Container[str], at: int, label: str | None, name: str | None) -> None:
        """A line that begins no field, or not here."""
        if name is None:
            # RFC 2704 4.6.7: text that follows the signature is not part of the assertion.
            if "Signature" not in spans:
                self._unknown_line(at, label)
        elif name in spans:
            self._problem(at, f"a second {name} field")
        elif "Signature" in spans:
            self._problem(at, f"{name} field after the Signature field", "the signature comes last")
        else:
            self._problem(at, f"{name} is not the first field")

    def _unknown_line(self, at: int, label: str | None) -> None:
        if label is None:
            word = _WORD.match(self.reader.source.text, at)
            known = word and difflib.get_close_matches(word[0].lower(), _FIELD_NAMES, n=1, cutoff=_A_FIELD)
            message = "neither a field nor the continuation of one"
            self._problem(at, message, "indent a line that goes on", shown=bool(known))
            return
        close = difflib.get_close_matches(label[:-1].lower(), _FIELD_NAMES, n=1)
        if close:
            self._problem(at, f"unknown field `{label[:-1]}`", f"did you mean `{_FIELD_NAMES[close[0]]}`?")
        else:
            # It may be what follows a passphrase on the next line.
            named = not secrets(self._text(self.start, self.end))
            self._problem(at, f"unknown field `{label[:-1]}`" if named else "unknown field", shown=False)

    def _field(self, span: tuple[int, int] | None, read: Callable[[int, int], Tree]) -> Field[Tree] | None:
        if span is None:
            return None
        try:
            return Field(self.reader.source, span[0], read(*span))
        except grammar.Unreadable as unreadable:
            for mistake in unreadable.mistakes:
                self._problem(span[0] + mistake.at, mistake.message, mistake.hint)
        return None

    def _authorizer(self, start: int, end: int) -> StringExpression:
        return self._plain_principal(start, end) or grammar.string("AUTHORIZER", self._text(start, end))

    def _licensees(self, start: int, end: int) -> Licensees:
        return self._plain_principal(start, end) or grammar.licensees(self._text(start, end))

    def _conditions(self, start: int, end: int) -> Program:
        return self.reader.program(self._text(start, end))

    def _signature(self, start: int, end: int) -> StringExpression:
        signature = grammar.string("SIGNATURE", self._text(start, end))
        if isinstance(signature, Literal) and not signatures.is_well_formed(signature.text):
            self._problem(start + signature.at, "not a signature", 'one is written `"sig-…-hex:…"`')
        return signature

    def _plain_principal(self, start: int, end: int) -> Literal | Name | None:
        """A field that is one quoted string, or one name, as the grammar would read it."""
        match = _PRINCIPAL.fullmatch(self.reader.source.text, start, end)
        if match is None:
            return None
        literal, name = match.groups()
        return Name(match.start(2) - start, name) if literal is None else Literal(match.start(1) - 1 - start, literal)

    def _check_version(self, spans: dict[str, tuple[int, int]]) -> None:
        if "KeyNote-Version" not in spans:
            return
        start, end = spans["KeyNote-Version"]
        text = self._text(start, end)
        if text.strip(" \t\n") == "2":
            return
        try:
            version = grammar.version(text)
        except grammar.Unreadable as unreadable:
            for mistake in unreadable.mistakes:
                self._problem(start + mistake.at, mistake.message, mistake.hint)
        else:
            if version != "2":
                self._problem(start, "unknown version of the language", "this is KeyNote-Version 2")

    def _check_principals(self, field: Field[Any] | None, constants: Mapping[str, str]) -> None:
        """A principal that is an undecodable key voids its field, and so the assertion."""
        if field is None:
            return
        start = field.start
        for node in principal_nodes(field.tree):
            text = expressions.string(node, constants)
            try:
                if isinstance(text, str):
                    principals.canonical(text)
            except principals.UndecodableKey as error:
                self._problem(start + node.at, str(error))

    def _check_signer(
        self,
        signature: Field[StringExpression] | None,
        authorizer: Field[StringExpression] | None,
        constants: Mapping[str, str],
    ) -> None:
        """RFC 2704 4.6.7: the authorizer of a signed assertion is a key."""
        if signature is None or authorizer is None:
            return
        text = expressions.string(authorizer.tree, constants)
        if isinstance(text, str) and not principals.is_key(text):
            self._problem(signature.start, "signed, but its authorizer is no key", "take the Signature field away")

    def _check_weights(self, fields: tuple[Field[Any] | None, ...], constants: Mapping[str, str]) -> None:
        """Short texts that would take much memory, or time."""
        text = self._text(self.start, self.end)
        trees = [field.tree for field in fields if field is not None]
        if weights.joined_too_long(trees, text, constants):
            message = f"concatenations of more than {limits.JOINED_SIZE} characters of constants"
            self._problem(self.start, message, "shorten the constants that they name")
        elif (conditions := fields[-1]) is not None and weights.too_many_patterns(conditions.tree, text, constants):
            message = f"regular expressions of more than {limits.PATTERN_STEPS} instructions together"
            self._problem(conditions.start, message, "divide the assertion")

    # -- Local-Constants ---------------------------------------------------------------------------------------------

    def _constants(self, span: tuple[int, int] | None) -> Mapping[str, str]:
        if span is None:
            return NO_CONSTANTS
        constants: dict[str, str] = {}
        for assignment in self._assignments(*span):
            if assignment.name.startswith("_"):
                self._problem(span[0] + assignment.at, f"constant `{assignment.name}` begins with an underscore")
            elif assignment.name in constants:
                self._problem(span[0] + assignment.at, f"constant `{assignment.name}` is defined twice")
            constants[assignment.name] = assignment.text
        return constants

    def _assignments(self, start: int, end: int) -> list[Assignment]:
        found, position = [], start
        while match := _CONSTANT.match(self.reader.source.text, position, end):
            found.append(Assignment(match.start(1) - start, match[1], match[2]))
            position = match.end()
        if position == end:
            return found
        try:
            return grammar.assignments(self._text(start, end))
        except grammar.Unreadable as unreadable:
            for mistake in unreadable.mistakes:
                self._problem(start + mistake.at, mistake.message, mistake.hint)
        return []

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _text(self, start: int, end: int) -> str:
        return self.reader.source.text[start:end]

    def _problem(self, at: int, message: str, hint: str = "", *, shown: bool = True) -> None:
        source, text = self.reader.source, ""
        if shown and self.reader.excerpts > 0:
            self.reader.excerpts -= 1
            text = excerpt(source, at, self.start, self.end)
        self.problems.append(Problem(source.location(at), message, hint, text))


# A line that begins with none, or nearly, is not shown: it may be of another file, and what is a secret there, as an
# isakmpd.conf's pre-shared key is, nobody can tell here.
_WORD = re.compile(r"[A-Za-z-]+")
_A_FIELD = 0.8

_NO_AUTHORIZER = "a blank line ends an assertion: does this belong to the one above?"
# RFC 2704 4.1: assertions are ASCII. Skipped, the mark would make a file that other implementations refuse.
CARRIAGE_RETURN = "carriage return, which is no white space in KeyNote"
CARRIAGE_RETURN_HINT = "end lines with a newline alone; CRLF files are converted with `sed 's/\\r$//'`"


def trusted(authorizer: str, licensees: str, conditions: str | None, *, name: str) -> Assertion:
    """An assertion made by program, as for a certificate whose chain was validated.

    The two principals are given as they are, in Latin-1, and quoted here, so nothing in a name can alter the
    assertion. `conditions` is a test, or the text of a Conditions field; None leaves it out, which means no
    condition. `name` says in explanations where the assertion comes from.

    Raises PolicyError if `conditions` is not well-formed, UndecodableKey if a principal is a key that is none, and
    ValueError if one cannot be a KeyNote string.
    """
    principals.canonical(authorizer), principals.canonical(licensees)
    authorizer_start = len("Authorizer: ")
    text = f"Authorizer: {literals.encode(authorizer)}\nLicensees: "
    licensees_start = len(text)
    text += f"{literals.encode(licensees)}\n"
    conditions_start = len(text) + len("Conditions: ")
    if conditions is not None:
        if conditions.strip() and not conditions.rstrip().endswith(";"):
            conditions += ";"
        text += f"Conditions: {conditions}\n"
    source = Source(name, text)
    return Assertion(
        source,
        0,
        len(text),
        Field(source, authorizer_start, Literal(0, authorizer)),
        Field(source, licensees_start, Literal(0, licensees)),
        None
        if conditions is None
        else Field(source, conditions_start, _program(source, conditions_start, conditions)),
        NO_CONSTANTS,
        None,
    )


def _program(source: Source, start: int, text: str) -> Program:
    try:
        return _cached_program(text)
    except grammar.Unreadable as unreadable:
        raise PolicyError(
            Problem(
                source.location(start + mistake.at),
                mistake.message,
                mistake.hint,
                excerpt(source, start + mistake.at, 0, len(source.text)),
            )
            for mistake in unreadable.mistakes
        ) from None


# A gateway meets the same certificates and credentials again and again, and what a policy says an authority repeats.
# Equal Conditions have one tree, and a session evaluates them once. Text from the network must not fill the memory.
_CACHED_SIZE: Final = 2_000
_cached_program = functools.lru_cache(maxsize=256)(forms.conditions)
