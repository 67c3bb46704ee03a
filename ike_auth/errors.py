# SPDX-License-Identifier: ISC
"""Whose fault it is, and what to tell the peer.

A `PeerError` is about what the peer sent: the exchange that raised it stays where it was, and `notify` names what
RFC 2408 3.14.1 tells a peer in that case (None: say nothing). A `LocalError` is about our side: configuration, a
library without an algorithm, a value that does not fit its field.
"""

from typing import ClassVar

from ike_auth.wire.numbers import NotifyType


class IkeError(Exception):
    """Base of everything that `ike_auth` raises on purpose."""


class LocalError(IkeError):
    """Our side cannot do what was asked; the peer is not to blame and is told nothing."""


class UnsupportedAlgorithm(LocalError):
    """An algorithm that this program, or the cryptographic library it runs with, does not have."""


class PeerError(IkeError):
    """The peer sent something that we do not accept."""

    notify: ClassVar[NotifyType | None] = None


# --- the message as bytes (RFC 2408 5.1 to 5.3)


class MalformedMessage(PeerError):
    """Lengths, counts or reserved bytes that contradict each other."""

    notify = NotifyType.PAYLOAD_MALFORMED


class UnequalPayloadLengths(MalformedMessage):
    """The length in the header is not the length of the datagram."""

    notify = NotifyType.UNEQUAL_PAYLOAD_LENGTHS


class InvalidCookie(PeerError):
    """A cookie of zeros where there must be one, or cookies that no SA of ours has."""

    notify = NotifyType.INVALID_COOKIE


class InvalidMajorVersion(PeerError):
    """A protocol version of which we know nothing."""

    notify = NotifyType.INVALID_MAJOR_VERSION


class InvalidMinorVersion(PeerError):
    """A minor version above ours."""

    notify = NotifyType.INVALID_MINOR_VERSION


class InvalidExchangeType(PeerError):
    """An exchange type that we do not take part in."""

    notify = NotifyType.INVALID_EXCHANGE_TYPE


class InvalidFlags(PeerError):
    """Flags that contradict the state of the exchange, or that have no meaning."""

    notify = NotifyType.INVALID_FLAGS


class InvalidMessageId(PeerError):
    """A message id where phase 1 has none, or none where phase 2 needs one."""

    notify = NotifyType.INVALID_MESSAGE_ID


class InvalidPayloadType(PeerError):
    """A payload number that RFC 2408 reserves, or one that means nothing where it stands."""

    notify = NotifyType.INVALID_PAYLOAD_TYPE


class UnexpectedMessage(PeerError):
    """Well-formed payloads that may not stand in this message, or that it lacks."""

    notify = NotifyType.PAYLOAD_MALFORMED


# --- what the payloads say (RFC 2408 5.4 to 5.15)


class DoiNotSupported(PeerError):
    """A domain of interpretation other than IPsec's."""

    notify = NotifyType.DOI_NOT_SUPPORTED


class SituationNotSupported(PeerError):
    """A situation other than identity only: secrecy and integrity labels have no use here."""

    notify = NotifyType.SITUATION_NOT_SUPPORTED


class BadProposalSyntax(MalformedMessage):
    """A proposal or transform payload that contradicts itself."""

    notify = NotifyType.BAD_PROPOSAL_SYNTAX


class AttributesNotSupported(PeerError):
    """An attribute that we do not negotiate."""

    notify = NotifyType.ATTRIBUTES_NOT_SUPPORTED


class NoProposalChosen(PeerError):
    """Nothing the peer offered is acceptable to us and to policy."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN


class InvalidSpi(PeerError):
    """An SPI of the wrong size, a reserved one, or one that we do not know."""

    notify = NotifyType.INVALID_SPI


class InvalidKeyInformation(PeerError):
    """A key exchange value that is not an element of the group."""

    notify = NotifyType.INVALID_KEY_INFORMATION


class InvalidIdInformation(PeerError):
    """An identity that is malformed, or not one that may stand there."""

    notify = NotifyType.INVALID_ID_INFORMATION


class InvalidCertEncoding(PeerError):
    """A kind of certificate that we do not read."""

    notify = NotifyType.INVALID_CERT_ENCODING


class InvalidCertificate(PeerError):
    """A certificate, or a chain, that does not hold."""

    notify = NotifyType.INVALID_CERTIFICATE


class InvalidHash(PeerError):
    """A HASH payload other than the one that the keys give."""

    notify = NotifyType.INVALID_HASH_INFORMATION


class InvalidSignature(PeerError):
    """A signature whose form is wrong; one that does not verify is `AuthenticationFailed`."""

    notify = NotifyType.INVALID_SIGNATURE


class AuthenticationFailed(PeerError):
    """The peer has not proved that it is who it says."""

    notify = NotifyType.AUTHENTICATION_FAILED
