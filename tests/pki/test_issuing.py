# SPDX-License-Identifier: ISC
"""Issuing for keys that are there, with names of all kinds, protected keys, and what follows what."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from pki import authority, candidates, issuance, keys, keystore, names, profiles, renewal, signing_requests
from pki.directory import Directory
from pki.errors import KeystoreError, LintFailed, NameInvalid, PkiError, RegistryError
from pki.issuance import Issuer, Wanted
from pki.names import Identity, identity, typed
from pki.records import Record
from pki.typed_names import TypedNames
from tests.pki import factory
from tests.pki.factory import DAY, NOW

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("quick_keys")]
LATER = NOW + DAY
SECRET = b"correct horse"


def issue(directory: Directory, *texts: str, now: datetime.datetime = NOW, **wanted: object) -> Record:
    profile = wanted.pop("profile", profiles.GATEWAY)
    asked = Wanted(profile, tuple(map(typed, texts)), **wanted)  # type: ignore[arg-type]
    return Issuer.of(directory).issue(asked, now)


def test_names_of_all_kinds(directory: Directory) -> None:
    given = TypedNames(
        ("bücher.example",), ("VPN.example.org",), ("192.0.2.1",), ("a@bücher.example",), ("/C=DE/CN=Größe",)
    )
    record = Issuer.of(directory).issue(Wanted(profiles.GATEWAY, given.identities()), NOW)
    assert record.identities == (
        Identity("FQDN", "xn--bcher-kva.example"),
        Identity("FQDN", "vpn.example.org"),
        Identity("IPV4_ADDR", "192.0.2.1"),
        Identity("USER_FQDN", "a@xn--bcher-kva.example"),
        Identity("DER_ASN1_DN", r"/C=DE/CN=Gr\xC3\xB6\xC3\x9Fe"),
    )
    found = record.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (name,) = found.get_values_for_type(x509.DirectoryName)
    assert name.rfc4514_string() == "CN=Größe,C=DE"
    assert directory.registry().find_one(r"/C=DE/CN=Gr\xC3\xB6\xC3\x9Fe") == record


@pytest.mark.parametrize("text", ["faß.example", "Faß.Example"])
def test_idna_of_2008_and_not_of_2003(text: str) -> None:
    assert names.a_labels(text) == "xn--fa-hia.example"


@pytest.mark.parametrize("unseen", ["\u200b", "\u00ad", "\ufe0f", "\u2060", "\ufeff"])
def test_what_nobody_sees_is_not_dropped_in_silence(unseen: str) -> None:
    with pytest.raises(NameInvalid, match=f"U.{ord(unseen):04X} in it is not to be seen"):
        names.typed(f"gw{unseen}.example.org")


@pytest.mark.parametrize("text", ["\u2603\u200d.example", "bü cher.example", "-ü.example", "ü" * 64 + ".example"])
def test_what_is_no_name_in_any_language(text: str) -> None:
    with pytest.raises(NameInvalid, match="is not a host name"):
        typed(text)


def test_a_subject_of_its_own_and_nobody_elses(directory: Directory) -> None:
    record = issue(directory, "gw.example.org", subject=authority.whole_name("/C=DE/O=Other/CN=gw"))
    assert record.subject == "/C=DE/O=Other/CN=gw"
    with pytest.raises(RegistryError, match=r"`/C=DE/O=Other/CN=gw` is the subject of `gw.example.org`"):
        issue(directory, "gw2.example.org", subject=authority.whole_name("/C=DE/O=Other/CN=gw"))
    with pytest.raises(PkiError, match="subject of its authority"):
        issue(directory, "gw2.example.org", subject=authority.whole_name("/C=XX/O=Test/CN=Example CA"))


def test_places_from_ca_toml(directory: Directory) -> None:
    with directory.settings_path.open("a") as file:
        file.write('crl_url = "http://x.example/{authority}.crl"\nocsp_url = "http://x.example/ocsp"\n')
    certificate = issue(directory, "gw.example.org").certificate
    (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name == [x509.UniformResourceIdentifier("http://x.example/1.crl")]
    (access,) = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert access.access_method == AuthorityInformationAccessOID.OCSP


def test_a_profile_of_its_own(directory: Directory) -> None:
    (directory.path / "profiles.toml").write_text(
        '[week]\nlike = "gateway"\ndays = 7\nbackdate_minutes = 0\nkeys = ["rsa-2048"]\n'
    )
    week = directory.profiles()["week"]
    record = issue(directory, "gw.example.org", profile=week)
    assert (record.profile, record.not_before, record.not_after) == ("week", NOW, NOW + 7 * DAY)
    with pytest.raises(PkiError, match="a week cannot have a key of kind `p-256`"):
        issue(directory, "other.example.org", profile=week, kind="p-256")
    assert renewal.renew(Issuer.of(directory), "gw.example.org", LATER).record.profile == "week"
    (directory.path / "profiles.toml").unlink()
    with pytest.raises(PkiError, match="profile `week`, which is not there any more"):
        renewal.renew(Issuer.of(directory), "gw.example.org", LATER)


def test_encrypted_keys(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", NOW, passphrase=SECRET)
    with pytest.raises(KeystoreError, match="is encrypted"):
        Issuer.of(directory)
    with pytest.raises(KeystoreError, match="this is not the passphrase of"):
        Issuer.of(directory, passphrase=lambda path: b"wrong")
    issuer = Issuer.of(directory, passphrase=lambda path: SECRET)
    assert SECRET.decode() not in repr(issuer)
    record = issuer.issue(Wanted(profiles.GATEWAY, (identity("gw.example.org"),)), NOW)
    path = directory.key_path(str(record.key_file))
    assert b"ENCRYPTED PRIVATE KEY" in path.read_bytes()
    assert keystore.load(path, lambda path: SECRET).public_key() == record.certificate.public_key()


def request(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *found: x509.GeneralName, subject: str = "peer"
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    )
    if found:
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    builder = builder.add_extension(factory.key_usage("key_cert_sign"), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_request_is_read_and_not_obeyed(directory: Directory) -> None:
    key = factory.ec_key("peer")
    asked = signing_requests.read(
        request(
            key,
            x509.DNSName("peer.example.org"),
            x509.DNSName("*.example.org"),
            x509.UniformResourceIdentifier("http://x"),
            x509.DirectoryName(factory.name("peer")),
        )
    )
    assert asked.identities == (identity("peer.example.org"), Identity("DER_ASN1_DN", "/C=XX/O=Test/CN=peer"))
    assert asked.unfit_names == ("DNSName *.example.org", "UniformResourceIdentifier http://x")
    assert asked.other_extensions == ("KeyUsage (2.5.29.15)",)
    assert (asked.subject, asked.common_names, asked.kind) == ("/CN=peer", ("peer",), "p-256")
    record = issue(directory, "peer.example.org", public_key=asked.public_key)
    assert record.certificate.public_key() == key.public_key()
    assert record.key_file is None
    usage = record.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not usage.key_cert_sign
    with pytest.raises(PkiError, match=r"the key has a certificate already, that of `peer.example.org`"):
        issue(directory, "other.example.org", public_key=asked.public_key)
    with pytest.raises(PkiError, match="is not kept here"):
        directory.signer(record)


def test_a_request_for_the_key_of_an_authority(directory: Directory) -> None:
    key = directory.authority(directory.registry()).certificate.certificate.public_key()
    with pytest.raises(PkiError, match="the key has a certificate already, that of `Example CA`") as caught:
        issue(directory, "peer.example.org", public_key=key)
    assert caught.value.hint == "that is no peer: have the request made with a key of its own"


def test_requests_that_are_refused(directory: Directory) -> None:
    good = request(factory.ec_key("peer"), x509.DNSName("peer.example.org"))
    der = x509.load_pem_x509_csr(good).public_bytes(Encoding.DER)
    assert signing_requests.read(der).identities == (identity("peer.example.org"),)
    with pytest.raises(PkiError, match="is not signed by its own key"):
        signing_requests.read(der.replace(b"peer.example.org", b"peer.example.com"))
    with pytest.raises(PkiError, match="key of kind rsa-1024, which is weak"):
        signing_requests.read(request(factory.rsa_key("weak", 1024)))
    with pytest.raises(PkiError, match="key of kind secp224r1, which is weak"):
        signing_requests.read(request(factory.ec_key("curve", ec.SECP224R1)))
    for bad in (b"", b"x", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", der[:-1]):
        with pytest.raises(PkiError, match="this is no request"):
            signing_requests.read(bad)
    with pytest.raises(PkiError, match="more than 32768"):
        signing_requests.read(bytes(40000))
    with pytest.raises(PkiError, match="a legacy-isakmpd cannot have a key of kind `p-256`"):
        issue(
            directory,
            "peer.example.org",
            profile=profiles.PROFILES["legacy-isakmpd"],
            public_key=signing_requests.read(good).public_key,
        )
    with pytest.raises((LintFailed, NameInvalid)):
        issue(directory, public_key=signing_requests.read(good).public_key)


def test_renewed_the_key_stays_and_rekeyed_it_does_not(directory: Directory) -> None:
    old = issue(directory, "gw.example.org", "192.0.2.1", "/C=DE/CN=x")
    renewed = renewal.renew(Issuer.of(directory), "gw.example.org", LATER).record
    assert (renewed.key_file, renewed.key_sha256) == (old.key_file, old.key_sha256)
    assert (renewed.identities, renewed.subject, renewed.supersedes) == (old.identities, old.subject, old.sha256)
    rekeyed = renewal.rekey(Issuer.of(directory), "192.0.2.1", LATER + DAY).record
    assert rekeyed.key_sha256 != old.key_sha256
    assert rekeyed.supersedes == renewed.sha256
    assert {it.validity(LATER + DAY) for it in directory.registry().find("gw.example.org")} == {"valid"}
    with pytest.raises(PkiError, match=r"this is the key that `gw.example.org` has"):
        renewal.rekey(
            Issuer.of(directory), "gw.example.org", LATER + DAY, public_key=rekeyed.certificate.public_key()
        )


def test_superseded_the_old_one_is_revoked_with_the_issue(directory: Directory) -> None:
    old = issue(directory, "gw.example.org")
    followed = renewal.rekey(Issuer.of(directory), "gw.example.org", LATER, supersedes=True)
    gone = directory.registry().find_one(old.sha256)
    assert (gone.revocation_reason, gone.revoked_at) == ("superseded", LATER)
    assert followed.record.supersedes == old.sha256


def test_who_is_meant(directory: Directory) -> None:
    one = issue(directory, "one.example.org")
    with pytest.raises(RegistryError, match=r"no certificate `two.example.org`"):
        renewal.renew(Issuer.of(directory), "two.example.org", LATER)
    with pytest.raises(PkiError, match="is an authority, not a peer"):
        renewal.renew(Issuer.of(directory), "Example CA", LATER)
    registry = directory.registry()
    registry.revoke(one.authority_id, one.serial, "superseded", LATER)
    with pytest.raises(RegistryError, match="was revoked on 2026-11-02: superseded") as caught:
        renewal.renew(Issuer.of(directory), "one.example.org", LATER)
    assert caught.value.hint == "have a new one issued: keynote-pki issue gateway one.example.org"


def test_an_expired_certificate_gives_no_name_back_that_has_another_holder(directory: Directory) -> None:
    old = issue(directory, "gw.example.org")
    late = old.not_after + DAY
    new = issue(directory, "gw.example.org", now=late)
    for follow in (renewal.renew, renewal.rekey):
        with pytest.raises(PkiError, match=f"another certificate, with another key .serial {new.serial}") as caught:
            follow(Issuer.of(directory), old.serial, late)
        assert caught.value.hint.endswith(f"keynote-pki renew {new.serial[:12]}")
    renewed = renewal.renew(Issuer.of(directory), "gw.example.org", late).record
    assert renewed.key_sha256 == new.key_sha256
    free = renewed.not_after + DAY
    assert renewal.renew(Issuer.of(directory), old.serial, free).record.key_sha256 == old.key_sha256


def test_an_expired_certificate_whose_key_went_on_may_follow_once_more(directory: Directory) -> None:
    old = issue(directory, "gw.example.org")
    renewed = renewal.renew(Issuer.of(directory), "gw.example.org", old.not_after - DAY).record
    again = renewal.renew(Issuer.of(directory), old.serial, old.not_after + DAY).record
    assert again.key_sha256 == renewed.key_sha256 == old.key_sha256


def test_several_holders_of_one_name_are_listed_and_an_expired_one_may_follow(directory: Directory) -> None:
    one = issue(directory, "one.example.org", "192.0.2.1")
    late = one.not_after + DAY
    assert directory.registry().find_newest("192.0.2.1", late) == one
    two = issue(directory, "two.example.org", "192.0.2.1", now=late)
    registry = directory.registry()
    assert registry.find_newest("192.0.2.1", late) == two
    with pytest.raises(RegistryError, match="is 2 certificates of several holders") as caught:
        candidates.newest("192.0.2.1", registry.find("192.0.2.1"), registry, two.not_after + DAY)
    assert one.serial[:12] in str(caught.value)
    with pytest.raises(RegistryError, match=r"`192.0.2.1` is 2 certificates"):
        registry.find_one("192.0.2.1")


def test_ed25519_is_for_peers(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    record = issue(directory, "gw.example.org", kind="ed25519")
    assert keys.kind(record.certificate.public_key()) == "ed25519"
