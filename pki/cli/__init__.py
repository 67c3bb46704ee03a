# SPDX-License-Identifier: ISC
"""keynote-pki: the commands, one a module. Each reads its arguments, calls the library once, and prints."""

from pki.cli.main import UNSAID, cli, main

__all__ = ["UNSAID", "cli", "main"]
