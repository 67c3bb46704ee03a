# SPDX-License-Identifier: ISC
from pathlib import Path

import pytest
from cryptography import x509

from pki import batch
from pki.batch import Outcome
from pki.directory import Directory
from pki.errors import PkiError
from pki.issuance import Issuer
from tests.pki import factory
from tests.pki.factory import DAY, NOW
from tests.pki.test_issuing import request

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("quick_keys")]


def run(directory: Directory, table: Path, **options: bool) -> list[Outcome]:
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
        "gateway,a b c.example.org,,x,,": "`x` is no number of days",
        "gateway,a.example.org,,0,,": "`0` is no number of days",
        "gateway,a.example.org,192.0.2,,,": "is not an IP address",
        "gateway,a.example.org,,99999,,": "`99999` is no number of days",
        "gateway,a.example.org,,36000,,": "would outlive its authority",
        "gateway,a.example.org,,,dsa,": "cannot have a key of kind `dsa`",
        "gateway,,,,,": "nobody is named",
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
