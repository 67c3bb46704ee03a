# SPDX-License-Identifier: ISC
"""Registries as earlier versions left them, with rows of all kinds."""

import datetime
import hashlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command

from pki import registry_database
from tests.pki import databases, factory
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW
from tests.pki.test_cli import Run, run  # noqa: F401  (a fixture)

CA = factory.authority("Example CA", key="ca")
LEAVES = [factory.leaf(CA, f"gw{number}.example.org", "192.0.2.1", "2001:db8::1", key="leaf") for number in range(5)]
VPN_USER = factory.leaf(CA, "alice@example.org", key=factory.ec_key("alice"))


def naive(time: datetime.datetime) -> datetime.datetime:
    return time.replace(tzinfo=None)


def certificate_0001(serial: int, issued: factory.Issued | None, name: str, **values: Any) -> dict[str, Any]:
    return {
        "authority_id": 1,
        "serial": f"{serial:040x}",
        "state": "issued" if issued else "pending",
        "profile": "gateway",
        "name": name,
        "subject": f"/C=XX/O=Test/CN={name}",
        "subject_der": issued.certificate.subject.public_bytes() if issued else b"0\0",
        "not_before": naive(NOW),
        "not_after": naive(NOW + 30 * DAY),
        "sha256": hashlib.sha256(issued.der).hexdigest() if issued else None,
        "der": issued.der if issued else None,
        "key_file": f"{serial:040x}.pem",
        "temporary_file": None,
        "revoked_at": None,
        "revocation_reason": None,
        **values,
    }


def rows_0001() -> dict[str, list[dict[str, Any]]]:
    """What a registry of the first version can hold: all states of a certificate, kinds of names and of keys."""
    revoked = {"revoked_at": naive(NOW + DAY)}
    certificates = [
        certificate_0001(99, CA, "Example CA", profile="ca"),
        certificate_0001(1, LEAVES[0], "gw0.example.org"),
        certificate_0001(2, LEAVES[1], "gw1.example.org", revocation_reason="keyCompromise", **revoked),
        certificate_0001(3, LEAVES[2], "gw2.example.org", **revoked),
        certificate_0001(4, LEAVES[3], "gw3.example.org", revocation_reason="not revoked"),
        certificate_0001(5, LEAVES[4], "gw4.example.org", temporary_file=".new"),
        certificate_0001((1 << 159) - 1, VPN_USER, "alice@example.org", profile="road-warrior", key_file=None),
        certificate_0001(6, None, "gw6.example.org", temporary_file=".6.new"),
        certificate_0001(7, None, "Second CA", authority_id=2, profile="ca", temporary_file=".7.new"),
    ]
    kinds = {
        "FQDN": "example.org",
        "IPV4_ADDR": "192.0.2.1",
        "IPV6_ADDR": "2001:db8::1",
        "USER_FQDN": "a@example.org",
    }
    names = [*kinds.items()]
    return {
        "authority": [
            {"id": id, "name": name, "subject_der": b"0\0", "serial": f"{serial:040x}"}
            for id, name, serial in ((1, "Example CA", 99), (2, "Second CA", 7))
        ],
        "certificate": certificates,
        "subject_alt_name": [
            {"authority_id": 1, "serial": f"{serial:040x}", "position": at, "kind": kind, "value": value}
            for serial in (1, 2, 3, 4, 5, 6, (1 << 159) - 1)
            for at, (kind, value) in enumerate(names)
        ],
    }


def make_0001(url: Url) -> None:
    _make(url, "0001")


def make_0002(url: Url) -> None:
    """With rows in the tables that are new, too, and certificates that point to others."""
    _make(url, "0001", "0002")


def make_0003(url: Url) -> None:
    _make(url, "0001", "0002", "0003")


def make_0004(url: Url) -> None:
    _make(url, "0001", "0002", "0003", "0004")


MADE = {"0001": make_0001, "0002": make_0002, "0003": make_0003, "0004": make_0004}


def rows_0002() -> dict[str, list[dict[str, Any]]]:
    """What the second version can hold beside."""
    superseded = hashlib.sha256(LEAVES[1].der).hexdigest()
    delegation = {
        "id": 1,
        "authorizer": "POLICY",
        "licensee": "DN:/CN=gw1.example.org",
        "conditions": "true",
        "comment": "",
        "assertion": 'Authorizer: "POLICY"\n',
        "created_at": naive(NOW),
        "not_after": naive(NOW + DAY),
        "certificate": superseded,
        "revoked_at": naive(NOW + DAY),
        "revocation_reason": "superseded",
    }
    crl = {
        "authority_id": 1,
        "number": 1,
        "this_update": naive(NOW),
        "next_update": naive(NOW + DAY),
        "der": b"0\0",
        "audit_sequence": 7,
        "audit_hash": "f" * 64,
        "audit_signature": b"x",
    }
    successor = certificate_0001(8, None, "gw1.example.org", temporary_file=".8.new")
    new = {"issued_at": naive(NOW), "key_sha256": "8" * 64, "supersedes": superseded, "directory": "d" * 32}
    return {"certificate": [{**successor, **new}], "crl": [crl], "delegation": [delegation]}


DIRECTORY_NAMES = ["/CN=gw0", "/CN=G\\xC3\\xBC", "/CN=gw0"]


def rows_0004() -> dict[str, list[dict[str, Any]]]:
    """Distinguished names among the subjectAltNames, one of them twice."""
    name = {"authority_id": 1, "position": 4, "kind": "DER_ASN1_DN"}
    return {
        "subject_alt_name": [
            {**name, "serial": f"{serial:040x}", "value": value} for serial, value in enumerate(DIRECTORY_NAMES, 1)
        ]
    }


def _make(url: Url, *versions: str) -> None:
    for version, rows in zip(versions, (rows_0001(), rows_0002(), {}, rows_0004()), strict=False):
        with databases.engine(url).begin() as connection:
            command.upgrade(registry_database.migrations(connection), version)
            schema = sa.MetaData()
            schema.reflect(connection)
            for table, values in rows.items():
                connection.execute(schema.tables[table].insert(), values)
    if isinstance(url, Path):
        databases.execute(url, "PRAGMA journal_mode = WAL")
