# SPDX-License-Identifier: ISC
"""Text for people: passphrases and private keys hidden, control characters made visible.

Three forms of principal are a pre-shared key or its digest: `passphrase:`, `passphrase-md5-hex:` and
`passphrase-sha1-hex:`. A digest is as good as the key to whoever wants to guess it, so all three are hidden, in
every spelling of the prefix. One that is misspelt makes another principal, and would tell as much. A private key has
no business in an assertion; who takes one for its public key is not to find it in a message.

A key is hidden by its prefix wherever it stands. Without the prefix nobody can tell it from other text, unless it is
known: a test may compare it in pieces. So whoever explains an answer says by `hiding` which keys the assertions and
the requesters have (`keynote.secrecy` finds them), and until then nothing that is shown has one of them in it.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache
from typing import Final, NamedTuple

HIDDEN: Final = "passphrase:(hidden)"

HIDDEN_KEY: Final = "private-key:(hidden)"

#: In the place of a key that stands without its prefix.
HIDDEN_TEXT: Final = "(hidden)"

_SECRET = re.compile(
    r"(passphrase)[a-z0-9-]*:|private-[a-z0-9]+-(?:hex|base64):|-----BEGIN [a-z0-9 ]*PRIVATE KEY", re.IGNORECASE
)
# What a private key's prefix is when it is misspelt: `private-ed25519-bas64:`, `privat_rsa:`.
_PRIVATE = re.compile(r"(?<![a-z])(p[a-z]{4,8}+)((?:[ _-][a-z0-9]{2,9}+){1,2}+)[ \t]*[:;=]", re.IGNORECASE)
_OF_PRIVATE_KEYS: Final = ("rsa", "dsa", "ec", "ed25519", "x509", "hex", "base64")
# Words of which some are nearly the prefix, or words that belong together. They may overlap, so nothing is consumed;
# possessive, as a key of thousands of digits is one word.
_WORD = re.compile(
    r"(?<![a-z])(?=([a-z][a-z0-9]{1,15}+)(?:[ _-]([a-z][a-z0-9]{1,15}+))?+((?:-[a-z0-9]{1,15}+)*+)[ \t]?:)",
    re.IGNORECASE,
)
_FIRST_WORDS = re.compile(r"[^a-z0-9]*([a-z][a-z0-9]{1,15}+)(?:[ \t_-]([a-z][a-z0-9]{1,15}+))?", re.IGNORECASE)
_NEARLY: Final = 0.81
# No prefixes of ours, but everybody knows what follows; and those of them that are seldom anything else.
_PREFIXES: Final = frozenset(
    {"pass", "passcode", "passwd", "password", "presharedkey", "preshared", "psk", "pwd", "sharedkey", "sharedsecret"}
)
_WORDS: Final = frozenset({"passwd", "password", "presharedkey", "psk"})
_EXACT = re.compile(r"passphrase(?:-md5-hex|-sha1-hex)?:")
_UNPRINTABLE = re.compile(r"[^ -~]")
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


class Secret(NamedTuple):
    """A secret that begins at `start` of a text, where `instead` is to be shown. Its key begins at `key`."""

    start: int
    key: int
    instead: str


def is_secret(text: str) -> bool:
    """Whether a principal, or any text, holds a passphrase or a private key."""
    return _SECRET.search(text) is not None


def is_private_key(text: str) -> bool:
    """Whether a principal is a private key, or nearly, and not a passphrase."""
    found = secrets(text)
    return bool(found) and found[0].instead == HIDDEN_KEY


def secrets(text: str, start: int = 0, end: int | None = None) -> list[Secret]:
    """The secrets in a text, and what nearly is one, which all go on to its end."""
    end = len(text) if end is None else end
    exact = _SECRET.finditer(text, start, end)
    found = {it.start(): Secret(*it.span(), HIDDEN if it[1] else HIDDEN_KEY) for it in exact}
    for words in _WORD.finditer(text, start, end):
        if words.start() not in found and (prefix := _prefix(words)) is not None:
            key = text.index(":", words.start()) + 1
            found[words.start()] = Secret(words.start(), key, f"{prefix}:{HIDDEN_TEXT}")
    for words in _PRIVATE.finditer(text, start, end):
        if words.start() not in found and _is_private(words[1].lower(), words[2].lower()):
            found[words.start()] = Secret(*words.span(), HIDDEN_KEY)
    return sorted(found.values())


def secrets_of_value(value: str) -> list[Secret]:
    """The same of a text that is a principal, or may be: also where it begins with the prefix, and has something else
    than a colon behind it."""
    return secrets(value) or _announced(value)


def _prefix(words: re.Match[str]) -> str | None:
    first, second, rest = words[1], words[2] or "", words[3]
    if _is_prefix(first.lower()):
        return first
    if _is_prefix((first + second).lower()) or _is_prefix((first + second + rest.replace("-", "")).lower()):
        between = words.string[words.end(1) : words.start(2)] if second else ""
        return first + between + second
    return None


def _announced(value: str) -> list[Secret]:
    words = _FIRST_WORDS.match(value)
    for end in (words.end(1), words.end(2)) if words is not None else ():
        word = re.sub(r"[ \t_-]", "", value[words.start(1) : end]).lower() if words is not None and end > 0 else ""
        if word in _WORDS or _is_nearly(word):
            rest = re.match(r"(?:-[a-z0-9]+(?=[^a-z0-9]))*[^a-z0-9]+(?=.)", value[end:], re.IGNORECASE | re.DOTALL)
            if rest is not None and words is not None:
                shown_word = value[words.start(1) : end]
                return [Secret(words.start(1), end + rest.end(), f"{shown_word} {HIDDEN_TEXT}")]
    return []


def _is_prefix(word: str) -> bool:
    return word in _PREFIXES or _is_nearly(word)


@lru_cache(maxsize=1024)
def _is_nearly(word: str) -> bool:
    return SequenceMatcher(None, word.replace("f", "ph"), "passphrase").ratio() > _NEARLY


@lru_cache(maxsize=1024)
def _is_private(word: str, rest: str) -> bool:
    if SequenceMatcher(None, word, "private").ratio() <= _NEARLY:
        return False
    return any(get_close_matches(part, _OF_PRIVATE_KEYS, 1, 0.75) for part in re.split("[ _-]", rest[1:]))


def meant(principal: str) -> str:
    """What a principal seems to be meant for that is written like a passphrase and is none: `passphrase:` or one of
    the digests' prefixes. "" for every other."""
    found = secrets_of_value(principal)
    if not found or found[0].instead == HIDDEN_KEY or _EXACT.match(principal):
        return ""
    prefix = principal[: found[0].key].lower()
    return "passphrase-md5-hex:" if "md5" in prefix else "passphrase-sha1-hex:" if "sha1" in prefix else "passphrase:"


# -- keys that are known ---------------------------------------------------------------------------------------------

#: Characters of a key that is looked for within words: of shorter ones everything would be full.
_WITHIN: Final = 4
_ALPHANUMERIC = re.compile(r"[a-z0-9]+")
# What a pattern may have around a character that stands for itself.
_LITERALLY = re.compile(r"\\(.)|\[([^]\[^])\]|[()]", re.DOTALL)


class Keys:
    """Keys to be hidden, in either case of letters. Finding them in a text takes no longer where they are many."""

    __slots__ = ("_by_start", "_many", "_short")

    def __init__(self, keys: Iterable[str]) -> None:
        self._short: set[str] = set()
        self._by_start: dict[str, list[str]] = {}
        for key in {key.lower() for key in keys if key}:
            if len(key) < _WITHIN:
                self._short.add(key)
            else:
                self._by_start.setdefault(key[:_WITHIN], []).append(key)
        self._many = sum(map(len, self._by_start.values())) > _MANY

    @classmethod
    def found(cls, keys: Iterable[str]) -> "Keys":
        """The same, for who keeps them: mostly there are none, and all share these."""
        known = set(keys)
        return cls(known) if known else NO_KEYS

    def __bool__(self) -> bool:
        return bool(self._short or self._by_start)

    def __repr__(self) -> str:
        return "<keys>"

    def without(self, text: str) -> str:
        """`text` without them, as it stands there or in a regular expression. One of up to three characters is only
        found where it is a word."""
        lower = text.lower()
        spans = self._spans(lower)
        if not spans and self._spans(literal := _LITERALLY.sub(r"\1\2", lower)) and literal != lower:
            return HIDDEN_TEXT  # who knows where it begins
        pieces, at = [], 0
        for start, end in spans:
            pieces += [text[at:start], HIDDEN_TEXT] if start >= at else []
            at = max(at, end)
        return "".join([*pieces, text[at:]])

    def _spans(self, lower: str) -> list[tuple[int, int]]:
        if lower in self._short:
            return [(0, len(lower))]
        spans = [it.span() for it in _ALPHANUMERIC.finditer(lower) if it[0] in self._short] if self._short else []
        for at in range(len(lower) - _WITHIN + 1) if self._by_start else ():
            for key in self._by_start.get(lower[at : at + _WITHIN], ()):
                if lower.startswith(key, at):
                    spans.append((at, at + len(key)))
        return sorted(spans)

    def share(self, text: str) -> bool:
        """Whether a word of `text`, of three characters or more, is a piece of one of them."""
        pieces = [piece for piece in _ALPHANUMERIC.findall(text.lower()) if len(piece) > 2]
        return any(piece in key for keys in self._by_start.values() for key in keys for piece in pieces)

    def may_have(self, text: str) -> bool:
        """Whether one of them may be put together of `text` and others: it has the beginning or the end of a key in
        it, or is a piece of one. Of very many keys nobody looks."""
        lower = text.lower()
        if len(lower) < _PIECE or not self:
            return lower in self._short
        if self._many:
            return True
        keys = (key for found in self._by_start.values() for key in found)
        return self.share(text) or any(
            lower in key or key[:_PIECE] in lower or key[-_PIECE:] in lower for key in keys
        )


#: Characters of a piece of a key that are looked for, and keys among which they are.
_PIECE: Final = 3
_MANY: Final = 1_000

NO_KEYS: Final = Keys(())

_hidden: ContextVar[tuple[Keys, ...]] = ContextVar("hidden keys", default=())


@contextmanager
def hiding(keys: Iterable[Keys]) -> Iterator[None]:
    """While this lasts, these are hidden too in all that is shown."""
    token = _hidden.set((*_hidden.get(), *filter(None, keys)))
    try:
        yield
    finally:
        _hidden.reset(token)


def redacted(text: str) -> str:
    """`text` with everything from a secret on hidden, as a passphrase may contain any character; and with the keys
    hidden that are known. Brackets that were open before are closed again."""
    return _without(text, secrets_of_value(text))


def redacted_sentence(text: str) -> str:
    """The same of words of our own, which may begin with `passphrase` and say something about it."""
    return _without(text, secrets(text))


def _without(text: str, found: list[Secret]) -> str:
    before = without_keys(text[: found[0].start] if found else text)
    return before + found[0].instead + _closing(before) if found else before


def without_keys(text: str) -> str:
    """`text` with the keys hidden that are known, and nothing else."""
    for keys in _hidden.get():
        text = keys.without(text)
    return text


def redacted_piece(text: str) -> str:
    """The same of what is compared with a secret, or a part of one: a piece of a known key is hidden too."""
    return HIDDEN_TEXT if is_piece_of_key(text) else redacted(text)


def is_piece_of_key(text: str) -> bool:
    """Whether a word of it is a piece of a key that is known."""
    return any(keys.share(text) for keys in _hidden.get())


def may_be_part_of_key(text: str) -> bool:
    """Whether it may stand beside the rest of a key that is known."""
    return any(keys.may_have(text) for keys in _hidden.get())


def _closing(text: str) -> str:
    open_brackets: list[str] = []
    for char in text:
        if char in _CLOSING:
            open_brackets.append(_CLOSING[char])
        elif open_brackets and char == open_brackets[-1]:
            open_brackets.pop()
    return "".join(reversed(open_brackets))


# -- what is printed -------------------------------------------------------------------------------------------------


def visible(text: str) -> str:
    """Latin-1 text as it is printed: UTF-8 where it is UTF-8, every control character escaped."""
    if text.isascii() and text.isprintable():
        return text
    try:
        decoded = text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in decoded)


def one_line(text: str) -> str:
    """Text that is no Latin-1, as a file's name is none: what is no printable character comes out escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(text: str) -> str:
    """`text` as it is printed, with its passphrase hidden."""
    return visible(redacted(text))


def shown_piece(text: str) -> str:
    """The same of what is compared with a secret, or a part of one."""
    return visible(redacted_piece(text))


def quoted(text: str) -> str:
    """`text` in backticks, for a message."""
    return f"`{shown(text)}`"
