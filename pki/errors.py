# SPDX-License-Identifier: ISC
"""What can go wrong here: one root, so that a command line or a daemon catches one thing."""


class PkiError(Exception):
    """Something that the caller can be told in one line, with what to do about it in `hint`."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NameInvalid(PkiError):
    """A text or a name in a certificate that cannot be an identity or a distinguished name."""


class DerInvalid(PkiError):
    """Bytes that are not the DER of what was expected."""
