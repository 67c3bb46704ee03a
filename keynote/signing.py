# SPDX-License-Identifier: ISC
"""Signing assertions, and laying out keys and signatures as keynote(1) does."""

import re
from typing import Final

from keynote import keys
from keynote.assertions import Assertion
from keynote.errors import SignatureError
from keynote.expressions import string
from keynote.files import parse_assertion
from keynote.principals import canonical
from keynote.private_keys import PrivateKey
from keynote.signatures import ALGORITHMS, ENCODINGS, Algorithm, signed_bytes, verify

#: How keynote(1) prints: columns before the text, and characters in a line of it.
OFFSET: Final = 12
LENGTH: Final = 50

_SIGNATURE: Final = re.compile(r"^signature:", re.IGNORECASE | re.MULTILINE)
_AUTHORIZER: Final = re.compile(r"^authorizer:", re.IGNORECASE | re.MULTILINE)
_NEXT_FIELD: Final = re.compile(r"\n(?![ \t#])")
_BY_KEY: Final = {"rsa": "sig-rsa-sha256", "ec": "sig-ecdsa-sha256", "ed25519": "sig-ed25519", "dsa": "sig-dsa-sha1"}


def default_algorithm(key: PrivateKey) -> str:
    """The label of the algorithm to sign with where nothing else is wanted."""
    return f"{_BY_KEY[keys.text(key.public_key()).partition('-')[0]]}-base64:"


def sign(text: str | bytes, key: PrivateKey, algorithm: str | None = None, *, name: str = "assertion") -> str:
    """The signature of an assertion, for its Signature field: `sig-rsa-sha256-base64:…`.

    The assertion may have a Signature field already, whatever is in it, or none: then the field is to come on the
    line after its last. `algorithm` is a label such as `sig-rsa-sha1-hex:`, the colon included, which is signed as it
    is written.

    Raises PolicyError if the text is not one assertion, and SignatureError if the key is not its authorizer's, or not
    one for this algorithm.
    """
    body, _ = _divided(_latin_1(text))
    return _sign(body, key, algorithm, name)


def signed(
    text: str | bytes,
    key: PrivateKey,
    algorithm: str | None = None,
    *,
    name: str = "assertion",
    offset: int = OFFSET,
    length: int = LENGTH,
) -> str:
    """The assertion with its signature, laid out over lines, in the place of the one that it may have had.

    Raises what `sign` does, and ValueError for an offset of 0: a line that goes on is indented.
    """
    if offset < 1:
        raise ValueError("the lines of a field that goes on are indented")
    body, rest = _divided(_latin_1(text))
    signature = laid_out(_sign(body, key, algorithm, name), offset, length)
    return f"{body}Signature: {signature.lstrip(' ')}\n{rest}"


def _latin_1(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("latin-1")


def _divided(text: str) -> tuple[str, str]:
    """The text of the one assertion up to its Signature field, and what stands behind that field."""
    start = len(text) - len(text.lstrip("\n"))
    blank = text.find("\n\n", start)
    end = len(text) if blank < 0 else blank + 1
    field = _SIGNATURE.search(text, start, end)
    if field is None:
        body, rest = text[:end], text[end:]
        body += "" if body.endswith("\n") else "\n"
    else:
        after = _NEXT_FIELD.search(text, field.end(), end)
        body, rest = text[: field.start()], text[after.end() if after else end :]
    if _AUTHORIZER.search(rest):
        raise SignatureError("more than one assertion, and a signature is of one")
    return body, rest


def _sign(body: str, key: PrivateKey, label: str | None, name: str) -> str:
    label = label or default_algorithm(key)
    algorithm, encoding = algorithm_of(label)
    public = keys.text(key.public_key())
    # Read with a signature that stands for the one to come: whatever is wrong with the rest is told first.
    assertion = parse_assertion(f'{body}Signature: "{label}00"\n', name=name)
    _check_signer(assertion, public, algorithm)
    try:
        made = algorithm.sign(key, signed_bytes(assertion.text, label))
    except ValueError as error:
        raise SignatureError(f"this key cannot make a {algorithm.name} signature: {error}") from error
    signature = f"{label}{keys.to_ascii(encoding, made)}"
    # What nobody could verify is not given away.
    verify(parse_assertion(f'{body}Signature: "{signature}"\n', name=name), legacy=True)
    return signature


def algorithm_of(label: str) -> tuple[Algorithm, str]:
    """The algorithm and the encoding of a label such as `sig-rsa-sha1-hex:`. Raises SignatureError."""
    name, _, encoding = label.lower().removesuffix(":").rpartition("-")
    if name not in ALGORITHMS or encoding not in ENCODINGS or not label.endswith(":"):
        known = ", ".join(f"{name}-" for name in ALGORITHMS)
        raise SignatureError(f"`{label}` is no signature algorithm; there are {known} each with hex: or base64:")
    return ALGORITHMS[name], encoding


def _check_signer(assertion: Assertion, public: str, algorithm: Algorithm) -> None:
    authorizer = string(assertion.authorizer.tree, assertion.constants)
    if not isinstance(authorizer, str) or canonical(authorizer) != public:
        raise SignatureError("the Authorizer is not the key that signs")
    if not public.startswith(f"{algorithm.key}-"):
        raise SignatureError(f"{algorithm.name} is made with {keys.NAMES[algorithm.key]}, and this is none")


def laid_out(text: str, offset: int = OFFSET, length: int = LENGTH, *, head: int = 0) -> str:
    """A quoted string over lines, as keynote(1) prints keys and signatures.

    Each line begins with `offset` blanks and has `length` characters, the opening quote and the backslash that
    continues it among them. The first `head` characters are not broken; where a line is too short for these, neither
    is the rest.
    """
    first = length - 2 if length - 2 >= head else len(text)
    pieces = [text[:first]]
    pieces += [text[at : at + length - 1] for at in range(first, len(text), max(length - 1, 1))]
    margin = " " * offset
    return f'{margin}"' + f"\\\n{margin}".join(pieces) + '"'
