# SPDX-License-Identifier: ISC
"""Which certificates a list has, as a question to the database: it finds them by its indexes, and reads no more than
is shown."""

import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from pki import profiles
from pki.models import ISSUED, Certificate, SubjectAltName
from pki.records import Choice, Listed

_AUTHORITIES = tuple(it.name for it in profiles.PROFILES.values() if it.is_authority)
_COLUMNS = tuple(getattr(Certificate, name) for name in Listed._fields if name != "fallen")
_NONE: Final = frozenset[int]()


def question(choice: Choice, fallen: frozenset[int] = _NONE) -> sa.Select[Any]:
    """For the columns of `Listed`, in the order of the list. What the authorities `fallen` issued holds no more;
    where there are none, which is nearly always, nothing is asked of them."""
    has_fallen = Certificate.authority_id.in_(fallen) if fallen else sa.false()
    return sa.select(*_COLUMNS, has_fallen).where(*conditions(choice, fallen)).order_by(*order(choice, fallen))


def conditions(choice: Choice, fallen: frozenset[int] = _NONE) -> tuple[sa.ColumnElement[bool], ...]:
    wanted: list[sa.ColumnElement[bool]] = [Certificate.state == ISSUED, *_standing(choice, fallen)]
    if choice.profile is not None:
        wanted.append(Certificate.profile == choice.profile)
    if choice.authority_id is not None:
        wanted.append(Certificate.authority_id == choice.authority_id)
    if choice.identity is not None:
        # The numbers are found by an index; another authority may have given the same.
        named = SubjectAltName.value == choice.identity
        wanted.append(Certificate.serial.in_(sa.select(SubjectAltName.serial).where(named)))
        wanted.append(Certificate.names.any(named))
    return tuple(wanted)


def _standing(choice: Choice, fallen: frozenset[int]) -> tuple[sa.ColumnElement[bool], ...]:
    unrevoked, current = Certificate.revoked_at.is_(None), Certificate.not_after >= choice.now
    fell = (Certificate.authority_id.in_(fallen), unrevoked, current)
    match choice.standing:
        case "all":
            return ()
        case "revoked":
            revoked = Certificate.revoked_at.is_not(None)
            return (sa.or_(revoked, sa.and_(*fell)) if fallen else revoked,)
        case "expired":
            return (unrevoked, Certificate.not_after < choice.now)
        case "holding":
            return (unrevoked, current, *_issued_by_others(Certificate, fallen))
        case datetime.datetime() as until:
            stands = _issued_by_others(Certificate, fallen)
            ends = sa.and_(Certificate.not_after.between(choice.now, until), unrevoked, *stands)
            if fallen:
                ends = sa.or_(ends, sa.and_(*fell, Certificate.names.any(), ~_has_another(choice.now, fallen)))
            return (ends, ~_is_followed(fallen), ~_is_relieved(fallen))


def _issued_by_others(certificate: type[Certificate], fallen: frozenset[int]) -> tuple[sa.ColumnElement[bool], ...]:
    return (certificate.authority_id.not_in(fallen),) if fallen else ()


def _is_followed(fallen: frozenset[int]) -> sa.ColumnElement[bool]:
    """By another certificate of the same holder, which is good."""
    successor = aliased(Certificate)
    return sa.exists().where(
        successor.supersedes == Certificate.sha256,
        successor.state == ISSUED,
        successor.revoked_at.is_(None),
        *_issued_by_others(successor, fallen),
    )


def _is_relieved(fallen: frozenset[int]) -> sa.ColumnElement[bool]:
    """Nothing follows who answers OCSP by its SHA-256: the next one of the same authority takes over."""
    successor = aliased(Certificate)
    later = sa.exists().where(
        successor.profile == profiles.OCSP,
        successor.authority_id == Certificate.authority_id,
        successor.not_after > Certificate.not_after,
        successor.state == ISSUED,
        successor.revoked_at.is_(None),
        *_issued_by_others(successor, fallen),
    )
    return sa.and_(Certificate.profile == profiles.OCSP, later)


def _has_another(now: datetime.datetime, fallen: frozenset[int]) -> sa.ColumnElement[bool]:
    """The name is free when an authority has fallen: whoever has a new certificate need not follow the old one."""
    other = aliased(Certificate)
    return sa.exists().where(
        other.name == Certificate.name,
        other.state == ISSUED,
        other.revoked_at.is_(None),
        other.not_after >= now,
        *_issued_by_others(other, fallen),
    )


def order(choice: Choice, fallen: frozenset[int] = _NONE) -> tuple[sa.ColumnElement[Any], ...]:
    """What is urgent or new first where that is what is asked for, else authorities, then by name."""
    by_name = (Certificate.name.asc(), Certificate.not_before.desc(), Certificate.serial.asc())
    match choice.standing:
        case "revoked":
            last = Certificate.revoked_at.desc()
            return (last.nulls_last() if fallen else last, *by_name)
        case datetime.datetime():
            fell = (Certificate.authority_id.in_(fallen).desc(),) if fallen else ()
            return (*fell, Certificate.not_after.asc(), *by_name)
    return (Certificate.profile.not_in(_AUTHORITIES).asc(), *by_name)
