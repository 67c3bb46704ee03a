# SPDX-License-Identifier: ISC
"""`--for`: whose software a certificate is meant for."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from keynote.cli.program import tell
from keynote.complaints import Complaint
from keynote.severity import Severity
from pki.authority import Prepared
from pki.certificate_lint import Finding, Platform, advice
from pki.errors import LintFailed, shown

F = TypeVar("F", bound=Callable[..., Any])

ALL: Final = "all"


def option(about: str) -> Callable[[F], F]:
    """The option; the command's parameter is `wanted`."""
    return click.option(
        "--for",
        "wanted",
        default="",
        metavar="LIST",
        callback=_platforms,
        help=f"{about}: {','.join(Platform)}, {ALL}.",
    )


def _platforms(context: click.Context, parameter: click.Parameter, value: str) -> frozenset[Platform]:
    """`ios,windows`, or `all`."""
    words = [word.strip().lower() for word in value.split(",") if word.strip()]
    if ALL in words:
        return frozenset(Platform)
    for word in words:
        if word not in list(Platform):
            raise click.BadParameter(f"no platform `{shown(word)}`: there are {', '.join(Platform)} and {ALL}")
    return frozenset(map(Platform, words))


def review(prepared: Prepared, wanted: frozenset[Platform]) -> None:
    """Tell what would fail there of a certificate that is about to be signed. Raises as `warnings` does."""
    tell("keynote-pki", "warning", warnings(prepared, wanted))


def warnings(prepared: Prepared, wanted: frozenset[Platform]) -> tuple[Complaint, ...]:
    """What would fail there of a certificate that is about to be signed. Raises LintFailed where it would be
    refused: whoever names a platform wants it to work."""
    found = advice(prepared.certificate, prepared.issuer, platforms=wanted)
    if wrong := [it for it in found if it.severity is Severity.ERROR]:
        hint, named = wrong[0].hint.removesuffix("."), ", ".join(sorted({it.platform for it in wrong}))
        raise LintFailed(
            f"certificate `{prepared.certificate.subject}` is not issued: {'; '.join(map(_told, wrong))}",
            f"{hint}; or leave {named} out of --for",
        )
    return tuple(Complaint(_told(it), hint=it.hint) for it in found)


def _told(finding: Finding) -> str:
    return f"{finding.platform}: {finding.message} [{finding.code}]: {finding.fails}"
