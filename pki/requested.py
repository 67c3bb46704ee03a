# SPDX-License-Identifier: ISC
"""An authority below somebody else's root: our key and a request (PKCS#10), and later the certificate that came back.

Until then the directory has no registry: `ca.toml`, and the key as keys/request.pem.
"""

import contextlib
import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from keynote.severity import Severity
from pki import (
    authority,
    certificate_lint,
    chain_certificates,
    chain_rules,
    founding,
    keys,
    keystore,
    recording,
    settings,
)
from pki.authorities import common_name
from pki.certificate_lint import Role
from pki.chain_certificates import ReadCertificate
from pki.directory import Directory
from pki.errors import LintFailed, PkiError, RegistryUnreachable, SchemaUnknown
from pki.keystore import Passphrase
from pki.profiles import Profile
from pki.records import Record, Reservation, serial_text
from pki.registry import Registry
from pki.settings import Settings

_PUBLIC = 0o644


def request(
    path: Path,
    name: str,
    file: Path,
    now: datetime.datetime,
    registry_url: str | None = None,
    *,
    kind: str | None = None,
    passphrase: bytes | None = None,
) -> bytes:
    """Make a CA directory whose authority awaits its certificate, and write the request for it, in PEM, to `file`.

    Raises PkiError; then everything is as it was before."""
    directory = Directory(path)
    subject = authority.authority_name(name)
    if registry_url is not None:
        _check_name(registry_url, subject, now)
    profile = directory.profiles()["intermediate"]
    profile.check_key(kind or profile.key)
    key = keys.generate(kind or profile.key)
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=profile.path_length), critical=True)
        .add_extension(authority.key_usage(profile), critical=True)
    )
    signed = builder.sign(key, keys.signature_hash(key.public_key()))
    pem = signed.public_bytes(Encoding.PEM)
    own_file = directory.requested_key_path
    temporary = _temporary(directory)
    with founding.whole_or_nothing(directory):
        directory.check_not_awaiting()
        if directory.registry_path.exists():
            raise PkiError(f"`{path}` holds a registry already", "choose a new directory")
        keystore.discard(temporary)  # of somebody who was killed
        try:
            if not directory.settings_path.exists():
                settings.write(directory.settings_path, Settings.new(registry_url))
            keystore.write(temporary, keystore.pem(key, passphrase=passphrase))
            keystore.write(file, pem, _PUBLIC)
            keystore.give_name(temporary, own_file)
        except BaseException:
            for written in (temporary, own_file):
                with contextlib.suppress(PkiError):
                    keystore.discard(written)
            with contextlib.suppress(OSError):
                if file.read_bytes() == pem:
                    file.unlink()
            raise
    return pem


def complete(
    path: Path, certificates: Sequence[bytes], now: datetime.datetime, *, passphrase: Passphrase | None = None
) -> Record:
    """Take the certificate (DER) that a request was answered with, and those above it up to a root, in any order.

    Raises PkiError; then the directory awaits it as before."""
    directory = Directory(path)
    if not directory.requested_key_path.exists():
        raise PkiError(f"`{path}` awaits no certificate", 'keynote-pki init DIR --name "…" --request FILE')
    key = keystore.load(directory.requested_key_path, passphrase)
    chain = _chain([chain_certificates.load(der) for der in certificates], keys.key_sha256(key.public_key()))
    _check(chain, now)
    known = directory.profiles()
    own_id = directory.settings().id
    above = [
        (_reservation(it, known["root" if it is chain[-1] else "intermediate"], own_id, now), it.der)
        for it in chain[:0:-1]
    ]
    file = directory.key_files(serial_text(chain[0].serial_number))[0]
    own = _reservation(chain[0], known["intermediate"], own_id, now, file, directory.requested_key_path.name)
    with founding.whole_or_nothing(directory):
        if directory.registry_path.exists():
            raise PkiError(f"`{path}` holds a registry already", "choose a new directory")
        keystore.discard(_temporary(directory))  # of a request that was killed
        if directory.settings().registry:
            Registry.create(directory.registry_url).adopt(above, (own, chain[0].der), now)
        else:
            with founding.hidden_registry(directory, own.serial) as hidden:
                Registry.create(hidden).adopt(above, (own, chain[0].der), now)
        registry = directory.registry()
        recording.recover(directory, registry)  # the key gets its name
        return registry.find_one(chain[0].sha256.hex())


def _check_name(registry_url: str, subject: x509.Name, now: datetime.datetime) -> None:
    """Before a root certifies what `complete` would have to refuse. Raises RegistryError."""
    try:
        registry = Registry.open_read_only(registry_url)
    except (RegistryUnreachable, SchemaUnknown):
        return  # it may not be there yet
    registry.check_authority_name(subject.public_bytes(), now)


def _temporary(directory: Directory) -> Path:
    return directory.requested_key_path.with_name(".request.new")


def _chain(found: Sequence[ReadCertificate], key_sha256: str) -> list[ReadCertificate]:
    """From the one with our key up to one that signed itself."""
    chain = [it for it in found if keys.key_sha256(it.public_key) == key_sha256][:1]
    if not chain:
        raise PkiError(
            "none of these certificates is for the key that was requested", "is it that of another request?"
        )
    while not chain[-1].self_issued:
        issuer = next((it for it in found if it not in chain and _signed(chain[-1], it)), None)
        if issuer is None:
            raise PkiError(
                f"the certificate of `{chain[-1].issuer}`, which signed `{chain[-1].subject}`, is missing",
                "give it, and all above it up to the root: --chain FILE",
            )
        chain.append(issuer)
    if len(chain) == 1:
        raise PkiError("this certificate signed itself", "have it issued by a root")
    return chain


def _signed(certificate: ReadCertificate, issuer: ReadCertificate) -> bool:
    try:
        certificate.certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check(chain: Sequence[ReadCertificate], now: datetime.datetime) -> None:
    """Whether peers will believe what the first of them issues. Raises PkiError."""
    for below, link in enumerate(chain):
        chain_rules.check_authority(link)
        chain_rules.check_validity(link, now)
        constraints = chain_rules.extension(link, x509.BasicConstraints)
        if constraints is not None and constraints.path_length is not None and constraints.path_length < below:
            raise PkiError(
                f"`{link.subject}` may have {constraints.path_length} authorities below, not {below}",
                "have the certificate issued by an authority with a longer path length",
            )
    wrong = [
        str(finding)
        for finding in certificate_lint.lint(
            chain[0], chain[1], role=Role.AUTHORITY, platforms=certificate_lint.EVERYWHERE, now=now
        )
        if finding.severity is Severity.ERROR
    ]
    if wrong:
        raise LintFailed(f"certificate `{chain[0].subject}` is not taken: {'; '.join(wrong)}")


def _reservation(
    certificate: ReadCertificate,
    profile: Profile,
    directory: str,
    now: datetime.datetime,
    key_file: str | None = None,
    temporary_file: str | None = None,
) -> Reservation:
    return recording.reservation_of(
        certificate,
        profile,
        common_name(certificate.certificate.subject),
        directory,
        now,
        key_file=key_file,
        temporary_file=temporary_file,
    )
