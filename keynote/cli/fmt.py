# SPDX-License-Identifier: ISC
"""`keynote fmt`: policies in one layout."""

import difflib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from keynote import limits
from keynote.cli.inputs import (
    FILE,
    NAME_POLICIES,
    InputError,
    each_once,
    latin_1,
    policy_option,
    read_assertions,
    within_limit,
)
from keynote.cli.outputs import replace
from keynote.cli.program import Failed, settled
from keynote.cli.signing import private_key
from keynote.complaints import BadInput, Complaint, Place
from keynote.errors import PolicyError
from keynote.layout import formatted
from keynote.layout.resigning import resigning
from keynote.redaction import one_line

DONE: Final = 0
DIFFERENT: Final = 2


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@policy_option(click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; name the files whose layout is another.")
@click.option("--diff", is_flag=True, help="Show what would change.")
@click.option("-w", "--in-place", is_flag=True, help="Write the files anew.")
@click.option("--resign", type=FILE, metavar="KEY", help="Sign signed assertions anew, with this private key.")
def fmt(
    paths: Sequence[Path], policies: Sequence[Path], check: bool, diff: bool, in_place: bool, resign: Path | None
) -> int:
    """Print policies in the canonical layout, or write them so.

    Comments and literals stay as they are. A signed assertion is refused if its layout would change, since that voids
    its signature; --resign signs it anew. Of a folder, all *.kn files in it; `-` reads standard input.

    The exit status is 0; with --check or --diff 2 if a layout is another; and 1 for every error, after which no file
    is written.

    \b
    Example:
      keynote fmt --in-place policy.kn
      keynote fmt --check policies
    """
    if not paths and not policies:
        raise InputError("no policy", hint=NAME_POLICIES)
    if in_place and (check or diff):
        raise InputError("--in-place writes, and --check and --diff do not")
    resigner = None if resign is None else resigning(private_key(resign))
    texts: list[tuple[Path, str, str]] = []
    errors: list[Complaint] = []
    for path in each_once(_files([*paths, *policies])):
        before = _text(path)
        try:
            texts.append((path, before, formatted(before, name=str(path), resign=resigner)))
        except PolicyError as error:
            errors += map(Complaint.about, error.problems)
    if errors:
        raise Failed(errors)
    different = [(path, before, after) for path, before, after in texts if before != after]
    if not in_place:
        settled(DIFFERENT if different and (check or diff) else DONE)
    for path, before, after in different if diff else ():
        _write(_differences(path, before, after))
    for path, _, _ in different if check and not diff else ():
        click.echo(f"{one_line(str(path))}: another layout")
    for path, _, after in different if in_place else ():
        _replace(path, after)
    if not (check or diff or in_place):
        _write("\n".join(after for _, _, after in texts))
    return DIFFERENT if different and (check or diff) else DONE


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(path.rglob("*.kn"))
        if not found:
            raise BadInput("no *.kn file in this folder", Place(str(path)))
        yield from found


def _text(path: Path) -> str:
    content = (
        within_limit(sys.stdin.buffer.read(limits.FILE_SIZE + 1), path) if str(path) == "-" else read_assertions(path)
    )
    return content.decode("latin-1")


def _replace(path: Path, text: str) -> None:
    if str(path) == "-":
        _write(text)
        return
    replace(path, text, path.stat().st_mode & 0o7777)


def _differences(path: Path, before: str, after: str) -> str:
    name = latin_1(one_line(str(path)))
    lines = difflib.unified_diff(_lines(before), _lines(after), name, f"{name} (canonical)", lineterm="\n")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.split("\n")[:-1]] + ([last] if (last := text.split("\n")[-1]) else [])


def _write(text: str) -> None:
    """Policies are bytes, and stay the bytes that they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("latin-1"))
    sys.stdout.buffer.flush()
