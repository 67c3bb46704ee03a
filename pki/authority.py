# SPDX-License-Identifier: ISC
"""Make and issue certificates: pure functions of what is asked, a time, a serial number and a signer.

First a rehearsal: the certificate is built, signed with a key that is thrown away, and linted. The authority's key
then signs exactly those bytes, so that nothing can differ between what was checked and what was signed, and a signer
is asked for no more than a signature: a token fits as well as a key in memory.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import chain_certificates, chain_rules, der, distinguished_names, keys, lints, names, profiles, signing
from pki.chain_certificates import ReadCertificate
from pki.errors import NameInvalid, PkiError, shown
from pki.keys import Signer
from pki.locations import NOWHERE, Locations
from pki.names import Identity, general_name
from pki.profiles import Profile
from pki.records import serial_text

SERIAL_BITS = 159  # RFC 5280 4.1.2.2: 20 octets at most, and positive
_COMMON_NAME_MAX = 64  # RFC 5280 appendix A, ub-common-name
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A certificate that passed its rehearsal and awaits its signature."""

    certificate: ReadCertificate  # all is final but the signature
    profile: Profile
    identities: tuple[Identity, ...]
    issuer: ReadCertificate | None  # None: signs itself

    @property
    def serial(self) -> str:
        return serial_text(self.certificate.serial_number)

    def sign(self, signer: Signer) -> x509.Certificate:
        """The certificate. Raises PkiError where the signer's key is not the issuer's, or it signs something else."""
        issuer = self.issuer or self.certificate
        if signer.public_key != issuer.public_key:
            raise PkiError(f"the key at hand is not the key of authority `{issuer.subject}`")
        parts = der.slices(self.certificate.der)
        return x509.load_der_x509_certificate(signing.signed(parts.tbs, parts.signature_algorithm, signer))


def prepare_authority(
    name: x509.Name,
    public_key: CertificatePublicKeyTypes,
    serial: int,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    *,
    profile: Profile = profiles.CA,
    issuer: x509.Certificate | None = None,
    constraints: x509.NameConstraints | None = None,
    locations: Locations = NOWHERE,
) -> Prepared:
    """An authority's certificate, under `issuer`, or self-signed. Raises LintFailed, PkiError."""
    above = None if issuer is None else _at_work(issuer, now)
    profile.check_key(keys.kind(public_key))
    validity = _validity(profile, above, now, lifetime)
    extra = [*([] if constraints is None else [constraints]), *locations.extensions()]
    return _rehearse(name, public_key, serial, validity, profile, (), above, extra)


def prepare(
    profile: Profile,
    identities: tuple[Identity, ...],
    public_key: CertificatePublicKeyTypes,
    issuer: x509.Certificate,
    serial: int,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    *,
    subject: x509.Name | None = None,
    locations: Locations = NOWHERE,
) -> Prepared:
    """A peer's certificate under `issuer`; the first of its identities is the one it goes by. Where no lifetime is
    given it ends with the authority at the latest; without `subject` it gets `subject_name`.

    Raises LintFailed, ChainError, PkiError."""
    above = _at_work(issuer, now)
    profile.check_key(keys.kind(public_key))
    validity = _validity(profile, above, now, lifetime)
    subject = subject if subject is not None else subject_name(issuer.subject, identities)
    return _rehearse(subject, public_key, serial, validity, profile, identities, above, locations.extensions())


def _at_work(issuer: x509.Certificate, now: datetime.datetime) -> ReadCertificate:
    authority = chain_certificates.from_certificate(issuer)
    if not authority.not_before <= now <= authority.not_after:
        raise PkiError(
            f"authority `{authority.subject}` is not valid now, only from {authority.not_before:%Y-%m-%d} "
            f"to {authority.not_after:%Y-%m-%d}",
            "check this machine's clock, or make a new authority: keynote-pki rollover",
        )
    return authority


def _validity(
    profile: Profile, issuer: ReadCertificate | None, now: datetime.datetime, lifetime: datetime.timedelta | None
) -> tuple[datetime.datetime, datetime.datetime]:
    begin, end = _whole_seconds(now) - profile.backdate, _end(now, lifetime or profile.lifetime)
    if issuer is None:
        return begin, end
    return max(begin, issuer.not_before), end if lifetime else min(end, issuer.not_after)


def subject_name(authority: x509.Name, identities: tuple[Identity, ...]) -> x509.Name:
    """The name of who is known by these, below an authority's; of a DN itself. Raises NameInvalid."""
    if not identities:
        raise NameInvalid("a certificate needs at least one identity")
    if identities[0].kind == "DER_ASN1_DN":  # a whole name already
        return names.x509_name(names.dn_from_keynote(identities[0].value))
    return name_below(authority, identities[0].value)


def name_below(authority: x509.Name, value: str) -> x509.Name:
    """The authority's own name with another in place of its common name; a user id where that is too long."""
    kind = NameOID.COMMON_NAME if len(value) <= _COMMON_NAME_MAX else NameOID.USER_ID
    own = x509.RelativeDistinguishedName([x509.NameAttribute(kind, value)])
    return x509.Name([*(rdn for rdn in authority.rdns if not _is_personal(rdn)), own])


def _is_personal(rdn: x509.RelativeDistinguishedName) -> bool:
    return any(it.oid in (NameOID.COMMON_NAME, NameOID.EMAIL_ADDRESS, NameOID.SERIAL_NUMBER) for it in rdn)


def authority_name(text: str) -> x509.Name:
    """`Example CA`, which becomes the common name, or a whole name `/C=DE/O=Example/CN=Example CA`.

    Raises NameInvalid."""
    if not text.isprintable() or not text.strip():
        raise NameInvalid(f"`{shown(text)}` cannot be an authority's name", "use printable text")
    if text.startswith(("/", "DN:/")):
        return whole_name(text)
    rdns = ((distinguished_names.Attribute("2.5.4.3", 0x0C, text.encode()),),)
    return names.x509_name(distinguished_names.encode(rdns))


def whole_name(text: str) -> x509.Name:
    """`/C=DE/O=Example/CN=gw`. Raises NameInvalid."""
    return names.x509_name(names.dn_from_keynote(names.distinguished_name(text).value))


def _rehearse(
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    serial: int,
    validity: tuple[datetime.datetime, datetime.datetime],
    profile: Profile,
    identities: tuple[Identity, ...],
    issuer: ReadCertificate | None,
    extra: Sequence[x509.ExtensionType],
) -> Prepared:
    try:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer is not None else subject)
            .public_key(public_key)
            .serial_number(serial)
            .not_valid_before(validity[0])
            .not_valid_after(validity[1])
        )
        for extension in (*_extensions(profile, identities, public_key, issuer), *extra):
            builder = builder.add_extension(extension, critical=isinstance(extension, lints.CRITICAL))
        signing = keys.throw_away(keys.kind(issuer.public_key if issuer is not None else public_key))
        rehearsed = builder.sign(signing, keys.signature_hash(signing.public_key()))
    except (ValueError, TypeError) as error:
        raise PkiError(f"no such certificate can be made: {error}") from error
    certificate = chain_certificates.load(rehearsed.public_bytes(Encoding.DER))
    lints.check(lints.Rehearsal(certificate, profile, identities, issuer))
    return Prepared(certificate, profile, identities, issuer)


def _extensions(
    profile: Profile,
    identities: tuple[Identity, ...],
    public_key: CertificatePublicKeyTypes,
    issuer: ReadCertificate | None,
) -> list[x509.ExtensionType]:
    extensions: list[x509.ExtensionType] = [
        x509.BasicConstraints(ca=profile.is_authority, path_length=profile.path_length),
        key_usage(profile),
        x509.SubjectKeyIdentifier.from_public_key(public_key),
    ]
    identifier = chain_rules.extension(issuer, x509.SubjectKeyIdentifier) if issuer is not None else None
    if identifier is not None:
        extensions.append(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier))
    if identities:
        extensions.append(x509.SubjectAlternativeName([general_name(identity) for identity in identities]))
    if profile.extended_key_usages:
        extensions.append(x509.ExtendedKeyUsage(profile.extended_key_usages))
    return extensions


def key_usage(profile: Profile) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in profile.key_usage for usage in _USAGES})


def _whole_seconds(time: datetime.datetime) -> datetime.datetime:
    return time.astimezone(datetime.UTC).replace(microsecond=0)


def _end(now: datetime.datetime, lifetime: datetime.timedelta) -> datetime.datetime:
    try:
        return _whole_seconds(now) + lifetime
    except OverflowError as error:
        raise PkiError(f"a lifetime of {lifetime.days} days is too long") from error
