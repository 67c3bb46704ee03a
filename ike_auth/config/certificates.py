# SPDX-License-Identifier: ISC
"""The directories of `[X509-certificates]` → whom we believe, and what we prove ourselves with."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ike_auth.authorization.revocations import NoList, Revocations, read_file
from ike_auth.config import defaults, files
from ike_auth.config.errors import Problems, in_order, quoted
from ike_auth.config.model import Certificates, Configuration
from ike_auth.config.private_keys import PrivateKeys
from ike_auth.crypto.legacy import CERTIFICATES
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import AuthenticationMethod
from keynote.complaints import Complaint
from pki import chain_certificates, chain_rules, names
from pki.chain import RevocationPolicy, TrustAnchors
from pki.chain_certificates import ReadCertificate
from pki.errors import PkiError

BEGIN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
LONGEST_CHAIN = 8  # certificates that we send


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """A certificate of ours with its chain as far as we have it, without the root: DER, leaf first."""

    certificates: tuple[bytes, ...] = field(repr=False)
    private_key: RSAPrivateKey = field(repr=False)
    names: tuple[Identity, ...]


@dataclass(frozen=True, slots=True)
class KeyStore:
    """Everything that was in the directories. `issuers` are certificates of authorities, trusted or not, whose lists
    of revocations are taken."""

    authorities: TrustAnchors
    own: Mapping[Identity, OwnCredential]
    revocations: Revocations = field(default_factory=Revocations)
    issuers: tuple[ReadCertificate, ...] = ()
    warnings: tuple[Complaint, ...] = ()

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        return tuple(anchor.certificate for anchor in self.authorities.certificates)

    def for_identity(self, identity: Identity) -> OwnCredential | None:
        """What proves that we are `identity`: a certificate that bears it, and its key."""
        return self.own.get(identity.normalized())


def load_keystore(configuration: Configuration) -> KeyStore:
    """Raises ConfigError with everything that is wrong: a certificate or key that cannot be read, a key that others
    can read or that is not its certificate's, an authority that cannot be one, an `ID` that nothing here proves."""
    problems = Problems()
    certificates = configuration.certificates
    legacy = any(CERTIFICATES in peer.allow_legacy for peer in configuration.peers.values())
    authorities = _authorities(certificates, problems, legacy=legacy)
    held = _held_certificates(certificates, problems)
    own = _own_credentials(certificates, held, authorities, problems)
    revocations = _revocations(certificates, problems)
    _check_needs(configuration, authorities, held, own, problems)
    problems.raise_errors()
    warnings = tuple(problem.complaint for problem in in_order(problems.warnings))
    issuers = (*authorities.certificates, *authorities.legacy, *filter(_is_authority, held))
    return KeyStore(authorities, MappingProxyType(own), revocations, issuers, warnings)


def _authorities(certificates: Certificates, problems: Problems, *, legacy: bool) -> TrustAnchors:
    """`legacy`: there is a peer that may have authorities of X.509 version 1."""
    found: list[x509.Certificate] = []
    only_legacy: list[x509.Certificate] = []
    for path in _regular_files(certificates.ca_directory, Certificates().ca_directory, problems):
        for certificate in _certificates(path, problems, trusted=True):
            is_old = certificate.version is x509.Version.v1
            try:
                if is_old and legacy:
                    TrustAnchors([], legacy=[certificate])
                    only_legacy.append(certificate)
                else:
                    TrustAnchors([certificate])
                    found.append(certificate)
            except PkiError as error:
                hint = f"`Allow-Legacy= {CERTIFICATES}` in the section of a peer allows it" if is_old else error.hint
                problems.error(None, f"`{path}`: {error}", hint)
    try:
        return TrustAnchors(found, legacy=only_legacy)
    except PkiError as error:
        problems.error(None, f"`{certificates.ca_directory}`: {error}", error.hint)
        return TrustAnchors([])


def _held_certificates(certificates: Certificates, problems: Problems) -> list[ReadCertificate]:
    """Ours and those of peers alike, as isakmpd has them in one directory."""
    found: list[ReadCertificate] = []
    for path in _regular_files(certificates.cert_directory, Certificates().cert_directory, problems):
        for certificate in _certificates(path, problems, trusted=False):
            try:
                found.append(chain_certificates.from_certificate(certificate))
            except PkiError as error:
                # A peer's, perhaps: no reason not to start.
                problems.warn(None, f"`{path}` is passed over: {error}", error.hint)
    return found


def _own_credentials(
    certificates: Certificates, held: Sequence[ReadCertificate], authorities: TrustAnchors, problems: Problems
) -> dict[Identity, OwnCredential]:
    keys = PrivateKeys(certificates.private_key_directory, certificates.private_key, problems)
    issuers = [*held, *authorities.certificates]
    own: dict[Identity, OwnCredential] = {}
    # Of two certificates with one name, the one that is valid longer.
    for certificate in sorted(held, key=lambda certificate: certificate.not_after, reverse=True):
        key = keys.of(certificate)
        if key:
            chain = tuple(link.der for link in _chain(certificate, issuers))
            credential = OwnCredential(chain, key, identities_of(certificate))
            own = {**dict.fromkeys(credential.names, credential), **own}
    keys.check_all_used()
    return own


def identities_of(certificate: ReadCertificate) -> tuple[Identity, ...]:
    """The IKE identities that it certifies (RFC 4945 5.1.3.6): its subjectAltNames, and its whole subject."""
    return (*map(_identity, certificate.names), Identity.dn(certificate.subject_der))


def _identity(name: names.Identity) -> Identity:
    match name.kind:
        case "FQDN":
            return Identity.fqdn(name.value)
        case "USER_FQDN":
            return Identity.user_fqdn(name.value)
        case _:
            return Identity.address(ip_address(name.value))


def _chain(leaf: ReadCertificate, issuers: Sequence[ReadCertificate]) -> list[ReadCertificate]:
    """Leaf first, up to the last certificate that is not a root: a peer has the root, or would not believe it."""
    chain = [leaf]
    while not chain[-1].self_issued and len(chain) < LONGEST_CHAIN:
        issuer = next((candidate for candidate in issuers if _issued(candidate, chain[-1])), None)
        if issuer is None or issuer.self_issued or issuer in chain:
            break
        chain.append(issuer)
    return chain


def _issued(issuer: ReadCertificate, certificate: ReadCertificate) -> bool:
    if issuer.subject_der != certificate.issuer_der:
        return False
    try:
        certificate.certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_needs(
    configuration: Configuration,
    authorities: TrustAnchors,
    held: Iterable[ReadCertificate],
    own: Mapping[Identity, OwnCredential],
    problems: Problems,
) -> None:
    """Complains of peers that are to authenticate by certificate while we have none, or none to judge theirs by."""
    certificates = configuration.certificates
    certified = {identity for certificate in held for identity in identities_of(certificate)}
    for peer in configuration.peers.values():
        if not any(t.authentication is AuthenticationMethod.RSA_SIG for t in peer.transforms):
            continue
        identity = peer.own_id or (Identity.address(peer.local_address) if peer.local_address else None)
        # Nobody asked for certificates where only the generated `Default=` would use them.
        generated = peer.is_default and peer.name == defaults.PEER
        report = problems.warn if generated else problems.error
        if identity and identity not in own:
            if identity in certified:
                message = f"no private key for the certificate of {quoted(str(identity))}"
                looked = f"`{certificates.private_key_directory / identity.text}` and `{certificates.private_key}`"
            else:
                message = f"no certificate that bears {quoted(str(identity))}, our identity for `[{peer.name}]`"
                looked = f"the files in `{certificates.cert_directory}`"
            report(peer.where, message, f"looked for it in {looked}")
        if identity is None and not generated and not any(bearer.ip_address for bearer in own):
            message = (
                f"our identity for `[{peer.name}]` is our address, and no certificate with a private key bears one"
            )
            problems.error(peer.where, message, "name another with `ID` in its section, or with `Default-phase-1-ID`")
        if not authorities.certificates and not generated:
            message = f"no certificate in `{certificates.ca_directory}`, so `[{peer.name}]` cannot be believed"
            problems.warn(peer.where, message)


def _revocations(certificates: Certificates, problems: Problems) -> Revocations:
    directory = certificates.crl_directory
    for path in _regular_files(directory, Certificates().crl_directory, problems):
        try:
            read_file(path)
        except NoList as error:
            problems.warn(None, str(error))
        except PkiError as error:
            problems.error(None, str(error), error.hint)
    revocations = Revocations(directory, certificates.crl_policy)
    if certificates.crl_policy is RevocationPolicy.REQUIRE and not certificates.crl_urls and not revocations.known():
        message = f"`CRL-check= require`, and no revocation list in `{directory}`: every certificate is refused"
        problems.warn(None, message, "put the list of each authority there, or name where it is with `CRL-URLs`")
    return revocations


def _is_authority(certificate: ReadCertificate) -> bool:
    try:
        chain_rules.check_authority(certificate)
    except PkiError:
        return False
    return True


def _certificates(path: Path, problems: Problems, *, trusted: bool) -> list[x509.Certificate]:
    content = files.read_file(path, problems)
    if content is None:
        return []
    if trusted:
        files.check_file_integrity(path, content[1], problems)
    if BEGIN_CERTIFICATE not in content[0]:
        problems.warn(None, f"`{path}` is passed over: it holds no certificate in PEM")
        return []
    try:
        found = x509.load_pem_x509_certificates(content[0])
    except ValueError as error:
        problems.error(None, f"`{path}` holds a certificate that cannot be read: {error}")
        return []
    if len(found) != content[0].count(BEGIN_CERTIFICATE):
        problems.error(None, f"`{path}` holds a certificate that is cut off")
    return found


def _regular_files(directory: Path, default: Path, problems: Problems) -> Iterator[Path]:
    """In the order of their names. A directory that nobody configured need not be there."""
    try:
        paths = sorted(directory.iterdir())
    except OSError as error:
        if isinstance(error, FileNotFoundError) and directory == default:
            return
        problems.error(None, f"cannot read `{directory}`: {(error.strerror or str(error)).lower()}")
        return
    yield from (path for path in paths if path.is_file())
