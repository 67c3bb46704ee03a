# SPDX-License-Identifier: ISC
"""Whoever can write to the database, and what an audit tells of it."""

import datetime
import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki import audit, auditing, keys
from pki.audit import AuditEntry, Head
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.errors import PkiError
from pki.keys import KeySigner
from pki.records import Record
from pki.revocation import prepare_list
from tests.pki import factory
from tests.pki.databases import execute
from tests.pki.factory import DAY, NOW
from tests.pki.living import Ca

T = TypeVar("T")

DRAFT = Draft(
    authorizer="POLICY",
    licensee="DN:/CN=Somebody",
    conditions='app_domain == "IPsec policy"',
    comment="",
    assertion='Authorizer: "POLICY"\nLicensees: "DN:/CN=Somebody"\n',
    not_after=NOW + DAY,
)


def unwatched(items: Iterable[T], total: int, what: str) -> Iterable[T]:
    return items


def found(ca: Ca, heads: Iterable[tuple[Head, str]] = (), kept: Iterable[auditing.KeptList] = ()) -> list[str]:
    with ca.registry.audit.reading() as snapshot:
        return [it.message for it in auditing.check(snapshot, unwatched, tuple(heads), tuple(kept))]


@pytest.fixture(scope="session")
def lived(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA directory with a past of eight entries: its own certificate, two more, one revoked, a list, a delegation,
    which is revoked, and another list."""
    path = Path(shutil.copytree(template, tmp_path_factory.mktemp("lived") / "ca"))
    with pytest.MonkeyPatch.context() as patch:
        new = iter([factory.rsa_key("issued-0"), factory.rsa_key("issued-1")])
        patch.setattr(keys, "generate", lambda kind: next(new))
        ca = Ca(Directory(path))
        gone = ca.issue("gone.example.org")
        ca.issue("there.example.org")
    ca.revoke(gone, NOW)
    ca.make(NOW)
    ca.registry.delegations.add(DRAFT, NOW)
    ca.registry.delegations.revoke(1, "over", NOW + DAY)
    ca.make(NOW + DAY)
    return path


@pytest.fixture
def ca(lived: Path, tmp_path: Path) -> Ca:
    return Ca(Directory(Path(shutil.copytree(lived, tmp_path / "ca"))))


@pytest.fixture
def gone(ca: Ca) -> Record:
    """The certificate that is revoked."""
    (record,) = ca.registry.find("gone.example.org")
    return record


def db(ca: Ca) -> Path:
    return ca.directory.registry_path


def entries(ca: Ca) -> list[AuditEntry]:
    with ca.registry.audit.reading() as snapshot:
        return list(snapshot.entries())


def test_an_honest_past(ca: Ca, gone: Record) -> None:
    assert found(ca) == []
    actions = ["issue", "issue", "issue", "revoke", "crl", "delegate", "revoke-delegation", "crl"]
    assert [it.action for it in entries(ca)] == actions
    assert ca.registry.audit.head() == Head(8, entries(ca)[-1].hash)


@pytest.mark.parametrize(
    "change",
    [
        "at = '2026-11-01 13:00:00.000000'",
        "actor = 'nobody@nowhere'",
        "action = 'issue'",
        "subject = 'another'",
        "details = '{}'",
        "details = 'none at all'",
        "hash = '" + 64 * "0" + "'",
    ],
)
def test_an_edited_entry_is_named(ca: Ca, gone: Record, change: str) -> None:
    execute(db(ca), f"UPDATE audit SET {change} WHERE sequence = 4")
    assert any("entry 4 (" in it and "is not what its hash is of" in it for it in found(ca))


def test_an_entry_that_was_edited_with_its_hash_is_betrayed_by_the_next(ca: Ca, gone: Record) -> None:
    rewrite(ca, first=4, last=4, actor="nobody@nowhere")
    assert [it for it in found(ca) if "hash is of" in it] == [
        "entry 5 (crl, 2026-11-01 12:00:00Z) is not what its hash is of: it was changed or moved, "
        "or entry 4 before it was"
    ]


def test_a_removed_entry_is_named(ca: Ca, gone: Record) -> None:
    execute(db(ca), "DELETE FROM audit WHERE sequence = 4")
    told = found(ca)
    assert told[:2] == [
        "entry 4 is missing",
        "entry 5 (crl, 2026-11-01 12:00:00Z) does not follow entry 3: what stood between was removed",
    ]
    assert any(
        f"(serial {gone.serial}) is revoked on 2026-11-01 12:00:00Z: keyCompromise, by the log not" in it
        for it in told
    )


def test_several_removed_entries_are_named(ca: Ca, gone: Record) -> None:
    execute(db(ca), "DELETE FROM audit WHERE sequence IN (1, 2, 3)")
    assert "entries 1 to 3 are missing" in found(ca)


def test_removed_and_renumbered(ca: Ca, gone: Record) -> None:
    execute(db(ca), "DELETE FROM audit WHERE sequence = 4")
    for number in range(5, 9):
        execute(db(ca), f"UPDATE audit SET sequence = {number - 1} WHERE sequence = {number}")
    assert [int(it.split()[1]) for it in found(ca) if "hash is of" in it] == [4, 5, 6, 7]


def test_reordered_entries_are_named(ca: Ca, gone: Record) -> None:
    for old, new in ((2, 100), (3, 2), (100, 3)):
        execute(db(ca), f"UPDATE audit SET sequence = {new} WHERE sequence = {old}")
    assert [int(it.split()[1]) for it in found(ca) if "hash is of" in it] == [2, 3, 4]


def test_an_inserted_entry_is_named(ca: Ca, gone: Record) -> None:
    for number in range(8, 4, -1):
        execute(db(ca), f"UPDATE audit SET sequence = {number + 1} WHERE sequence = {number}")
    forge(ca, 5, "revoke", entries(ca)[2].subject, {"reason": "superseded"})
    told = [int(it.split()[1]) for it in found(ca) if "hash is of" in it]
    assert told == [6, 7, 8, 9]


def test_what_is_not_in_the_tables_cannot_be_added_to_the_end(ca: Ca, gone: Record) -> None:
    forge(ca, 9, "issue", "f" * 64, {"name": "evil"})
    assert found(ca) == [f"certificate `evil` {'f' * 64} of entry 9 is not there any more, or is another"]
    forge(ca, 10, "revoke", "e" * 64, {"reason": "superseded"})
    assert f"entry 10 revokes {'e' * 64}, which no entry before it made" in found(ca)
    forge(ca, 11, "issue", gone.sha256, {"name": "gone.example.org"})
    assert f"entry 11 makes {gone.sha256} again, which entry 2 made" in found(ca)


# --- tables that were changed without the log


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("revoked_at = NULL, revocation_reason = NULL", "is not revoked, by the log revoked on 2026-11-01 12:00:00Z"),
        ("revoked_at = '2026-11-03 12:00:00.000000'", "revoked on 2026-11-03 12:00:00Z: keyCompromise, by the log"),
        ("revocation_reason = 'superseded'", "superseded, by the log revoked on 2026-11-01 12:00:00Z: keyCompromise"),
        ("name = 'other'", "its name is `other`, entry 2 of the log says `gone.example.org`"),
        ("profile = 'ca'", "its profile is `ca`, entry 2 of the log says `gateway`"),
        ("subject = '/CN=x'", "its subject is `/CN=x`, the certificate says `/C=XX/O=Test/CN=gone.example.org`"),
        ("subject_der = x'3000'", "its subject_der is `3000`, the certificate says"),
        ("not_after = '2030-01-01 00:00:00.000000'", "its not_after is `2030-01-01 00:00:00Z`, the certificate says"),
        ("not_before = '2020-01-01 00:00:00.000000'", "its not_before is `2020-01-01 00:00:00Z`, the certificate"),
        ("key_sha256 = '00'", "its key_sha256 is `00`, the certificate says"),
        ("supersedes = (SELECT sha256 FROM certificate WHERE profile = 'ca')", "its supersedes is `"),
        ("der = x'3000'", "is another than the one that was issued"),
    ],
)
def test_an_altered_certificate_is_named(ca: Ca, gone: Record, change: str, word: str) -> None:
    execute(db(ca), f"UPDATE certificate SET {change} WHERE serial = '{gone.serial}'")
    (told,) = found(ca)
    assert f"(serial {gone.serial})" in told
    assert word in told


def test_altered_identities_are_named(ca: Ca, gone: Record) -> None:
    execute(db(ca), f"UPDATE subject_alt_name SET value = 'x.example.org' WHERE serial = '{gone.serial}'")
    (told,) = found(ca)
    assert "its identities is `ID_FQDN x.example.org`, the certificate says `ID_FQDN gone.example.org`" in told


def test_a_certificate_that_was_put_in_anothers_place_is_named(ca: Ca, gone: Record) -> None:
    forged = factory.leaf(factory.authority(), "gone.example.org").der
    sha256 = hashlib.sha256(forged).hexdigest()
    execute(
        db(ca), f"UPDATE certificate SET der = x'{forged.hex()}', sha256 = '{sha256}' WHERE serial = '{gone.serial}'"
    )
    added, missing = found(ca)
    assert re.fullmatch(r"certificate `gone.example.org` \(serial .*\) is not in the log: it was added.*", added)
    assert missing.startswith(f"certificate `gone.example.org` {gone.sha256} of entry 2 is not there any more")


def test_a_removed_certificate_is_named(ca: Ca, gone: Record) -> None:
    for table in ("subject_alt_name", "certificate"):
        execute(db(ca), f"DELETE FROM {table} WHERE serial = '{gone.serial}'")
    assert found(ca) == [
        f"certificate `gone.example.org` {gone.sha256} of entry 2 is not there any more, or is another"
    ]


def test_an_authority_with_another_key_or_number_is_named(ca: Ca, gone: Record) -> None:
    execute(db(ca), f"UPDATE authority SET key_sha256 = '{'0' * 64}', subject_der = x'3000', crl_number = 0")
    assert found(ca) == [
        "authority `Example CA`: its row has another key than its certificate",
        "authority `Example CA`: its row has another subject than its certificate",
        "authority `Example CA`: its last revocation list had number 2, its row says 0",
    ]


def test_an_authority_that_was_given_away_is_named(ca: Ca, gone: Record) -> None:
    """Whose certificates the registry would vouch for no more."""
    execute(db(ca), 'UPDATE authority SET "foreign" = 1')
    assert found(ca) == ["authority `Example CA` is somebody else's by its row, ours by entry 1 of the log"]


def test_a_retirement_without_the_log_is_named(ca: Ca, gone: Record) -> None:
    execute(db(ca), "UPDATE authority SET retired_at = '2026-11-01 12:00:00.000000'")
    assert found(ca) == [
        "authority `Example CA`: its row retired on 2026-11-01 12:00:00Z, the log does not retire it"
    ]
    forge(ca, 9, "retire", "x", {"authority": 1})
    assert found(ca) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("licensee = 'DN:/CN=Evil'", "its licensee is `DN:/CN=Evil`, entry 6 of the log says `DN:/CN=Somebody`"),
        ("authorizer = 'DN:/CN=Evil'", "its authorizer is `DN:/CN=Evil`"),
        ("assertion = assertion || ' '", "its assertion_sha256 is"),
        ("not_after = NULL", "its not_after is `None`, entry 6 of the log says `2026-11-02T12:00:00Z`"),
        ("created_at = '2026-10-01 00:00:00.000000'", "its created_at is `2026-10-01 00:00:00Z`"),
        ("revoked_at = NULL, revocation_reason = NULL", "is not revoked, by the log revoked on"),
    ],
)
def test_an_altered_delegation_is_named(ca: Ca, gone: Record, change: str, word: str) -> None:
    execute(db(ca), f"UPDATE delegation SET {change}")
    (told,) = found(ca)
    assert told.startswith("delegation 1")
    assert word in told


def test_added_and_removed_delegations_are_named(ca: Ca, gone: Record) -> None:
    execute(db(ca), "UPDATE delegation SET id = 2")
    assert found(ca) == [
        "delegation 2 is not in the log: it was added",
        "delegation 1 of entry 6 is not there any more, or is another",
    ]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("der = x'3000'", "its sha256 is"),
        ("next_update = '2030-01-01 00:00:00.000000'", "its next_update is `2030-01-01T00:00:00Z`"),
        ("audit_signature = x'00'", "is not signed by its authority"),
        ("audit_sequence = 3", "is not signed by its authority"),
        ("number = 7", "revocation list 7 of authority 1 is not in the log"),
    ],
)
def test_an_altered_list_is_named(ca: Ca, gone: Record, change: str, word: str) -> None:
    execute(db(ca), f"UPDATE crl SET {change} WHERE number = 2")
    assert any(word in it for it in found(ca))


def test_a_removed_list_is_named(ca: Ca, gone: Record) -> None:
    execute(db(ca), "DELETE FROM crl WHERE number = 1")
    assert found(ca) == ["revocation list 1 of authority 1 of entry 5 is not there any more"]


def test_the_head_of_another_list_is_named(ca: Ca, gone: Record) -> None:
    columns = "audit_sequence, audit_hash, audit_signature"
    execute(db(ca), f"UPDATE crl SET ({columns}) = (SELECT {columns} FROM crl WHERE number = 1) WHERE number = 2")
    assert found(ca) == ["revocation list 2 of authority 1 keeps the head of another list"]


# --- chains that were made anew, without the authority's key and with it


def test_a_chain_that_was_made_anew_is_betrayed_by_the_signed_head(ca: Ca, gone: Record) -> None:
    rewrite(ca, first=2, last=8, actor="nobody@nowhere")
    told = found(ca)
    assert [it for it in told if "hash is of" in it] == []
    assert told == [
        f"entry {entry} has another hash than revocation list {number} of authority 1 knows: "
        "the log was made anew up to there"
        for entry, number in ((5, 1), (8, 2))
    ]


def test_a_chain_that_was_cut_is_betrayed_by_the_signed_head(ca: Ca, gone: Record) -> None:
    execute(db(ca), "DELETE FROM audit WHERE sequence > 5")
    assert "the log ends at entry 5, but revocation list 2 of authority 1 knows entry 8: it was cut" in found(ca)


def take_back(ca: Ca, *, revoked: str) -> auditing.KeptList:
    """Everything after the first list is undone in all tables; the list of then, as somebody kept it."""
    made = ca.registry.crls.get(1, 2)
    assert made is not None
    for statement in (
        "DELETE FROM audit WHERE sequence > 5",
        "DELETE FROM crl WHERE number = 2",
        "DELETE FROM delegation",
        "UPDATE authority SET crl_number = 1",
    ):
        execute(db(ca), statement)
    return auditing.kept_list(auditing.pem(made), "file list.pem")


def test_what_was_undone_without_a_trace_is_betrayed_by_a_head_that_was_noted(ca: Ca, gone: Record) -> None:
    noted = ca.registry.audit.head()
    assert found(ca, [(noted, "your note")]) == []
    take_back(ca, revoked=gone.serial)
    assert found(ca) == []  # nobody can tell from the registry alone
    told = ["the log ends at entry 5, but your note knows entry 8: it was cut"]
    assert found(ca, [(noted, "your note")]) == told
    forge_more(ca, 3)
    assert "entry 8 has another hash than your note knows: the log was made anew up to there" in found(
        ca, [(noted, "your note")]
    )


def test_and_by_a_list_that_was_kept(ca: Ca, gone: Record) -> None:
    made = ca.registry.crls.get(1, 2)
    assert made is not None
    for data in (made.der, made.crl.public_bytes(Encoding.PEM), auditing.pem(made)):
        assert found(ca, kept=[auditing.kept_list(data, "file x")]) == []
    kept = take_back(ca, revoked=gone.serial)
    missing = (
        "revocation list 2 of authority `Example CA`, which file list.pem is, is not in the registry: "
        "log and tables were cut"
    )
    assert found(ca, kept=[kept]) == [missing, "the log ends at entry 5, but file list.pem knows entry 8: it was cut"]
    ca.make(NOW + 2 * DAY)
    told = found(ca, kept=[auditing.kept_list(made.der, "file list.crl")])
    assert told == [
        "revocation list 2 of authority `Example CA` is another in the registry than file list.crl: "
        "log and tables were made anew"
    ]


def test_files_that_say_nothing_are_told(ca: Ca, gone: Record) -> None:
    made = ca.registry.crls.newest(1)
    assert made is not None
    other = auditing.pem(made).replace(b"Audit-Head: 8:", b"Audit-Head: 7:")
    (told,) = found(ca, kept=[auditing.kept_list(other, "file x")])
    assert told == "the head in file x is not signed by authority `Example CA`"
    with pytest.raises(PkiError, match="not Base64"):
        auditing.kept_list(re.sub(rb"(Audit-Signature: .*)", rb"\1=", auditing.pem(made)), "file x")
    with pytest.raises(PkiError, match="cannot be read"):
        auditing.kept_list(b"nothing", "file x")


def test_a_list_of_somebody_else_is_told(ca: Ca, gone: Record) -> None:
    other = factory.authority(factory.name("Example CA"))
    crl = prepare_list(other.certificate, 2, [], NOW, NOW + DAY).sign(KeySigner(factory.rsa_key("ca")))
    assert found(ca, kept=[auditing.kept_list(crl, "file x")]) == [
        "file x is not signed by an authority of this registry"
    ]


@pytest.mark.parametrize("text", ["", "8", "8:abc", "x:" + 64 * "0", "-1:" + 64 * "0", "8:" + 64 * "G"])
def test_what_is_no_head(text: str) -> None:
    with pytest.raises(PkiError, match="is no head of an audit log"):
        Head.parse(text)


# --- somebody who knows how hashes are made


def rewrite(ca: Ca, first: int, last: int, **columns: str) -> None:
    """Change the first of these entries, and make the hashes of all of them anew."""
    before = entries(ca)
    previous = before[first - 2].hash
    with sqlite3.connect(db(ca)) as connection:
        for entry in before[first - 1 : last]:
            actor = columns["actor"] if entry.sequence == first else entry.actor
            previous = audit.entry_hash(
                previous, entry.sequence, entry.at, actor, entry.action, entry.subject, entry.details
            )
            connection.execute(
                "UPDATE audit SET actor = ?, hash = ? WHERE sequence = ?", (actor, previous, entry.sequence)
            )
    connection.close()


def forge(ca: Ca, sequence: int, action: str, subject: str, details: dict[str, object]) -> None:
    """An entry with a hash that is right."""
    previous = {it.sequence: it.hash for it in entries(ca)}[sequence - 1]
    text = json.dumps(details)
    at = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
    made = audit.entry_hash(previous, sequence, at, "me@here", action, subject, text)
    with sqlite3.connect(db(ca)) as connection:
        row = (sequence, "2026-11-01 12:00:00.000000", "me@here", action, subject, text, made)
        connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()


def forge_more(ca: Ca, number: int) -> None:
    for _ in range(number):
        forge(ca, entries(ca)[-1].sequence + 1, "settings", "x", {})
