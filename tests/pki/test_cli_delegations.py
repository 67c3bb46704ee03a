# SPDX-License-Identifier: ISC
"""`keynote-pki delegate` and `delegations`, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import keynote
from tests.pki import factory
from tests.pki.test_cli import Run, ca, run

__all__ = ["ca", "run"]  # fixtures

pytestmark = pytest.mark.usefixtures("quick_keys")

ALICE, CA = "DN:/CN=alice@example.org", "DN:/CN=Example VPN CA"
GOOD = "--until 2048-01-31 --template identity --template algorithms=strong --template remote-networks=10.9.0.0/24"
TUNNEL = {
    "app_domain": "IPsec policy",
    "doi": "ipsec",
    "remote_id_type": "User FQDN",
    "remote_id": "alice@example.org",
    "remote_filter_type": "IPv4 address",
    "remote_filter_addr_lower": "010.009.000.007",
    "remote_filter_addr_upper": "010.009.000.007",
    "esp_present": "yes",
    "ah_present": "no",
    "pfs": "yes",
    "esp_enc_alg": "aes",
    "esp_key_length": "256",
    "phase1_group_desc": "14",
    "esp_group_desc": "14",
    "GMTTimeOfDay": "20270101000000",
    "LocalTimeOfDay": "20270101000000",
}


@pytest.fixture
def alice(ca: Run) -> Run:
    """An authority that has certified alice and a gateway."""
    assert ca("keynote-pki issue road-warrior alice@example.org").status == 0
    assert ca("keynote-pki issue gateway gw.example.org").status == 0
    return ca


def keynote_says(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("keynote")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def action(**changes: str) -> list[str]:
    return [word for name, value in (TUNNEL | changes).items() for word in ("-a", f"{name}={value}")]


def test_a_delegation_from_policy_to_an_identity(alice: Run) -> None:
    made = alice(f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD} --comment 'from home'")
    assert (made.status, made.err) == (0, "")
    assert made.out.startswith(f"delegation 1: POLICY licenses {ALICE}, until 2048-01-31 23:59:59Z\n")
    shown = alice("keynote-pki delegations show 1")
    for text in (
        "status    in force",
        "comment   from home",
        f'Licensees: "{ALICE}"',
        'remote_id == "alice@example.org"',
    ):
        assert text in shown.out
    listed = alice("keynote-pki delegations list").out.splitlines()
    assert listed[0].split() == ["NUMBER", "STATUS", "UNTIL", "FROM", "TO", "COMMENT"]
    assert listed[1].split() == ["1", "in", "force", "2048-01-31", "POLICY", ALICE, "from", "home"]


def test_what_is_exported_keynote_reads_as_it_was_meant(alice: Run, tmp_path: Path) -> None:
    alice(f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD} --comment 'from home'")
    alice(f"keynote-pki delegate --from 'key:Example VPN CA' --to gw.example.org {GOOD}")
    exported = alice("keynote-pki delegations export -o all.kn")
    assert exported.out == "all.kn: 2 delegations\n"
    assert (tmp_path / "all.kn").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "all.kn").read_text().startswith("# registry delegation 1: from home\n\nKeyNote-Version: 2\n")

    good = keynote_says("eval", "-p", "all.kn", "-k", ALICE, *action())
    assert (good.returncode, good.stdout.splitlines()[0]) == (0, "true")
    for changes in ({"GMTTimeOfDay": "20480201000000"}, {"remote_id": "bob@example.org"}, {"esp_enc_alg": "null"}):
        assert keynote_says("eval", "-p", "all.kn", "-k", ALICE, *action(**changes)).returncode == 2
    assert keynote_says("lint", "--fail-on", "error", "all.kn").returncode == 0
    verified = keynote_says("sigver", "all.kn").stdout
    assert "Signature on assertion 1 verified." in verified
    assert keynote_says("fmt", "--check", "all.kn").returncode == 0
    again = alice("keynote-pki delegations export -o all.kn")
    assert (again.status, "not overwritten" in again.err) == (1, True)


def test_what_our_key_delegates_is_signed(alice: Run) -> None:
    made = alice(f"keynote-pki delegate --from 'key:Example VPN CA' --to alice@example.org {GOOD}")
    assert made.status == 0
    assert "signed by the key that delegates" in made.out
    text = alice("keynote-pki delegations export 1").out
    (credential,), refused = keynote.parse_credentials(text, name="export")
    assert refused == ()
    key = json.loads(alice("keynote-pki delegations show 1 --json").out)["from"]
    assert key.startswith("rsa-hex:")
    policy = keynote.trusted("POLICY", key, None, name="policy")
    session = keynote.Session([policy], [credential])
    assert session.set_aside == ()
    assert session.query(TUNNEL, [ALICE]).allowed


def test_a_name_of_ours_delegates_without_a_signature(alice: Run) -> None:
    made = alice(f"keynote-pki delegate --from '{CA}' --to alice@example.org {GOOD}")
    assert "believed where this registry is" in made.out
    assert "Signature" not in alice("keynote-pki delegations export").out


def test_a_key_that_is_not_ours_signs_for_itself(alice: Run, tmp_path: Path) -> None:
    key = factory.ec_key("partner")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "partner.pem").write_bytes(public)
    (tmp_path / "partner.key").touch(0o600)
    (tmp_path / "partner.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    line = f"keynote-pki delegate --from @partner.pem --to alice@example.org {GOOD}"
    refused = alice(line)
    assert refused.status == 1
    assert "is not kept here" in refused.err
    assert "--key FILE" in refused.err
    dry = alice(f"{line} --dry-run")
    assert (dry.status, "Signature" in dry.out, "not signed" in dry.err) == (0, False, True)
    assert alice("keynote-pki delegations list --json").json == {"delegations": []}
    assert alice(f"{line} --key partner.key").status == 0
    assert "sig-ecdsa-sha256-base64" in alice("keynote-pki delegations show 1").out


def test_a_key_as_keygen_writes_it(alice: Run) -> None:
    assert keynote_says("keygen", "ed25519-base64:", "256", "bob.pub", "bob.key").returncode == 0
    made = alice(f"keynote-pki delegate --from @bob.pub --key bob.key --to alice@example.org {GOOD}")
    assert made.status == 0, made.err
    other = alice(f"keynote-pki delegate --from 'key:gw.example.org' --key bob.key --to alice@example.org {GOOD}")
    assert (other.status, "not the authorizer's" in other.err) == (1, True)
    named = alice(f"keynote-pki delegate --from '{CA}' --key bob.key --to alice@example.org {GOOD}")
    assert (named.status, "only keys sign" in named.err) == (1, True)
    swapped = alice(f"keynote-pki delegate --from @bob.key --to alice@example.org {GOOD}")
    assert (swapped.status, "holds no public key" in swapped.err) == (1, True)


def test_a_dry_run_records_nothing(alice: Run) -> None:
    dry = alice(f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD} --dry-run")
    assert (dry.status, dry.err) == (0, "")
    keynote.parse_policy(dry.out, name="dry")
    data = alice(f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD} --dry-run --json").json
    assert data["assertion"] == dry.out
    assert alice("keynote-pki delegations list --json").json == {"delegations": []}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("--from POLICY --to alcie@example.org", "nobody in this registry", "did you mean `alice@example.org`?"),
        (
            "--from 'DN:/CN=Example VPN C' --to alice@example.org",
            "speak for it",
            "did you mean `DN:/CN=Example VPN CA`?",
        ),
        ("--from policy --to alice@example.org", "`policy` is nobody", "write `POLICY`"),
        ("--from POLICY --to POLICY", "all authority comes from there", ""),
        ("--from POLICY --to rsa-hex:00", "rsa-hex:00", ""),
        ("--from POLICY --to 'DN:/XX=1'", "unknown attribute type", "known are"),
        ("--from POLICY --to 'DN:/O:utf8=x'", "is not how this name is written", "write `/O=x`"),
        ("--from alice@example.org --to alice@example.org", "to himself", ""),
        ("--from POLICY --to passphrase:sesame", "others may read", ""),
        ("--from POLICY --to @nowhere.pem", "cannot be read", ""),
    ],
)
def test_who_cannot_be_a_party(alice: Run, arguments: str, message: str, hint: str) -> None:
    refused = alice(f"keynote-pki delegate {arguments} {GOOD.replace('identity ', 'identity=a.example.org ')}")
    assert refused.status == 1
    assert message in refused.err
    assert hint in refused.err
    assert "sesame" not in refused.err


def test_a_name_of_nobody_here_is_warned_of(alice: Run) -> None:
    conditions = GOOD.replace("identity ", "identity=alice@example.org ")
    line = f"keynote-pki delegate --from POLICY --to DN:/CN=alcie@example.org {conditions}"
    warned = alice(line)
    assert warned.status == 0
    assert "is the name of no certificate" in warned.err
    assert f"did you mean `{ALICE}`?" in warned.err
    assert alice(f"{line} --strict").status == 1


def test_what_the_linter_calls_an_error_is_refused(alice: Run) -> None:
    line = "keynote-pki delegate --from POLICY --to alice@example.org --until never --conditions"
    refused = alice(f"""{line} 'app_domain == "IPsec policy" && esp_enc_algo == "aes"'""")
    assert refused.status == 1
    assert "[KN101]" in refused.err
    assert "did you mean `esp_enc_alg`?" in refused.err
    broken = alice(f"""{line} 'app_domain = "IPsec policy"' --json""")
    (error,) = broken.json["errors"]
    assert error["message"] == "unknown operator `=`"
    assert error["where"] == {"file": "--conditions", "line": 1, "column": 12}
    doubtful = f"""{line} 'app_domain == "IPsec policy" && esp_present == "yes"'"""
    assert "[KN502]" in alice(f"{doubtful} --strict").err
    assert alice("keynote-pki delegations list --json").json == {"delegations": []}
    warned = alice(doubtful)
    assert (warned.status, "warning" in warned.err, "[KN502]" in warned.err) == (0, True, True)


def test_conditions_without_app_domain_are_for_ipsec_all_the_same(alice: Run) -> None:
    line = "keynote-pki delegate --from POLICY --to alice@example.org --until never --conditions"
    refused = alice(f"""{line} 'esp_enc_algo == "aes"'""")
    assert refused.status == 1
    assert "[KN101]" in refused.err
    assert "did you mean `esp_enc_alg`?" in refused.err
    nested = alice(f"""{line} 'esp_present == "yes" -> {{ esp_enc_alg == "aes256"; }};'""")
    assert (nested.status, "[KN102]" in nested.err) == (1, True)
    warned = alice(f"""{line} 'esp_enc_alg == "aes"' --json""")
    assert (warned.status, "[KN501]" in warned.err) == (0, True)
    other = alice(f"""{line} 'app_domain == "mail" && sender == "alice"'""")
    assert (other.status, "[KN101]" in other.err) == (0, False)


@pytest.mark.parametrize("to", [CA, "key:Example VPN CA", "DN:/CN=Partner CA"])
def test_what_the_daemon_would_not_start_with_is_refused(alice: Run, to: str) -> None:
    line = f"keynote-pki delegate --from POLICY --to '{to}' --until never --template algorithms=strong"
    for options in ("", " --dry-run"):
        refused = alice(line + options)
        assert refused.status == 1
        assert "is let in under any name, and daemons that read this registry would not start" in refused.err
        assert "--template identity=gw.example.org" in refused.err
    assert alice("keynote-pki delegations list --json").json == {"delegations": []}
    assert alice(f"{line} --template hosts=example.org").status == 0
    assert alice(f"{line} --any-name").status == 0


def test_nor_what_leads_to_an_authority_by_others(alice: Run) -> None:
    strong = "--until never --template algorithms=strong"
    above = f"keynote-pki delegate --from POLICY --to gw.example.org {strong}"
    below = f"keynote-pki delegate --from DN:/CN=gw.example.org --to '{CA}' {strong}"
    assert alice(below).status == 0  # nobody licenses the gateway
    refused = alice(above)
    assert (refused.status, f"whomever `{CA}` vouches for is let in under any name" in refused.err) == (1, True)
    alice("keynote-pki delegations revoke 1 --reason x")
    assert alice(above).status == 0
    refused = alice(below)
    assert (refused.status, "would not start" in refused.err) == (1, True)
    # What is there already is not the fault of the next one.
    assert alice(f"{below} --any-name").status == 0
    assert alice(f"keynote-pki delegate --from POLICY --to alice@example.org {strong}").status == 0


def test_conditions_from_a_file(alice: Run, tmp_path: Path) -> None:
    (tmp_path / "conditions").write_bytes(
        b'# f\xc3\xbcr alice\napp_domain == "IPsec policy" && esp_enc_alg == "aes"\n'
    )
    line = "keynote-pki delegate --from POLICY --to alice@example.org --until never"
    assert alice(f"{line} --conditions-file conditions").status == 0
    assert "# für alice" in alice("keynote-pki delegations show 1 --json").json["assertion"]
    assert alice(f"{line} --conditions-file conditions --conditions true").status == 2
    assert "cannot be read" in alice(f"{line} --conditions-file nowhere").err


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("2047-02-28", "2047-02-28T23:59:59Z"),
        ("2047-02-28T18:00", "2047-02-28T18:00:00Z"),
        ("2047-02-28T18:00+02:00", "2047-02-28T16:00:00Z"),
        ("never", None),
    ],
)
def test_ends(alice: Run, until: str, end: str | None) -> None:
    line = f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD} --json"
    assert alice(line.replace("2048-01-31", until)).json["until"] == end


def test_wrong_ends(alice: Run) -> None:
    line = f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD}"
    assert alice(line.replace("2048-01-31", "soon")).status == 2
    past = alice(line.replace("2048-01-31", "2020-01-31"))
    assert (past.status, "is over" in past.err) == (1, True)
    assert alice("keynote-pki delegate --from POLICY --to alice@example.org --template identity").status == 2


def test_the_list_narrowed(alice: Run) -> None:
    line = f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD}"
    for until in ("20d", "60d", "never"):
        assert alice(line.replace("2048-01-31", until)).status == 0
    alice(line.replace("alice@example.org", "gw.example.org").replace("2048-01-31", "10d"))
    assert alice("keynote-pki delegations revoke 2 --reason left").status == 0

    def numbers(options: str) -> list[int]:
        found = alice(f"keynote-pki delegations list {options} --json").json["delegations"]
        return [delegation["number"] for delegation in found]

    assert numbers("") == [1, 2, 3, 4]
    assert numbers("--revoked") == [2]
    assert numbers("--expiring 30d") == [1, 4]
    assert numbers("--expiring 90d --for alice@example.org") == [1]
    assert numbers(f"--for {ALICE}") == [1, 2, 3]
    assert numbers("--for key:alice@example.org") == []
    assert alice("keynote-pki delegations list --expiring soon").status == 2
    assert alice("keynote-pki delegations list --for nobody").status == 1


def test_revoking(alice: Run) -> None:
    line = f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD}"
    alice(line)
    revoked = alice("keynote-pki delegations revoke alice@example.org --reason 'project ended'")
    assert revoked.status == 0
    assert f"delegation 1 is revoked: POLICY licenses {ALICE} no more" in revoked.out
    shown = alice("keynote-pki delegations show 1")
    assert "status    revoked" in shown.out
    assert "project ended" in shown.out
    assert alice("keynote-pki delegations export").out == ""
    refused = alice("keynote-pki delegations export 1")
    assert (refused.status, "is revoked" in refused.err) == (1, True)
    assert alice("keynote-pki delegations revoke 1 --reason again").status == 1
    assert alice("keynote-pki delegations revoke 7 --reason x").status == 1
    assert alice("keynote-pki delegations revoke 1").status == 2


def test_what_may_mean_several_is_an_error_that_lists_them(alice: Run) -> None:
    line = f"keynote-pki delegate --from POLICY --to alice@example.org {GOOD}"
    alice(line)
    alice(line)
    refused = alice("keynote-pki delegations show alice@example.org")
    assert refused.status == 1
    assert "2 delegations: 1 (from POLICY, until 2048-01-31 23:59:59Z), 2 (from POLICY" in refused.err
    assert "give the number of one" in refused.err
    none = alice("keynote-pki delegations show gw.example.org")
    assert (none.status, "nothing is delegated" in none.err) == (1, True)


def test_the_templates_are_listed(run: Run) -> None:
    listed = run("keynote-pki delegate --list-templates")
    assert listed.status == 0
    assert "--template hours=Mon-Fri,08:00-18:00" in listed.out
    data = run("keynote-pki delegate --list-templates --json").json
    assert {"networks", "hours", "algorithms"} <= {template["name"] for template in data["templates"]}
    assert run("keynote-pki delegate").status == 2
