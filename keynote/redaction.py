# SPDX-License-Identifier: ISC
"""Text for people: passphrases and private keys hidden, control characters made visible.

Three forms of principal are a pre-shared key or its digest: `passphrase:`, `passphrase-md5-hex:` and
`passphrase-sha1-hex:`. A digest is as good as the key to whoever wants to guess it, so all three are hidden, in
every spelling of the prefix. One that is misspelt makes another principal, and would tell as much. A private key has
no business in an assertion; who takes one for its public key is not to find it in a message.
"""

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

HIDDEN: Final = "passphrase:(hidden)"

HIDDEN_KEY: Final = "private-key:(hidden)"

_SECRET = re.compile(r"(passphrase)[a-z0-9-]*:|private-[a-z0-9]+-(?:hex|base64):", re.IGNORECASE)
# Words of which some are nearly the prefix. They may overlap, so nothing is consumed.
_WORD = re.compile(r"(?<![a-z])(?=((?:[aps]{2}|[a-z]as)[a-z]{1,5}[ _-]?[a-z]{2,7})[a-z0-9-]*[ \t]?:)", re.IGNORECASE)
_NEARLY: Final = 0.81
_NO_PREFIX: Final = ("password", "passwd")  # of ours, but everybody knows what follows
_UNPRINTABLE = re.compile(r"[^ -~]")


def is_secret(text: str) -> bool:
    """Whether a principal, or any text, holds a passphrase or a private key."""
    return _SECRET.search(text) is not None


def secrets(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, str]]:
    """Where secrets begin in a text, and what nearly is one, each with what is to be shown instead."""
    end = len(text) if end is None else end
    exact = {found.start(): HIDDEN if found[1] else HIDDEN_KEY for found in _SECRET.finditer(text, start, end)}
    nearly = {
        found.start(): f"{found[1]}:(hidden)"
        for found in _WORD.finditer(text, start, end)
        if _is_nearly(found[1].lower())
    }
    return sorted((nearly | exact).items())


@lru_cache(maxsize=1024)
def _is_nearly(word: str) -> bool:
    return word in _NO_PREFIX or SequenceMatcher(None, word.replace("f", "ph"), "passphrase").ratio() > _NEARLY


def redacted(text: str) -> str:
    """`text` with everything from a secret on hidden: a passphrase may contain any character."""
    found = secrets(text)
    return text[: found[0][0]] + found[0][1] if found else text


def visible(text: str) -> str:
    """Latin-1 text as it is printed: UTF-8 where it is UTF-8, every control character escaped."""
    if text.isascii() and text.isprintable():
        return text
    try:
        decoded = text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in decoded)


def shown(text: str) -> str:
    """`text` as it is printed, with its passphrase hidden."""
    return visible(redacted(text))


def quoted(text: str) -> str:
    """`text` in backticks, for a message."""
    return f"`{shown(text)}`"
