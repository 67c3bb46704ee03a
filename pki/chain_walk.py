# SPDX-License-Identifier: ISC
"""From a leaf to an authority by our own rules alone, where the library does not get there.

The library says which rule failed, people ask which certificate and what to do: a walk that fails raises the first
thing that is wrong. For legacy peers the walk is the answer, since the library refuses SHA-1 whoever asks; for all
others it decides nothing.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from pki import chain_legacy, chain_rules
from pki.chain_certificates import ChainError, ReadCertificate, Reason

MAX_DEPTH = 5  # authorities between leaf and anchor
_MAX_SIGNATURES = 32  # that one walk checks

FindAnchors = Callable[[bytes], Sequence[ReadCertificate]]
Path = tuple[ReadCertificate, ...]


@dataclass(slots=True)
class Walk:
    """What may link a leaf to an anchor, and under which rules; `now` is aware."""

    intermediates: tuple[ReadCertificate, ...]
    anchors: FindAnchors  # by subject
    now: datetime.datetime
    usages: frozenset[x509.ObjectIdentifier]
    legacy: bool = False
    avoided: frozenset[bytes] = frozenset()  # SHA-256 of what may not be in the path
    _signatures: int = field(default=0, init=False)

    def avoiding(self, sha256: bytes) -> "Walk":
        """The same walk without one certificate."""
        left = tuple(other for other in self.intermediates if other.sha256 != sha256)
        return Walk(left, self.anchors, self.now, self.usages, self.legacy, self.avoided | {sha256})

    def path(self, *below: ReadCertificate) -> Path:
        """The whole path, leaf first, that begins with `below`: depth first, anchors before what the peer sent.

        Raises ChainError: what is wrong with the issuer that looks most like one."""
        child = below[-1]
        trusted = [anchor for anchor in self.anchors(child.issuer_der) if anchor.sha256 not in self.avoided]
        sent = [other for other in self.intermediates if other.subject_der == child.issuer_der and other not in below]
        problem: ChainError | None = None
        for issuer in (*trusted, *sent):
            is_anchor = issuer in trusted
            try:
                self._check(below, issuer, is_anchor)
                return (*below, issuer) if is_anchor else self.path(*below, issuer)
            except ChainError as error:
                if problem is None or problem.reason is Reason.BAD_SIGNATURE:
                    problem = error
        raise problem or ChainError(
            Reason.UNKNOWN_AUTHORITY,
            f"certificate `{child.subject}` was issued by `{child.issuer}`, which is no authority known here",
            "have the peer send the authorities between, or add the authority's certificate if you trust it",
        )

    def _check(self, below: Path, issuer: ReadCertificate, is_anchor: bool) -> None:
        """Whether `issuer` may stand above these certificates."""
        self._check_signature(below[-1], issuer)
        if self.legacy and is_anchor:
            chain_legacy.check_anchor(issuer)
        else:
            chain_rules.check_authority(issuer)
        chain_rules.check_validity(issuer, self.now)
        chain_rules.check_critical(issuer)
        if not is_anchor:
            chain_rules.check_signature_algorithm(issuer, legacy=self.legacy)
        chain_rules.check_key_identifiers(below[-1], issuer)
        chain_rules.check_above_leaf(issuer, below[0], self.usages)
        # RFC 5280 asks for no more than those below, but the library also for the authority's own names.
        for certificate in below[1:] if issuer.self_issued else (issuer, *below[1:]):
            chain_rules.check_constraints(issuer, certificate)
        _check_length(below, issuer, is_anchor)

    def _check_signature(self, child: ReadCertificate, issuer: ReadCertificate) -> None:
        self._signatures += 1
        if self._signatures > _MAX_SIGNATURES:
            raise ChainError(
                Reason.REFUSED,
                f"certificate `{child.subject}` may have been issued by more authorities than are tried",
                "have the peer send only the authorities between its certificate and ours",
            )
        if not self._signed(child.certificate, issuer):
            raise ChainError(
                Reason.BAD_SIGNATURE,
                f"certificate `{child.subject}` is not signed with the key of `{issuer.subject}` that is known here",
                "another authority has the same name, or the certificate was altered",
            )

    def _signed(self, child: x509.Certificate, issuer: ReadCertificate) -> bool:
        if chain_legacy.is_sha1(child.signature_algorithm_oid):
            return chain_legacy.signed(issuer.public_key, child.signature, child.tbs_certificate_bytes)
        try:
            child.verify_directly_issued_by(issuer.certificate)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            return False
        return True


def _check_length(below: Path, issuer: ReadCertificate, is_anchor: bool) -> None:
    authorities = len(below) - 1
    constraints = chain_rules.extension(issuer, x509.BasicConstraints)
    if constraints is not None and constraints.path_length is not None and authorities > constraints.path_length:
        raise ChainError(
            Reason.PATH_LENGTH,
            f"authority `{issuer.subject}` may have {constraints.path_length} authorities below it, "
            f"the path to `{below[0].subject}` has {authorities}",
            "have the certificate issued by an authority nearer to it",
        )
    if authorities > MAX_DEPTH or (authorities == MAX_DEPTH and not is_anchor):
        raise ChainError(
            Reason.PATH_LENGTH,
            f"certificate `{below[0].subject}` has more than {MAX_DEPTH} authorities between it and one known here",
            "have the certificate issued by an authority nearer to it",
        )
