# SPDX-License-Identifier: ISC
"""Files read whole, and no more of them than anybody needs: a name may be that of a device that never ends."""

from pathlib import Path
from typing import IO, Final

from pki.errors import PkiError, shown

FEW: Final = 4 << 20  # bytes: what people write, certificates, keys
TABLE: Final = 64 << 20  # bytes of a table of peers
LIST: Final = 32 << 20  # bytes of the longest revocation list (`revocation_lists.MAX_BYTES`), in PEM


def content(path: Path, most: int = FEW) -> bytes:
    """Raises OSError, and PkiError for more than `most` bytes."""
    with path.open("rb") as file:
        return bounded(file, f"`{shown(str(path))}`", most)


def bounded(file: IO[bytes], name: str, most: int = FEW) -> bytes:
    """The same of what is open; `name` is for the message."""
    data = file.read(most + 1)
    if len(data) > most:
        raise PkiError(f"{name} holds more than {most >> 20} MiB, which is too much for what it should be")
    return data
