# SPDX-License-Identifier: ISC
"""What the command line gives to a query: files, principals, attributes.

Everything is bytes taken as Latin-1, arguments as well, so that a name typed in a UTF-8 terminal equals the same name
in a UTF-8 policy file.
"""

import os
import re
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from keynote import keys, limits, literals
from keynote.assertions import (
    CARRIAGE_RETURN,
    CARRIAGE_RETURN_HINT,
    Assertion,
)
from keynote.cli.program import json_option, tell
from keynote.complaints import BadInput, Complaint, Place
from keynote.encodings import wrong_encoding
from keynote.environment import Unknown, is_attribute_name
from keynote.explanation import Decision
from keynote.files import (
    EXPOSED,
    SetAside,
    holds_secret,
    is_open_to_others,
    parse_credentials,
    parse_policy,
    read_policy,
)
from keynote.limits import Limits
from keynote.principals import UndecodableKey, canonical
from keynote.redaction import is_private_key, quoted, secrets_of_value
from keynote.session import Session


class InputError(BadInput):
    """An argument or an input file that cannot be used."""


def latin_1(argument: str) -> str:
    return os.fsencode(argument).decode("latin-1")


def query_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `eval` and `why` share."""
    return _with(_OPTIONS, command)


def action_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those that tell an action, and its compliance values."""
    return _with(_ACTION_OPTIONS, command)


def _with(options: Sequence[Callable[..., Any]], command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


def legacy_option() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--legacy-signatures`."""
    return click.option("--legacy-signatures", is_flag=True, help="Accept signatures over MD5 and SHA-1.")


NAME_POLICIES: Final = "name one or more files, with or without -p"
FILE: Final = click.Path(dir_okay=False, path_type=Path)


def policy_option(type: click.Path = FILE) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `-p`, the command's parameter `policies`. Every command that reads policies has it; docs/keynote.md
    says which take them without it."""
    return click.option("-p", "--policy", "policies", multiple=True, type=type, help="File of trusted assertions.")


_ACTION_OPTIONS: Final = (
    click.option(
        "-a", "--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="An attribute of the action."
    ),
    click.option(
        "--action",
        "action_files",
        multiple=True,
        type=FILE,
        help='File of attributes, `name=value` or `name = "value"` a line.',
    ),
    click.option("--values", default="false,true", show_default=True, help="Compliance values, lowest first."),
)
_OPTIONS: Final = (
    policy_option(),
    click.option("-c", "--credential", "credentials", multiple=True, type=FILE, help="File of credentials."),
    click.option(
        "-k",
        "--authorizer",
        "authorizers",
        multiple=True,
        metavar="PRINCIPAL|@FILE",
        help="Who requests the action; @FILE reads principals from a file, as keynote(1) writes them or one a line.",
    ),
    *_ACTION_OPTIONS,
    click.option(
        "--unknown",
        multiple=True,
        metavar="NAME",
        help="An attribute whose value is not known; '*' stands for all that are not given.",
    ),
    legacy_option(),
    json_option(),
)


def decide(
    policies: Sequence[Path],
    credentials: Sequence[Path],
    authorizers: Sequence[str],
    attributes: Sequence[str],
    action_files: Sequence[Path],
    values: str,
    unknown: Sequence[str],
    legacy_signatures: bool,
) -> Decision:
    """Load everything and ask. Raises KeynoteError."""
    if not policies:
        raise InputError("no policy", hint="give one or more with -p")
    if not authorizers:
        raise InputError("nobody requests the action", hint="give one or more with -k")
    action = action_of(attributes, action_files)
    session = session_of(policies, credentials, Limits(legacy_signatures))
    return session.query(action, principals_of(authorizers), compliance_values(values), unknown_of(unknown, action))


def session_of(policies: Sequence[Path], credentials: Sequence[Path], limits: Limits) -> Session:
    """Raises KeynoteError."""
    trusted = [assertion for path in each_once(policies) for assertion in policy(path)]
    untrusted: list[Assertion] = []
    set_aside: list[SetAside] = []
    for path in each_once(credentials):
        usable, refused = parse_credentials(read_assertions(path), name=str(path))
        untrusted += usable
        set_aside += refused
    return Session(trusted, untrusted, set_aside=set_aside, limits=limits)


def each_once(paths: Iterable[Path]) -> list[Path]:
    """Files without those that are there already, by whatever name: an assertion that is given twice says nothing
    more."""
    return list({os.path.realpath(path): path for path in reversed(list(paths))}.values())[::-1]


def action_of(attributes: Sequence[str], action_files: Sequence[Path]) -> dict[str, str]:
    """Attributes of files, and in their place those of the command line. Raises InputError for one that has different
    values in files, or on the command line."""
    action: dict[str, str] = {}
    for path in action_files:
        action_file(text_of(path), str(path), action)
    return action | _attributes(attributes)


def principals_of(arguments: Sequence[str]) -> list[str]:
    """Raises InputError for what says that it is a key, and is none, or is a private one: nobody requests as that."""
    return [_readable(principal, argument) for argument in arguments for principal in _principals(argument)]


def _readable(principal: str, argument: str) -> str:
    where = Place(argument[1:]) if argument.startswith("@") else None
    refuse_private(principal, where)
    try:
        canonical(principal)
    except UndecodableKey as error:
        message = str(error) if where else f"-k {error}"
        raise InputError(message, where, "a key is given as `keynote keygen` writes it, or by `-k @FILE`") from None
    return principal


def compliance_values(argument: str, option: str = "--values") -> list[str]:
    """At least a highest one above a lowest: the exit status tells by them."""
    values = latin_1(argument).split(",")
    if len(set(values)) < 2 or "" in values:
        raise InputError(f"{option} {quoted(argument)}", hint="write the lowest, ..., the highest: `false,true`")
    return values


def _attributes(arguments: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for argument in arguments:
        name, value = _attribute(argument)
        _give(given, name, value)
    return given


def _give(given: dict[str, str], name: str, value: str, where: Place | None = None) -> None:
    if given.setdefault(name, value) != value:
        raise InputError(f"attribute {quoted(name)} is given twice, with different values", where)


def policy(path: Path) -> tuple[Assertion, ...]:
    """A file of trusted assertions. Raises PolicyError and InputError."""
    return parse_policy(policy_text(path), name=str(path))


def policy_text(path: Path) -> str:
    """The text of such a file, and a warning where it tells others a secret."""
    try:
        text, exposed = read_policy(path)
    except OSError as error:
        raise _unreadable(error, path) from error
    if exposed:
        _warn_of_exposed(path)
    return text


def read(path: Path) -> bytes:
    """A file's bytes. Raises InputError, also for one that is larger than any policy may be."""
    return _read(path)[0]


def read_assertions(path: Path) -> bytes:
    """The same of a file of assertions, and a warning where it tells others a secret."""
    content, others_may_read = _read(path)
    if others_may_read and holds_secret(content.decode("latin-1")):
        _warn_of_exposed(path)
    return content


def _read(path: Path) -> tuple[bytes, bool]:
    try:
        with path.open("rb") as file:
            return within_limit(file.read(limits.FILE_SIZE + 1), path), is_open_to_others(file)
    except OSError as error:
        raise _unreadable(error, path) from error


def _unreadable(error: OSError, path: Path) -> InputError:
    hint = "`/dev/stdin` reads standard input, and `./-` a file of this name" if str(path) == "-" else ""
    return InputError(error.strerror or str(error), Place(str(path)), hint)


def _warn_of_exposed(path: Path) -> None:
    tell("keynote", "warning", [Complaint(EXPOSED, Place(str(path)), f"chmod 600 {path}")])


def within_limit(content: bytes, path: Path) -> bytes:
    """Raises InputError for more than a file may have."""
    if len(content) > limits.FILE_SIZE:
        raise InputError(f"a file of more than {limits.FILE_SIZE:,} bytes", Place(str(path)))
    return content


def text_of(path: Path, read: Callable[[Path], bytes] = read) -> str:
    text = read(path).decode("latin-1")
    encoding = wrong_encoding(text)  # a byte order mark would be part of the first name
    if encoding is not None:
        raise InputError(encoding[0], Place(str(path), 1, 1), encoding[1])
    return text


def _attribute(argument: str) -> tuple[str, str]:
    name, equals, value = latin_1(argument).partition("=")
    if not equals:
        raise InputError(f"{quoted(name)} is no attribute", hint="write `name=value`")
    return name, value


def unknown_of(names: Sequence[str], given: Container[str]) -> Container[str]:
    if "*" in names:
        return Unknown.except_(())
    for name in names:
        if not is_attribute_name(latin_1(name)):
            several = "," in name or " " in name
            hint = "give --unknown once for each" if several else "names are letters, digits and `_`, a letter first"
            raise InputError(f"--unknown {quoted(latin_1(name))} is no attribute name", hint=hint)
        if name in given:
            raise InputError(f"attribute `{name}` is given and unknown at the same time")
    return frozenset(map(latin_1, names))


# -- principals ------------------------------------------------------------------------------------------------------

_BLANKS = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_LITERAL = re.compile(literals.PATTERN)
# A field of an assertion, or a section or a setting of a configuration file.
_NO_PRINCIPAL = re.compile(
    r"[ \t]*(?:(?:keynote-version|comment|local-constants|authorizer|licensees|conditions|signature)[ \t]*:"
    r"|\[[^]]*\][ \t]*$|[A-Za-z0-9_.-]+[ \t]*=(?:[ \t]|[^=]*[^= \t]))",
    re.IGNORECASE,
)


def _principals(argument: str) -> list[str]:
    if not argument:
        raise InputError("an empty principal (-k) requests nothing")
    if not argument.startswith("@"):
        return [latin_1(argument)]
    path = Path(argument[1:])
    found = principals_file(text_of(path), str(path))
    if any(map(secrets_of_value, found)) and _read(path)[1]:
        _warn_of_exposed(path)
    return found


def refuse_private(principal: str, where: Place | None) -> None:
    """Raises InputError for a private key in the place of the principal, which is the public one."""
    if is_private_key(principal):
        raise InputError("a private key", where, "give the public one: that is who requests, and no secret")


def principals_file(text: str, name: str) -> list[str]:
    """String literals with comments, as keynote(1) reads and writes keys; or plain principals, one a line; or one
    public key or certificate in PEM.

    Raises InputError, also for a file of something else: a line of it would be a principal whom nobody knows, and is
    not shown, as there may be a secret in it.
    """
    if "-----BEGIN " in text:
        refuse_private(text, Place(name))
        return [_pem_principal(text, name)]
    if "\0" in text:
        raise InputError("neither principals nor PEM, but binary", Place(name))
    position = _end_of_blanks(text, 0)
    if not text.startswith('"', position):
        found = []
        for number, each in enumerate(text.splitlines(), 1):
            if _NO_PRINCIPAL.match(each):
                hint = "without quotes each line is one; what looks like a field or a setting has to stand in quotes"
                raise InputError("neither a principal nor a key", Place(name, number), hint)
            if each.strip() and not each.startswith("#"):
                found.append(each.strip())
    else:
        found = []
        while position < len(text):
            literal = _LITERAL.match(text, position)
            if literal is None:
                line = text.count("\n", 0, position) + 1
                raise InputError("expected a quoted principal", Place(name, line))
            found.append(literals.decode(literal[0]))
            position = _end_of_blanks(text, literal.end())
    if not found:
        raise InputError("no principal in this file", Place(name))
    return found


def _pem_principal(text: str, name: str) -> str:
    if text.count("-----BEGIN ") > 1:
        hint = "of a chain, give the first alone: its key is who requests"
        raise InputError("more than one certificate or key", Place(name), hint)
    try:
        return keys.text(keys.from_pem(text))
    except keys.NoKey as error:
        raise InputError(f"this PEM {error}", Place(name)) from None


def _end_of_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return position if match is None else match.end()


# -- action files ----------------------------------------------------------------------------------------------------

_QUOTED = re.compile(rf"[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*({literals.PATTERN})[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_PLAIN = re.compile(r"([^=\n]*)=([^\n]*)(?:\n|\Z)")
_EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")


def action_file(
    text: str, name: str, given: dict[str, str] | None = None, *, last_counts: bool = False
) -> dict[str, str]:
    """Attributes besides those that are `given`, one a line: `name=value`, where the value is all of the rest, or
    keynote(1)'s `name = "value"`, whose string may go on over lines. Empty lines and `#` lines mean nothing. Of
    several values of one attribute either the `last_counts`, or they are an error."""
    action = {} if given is None else given

    def give(attribute: str, value: str) -> None:
        if last_counts:
            action[attribute] = value
        _give(action, attribute, value, _place(name, text, position))

    position = 0
    if "\r" in text:
        raise InputError(CARRIAGE_RETURN, _place(name, text, text.index("\r")), CARRIAGE_RETURN_HINT)
    while position < len(text):
        if empty := _EMPTY.match(text, position):
            position = empty.end()
        elif match := _QUOTED.match(text, position):
            give(match[1], literals.decode(match[2]))
            position = match.end()
        elif match := _PLAIN.match(text, position):
            if match[2] != match[2].strip(" \t"):
                hint = "write `name=value`, or the value in quotes, where blanks count"
                raise InputError("blanks around a value", _place(name, text, position), hint)
            give(match[1].strip(), match[2])
            position = match.end()
        else:
            raise InputError("no attribute", _place(name, text, position), "write `name=value`")
    return action


def _place(name: str, text: str, position: int) -> Place:
    return Place(name, text.count("\n", 0, position) + 1)
