# SPDX-License-Identifier: ISC
"""`keynote-pki certpatch`, and certpatch by itself, as isakmpd's README.PKI calls it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import click
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from keynote.cli.outputs import refuse_input
from keynote.cli.program import Program, print_json, tell
from keynote.complaints import Complaint
from pki import certificate_files, certpatch, chain_certificates, keystore, names
from pki.cli import inputs, passphrases, tables
from pki.cli.common import as_json
from pki.cli.complaints import complaints
from pki.errors import KeystoreError, PkiError, shown
from pki.names import Identity
from pki.records import serial_text

_KINDS: Final[Mapping[str, Callable[[str], Identity]]] = {
    "ip": names.address,
    "fqdn": lambda text: Identity("FQDN", names.fqdn(text)),
    "ufqdn": lambda text: Identity("USER_FQDN", names.mail(text)),
}
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_MODE: Final = 0o644
_NO_RSA: Final = (b"BEGIN EC PRIVATE KEY", b"BEGIN DSA PRIVATE KEY")  # PEM before PKCS#8


@click.command("certpatch", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-t", "kind", type=click.Choice(list(_KINDS)), default="ip", show_default=True, help="What ID is.")
@click.option("-i", "identity", required=True, metavar="ID", help="The address, host name or mail address.")
@click.option("-k", "key_file", required=True, type=_FILE, metavar="CAKEY", help="The authority's RSA key, in PEM.")
@click.argument("source", metavar="IN", type=_FILE)
@click.argument("destination", metavar="OUT", type=_FILE)
@passphrases.in_file
@as_json
def command(
    kind: str,
    identity: str,
    key_file: Path,
    source: Path,
    destination: Path,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Sign a certificate anew, with another subjectAltName. IN and OUT may be one file.

    As certpatch(8), for those who follow isakmpd's README.PKI; with SHA-256 in place of SHA-1. The registry does not
    know what comes out: `keynote-pki issue` makes certificates with the right names at once.

    \b
    Example:
      keynote-pki certpatch -t fqdn -i gw.example.org -k /etc/ssl/private/ca.key gw.crt gw.crt
      certpatch -i 10.0.0.1 -k /etc/ssl/private/ca.key 10.0.0.1.crt 10.0.0.1.crt
    """
    program = click.get_current_context().command_path.split()[0]
    wanted = _KINDS[kind](identity)
    found = certificate_files.certificates(inputs.content(source))
    if len(found) > 1:
        raise PkiError(f"`{source}` holds {len(found)} certificates", "give a file with one")
    certificate = chain_certificates.load(found[0])
    certpatch.check_signed_with_rsa(certificate)
    result = certpatch.patched(certificate, wanted, _key(key_file, passphrases.source(passphrase_file)))
    refuse_input(destination, [key_file])
    keystore.replace(destination, result.certificate.public_bytes(Encoding.PEM), _MODE)
    if as_json:
        print_json(
            {
                "file": str(destination),
                "identity": {"kind": wanted.kind, "value": wanted.value},
                "dropped": result.dropped,
                "serial": serial_text(result.certificate.serial_number),
            }
        )
    else:
        tables.echo_line(f"{destination}: `{certificate.subject}` is {wanted} now")
    tell(program, "warning", _warnings(result))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run as certpatch, and exit: 0 done, 1 refused or failed, 2 wrong usage."""
    Program("certpatch", command, complaints, unsaid="OUT may be written").run(arguments)


def _warnings(result: certpatch.Patched) -> list[Complaint]:
    found = [
        Complaint(
            "this is a second certificate with the serial number of the first: no registry knows it, and revoking one"
            " revokes both",
            hint="keynote-pki issue makes one with the right names",
        )
    ]
    if result.dropped:
        lost = ", ".join(f"`{shown(name)}`" for name in result.dropped)
        found.append(Complaint(f"it does not certify {lost} any more"))
    if result.digest:
        found.append(Complaint(f"it was signed with {result.digest}, and is with SHA-256 now"))
    return found


def _key(path: Path, passphrase: keystore.Passphrase) -> rsa.RSAPrivateKey:
    """The kind is looked at first where it can be read without a passphrase; a pipe cannot be read twice."""
    written = keystore.read(path) if path.is_file() else b""
    key = None if any(kind in written for kind in _NO_RSA) else keystore.load(path, passphrase)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeystoreError(f"`{path}` does not hold an RSA key", "certpatch knows RSA only")
    return key
