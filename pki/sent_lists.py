# SPDX-License-Identifier: ISC
"""Revocation lists that a peer sent with its certificates (RFC 2408 3.9: CRL, ARL; RFC 4945 3.3).

Whoever sends one chooses which: it may be the last that does not have him. So such a list counts beside what is at
hand, never in its place: it can add a revocation, and it can show that a certificate is good where nothing else does,
for as long as it is fresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pki import chain_certificates, revocation_lists
from pki.chain_certificates import ChainCertificate
from pki.errors import RevocationListInvalid
from pki.revocation_lists import RevocationList

MAX_LISTS = 8
MAX_BYTES = 65536  # an IKE message has no room for more


@dataclass(frozen=True, slots=True)
class SentLists:
    """What came of one authority: lists that its key has signed, and what is wrong with the others."""

    signed: tuple[RevocationList, ...] = ()
    wrong: tuple[str, ...] = ()


def of(issuer: ChainCertificate, sent: Sequence[bytes]) -> SentLists:
    """Those of an authority whose certificate is part of a chain that holds, among what was `sent` (DER each)."""
    if not sent:
        return SentLists()
    authority = chain_certificates.load(issuer.der)
    signed: list[RevocationList] = []
    wrong = [f"of {len(sent)} lists only {MAX_LISTS} are looked at"] if len(sent) > MAX_LISTS else []
    for data in dict.fromkeys(sent[:MAX_LISTS]):
        if len(data) > MAX_BYTES:
            wrong.append(f"revocation list of {len(data)} bytes, more than {MAX_BYTES}")
            continue
        try:
            one = revocation_lists.read_signed(data, authority)
        except RevocationListInvalid as error:
            wrong.append(str(error))
        else:
            signed += [] if one is None else [one]
    return SentLists(tuple(signed), tuple(wrong))
