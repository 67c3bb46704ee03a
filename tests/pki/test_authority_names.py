# SPDX-License-Identifier: ISC
"""Nobody is called like an authority, whoever of them came first, and no two holders are called alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki import (
    auditing,
    authority,
    batch,
    chain,
    issuance,
    keys,
    keystore,
    profiles,
    registry_names,
    renewal,
    requested,
    rollover,
)
from pki.authorities import Root
from pki.cli import authority_keys
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.errors import PkiError, RegistryError
from pki.issuance import Issuer, Wanted
from pki.names import identity, typed
from pki.records import Record
from pki.registry import Registry
from tests.pki import databases, factory
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW

pytestmark = pytest.mark.usefixtures("small_keys")

LATER = NOW + DAY
ALICE = "alice@example.org"


def initialize(url: Url, path: Path, name: str, **options: Any) -> Directory:
    issuance.initialize(path, name, NOW, registry_url=databases.shared(url), **options)
    return Directory(path)


@pytest.fixture
def ca(url: Url, tmp_path: Path) -> Directory:
    return initialize(url, tmp_path / "ca", "Root X")


def issue(directory: Directory, name: str, subject: str | None = None, *more: str) -> Record:
    whole = None if subject is None else authority.whole_name(subject)
    kind = profiles.ROAD_WARRIOR if "@" in name else profiles.GATEWAY
    identities = tuple(map(typed, (name, *more)))
    return Issuer.of(directory).issue(Wanted(kind, identities, subject=whole), NOW)


def adopt(url: Url, path: Path, name: str) -> None:
    """An authority below somebody else's root, which certifies another name than was requested."""
    requested.request(path, "Requested", path.with_suffix(".csr"), NOW, databases.shared(url))
    key = keystore.load(Directory(path).requested_key_path)
    root = factory.authority("Foreign Root", key="foreign")
    signed = factory.authority(authority.authority_name(name), root, key=key)  # type: ignore[arg-type]
    requested.complete(path, [signed.der, root.der], NOW)


Found = Callable[[Url, Directory, str], object]
WAYS: dict[str, Found] = {
    "rollover": lambda url, ca, name: rollover.roll_over(ca, name, LATER),
    "init": lambda url, ca, name: initialize(url, ca.path.parent / "other", name),
    "init's root": lambda url, ca, name: initialize(url, ca.path.parent / "other", "Other", root=Root(name)),
    "request": lambda url, ca, name: requested.request(
        ca.path.parent / "other", name, ca.path.parent / "csr", NOW, databases.shared(url)
    ),
    "adopt": lambda url, ca, name: adopt(url, ca.path.parent / "other", name),
}


@pytest.fixture(params=WAYS)
def found(request: pytest.FixtureRequest, url: Url, ca: Directory) -> Callable[[str], object]:
    """Make another authority of this name, in one of the ways there are."""
    return lambda name: WAYS[request.param](url, ca, name)


def assert_untouched(ca: Directory) -> None:
    registry = ca.registry()
    assert [it.name for it in registry.authorities()] == ["Root X"]
    assert registry.unfinished() == ()
    assert sorted(it.name for it in ca.keys.iterdir()) == sorted(registry.key_files(ca.settings().id))


@pytest.mark.parametrize("name", [f"/CN={ALICE}", "\uff21LICE@example.org"])
def test_a_holder_is_no_authority(ca: Directory, found: Callable[[str], object], name: str) -> None:
    alice = issue(ca, ALICE)
    with pytest.raises(RegistryError, match=rf"`/CN={ALICE}` is the subject of `{ALICE}` \(serial {alice.serial}\)"):
        found(name)
    assert_untouched(ca)


@pytest.mark.parametrize("name", ["/CN=Alice", "/CN= \uff21LICE"])
def test_nor_is_who_has_the_name_as_a_directory_name(
    ca: Directory, found: Callable[[str], object], name: str
) -> None:
    alice = issue(ca, ALICE, None, "/CN=Alice")
    with pytest.raises(
        RegistryError, match=rf"`/CN=Alice` is a directoryName of `{ALICE}` \(serial {alice.serial}\), whom peers"
    ):
        found(name)
    assert_untouched(ca)


@pytest.mark.parametrize("found", [way for way in WAYS if way != "request"], indirect=True)
def test_nor_where_only_the_transaction_is_left_to_see_it(
    ca: Directory, found: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(ca, ALICE)
    monkeypatch.setattr(Registry, "check_authority_name", lambda *arguments: None)
    with pytest.raises(RegistryError, match=f"is the subject of `{ALICE}`"):
        found(ALICE)
    assert_untouched(ca)


@pytest.mark.parametrize("over", ["revoked", "expired"])
def test_a_holder_who_is_none_any_more_is_in_nobodys_way(ca: Directory, over: str) -> None:
    alice = issue(ca, ALICE)
    if over == "revoked":
        ca.registry().revoke(alice.authority_id, alice.serial, "cessationOfOperation", LATER)
    made = rollover.roll_over(ca, ALICE, LATER if over == "revoked" else alice.not_after + DAY)
    assert made.authority.subject == f"/CN={ALICE}"


def test_who_is_licensed_or_licenses_is_no_authority(ca: Directory) -> None:
    delegations = ca.registry().delegations
    dn = f"DN:/CN={ALICE}"
    to = delegations.add(Draft("POLICY", dn, "true", "", "", LATER + DAY), NOW)
    by = delegations.add(Draft(dn, "DN:/CN=Bob", "true", "", "", None), NOW)
    for number, word in ((to.number, "to"), (by.number, "from")):
        with pytest.raises(RegistryError, match=f"delegation {number} is {word} `{dn}`") as caught:
            rollover.roll_over(ca, ALICE, LATER)
        assert caught.value.hint.endswith(f"keynote-pki delegations revoke {number}")
        delegations.revoke(number, "over", LATER)
    assert rollover.roll_over(ca, ALICE, LATER).authority.subject == f"/CN={ALICE}"


def test_a_delegation_that_is_over_is_in_nobodys_way(ca: Directory) -> None:
    ca.registry().delegations.add(Draft("POLICY", f"DN:/CN={ALICE}", "true", "", "", NOW), NOW)
    assert rollover.roll_over(ca, ALICE, LATER).authority.name == ALICE


@pytest.mark.parametrize("name", ["root  x", "/CN=Ro\\xEF\\xB8\\x8Fot X"])
def test_authorities_are_told_apart_as_peers_tell_them(
    ca: Directory, found: Callable[[str], object], name: str
) -> None:
    with pytest.raises(RegistryError, match="there is an authority `/CN=Root X` already"):
        found(name)
    assert_untouched(ca)


def test_authorities_may_share_a_common_name(url: Url, ca: Directory, tmp_path: Path) -> None:
    other = initialize(url, tmp_path / "other", "/O=Y/CN=Root X")
    registry = other.registry()
    names = [it.name for it in registry.authorities()]
    assert names == ["Root X", "/O=Y/CN=Root X"]
    for name, subject in zip(names, ("/CN=Root X", "/O=Y/CN=Root X"), strict=True):
        assert authority_keys.authority(registry, name).certificate.subject == subject
    anchors = chain.TrustAnchors([it.certificate.certificate for it in registry.authorities()])
    for directory in (ca, other):
        leaf = issue(directory, f"{directory.path.name}.example.org")
        assert chain.validate(leaf.der, [], anchors, NOW).leaf.subject == leaf.subject


# -- holders


@pytest.fixture
def several(url: Url, tmp_path: Path) -> Directory:
    """A CA directory below `Root X`, whose first authority is retired, and another authority beside it."""
    initialize(url, tmp_path / "sibling", "Sibling")
    below = initialize(url, tmp_path / "below", "First CA", root=Root("Root X"))
    rollover.roll_over(below, "Second CA", NOW)
    return below


LOOK_ALIKES = ["/CN=root x", "/CN=first  CA", "/CN=SECOND CA", "/CN=\uff33ibling"]


@pytest.mark.parametrize("subject", LOOK_ALIKES)
def test_nobody_is_called_like_an_authority(several: Directory, subject: str) -> None:
    with pytest.raises(PkiError, match=r"called like|bears the subject"):
        issue(several, "s9.example.org", subject)
    issuer = Issuer.of(several)
    row = batch.Row("peers.csv", 2, {"profile": "gateway", "name": "s9.example.org", "subject": subject})
    (outcome,) = batch.issue(issuer, [row], lambda: NOW)
    assert outcome.result == "failed"
    assert several.registry().find("s9.example.org") == ()


def test_nor_by_the_name_that_it_would_get_of_itself(several: Directory) -> None:
    rollover.roll_over(several, "GW.example.org", NOW)
    rollover.roll_over(several, "Last CA", NOW)
    wanted = Wanted(profiles.GATEWAY, (identity("gw.example.org"),), public_key=keys.generate("p-256").public_key())
    with pytest.raises(RegistryError, match=r"called like the authority `/CN=GW\.example\.org`"):
        Issuer.of(several).issue(wanted, NOW)


def test_whoever_was_called_like_an_authority_before_is_not_renewed(
    ca: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(ca, ALICE)
    with monkeypatch.context() as patch:
        patch.setattr(registry_names, "check_authority", lambda *arguments: None)
        rollover.roll_over(ca, ALICE.upper(), LATER)
    issuer = Issuer.of(ca)
    for follow in (renewal.renew, renewal.rekey):
        with pytest.raises(PkiError, match=r"called like|bears the subject"):
            follow(issuer, ALICE, LATER)
    with pytest.raises(PkiError, match=r"called like|bears the subject"):
        renewal.rekey(issuer, ALICE, LATER, supersedes=True)


def test_no_two_holders_are_called_alike(ca: Directory) -> None:
    gateway = issue(ca, "gw.example.org")
    for subject in ("/CN=GW.example.org", "/CN=gw.example.org", "/CN= gw.example.org\ufe0f"):
        with pytest.raises(
            RegistryError, match=r"(is called like `/CN=gw\.example\.org`,|is) the subject of `gw\.ex"
        ):
            issue(ca, "s.example.org", subject)
    renewed = renewal.renew(Issuer.of(ca), "gw.example.org", LATER).record
    assert renewed.subject == gateway.subject
    assert issue(ca, "s.example.org", "/O=Y/CN=GW.example.org").name == "s.example.org"


# -- distinguished names among the subjectAltNames


@pytest.mark.parametrize("name", ["/CN=Second CA", "/CN=Root X", *LOOK_ALIKES])
def test_nobody_has_an_authoritys_name_as_a_directory_name(several: Directory, name: str) -> None:
    with pytest.raises(RegistryError, match=r"is called like the authority `/CN=.*`: policies trust") as caught:
        issue(several, "s9.example.org", None, name)
    assert caught.value.hint == "leave that directoryName out, or give it another"
    row = batch.Row("peers.csv", 2, {"profile": "gateway", "name": "s9.example.org", "dn": name})
    (outcome,) = batch.issue(Issuer.of(several), [row], lambda: NOW)
    assert outcome.result == "failed"
    assert several.registry().find("s9.example.org") == ()


ALIKE = ["/O=Y/CN=Alice", "/O=y/CN=ALICE", "/O=Y/CN= alice\ufe0f", "/O=Y/CN=Ａlice"]


@pytest.mark.parametrize("name", ALIKE)
def test_a_subject_is_nobody_elses_directory_name(ca: Directory, name: str) -> None:
    alice = issue(ca, ALICE, "/O=Y/CN=Alice")
    with pytest.raises(
        RegistryError,
        match=rf"(is called like `/O=Y/CN=Alice`,|is) the subject of `{ALICE}` \(serial {alice.serial}\), and pol",
    ):
        issue(ca, "s.example.org", None, name)


@pytest.mark.parametrize("name", ALIKE)
def test_a_directory_name_is_nobody_elses_subject(ca: Directory, name: str) -> None:
    issue(ca, ALICE, None, "/O=Y/CN=Alice")
    with pytest.raises(
        RegistryError, match=rf"(is called like `/O=Y/CN=Alice`,|is) a directoryName of `{ALICE}`"
    ) as caught:
        issue(ca, "s.example.org", name)
    assert caught.value.hint == "give it another subject"


@pytest.mark.parametrize("name", ALIKE)
def test_a_directory_name_has_one_holder(ca: Directory, name: str) -> None:
    issue(ca, ALICE, None, "/O=Y/CN=Alice")
    with pytest.raises(RegistryError, match=r"a directoryName of|has a certificate already, that of"):
        issue(ca, "s.example.org", None, name)


def test_nor_in_another_directory_or_in_one_table(url: Url, ca: Directory, tmp_path: Path) -> None:
    issue(ca, ALICE, None, "/O=Y/CN=Alice")
    other = initialize(url, tmp_path / "other", "Other")
    with pytest.raises(RegistryError, match=r"a directoryName of .*by `Root X`, the authority of another directory"):
        issue(other, "s.example.org", "/O=Y/CN=ALICE")
    rows = [
        batch.Row("peers.csv", line, {"profile": "gateway", "name": f"s{line}.example.org", "dn": name})
        for line, name in ((2, "/CN=Bob"), (3, "/CN=bob"))
    ]
    assert [it.result for it in batch.issue(Issuer.of(other), rows, lambda: NOW)] == ["issued", "failed"]


def test_the_holder_of_a_directory_name_goes_on_with_it(ca: Directory) -> None:
    first = issue(ca, ALICE, "/O=Y/CN=Alice", "/O=Y/CN=Alice", "/O=Z/CN=Alice")
    issuer = Issuer.of(ca)
    renewal.renew(issuer, ALICE, LATER)
    renewal.rekey(issuer, ALICE, LATER)
    last = renewal.rekey(issuer, ALICE, LATER, supersedes=True).record
    assert (last.subject, last.identities) == (first.subject, first.identities)
    for record in ca.registry().find(ALICE):
        if record.revoked_at is None:
            ca.registry().revoke(record.authority_id, record.serial, "cessationOfOperation", LATER)
    assert issue(ca, "s.example.org", "/O=Z/CN=alice", "/O=Y/CN=alice").subject == "/O=Z/CN=alice"


def test_who_had_anothers_name_before_is_read_and_not_renewed(ca: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(ca, ALICE, "/O=Y/CN=Alice")
    with monkeypatch.context() as patch:
        patch.setattr(registry_names, "check_names", lambda *arguments: None)
        issue(ca, "s.example.org", None, "/O=Y/CN=ALICE", "/CN=Root X")
    registry = ca.registry()
    with registry.audit.reading() as snapshot:
        assert list(auditing.check(snapshot, lambda items, total, what: items)) == []
    assert len(registry.certificates()) == 3
    issuer = Issuer.of(ca)
    for name in ("s.example.org", ALICE):
        with pytest.raises(RegistryError, match="called like"):
            renewal.renew(issuer, name, LATER)
    (other,) = registry.find("s.example.org")
    registry.revoke(other.authority_id, other.serial, "superseded", LATER)
    assert renewal.renew(issuer, ALICE, LATER).record.name == ALICE


@pytest.mark.parametrize("again", ["GW.Example.ORG", "noc@EXAMPLE.org", "2001:DB8:0::1", "192.0.2.1"])
def test_the_other_kinds_of_names_have_one_text_each(ca: Directory, again: str) -> None:
    issue(ca, "gw.example.org", None, "noc@example.org", "2001:db8::1", "192.0.2.1")
    with pytest.raises(RegistryError, match="has a certificate already"):
        issue(ca, "s.example.org", None, again)
