# SPDX-License-Identifier: ISC
"""The good chain with lists and OCSP responses, one of which says that something was revoked, or not enough."""

import datetime
from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.chain import Reason, RevocationPolicy
from tests.pki import factory, revocations
from tests.pki.factory import DAY, NOW, Issued
from tests.pki.revocations import altered, entry, revocation_list, staple
from tests.pki.zoo.authorities import UNKNOWN_EXTENSION
from tests.pki.zoo.chains import Chain, Changes, Kind, Make, Three, three, under

REQUIRE, IF_THERE = RevocationPolicy.REQUIRE, RevocationPolicy.IF_THERE
REVOKED, UNKNOWN = ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
NO_CRL_SIGN = {"usage": factory.key_usage("key_cert_sign")}
GW = "gw.example.org"
STALE: Changes = {"this_update": NOW - 3 * DAY, "next_update": NOW - DAY}
FUTURE: Changes = {"this_update": NOW + DAY, "next_update": NOW + 2 * DAY}
BY_NAME = ocsp.OCSPResponderEncoding.NAME
ON_HOLD = (x509.CRLReason(x509.ReasonFlags.certificate_hold), False)
ONLY_KEY_COMPROMISE = frozenset([x509.ReasonFlags.key_compromise])
SHARD = [x509.UniformResourceIdentifier("http://example.org/1.crl")]
List = Callable[[Three], bytes | None]
Listed = str | Callable[[Three], x509.RevokedCertificate]


def listed(
    *,
    policy: RevocationPolicy = REQUIRE,
    root: List | None = None,
    below: List | None = None,
    staple: Callable[[Three], bytes] = lambda made: b"",
    more: Sequence[List] = (),
    certificates: Changes | None = None,
) -> Make:
    """The good chain with a list of each authority; another list, none (returns None), or a staple."""

    def make() -> Chain:
        made = three(**(certificates or {}))
        wanted = [root or of("root"), below or of("below"), *more]
        lists = [found for one in wanted if (found := one(made)) is not None]
        answers = {"lists": tuple(lists), "staple": staple(made), "policy": policy}
        return under(made.leaf, made.below, anchors=[made.root], **answers)

    return make


def stapled(policy: RevocationPolicy = REQUIRE, **changes: Any) -> Make:
    """The good chain with a list of the root and an OCSP response for the leaf."""

    def response(made: Three) -> bytes:
        made_of = {name: value(made) if callable(value) else value for name, value in changes.items()}
        return staple(made_of.pop("about", made.leaf), made_of.pop("issuer", made.below), **made_of)

    return listed(policy=policy, below=no_list, staple=response)


def no_list(made: Three) -> None:
    return None


def other_leaf(made: Three) -> Issued:
    return factory.leaf(made.below, "other.example.org")


def responder(**changes: Any) -> Callable[[Three], Issued]:
    return lambda made: revocations.responder(made.below, **changes)


def point(**only: Any) -> tuple[x509.ExtensionType, bool]:
    arguments = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(arguments | only)), True


def of(
    authority: str, *revoked: Listed, rework: Callable[[bytes, Issued], bytes] | None = None, **changes: Any
) -> List:
    """A list of "root" or "below", with certificates of the chain by name, or entries."""

    def make(made: Three) -> bytes:
        issuer = getattr(made, authority)
        entries = [getattr(made, one) if isinstance(one, str) else one(made) for one in revoked]
        data = revocation_list(issuer, *entries, **changes)
        return rework(data, issuer) if rework else data

    return make


def of_leaf(*extensions: tuple[x509.ExtensionType, bool], at: datetime.datetime = revocations.YESTERDAY) -> Listed:
    return lambda made: entry(made.leaf.certificate.serial_number, extensions, at)


def of_another(*extensions: tuple[x509.ExtensionType, bool]) -> Listed:
    return lambda made: entry(4711, extensions)


def with_sha1(data: bytes, issuer: Issued) -> bytes:
    return revocations.resigned_list(data, issuer, factory.SHA1_WITH_RSA)


def is_altered(data: bytes, issuer: Issued) -> bytes:
    return altered(data)


def another_authoritys_responder(made: Three) -> Issued:
    return revocations.responder(factory.authority("Other CA", key="other-ca"))


def try_later(made: Three) -> bytes:
    status = ocsp.OCSPResponseStatus.TRY_LATER
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def namesake(made: Three) -> Issued:
    return factory.authority("Below", key="upper")


def revoked(name: str, make: Make, word: str = GW) -> Kind:
    return Kind(name, make, Reason.REVOKED, word)


def unknown(name: str, make: Make, word: str) -> Kind:
    return Kind(name, make, Reason.REVOCATION_UNKNOWN, word)


ANSWERED = [
    Kind("lists that do not have it", listed()),
    Kind("lists that have others", listed(below=of("below", of_another()))),
    Kind("no list, none required", listed(policy=IF_THERE, root=no_list, below=no_list)),
    Kind("stale list, none required", listed(policy=IF_THERE, below=of("below", **STALE))),
    Kind(
        "list with another key, none required",
        listed(policy=IF_THERE, below=of("below", key=factory.rsa_key("other-ca"))),
    ),
    Kind(
        "on hold once, and not any more",
        listed(more=[of("below", "leaf", number=4, this_update=NOW - 2 * DAY)]),
    ),
    Kind("staple", stapled()),
    Kind("staple by name", stapled(by=BY_NAME)),
    Kind("staple with SHA-256 hashes", stapled(hashed=hashes.SHA256())),
    Kind("staple of a delegated responder", stapled(responder=responder())),
    Kind("staple of a delegated responder by name", stapled(responder=responder(), by=BY_NAME)),
    Kind("staple of a delegated responder with P-256", stapled(responder=responder(key=factory.ec_key("responder")))),
    Kind("stale staple, none required", stapled(IF_THERE, **STALE)),
    Kind("unknown to its responder, none required", stapled(IF_THERE, status=UNKNOWN)),
    Kind(
        "unknown to its responder, but a list is there",
        listed(staple=lambda made: staple(made.leaf, made.below, status=UNKNOWN)),
    ),
]

REVOCATIONS = [
    revoked("leaf revoked", listed(below=of("below", "leaf")), "keyCompromise"),
    revoked("leaf revoked without a reason", listed(below=of("below", of_leaf())), GW),
    revoked("leaf on hold", listed(below=of("below", of_leaf(ON_HOLD))), "certificateHold"),
    revoked("leaf revoked tomorrow", listed(below=of("below", of_leaf(at=NOW + DAY))), "2026-11-02"),
    revoked("leaf revoked, nothing required", listed(policy=IF_THERE, below=of("below", "leaf")), "2026-10-31"),
    revoked("authority revoked", listed(root=of("root", "below")), "Below"),
    revoked("root revoked itself", listed(root=of("root", "root")), "Test CA"),
    revoked("leaf in a stale list", listed(policy=IF_THERE, below=of("below", "leaf", **STALE)), "keyCompromise"),
    revoked("leaf in a list from the future", listed(policy=IF_THERE, below=of("below", "leaf", **FUTURE)), GW),
    revoked(
        "leaf in a list of who may not sign any",
        listed(policy=IF_THERE, below=of("below", "leaf"), certificates={"below": NO_CRL_SIGN}),
        GW,
    ),
    revoked(
        "leaf in a list signed with SHA-1", listed(policy=IF_THERE, below=of("below", "leaf", rework=with_sha1)), GW
    ),
    revoked("leaf in the newer list", listed(more=[of("below", "leaf", number=6, this_update=NOW)]), "list 6"),
    revoked(
        "leaf in the list, staple says good",
        listed(below=of("below", "leaf"), staple=lambda made: staple(made.leaf, made.below)),
        GW,
    ),
    revoked("leaf revoked by its staple", stapled(status=REVOKED), "OCSP"),
    revoked("leaf revoked by its staple, nothing required", stapled(IF_THERE, status=REVOKED), "OCSP"),
    revoked(
        "leaf revoked by a delegated responder",
        stapled(IF_THERE, status=REVOKED, responder=responder()),
        "keyCompromise",
    ),
    unknown("no list of the issuer", listed(below=no_list), "no revocation list"),
    unknown("no list of the root", listed(root=no_list), "Below"),
    unknown("stale list", listed(below=of("below", **STALE)), "stale since"),
    unknown("stale list of the root", listed(root=of("root", **STALE)), "stale since"),
    unknown("list from the future", listed(below=of("below", **FUTURE)), "future"),
    unknown(
        "list without nextUpdate", listed(below=of("below", rework=revocations.without_next_update)), "next is due"
    ),
    unknown("list with another key", listed(below=of("below", key=factory.rsa_key("other-ca"))), "another key"),
    unknown("list altered", listed(below=of("below", rework=is_altered)), "another key"),
    unknown(
        "list of another authority",
        listed(below=lambda made: revocation_list(factory.authority("Other CA", key="below"))),
        "no revocation list",
    ),
    unknown("list signed with SHA-1", listed(below=of("below", rework=with_sha1)), "sha1"),
    unknown(
        "list with an unknown critical extension",
        listed(below=of("below", extensions=[(UNKNOWN_EXTENSION, True)])),
        "no revocation list",
    ),
    unknown(
        "list with an unknown critical extension of an entry",
        listed(below=of("below", of_another((UNKNOWN_EXTENSION, True)))),
        "no revocation list",
    ),
    unknown(
        "list of peers only",
        listed(below=of("below", extensions=[point(only_contains_user_certs=True)])),
        "no revocation list",
    ),
    unknown(
        "list of authorities only",
        listed(below=of("below", extensions=[point(only_contains_ca_certs=True)])),
        "no revocation list",
    ),
    unknown(
        "list of some reasons only",
        listed(below=of("below", extensions=[point(only_some_reasons=ONLY_KEY_COMPROMISE)])),
        "no revocation list",
    ),
    unknown("indirect list", listed(below=of("below", extensions=[point(indirect_crl=True)])), "no revocation list"),
    unknown(
        "list of one distribution point",
        listed(below=of("below", extensions=[point(full_name=SHARD)])),
        "no revocation list",
    ),
    unknown(
        "delta list", listed(below=of("below", extensions=[(x509.DeltaCRLIndicator(4), True)])), "no revocation list"
    ),
    unknown("list of who may not sign any, required", listed(certificates={"below": NO_CRL_SIGN}), "cRLSign"),
    unknown(
        "staple altered",
        listed(below=no_list, staple=lambda made: altered(staple(made.leaf, made.below))),
        "not signed with the key",
    ),
    unknown("staple forged", stapled(responder=namesake, by=BY_NAME), "not signed with the key"),
    unknown(
        "staple that says revoked forged",
        stapled(status=REVOKED, responder=namesake, by=BY_NAME),
        "not signed with the key",
    ),
    unknown("staple stale", stapled(**STALE), "stale since"),
    unknown("staple from the future", stapled(**FUTURE), "future"),
    unknown("staple without nextUpdate", stapled(next_update=None), "how long it holds"),
    unknown("staple for another certificate", stapled(about=other_leaf), "another certificate"),
    unknown(
        "staple for another issuer",
        stapled(issuer=lambda made: factory.authority("Below", key="upper")),
        "another certificate",
    ),
    unknown("unknown to its responder", stapled(status=UNKNOWN), "does not know"),
    unknown(
        "staple with an unknown critical extension",
        stapled(extensions=[(UNKNOWN_EXTENSION, True)]),
        "critical extension",
    ),
    unknown(
        "staple of a responder without OCSPSigning",
        stapled(responder=responder(usages=[ExtendedKeyUsageOID.SERVER_AUTH])),
        "OCSPSigning",
    ),
    unknown(
        "staple of a responder without extended key usage", stapled(responder=responder(usages=())), "OCSPSigning"
    ),
    unknown(
        "staple of a responder that may not sign",
        stapled(responder=responder(usage=factory.key_usage("key_agreement"))),
        "digitalSignature",
    ),
    unknown("staple of an expired responder", stapled(responder=responder(not_after=NOW - DAY)), "expired"),
    unknown(
        "staple of a responder with a weak key",
        stapled(responder=responder(key=factory.rsa_key("weak", 1024))),
        "unfit key",
    ),
    unknown(
        "staple of another authority's responder",
        stapled(responder=another_authoritys_responder),
        "was not certified by",
    ),
    unknown("staple whose responder is not sent", stapled(responder=responder(), send_responder=False), "neither"),
    unknown("staple that is no answer", listed(below=no_list, staple=try_later), "try_later"),
    unknown("staple of garbage", listed(below=no_list, staple=lambda made: b"garbage"), "cannot be read"),
    unknown(
        "staple cut short",
        listed(below=no_list, staple=lambda made: staple(made.leaf, made.below)[:-1]),
        "cannot be read",
    ),
]
