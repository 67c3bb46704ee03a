# SPDX-License-Identifier: ISC
"""Who answers OCSP requests for the authorities of a CA directory: certificates for that, and their keys.

An authority's own key need not be where requests are answered: it certifies another one for some months (RFC 6960
4.2.2.2), whose certificate clients are told not to ask about in turn (id-pkix-ocsp-nocheck).
"""

import datetime
from collections.abc import Callable, Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki import authority, chain_certificates, chain_rules, keys, profiles, recording
from pki.authority import Prepared
from pki.chain_certificates import ReadCertificate
from pki.directory import Directory
from pki.errors import PkiError
from pki.keys import Signer
from pki.keystore import Passphrase
from pki.ocsp import Responder
from pki.profiles import Profile
from pki.recording import Piece
from pki.records import AuthorityRecord, Record
from pki.registry import Registry

PROFILE: Final = Profile(
    name=profiles.OCSP,
    about="answers OCSP requests for its authority",
    lifetime=datetime.timedelta(days=90),
    key_usage=frozenset({"digital_signature"}),
    extended_key_usages=(ExtendedKeyUsageOID.OCSP_SIGNING,),
    key="p-256",
)

# What a revoked authority issued may be asked about all the same.
_ANSWERS: Final = ("valid", "revoked authority")


def prepare(
    name: str,
    issuer: ReadCertificate,
    public_key: CertificatePublicKeyTypes,
    now: datetime.datetime,
    lifetime: datetime.timedelta,
) -> Prepared:
    """A certificate for whoever answers for `issuer`; it ends with it at the latest. Raises PkiError."""
    if not issuer.not_before <= now <= issuer.not_after:
        raise PkiError(f"authority `{issuer.subject}` is not valid now")
    begin = now.astimezone(datetime.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(authority.name_below(issuer.certificate.subject, name))
        .issuer_name(issuer.certificate.subject)
        .public_key(public_key)
        .serial_number(recording.new_serial())
        .not_valid_before(max(begin - PROFILE.backdate, issuer.not_before))
        .not_valid_after(min(begin + lifetime, issuer.not_after))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(authority.key_usage(PROFILE), critical=True)
        .add_extension(x509.ExtendedKeyUsage(PROFILE.extended_key_usages), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    if (identifier := chain_rules.extension(issuer, x509.SubjectKeyIdentifier)) is not None:
        from_identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier
        builder = builder.add_extension(from_identifier(identifier), critical=False)
    try:
        rehearsed = builder.sign(
            keys.throw_away(keys.kind(issuer.public_key)), keys.signature_hash(issuer.public_key)
        )
    except (ValueError, TypeError) as error:
        raise PkiError(f"no such certificate can be made: {error}") from error
    return Prepared(chain_certificates.load(rehearsed.public_bytes(Encoding.DER)), PROFILE, (), issuer)


def certify(
    directory: Directory,
    registry: Registry,
    issuer: AuthorityRecord,
    signer: Signer,
    now: datetime.datetime,
    lifetime: datetime.timedelta = PROFILE.lifetime,
    kind: str = PROFILE.key,
) -> Record:
    """Make a key and a certificate that answers for an authority, and record it. Raises PkiError."""
    if kind not in keys.AUTHORITY_KINDS:
        raise PkiError(
            f"clients may not understand what a key of kind `{kind}` signs",
            f"one of {', '.join(keys.AUTHORITY_KINDS)}",
        )
    registry.check_issues(issuer.id)
    key = keys.generate(kind)
    name = f"OCSP of {issuer.name}"
    prepared = prepare(name, issuer.certificate.read(), key.public_key(), now, lifetime)
    key_file, temporary_file = Directory.key_files(prepared.serial)
    reservation = recording.reservation(
        prepared,
        name,
        directory.settings().id,
        now,
        key_file=key_file,
        temporary_file=temporary_file,
    )
    with directory.changing():
        recording.recover(directory, registry)
        registry.reserve(issuer.id, reservation, now)
        (record,) = recording.finish(
            directory, registry, (Piece(issuer.id, reservation, prepared, signer, key),), now
        )
    return record


class Responders:
    """Those of a CA directory: for each authority the newest certificate that it has made for that and whose key is
    here, else the authority's own key, if it is here. Keys are read once."""

    def __init__(
        self,
        directory: Directory,
        registry: Registry,
        passphrase: Passphrase | None = None,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._directory = directory
        self._registry = registry
        self._passphrase = passphrase
        self._warn = warn
        self._signers: dict[str, Signer | None] = {}

    def __call__(self, now: datetime.datetime) -> Iterator[Responder]:
        """Those that there are now: the directory's issuing authority's first, since that is the newest. Raises
        RegistryUnreachable."""
        certified = sorted(
            (it for it in self._registry.with_profile(PROFILE.name) if it.validity(now) in _ANSWERS),
            key=lambda it: it.not_after,
            reverse=True,
        )
        for issuer in reversed(self._registry.authorities()):
            if issuer.foreign:
                continue
            candidates = [it for it in certified if it.authority_id == issuer.id]
            for record in (*candidates, issuer.certificate):
                if record.not_after < now:
                    continue
                if (signer := self._signer(record)) is not None:
                    own = issuer.certificate.read()
                    certificate = own if record is issuer.certificate else record.read()
                    yield Responder(issuer.id, own, certificate, signer)
                    break

    def started(self) -> None:
        """From now on nobody is there to be asked for a passphrase."""
        self._passphrase = None

    def _signer(self, record: Record) -> Signer | None:
        if record.sha256 not in self._signers:
            try:
                self._signers[record.sha256] = self._directory.signer(record, self._passphrase)
            except PkiError as error:
                self._signers[record.sha256] = None
                if record.directory == self._directory.settings().id:
                    self._warn(f"`{record.name}` does not answer: {error}")
        return self._signers[record.sha256]
