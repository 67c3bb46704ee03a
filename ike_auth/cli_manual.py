# SPDX-License-Identifier: ISC
"""`ike-auth setkey` and `ike-auth ipsecadm`: SAs and policies by hand, in a running daemon."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import click

from ike_auth.config.errors import Problems
from ike_auth.config.files import check_file_integrity, check_file_secrecy, read_file, read_secret_file
from ike_auth.errors import LocalError
from ike_auth.manual import checking, dumps, ipsecadm
from ike_auth.manual.checking import Program
from ike_auth.manual.control import Control, results
from ike_auth.manual.errors import ManualError, StatementsRefused, Unusable
from ike_auth.manual.fields import Fields
from ike_auth.manual.printing import to_text
from ike_auth.manual.requests import request_of
from ike_auth.manual.statements import Dump, Exit, Flush, Get, Group, Security, SpdDump, SpdFlush, Statement
from ike_auth.network import IPAddress
from keynote.cli.program import Failed, tell
from keynote.complaints import Complaint

WRONG_USAGE = 2


_control = click.option("--control", "control_path", metavar="PATH", help="The daemon's control socket.")


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("-f", "more_files", multiple=True, metavar="FILE", help="Carry out the statements in FILE.")
@click.option("-c", "from_stdin", is_flag=True, help="Carry out the statements on standard input.")
@click.option("-D", "dump", is_flag=True, help="Show the SAs; with -P, the policies.")
@click.option("-F", "flush", is_flag=True, help="Remove the SAs; with -P, the policies.")
@click.option("-P", "policies", is_flag=True, help="With -D or -F.")
@click.option("-n", "check_only", is_flag=True, help="Check only. Needs no daemon and no privileges.")
@click.option("-v", "verbose", is_flag=True, help="Show each statement that is carried out, without its keys.")
@click.option("--show-keys", is_flag=True, help="Show keys where SAs are shown.")
@click.option("--skip-unsupported", is_flag=True, help="Leave out what cannot be had here, with a warning.")
@click.option("-k", "-r", "-a", "-p", "ignored", is_flag=True, help="No effect; setkey has them.")
@_control
def setkey(
    files: tuple[str, ...],
    more_files: tuple[str, ...],
    from_stdin: bool,
    dump: bool,
    flush: bool,
    policies: bool,
    check_only: bool,
    verbose: bool,
    show_keys: bool,
    skip_unsupported: bool,
    ignored: bool,
    control_path: str | None,
) -> None:
    """Set SAs and policies by hand, in the language of setkey(8).

    Nothing is carried out unless all of it is right. Manual keys have no replay protection and are never replaced:
    where the peer can do IKE, use that.

    \b
    Examples:
      ike-auth setkey -n -f ipsec.conf
      ike-auth setkey -f ipsec.conf
      ike-auth setkey -DP
    """
    sources = [*files, *more_files]
    if sum((bool(sources), from_stdin, dump, flush)) != 1:
        raise click.UsageError("give files, or -c, or -D, or -F")
    if dump or flush:
        statement: Statement = (SpdDump() if policies else Dump()) if dump else SpdFlush() if policies else Flush()
        todo = [("", statement)]
    else:
        if policies:
            raise click.UsageError("-P goes with -D or -F")
        todo = [(str(s.where), s) for s in _loaded(sources, skip_unsupported)]
    if check_only:
        return
    with _opened(control_path) as control:
        sys.exit(_carry_out(control, todo, show_keys=show_keys, verbose=verbose))


@click.command(
    "ipsecadm",
    add_help_option=False,  # it may be anywhere among the arguments, which are none of click's options
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--help", "wants_help", is_flag=True, help="Show this message and exit.")
@click.option("--check", "check_only", is_flag=True, help="Check only; show the statement in setkey's language.")
@_control
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARGUMENT]...")
@click.pass_context
def ipsecadm_command(
    context: click.Context,
    wants_help: bool,
    check_only: bool,
    control_path: str | None,
    arguments: tuple[str, ...],
) -> None:
    """Set SAs and flows by hand, with the arguments of OpenBSD's old ipsecadm(8).

    COMMAND is new esp, new ah, flow, group, delspi or flush. Keys belong in files: everybody can see the arguments
    of a process.

    \b
    Examples:
      ike-auth ipsecadm new esp -spi 1001 -src 192.0.2.1 -dst 192.0.2.2 -forcetunnel
          -enc aes -keyfile enc.key -auth sha2-256 -authkeyfile auth.key
      ike-auth ipsecadm flow -src 192.0.2.1 -dst 192.0.2.2 -out -require
          -addr 10.1.0.0/16 10.2.0.0/16
    """
    wants_help = wants_help or not {"-h", "--help"}.isdisjoint(arguments)
    if wants_help or not arguments:
        click.echo(context.get_help())
        sys.exit(0 if wants_help else 2)
    if check_only:
        found = _converted(arguments, None)
        for statement in found:
            comment = "# no statement of setkey's: " if isinstance(statement, Group) else ""
            click.echo(comment + to_text(statement))
        return
    with _opened(control_path) as control:
        found = _converted(arguments, control)
        sys.exit(_carry_out(control, [("ipsecadm", statement) for statement in found]))


# --- reading


def _loaded(names: list[str], skip_unsupported: bool) -> list[Statement]:
    """The statements of all files, or of standard input. Says everything that is wrong, and exits, if anything is."""
    texts: list[tuple[str, str, os.stat_result | None]] = [(name, *_text(Path(name))) for name in names]
    texts = texts or [("stdin", _stdin(), None)]
    statements: list[Statement] = []
    refused = False
    for name, text, status in texts:
        try:
            program = checking.load(text, name, skip_unsupported=skip_unsupported)
        except StatementsRefused as refusal:
            refused = True
            for complaint in refusal.complaints:
                _say("error", complaint)
            continue
        _warn_of(program, name, status)
        statements += [s for s in program.statements if not isinstance(s, Exit)]
    if refused:
        sys.exit(1)
    return statements


def _warn_of(program: Program, name: str, status: os.stat_result | None) -> None:
    problems = Problems()
    if status is not None and program.has_keys:
        check_file_secrecy(Path(name), status, problems)
    for problem in problems.errors:
        _say("warning", problem)
    for warning in program.warnings:
        _say("warning", warning)


def _text(path: Path) -> tuple[str, os.stat_result]:
    """Of a file that nobody else can write."""
    problems = Problems()
    found = read_file(path, problems)
    if found is not None and check_file_integrity(path, found[1], problems):
        return _decoded(found[0]), found[1]
    raise Failed([_complaint(problem) for problem in problems.errors])


def _key_text(name: str) -> str:
    """Of a file that nobody else can read."""
    problems = Problems()
    found = read_secret_file(Path(name), problems)
    if found is None:
        raise Failed([_complaint(problem) for problem in problems.errors])
    return _decoded(found)


def _stdin() -> str:
    return _decoded(sys.stdin.buffer.read())


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _converted(arguments: tuple[str, ...], control: Control | None) -> tuple[Statement, ...]:
    try:
        found = ipsecadm.statements(arguments, _key_text, lambda *other: _our_end(control, *other))
        faults = [fault for statement in found for fault in checking.faults(statement)]
        if faults:
            raise Unusable(str(faults[0]), faults[0].hint)
    except Unusable as error:
        raise _failure(error) from None
    except ManualError as error:
        hint = error.hint or "ike-auth ipsecadm --help"
        raise Failed([Complaint(str(error), hint=hint)], WRONG_USAGE) from None
    for message, hint in checking.advice(found):
        tell("ike-auth", "warning", [Complaint(message, hint=hint)])
    return found


def _our_end(control: Control | None, theirs: IPAddress, security: Security) -> IPAddress | None:
    """The address that has SAs with another one, by what the daemon knows."""
    if control is None:
        return None
    for entry in results(control.request("sadb-dump", {"protocol": security.value}), "sas"):
        fields = Fields(entry)
        ends = fields.address("source"), fields.address("destination")
        if theirs in ends:
            return ends[0] if ends[1] == theirs else ends[1]
    return None


# --- carrying out


@contextmanager
def _opened(path: str | None) -> Iterator[Control]:
    from ike_auth.daemon.control import ControlClient, ControlError, default_path

    try:
        client = ControlClient(Path(path) if path is not None else default_path())
    except ControlError as error:
        raise _failure(error) from None
    with client:
        yield client


def _carry_out(
    control: Control, todo: list[tuple[str, Statement]], *, show_keys: bool = False, verbose: bool = False
) -> int:
    """One after the other, as setkey does; what fails is said, and does not keep the rest from being done."""
    status = 0
    for place, statement in todo:
        if verbose:
            click.echo(to_text(statement))
        command, arguments = request_of(statement)
        try:
            answer = control.request(command, arguments | ({"keys": True} if show_keys else {}))
            _show(statement, answer, show_keys)
        except _failures() as error:
            status = 1
            prefix = f"{place}: " if place else ""
            tell("ike-auth", "error", [Complaint(f"{prefix}{error}", hint=getattr(error, "hint", ""))])
    return status


def _show(statement: Statement, answer: Any, show_keys: bool) -> None:
    zone = datetime.now().astimezone().tzinfo
    assert zone is not None
    match statement:
        case Dump() | Get():
            click.echo(dumps.sas_text(answer, show_keys=show_keys, zone=zone, pid=os.getpid()))
        case SpdDump():
            click.echo(dumps.policies_text(answer, zone=zone, pid=os.getpid()))


def _failures() -> tuple[type[Exception], ...]:
    from ike_auth.daemon.control import ControlError

    return (LocalError, ControlError)


def _failure(error: Exception) -> Failed:
    return Failed([Complaint(str(error), hint=getattr(error, "hint", ""))])


class _Placed(Protocol):
    """What is wrong at some place of a text or a file."""

    @property
    def where(self) -> object: ...
    @property
    def message(self) -> str: ...
    @property
    def hint(self) -> str: ...


def _complaint(found: _Placed) -> Complaint:
    place = "" if found.where is None else f"{found.where}: "
    return Complaint(place + found.message, hint=found.hint)


def _say(kind: str, found: _Placed) -> None:
    tell("ike-auth", kind, [_complaint(found)])
