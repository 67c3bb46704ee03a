# SPDX-License-Identifier: ISC
"""QR codes on a terminal: for what a telephone is to have, and the library for it is there (the extra `qr`)."""

import io
import shutil
import sys

from pki.errors import PkiError

_MOST = 2953  # bytes in a code of the largest size (ISO/IEC 18004 table 7, 40-L)


def code(data: bytes, smaller: str = "") -> str:
    """The lines of a QR code, made of half blocks. Raises PkiError where it would not fit a code or this terminal;
    `smaller` is what to do about the first."""
    try:
        import segno
    except ImportError:
        raise PkiError("QR codes need a library that is not installed", "pip install 'keynote-ike[qr]'") from None
    if len(data) > _MOST:
        raise PkiError(
            f"{len(data):,} bytes are too many for a QR code, which holds {_MOST:,}",
            smaller,
        )
    made = segno.make_qr(data, error="l", boost_error=False)
    columns, _ = made.symbol_size()
    if sys.stdout.isatty() and shutil.get_terminal_size().columns < columns:
        raise PkiError(
            f"the QR code has {columns} columns, this terminal {shutil.get_terminal_size().columns}",
            "use a wider terminal, or a smaller font",
        )
    text = io.StringIO()
    made.terminal(text, compact=True)
    return text.getvalue()
