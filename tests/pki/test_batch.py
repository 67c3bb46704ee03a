# SPDX-License-Identifier: ISC
import datetime
import itertools
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from pki import batch, issuance
from pki.authority import Prepared
from pki.batch import Outcome
from pki.directory import Directory
from pki.errors import PkiError
from pki.issuance import Issuer
from pki.keys import Signer
from tests.pki import directories, factory, faults
from tests.pki.factory import DAY, NOW
from tests.pki.test_issuance import FULL, assert_whole
from tests.pki.test_issuing import request

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("quick_keys")]


def run(directory: Directory, table: Path, **options: Any) -> list[Outcome]:
    return list(batch.issue(Issuer.of(directory), batch.read(table), lambda: NOW, **options))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table(directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "peer.csr").write_bytes(request(factory.ec_key("peer"), x509.DNSName("peer.example.org")))
    table = written(
        tmp_path / "peers.csv",
        "\ufeffprofile,name,ip,dns,mail,dn,subject,days,key,csr\n"
        "gateway,gw.example.org,192.0.2.1; 2001:db8::1,bücher.example,,/C=DE/CN=a b,,30,rsa-3072,\n"
        "road-warrior,alice@example.org,,,,,/C=DE/CN=Alice,,,\n"
        ",,,,,,,,,\n"
        "gateway,peer.example.org,,,,,,,,peer.csr\n",
    )
    outcomes = run(directory, table)
    assert [(it.row.line, it.result, it.error) for it in outcomes] == [
        (2, "issued", ""),
        (3, "issued", ""),
        (5, "issued", ""),
    ]
    gateway, alice, peer = (it.record for it in outcomes)
    assert gateway is not None
    assert [it.value for it in gateway.identities] == [
        "gw.example.org",
        "xn--bcher-kva.example",
        "192.0.2.1",
        "2001:db8::1",
        "/C=DE/CN=a b",
    ]
    assert gateway.not_after == NOW + 30 * DAY
    assert alice is not None
    assert alice.subject == "/C=DE/CN=Alice"
    assert peer is not None
    assert peer.key_file is None
    again = run(directory, table, skip_existing=True)
    assert [(it.result, it.record) for it in again] == [("there", it.record) for it in outcomes]
    assert [it.result for it in run(directory, table)] == ["failed"] * 3


def test_rows_fail_by_themselves(directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "peer.csr").write_bytes(request(factory.ec_key("peer"), x509.DNSName("peer.example.org")))
    rows = {
        "tls,a.example.org,,,,": "there is no profile `tls` for peers",
        "root,a.example.org,,,,": "there is no profile `root` for peers",
        "gateway,a;b;c.example.org,,x,,": "`x` is no number of days",
        "gateway,a.example.org,,0,,": "`0` is no number of days",
        "gateway,a.example.org,192.0.2,,,": "is not an IP address",
        "gateway,a.example.org,,99999,,": "`99999` is no number of days",
        "gateway,a.example.org,,36000,,": "would outlive its authority",
        "gateway,a.example.org,,,dsa,": "cannot have a key of kind `dsa`",
        "gateway,,,,,": "nobody is named",
        "gateway,bad host,,,,": "`bad host` is not a host name",
        '"gateway","bad\nhost",,,,': "`bad\\x0ahost` is not a host name",
        "gateway,good.example.org,192.0.2.1 192.0.2.2,,,": "`192.0.2.1 192.0.2.2` is not an IP address",
        "gateway,a.example.org": "2 fields, and there are 6 columns",
        "gateway,a.example.org,,,,nowhere.csr": "cannot be read: No such file",
        "gateway,a.example.org,,,rsa-2048,peer.csr": "has a key already",
        "gateway,,,,,peer.csr": "nobody has confirmed",
        "gateway,good.example.org,,,,": "",
        "gateway,good.example.org,192.0.2.9,,,": "has a certificate already",
    }
    table = written(tmp_path / "peers.csv", "profile,name,ip,days,key,csr\n" + "".join(f"{row}\n" for row in rows))
    outcomes = run(directory, table)
    for outcome, (row, message) in zip(outcomes, rows.items(), strict=True):
        assert message in outcome.error, row
        assert (outcome.result == "issued") is not bool(message), row
    assert [it.row.where for it in outcomes][:2] == [f"{table}:2", f"{table}:3"]
    assert [it.name for it in directory.registry().certificates()] == ["Example CA", "good.example.org"]
    (asked,) = run(directory, written(tmp_path / "csr.csv", "profile,csr\ngateway,peer.csr\n"), accept=True)
    assert asked.record is not None
    assert asked.record.name == "peer.example.org"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: column `profile` is missing"),
        ("name\nx\n", ":1: column `profile` is missing"),
        ("profile,nam\n", ":1: there is no column `nam`"),
        ("profile,name,name\n", ":1: column `name` is there twice"),
        ('profile,name\ngateway,"x\n', "is not CSV in UTF-8"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PkiError) as caught:
        batch.read(written(tmp_path / "peers.csv", text))
    assert message in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PkiError, match="cannot be read: No such file"):
        batch.read(tmp_path / "peers.csv")
    (tmp_path / "latin.csv").write_bytes(b"profile,name\ngateway,b\xfccher\n")
    with pytest.raises(PkiError, match="is not CSV in UTF-8"):
        batch.read(tmp_path / "latin.csv")


NAMES = ["gw0.example.org", "gw1.example.org"]


@pytest.fixture
def peers(tmp_path: Path) -> Path:
    """A table of two rows that can be issued and one between them that cannot."""
    rows = (f"gateway,{NAMES[0]},", "gateway,bad,0", f"gateway,{NAMES[1]},")
    return written(tmp_path / "peers.csv", "\n".join(["profile,name,days", *rows, ""]))


Copies = Callable[[str], Directory]


@pytest.fixture
def copies(directory: Directory, database: str, scratch: Path, request: pytest.FixtureRequest) -> Copies:
    """Makes copies of the directory, each with a name and a registry of its own."""
    server = request.getfixturevalue("server") if database == "postgresql" else None
    return lambda name: directories.copied(directory.path, scratch / name, server)


def there(directory: Directory) -> list[str]:
    return [it.name for it in directory.registry().certificates() if it.profile == "gateway"]


def run_with(directory: Path, table: Path, step: int | None, fault: Callable[[str], object]) -> list[str]:
    with faults.at_step(step, fault) as steps:
        run(Directory(directory), table, skip_existing=True)
    return steps


@pytest.mark.usefixtures("small_keys")
def test_killed_at_any_step_each_row_is_whole_or_not_there(copies: Copies, peers: Path) -> None:
    counted = copies("count").path
    outcomes = []
    for step in range(len(run_with(counted, peers, None, faults.kill))):
        victim = copies(f"kill{step}")
        assert faults.in_child(partial(run_with, victim.path, peers, step, faults.kill)) == signal.SIGKILL
        recovered = issuance.recover_if_idle(victim, victim.registry())
        assert_whole(victim)
        outcomes.append(there(victim))
        assert sorted(it.name for it in recovered) in ([], NAMES)
        assert {it.completed for it in recovered} <= {bool(outcomes[-1])}
        again = run(victim, peers, skip_existing=True)
        assert [it.result for it in again if it.row.name != "bad"] == (["there"] if outcomes[-1] else ["issued"]) * 2
        assert_whole(victim)
    assert outcomes == sorted(outcomes)
    assert outcomes[0] == [] != outcomes[-1] == NAMES


@pytest.mark.usefixtures("small_keys")
def test_the_disk_full_at_any_step_costs_no_row_what_it_has(copies: Copies, peers: Path) -> None:
    counted = copies("count").path
    for step in range(len(run_with(counted, peers, None, faults.fill_disk))):
        victim = copies(f"full{step}")
        with faults.at_step(step, faults.fill_disk):
            outcomes = run(victim, peers)
        issuance.recover_if_idle(victim, victim.registry())
        assert_whole(victim)
        # Where it was full for a moment, each is tried by itself afterwards.
        failed = [it for it in outcomes if it.result == "failed" and it.row.name != "bad"]
        assert all(FULL.search(it.error) for it in failed)
        assert {it.row.name for it in outcomes if it.result == "issued"} <= {*there(victim)}
        assert len(failed) in (0, 2)


def test_a_signature_that_fails_costs_its_own_row_alone(
    directory: Directory, peers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = Prepared.sign

    def careless(prepared: Prepared, signer: Signer) -> x509.Certificate:
        if prepared.identities[0].value == NAMES[0]:
            raise PkiError("the token is asleep", "wake it")
        return sign(prepared, signer)

    monkeypatch.setattr(Prepared, "sign", careless)
    outcomes = run(directory, peers)
    assert [(it.result, it.error, it.hint) for it in outcomes if it.row.name != "bad"] == [
        ("failed", "the token is asleep", "wake it"),
        ("issued", "", ""),
    ]
    assert there(directory) == NAMES[1:]
    assert_whole(directory)


def test_rows_that_share_something_know_of_each_other(directory: Directory, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / f"{name}.csr").write_bytes(request(factory.ec_key("peer"), x509.DNSName(f"{name}.example.org")))
    text = "profile,name,subject,csr\n" + "".join(
        f"gateway,{row}\n"
        for row in (
            "gw.example.org,,",
            "gw.example.org,,",
            "a.example.org,/CN=A,",
            "b.example.org,/CN=A,",
            "one.example.org,,one.csr",
            "other.example.org,,other.csr",
        )
    )
    outcomes = run(directory, written(tmp_path / "peers.csv", text), skip_existing=True)
    assert [it.result for it in outcomes] == ["issued", "there", "issued", "failed", "issued", "failed"]
    assert "`/CN=A` is the subject of `a.example.org`" in outcomes[3].error
    assert "the key has a certificate already, that of `one.example.org`" in outcomes[5].error
    assert outcomes[1].record == outcomes[0].record
    assert [it.name for it in directory.registry().certificates() if it.key_file is None] == ["one.example.org"]


def test_rows_are_recorded_together_for_a_second(directory: Directory, peers: Path) -> None:
    """So that nobody waits long for what was done, and who is killed loses little."""
    times = itertools.count()

    def now() -> datetime.datetime:
        return NOW + next(times) * datetime.timedelta(seconds=1)

    with faults.at_step(None) as slow:
        list(batch.issue(Issuer.of(directory), batch.read(peers), now))
    others = written(peers.with_name("others.csv"), peers.read_text().replace("gw", "vpn"))
    with faults.at_step(None) as together:
        run(directory, others)
    assert (slow.count("sql COMMIT"), together.count("sql COMMIT")) == (6, 3)
