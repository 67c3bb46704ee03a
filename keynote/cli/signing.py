# SPDX-License-Identifier: ISC
"""`keynote keygen`, `sign` and `sigver`: keynote(1)'s commands, whose arguments, files and output these have."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from keynote import keys, private_keys, signatures, signing
from keynote.assertions import Assertion
from keynote.cli import outputs
from keynote.cli.inputs import FILE, InputError, latin_1, principals_file, read_assertions, text_of
from keynote.cli.outputs import PUBLIC, SECRET, STANDARD_OUTPUT, Output, refuse_existing, write
from keynote.cli.program import json_option, print_json, require_output, settled, tell
from keynote.complaints import Complaint, Place
from keynote.errors import Problem, SignatureError
from keynote.files import SetAside, parse_credentials, problem
from keynote.private_keys import KINDS, PrivateKey, UnusablePrivateKey
from keynote.redaction import quoted
from keynote.signing import LENGTH, OFFSET

_SEPARATOR: Final = "=" * 27
#: Of the lines of a signature.
_SHORTEST: Final = 2
#: Of any: more than a key has characters, and no more blanks before each than memory has room for.
_LONGEST: Final = 100_000
_WIDEST: Final = 1_000


def _layout(command: Callable[..., Any]) -> Callable[..., Any]:
    for argument in (
        click.argument("print_length", type=click.IntRange(1, _LONGEST), default=LENGTH, metavar="[PRINT-LENGTH]"),
        click.argument("print_offset", type=click.IntRange(0, _WIDEST), default=OFFSET, metavar="[PRINT-OFFSET]"),
    ):
        command = argument(command)
    return command


# -- keygen ----------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("algorithm", metavar="ALGORITHM")
@click.argument("bits", type=click.IntRange(min=1), metavar="KEY-SIZE")
@click.argument("public_file", type=FILE, metavar="PUBLIC-KEY-FILE")
@click.argument("private_file", type=FILE, metavar="PRIVATE-KEY-FILE")
@_layout
@click.option("--force", is_flag=True, help="Write over files that are there.")
def keygen(
    algorithm: str,
    bits: int,
    public_file: Path,
    private_file: Path,
    print_offset: int,
    print_length: int,
    force: bool,
) -> None:
    """Make a key pair.

    ALGORITHM is rsa-, dsa-, ec-, ed25519- or x509-, and hex: or base64:. KEY-SIZE is in bits: 256, 384 or 521 for
    ec, 256 for ed25519. The private key's file is for its owner alone. `-` prints a key. PRINT-OFFSET (12) is how
    far lines are indented, PRINT-LENGTH (50) how long they are.

    An x509 key is a self-signed certificate, and its private key PEM.

    \b
    Example:
      keynote keygen ed25519-base64: 256 alice.pub alice.key
    """
    label = algorithm if algorithm.endswith(":") else f"{algorithm}:"
    kind, _, encoding = label.lower().removesuffix(":").partition("-")
    if kind not in KINDS or encoding not in signatures.ENCODINGS:
        raise InputError(
            f"{quoted(latin_1(algorithm))} is no algorithm of keys",
            hint=f"{', '.join(f'{kind}-' for kind in KINDS)} with hex: or base64:",
        )
    longest = label if kind == "x509" else f"{private_keys.PREFIX}{label}"  # with a key that is PEM
    if len(longest) + 2 > print_length:
        raise InputError(
            f"PRINT-LENGTH {print_length} is too short", hint=f"for `{longest}`, {len(longest) + 2} at least"
        )
    _check_files(public_file, private_file, force)
    if not STANDARD_OUTPUT.isdisjoint(map(str, (public_file, private_file))):
        require_output()
    key = private_keys.generate(kind, bits)
    if kind == "x509":
        public, private = private_keys.certificate_text(key, encoding), private_keys.private_pem(key)
    else:
        public = keys.text(key.public_key(), encoding)
        private = _printed(private_keys.private_text(key, encoding), print_offset, print_length)
    public = _printed(public, print_offset, print_length)
    if str(public_file) == str(private_file) == "-":
        public += f"{_SEPARATOR}\n"
    write([Output(public_file, public, PUBLIC), Output(private_file, private, SECRET)], force=force)


def _check_files(public_file: Path, private_file: Path, force: bool) -> None:
    if str(public_file) == "-" and str(private_file) == "-":
        return
    if os.path.realpath(public_file) == os.path.realpath(private_file):
        raise InputError("one file for both keys", Place(str(private_file)))
    if not force:
        for path in (public_file, private_file):
            if str(path) != "-":
                refuse_existing(path)


def _printed(key: str, offset: int, length: int) -> str:
    return signing.laid_out(key, offset, length, head=key.index(":") + 1) + "\n"


# -- sign ------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("algorithm", metavar="ALGORITHM")
@click.argument("assertion_file", type=FILE, metavar="ASSERTION-FILE")
@click.argument("private_file", type=FILE, metavar="PRIVATE-KEY-FILE")
@_layout
@click.option("-v", "verify", is_flag=True, help="Verify the new signature; this is always done.")
@click.option("--in-place", is_flag=True, help="Write the signature into the file instead of printing it.")
def sign(
    algorithm: str,
    assertion_file: Path,
    private_file: Path,
    print_offset: int,
    print_length: int,
    verify: bool,
    in_place: bool,
) -> None:
    """Sign an assertion, whose Authorizer is the key.

    ALGORITHM is sig-rsa-sha256-, sig-ecdsa-sha256- or sig-ed25519-, or one of the old ones: sig-rsa-sha1-,
    sig-rsa-md5-, sig-dsa-sha1-, sig-x509-sha1-; and hex: or base64:. The signature is printed, to be put behind
    `Signature:`, which comes last in the assertion; --in-place does that, and replaces one that is there.

    PRIVATE-KEY-FILE is what keygen writes, or PEM. PRINT-OFFSET (12) is how far lines are indented, PRINT-LENGTH (50)
    how long they are.

    \b
    Example:
      keynote sign --in-place sig-ed25519-base64: credential.kn alice.key
    """
    label = algorithm if algorithm.endswith(":") else f"{algorithm}:"
    chosen, _ = signing.algorithm_of(latin_1(label))
    key = private_key(private_file)
    text, name = text_of(assertion_file, read_assertions), str(assertion_file)
    if print_length < _SHORTEST:
        hint = f"a line that goes on has a backslash and something before it: {_SHORTEST} at least"
        raise InputError(f"PRINT-LENGTH {print_length} is too short", hint=hint)
    if not in_place:
        require_output()
    if in_place and not print_offset:
        raise InputError("PRINT-OFFSET 0", hint="in an assertion, a line that goes on is indented")
    if in_place:
        signed = signing.signed(text, key, label, name=name, offset=print_offset, length=print_length)
        outputs.replace(assertion_file, signed, assertion_file.stat().st_mode & 0o7777)
    else:
        click.echo(signing.laid_out(signing.sign(text, key, label, name=name), print_offset, print_length))
    if chosen.legacy:
        hint = "who checks it has to accept those; sig-rsa-sha256, sig-ecdsa-sha256 and sig-ed25519 are none"
        tell("keynote", "warning", [Complaint(f"{chosen.name} is a legacy signature", Place(name), hint)])


def private_key(path: Path) -> PrivateKey:
    """The key in a file. Raises InputError; warns if others can read it."""
    text = text_of(path)
    try:
        key = private_keys.load_private_key(text if _is_pem(text) else _only_key(text, path))
    except UnusablePrivateKey as error:
        raise InputError(str(error), Place(str(path))) from None
    if path.is_file() and path.stat().st_mode & 0o077:
        hint = f"chmod 600 {path}"
        tell("keynote", "warning", [Complaint("others can read this private key", Place(str(path)), hint)])
    return key


def _is_pem(text: str) -> bool:
    return "-----BEGIN " in text


def _only_key(text: str, path: Path) -> str:
    found = principals_file(text, str(path))
    if len(found) > 1:
        raise InputError("more than one key", Place(str(path)))
    return found[0]


# -- sigver ----------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("assertion_file", type=FILE, metavar="ASSERTION-FILE")
@click.option("--strict", is_flag=True, help="Exit with 1 unless every signature verifies.")
@json_option()
def sigver(assertion_file: Path, strict: bool, as_json: bool) -> int:
    """Verify the signature of each assertion in a file, those over MD5 and SHA-1 as well.

    As with keynote(1), the answer is in the output, a line for each assertion, counted from 0; the exit status is 1
    only if something cannot be read. With --strict it is 1 unless all signatures verify.

    \b
    Example:
      keynote sigver --strict credentials.kn
    """
    results = list(_verified(*parse_credentials(read_assertions(assertion_file), name=str(assertion_file))))
    if not results:
        raise InputError("no assertions", Place(str(assertion_file)))
    unreadable = any(isinstance(item, SetAside) for item, _ in results)
    status = settled(int(unreadable or (strict and any(reason for _, reason in results))))
    if as_json:
        print_json([_result_data(number, *result) for number, result in enumerate(results)])
    else:
        for number, (item, reason) in enumerate(results):
            _print_result(number, item, reason)
    return status


def _verified(
    assertions: Sequence[Assertion], unreadable: Sequence[SetAside]
) -> Iterator[tuple[Assertion | SetAside, str]]:
    """Everything in the order of the text, and why it does not verify: empty if it does."""
    everything: list[Assertion | SetAside] = [*assertions, *unreadable]
    for item in sorted(everything, key=lambda item: item.where.line):
        if isinstance(item, SetAside):
            yield item, item.reason
            continue
        try:
            signatures.verify(item, legacy=True)
        except SignatureError as error:
            yield item, str(error)
        else:
            yield item, ""


def _print_result(number: int, item: Assertion | SetAside, reason: str) -> None:
    if isinstance(item, SetAside):
        found = item.problem or Problem(item.where, item.reason)
        tell("keynote", "error", [_of_assertion(number, found)])
    elif reason:
        click.echo(f"Signature on assertion {number} did not verify!")
        field = item.signature
        at = item.start if field is None else field.start + field.tree.at
        tell("keynote", "warning", [_of_assertion(number, problem(item.source, at, reason))])
    else:
        click.echo(f"Signature on assertion {number} verified.")


def _of_assertion(number: int, found: Problem) -> Complaint:
    return Complaint.about(replace(found, message=f"assertion {number}: {found.message}"))


def _result_data(number: int, item: Assertion | SetAside, reason: str) -> dict[str, Any]:
    where = {"file": item.where.file, "line": item.where.line, "column": item.where.column}
    return {"assertion": number, "where": where, "verified": not reason, "reason": reason}
