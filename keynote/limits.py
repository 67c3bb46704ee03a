# SPDX-License-Identifier: ISC
"""Bounds on what one assertion may cost.

A credential comes from the network, and whoever sends it chooses its size and shape. Nesting has no limit of
its own: nothing here recurses, so a text that is short enough is nested as deeply as it likes. Past a limit the
assertion is refused at load, or, where only the action shows it, the test is a run-time error and so false.
"""

from dataclasses import dataclass
from typing import Final

#: Characters in one assertion.
ASSERTION_SIZE: Final = 256 * 1024

#: Mistakes reported in one field; the first ones are the useful ones.
MISTAKES: Final = 20

#: Bits in an integer that a multiplication or a power makes.
INTEGER_BITS: Final = 65_536

#: Decimal digits in a number literal, or in an attribute that `@` or `&` converts.
DIGITS: Final = 4_000

#: Characters in a string that a concatenation makes.
STRING_SIZE: Final = 1024 * 1024

#: Characters in a regular expression.
PATTERN_SIZE: Final = 16 * 1024

#: Characters in the text of a key, or of a signature.
KEY_SIZE: Final = 32 * 1024

#: Bits of an RSA modulus or of a DSA prime: the time that a verification takes is the signer's to choose.
KEY_BITS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session accepts that not everybody should.

    `legacy_signatures`: signatures over MD5 and SHA-1 (RFC 2792), for which a second text may be found.
    """

    legacy_signatures: bool = False
