# SPDX-License-Identifier: ISC
"""What the command lines of this project have in common: how they fail, and how they speak JSON.

An error is a line on stderr, `PROG: error: message`, with `PROG: hint: …` below it. A command that was given `--json`
says it on stdout too, as one object: `{"errors": [{"message": …, "where": …, "hint": …}]}`.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any, Final, NoReturn, TextIO, TypeVar

import click

from keynote.complaints import Complaint, Place
from keynote.redaction import redacted, redacted_sentence

F = TypeVar("F", bound=Callable[..., Any])

FAILED: Final = 1


class Failed(Exception):
    """Raised by a command that ends with these errors."""

    def __init__(self, errors: Iterable[Complaint], status: int = FAILED) -> None:
        self.errors = tuple(errors)
        self.status = status
        super().__init__("\n".join(map(str, self.errors)))


@dataclass(slots=True)
class _Asked:
    """What is known of a command line while its command runs."""

    for_json: bool = False
    settled: int | None = None
    no_output: bool = False
    untold: int | None = None  # the status if the answer cannot be written; None: the command changes something


def json_option(help: str = "Print JSON.") -> Callable[[F], F]:
    """The option `--json`, the command's parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help, callback=_remember)


def _asked() -> _Asked:
    """What the running command was asked for; outside of one, nothing that anybody reads."""
    context = click.get_current_context(silent=True)
    return (context and context.find_object(_Asked)) or _Asked()


def settled(status: int) -> int:
    """Say, before it prints its answer, with which status a command will end: whoever reads no more than the first
    line has the same answer. Returns the status."""
    _asked().settled = status
    return status


def require_output() -> None:
    """Raises Failed where standard output is closed: for a command whose answer cannot be had again."""
    if _asked().no_output:
        raise Failed([Complaint("standard output is closed, and the result would be lost")])


def only_reads(untold: int = FAILED) -> None:
    """Say that a command changes nothing: where its answer cannot be written nothing may be there unsaid, and it ends
    with this status."""
    _asked().untold = untold


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    asked = context.find_object(_Asked)
    if asked is not None:
        asked.for_json = value
    return value


#: Options that show something, and nothing else is done.
_SHOWN_ONLY: Final = frozenset({"-h", "--help", "--version"})

#: Complaints of one kind that are told: more than anybody reads.
_MANY: Final = 100


@dataclass(frozen=True, slots=True)
class Program:
    """One command line: a command, or a group of them. `errors` makes complaints of what they raise; of what it does
    not know, none."""

    name: str
    commands: click.Command
    errors: Callable[[Exception], Iterable[Complaint]] = lambda error: ()
    wrong_usage: int = 2
    interrupted: int = 130
    unsaid: str = ""  # a hint for where what was done cannot be told

    def run(self, arguments: Sequence[str] | None = None) -> NoReturn:
        """Run the command, and exit: with the status that it returns, 0 for None, and 1 for every error."""
        asked = _Asked(no_output=sys.stdout is None)
        _prepare_streams()
        arguments = sys.argv[1:] if arguments is None else arguments
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        if not _SHOWN_ONLY.isdisjoint(options):
            asked.settled = 0
        streams = sys.stdout, sys.stderr
        try:
            status = self.commands.main(arguments, self.name, standalone_mode=False, obj=asked)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            _say(error.format_message())
            status = self.wrong_usage
        except click.UsageError as error:
            # Nobody knows what is whose argument where the command line could not be read.
            self._fail([_wrong_usage(error, self._command(arguments))], as_json="--json" in options)
            status = self.wrong_usage
        except (click.Abort, KeyboardInterrupt):
            status = self.interrupted
        except (BrokenPipeError, SystemExit) as error:
            # click makes an exit of a broken pipe, with 1 for every command, and puts something else in the place of
            # the streams.
            if isinstance(error, SystemExit) and sys.stdout is streams[0]:
                raise
            sys.stdout, sys.stderr = streams
            _discard(sys.stdout)  # whoever read our output has enough
            status = FAILED if asked.settled is None else asked.settled
        except Exception as error:
            complaints = self._complaints(error)
            status = error.status if isinstance(error, Failed) else FAILED
            if not complaints and isinstance(error, OSError):
                _discard(sys.stdout)
                hint = self.unsaid if asked.untold is None else ""
                complaints = (Complaint(f"cannot write: {error.strerror or error}", hint=hint),)
                status = FAILED if asked.untold is None else asked.untold
            if not complaints:
                raise
            self._fail(complaints, as_json=asked.for_json)
        sys.exit(status if isinstance(status, int) else 0)

    def _command(self, arguments: Sequence[str]) -> str:
        """The command that was typed, as far as there is one."""
        path, command = self.name, self.commands
        for word in arguments:
            found = command.commands.get(word) if isinstance(command, click.Group) else None
            if found is None:
                break
            path, command = f"{path} {word}", found
        return path

    def _complaints(self, error: Exception) -> tuple[Complaint, ...]:
        match error:
            case Failed():
                return error.errors
            case click.ClickException():
                return (Complaint(error.format_message()),)
        if found := tuple(self.errors(error)):
            return found
        if isinstance(error, OSError) and isinstance(error.filename, (str, bytes, os.PathLike)):
            return (Complaint(error.strerror or str(error), Place(os.fsdecode(error.filename))),)
        return ()

    def _fail(self, errors: Sequence[Complaint], *, as_json: bool) -> None:
        tell(self.name, "error", errors)
        if as_json:
            try:
                print_json({"errors": [error.data() for error in errors]})
            except OSError:
                _discard(sys.stdout)


def tell(program: str, kind: str, complaints: Iterable[Complaint]) -> None:
    """Errors, warnings or notes on stderr, for people. `kind` is the word for them."""
    found = list(complaints)
    for complaint in found[:_MANY]:
        _say(complaint.text(program, kind))
    if len(found) > _MANY:
        _say(f"{program}: {kind}: and {len(found) - _MANY:,} more")


# What a terminal obeys, or turns around what stands after it, and JSON lets stand as it is.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def print_json(data: object) -> None:
    """One JSON value on stdout, in characters that it can encode, and none that a terminal obeys."""
    unicode = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    text = json.dumps(data, indent=2, ensure_ascii=not unicode)
    click.echo(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _wrong_usage(error: click.UsageError, command: str) -> Complaint:
    hint = f"{command} --help"
    if isinstance(error, (click.NoSuchOption, click.exceptions.NoSuchCommand)):
        if error.possibilities:
            hint = f"did you mean `{error.possibilities[0]}`? ({hint})"
        return Complaint(_in_our_style(error.message), hint=hint)
    return Complaint(_in_our_style(error.format_message()), hint=hint)


_IN_QUOTES = re.compile(r"(['\"])([^'\"]*)\1")
_CAPITAL = re.compile(r"(^|: )([A-Z])(?=[a-z])")


def _in_our_style(message: str) -> str:
    """click's words as we write ours: lower case, input in backticks, no period."""
    message = _IN_QUOTES.sub(lambda quoted: f"`{redacted(quoted[2])}`", redacted_sentence(message)).rstrip(".")
    return _CAPITAL.sub(lambda match: match[0].lower(), message)


def _say(line: str) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        _discard(sys.stderr)


def _prepare_streams() -> None:
    # Python has none in place of a stream that was closed (`>&-`): whoever did that wants the exit status only.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # reasons have arrows, and not every terminal does


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _discard(stream: Any) -> None:
    """Lest the interpreter's last flush fails again, and takes the exit status with it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
