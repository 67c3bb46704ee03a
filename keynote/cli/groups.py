# SPDX-License-Identifier: ISC
"""Groups of commands that load no more than the command that was typed: what all of them need takes a second."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class Commands(click.Group):
    """A group whose commands are where `elsewhere` says, by name: `package.module:attribute`."""

    def __init__(self, *arguments: Any, elsewhere: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._elsewhere = dict(elsewhere or {})

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*self.commands, *self._elsewhere})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        # Of a name that nobody knows click asks which others are like it: then all of them are wanted.
        for wanted in (name,) if name in self._elsewhere else tuple(self._elsewhere):
            if wanted not in self.commands and name not in self.commands:
                module, attribute = self._elsewhere[wanted].split(":")
                self.add_command(getattr(import_module(module), attribute), wanted)
        return super().get_command(context, name)
