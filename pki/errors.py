# SPDX-License-Identifier: ISC
"""What can go wrong here: one root, so that a command line or a daemon catches one thing."""

from collections.abc import Sequence

from keynote.complaints import Complaint


def shown(text: str) -> str:
    """Somebody's input as part of a message: one line, and nothing that a terminal obeys."""
    cut = text if len(text) <= 300 else text[:300] + "…"
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in cut)


EDITED = "somebody has edited the registry: find out who; `keynote-pki audit` shows what else was done"


class PkiError(Exception):
    """Something that the caller can be told in one line, with what to do about it in `hint`."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NameInvalid(PkiError):
    """A text or a name in a certificate that cannot be an identity or a distinguished name."""


class DerInvalid(PkiError):
    """Bytes that are not the DER of what was expected."""


class LintFailed(PkiError):
    """A certificate that we were about to sign breaks a rule: nothing was signed."""


class DelegationInvalid(PkiError):
    """A delegation that cannot be made as it is wanted: its principals, its conditions or its end."""


class ConditionsInvalid(DelegationInvalid):
    """Conditions that are no KeyNote, or that the linter refuses; every mistake in `complaints`."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__("; ".join(map(str, complaints)))
        self.complaints = tuple(complaints)


class KeystoreError(PkiError):
    """A key file that cannot be read, written or trusted."""


class KeyMissing(KeystoreError):
    """There is no file where a private key should be."""


class RegistryError(PkiError):
    """The registry refuses: what was asked does not exist, exists already, or would break its rules."""


class NotRecorded(RegistryError):
    """A certificate under an authority of the registry is not recorded there, or is revoked."""


class RegistryUnreachable(RegistryError):
    """The registry cannot be read or written now."""


class SchemaUnknown(RegistryError):
    """The registry was written by another version of this software."""


class RevocationListInvalid(PkiError):
    """A certificate revocation list that cannot be read, or that says less than a whole list does."""
