# SPDX-License-Identifier: ISC
"""Peers that know the old authority, the new one or both accept what either issues."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from pki import (
    auditing,
    authority,
    chain,
    issuance,
    keystore,
    name_constraints,
    profiles,
    renewal,
    revocation_lists,
    rollover,
)
from pki.authorities import Root
from pki.directory import Directory
from pki.errors import KeystoreError, NameInvalid, PkiError, RegistryError
from pki.keys import KeySigner
from pki.names import identity
from pki.records import Record
from tests.pki import factory
from tests.pki.factory import DAY, NOW
from tests.pki.openssl_tool import openssl

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("quick_keys")]
LATER = NOW + 10 * DAY
NEXT = "/C=XX/O=Test/CN=Next CA"


def issue(directory: Directory, name: str = "gw.example.org") -> Record:
    return issuance.issue(directory, profiles.GATEWAY, (identity(name),), LATER)


def accepted(directory: Directory, leaf: Record, *anchors: Record) -> bool:
    sent = [it.der for it in directory.registry().above(leaf.authority_id).intermediates]
    trusted = chain.TrustAnchors([it.certificate for it in anchors])
    try:
        found = chain.validate(leaf.der, sent, trusted, LATER)
    except chain.ChainError:
        return False
    directory.registry().check_chain(found.certificates)
    return True


def test_old_and_new_overlap(directory: Directory) -> None:
    of_old = issue(directory)
    made = rollover.roll_over(directory, NEXT, LATER)
    of_new = issue(directory, "new.example.org")
    assert of_new.certificate.issuer.rfc4514_string() == "CN=Next CA,O=Test,C=XX"
    assert (len(made.cross), made.note) == (2, "")
    old, new = made.retired, made.authority
    for anchors in ((old,), (new,), (old, new)):
        assert accepted(directory, of_old, *anchors)
        assert accepted(directory, of_new, *anchors)
    registry = directory.registry()
    assert [(it.name, it.retired_at) for it in registry.authorities()] == [("Example CA", LATER), ("Next CA", None)]
    assert registry.find_one("Next CA") == new
    assert {it.name for it in made.cross} == {
        "Next CA, vouched for by Example CA",
        "Example CA, vouched for by Next CA",
    }
    assert all(it.not_after <= min(old.not_after, new.not_after) for it in made.cross)


def test_without_its_cross_certificate_the_new_one_is_unknown_to_whom_knows_the_old(directory: Directory) -> None:
    made = rollover.roll_over(directory, NEXT, LATER)
    leaf = issue(directory)
    with pytest.raises(chain.ChainError):
        chain.validate(leaf.der, [], chain.TrustAnchors([made.retired.certificate]), LATER)


def test_renewed_after_it_a_holder_has_a_certificate_of_each(directory: Directory) -> None:
    old = issue(directory)
    rollover.roll_over(directory, NEXT, LATER)
    followed = renewal.renew(issuance.Issuer.of(directory), "gw.example.org", LATER)
    assert followed.record.authority_id != old.authority_id
    assert (followed.record.supersedes, followed.record.subject) == (old.sha256, old.subject)
    with pytest.raises(PkiError, match="has a certificate already"):
        issue(directory)


def test_after_a_second_one_whom_the_first_left_behind_is_said(directory: Directory) -> None:
    of_old = issue(directory)
    first = rollover.roll_over(directory, NEXT, LATER)
    second = rollover.roll_over(directory, "/C=XX/O=Test/CN=Last CA", LATER)
    of_last = issue(directory, "last.example.org")
    assert second.note == (
        "`Example CA` and `Last CA` do not vouch for each other: peers that trust only one of them do not believe "
        "what the other issues; give those that trust only `Example CA` the certificate of `Next CA` or "
        "`Last CA` first"
    )
    old, next_, last = first.retired, first.authority, second.authority
    assert not accepted(directory, of_last, old)
    assert not accepted(directory, of_old, last)
    for leaf in (of_old, of_last):
        assert accepted(directory, leaf, next_)
    assert accepted(directory, of_last, last)
    end = old.not_after + DAY
    assert "Example CA" not in rollover.roll_over(directory, "/C=XX/O=Test/CN=Newest CA", end).note


def test_an_authority_without_room_below_it(directory: Directory, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "profiles.toml").write_text('[ca]\nlike = "ca"\npath_length = 0\n')
    issuance.initialize(own, "Example CA", NOW)
    made = rollover.roll_over(Directory(own), NEXT, LATER)
    assert made.cross == ()
    assert made.note.count("leaves no room for an authority below it") == 2


def test_an_authority_that_has_expired(directory: Directory) -> None:
    end = directory.authority(directory.registry()).certificate.not_after
    made = rollover.roll_over(directory, NEXT, end + DAY)
    assert (made.cross, made.note) == ((), "`Example CA` has expired: no cross certificates")


@pytest.mark.parametrize("name", ["/C=XX/O=Test/CN=Example CA", "/C=XX/O=Test/CN=example  ca"])
def test_the_same_name_again(directory: Directory, name: str) -> None:
    with pytest.raises(PkiError, match="already") as caught:
        rollover.roll_over(directory, name, LATER)
    assert caught.value.hint
    assert len(directory.registry().authorities()) == 1
    assert issue(directory).authority_id == 1


def test_below_a_root_nothing_is_needed(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    root_key = tmp_path / "root.pem"
    permitted = name_constraints.constraints(["dns:example.org"], [])
    issuance.initialize(directory.path, "Example CA", NOW, root=Root("Root", root_key), constraints=permitted)
    of_old = issue(directory)
    with pytest.raises(PkiError, match="the private key of `Root` is not kept here") as caught:
        rollover.roll_over(directory, NEXT, LATER)
    assert caught.value.hint == "name its file: --root-key FILE"
    with pytest.raises(KeystoreError, match="cannot be read: No such file"):
        rollover.roll_over(directory, NEXT, LATER, root_key=tmp_path / "nowhere.pem")
    made = rollover.roll_over(directory, NEXT, LATER, root_key=root_key)
    assert (made.cross, "no cross certificates are needed" in made.note) == ((), True)
    of_new = issue(directory, "new.example.org")
    registry = directory.registry()
    (root,) = registry.above(of_new.authority_id).anchors
    assert root.profile == "root"
    assert accepted(directory, of_old, root)
    assert accepted(directory, of_new, root)
    with pytest.raises(PkiError, match="constrained to others"):
        issue(directory, "gw.example.com")


def test_a_root_key_that_was_put_back(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", NOW, root=Root("Root", tmp_path / "root.pem"))
    root = directory.registry().find_one("Root")
    keystore.write(directory.keys / f"{root.serial}.pem", (tmp_path / "root.pem").read_bytes())
    assert rollover.roll_over(directory, NEXT, LATER).authority.name == "Next CA"


@pytest.fixture
def rooted(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    """A CA directory with an offline root, whose key is in `old.pem`."""
    server = None if database == "sqlite" else request.getfixturevalue("server")
    url = server and server.url(server.new_database())
    issuance.initialize(tmp_path / "ca", "Example CA", NOW, registry_url=url, root=Root("Root", tmp_path / "old.pem"))
    return Directory(tmp_path / "ca")


def roll_the_root_over(directory: Directory, **options: Any) -> rollover.RolledOver:
    beside = directory.path.parent
    root = Root("Next Root", beside / "new.pem")
    return rollover.roll_over(directory, NEXT, LATER, root=root, root_key=beside / "old.pem", **options)


def test_a_root_that_is_replaced(rooted: Directory, tmp_path: Path) -> None:
    """RFC 4210 4.4: old with new, and new with old."""
    of_old = issue(rooted)
    made = roll_the_root_over(rooted)
    of_new = issue(rooted, "new.example.org")
    new, old = made.root, made.retired_root
    assert new is not None
    assert old is not None
    assert (new.name, old.name, made.authority.name, made.retired.name, made.note) == (
        *("Next Root", "Root", "Next CA", "Example CA"),
        "",
    )
    assert of_new.certificate.issuer == made.authority.certificate.subject
    assert made.authority.certificate.issuer == new.certificate.subject
    assert [(it.certificate.subject, it.certificate.issuer, it.key_sha256) for it in made.cross] == [
        (new.certificate.subject, old.certificate.subject, new.key_sha256),
        (old.certificate.subject, new.certificate.subject, old.key_sha256),
    ]
    registry = rooted.registry()
    assert registry.unfinished(rooted.settings().id) == ()
    for leaf in (of_old, of_new):
        for anchors in ((old,), (new,), (old, new)):
            assert accepted(rooted, leaf, *anchors)
        assert {it.name for it in registry.above(leaf.authority_id).anchors} == {"Root", "Next Root"}
    assert {it.name for it in registry.authorities() if it.retired_at is None} == {"Next Root", "Next CA"}
    key = keystore.load(tmp_path / "new.pem")
    assert key.public_key() == new.certificate.public_key()
    with registry.audit.reading() as snapshot:
        assert list(auditing.check(snapshot, lambda items, total, what: items)) == []
    once_more = rollover.roll_over(rooted, "Third CA", LATER, root_key=tmp_path / "new.pem")
    assert once_more.authority.certificate.issuer == new.certificate.subject


def test_openssl_finds_its_ways_to_either_root(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", NOW, root=Root("Root", tmp_path / "old.pem"))
    leaves = [issue(directory)]
    made = roll_the_root_over(directory)
    leaves.append(issue(directory, "new.example.org"))
    for leaf in leaves:
        sent = registry_chain(directory, leaf)
        for anchor in (made.root, made.retired_root):
            assert anchor is not None
            assert openssl_accepts(tmp_path, leaf, sent, anchor)
        without_cross = [it for it in sent if it not in made.cross]
        assert [
            openssl_accepts(tmp_path, leaf, without_cross, anchor)
            for anchor in (made.retired_root, made.root)
            if anchor is not None
        ] == [leaf is leaves[0], leaf is leaves[1]]


def registry_chain(directory: Directory, leaf: Record) -> list[Record]:
    return list(directory.registry().above(leaf.authority_id).intermediates)


def openssl_accepts(folder: Path, leaf: Record, sent: list[Record], anchor: Record) -> bool:
    files = {"leaf": [leaf], "sent": sent, "anchor": [anchor]}
    for name, records in files.items():
        pem = b"".join(it.certificate.public_bytes(Encoding.PEM) for it in records)
        (folder / f"{name}.pem").write_bytes(pem)
    words = ["-x509_strict", "-attime", int(LATER.timestamp()), "-CAfile", folder / "anchor.pem"]
    return openssl("verify", *words, "-untrusted", folder / "sent.pem", folder / "leaf.pem")[0] == 0


def test_lists_of_the_old_root_count_above_what_it_vouched_for(rooted: Directory, tmp_path: Path) -> None:
    """A peer that trusts the new root alone, and wants lists: those of the old authorities go on."""
    leaf = issue(rooted)
    made = roll_the_root_over(rooted)
    assert made.root is not None
    registry = rooted.registry()
    signers = {"Root": "old.pem", "Next Root": "new.pem"}
    lists = []
    for each in registry.authorities():
        key_file = tmp_path / signers[each.name] if each.name in signers else None
        signer = rooted.signer(each.certificate, key_file=key_file)
        lists.append(revocation_lists.read(registry.crls.make(each, signer, LATER).der))
    sent = [it.der for it in registry_chain(rooted, leaf)]
    check = chain.RevocationCheck(revocation_lists.RevocationLists(lists), chain.RevocationPolicy.REQUIRE)
    anchors = chain.TrustAnchors([made.root.certificate])
    found = chain.validate(leaf.der, sent, anchors, LATER, revocation=check)
    assert [it.subject for it in found.certificates][1:] == ["/CN=Example CA", "/CN=Root", "/CN=Next Root"]


def test_a_root_without_room_for_another_and_what_is_below_it(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "profiles.toml").write_text('[root]\nlike = "root"\npath_length = 1\n')
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", NOW, root=Root("Root", tmp_path / "old.pem"))
    made = roll_the_root_over(directory)
    assert made.cross == ()
    assert made.note.count("leaves no room for") == 2


def test_a_new_root_where_there_is_none_or_of_a_name_that_is_taken(directory: Directory, tmp_path: Path) -> None:
    with pytest.raises(PkiError, match="there is no root over `Example CA`") as caught:
        rollover.roll_over(directory, NEXT, LATER, root=Root("Root"))
    assert caught.value.hint == "leave out --root: it is replaced itself"
    below = Directory(tmp_path / "below")
    issuance.initialize(below.path, "Example CA", NOW, root=Root("Root", tmp_path / "old.pem"))
    key = tmp_path / "old.pem"
    with pytest.raises(RegistryError, match="there is an authority `/CN=Root` already"):
        rollover.roll_over(below, "Next", LATER, root=Root("ROOT"), root_key=key)
    with pytest.raises(NameInvalid, match="would both be `/CN=Next`"):
        rollover.roll_over(below, "Next", LATER, root=Root("next"), root_key=key)
    with pytest.raises(KeystoreError, match="exists and is not overwritten"):
        rollover.roll_over(below, "Next", LATER, root=Root("Next Root", key), root_key=key)
    assert len(below.registry().authorities()) == 2


def test_a_root_whose_replacement_fails_stays(rooted: Directory, tmp_path: Path) -> None:
    class Broken(Token):
        def __init__(self) -> None:
            super().__init__("broken token")
            self.sign = self.refuse

        def refuse(self, data: bytes) -> bytes:
            raise PkiError("the token says no")

    old = keystore.load(tmp_path / "old.pem")
    token = Broken()
    token.public_key = old.public_key()
    with pytest.raises(PkiError, match="the token says no"):
        roll_the_root_over(rooted, signer=token)
    assert {it.name: it.retired_at for it in rooted.registry().authorities()} == {"Root": None, "Example CA": None}
    assert not (tmp_path / "new.pem").exists()
    assert len(list(rooted.keys.iterdir())) == 1
    assert roll_the_root_over(rooted).cross


def test_root_and_authority_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(NameInvalid, match="would both be"):
        issuance.initialize(tmp_path / "ca", "Example", NOW, root=Root("EXAMPLE"))
    assert not (tmp_path / "ca").exists()


class Token:
    """Signs, and has no key to give away."""

    def __init__(self, label: str) -> None:
        signer = KeySigner(factory.rsa_key(label))
        self.public_key: CertificatePublicKeyTypes = signer.public_key
        self.sign = signer.sign
        assert not hasattr(self, "key")


def test_authorities_whose_keys_are_in_tokens(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    first, second = Token("first token"), Token("second token")
    issuance.initialize(directory.path, "Example CA", NOW, signer=first)
    assert list(directory.keys.iterdir()) == []
    issuer = issuance.Issuer.of(directory, signer=first)
    record = issuer.issue(issuance.Wanted(profiles.GATEWAY, (identity("gw.example.org"),)), LATER)
    with pytest.raises(PkiError, match="is not kept here"):
        rollover.roll_over(directory, NEXT, LATER)
    made = rollover.roll_over(directory, NEXT, LATER, signer=first, new_signer=second)
    assert len(made.cross) == 2
    assert accepted(directory, record, made.authority)
    assert [path.name for path in directory.keys.iterdir()] == [record.key_file]
    with pytest.raises(PkiError, match="the key at hand is not the key of authority"):
        issuance.Issuer.of(directory, signer=first).issue(
            issuance.Wanted(profiles.GATEWAY, (identity("other.example.org"),)), LATER
        )


def test_an_authority_with_an_experimental_key_and_none_with_ed25519() -> None:
    name = authority.authority_name("Example CA")
    key = mldsa.MLDSA44PrivateKey.generate()
    certificate = authority.prepare_authority(name, key.public_key(), 1, NOW).sign(KeySigner(key))
    assert chain.TrustAnchors([certificate]).certificates[0].public_key == key.public_key()
    with pytest.raises(PkiError, match="Ed25519"):
        authority.prepare_authority(name, ed25519.Ed25519PrivateKey.generate().public_key(), 1, NOW)
