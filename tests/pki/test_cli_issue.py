# SPDX-License-Identifier: ISC
"""Roots, requests, passphrases, batches and what follows what, as a user types them."""

import contextlib
import ipaddress
import json
import sys
from pathlib import Path

import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import keystore
from pki.cli import issue_batch
from pki.directory import Directory
from tests.pki import factory
from tests.pki.test_cli import Run, ca, run, snapshot
from tests.pki.test_issuing import request

__all__ = ["ca", "run"]
pytestmark = pytest.mark.usefixtures("quick_keys")
VARIABLE = "KEYNOTE_PKI_PASSPHRASE"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)


def test_a_root_whose_key_is_elsewhere(run: Run, tmp_path: Path) -> None:
    made = run('keynote-pki init ca --name "VPN CA" --root "Root" --root-key root.pem --root-days 5000')
    assert (made.status, made.err) == (0, "")
    assert "below Root, valid until" in made.out
    assert "the root's private key is in root.pem: take it offline" in made.out
    assert keystore.load(tmp_path / "root.pem")
    assert run("keynote-pki issue gateway gw.example.org -d ca").status == 0
    assert (
        "root.pem` exists and is not overwritten"
        in run("keynote-pki init b --name B --root R --root-key root.pem").err
    )
    refused = run("keynote-pki rollover --name Next -d ca")
    assert refused.err.splitlines()[1] == "keynote-pki: hint: name its file: --root-key FILE"
    (tmp_path / "other.pem").write_bytes(keystore.pem(factory.rsa_key("other")))
    (tmp_path / "other.pem").chmod(0o600)
    other = run("keynote-pki rollover --name Next -d ca --root-key other.pem")
    assert "`other.pem` does not hold the private key of `Root`" in other.err
    rolled = run("keynote-pki rollover --name Next -d ca --root-key root.pem --json")
    assert "note: no cross certificates are needed" in rolled.err
    assert (rolled.json["name"], rolled.json["retired"]["name"], rolled.json["cross"]) == ("Next", "VPN CA", [])


def test_a_root_that_is_replaced(run: Run, tmp_path: Path) -> None:
    assert run("keynote-pki init ca --name 'VPN CA' --root Root --root-key old.pem").status == 0
    assert "go with --root" in run("keynote-pki rollover --name Next -d ca --root-days 9").err
    words = "--name Next --root 'Next Root' -d ca --root-key old.pem --new-root-key"
    done = run(f"keynote-pki rollover {words} new.pem --root-days 900")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("Next Root: root made, valid until ")
    assert lines[2:4] == [
        "its private key is in new.pem: take it offline, it is needed for rollover and lists only",
        "Root vouches for no more authorities, and still signs revocation lists",
    ]
    assert "cross certificate: Next Root, vouched for by Root" in lines
    assert "cross certificate: Root, vouched for by Next Root" in lines
    again = run("keynote-pki rollover --name Third --root 'Third Root' -d ca --root-key new.pem --json").json
    assert (again["root"]["name"], again["retired_root"]["name"]) == ("Third Root", "Next Root")
    assert len(again["cross"]) == 2
    assert run("keynote-pki audit -d ca").status == 0


def test_name_constraints(run: Run) -> None:
    allowed = "--permit dns:example.org --permit ip:192.0.2.0/24 --exclude dns:no.example.org"
    line = f"keynote-pki init ca --name CA --root R {allowed}"
    assert run(line).status == 0
    issued = run("keynote-pki issue gateway gw.example.org --ip 192.0.2.1 -d ca")
    assert "it may not call itself by its subject: its authority is constrained to other names\n" in issued.out
    shown = run("keynote-pki show gw.example.org -d ca --json").json
    assert [it["kind"] for it in shown["ike_identities"]] == ["FQDN", "IPV4_ADDR"]
    for name in ("gw.example.com", "gw.no.example.org", "198.51.100.1"):
        assert "authority `/CN=CA`" in run(f"keynote-pki issue gateway {name} -d ca").err
    assert "is no constraint on names" in run("keynote-pki init b --name CA --permit example.org").err


def test_a_request_and_its_answer(run: Run, tmp_path: Path) -> None:
    assert run("keynote-pki init ca --name 'VPN CA' --request ca.csr").status == 0
    awaited = run("keynote-pki issue gateway gw.example.org -d ca")
    assert "awaits its certificate" in awaited.err
    assert "hint: keynote-pki init ca --certificate FILE" in awaited.err
    assert "awaits its certificate" in run("keynote-pki init ca --name Other").err
    asked = x509.load_pem_x509_csr((tmp_path / "ca.csr").read_bytes())
    assert asked.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    root = factory.authority("External Root", key="external")
    between = factory.authority("Between", root, key="between")
    key = keystore.load(tmp_path / "ca/keys/request.pem")
    signed = factory.authority("VPN CA", between, key=key)  # type: ignore[arg-type]
    (tmp_path / "ca.crt").write_bytes(signed.pem)
    (tmp_path / "chain.pem").write_bytes(between.pem)
    missing = run("keynote-pki init ca --certificate ca.crt --chain chain.pem")
    assert "the certificate of `/C=XX/O=Test/CN=External Root`" in missing.err
    (tmp_path / "chain.pem").write_bytes(root.pem + between.pem)
    stranger = factory.authority("VPN CA", root, key="somebody's")
    (tmp_path / "other.crt").write_bytes(stranger.pem)
    assert "none of these certificates is for the" in run("keynote-pki init ca --certificate other.crt").err
    done = run("keynote-pki init ca --certificate ca.crt --chain chain.pem")
    assert (done.status, done.err) == (0, "")
    assert "below External Root" in done.out
    assert run("keynote-pki issue gateway gw.example.org -d ca").status == 0
    assert "which is not ours" in run("keynote-pki rollover --name Next -d ca").err
    assert "awaits no certificate" in run("keynote-pki init ca --certificate ca.crt").err
    revoked = run("keynote-pki revoke 'VPN CA' --reason keyCompromise --yes -d ca")
    assert "`VPN CA` issues no more: put another in its place with `keynote-pki init NEWDIR --request FILE`" in (
        revoked.out
    )
    refused = run("keynote-pki issue gateway other.example.org -d ca")
    assert "and issues no more" in refused.err
    assert 'another authority: keynote-pki init NEWDIR --name "…" --request FILE' in refused.err
    assert run("keynote-pki init new --name 'VPN CA 2' --request new.csr").status == 0


def test_an_answer_with_too_short_a_path(run: Run, tmp_path: Path) -> None:
    run("keynote-pki init ca --name 'VPN CA' --request ca.csr")
    root = factory.authority("Root", key="external", constraints=x509.BasicConstraints(ca=True, path_length=0))
    key = keystore.load(tmp_path / "ca/keys/request.pem")
    (tmp_path / "all.pem").write_bytes(factory.authority("VPN CA", root, key=key).pem + root.pem)  # type: ignore[arg-type]
    assert "may have 0 authorities below" in run("keynote-pki init ca --certificate all.pem").err
    assert (tmp_path / "ca/keys/request.pem").exists()


def test_passphrases(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    assert (
        "passphrase file `secret` can be read by others"
        in run("keynote-pki init ca --name CA --passphrase-file secret").err
    )
    secret.chmod(0o600)
    made = run("keynote-pki init ca --name CA --passphrase-file secret")
    assert (made.status, "not encrypted" in made.out) == (0, False)
    lacking = run("keynote-pki issue gateway gw.example.org -d ca")
    assert "is encrypted" in lacking.err
    assert "hint: give its passphrase: --passphrase-file FILE" in lacking.err
    monkeypatch.setenv(VARIABLE, "wrong horse")
    assert "this is not the passphrase of private key" in run("keynote-pki issue gateway gw.example.org -d ca").err
    assert run("keynote-pki issue gateway gw.example.org -d ca --passphrase-file secret").status == 0
    monkeypatch.setenv(VARIABLE, "correct horse")
    done = run("keynote-pki rekey gw.example.org -d ca")
    assert done.status == 0
    assert "correct horse" not in done.out + done.err
    for path in (tmp_path / "ca/keys").iterdir():
        assert b"ENCRYPTED" in path.read_bytes()
    assert run("keynote-pki rollover --name Next -d ca").status == 0
    assert run("keynote-pki issue gateway new.example.org -d ca").status == 0
    assert run("keynote-pki export gw.example.org --for pem out -d ca").status == 1  # two certificates
    monkeypatch.delenv(VARIABLE)
    assert "is encrypted" in run("keynote-pki export new.example.org --for isakmpd out -d ca").err
    assert run("keynote-pki export new.example.org --for isakmpd out -d ca --passphrase-file secret").status == 0


@pytest.mark.usefixtures("terminal")
def test_a_passphrase_at_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    asked = []

    def prompt(text: str, **options: object) -> str:
        asked.append((text, options["hide_input"]))
        return "correct horse"

    monkeypatch.setattr(click, "prompt", prompt)
    assert run("keynote-pki init ca --name CA --passphrase").status == 0
    assert run("keynote-pki issue gateway gw.example.org -d ca").status == 0
    assert asked[0] == ("new passphrase", True)
    assert asked[1][0].startswith("passphrase of ca/keys/")
    assert len(asked) == 2


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("source", ["file", "environment", "terminal"])
def test_a_key_with_a_passphrase_is_handed_over(
    source: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever knows the passphrase; a wrong one is said to be wrong, and nothing is written."""
    secret = tmp_path / "secret"
    secret.touch(0o600)
    option = "--passphrase-file secret" if source == "file" else ""

    def give(passphrase: str) -> None:
        secret.write_text(f"{passphrase}\n")
        if source == "environment":
            monkeypatch.setenv(VARIABLE, passphrase)
        monkeypatch.setattr(click, "prompt", lambda text, **options: passphrase)

    monkeypatch.delenv(VARIABLE, raising=False)
    give("correct horse")
    assert run("keynote-pki init ca --name CA --passphrase-file secret").status == 0
    assert run("keynote-pki issue gateway gw.example.org -d ca --passphrase-file secret").status == 0
    line = f"keynote-pki export gw.example.org --for isakmpd out -d ca {option}"
    give("wrong horse")
    refused = run(line)
    assert (refused.status, refused.out) == (1, "")
    (key,) = (it for it in (tmp_path / "ca/keys").iterdir() if it.stem == serial(run))
    path = f"ca/keys/{key.name}"
    assert f"keynote-pki: error: this is not the passphrase of private key `{path}`" in refused.err
    assert not (tmp_path / "out").exists()
    give("correct horse")
    done = run(line)
    assert done.status == 0
    assert "horse" not in refused.err + done.out + done.err
    given = keystore.load(tmp_path / "out/private/gw.example.org")
    assert given.public_key() == keystore.load(key, lambda _: b"correct horse").public_key()


def serial(run: Run) -> str:
    return str(run("keynote-pki show gw.example.org -d ca --json").json["serial"])


def test_a_request_is_confirmed(ca: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [x509.DNSName("peer.example.org"), x509.UniformResourceIdentifier("http://x")]
    (tmp_path / "peer.csr").write_bytes(request(factory.ec_key("peer"), *names))
    before = snapshot(tmp_path)
    refused = ca("keynote-pki issue gateway --csr peer.csr")
    assert (refused.status, refused.out) == (1, "")
    assert "note: the request asks for ID_FQDN peer.example.org" in refused.err
    assert (
        "not taken of the request: UniformResourceIdentifier http://x, KeyUsage (2.5.29.15), subject `/CN=peer`"
        in refused.err
    )
    assert "hint: take these names with --accept, or give others" in refused.err
    assert snapshot(tmp_path) == before
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda text, **options: (_ for _ in ()).throw(click.Abort))
    assert ca("keynote-pki issue gateway --csr peer.csr").status == 130
    assert snapshot(tmp_path) == before
    monkeypatch.setattr(click, "confirm", lambda text, **options: True)
    done = ca("keynote-pki issue gateway --csr peer.csr --json")
    assert done.json["ike_identities"] == [
        {"kind": "FQDN", "value": "peer.example.org"},
        {"kind": "DER_ASN1_DN", "value": "/CN=peer.example.org"},
    ]
    assert len(list((tmp_path / "ca/keys").iterdir())) == 1  # the authority's
    (tmp_path / "other.csr").write_bytes(request(factory.ec_key("other"), *names))
    other = ca("keynote-pki issue gateway other.example.org --csr other.csr")
    assert "not taken of the request: ID_FQDN peer.example.org" in other.err
    assert "its private key is with its holder" in other.out


def test_what_is_not_taken_of_a_request_is_shown_with_its_value(ca: Run, tmp_path: Path) -> None:
    other = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x05alice")
    names = [
        x509.DNSName("peer.example.org"),
        other,
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
        x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a\nb")])),
        x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")),
    ]
    (tmp_path / "peer.csr").write_bytes(request(factory.ec_key("peer"), *names))
    done = ca("keynote-pki issue gateway --csr peer.csr --accept")
    assert done.status == 0
    assert (
        "not taken of the request: OtherName 1.3.6.1.4.1.311.20.2.3:0c05616c696365, RegisteredID 1.2.3.4, "
        "DirectoryName `/CN=a\\x0Ab`, IPAddress 192.0.2.0/24, "
    ) in done.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("keynote-pki issue gateway x --csr peer.csr --key p-256", "--csr has a key already"),
        ("keynote-pki issue gateway x --accept", "--accept goes with --csr"),
        ("keynote-pki issue gateway x --days 3 --not-after 5d", "--days and --not-after are one thing"),
        ("keynote-pki issue gateway x --not-after 2020-01-01", "a certificate ends some day, and not yet"),
        ("keynote-pki issue gateway x --not-after soon", "write `2027-01-31`, `2027-01-31T18:00` or `90d`\n"),
        ("keynote-pki issue gateway x --not-after never", "a certificate ends some day, and not yet"),
        ("keynote-pki issue gateway x --conditions true", "say --delegate-from"),
        ("keynote-pki init b --name B --certificate b.crt", "leave out --name"),
        ("keynote-pki init b --name B --root-key x", "go with --root"),
        ("keynote-pki init b --name B --chain x", "--chain goes with --certificate"),
        ("keynote-pki init b --name B --request b.csr --permit dns:x", "leave out --permit"),
        ("keynote-pki init b --name B --passphrase", "asks at a terminal"),
        ("keynote-pki rollover", "--name"),
        ("keynote-pki rekey x --key p-256 --csr y", "--csr has a key already"),
    ],
)
def test_wrong_usage(ca: Run, tmp_path: Path, line: str, message: str) -> None:
    before = snapshot(tmp_path)
    done = ca(line)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert snapshot(tmp_path) == before


def test_kinds_of_keys(ca: Run) -> None:
    refused = ca("keynote-pki init b --name B --key ed25519")
    assert "the library that validates chains refuses such authorities" in refused.err
    assert "warning: keys of kind ml-dsa-44 are experimental" in ca("keynote-pki init b --name B --key ml-dsa-44").err
    assert ca("keynote-pki issue gateway gw.example.org --key ed25519").err == ""
    assert "experimental" in ca("keynote-pki issue gateway gw2.example.org --key ml-dsa-44").err
    assert (
        "cannot have a key of kind `rsa-1024`" in ca("keynote-pki issue gateway gw3.example.org --key rsa-1024").err
    )


def test_what_a_platform_refuses_is_not_issued_for_it(ca: Run, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    refused = ca("keynote-pki issue gateway gw.example.org --key ed25519 --for strongswan,windows")
    assert refused.status == 1
    assert "is not issued: windows: its key is ed25519 [PK707]: " in refused.err
    assert "or leave windows out of --for" in refused.err
    assert snapshot(tmp_path) == before
    assert ca("keynote-pki issue gateway gw.example.org --key ed25519 --for strongswan").status == 0


def test_what_a_platform_may_not_like_is_told(ca: Run) -> None:
    silent = ca("keynote-pki issue gateway one.example.org --key p-521")
    assert (silent.status, silent.err) == (0, "")
    told = ca("keynote-pki issue gateway two.example.org --key p-521 --for android,strongswan")
    assert told.status == 0
    assert told.err.startswith("keynote-pki: warning: android: its key is p-521 [PK802]: ")
    assert told.err.count("warning") == 1


@pytest.mark.parametrize(
    ("line", "platform"),
    [
        ("rekey gw.example.org --key ed25519", "windows"),
        ("supersede gw.example.org --key ed25519", "windows"),
        ("renew curve.example.org", "racoon"),
    ],
)
def test_what_follows_is_for_platforms_too(ca: Run, tmp_path: Path, line: str, platform: str) -> None:
    ca("keynote-pki issue gateway gw.example.org")
    ca("keynote-pki issue gateway curve.example.org --key p-256")
    before = snapshot(tmp_path)
    refused = ca(f"keynote-pki {line} --for {platform},strongswan")
    assert refused.status == 1
    assert f"is not issued: {platform}: its key is" in refused.err
    assert f"or leave {platform} out of --for" in refused.err
    assert snapshot(tmp_path) == before
    told = ca(f"keynote-pki {line} --for libreswan,android")
    assert (told.status, "warning: android: its key is" in told.err) == (0, True)


def test_a_table_is_for_platforms_too(ca: Run, tmp_path: Path) -> None:
    rows = ("gateway,one.example.org,ed25519", "gateway,two.example.org,p-256", "gateway,three.example.org,rsa-2048")
    (tmp_path / "peers.csv").write_text("\n".join(("profile,name,key", *rows, "")))
    done = ca("keynote-pki issue batch peers.csv --for windows,android --json")
    assert done.status == 1
    one, two, three = done.json["rows"]
    assert (one["result"], two["result"], three["result"]) == ("failed", "issued", "issued")
    assert "is not issued: windows: its key is ed25519 [PK707]" in one["error"]
    assert [it["message"][:26] for it in two["warnings"]] == ["android: its key is p-256 "]
    assert one["warnings"] == three["warnings"] == []
    assert "keynote-pki: warning: peers.csv:3: android: its key is p-256 [PK802]" in done.err
    assert done.err.count("warning") == 1
    assert "no certificate `one.example.org`" in ca("keynote-pki show one.example.org").err


def test_profiles(ca: Run, tmp_path: Path) -> None:
    assert "SHA-1" in ca("keynote-pki issue legacy-isakmpd 10.0.0.1").err
    assert "no such command `week`" in ca("keynote-pki issue week gw.example.org").err
    (tmp_path / "ca/profiles.toml").write_text('[week]\nlike = "gateway"\nabout = "a week"\ndays = 7\n')
    assert "week certificate issued" in ca("keynote-pki issue week gw.example.org").out
    assert "week certificate issued" in ca("keynote-pki issue week gw2.example.org --dir ca").out
    assert "a week" in ca("keynote-pki issue --help").out
    (tmp_path / "ca/profiles.toml").write_text("[week]\ndays = 7\n")
    assert "`ca/profiles.toml`: `identities` of `week`" in ca("keynote-pki issue gateway gw3.example.org").err


def test_renew_rekey_supersede(ca: Run) -> None:
    first = ca("keynote-pki issue gateway bücher.example --json").json
    renewed = ca("keynote-pki renew xn--bcher-kva.example --days 100")
    assert f"the one before, serial {first['serial']}, is valid until" in renewed.out
    (command,) = (line.removeprefix("next: ") for line in renewed.out.splitlines() if line.startswith("next: "))
    assert ca(command.replace("--for FORMAT", "--for pem exported")).status == 0
    assert ca("keynote-pki rekey xn--bcher-kva.example --key p-256 --json").json["identities"] == first["identities"]
    done = ca(f"keynote-pki supersede {first['serial'][:12]}")
    assert "the one before" in done.out
    assert ", is revoked" in done.out
    shown = ca("keynote-pki show xn--bcher-kva.example")
    assert "is 4 certificates" in shown.err


def test_batch(ca: Run, tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text("profile,name\ngateway,gw.example.org\ntls,x\nroad-warrior,a@example.org\n")
    done = ca("keynote-pki issue batch peers.csv --report report.json")
    assert done.status == 1
    assert done.err.splitlines()[0] == "keynote-pki: error: peers.csv:3: there is no profile `tls` for peers"
    assert done.out.splitlines()[-1] == "2 issued, 0 there, 1 failed"
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(it["line"], it["name"], it["result"]) for it in report["rows"]] == [
        (2, "gw.example.org", "issued"),
        (3, "x", "failed"),
        (4, "a@example.org", "issued"),
    ]
    (tmp_path / "peers.csv").write_text("profile,name\ngateway,gw.example.org\ngateway,new.example.org\n")
    again = ca("keynote-pki issue batch peers.csv --skip-existing --json")
    assert (again.status, again.json["there"], again.json["issued"], again.json["failed"]) == (0, 1, 1, 0)
    assert ca("keynote-pki issue batch peers.csv --report report.json").status == 2
    assert "nowhere.csv` cannot be read" in ca("keynote-pki issue batch nowhere.csv").err


def test_a_report_that_cannot_be_made_is_told_before_anything_is_issued(ca: Run, tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text("profile,name\ngateway,gw.example.org\n")
    done = ca("keynote-pki issue batch peers.csv --report nowhere/x.json")
    assert (done.status, done.out) == (1, "")
    assert "`nowhere/x.json` cannot be written: No such file or directory" in done.err
    assert ca("keynote-pki show gw.example.org").status == 1


def test_a_report_that_cannot_be_written_hides_nothing(
    ca: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "peers.csv").write_text("profile,name\ngateway,gw.example.org\n")
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(issue_batch, "_opened", lambda report: full)
        done = ca("keynote-pki issue batch peers.csv --report x.json")
        with contextlib.suppress(OSError):  # its buffer is lost once more
            full.close()
    assert done.status == 1
    assert done.out.splitlines()[-1] == "1 issued, 0 there, 0 failed"
    assert "`/dev/full` cannot be written: No space left on device" in done.err


def test_a_delegation_is_issued_with_the_certificate(ca: Run) -> None:
    line = "keynote-pki issue road-warrior a@example.org --delegate-from POLICY --template identity"
    assert ca(line).status == 0
    (delegation,) = ca("keynote-pki delegations list --json").json["delegations"]
    assert delegation["to"] == "DN:/CN=a@example.org"
    refused = ca("keynote-pki issue road-warrior b@example.org --delegate-from POLICY --conditions '('")
    assert refused.status == 1
    assert "no certificate `b@example.org`" in ca("keynote-pki show b@example.org").err


def test_cross_certificates_go_with_a_bundle(ca: Run, tmp_path: Path) -> None:
    rolled = ca("keynote-pki rollover --name 'VPN CA 2'")
    assert "cross certificate: VPN CA 2, vouched for by Example VPN CA" in rolled.out
    assert ca("keynote-pki issue gateway gw.example.org").status == 0
    assert ca("keynote-pki export gw.example.org --for pem out").status == 0
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    cross = Directory(tmp_path / "ca").registry().find_one("VPN CA 2, vouched for by Example VPN CA")
    assert cross.certificate.public_bytes(Encoding.PEM) in written


def test_what_is_next_leads_somewhere(ca: Run, tmp_path: Path) -> None:
    (tmp_path / "peer.csr").write_bytes(request(factory.ec_key("peer"), x509.DNSName("peer.example.org")))
    (line,) = (it for it in ca("keynote-pki issue gateway --csr peer.csr --accept").out.splitlines() if "next:" in it)
    done = ca(line.removeprefix("next: ").replace(" --dir", " out --dir"))
    assert (done.status, done.err) == (0, "")
    ca("keynote-pki ocsp certify")
    ca("keynote-pki revoke 'OCSP of Example VPN CA' --reason superseded --yes")
    assert (
        "hint: have a new one issued: keynote-pki ocsp certify"
        in ca("keynote-pki renew 'OCSP of Example VPN CA'").err
    )
    for path in (tmp_path / "ca/keys").iterdir():
        path.unlink()
    assert (
        "hint: take it out of a backup that was made with --keys" in ca("keynote-pki issue gateway x.example.org").err
    )


def test_a_passphrase_file_that_is_missing_is_no_key_that_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct horse")
    (tmp_path / "secret").chmod(0o600)
    run("keynote-pki init ca --name CA --passphrase-file secret")
    run("keynote-pki issue gateway gw.example.org -d ca --passphrase-file secret")
    for line in (
        "issue gateway x.example.org",
        "export gw.example.org --for isakmpd out",
        "crl make",
        "ocsp certify",
    ):
        done = run(f"keynote-pki {line} -d ca --passphrase-file nowhere")
        assert done.status == 1
        assert done.err == "keynote-pki: error: passphrase file `nowhere` cannot be read: No such file or directory\n"


def test_a_key_that_leaves_its_passphrase_behind_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct horse")
    (tmp_path / "secret").chmod(0o600)
    run("keynote-pki init ca --name CA --passphrase-file secret")
    run("keynote-pki issue gateway gw.example.org -d ca --passphrase-file secret")
    export = "keynote-pki export gw.example.org -d ca --passphrase-file secret --for"
    assert "what was written has none: guard it (out)" in run(f"{export} pem out").err
    assert "guard it" not in run(f"{export} p12 sealed").err


def test_a_distinguished_name_is_no_common_name(ca: Run) -> None:
    done = ca("keynote-pki issue dual /C=DE/CN=x")
    assert done.status == 1
    assert "certificate `/C=DE/CN=x` is not issued" in done.err
    assert "and the distinguished name as its --subject" in done.err
    by_subject = ca("keynote-pki issue dual gw.example.org --subject /C=DE/CN=x")
    assert "it may also call itself ID_DER_ASN1_DN /C=DE/CN=x\n" in by_subject.out
