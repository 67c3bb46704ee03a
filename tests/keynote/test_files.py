# SPDX-License-Identifier: ISC
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import keynote
from keynote import PolicyError, limits, load_policy
from keynote.encodings import wrong_encoding

ONE = 'Authorizer: "POLICY"\nLicensees: "K"\n'
TWO = 'Authorizer: "K"\nLicensees: "L"\nConditions: a == "b";\n'


def lines(text: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(keynote.PolicyError) as caught:
        keynote.parse_policy(text, name="p.kn")
    return [(problem.where.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}\n{TWO}",
        f"\n\n{ONE}\n\n\n{TWO}\n\n",
        f"# a header\n# of comments\n\n{ONE}\n# in between\n\n  # indented\n\n{TWO}\n# at the end",
        (ONE + "\n" + TWO).rstrip(),
        f"{ONE}\n{TWO}".encode(),
    ],
)
def test_blank_lines_separate_assertions(text: str | bytes) -> None:
    policy = keynote.parse_policy(text, name="p.kn")
    assert len(policy) == 2
    assert keynote.Session(policy).query({"a": "b"}, ["L"]).allowed


def test_an_empty_policy_has_no_assertions() -> None:
    assert keynote.parse_policy("# nothing\n", name="p") == ()
    assert keynote.parse_policy(b"", name="p") == ()


def test_every_problem_of_a_file_is_told() -> None:
    text = f"{ONE}Conditions: a = b;\n\n{TWO}\nAuthorizer: (\n\nLicenses: x\n"
    assert lines(text) == [
        (3, "unknown operator `=`"),
        (9, "Authorizer ends too early"),
        (11, "unknown field `Licenses`"),
    ]


def test_a_stray_blank_line_does_not_lose_conditions() -> None:
    text = f"{TWO}\n{ONE}\nConditions: false;\n"
    assert lines(text) == [(5, "cut in two by a blank line"), (8, "no Authorizer field")]
    usable, refused = keynote.parse_credentials(text, name="c")
    assert [assertion.where.line for assertion in usable] == [1]
    assert [(item.where.line, item.reason) for item in refused] == [
        (5, "cut in two by a blank line"),
        (8, "no Authorizer field"),
    ]


def test_a_continuation_after_a_blank_line() -> None:
    assert lines(f"{ONE}Conditions: true;\n\n  false;\n") == [
        (1, "cut in two by a blank line"),
        (5, "text before the first field"),
    ]


def test_crlf_is_told_once() -> None:
    assert lines((ONE + TWO).replace("\n", "\r\n")) == [(1, "carriage return, which is no white space in KeyNote")]


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("text", [ONE, f"\n\n{ONE}", f"# a comment\n\n{ONE}", ""])
def test_a_byte_order_mark_is_an_error_at_the_beginning(text: str) -> None:
    with pytest.raises(keynote.PolicyError) as caught:
        keynote.parse_policy(MARK + text.encode(), name="p.kn")
    (problem,) = caught.value.problems
    assert (str(problem.where), problem.message) == ("p.kn:1:1", "a byte order mark of UTF-8")


def test_what_a_windows_editor_does_is_told_as_a_whole() -> None:
    text = MARK + ONE.replace("\n", "\r\n").encode()
    assert [message for _, message in lines(text)] == [
        "a byte order mark of UTF-8",
        "carriage return, which is no white space in KeyNote",
    ]


def test_the_hint_for_a_byte_order_mark_works(tmp_path: Path) -> None:
    path = tmp_path / "p.kn"
    path.write_bytes(MARK + ONE.encode())
    with pytest.raises(keynote.PolicyError) as caught:
        keynote.load_policy(path)
    (command,) = re.findall(r"`(sed .*)`", caught.value.problems[0].hint)
    subprocess.run([*shlex.split(command), path], check=True)
    assert path.read_bytes() == ONE.encode()


def test_a_credential_with_a_byte_order_mark_is_set_aside() -> None:
    usable, refused = keynote.parse_credentials(MARK + f"{ONE}\n{TWO}".encode(), name="c.kn")
    assert [assertion.where.line for assertion in usable] == [4]
    assert list(map(str, refused)) == ["c.kn:1:1: a byte order mark of UTF-8"]
    with pytest.raises(keynote.PolicyError, match="byte order mark"):
        keynote.parse_assertion(MARK + ONE.encode(), name="c.kn")


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF-32LE", "UTF-32BE"])
def test_other_encodings_are_named_and_the_hint_works(encoding: str, tmp_path: Path) -> None:
    """With a byte order mark and without. As a credential it is set aside whole."""
    text = ONE.replace("\n", "\r\n").encode(encoding)
    name = encoding if encoding[-1] == "E" else f"{encoding}LE"
    with pytest.raises(keynote.PolicyError) as caught:
        keynote.parse_policy(text, name="p.kn")
    (problem,) = caught.value.problems
    message = f"text in {name}, where ASCII or UTF-8 is wanted"
    assert (str(problem.where), problem.message, problem.excerpt) == ("p.kn:1:1", message, "")
    usable, refused = keynote.parse_credentials(text, name="p.kn")
    assert (usable, list(map(str, refused))) == ((), [f"p.kn:1:1: {message}"])
    with pytest.raises(keynote.PolicyError, match=message):
        keynote.parse_assertion(text, name="p.kn")
    (command,) = re.findall(r"`(iconv .*)`", problem.hint)
    (tmp_path / "p.kn").write_bytes(text)
    converted = subprocess.run([*shlex.split(command), tmp_path / "p.kn"], check=True, capture_output=True).stdout
    assert converted == ONE.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("text", ["", "A", "\0", "Authorizer\0: x\0", "\xff\xe9", "\0\0\0\0\0\0\0\0"])
def test_what_is_no_other_encoding(text: str) -> None:
    assert wrong_encoding(text) is None


def test_credentials_are_used_one_by_one() -> None:
    usable, refused = keynote.parse_credentials(f"{ONE}\nAuthorizer: ((\n\n{TWO}".encode(), name="c.kn")
    assert len(usable) == 2
    assert list(map(str, refused)) == ["c.kn:4:14: Authorizer ends too early"]


def test_load_policy(tmp_path: Path) -> None:
    path = tmp_path / "p.kn"
    path.write_bytes(b'Authorizer: "POLICY"\nLicensees: "caf\xe9"\n')
    assert keynote.Session(keynote.load_policy(path)).query({}, ["caf\xe9"]).allowed
    with pytest.raises(FileNotFoundError):
        keynote.load_policy(tmp_path / "none")


@pytest.mark.parametrize("form", ["passphrase", "passphrase-md5-hex", "passphrase-sha1-hex"])
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o640, 0o660])
def test_a_file_with_a_passphrase_belongs_to_its_owner(tmp_path: Path, form: str, mode: int) -> None:
    path = tmp_path / "p.kn"
    path.write_text(f'Authorizer: "POLICY"\nLicensees: "{form}:hush"\n')
    path.chmod(mode)
    with pytest.raises(keynote.PolicyError, match="chmod 600"):
        keynote.load_policy(path)
    assert keynote.load_policy(path, allow_exposed=True)
    path.chmod(0o600)
    assert keynote.load_policy(path)


def test_a_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "K"\n'
    (tmp_path / "policy.kn").write_text(text)
    monkeypatch.setattr(limits, "FILE_SIZE", len(text))
    assert len(load_policy(tmp_path / "policy.kn")) == 1
    monkeypatch.setattr(limits, "FILE_SIZE", len(text) - 1)
    with pytest.raises(PolicyError, match="a file of more than"):
        load_policy(tmp_path / "policy.kn")
