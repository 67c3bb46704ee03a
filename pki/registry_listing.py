# SPDX-License-Identifier: ISC
"""Which certificates a list has, as a question to the database: it finds them by its indexes, and reads no more than
is shown."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from pki import profiles
from pki.models import ISSUED, Certificate, SubjectAltName
from pki.records import Choice, Listed

_AUTHORITIES = tuple(it.name for it in profiles.PROFILES.values() if it.is_authority)
_COLUMNS = tuple(getattr(Certificate, name) for name in Listed._fields)


def question(choice: Choice) -> sa.Select[Any]:
    """For the columns of `Listed`, in the order of the list."""
    return sa.select(*_COLUMNS).where(*conditions(choice)).order_by(*order(choice))


def conditions(choice: Choice) -> tuple[sa.ColumnElement[bool], ...]:
    wanted: list[sa.ColumnElement[bool]] = [Certificate.state == ISSUED, *_standing(choice)]
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


def _standing(choice: Choice) -> tuple[sa.ColumnElement[bool], ...]:
    holds = Certificate.revoked_at.is_(None)
    match choice.standing:
        case "all":
            return ()
        case "revoked":
            return (Certificate.revoked_at.is_not(None),)
        case "expired":
            return (holds, Certificate.not_after < choice.now)
        case "holding":
            return (holds, Certificate.not_after >= choice.now)
        case datetime.datetime() as until:
            successor = aliased(Certificate)
            good = (successor.state == ISSUED, successor.revoked_at.is_(None))
            replaced = sa.exists().where(successor.supersedes == Certificate.sha256, *good)
            # Nothing follows who answers OCSP by its SHA-256: the next one of the same authority takes over.
            relieved = sa.exists().where(
                successor.profile == profiles.OCSP,
                successor.authority_id == Certificate.authority_id,
                successor.not_after > Certificate.not_after,
                *good,
            )
            responds = Certificate.profile == profiles.OCSP
            return (
                holds,
                Certificate.not_after.between(choice.now, until),
                ~replaced,
                ~sa.and_(responds, relieved),
            )


def order(choice: Choice) -> tuple[sa.ColumnElement[Any], ...]:
    """What is urgent or new first where that is what is asked for, else authorities, then by name."""
    by_name = (Certificate.name.asc(), Certificate.not_before.desc(), Certificate.serial.asc())
    match choice.standing:
        case "revoked":
            return (Certificate.revoked_at.desc(), *by_name)
        case datetime.datetime():
            return (Certificate.not_after.asc(), *by_name)
    return (Certificate.profile.not_in(_AUTHORITIES).asc(), *by_name)
