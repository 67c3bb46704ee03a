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

#: Bytes in a file of assertions.
FILE_SIZE: Final = 256 * 1024 * 1024

#: Mistakes reported in one field; the first ones are the useful ones.
MISTAKES: Final = 20

#: Mistakes in one text that are shown with their line. To find out what must be hidden in it takes time.
EXCERPTS: Final = 100

#: Bits in an integer that a multiplication or a power makes.
INTEGER_BITS: Final = 8_192

#: Decimal digits in a number literal, or in an attribute that `@` or `&` converts.
DIGITS: Final = 1_000

#: Characters in a string that a concatenation makes.
STRING_SIZE: Final = 1024 * 1024

#: Characters that all concatenations in an assertion take from its Local-Constants, which may be long, and are named
#: in few characters.
JOINED_SIZE: Final = 4 * 1024 * 1024

#: Characters in a regular expression.
PATTERN_SIZE: Final = 16 * 1024

#: Groups in a regular expression.
PATTERN_GROUPS: Final = 100

#: Bytes that RE2 may use for a regular expression; for one that is computed while a test runs.
PATTERN_MEMORY: Final = 256 * 1024
COMPUTED_PATTERN_MEMORY: Final = 32 * 1024

#: Instructions in all regular expressions of an assertion; a computed one may have `COMPUTED_PATTERN_STEPS`, and
#: counts as twice as many.
PATTERN_STEPS: Final = 65_536
COMPUTED_PATTERN_STEPS: Final = 1_024

#: Characters in what is matched with a regular expression. A match takes time in proportion to the product of this
#: and of the instructions.
SUBJECT_SIZE: Final = 4 * 1024

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
