# SPDX-License-Identifier: ISC
"""The CA: looking for a certificate among 100,000, and what issuing costs beside the cryptography in it.

A lookup opens the registry's file, checks its schema and asks, as each command does; what else runs can only add to
it, so it is given by its least round. What is issued, one by one or by a table, is measured in turns with what it
cannot do without: a key of the same kind, and two signatures of cryptography's CertificateBuilder, one for the
rehearsal.
"""

import datetime
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from benchmarks.table import Row
from pki import batch, distinguished_names, issuance, keys
from pki.directory import Directory
from pki.issuance import Issuer, Wanted
from pki.names import identity
from pki.profiles import GATEWAY
from pki.records import Choice
from pki.registry import Registry
from tests.pki import databases

MANY: Final = 100_000
LOOKUPS: Final = 40
LIMIT_MS: Final = 50.0
SOME: Final = 100
REVOKED: Final = 10_000
LISTS: Final = 3
LIST_S: Final = 2.0
ISSUED: Final = 40  # each waits for an RSA key, whose times vary: this many in turns with as many
BATCH: Final = 1000
PARTS: Final = 10
LEAST_RATE: Final = 0.7
DAY: Final = datetime.timedelta(days=1)
NEW: Final = distinguished_names.from_keynote("/CN=Next CA")


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        directory = Directory(Path(folder, "ca"))
        now = datetime.datetime.now(datetime.UTC)
        issuance.initialize(directory.path, "Example CA", now)
        return [*_issuing(directory, now), *_among_many(directory, now), _revocation_list(directory, now)]


def _among_many(directory: Directory, now: datetime.datetime) -> list[Row]:
    databases.execute(
        directory.registry_path, "DELETE FROM subject_alt_name", "DELETE FROM certificate WHERE profile != 'ca'"
    )
    databases.multiply(directory.registry_path, MANY)
    number = 1000 + MANY // 2
    ways = {
        "name or identity": f"gw{number}",
        "subject": f"/CN=gw{number}",
        "serial number": f"{number:040x}",
        "SHA-256": f"{number:064x}",
    }
    rows = [
        _lookup(f"one of {MANY:,} by its {way}", partial(_find, directory.registry_path, text))
        for way, text in ways.items()
    ]
    return [
        *rows,
        _lookup(f"its status, of {MANY:,}", partial(_status, directory.registry_path, number)),
        _lookup(
            f"nobody called like a new authority, of {MANY:,}",
            lambda: Registry.open(directory.registry_path).check_authority_name(NEW, now),
        ),
        _lookup("nothing unfinished among them", lambda: Registry.open(directory.registry_path).unfinished("x")),
        *_lists(directory, now),
    ]


def _lists(directory: Directory, now: datetime.datetime) -> list[Row]:
    """What `keynote-pki list` asks, and what the command takes as a whole."""
    path, end = directory.registry_path, Registry.open(directory.registry_path).authorities()[0].certificate.not_after
    _revoke(path, SOME)
    soon = [Choice(end - DAY, end + days * DAY) for days in (0, 30)]
    questions = {
        "that end within a day": soon[0],
        "that end within 30 days": soon[1],
        "that are revoked": Choice(now, "revoked"),
        "that certify an identity": Choice(now, "holding", identity=f"gw{1000 + MANY // 2}"),
    }
    rows = []
    for which, choice in questions.items():
        found = len(Registry.open(path).listed(choice))
        rows.append(_lookup(f"the {found:,} of {MANY:,} {which}", partial(_listed, path, choice)))
    days = (end - now).days + 30
    command = [sys.executable, "-c", "from pki.cli import main; main()", "list", "-d", str(directory.path)]
    asked = [*command, "--expiring", f"{days}d"]
    lines = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.count("\n") - 1
    least = min(_seconds(lambda: subprocess.run(asked, check=True, capture_output=True)) for _ in range(LISTS)) * 1000
    return [*rows, Row("pki", f"`keynote-pki list` of {lines:,}, the whole command", f"{least:.0f} ms")]


def _listed(path: Path, choice: Choice) -> None:
    Registry.open(path).listed(choice)


def _find(path: Path, text: str) -> None:
    (record,) = Registry.open(path).find(text)
    assert record.der


def _status(path: Path, number: int) -> None:
    assert Registry.open_read_only(path).status(number.to_bytes(32)) == "issued"


def _lookup(what: str, ask: Callable[[], object]) -> Row:
    least = _least(ask)
    return Row("pki", what, f"{least:.1f} ms", f"at most {LIMIT_MS:g} ms", least <= LIMIT_MS)


def _least(ask: Callable[[], object]) -> float:
    """Milliseconds."""
    return min(_seconds(ask) for _ in range(LOOKUPS)) * 1000


def _issuing(directory: Directory, now: datetime.datetime) -> list[Row]:
    issuer = Issuer.of(directory)
    signer = keys.generate("rsa-2048")
    assert isinstance(signer, RSAPrivateKey)
    return [
        _one_by_one(issuer, partial(_primitives, signer, GATEWAY.key), now),
        _batch(issuer, partial(_primitives, signer, "rsa-2048"), "rsa-2048", LEAST_RATE),
        _batch(issuer, partial(_primitives, signer, "p-256"), "p-256"),
    ]


def _primitives(signer: RSAPrivateKey, kind: str) -> None:
    """What nothing can be issued without: a key, and two signatures, of the rehearsal and of the certificate."""
    builder, key = _builder(), keys.generate(kind)
    for _ in range(2):
        builder.public_key(key.public_key()).sign(signer, SHA256())


def _one_by_one(issuer: Issuer, primitives: Callable[[], None], now: datetime.datetime) -> Row:
    def issue(number: int) -> None:
        issuer.issue(Wanted(GATEWAY, (identity(f"gw{number}.example.org"),)), now)

    bare, whole = [], []
    for number in range(ISSUED):
        bare.append(_seconds(primitives))
        whole.append(_seconds(partial(issue, number)))
    rate = sum(bare) / sum(whole)
    what = "issued one by one: their rate / that of a key and two signatures"
    return Row("pki", what, f"{rate:.2f} ({median(whole) * 1000:.0f} ms)")


def _batch(issuer: Issuer, primitives: Callable[[], None], kind: str, at_least: float = 0) -> Row:
    """A table in ten parts, in turns with as many times the primitives: the times of RSA keys vary, and so does what
    else runs, so the sums count."""
    bare = whole = 0.0
    for part in range(PARTS):
        numbers = range(part * BATCH // PARTS, (part + 1) * BATCH // PARTS)
        bare += sum(_seconds(primitives) for _ in numbers)
        values = {"profile": GATEWAY.name, "key": kind}
        rows = [batch.Row("peers.csv", it, {**values, "name": f"{kind}-{it}.example.org"}) for it in numbers]
        whole += _seconds(partial(_issue_all, issuer, rows))
    rate = bare / whole
    what = f"a table of {BATCH:,}, {kind}: its rate / that of a key and two signatures"
    figure = f"{rate:.2f} ({(whole - bare) / BATCH * 1000:.1f} ms each more)"
    return Row("pki", what, figure, f"at least {at_least:g}" if at_least else "", rate >= at_least)


def _issue_all(issuer: Issuer, rows: Sequence[batch.Row]) -> None:
    outcomes = list(batch.issue(issuer, rows, lambda: datetime.datetime.now(datetime.UTC)))
    assert [it.result for it in outcomes] == ["issued"] * len(rows)


def _revocation_list(directory: Directory, now: datetime.datetime) -> Row:
    """Of what `_among_many` has left."""
    _revoke(directory.registry_path, REVOKED)
    issuer = Issuer.of(directory)
    made = []
    least = min(
        _seconds(lambda: made.append(issuer.registry.crls.make(issuer.authority, issuer.signer, now)))
        for _ in range(LISTS)
    )
    assert {len(it.crl) for it in made} == {REVOKED}
    return Row("pki", f"a list of {REVOKED:,} revoked", f"{least:.2f} s", f"at most {LIST_S:g} s", least <= LIST_S)


def _revoke(path: Path, count: int) -> None:
    """In the order of their names, so that more of them are the same and others."""
    chosen = f"serial IN (SELECT serial FROM certificate WHERE name LIKE 'gw%' ORDER BY name LIMIT {count})"
    databases.execute(
        path, f"UPDATE certificate SET revoked_at = issued_at, revocation_reason = 'superseded' WHERE {chosen}"
    )


def _builder() -> x509.CertificateBuilder:
    """Of a certificate with the extensions of a gateway's, without its key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gw.example.org")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + 365 * DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("gw.example.org")]), critical=False)
    )


def _seconds(step: Callable[[], object]) -> float:
    start = perf_counter()
    step()
    return perf_counter() - start
