# SPDX-License-Identifier: ISC
"""What a request for a certificate asks for, shown and decided on."""

import sys
from pathlib import Path

import click

from keynote.cli.program import tell
from keynote.complaints import Complaint
from pki import signing_requests
from pki.cli import inputs
from pki.cli.common import confirm
from pki.errors import PkiError
from pki.names import Identity
from pki.signing_requests import SigningRequest
from pki.typed_names import in_words

csr = click.option(
    "--csr",
    "request_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A request (PKCS#10) with the holder's own key.",
)
accept = click.option("--accept", is_flag=True, help="Take the names that the request asks for.")


def read(path: Path) -> SigningRequest:
    """Raises PkiError, which names the file."""
    content = inputs.content_or_standard(path)
    try:
        return signing_requests.read(content)
    except PkiError as error:
        raise PkiError(f"`{path}`: {error}", error.hint) from error


def decided(request: SigningRequest, given: tuple[Identity, ...], *, accepted: bool) -> tuple[Identity, ...]:
    """The names for the certificate: those that are `given`, else those of the request if somebody confirms them.
    What is not taken is told. Raises PkiError where there is nobody to confirm, or nothing."""
    tell("keynote-pki", "note", [Complaint(f"the request asks for {in_words(request.identities)}")])
    left = [str(it) for it in request.identities if given and it not in given]
    left += [*request.unfit_names, *request.other_extensions]
    if request.subject:
        left.append(f"subject `{request.subject}`")
    if left:
        tell("keynote-pki", "note", [Complaint(f"not taken of the request: {', '.join(left)}")])
    if given:
        return given
    if not request.identities:
        raise PkiError(
            "the request has no name that can be certified", "name its holder: keynote-pki issue PROFILE NAME"
        )
    if not accepted:
        if not sys.stdin.isatty():
            raise PkiError(
                f"nobody has confirmed that the key's holder is {in_words(request.identities)}",
                "take these names with --accept, or give others",
            )
        confirm("certify these names?")
    return request.identities
