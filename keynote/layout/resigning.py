# SPDX-License-Identifier: ISC
"""Signing anew what has got another layout."""

from keynote import expressions, signatures
from keynote.assertions import Assertion
from keynote.errors import PolicyError, Problem, SignatureError
from keynote.layout import Resign
from keynote.private_keys import PrivateKey
from keynote.signing import signed


def resigning(key: PrivateKey) -> Resign:
    """Signs, with the algorithm that it was signed with, an assertion whose authorizer is the key.

    The old signature must be right: what somebody else has changed is not signed along the way. Else, or if the key
    is another, raises PolicyError with the place.
    """

    def resign(assertion: Assertion, text: str) -> str:
        assert assertion.signature is not None, "what has none needs no new one"
        try:
            signatures.verify(assertion, legacy=True)
            written = expressions.string(assertion.signature.tree, assertion.constants)
            label = str(written).partition(":")[0]
            return signed(text, key, f"{label}:", name=assertion.source.name)
        except SignatureError as error:
            where = assertion.signature.where(assertion.signature.tree)
            hint = "look at it, and sign it with `keynote sign`"
            raise PolicyError([Problem(where, f"not signed anew: {error}", hint)]) from error

    return resign
