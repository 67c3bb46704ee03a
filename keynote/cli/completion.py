# SPDX-License-Identifier: ISC
"""The command `completion`, which each of our programs has: a shell's script that completes its command lines."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from keynote.cli.program import json_option, print_json, settled

_SHELLS: Final = ("bash", "zsh", "fish")


def command(program: str) -> click.Command:
    """For the program of this name."""

    @click.command("completion")
    @click.argument("shell", type=click.Choice(_SHELLS))
    @json_option()
    @click.pass_context
    def completion(context: click.Context, shell: str, as_json: bool) -> None:
        found = get_completion_class(shell)
        assert found is not None  # click has these three
        variable = f"_{program}_complete".replace("-", "_").upper()
        script = found(context.find_root().command, {}, program, variable).source()
        settled(0)
        if as_json:
            print_json({"shell": shell, "script": script})
        else:
            click.echo(script)

    completion.help = f"""Print what makes a shell complete the command lines of {program}.

    \b
    Example:
      {program} completion bash > ~/.local/share/bash-completion/completions/{program}
      {program} completion fish > ~/.config/fish/completions/{program}.fish
      {program} completion zsh > "${{fpath[1]}}/_{program}"
    """
    return completion
