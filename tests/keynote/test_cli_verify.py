# SPDX-License-Identifier: ISC
"""`keynote verify` as scripts for keynote(1) use it: a suite in the shape of the one that came with libkeynote."""

import json
from pathlib import Path

import pytest

import keynote
from tests.keynote.commands import run
from tests.keynote.key_pairs import key, principal

FILES = {
    "environment": '# allowed\napp_domain = "test\\\n\ting"\nrequest = "test"\nfoo = "bar"\nbar = "xyz"\n',
    "key1": '"One" # a key\n',
    "key2": ' # a comment\n   "Two"\n',
    "top": """\
keynote-version: 2 # some comment
comment: a policy in lower case
# with a comment
authorizer: "POLICY"
licensees: (ME && (("Middle") || "Nobody")) || DSA
local-constants: ME = "Middle"
   DSA = "dsa-base64:MIIBAgECAgEHAgEDAgEC"
conditions: app_domain == "testing" -> {
# gratuitous comment
\t1 / 0 == 1 -> "true";
\ttrue -> "false";
\trequest == "test" && $foo == "xyz" -> "true";
\t};
""",
    "middle": 'authorizer: "Middle"\nlicensees: 2-of("Low", "Other", "Two")\nconditions: foo == "bar" -> "true";\n',
    # In two pieces, which keynote(1) allows as long as one may be lost.
    "low": """\
authorizer: "Low"
licensees: "One"
conditions: _VALUES == "false,maybe,true" && _ACTION_AUTHORIZERS ~= "(.*,)?Two(,.*)?" -> "true";

\t@foo / @foo == @foo -> "maybe";
""",
    "no": 'authorizer: "POLICY"\nlicensees: "One"\nconditions: request == "other" -> "true"; true -> "false";\n',
    "broken": """\
authorizer: "POLICY"
licensees: "One"
conditions: a = b;

authorizer: "POLICY"
licensees: "One"
""",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    Path("top").write_text(FILES["top"].replace("dsa-base64:MIIBAgECAgEHAgEDAgEC", principal("dsa", "base64")))


SUITE = "verify -e environment -r false,maybe,true -l top -l no -l middle -l low"


@pytest.mark.parametrize(("keys", "value"), [("-k key1 -k key2", "true"), ("-k key1", "false"), ("-k key2", "false")])
def test_the_suite(keys: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(f"{SUITE} {keys}", capsys)
    assert (status, out) == (0, f"Query result = {value}\n")
    assert err.splitlines() == [
        "keynote: warning: low:4: a blank line within an assertion",
        "keynote: hint: keynote(1) leaves out what follows; here it counts",
    ]


def test_a_restricting_condition_after_a_blank_line_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cut").write_text('\nauthorizer: "POLICY"\nlicensees: "One"\n\n\nconditions: false;\n')
    status, out, err = run("verify -e environment -r false,true -k key1 -l cut", capsys)
    assert (status, out) == (0, "Query result = false\n")
    assert "cut:4: a blank line" in err


def test_a_file_may_hold_several_assertions(capsys: pytest.CaptureFixture[str]) -> None:
    Path("all").write_text("\n".join((FILES["no"], 'authorizer: "POLICY"\nlicensees: "Two"\n')))
    assert run("verify -e environment -r false,true -k key2 -l all", capsys) == (0, "Query result = true\n", "")


def test_credentials_are_verified_with_old_algorithms_too(capsys: pytest.CaptureFixture[str]) -> None:
    text = f'Authorizer: "{principal("dsa")}"\nLicensees: "Three"\n'
    Path("credential").write_text(keynote.signed(text, key("dsa"), "sig-dsa-sha1-hex:"))
    Path("key3").write_text('"Three"')
    command = "verify -r false,maybe,true -e environment -l top -k key3"
    assert run(f"{command} credential", capsys) == (0, "Query result = true\n", "")
    cut = "keynote: warning: low:1:1: left out: cut in two by a blank line\n"
    status, out, err = run(f"{command} low", capsys)
    assert (status, out) == (0, "Query result = false\n")
    assert err.startswith(cut)
    assert run("sigver low", capsys)[0] == 1
    Path("credential").write_text(Path("credential").read_text().replace('"Three"', '"Three" || "Four"'))
    status, out, err = run(f"{command} credential", capsys)
    assert (status, out) == (0, "Query result = false\n")
    assert err.startswith("keynote: warning: credential:1:1: left out: the signature is not its authorizer's")
    status, out, _ = run(f"{command} --json credential", capsys)
    assert (json.loads(out)["value"], len(json.loads(out)["set_aside"])) == ("false", 1)


def test_an_unusable_file_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run("verify -r false,true -e environment -k key1 -l broken", capsys)
    assert (status, out) == (0, "Query result = false\n")
    assert err == "keynote: warning: broken:3:15: left out: unknown operator `=`\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("verify", "missing -r (the compliance values), -e (the action's attributes), -l (a trusted assertion), -k"),
        ("verify -r f,t -e environment -l top", "missing -k (who requests the action)"),
        ("verify -r f,t -r f,t -e environment -l top -k key1", "-r is given twice"),
        ("verify -r t -e environment -l top -k key1", "-r `t`"),
        ("verify -r f,t -e none -l top -k key1", "none: No such file or directory"),
        ("verify -r f,t -e environment -l none -k key1", "none: No such file or directory"),
        ("verify -r f,t -e environment -l top -k none", "none: No such file or directory"),
        ("verify -r f,t -e environment -l top -k key1 none", "none: No such file or directory"),
        ("verify -r f,t -e key1 -l top -k key1", "key1:1: no attribute"),
        ("verify -x", "no such option `-x`"),
    ],
)
def test_errors(command: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(command, capsys)
    assert (status, out) == (1, "")
    assert err.startswith(f"keynote: error: {message}")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("verify -h", capsys)
    assert status == 0
    assert "keynote verify -r false,true" in out


def test_a_key_that_is_none_is_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("keys").write_text('"One" "rsa-hex:zz"\n')
    Path("yes").write_text('authorizer: "POLICY"\nlicensees: "One"\n')
    options = "-r false,true -e environment -l yes"
    warning = "keynote: warning: keys: left out: `rsa-hex:zz` is not hexadecimal: digit 1 is `z`\n"
    assert run(f"verify {options} -k keys", capsys) == (0, "Query result = true\n", warning)
    Path("keys").write_text('"rsa-hex:zz"\n')
    status, out, err = run(f"verify {options} -k keys", capsys)
    assert (status, out) == (1, "")
    assert err.endswith("nobody requests the action: `rsa-hex:zz` is not hexadecimal: digit 1 is `z`\n")
