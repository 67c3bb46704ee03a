# SPDX-License-Identifier: ISC
"""Signing assertions, and laying out keys and signatures as keynote(1) does."""

import re
from typing import Final

from keynote import keys
from keynote.assertions import Assertion
from keynote.errors import PolicyError, SignatureError
from keynote.expressions import string
from keynote.files import AUTHORIZER, blocks, is_only_comments, parse_assertion, problem
from keynote.locations import Source
from keynote.principals import canonical, shown_principal
from keynote.private_keys import PrivateKey
from keynote.redaction import quoted
from keynote.signatures import ALGORITHMS, ENCODINGS, Algorithm, signed_bytes, verify

#: How keynote(1) prints: columns before the text, and characters in a line of it.
OFFSET: Final = 12
LENGTH: Final = 50

_SIGNATURE: Final = re.compile(r"^signature:", re.IGNORECASE | re.MULTILINE)
_FIELD: Final = re.compile(r"^[a-z-]+:", re.IGNORECASE | re.MULTILINE)
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

    Raises PolicyError if the text is not one assertion in one piece, and SignatureError if the key is not its
    authorizer's, or not one for this algorithm.
    """
    before, body, _ = _divided(_latin_1(text), name)
    return _sign(before, body, key, algorithm, name)


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
    before, body, rest = _divided(_latin_1(text), name)
    signature = laid_out(_sign(before, body, key, algorithm, name), offset, length)
    return f"{before}{body}Signature: {signature.lstrip(' ')}\n{rest}"


def _latin_1(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("latin-1")


def _divided(text: str, name: str) -> tuple[str, str, str]:
    """What stands before the one assertion, the assertion up to its Signature field, and what stands behind that.

    Raises PolicyError where it is not one, or where a blank line cuts it in two: what a reader that ends at the blank
    line would not see must not look as if it were signed.
    """
    pieces = [piece for piece in blocks(text) if not is_only_comments(text, *piece)]
    if not pieces:
        raise PolicyError([problem(Source(name, text), 0, "no assertion")])
    start, end = pieces[0]
    field = _SIGNATURE.search(text, start, end)
    for other, stop in pieces[1:]:
        if AUTHORIZER.search(text, other, stop):
            raise PolicyError([problem(Source(name, text), other, "a second assertion", "a signature is of one")])
        if field is None or _FIELD.search(text, other, stop):
            message, hint = "cut in two by a blank line before this", "take the blank line away"
            raise PolicyError([problem(Source(name, text), other, message, hint)])
    if field is None:
        body, rest = text[start:end], text[end:]
        body += "" if body.endswith("\n") else "\n"
    else:
        after = _NEXT_FIELD.search(text, field.end(), end)
        if after is not None and (stray := _FIELD.search(text, after.end(), end)):
            message, hint = "a field behind the signature, which would not cover it", "the signature comes last"
            raise PolicyError([problem(Source(name, text), stray.start(), message, hint)])
        body, rest = text[start : field.start()], text[after.end() if after else end :]
    return text[:start], body, rest


def _sign(before: str, body: str, key: PrivateKey, label: str | None, name: str) -> str:
    lines = "\n" * before.count("\n")  # in the place of the comments before it, so that mistakes are told by line
    if not isinstance(key, PrivateKey):
        raise TypeError("the key is a private one of `cryptography`, which `load_private_key` makes of text")
    label = label or default_algorithm(key)
    algorithm, encoding = algorithm_of(label)
    public = keys.text(key.public_key())
    assertion = parse_assertion(f"{lines}{body}", name=name)
    _check_signer(assertion, public, algorithm)
    try:
        made = algorithm.sign(key, signed_bytes(assertion.text, label))
    except ValueError as error:
        raise _refusal(assertion, f"this key cannot make a {algorithm.name} signature: {error}") from error
    signature = f"{label}{keys.to_ascii(encoding, made)}"
    # What nobody could verify is not given away.
    verify(parse_assertion(f'{body}Signature: "{signature}"\n', name=name), legacy=True)
    return signature


def algorithm_of(label: str) -> tuple[Algorithm, str]:
    """The algorithm and the encoding of a label such as `sig-rsa-sha1-hex:`. Raises SignatureError."""
    name, _, encoding = label.lower().removesuffix(":").rpartition("-")
    if name not in ALGORITHMS or encoding not in ENCODINGS or not label.endswith(":"):
        known = ", ".join(f"{name}-" for name in ALGORITHMS)
        message = f"{quoted(label)} is no signature algorithm; there are {known} each with hex: or base64:"
        raise SignatureError(message)
    return ALGORITHMS[name], encoding


def _check_signer(assertion: Assertion, public: str, algorithm: Algorithm) -> None:
    authorizer = string(assertion.authorizer.tree, assertion.constants)
    kind = public.partition("-")[0]
    if not isinstance(authorizer, str) or canonical(authorizer) != public:
        raise _refusal(assertion, "the Authorizer is not the key that signs", f"that is `{shown_principal(public)}`")
    if kind != algorithm.key:
        message = f"{algorithm.name} is made with {keys.NAMES[algorithm.key]}, and this is {keys.NAMES[kind]}"
        raise _refusal(assertion, message, f"this key makes {_BY_KEY[kind]}")


def _refusal(assertion: Assertion, message: str, hint: str = "") -> SignatureError:
    authorizer = assertion.authorizer
    return SignatureError(message, problem(assertion.source, authorizer.start + authorizer.tree.at, message, hint))


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
