# SPDX-License-Identifier: ISC
"""Decisions on record: what was asked, as one line of JSON, so that it can be asked again of another policy.

docs/decision-log.md documents the members. Text is Latin-1 as everywhere, a character for each byte. Principals that
are pre-shared keys are sealed: a line holds a keyed digest in their place, which says something only to whoever has
the key of the log and a policy that names the principal.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from os import fstat
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final

from keynote.assertions import Assertion
from keynote.complaints import BadInput, Place, not_json
from keynote.environment import Unknown
from keynote.errors import PolicyError
from keynote.files import parse_assertion
from keynote.redaction import is_secret, quoted
from keynote.session import BOOLEAN

#: Of a line: more is no decision.
LONGEST: Final = 16 * 2**20

_SEALED: Final = "sealed:"
_KEY_SIZE: Final = 32


class RecordError(BadInput):
    """A line that is no recorded decision, or a key that is not that of the record."""


@dataclass(frozen=True, slots=True, repr=False)
class Recorded:
    """A query and its answer. `assertions` were trusted in it beside the policy, as those that a certificate makes;
    `credentials` were not. `time` and `about` say when and what it was about, to people. `sealed_by` names the key
    that sealed some of its authorizers, or is empty."""

    action: Mapping[str, str]
    authorizers: tuple[str, ...]
    answer: str
    because: str
    values: tuple[str, ...] = BOOLEAN
    unknown: frozenset[str] | Unknown = frozenset()
    assertions: tuple[Assertion, ...] = ()
    credentials: tuple[Assertion, ...] = ()
    time: str = ""
    about: str = ""
    sealed_by: str = ""
    where: Place = field(default=Place("decision"))

    def __repr__(self) -> str:
        return f"<decision recorded at {self.where}>"  # its authorizers may be passphrases


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """Seals the secret principals of one log."""

    key: bytes

    @classmethod
    def read(cls, text: bytes, where: Place) -> "Seal":
        """From the text of a key file. Raises RecordError."""
        try:
            key = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            key = b""
        if len(key) != _KEY_SIZE:
            raise RecordError("no key of a decision log", where, "it is made with the log, beside it: `….key`")
        return cls(key)

    @classmethod
    def fresh(cls, random: Callable[[int], bytes]) -> "Seal":
        return cls(random(_KEY_SIZE))

    def text(self) -> str:
        """For the key file."""
        return f"{self.key.hex()}\n"

    @property
    def name(self) -> str:
        """Tells keys apart."""
        return self._digest("name of the key")[:16]

    def of(self, principal: str) -> str:
        return _SEALED + self._digest(f"principal {principal}")

    def _digest(self, text: str) -> str:
        return hmac.digest(self.key, text.encode("latin-1"), hashlib.sha256).hex()


def sealed(recorded: Recorded, seal: Seal) -> Recorded:
    """The same without secrets."""
    if not any(map(is_secret, recorded.authorizers)):
        return recorded
    authorizers = tuple(seal.of(name) if is_secret(name) else name for name in recorded.authorizers)
    return replace(recorded, authorizers=authorizers, sealed_by=seal.name)


def opened(recorded: Recorded, seal: Seal | None, principals: Iterable[str]) -> Recorded:
    """The same with those of `principals` in place that it was sealed from. What stays sealed is licensed by nobody.

    Raises RecordError if the key is missing or is another.
    """
    if not recorded.sealed_by:
        return recorded
    if seal is None:
        hint = "name the key file of the log with --key"
        raise RecordError("made with a pre-shared key, which is sealed", recorded.where, hint)
    if not hmac.compare_digest(seal.name, recorded.sealed_by):
        raise RecordError("sealed by another key", recorded.where, "each log has its own key file")
    known = {seal.of(principal): principal for principal in principals if is_secret(principal)}
    return replace(recorded, authorizers=tuple(known.get(name, name) for name in recorded.authorizers))


# -- lines -----------------------------------------------------------------------------------------------------------


def line(recorded: Recorded, seal: Seal, time: str = "", about: str = "") -> bytes:
    """A line of a log, its end included. No secret principal is in it; the caller answers for the assertions."""
    shown = replace(sealed(recorded, seal), time=time or recorded.time, about=about or recorded.about)
    data = {
        "time": shown.time,
        "about": shown.about,
        "answer": shown.answer,
        "because": shown.because,
        "authorizers": list(shown.authorizers),
        "sealed_by": shown.sealed_by,
        "action": dict(shown.action),
        "values": list(shown.values),
        **_unknown_data(shown.unknown),
        "assertions": _texts(shown.assertions),
        "credentials": _texts(shown.credentials),
    }
    present = {name: value for name, value in data.items() if value or name in ("action", "unknown_except")}
    return json.dumps(present).encode("ascii") + b"\n"


def _unknown_data(unknown: frozenset[str] | Unknown) -> dict[str, Any]:
    if isinstance(unknown, Unknown):
        return {"unknown_except": sorted(unknown.known)}
    return {"unknown": sorted(unknown)}


def _texts(assertions: Iterable[Assertion]) -> list[dict[str, str]]:
    return [{"name": assertion.source.name, "text": _whole(assertion)} for assertion in assertions]


def _whole(assertion: Assertion) -> str:
    # With its signature, which `text` ends before; a source may hold others as well.
    if assertion.signature is None:
        return assertion.text
    return f"{assertion.text}Signature:{assertion.source.text[assertion.signature.start :].partition(chr(10) * 2)[0]}"


def read(path: Path) -> Iterator[Recorded]:
    """The decisions of a log, one after the other. Raises RecordError and OSError."""
    with path.open("rb") as file:
        number = 0
        while text := file.readline(LONGEST + 1):
            number += 1
            if len(text) > LONGEST:
                raise RecordError(f"a line of more than {LONGEST:,} bytes", Place(str(path), number))
            if text.strip():
                yield parsed(text, Place(str(path), number))


def count(path: Path) -> int | None:
    """How many lines a log has; None for what is no file, and can be read but once, or has no end. Raises OSError."""
    with path.open("rb") as file:
        if not S_ISREG(fstat(file.fileno()).st_mode):
            return None
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))


def parsed(text: bytes, where: Place) -> Recorded:
    """A line. Raises RecordError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(not_json(error), where) from error
    if not isinstance(data, dict):
        raise RecordError("a decision is an object with named members", where)
    return _Members(data, where).recorded()


@dataclass(frozen=True, slots=True)
class _Members:
    data: Mapping[str, Any]
    where: Place

    def recorded(self) -> Recorded:
        if extra := self.data.keys() - _MEMBERS:
            raise RecordError(f"unknown member `{min(extra)}`", self.where)
        if "unknown" in self.data and "unknown_except" in self.data:
            raise RecordError("both `unknown` and `unknown_except`", self.where)
        unknown: frozenset[str] | Unknown = frozenset(self._list("unknown"))
        if "unknown_except" in self.data:
            unknown = Unknown.except_(self._list("unknown_except"))
        values = self._list("values") or BOOLEAN
        if len(set(values)) < 2 or "" in values:
            raise RecordError("`values` must have a lowest and a highest", self.where)
        answer = self._text("answer")
        if answer and not _is_answer(answer, values):
            raise RecordError(f"`answer` {quoted(answer)} is none of the values", self.where)
        return Recorded(
            action=self._action(),
            authorizers=self._list("authorizers"),
            answer=answer,
            because=self._text("because"),
            values=values,
            unknown=unknown,
            assertions=self._assertions("assertions"),
            credentials=self._assertions("credentials"),
            time=self._text("time"),
            about=self._text("about"),
            sealed_by=self._text("sealed_by"),
            where=self.where,
        )

    def _text(self, name: str) -> str:
        value = self.data.get(name, "")
        if not isinstance(value, str):
            raise RecordError(f"`{name}` must be a string", self.where)
        return value

    def _list(self, name: str) -> tuple[str, ...]:
        value = self.data.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise RecordError(f"`{name}` must be a list of strings", self.where)
        return tuple(value)

    def _action(self) -> Mapping[str, str]:
        value = self.data.get("action")
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise RecordError("`action` must be an object of strings", self.where)
        return value

    def _assertions(self, name: str) -> tuple[Assertion, ...]:
        value = self.data.get(name, [])
        if not isinstance(value, list):
            raise RecordError(f"`{name}` must be a list", self.where)
        found = []
        for item in value:
            if not isinstance(item, dict) or not isinstance(item.get("text"), str):
                raise RecordError(f"each of `{name}` must be an object with `name` and `text`", self.where)
            try:
                found.append(parse_assertion(item["text"], name=str(item.get("name", name))))
            except PolicyError as error:
                raise RecordError(f"`{name}`: {error.problems[0].message}", self.where) from error
        return tuple(found)


def _is_answer(answer: str, values: tuple[str, ...]) -> bool:
    """Whether it is a value, or `low..high`: a value may have dots as well."""
    return answer in values or any(
        answer.startswith(f"{low}..") and answer[len(low) + 2 :] in values[at + 1 :] for at, low in enumerate(values)
    )


_MEMBERS: Final = frozenset(
    {"time", "about", "answer", "because", "authorizers", "sealed_by", "action", "values"}
    | {"unknown", "unknown_except", "assertions", "credentials"}
)
