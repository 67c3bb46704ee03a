# SPDX-License-Identifier: ISC
"""What files of private keys are called, while they are written and afterwards."""

from pathlib import Path
from typing import Final

REQUESTED: Final = "request.pem"  # of an authority that awaits its certificate from somebody else's root


def named(serial: str) -> tuple[str, str]:
    """The name of a certificate's key file, and the one under which it is written."""
    return f"{serial}.pem", f".{serial}.new"


def may_be_left(serial: str, key_file: str | None, temporary_file: str) -> bool:
    """Whether an issue of ours may have left the key of this certificate under that name, in the directory's `keys`
    or, where it is to be kept elsewhere, by an absolute path."""
    own, temporary = named(serial)
    if key_file is None:
        return Path(temporary_file).is_absolute()
    return temporary_file in (temporary, REQUESTED) and key_file == own
