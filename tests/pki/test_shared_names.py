# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Two CA directories in one registry: whose holders are whose."""

from pathlib import Path

import pytest

from pki import batch, issuance, renewal
from pki.directory import Directory
from pki.errors import RegistryError
from pki.issuance import Issuer
from pki.names import identity
from pki.profiles import GATEWAY
from pki.records import Record
from tests.pki import databases
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW
from tests.pki.test_cli import Run, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_keys")

LATER = NOW + DAY


@pytest.fixture
def both(url: Url, tmp_path: Path) -> tuple[Directory, Directory]:
    """Directories `a` and `b`, with authorities A and B."""
    made = []
    for name in ("a", "b"):
        issuance.initialize(tmp_path / name, f"/CN={name.upper()}", NOW, registry_url=databases.shared(url))
        made.append(Directory(tmp_path / name))
    return made[0], made[1]


def issue(directory: Directory, *names: str) -> Record:
    return issuance.issue(directory, GATEWAY, tuple(map(identity, names)), NOW)


def test_an_identity_and_a_subject_have_one_holder_in_all_of_the_registry(
    both: tuple[Directory, Directory],
) -> None:
    a, b = both
    old = issue(a, "gw.example.org", "192.0.2.1")
    with pytest.raises(RegistryError, match=f"serial {old.serial}, by `A`, the authority of another directory"):
        issue(b, "gw.example.org")
    with pytest.raises(RegistryError, match=r"`192\.0\.2\.1` has a certificate already, that of `gw\.example\.org`"):
        issue(b, "other.example.org", "192.0.2.1")
    wanted = issuance.Wanted(GATEWAY, (identity("other.example.org"),), subject=old.certificate.subject)
    with pytest.raises(
        RegistryError, match=r"is the subject of `gw\.example\.org` .*by `A`, the authority of another"
    ):
        Issuer.of(b).issue(wanted, NOW)
    a.registry().revoke(old.authority_id, old.serial, "cessationOfOperation", LATER)
    new = issue(b, "gw.example.org")
    assert new.authority_id != old.authority_id


def test_whoever_another_directory_certified_meanwhile_keeps_the_name(both: tuple[Directory, Directory]) -> None:
    """Though the certificate that would be followed has expired, which the name alone would allow."""
    a, b = both
    old = issue(a, "gw.example.org")
    late = old.not_after + DAY
    issuance.issue(b, GATEWAY, (identity("gw.example.org"),), late, 30 * DAY)
    with pytest.raises(RegistryError, match="by `B`, the authority of another directory"):
        renewal.renew(Issuer.of(a), "gw.example.org", late)
    assert len(a.registry().find("gw.example.org")) == 2


@pytest.mark.parametrize("by_number", [False, True])
def test_another_directorys_holder_is_not_followed(both: tuple[Directory, Directory], by_number: bool) -> None:
    a, b = both
    other = issue(b, "gw.example.org")
    text = other.serial if by_number else "gw.example.org"
    issuer = Issuer.of(a)
    for follow in (renewal.renew, renewal.rekey):
        with pytest.raises(RegistryError, match="was issued by `B`, the authority of another directory") as caught:
            follow(issuer, text, LATER)
        assert "--dir" in caught.value.hint
    with pytest.raises(RegistryError, match="issued by `B`"):
        renewal.rekey(issuer, text, LATER, supersedes=True)
    assert a.registry().find("gw.example.org") == (other,)


def test_a_row_of_a_table_is_not_there_for_another_directorys_certificate(
    both: tuple[Directory, Directory], tmp_path: Path
) -> None:
    a, b = both
    issue(b, "gw.example.org")
    (tmp_path / "peers.csv").write_text("profile,name\ngateway,gw.example.org\n")
    rows = batch.read(tmp_path / "peers.csv")
    (outcome,) = batch.issue(Issuer.of(a), rows, lambda: NOW, skip_existing=True)
    assert outcome.result == "failed"
    assert "another directory" in outcome.error


def test_what_another_directory_issued_is_revoked_by_its_number_only(
    both: tuple[Directory, Directory], run: Run
) -> None:
    a, b = both
    own, other = issue(a, "own.example.org"), issue(b, "gw.example.org")
    for options in ("", "--every "):
        refused = run(f"keynote-pki revoke gw.example.org {options}--reason superseded --yes -d a")
        assert (refused.status, "`gw.example.org` was issued by `B`, the authority of another" in refused.err) == (
            1,
            True,
        )
        assert "or give its serial number if you mean it" in refused.err
    assert a.registry().find("gw.example.org") == (other,)
    done = run(f"keynote-pki revoke {other.serial} own.example.org --reason superseded --yes -d a")
    assert done.status == 0
    assert "`B` has no list that holds: make one with `keynote-pki crl make`, in the directory of that" in done.out
    assert "`A` has no list that holds: make one with `keynote-pki crl make`\n" in done.out
    assert all(it.revoked_at is not None for it in a.registry().certificates() if it.name in (own.name, other.name))
