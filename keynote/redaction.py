# SPDX-License-Identifier: ISC
"""Text for people: passphrases and private keys hidden, control characters made visible.

Three forms of principal are a pre-shared key or its digest: `passphrase:`, `passphrase-md5-hex:` and
`passphrase-sha1-hex:`. A digest is as good as the key to whoever wants to guess it, so all three are hidden, in
every spelling of the prefix. A private key has no business in an assertion; who takes one for its public key is not
to find it in a message.
"""

import re
from typing import Final

HIDDEN: Final = "passphrase:(hidden)"

HIDDEN_KEY: Final = "private-key:(hidden)"

SECRET: Final = re.compile(r"(passphrase)[a-z0-9-]*:|private-[a-z0-9]+-(?:hex|base64):", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^ -~]")


def is_secret(text: str) -> bool:
    """Whether a principal, or any text, holds a passphrase or a private key."""
    return SECRET.search(text) is not None


def redacted(text: str) -> str:
    """`text` with everything from a secret on hidden: a passphrase may contain any character."""
    found = SECRET.search(text)
    if found is None:
        return text
    return text[: found.start()] + (HIDDEN if found[1] else HIDDEN_KEY)


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
