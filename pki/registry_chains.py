# SPDX-License-Identifier: ISC
"""What a registry says of certificates that somebody shows: each by its fingerprint, and a whole chain."""

import datetime
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from pki import keys, registry_standing
from pki.chain_certificates import ChainCertificate
from pki.errors import NotRecorded
from pki.models import ISSUED, Authority, Certificate
from pki.records import Status

_STATUS = sa.select(Certificate.sha256, Certificate.revoked_at).where(
    Certificate.sha256.in_(sa.bindparam("sha256s", expanding=True)), Certificate.state == ISSUED
)


_OUR_KEYS = (
    sa.select(Authority.key_sha256)
    .join(Certificate, (Certificate.authority_id == Authority.issuer_id) & (Certificate.serial == Authority.serial))
    .where(Certificate.state == ISSUED, Authority.foreign.is_(False))
)


def _key_sha256(certificate: ChainCertificate) -> str | None:
    try:
        return keys.key_sha256(certificate.load_public_key())
    except (ValueError, TypeError):
        return None


def _known(connection: sa.Connection, sha256s: Sequence[str]) -> Mapping[str | None, datetime.datetime | None]:
    return dict(connection.execute(_STATUS, {"sha256s": sha256s}).all())


def _status(known: Mapping[str | None, datetime.datetime | None], sha256: str) -> Status:
    if sha256 not in known:
        return Status.UNKNOWN
    return Status.ISSUED if known[sha256] is None else Status.REVOKED


def statuses(connection: sa.Connection, sha256s: Sequence[str]) -> tuple[Status, ...]:
    """Of each of these fingerprints."""
    known = _known(connection, sha256s)
    return tuple(_status(known, sha256) for sha256 in sha256s)


def check(connection: sa.Connection, chain: Sequence[ChainCertificate]) -> None:
    """See `Registry.check_chain`. Raises NotRecorded."""
    own = set(connection.scalars(_OUR_KEYS))
    chain_keys = [_key_sha256(link) for link in chain]
    ours = max((at for at, key in enumerate(chain_keys) if key in own), default=-1)
    links = chain[: ours + 1]
    known = _known(connection, [link.sha256.hex() for link in links])
    gone = registry_standing.withdrawn(connection, [it for it in chain_keys[: ours + 1] if it is not None])
    for link in links:
        if (status := _status(known, link.sha256.hex())) is not Status.ISSUED:
            raise NotRecorded(
                f"certificate `{link.subject}` is {status} to the registry of authority `{links[-1].subject}`",
                "have a new one issued" if status is Status.REVOKED else "only what the registry holds is trusted",
            )
    for link, key in zip(links, chain_keys, strict=False):
        if key is not None and (told := gone.get(key)) is not None:
            raise NotRecorded(f"certificate `{link.subject}` has the key of {told}", "have one issued for a new key")
