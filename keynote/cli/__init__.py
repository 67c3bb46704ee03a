# SPDX-License-Identifier: ISC
"""The `keynote` command."""

from keynote.cli.main import main

__all__ = ["main"]
