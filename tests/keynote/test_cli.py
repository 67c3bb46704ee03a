# SPDX-License-Identifier: ISC
"""The command as a user types it: output, and exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keynote
from keynote import limits
from keynote.cli.inputs import InputError, action_file, principals_file
from tests.keynote.commands import run_for_lines as run
from tests.keynote.key_pairs import key, principal


@pytest.mark.usefixtures("folder")
class TestEval:
    @pytest.mark.parametrize(
        ("options", "status", "lines"),
        [
            ("-k gw --action action.txt", 0, ["true", "POLICY → CA → gw, policy.kn:3"]),
            ("-k gw -a 'app_domain=IPsec policy' -a enc=aes", 0, ["true", "POLICY → CA → gw, policy.kn:3"]),
            ("-k gw --action action.txt -a enc=null", 2, ["false", "policy.kn:3: enc is `null`, needs `aes`"]),
            ("-k gw -k other --action action.txt", 0, ["true", "POLICY → CA → gw, policy.kn:3"]),
            ("-k Zoë --action action.txt", 0, ["true", "POLICY → CA → Zoë, policy.kn:3"]),
            ("-k other --action action.txt", 2, ["false", "policy.kn:2: licenses `CA`, not `other`"]),
            (
                "-k gw -a 'app_domain=IPsec policy' --unknown enc",
                3,
                ["false..true", "POLICY → CA → gw, policy.kn:3, if unknown attributes allow it"],
            ),
            (
                "-k gw -a 'app_domain=IPsec policy' --unknown '*'",
                3,
                ["false..true", "POLICY → CA → gw, policy.kn:3, if unknown attributes allow it"],
            ),
            (
                "-k gw -a app_domain=x --unknown enc",
                2,
                ["false", "policy.kn:3: app_domain is `x`, needs `IPsec policy`"],
            ),
            (
                "-k gw --action action.txt -a enc=3des --values false,maybe,true",
                0,
                ["maybe", "POLICY → CA → gw, policy.kn:3"],
            ),
            (
                "-k gw --action action.txt -a enc=3des",
                2,
                ["false", "policy.kn:3: enc is `3des`, needs `aes`"],
            ),
        ],
    )
    def test_answers(self, options: str, status: int, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert run(f"eval -p policy.kn {options}", capsys) == (status, lines, "")

    def test_an_interval_that_is_allowed_in_any_case(self, capsys: pytest.CaptureFixture[str]) -> None:
        (Path.cwd() / "p.kn").write_text(
            'Authorizer: "POLICY"\nLicensees: "K"\nConditions: true -> "low"; a == "b" -> "high";\n'
        )
        status, lines, _ = run("eval -p p.kn -k K --unknown a --values no,low,high", capsys)
        assert (status, lines[0]) == (0, "low..high")

    def test_what_was_set_aside_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("eval -p policy.kn -c credential.kn -k x --action action.txt", capsys)
        assert status == 2
        assert lines == [
            "false",
            "policy.kn:2: licenses `CA`, not `x`",
            "set aside: credential.kn:1:1: cut in two by a blank line",
            "set aside: credential.kn:4:1: neither a field nor the continuation of one",
        ]

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("eval -p policy.kn -k gw --action action.txt --json", capsys)
        data = json.loads("\n".join(lines))
        assert status == 0
        assert (data["value"], data["allowed"], data["because"]) == ("true", True, "POLICY → CA → gw, policy.kn:3")
        assert [step["authorizer"] for step in data["path"]] == ["POLICY", "CA"]
        assert data["path"][0]["where"] == {"file": "policy.kn", "line": 3, "column": 47}

    @pytest.mark.parametrize(
        ("command", "error"),
        [
            ("eval -k gw", "no policy"),
            ("eval -p policy.kn", "nobody requests"),
            ("eval -p none.kn -k gw", "none.kn: No such file"),
            ("eval -p . -k gw", "directory"),
            ("eval -p policy.kn -k gw -c none.kn", "none.kn: No such file"),
            ("eval -p policy.kn -k gw --action none.txt", "none.txt: No such file"),
            ("eval -p policy.kn -k @none.txt", "none.txt: No such file"),
            ("eval -p policy.kn -k gw -a novalue", "`novalue` is no attribute"),
            ("eval -p policy.kn -k gw -a _x=1", "underscore"),
            ("eval -p policy.kn -k gw -a a=1 --unknown a", "given and unknown"),
            ("eval -p policy.kn -k gw --unknown a,b", "once for each"),
            ("eval -p policy.kn -k gw --unknown a=b", "is no attribute name"),
            ("eval -p policy.kn -k gw --unknown ''", "is no attribute name"),
            ("eval -p policy.kn -k gw --bogus", "no such option `--bogus`"),
            ("eval -p", "option `-p` requires an argument"),
            ("bogus", "no such command `bogus`"),
            ("test", "missing argument `PATH...`"),
            ("test none.toml", "does not exist"),
        ],
    )
    def test_every_error_has_status_1(self, command: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, message = run(command, capsys)
        assert (status, lines) == (1, [])
        assert message.startswith("keynote: error: ")
        assert error in message

    def test_all_errors_of_a_policy_with_their_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, _, message = run("eval -p broken.kn -k gw", capsys)
        assert status == 1
        assert message.splitlines() == [
            "keynote: error: broken.kn:2:15: unknown operator `=`",
            "    Conditions: a = b; c < 1;",
            "                  ^",
            "keynote: hint: string comparison is `==`",
            "keynote: error: broken.kn:2:22: a string compared with an integer",
            "    Conditions: a = b; c < 1;",
            "                         ^",
            "keynote: hint: `@name` is a string's integer value",
        ]

    @pytest.mark.parametrize("options", ["-p bom -k gw", "-p policy.kn -k @bom", "-p policy.kn -k gw --action bom"])
    def test_a_byte_order_mark_is_an_error_in_every_file(
        self, options: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "bom").write_bytes(b"\xef\xbb\xbfenc=aes\n")
        status, _, message = run(f"eval {options}", capsys)
        assert status == 1
        assert message.startswith("keynote: error: bom:1:1: a byte order mark of UTF-8\n")
        assert "keynote: hint: save the file as UTF-8 without it" in message

    @pytest.mark.parametrize(
        "options", ["-p utf16 -k gw", "-p policy.kn -k @utf16", "-p policy.kn -k gw --action utf16"]
    )
    def test_another_encoding_is_an_error_in_every_file(
        self, options: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "utf16").write_bytes("enc=aes\n".encode("utf-16"))
        status, lines, message = run(f"eval {options}", capsys)
        assert (status, lines) == (1, [])
        assert message == (
            "keynote: error: utf16:1:1: text in UTF-16LE, where ASCII or UTF-8 is wanted\n"
            "keynote: hint: `iconv -f UTF-16 -t UTF-8` converts it\n"
        )

    @pytest.mark.parametrize("command", ["eval", "why", "graph"])
    @pytest.mark.parametrize(
        ("key", "wrong"),
        [
            ("rsa-hex:zz", "is not hexadecimal: digit 1 is `z`"),
            ("rsa-hex:abc", "is not hexadecimal: it has 3 digits, and needs an even number"),
            ("ed25519-base64:ab%=", "is not base64: digit 3 is `%`"),
            ("rsa-hex:00", "is not the DER of two positive numbers, as an RSA key is"),
        ],
    )
    def test_a_requester_that_is_no_key(
        self, command: str, key: str, wrong: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "key").write_text(f'"{key}"\n')
        for options, where in ((f"-k {key}", "-k "), (f"-k gw -k {key}", "-k "), ("-k @key", "key: ")):
            status, lines, message = run(f"{command} -p policy.kn {options}", capsys)
            assert (status, lines) == (1, [])
            assert message.startswith(f"keynote: error: {where}`{key}` {wrong}\n")

    def test_an_exposed_passphrase_is_a_warning(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = folder / "psk.kn"
        path.write_text('Authorizer: "POLICY"\nLicensees: "passphrase:hush"\n')
        path.chmod(0o644)
        status, lines, message = run("eval -p psk.kn -k passphrase:hush", capsys)
        assert (status, lines) == (0, ["true", "POLICY → passphrase:(hidden), psk.kn:1"])
        assert message == (
            "keynote: warning: psk.kn: holds a passphrase, and others than its owner may read it\n"
            "keynote: hint: chmod 600 psk.kn\n"
        )
        path.chmod(0o600)
        assert run("eval -p psk.kn -k passphrase:hush", capsys)[2] == ""


@pytest.mark.usefixtures("folder")
class TestTest:
    def test_the_last_line_counts(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("test .", capsys)
        assert status == 1
        assert len(lines) == 2
        assert lines[0].endswith(
            "no: expected true, got false: policy.kn:3: app_domain is empty, needs `IPsec policy`"
        )
        assert lines[-1] == "1 passed, 1 failed"

    def test_success(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = (folder / "queries.toml").read_text()
        (folder / "queries.toml").write_text(text[: text.rindex("[[query]]")])
        assert run("test queries.toml", capsys) == (0, ["1 passed, 0 failed"], "")

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("test queries.toml --json", capsys)
        data = json.loads("\n".join(lines))
        assert status == 1
        assert (data["passed"], data["failed"]) == (1, 1)
        assert [case["passed"] for case in data["cases"]] == [True, False]

    def test_a_table_that_is_none_is_an_error(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "bad.toml").write_text("query = 5")
        assert run("test bad.toml", capsys)[0] == 1


@pytest.mark.parametrize("command", ["--version", "--help", "eval --help", "why --help", "test --help"])
def test_help_has_status_0_and_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines, _ = run(command, capsys)
    assert status == 0
    assert "Example:" in " ".join(lines) or command.startswith("--")


def test_the_installed_command(folder: Path) -> None:
    command = Path(sys.executable).parent / "keynote"
    environment = {"LANG": "C", "PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [command, "eval", "-p", "policy.kn", "-k", "gw", "--action", "action.txt"],
        capture_output=True,
        check=False,
        cwd=folder,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (0, b"true\nPOLICY \\u2192 CA \\u2192 gw, policy.kn:3\n")


# -- files of attributes and principals ------------------------------------------------------------------------------


def test_action_files() -> None:
    text = (
        "# Comments are allowed\n"
        "plain=a value, = and all\n"
        "empty=\n"
        "\n"
        'quoted = "te\\\n    st\\"in\\g\\012"  # note\n'
        "  indented =x\n"
        'half="x" y\n'
        "last=1"
    )
    assert action_file(text, "f") == {
        "plain": "a value, = and all",
        "empty": "",
        "quoted": 'test"ing\n',
        "indented": "x",
        "half": '"x" y',
        "last": "1",
    }
    with pytest.raises(InputError, match="f:2: no attribute"):
        action_file("a=b\nnothing\n", "f")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b\nc= d\n", "f:2: blanks around a value"),
        ("a=b\t\n", "f:1: blanks around a value"),
        ("a=b\nc=d\r\n", "f:2: carriage return"),
    ],
)
def test_what_nobody_sees_is_no_part_of_a_value(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        action_file(text, "f")


@pytest.mark.parametrize(
    "command", ["sigver /dev/zero", "fmt /dev/zero", "eval -p policy.kn -k x --action /dev/zero", "lint /dev/zero"]
)
def test_no_file_is_read_without_end(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(limits, "FILE_SIZE", 1 << 20)
    status, _, message = run(command, capsys)
    assert status == 1
    assert "/dev/zero" in message
    assert "a file of more than 1,048,576 bytes" in message


def test_principal_files() -> None:
    assert principals_file("K\n# comment\n\nDN:/CN=a b\n", "f") == ["K", "DN:/CN=a b"]
    assert principals_file('"KeyC"  # Some key\n"dsa-hex:30\\\n   81"\n', "f") == ["KeyC", "dsa-hex:3081"]
    assert principals_file(' # Comments first\n\t"K"', "f") == ["K"]
    with pytest.raises(InputError, match="f:2: expected a quoted principal"):
        principals_file('"K"\nL\n', "f")
    with pytest.raises(InputError, match="no principal"):
        principals_file("# nothing\n", "f")


@pytest.fixture
def signed(folder: Path) -> None:
    text = f'Authorizer: "{principal("rsa")}"\nLicensees: "gw"\n'
    (folder / "old.kn").write_text(keynote.signed(text, key("rsa"), "sig-rsa-sha1-hex:"))
    (folder / "trust.kn").write_text(f'Authorizer: "POLICY"\nLicensees: "{principal("rsa", "base64")}"\n')
    (folder / "old.toml").write_text(
        'policies = "trust.kn"\ncredentials = "old.kn"\n[[query]]\nname="old"\nauthorizers="gw"\nexpect="true"\n'
    )


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("command", ["eval", "why"])
def test_legacy_signatures(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    legacy = "old.kn:1: set aside: sig-rsa-sha1 is a legacy signature; --legacy-signatures accepts it"
    status, lines, _ = run(f"{command} -p trust.kn -c old.kn -k gw", capsys)
    assert (status, lines[:2]) == (2, ["false", legacy])
    status, lines, _ = run(f"{command} -p trust.kn -c old.kn -k gw --legacy-signatures", capsys)
    assert (status, lines[0]) == (0, "true")
    assert not any("set aside" in line for line in lines)


@pytest.mark.usefixtures("signed")
def test_tables_with_legacy_signatures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test old.toml", capsys)[0] == 1
    assert run("test --legacy-signatures old.toml", capsys)[:2] == (0, ["1 passed, 0 failed"])


@pytest.mark.usefixtures("signed")
def test_a_policy_with_a_wrong_signature_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("old.kn").read_text()
    Path("wrong.kn").write_text(text.replace('"gw"', '"me"'))
    assert run("eval -p old.kn -p trust.kn -k gw", capsys)[0] == 0  # trusted for where it is
    status, _, err = run("eval -p wrong.kn -p trust.kn -k me", capsys)
    assert status == 1
    assert err.startswith(
        "keynote: error: wrong.kn:3:12: the signature is not its authorizer's, or the text was changed"
    )


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_a_closed_stream_does_not_change_the_exit_status(closed: str, tmp_path: Path) -> None:
    (tmp_path / "policy.kn").write_text('Authorizer: "POLICY"\nLicensees: "alice"\n')
    command = f"{Path(sys.executable).parent / 'keynote'} eval -p policy.kn -k mallory {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("eval -p policy.kn -k mallory", 2),
        ("why -p policy.kn -k alice", 0),
        ("who policy.kn --json", 0),
        ("graph policy.kn", 0),
        ("sigver --strict policy.kn --json", 1),
        ("sigver policy.kn --json", 0),
        ("attributes", 0),
        ("completion bash", 0),
        ("--help", 0),
        ("keygen -h", 0),
        ("--version", 0),
        ("keygen ed25519-hex: 256 - -", 1),  # half of a key is none
    ],
)
def test_nor_does_a_reader_who_has_enough(command: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "policy.kn").write_text('Authorizer: "POLICY"\nLicensees: "alice"\n')
    reader, writer = os.pipe()
    os.close(reader)
    arguments = [str(Path(sys.executable).parent / "keynote"), *command.split()]
    try:
        done = subprocess.run(arguments, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.usefixtures("folder")
def test_who_requests_is_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    status, lines, errors = run("eval -p policy.kn", capsys)
    assert (status, lines) == (1, [])
    assert errors == "keynote: error: nobody requests the action\nkeynote: hint: give one or more with -k\n"


def test_of_many_mistakes_the_first_hundred_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "many.kn").write_text('Authorizer: "POLICY"\nConditions: a = b;\n\n' * 150)
    status, _, errors = run("eval -p many.kn -k gw", capsys)
    assert status == 1
    assert errors.count("keynote: error: many.kn:") == 100
    assert errors.endswith("keynote: error: and 50 more\n")


def test_an_attribute_has_one_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.kn").write_text('Authorizer: "POLICY"\nConditions: x == "3";\n')
    Path("twice").write_text('x=1\n# again\nx = "2"\n')
    Path("one").write_text("x=1\nx=1\n")
    Path("two").write_text("\nx=2\n")
    said = "attribute `x` is given twice, with different values\n"
    for arguments, where in (
        ("--action twice", "twice:3: "),
        ("--action one --action two", "two:2: "),
        ("-a x=1 -a x=3", ""),
        ("--action twice -a x=3", "twice:3: "),
    ):
        assert run(f"eval -p p.kn -k K {arguments}", capsys) == (1, [], f"keynote: error: {where}{said}")
    # what is typed counts in the place of what a file says
    assert run("eval -p p.kn -k K --action one -a x=3", capsys)[0] == 0
    # and of keynote(1)'s the last
    Path("twice").write_text("x=1\nx=3\n")
    Path("who").write_text('"K"\n')
    assert run("verify -r false,true -e twice -l p.kn -k who", capsys)[1] == ["Query result = true"]


def test_a_file_of_something_else_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{'A' * 64}\nAAAA\n-----END PRIVATE KEY-----\n")
    Path("key.pem").chmod(0o600)
    status, _, err = run("eval -p key.pem -k K", capsys)
    assert (status, err.count("keynote: error")) == (1, 1)
    assert err.startswith("keynote: error: key.pem:1:1: PEM, where assertions are wanted\n")
    assert "AAAA" not in err
    _, _, err = run("eval -p - -k K", capsys)
    assert err.startswith("keynote: error: -: No such file or directory\nkeynote: hint: `/dev/stdin` reads")
