# SPDX-License-Identifier: ISC
"""The directories of certificates and keys: what is taken from them, and what is said about the rest."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from ike_auth.config.certificates import KeyStore, OwnCredential, load_keystore
from ike_auth.config.errors import ConfigError
from ike_auth.config.isakmpd import parse
from ike_auth.wire.identities import Identity
from tests.pki import factory
from tests.pki.factory import Issued
from tests.pki.zoo import raw

GATEWAY = Identity.fqdn("gw.example.org")
PEER = """\
[Phase 1]
192.0.2.2= peer
[peer]
Phase= 1
ID= me
[me]
ID-type= FQDN
Name= GW.example.org
"""
DIRECTORIES = """\
[X509-certificates]
CA-directory= ca
Cert-directory= certs
CRL-directory= crls
Private-key= private/local.key
Private-key-directory= private
"""


class Folder:
    """The directories of one gateway, to be filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("ca", "certs", "crls", "private"):
            (path / name).mkdir()

    def put(self, name: str, content: bytes, mode: int = 0o600) -> Path:
        path = self.path / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def load(self, text: str = "") -> KeyStore:
        return load_keystore(parse(text + DIRECTORIES, str(self.path / "vpn")))

    def errors(self, text: str = "") -> list[str]:
        """With the path of the folder left out."""
        with pytest.raises(ConfigError) as raised:
            self.load(text)
        return [str(problem).replace(f"{self.path}/", "") for problem in raised.value.problems]

    def warnings(self, text: str = "") -> list[str]:
        return [str(warning).replace(f"{self.path}/", "") for warning in self.load(text).warnings]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def authority() -> Issued:
    return factory.authority()


@pytest.fixture(scope="module")
def gateway(authority: Issued) -> Issued:
    return factory.leaf(authority, "gw.example.org", "192.0.2.1", key="gateway")


@pytest.fixture
def filled(folder: Folder, authority: Issued, gateway: Issued) -> Folder:
    folder.put("ca/ca.crt", authority.pem, 0o644)
    folder.put("certs/gw.crt", gateway.pem, 0o644)
    folder.put("private/gw.example.org", gateway.key_pem)
    return folder


def credential(store: KeyStore, identity: Identity = GATEWAY) -> OwnCredential:
    found = store.for_identity(identity)
    assert found is not None
    return found


def test_a_gateway(filled: Folder, authority: Issued, gateway: Issued) -> None:
    store = filled.load(PEER)
    assert store.anchors == (authority.certificate,)
    assert store.warnings == ()
    own = credential(store)
    assert own.certificates == (gateway.der,)
    assert own.private_key.public_key() == gateway.certificate.public_key()
    subject = gateway.certificate.subject.public_bytes()
    assert own.names == (GATEWAY, Identity.address(ip_address("192.0.2.1")), Identity.dn(subject))


def test_each_name_of_a_certificate_finds_it(filled: Folder) -> None:
    store = filled.load()
    own = credential(store)
    assert all(store.for_identity(name) is own for name in own.names)
    assert store.for_identity(Identity.fqdn("GW.Example.org")) is own
    assert store.for_identity(Identity.fqdn("other.example.org")) is None


def test_the_fallback_key(folder: Folder, gateway: Issued) -> None:
    folder.put("certs/gw.crt", gateway.pem)
    assert folder.load().own == {}
    folder.put("private/local.key", gateway.key_pem)
    assert GATEWAY in folder.load().own


def test_peers_certificates_are_not_ours(filled: Folder, authority: Issued) -> None:
    filled.put("certs/peer.crt", factory.leaf(authority, "peer.example.org", key="peer").pem)
    store = filled.load()
    assert store.for_identity(Identity.fqdn("peer.example.org")) is None
    assert GATEWAY in store.own


def test_the_chain_goes_up_to_the_root_and_stops_before_it(folder: Folder, authority: Issued) -> None:
    middle = factory.authority("Middle CA", authority, key="middle")
    low = factory.authority("Low CA", middle, key="low")
    leaf = factory.leaf(low, "gw.example.org", key="gateway")
    folder.put("ca/all.pem", authority.pem + middle.pem)
    folder.put("certs/chain.pem", leaf.pem + low.pem)
    folder.put("private/gw.example.org", leaf.key_pem)
    store = folder.load()
    assert store.anchors == (authority.certificate, middle.certificate)
    assert credential(store).certificates == (leaf.der, low.der, middle.der)


def test_an_issuer_in_name_only_is_not_in_the_chain(folder: Folder, authority: Issued) -> None:
    low = factory.authority("Low CA", authority, key="low")
    other = factory.authority("Low CA", authority, key="other")
    leaf = factory.leaf(low, "gw.example.org", key="gateway")
    folder.put("certs/chain.pem", other.pem + leaf.pem)
    folder.put("private/gw.example.org", leaf.key_pem)
    assert credential(folder.load()).certificates == (leaf.der,)


def test_of_two_certificates_the_one_that_is_valid_longer(folder: Folder, authority: Issued) -> None:
    soon = factory.leaf(authority, "gw.example.org", key="gateway", not_after=factory.NOT_AFTER - timedelta(days=9))
    late = factory.leaf(authority, "gw.example.org", key="gateway")
    for first, second in ((soon, late), (late, soon)):
        folder.put("certs/1.crt", first.pem)
        folder.put("certs/2.crt", second.pem)
        folder.put("private/local.key", late.key_pem)
        assert credential(folder.load()).certificates == (late.der,)


def test_the_key_of_an_old_certificate_is_no_reason_to_complain(filled: Folder, authority: Issued) -> None:
    """After a rekey the old certificate may lie there still."""
    filled.put("certs/old.crt", factory.leaf(authority, "gw.example.org", key="old").pem)
    assert GATEWAY in filled.load(PEER).own


# --- what is wrong


def test_a_key_of_another_certificate(filled: Folder) -> None:
    filled.put("private/gw.example.org", factory.leaf(factory.authority(), "x.example.org", key="other").key_pem)
    hint = "(the certificate was made for another key, or is an old one)"
    error = "is not the private key of a certificate that bears `gw.example.org`"
    assert filled.errors() == [f"`private/gw.example.org` {error} {hint}"]


def test_a_key_that_others_can_read(filled: Folder) -> None:
    path = filled.path / "private/gw.example.org"
    path.chmod(0o640)
    assert filled.errors() == [
        "`private/gw.example.org` is open to other users (mode 0640), but it holds a secret "
        "(chmod 600 private/gw.example.org)"
    ]


def encrypted(issued: Issued) -> bytes:
    return issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush"))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (lambda _: b"", "`private/gw.example.org` does not hold a private key in PEM"),
        (
            lambda _: b"-----BEGIN RSA PRIVATE KEY-----\nMIIB\n",
            "`private/gw.example.org` does not hold a private key in PEM",
        ),
        (
            encrypted,
            "private key `private/gw.example.org` is encrypted (a daemon cannot ask for its passphrase: "
            "store the key without one, readable by its owner only)",
        ),
        (
            lambda _: Issued(factory.authority().certificate, factory.ec_key()).key_pem,
            "the private key in `private/gw.example.org` is not an RSA key (IKEv1 authenticates by RSA here)",
        ),
    ],
)
def test_files_that_hold_no_key(
    filled: Folder, gateway: Issued, content: Callable[[Issued], bytes], error: str
) -> None:
    filled.put("private/gw.example.org", content(gateway))
    assert filled.errors() == [error]


def test_an_authority_that_others_can_write(filled: Folder) -> None:
    (filled.path / "ca/ca.crt").chmod(0o666)
    assert filled.errors() == [
        "`ca/ca.crt` is open to other users (mode 0666), but we trust it (chmod 644 ca/ca.crt)"
    ]


@pytest.mark.parametrize("place", ["ca", "certs"])
def test_broken_certificates_are_named(filled: Folder, gateway: Issued, place: str) -> None:
    filled.put(f"{place}/broken.crt", gateway.pem[:200] + b"\n-----END CERTIFICATE-----\n", 0o644)
    filled.put(f"{place}/cut.crt", gateway.pem[:200], 0o644)
    first, second = filled.errors()
    assert first.startswith(f"`{place}/broken.crt` holds a certificate that cannot be read: ")
    assert second.startswith(f"`{place}/cut.crt` holds a certificate that cannot be read: ")


def test_a_certificate_cut_off_behind_a_good_one(filled: Folder, authority: Issued) -> None:
    filled.put("ca/ca.crt", authority.pem + authority.pem[:100], 0o644)
    (error,) = filled.errors()
    assert error.startswith("`ca/ca.crt` holds a certificate that ")


def test_files_without_certificates_are_passed_over(filled: Folder) -> None:
    filled.put("ca/README", b"put CA certificates here\n", 0o644)
    assert filled.warnings() == ["`ca/README` is passed over: it holds no certificate in PEM"]


def test_a_certificate_of_no_authority_is_no_anchor(filled: Folder, gateway: Issued) -> None:
    filled.put("ca/gw.crt", gateway.pem, 0o644)
    (error,) = filled.errors()
    assert error.startswith("`ca/gw.crt`: certificate `/C=XX/O=Test/CN=gw.example.org` is no authority's")


def test_two_authorities_of_one_name(filled: Folder) -> None:
    filled.put("ca/other.crt", factory.authority(key="other").pem, 0o644)
    (error,) = filled.errors()
    assert error.startswith("`ca`: two authorities")


def test_an_id_that_nothing_proves(folder: Folder, authority: Issued, gateway: Issued) -> None:
    folder.put("ca/ca.crt", authority.pem)
    assert folder.errors(PEER) == [
        "vpn:3: no certificate that bears `FQDN gw.example.org`, our identity for `[peer]` "
        "(looked for it in the files in `certs`)"
    ]
    folder.put("certs/gw.crt", gateway.pem)
    assert folder.errors(PEER) == [
        "vpn:3: no private key for the certificate of `FQDN gw.example.org` "
        "(looked for it in `private/gw.example.org` and `private/local.key`)"
    ]


def test_our_address_is_our_identity_where_there_is_no_other(filled: Folder) -> None:
    text = PEER.replace("ID= me", "Local-address= 192.0.2.{}").replace("[me]", "[spare]")
    assert filled.warnings(text.format(1)) == []
    assert filled.errors(text.format(9)) == [
        "vpn:3: no certificate that bears `IPV4_ADDR 192.0.2.9`, our identity for `[peer]` "
        "(looked for it in the files in `certs`)"
    ]


def test_whichever_our_address_is_some_certificate_has_to_bear_it(folder: Folder, filled: Folder) -> None:
    anywhere = PEER.replace("ID= me\n", "").replace("[me]", "[spare]")
    assert filled.warnings(anywhere) == []
    for name in ("certs", "private"):
        for path in (filled.path / name).iterdir():
            path.unlink()
    assert filled.errors(anywhere) == [
        "vpn:3: our identity for `[peer]` is our address, and no certificate with a private key bears one "
        "(name another with `ID` in its section, or with `Default-phase-1-ID`)"
    ]


def test_keys_are_asked_for_by_peers_that_sign(folder: Folder) -> None:
    assert folder.warnings(PEER.replace("ID= me", "Authentication= hush\nID= me")) == []


def test_nobody_can_be_believed_without_authorities(filled: Folder) -> None:
    (filled.path / "ca/ca.crt").unlink()
    assert filled.warnings(PEER) == ["vpn:3: no certificate in `ca`, so `[peer]` cannot be believed"]


def test_directories_that_are_configured_have_to_be_there(folder: Folder) -> None:
    for name in ("ca", "certs", "crls", "private"):
        (folder.path / name).rmdir()
    assert folder.errors() == [f"cannot read `{name}`: no such file or directory" for name in ("ca", "certs", "crls")]


def test_directories_by_default_need_not_be_there() -> None:
    """Unless this machine runs isakmpd: then they are read."""
    if not Path("/etc/isakmpd").exists():
        store = load_keystore(parse(""))
        assert (store.anchors, dict(store.own), store.revocations.known(), store.warnings) == ((), {}, (), ())


# --- revocation lists


def revocation_list(authority: Issued) -> bytes:
    builder = x509.CertificateRevocationListBuilder(
        authority.certificate.subject, factory.NOT_BEFORE, factory.NOT_AFTER
    )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_revocation_lists(filled: Folder, authority: Issued) -> None:
    filled.put("crls/two.crl", 2 * revocation_list(authority))
    store = filled.load()
    assert [one.issuer for one in store.revocations.known()] == ["/C=XX/O=Test/CN=Test CA"]
    assert store.warnings == ()


def test_broken_revocation_lists(filled: Folder, authority: Issued) -> None:
    filled.put("crls/broken.crl", revocation_list(authority)[:150])
    filled.put("crls/README", b"here be lists\n")
    (error,) = filled.errors()
    assert error.startswith("`crls/broken.crl`: revocation list cannot be read: ")


def test_lists_that_are_required_and_not_there(filled: Folder, authority: Issued) -> None:
    def warnings() -> list[str]:
        text = DIRECTORIES.replace("CRL-directory", "CRL-check= require\nCRL-directory")
        return list(map(str, load_keystore(parse(text, str(filled.path / "vpn"))).warnings))

    (warning,) = warnings()
    assert warning.startswith("`CRL-check= require`, and no revocation list in ")
    assert "every certificate is refused" in warning
    filled.put("crls/ca.crl", revocation_list(authority))
    assert warnings() == []


def test_who_may_sign_lists(filled: Folder, authority: Issued, gateway: Issued) -> None:
    between = factory.authority("Between", authority, key="between")
    filled.put("certs/between.crt", between.pem)
    assert {it.subject for it in filled.load().issuers} == {"/C=XX/O=Test/CN=Test CA", "/C=XX/O=Test/CN=Between"}


def test_authorities_of_version_1_are_for_legacy_peers(filled: Folder) -> None:
    old = factory.authority("Old CA", key="old")
    certificate = x509.load_der_x509_certificate(raw.version_1(old, old))
    filled.put("ca/old.crt", certificate.public_bytes(Encoding.PEM), 0o644)
    (error,) = filled.errors(PEER)
    assert error.startswith("`ca/old.crt`: ")
    assert "Allow-Legacy= LEGACY_CERTIFICATES" in error
    store = filled.load(PEER.replace("ID= me", "Allow-Legacy= LEGACY_CERTIFICATES\nID= me"))
    assert len(store.authorities.certificates) == len(store.authorities.legacy) == 1


def test_keys_do_not_show(filled: Folder) -> None:
    shown = repr(filled.load())
    assert "PRIVATE" not in shown
    assert "RSAPrivateKey" not in shown
